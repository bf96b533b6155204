/* Opening an ELF file: is it one, is it for us, do its header tables lie inside it; access to headers through libelf. */
#include "elf/elf_parts.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"

/* First bytes of files that people hand over by mistake. */
static const struct {
	const char *magic;
	size_t size;
	const char *what;
} look_alikes[] = {
	{ "#!", 2, "a script" },
	{ "!<arch>\n", 8, "an archive of object files" },
	{ "\x1f\x8b", 2, "a gzip file" },
	{ "\xfd"
	  "7zXZ",
	  5, "an xz file" },
	{ "\x28\xb5\x2f\xfd", 4, "a zstd file" },
	{ "PK\x03\x04", 4, "a zip file" },
	{ "MZ", 2, "a Windows program" },
	{ "\xcf\xfa\xed\xfe", 4, "a macOS program" },
	{ "\0asm", 4, "a WebAssembly module" },
};

static bool looks_like_text(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size && i < 256; i++) {
		bool white = bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t' || bytes[i] == '\f';
		if ((bytes[i] < ' ' && !white) || bytes[i] == 0x7f)
			return false;
	}
	return true;
}

static int fail_magic(const struct nub_elf_file *file, struct nub_error *err)
{
	const char *what = NULL;
	for (size_t i = 0; i < sizeof(look_alikes) / sizeof(*look_alikes) && !what; i++)
		if (file->size >= look_alikes[i].size &&
		    memcmp(file->bytes, look_alikes[i].magic, look_alikes[i].size) == 0)
			what = look_alikes[i].what;
	if (file->size == 0)
		what = "empty";
	else if (!what)
		what = looks_like_text(file->bytes, file->size) ? "a text file" : "data of an unknown kind";
	nub_fail(err, NUB_E_ELF_MAGIC, 0, "%s: is %s, not an ELF file", file->name, what);
	return nub_hint(err, "name a program that is built with the guest runtime; see nub-guest(7)");
}

static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_386:
		return "i386";
	case EM_X86_64:
		return "x86-64";
	case EM_ARM:
		return "ARM";
	case EM_AARCH64:
		return "AArch64";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "PowerPC64";
	case EM_S390:
		return "S/390";
	case EM_MIPS:
		return "MIPS";
	case EM_LOONGARCH:
		return "LoongArch";
	default:
		return NULL;
	}
}

/* Who made the file comes before its class, as "for ARM" says more than "32-bit". e_type and e_machine are at the same
 * offsets in both classes. */
static int check_identity(const struct nub_elf_file *file, struct nub_error *err)
{
	const uint8_t *ident = file->bytes;
	if (file->size < offsetof(Elf64_Ehdr, e_version))
		return nub_fail(err, NUB_E_ELF_TRUNCATED, 0, "%s: ends at %zu bytes, inside its ELF header (%zu)",
		                file->name, file->size, sizeof(Elf64_Ehdr));
	bool big_endian = ident[EI_DATA] == ELFDATA2MSB;
	const uint8_t *at = ident + offsetof(Elf64_Ehdr, e_machine);
	unsigned machine = big_endian ? at[0] << 8 | at[1] : at[1] << 8 | at[0];
	bool x86 = machine == EM_X86_64 || (machine == EM_386 && ident[EI_CLASS] == ELFCLASS32);
	if (!x86) {
		const char *name = machine_name(machine);
		if (name)
			nub_fail(err, NUB_E_ELF_MACHINE, 0, "%s: is for %s (machine %u), guests are for x86-64 (%u)",
			         file->name, name, machine, EM_X86_64);
		else
			nub_fail(err, NUB_E_ELF_MACHINE, 0, "%s: is for machine %u, guests are for x86-64 (%u)",
			         file->name, machine, EM_X86_64);
		return nub_hint(err, "rebuild it with a compiler for x86-64");
	}
	if (ident[EI_CLASS] == ELFCLASS32) {
		nub_fail(err, NUB_E_ELF_CLASS, 0, "%s: is 32-bit (%s), guests are 64-bit", file->name,
		         machine == EM_386 ? "i386" : "x32");
		return nub_hint(err, "rebuild with -m64");
	}
	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
		return nub_fail(err, NUB_E_ELF_CLASS, 0,
		                "%s: has class %u and byte order %u, guests are 64-bit (%u) little-endian (%u)",
		                file->name, ident[EI_CLASS], ident[EI_DATA], ELFCLASS64, ELFDATA2LSB);
	return 0;
}

static int check_type(const struct nub_elf_file *file, struct nub_error *err)
{
	switch (file->header.e_type) {
	case ET_EXEC:
	case ET_DYN:
		return 0;
	case ET_REL:
		nub_fail(err, NUB_E_ELF_TYPE, 0, "%s: is an object file (type %u), not a program", file->name, ET_REL);
		return nub_hint(err, "link it with the guest runtime; see nub-guest(7)");
	case ET_CORE:
		return nub_fail(err, NUB_E_ELF_TYPE, 0, "%s: is a core dump (type %u), not a program", file->name,
		                ET_CORE);
	default:
		return nub_fail(err, NUB_E_ELF_TYPE, 0, "%s: has type %u, programs are %u (ET_EXEC) or %u (ET_DYN)",
		                file->name, file->header.e_type, ET_EXEC, ET_DYN);
	}
}

static int check_program_headers(const struct nub_elf_file *file, struct nub_error *err)
{
	const GElf_Ehdr *header = &file->header;
	if (header->e_phnum == 0)
		return nub_fail(err, NUB_E_ELF_NO_LOAD, 0, "%s: has 0 program headers, so nothing to load", file->name);
	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return nub_fail(err, NUB_E_ELF_HEADER, 0, "%s: has program headers of %u bytes instead of %zu",
		                file->name, header->e_phentsize, sizeof(Elf64_Phdr));
	/* PN_XNUM (0xffff: the count is elsewhere) is over the cap, so that it needs no special case. */
	if (header->e_phnum > NUB_ELF_MAX_PROGRAM_HEADERS)
		return nub_fail(err, NUB_E_ELF_HEADER, 0, "%s: has %u program headers, at most %u are accepted",
		                file->name, header->e_phnum, NUB_ELF_MAX_PROGRAM_HEADERS);
	return nub_elf_in_file(file, "its program header table", header->e_phoff,
	                       (uint64_t)header->e_phnum * sizeof(Elf64_Phdr), err);
}

/* From 0xff00 sections on, e_shnum is 0 and the count is in section 0's size; libelf makes the same choice. */
static int count_sections(struct nub_elf_file *file, struct nub_error *err)
{
	const GElf_Ehdr *header = &file->header;
	uint64_t count = header->e_shnum, size;
	if (header->e_shoff == 0)
		return 0;
	if (header->e_shentsize != sizeof(Elf64_Shdr))
		return nub_fail(err, NUB_E_ELF_HEADER, 0, "%s: has section headers of %u bytes instead of %zu",
		                file->name, header->e_shentsize, sizeof(Elf64_Shdr));
	if (count == 0) {
		Elf64_Shdr first;
		if (nub_elf_in_file(file, "its section header table", header->e_shoff, sizeof(first), err) < 0)
			return -1;
		memcpy(&first, file->bytes + header->e_shoff, sizeof(first));
		count = first.sh_size;
	}
	if (__builtin_mul_overflow(count, sizeof(Elf64_Shdr), &size))
		size = UINT64_MAX;
	if (nub_elf_in_file(file, "its section header table", header->e_shoff, size, err) < 0)
		return -1;
	file->section_count = count;
	return 0;
}

static int find_section_names(struct nub_elf_file *file, struct nub_error *err)
{
	GElf_Shdr section;
	uint64_t index = file->header.e_shstrndx;
	if (file->section_count == 0 || index == SHN_UNDEF)
		return 0;
	if (index == SHN_XINDEX) {
		if (nub_elf_section_header(file, 0, &section, err) < 0)
			return -1;
		index = section.sh_link;
	}
	if (index >= file->section_count)
		return nub_fail(err, NUB_E_ELF_HEADER, 0,
		                "%s: has its section names in section %" PRIu64 ", but only %zu sections", file->name,
		                index, file->section_count);
	if (nub_elf_section_header(file, index, &section, err) < 0 ||
	    nub_elf_in_file(file, "its section name table", section.sh_offset, section.sh_size, err) < 0)
		return -1;
	file->names_offset = section.sh_offset;
	file->names_size = section.sh_size;
	return 0;
}

static int fail_libelf(const struct nub_elf_file *file, struct nub_error *err)
{
	return nub_fail(err, NUB_E_ELF_HEADER, 0, "%s: can't be read: %s", file->name, elf_errmsg(-1));
}

int nub_elf_open(struct nub_elf_file *file, const void *bytes, size_t size, const char *name, struct nub_error *err)
{
	*file = (struct nub_elf_file){ .bytes = bytes, .size = size, .name = name };
	if (size < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return fail_magic(file, err);
	if (check_identity(file, err) < 0)
		return -1;
	if (size < sizeof(Elf64_Ehdr))
		return nub_fail(err, NUB_E_ELF_TRUNCATED, 0, "%s: ends at %zu bytes, inside its ELF header (%zu)", name,
		                size, sizeof(Elf64_Ehdr));
	memcpy(&file->header, bytes, sizeof(file->header));
	if (file->header.e_version != EV_CURRENT || file->header.e_ehsize != sizeof(Elf64_Ehdr))
		return nub_fail(err, NUB_E_ELF_HEADER, 0,
		                "%s: has an ELF header of version %u and %u bytes instead of %u and %zu", name,
		                file->header.e_version, file->header.e_ehsize, EV_CURRENT, sizeof(Elf64_Ehdr));
	if (check_type(file, err) < 0 || check_program_headers(file, err) < 0 || count_sections(file, err) < 0)
		return -1;

	/* libelf takes a char * but, opened for reading, never writes to it. */
	elf_version(EV_CURRENT);
	file->elf = elf_memory((char *)(uintptr_t)bytes, size);
	if (!file->elf)
		return fail_libelf(file, err);
	return find_section_names(file, err);
}

void nub_elf_close(struct nub_elf_file *file)
{
	elf_end(file->elf);
	file->elf = NULL;
}

int nub_elf_program_header(const struct nub_elf_file *file, size_t index, GElf_Phdr *header, struct nub_error *err)
{
	return gelf_getphdr(file->elf, (int)index, header) ? 0 : fail_libelf(file, err);
}

int nub_elf_section_header(const struct nub_elf_file *file, size_t index, GElf_Shdr *header, struct nub_error *err)
{
	Elf_Scn *section = elf_getscn(file->elf, index);
	return section && gelf_getshdr(section, header) ? 0 : fail_libelf(file, err);
}

bool nub_elf_section_is(const struct nub_elf_file *file, const GElf_Shdr *section, const char *name)
{
	const size_t size = strlen(name) + 1;

	return nub_range_in(section->sh_name, size, file->names_size) &&
	       memcmp(file->bytes + file->names_offset + section->sh_name, name, size) == 0;
}

int nub_elf_in_file(const struct nub_elf_file *file, const char *what, uint64_t offset, uint64_t size,
                    struct nub_error *err)
{
	if (nub_range_in(offset, size, file->size))
		return 0;
	nub_fail(err, NUB_E_ELF_TRUNCATED, 0, "%s: %s is %" PRIu64 " bytes at offset %" PRIu64 ", the file ends at %zu",
	         file->name, what, size, offset, file->size);
	return nub_hint(err, "copy or build the file again");
}

Elf_Data *nub_elf_data(const struct nub_elf_file *file, uint64_t offset, uint64_t size, Elf_Type type,
                       struct nub_error *err)
{
	Elf_Data *data = elf_getdata_rawchunk(file->elf, (int64_t)offset, size, type);
	if (!data)
		fail_libelf(file, err);
	return data;
}

void nub_elf_printable(char *text, size_t capacity, const uint8_t *bytes, uint64_t size)
{
	size_t n = 0;
	for (; n + 1 < capacity && n < size && bytes[n] != '\0'; n++)
		text[n] = bytes[n] >= ' ' && bytes[n] < 0x7f ? (char)bytes[n] : '?';
	text[n] = '\0';
}
