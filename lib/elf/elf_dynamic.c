/* The dynamic section of a guest: where its relocations are, and what it asks for that a guest can't have. */
#include <inttypes.h>

#include "base/error.h"
#include "elf/elf_parts.h"

/* What the dynamic section says, as far as it matters here. */
struct dynamic {
	uint64_t rela, rela_size, rela_entry;
	uint64_t strings;
	uint64_t needed; /* offset in strings of the first library's name */
	bool has_needed;
	const char *unsupported; /* the first kind of relocation table that is neither empty nor DT_RELA */
};

static void note_entry(struct dynamic *dynamic, const GElf_Dyn *entry)
{
	const char *unsupported = NULL;
	uint64_t value = entry->d_un.d_val;
	switch (entry->d_tag) {
	case DT_RELA:
		dynamic->rela = value;
		break;
	case DT_RELASZ:
		dynamic->rela_size = value;
		break;
	case DT_RELAENT:
		dynamic->rela_entry = value;
		break;
	case DT_STRTAB:
		dynamic->strings = value;
		break;
	case DT_NEEDED:
		if (!dynamic->has_needed)
			dynamic->needed = value;
		dynamic->has_needed = true;
		break;
	case DT_REL:
	case DT_RELSZ:
		unsupported = "DT_REL";
		break;
	case DT_RELR:
	case DT_RELRSZ:
		unsupported = "DT_RELR";
		break;
	case DT_JMPREL:
	case DT_PLTRELSZ:
		unsupported = "DT_JMPREL";
		break;
	}
	if (unsupported && value != 0 && !dynamic->unsupported)
		dynamic->unsupported = unsupported;
}

static int read_entries(const struct nub_elf_file *file, struct dynamic *dynamic, struct nub_error *err)
{
	for (size_t i = 0; i < file->header.e_phnum; i++) {
		GElf_Phdr segment;
		if (nub_elf_program_header(file, i, &segment, err) < 0)
			return -1;
		if (segment.p_type != PT_DYNAMIC)
			continue;
		if (nub_elf_in_file(file, "its dynamic section", segment.p_offset, segment.p_filesz, err) < 0)
			return -1;
		uint64_t count = segment.p_filesz / sizeof(Elf64_Dyn);
		if (count == 0)
			return 0;
		if (count > INT32_MAX)
			return nub_fail(err, NUB_E_ELF_RELOCATION, 0,
			                "%s: has %" PRIu64 " entries in its dynamic section, at most %d are accepted",
			                file->name, count, INT32_MAX);
		Elf_Data *data = nub_elf_data(file, segment.p_offset, count * sizeof(Elf64_Dyn), ELF_T_DYN, err);
		if (!data)
			return -1;
		GElf_Dyn entry;
		for (int k = 0; k < (int)count && gelf_getdyn(data, k, &entry) && entry.d_tag != DT_NULL; k++)
			note_entry(dynamic, &entry);
		return 0;
	}
	return 0;
}

static int fail_needed(const struct nub_image *image, const struct dynamic *dynamic, struct nub_error *err)
{
	char library[64] = "?";
	uint64_t vaddr;
	const struct nub_elf_load *load = NULL;
	if (!__builtin_add_overflow(dynamic->strings, dynamic->needed, &vaddr))
		load = nub_elf_find_bytes(image, vaddr, 1);
	if (load) {
		uint64_t skip = vaddr - load->vaddr;
		nub_elf_printable(library, sizeof(library), image->bytes + load->offset + skip, load->filesz - skip);
	}
	nub_fail(err, NUB_E_ELF_INTERPRETER, 0, "%s: needs the shared library %s, guests have none", image->name,
	         library);
	return nub_hint(err, "link it with -static or -static-pie; see nub-guest(7)");
}

int nub_elf_read_dynamic(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err)
{
	struct dynamic dynamic = { 0 };
	if (read_entries(file, &dynamic, err) < 0)
		return -1;
	if (dynamic.has_needed)
		return fail_needed(image, &dynamic, err);
	if (dynamic.unsupported) {
		nub_fail(err, NUB_E_ELF_RELOCATION, 0, "%s: has relocations in %s, only DT_RELA is supported",
		         image->name, dynamic.unsupported);
		return nub_hint(err, "link it with -static-pie -Wl,-z,nopack-relative-relocs");
	}
	if (dynamic.rela_size == 0)
		return 0;
	if (dynamic.rela_entry != sizeof(Elf64_Rela) || dynamic.rela_size % sizeof(Elf64_Rela) != 0)
		return nub_fail(err, NUB_E_ELF_RELOCATION, 0,
		                "%s: has %" PRIu64 " bytes of relocations of %" PRIu64
		                " bytes each, instead of a multiple of %zu",
		                image->name, dynamic.rela_size, dynamic.rela_entry, sizeof(Elf64_Rela));
	const struct nub_elf_load *load = nub_elf_find_bytes(image, dynamic.rela, dynamic.rela_size);
	if (!load)
		return nub_fail(err, NUB_E_ELF_RELOCATION, 0,
		                "%s: has %" PRIu64 " bytes of relocations at %#" PRIx64 ", outside every segment",
		                image->name, dynamic.rela_size, dynamic.rela);
	image->rela_offset = load->offset + (dynamic.rela - load->vaddr);
	image->rela_count = dynamic.rela_size / sizeof(Elf64_Rela);
	return 0;
}
