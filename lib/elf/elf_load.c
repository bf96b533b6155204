/* Loading a guest: its segments copied into memory, its relocations applied there (R16). */
#include <gelf.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "elf/elf_image.h"
#include "elf/elf_parts.h"

static const char *relocation_name(uint32_t type)
{
	static const char names[][sizeof("R_X86_64_JUMP_SLOT")] = {
		[R_X86_64_NONE] = "R_X86_64_NONE",
		[R_X86_64_64] = "R_X86_64_64",
		[R_X86_64_PC32] = "R_X86_64_PC32",
		[R_X86_64_GOT32] = "R_X86_64_GOT32",
		[R_X86_64_PLT32] = "R_X86_64_PLT32",
		[R_X86_64_COPY] = "R_X86_64_COPY",
		[R_X86_64_GLOB_DAT] = "R_X86_64_GLOB_DAT",
		[R_X86_64_JUMP_SLOT] = "R_X86_64_JUMP_SLOT",
		[R_X86_64_RELATIVE] = "R_X86_64_RELATIVE",
		[R_X86_64_GOTPCREL] = "R_X86_64_GOTPCREL",
		[R_X86_64_32] = "R_X86_64_32",
		[R_X86_64_32S] = "R_X86_64_32S",
		[R_X86_64_DTPMOD64] = "R_X86_64_DTPMOD64",
		[R_X86_64_DTPOFF64] = "R_X86_64_DTPOFF64",
		[R_X86_64_TPOFF64] = "R_X86_64_TPOFF64",
		[R_X86_64_PC64] = "R_X86_64_PC64",
		[R_X86_64_TLSDESC] = "R_X86_64_TLSDESC",
		[R_X86_64_IRELATIVE] = "R_X86_64_IRELATIVE",
	};

	return type < sizeof(names) / sizeof(*names) && names[type][0] != '\0' ? names[type] : "of an unknown type";
}

static int fail_type(const struct nub_image *image, uint64_t index, uint32_t type, struct nub_error *err)
{
	nub_fail(err, NUB_E_ELF_RELOCATION, 0,
	         "%s: relocation %" PRIu64 " is %s (%u), supported are R_X86_64_RELATIVE (%d) and R_X86_64_NONE (%d)",
	         image->name, index, relocation_name(type), type, R_X86_64_RELATIVE, R_X86_64_NONE);
	return nub_hint(err, "link it with -static-pie, without thread-local variables, undefined or ifunc symbols");
}

static bool holds(const struct nub_elf_load *load, uint64_t vaddr)
{
	return load && vaddr >= load->vaddr && nub_range_in(vaddr - load->vaddr, 8, load->memsz);
}

/* The table is read from the file, so that a relocation can't change those after it. */
static int relocate(const struct nub_image *image, uint8_t *memory, struct nub_error *err)
{
	const struct nub_elf_load *load = NULL; /* of the last target: the next one is most often there too */
	for (uint64_t i = 0; i < image->rela_count; i++) {
		Elf64_Rela rela;
		memcpy(&rela, image->bytes + image->rela_offset + i * sizeof(rela), sizeof(rela));
		uint32_t type = ELF64_R_TYPE(rela.r_info);
		if (type == R_X86_64_NONE)
			continue;
		if (type != R_X86_64_RELATIVE)
			return fail_type(image, i, type, err);
		if (!holds(load, rela.r_offset))
			load = nub_elf_find_memory(image, rela.r_offset, sizeof(uint64_t));
		if (!load || !(load->flags & NUB_REGION_WRITE))
			return nub_fail(err, NUB_E_ELF_RELOCATION, 0,
			                "%s: relocation %" PRIu64 " changes 8 bytes at %#" PRIx64
			                ", outside every writable segment",
			                image->name, i, rela.r_offset);
		uint64_t value = (uint64_t)rela.r_addend + image->bias;
		memcpy(memory + (rela.r_offset + image->bias - image->info.image_base), &value, sizeof(value));
	}
	return 0;
}

int nub_image_load(const struct nub_image *image, uint8_t *memory, uint64_t size, struct nub_error *err)
{
	if (size < image->info.image_size)
		return nub_fail(err, NUB_E_ELF_SIZE, 0, "%s: needs %" PRIu64 " bytes of memory, there are %" PRIu64,
		                image->name, image->info.image_size, size);
	for (size_t i = 0; i < image->load_count; i++) {
		const struct nub_elf_load *load = &image->loads[i];
		uint64_t offset = load->vaddr + image->bias - image->info.image_base;
		memcpy(memory + offset, image->bytes + load->offset, load->filesz);
	}
	return relocate(image, memory, err);
}
