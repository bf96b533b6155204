/* Which symbol of a guest contains an address. Asked for crashes only, so it scans the symbol table each time. */
#include <limits.h>

#include "base/util.h"
#include "elf/elf_parts.h"

struct symbol_table {
	GElf_Shdr symbols, names;
};

/* Names that lie in the file and end in a NUL, so that any name in them does. */
static bool names_usable(const struct nub_elf_file *file, const GElf_Shdr *names)
{
	return names->sh_type == SHT_STRTAB && names->sh_size > 0 &&
	       nub_range_in(names->sh_offset, names->sh_size, file->size) &&
	       file->bytes[names->sh_offset + names->sh_size - 1] == '\0';
}

/* .symtab, or else .dynsym, when it and its names lie in the file. */
static bool find_table(const struct nub_elf_file *file, struct symbol_table *table)
{
	bool found = false;
	for (size_t i = 1; i < file->section_count; i++) {
		GElf_Shdr symbols, names;
		if (nub_elf_section_header(file, i, &symbols, NULL) < 0)
			return false;
		if (symbols.sh_type != SHT_SYMTAB && (symbols.sh_type != SHT_DYNSYM || found))
			continue;
		if (symbols.sh_link >= file->section_count ||
		    nub_elf_section_header(file, symbols.sh_link, &names, NULL) < 0 || !names_usable(file, &names) ||
		    !nub_range_in(symbols.sh_offset, symbols.sh_size, file->size))
			continue;
		*table = (struct symbol_table){ symbols, names };
		found = true;
		if (symbols.sh_type == SHT_SYMTAB)
			break;
	}
	return found;
}

/* The symbol's name in the file; NULL when it is empty or outside its table. */
static const char *symbol_name(const struct nub_elf_file *file, const GElf_Shdr *names, const GElf_Sym *symbol)
{
	if (symbol->st_name >= names->sh_size)
		return NULL;
	const char *name = (const char *)file->bytes + names->sh_offset + symbol->st_name;
	return *name != '\0' ? name : NULL;
}

static bool contains(const GElf_Sym *symbol, uint64_t vaddr)
{
	unsigned type = GELF_ST_TYPE(symbol->st_info);
	return (type == STT_FUNC || type == STT_OBJECT) && symbol->st_shndx != SHN_UNDEF && vaddr >= symbol->st_value &&
	       vaddr - symbol->st_value < symbol->st_size;
}

/* The innermost symbol, the first of equal ones. */
static const char *scan(const struct nub_elf_file *file, const struct symbol_table *table, uint64_t vaddr,
                        uint64_t *offset)
{
	uint64_t count = table->symbols.sh_size / sizeof(Elf64_Sym);
	if (count == 0 || count > INT_MAX)
		return NULL;
	Elf_Data *data = nub_elf_data(file, table->symbols.sh_offset, count * sizeof(Elf64_Sym), ELF_T_SYM, NULL);
	const char *best = NULL;
	GElf_Sym symbol;
	for (int i = 0; i < (int)count && data && gelf_getsym(data, i, &symbol); i++) {
		if (!contains(&symbol, vaddr) || (best && vaddr - symbol.st_value >= *offset))
			continue;
		const char *name = symbol_name(file, &table->names, &symbol);
		if (!name)
			continue;
		best = name;
		*offset = vaddr - symbol.st_value;
	}
	return best;
}

/* The image keeps no libelf handle, as one handle can't serve several threads. The name is in the borrowed bytes. */
const char *nub_image_symbol(const struct nub_image *image, uint64_t gva, uint64_t *offset)
{
	struct nub_elf_file file;
	struct symbol_table table;
	const char *name = NULL;
	uint64_t distance = 0;
	image = nub_image_part(image, gva);
	/* Of a table that was read for its neighbours' sake, a part may be missing. */
	if (image->partial)
		return NULL;
	if (nub_elf_open(&file, image->bytes, image->size, image->name, NULL) == 0 && find_table(&file, &table))
		name = scan(&file, &table, gva - image->bias, &distance);
	nub_elf_close(&file);
	if (name)
		*offset = distance;
	return name;
}
