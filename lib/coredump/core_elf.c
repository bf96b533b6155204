/* The headers of a guest's ELF file, as its memory still has them. Hostile, as all that a guest could write. */
#include <elf.h>
#include <string.h>

#include "base/util.h"
#include "coredump/core_write.h"

/* More program headers than this are not looked at: they are only for people to read. */
enum { MAX_HEADERS = 64 };

/* The pages of the file that a segment was loaded from, at their gvas. False when it has none, or makes no sense. */
static bool find_mapping(const Elf64_Phdr *segment, uint64_t bias, struct nub_core_mapping *mapping)
{
	const uint64_t skew = segment->p_offset % NUB_PAGE_SIZE, gva = segment->p_vaddr + bias - skew;
	uint64_t bytes;

	if (segment->p_type != PT_LOAD || segment->p_filesz == 0 || !nub_page_aligned(gva) ||
	    __builtin_add_overflow(segment->p_filesz, skew, &bytes) || !nub_page_up(bytes, &mapping->size) ||
	    !nub_range_in(gva, mapping->size, NUB_USER_GVA_END))
		return false;
	mapping->gva = gva;
	mapping->offset = segment->p_offset - skew;
	return true;
}

/* A position-independent guest's lowest page is at its image's base. */
static uint64_t find_bias(const struct nub_core *core, const Elf64_Ehdr *header, const Elf64_Phdr *segments,
                          size_t count)
{
	uint64_t lowest = UINT64_MAX;

	if (header->e_type != ET_DYN)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr < lowest)
			lowest = segments[i].p_vaddr;
	return core->image_base - nub_page_down(lowest);
}

static void find_mappings(struct nub_core *core, const Elf64_Ehdr *header, struct nub_memory *memory)
{
	Elf64_Phdr segments[MAX_HEADERS];
	const size_t count = header->e_phnum < MAX_HEADERS ? header->e_phnum : MAX_HEADERS;

	if (count == 0 ||
	    nub_memory_read(memory, core->cr3, core->phdr_gva, segments, count * sizeof(segments[0]), NULL) < 0)
		return;
	const uint64_t bias = find_bias(core, header, segments, count);
	for (size_t i = 0; i < count && core->mapping_count < NUB_CORE_MAX_MAPPINGS; i++)
		core->mapping_count += find_mapping(&segments[i], bias, &core->mappings[core->mapping_count]);
}

void nub_core_find_program_headers(struct nub_core *core, struct nub_memory *memory)
{
	Elf64_Ehdr header;

	if (nub_memory_read(memory, core->cr3, core->image_base, &header, sizeof(header), NULL) < 0 ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    header.e_phoff > NUB_PAGE_SIZE)
		return;
	core->phdr_gva = core->image_base + header.e_phoff;
	core->phdr_count = header.e_phnum;
	find_mappings(core, &header, memory);
}
