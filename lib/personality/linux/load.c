/* The segments of an ELF file as mappings of it, and the zeros behind the data. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "personality/linux/mm_parts.h"
#include "personality/linux/start_parts.h"

static int64_t read_backing(void *context, uint64_t offset, void *bytes, size_t size)
{
	struct nub_linux_backing *backing = context;

	return backing->ops->read(backing, offset, bytes, size);
}

static unsigned prot_of(unsigned flags)
{
	return (flags & PF_R ? PROT_READ : 0u) | (flags & PF_W ? PROT_WRITE : 0u) | (flags & PF_X ? PROT_EXEC : 0u);
}

static int check_wx(const struct nub_linux *linux, const struct nub_elf_program *elf, const char *name,
                    struct nub_error *err)
{
	for (size_t i = 0; i < elf->segment_count && !linux->config.allow_wx; i++)
		if ((elf->segments[i].flags & (PF_W | PF_X)) == (PF_W | PF_X)) {
			nub_fail(err, NUB_E_ELF_WX, 0, "%s: the segment at 0x%" PRIx64 " is writable and executable",
			         name, elf->segments[i].vaddr);
			return nub_hint(err, "build it without, or allow memory that is both");
		}
	return 0;
}

static int fail_map(int64_t result, const char *name, uint64_t gva, uint64_t size, struct nub_error *err)
{
	return nub_fail(err, NUB_E_MEMORY_TOO_SMALL, (int)-result,
	                "%s: 0x%" PRIx64 " bytes at 0x%" PRIx64 " can't be mapped: %s", name, size, gva,
	                strerror((int)-result));
}

/* Zero the rest of the last page that has bytes of the file: the start of .bss. A segment that can't be written has none. */
static int clear_tail(struct nub_linux *linux, const struct nub_elf_program_segment *segment, uint64_t bias,
                      const char *name, struct nub_error *err)
{
	static const uint8_t zeros[NUB_PAGE_SIZE];
	const uint64_t gva = bias + segment->vaddr + segment->filesz;
	const uint64_t size = (0 - gva) % NUB_PAGE_SIZE;

	if (!(segment->flags & PF_W) || segment->memsz == segment->filesz || size == 0)
		return 0;
	if (nub_linux_write(linux, gva, zeros, size) < 0)
		return nub_fail(err, NUB_E_ELF_TRUNCATED, 0,
		                "%s: the segment at 0x%" PRIx64 " ends after the end of the file", name,
		                segment->vaddr);
	return 0;
}

/* What of the program is in memory already, and nowhere else in its address space, needs no touch. */
static int64_t enter_shown(struct nub_linux *linux, const struct nub_linux_mapping *mapping)
{
	const struct nub_linux_machine *machine = &linux->machine;
	struct nub_linux_memory *memory = linux->memory;
	struct nub_error err = { 0 };
	uint64_t gpa = 0;

	if (mapping->backing == linux->program->backing && !(mapping->prot & PROT_WRITE))
		gpa = machine->ops->shown(machine->context, mapping->offset, mapping->size);
	if (gpa == 0 || !nub_linux_page_pool_claim(&memory->pool, gpa))
		return 0;
	for (uint64_t at = NUB_PAGE_SIZE; at < mapping->size; at += NUB_PAGE_SIZE)
		nub_linux_page_pool_claim(&memory->pool, gpa + at);
	for (uint64_t at = 0; at < mapping->size; at += NUB_PAGE_SIZE)
		if (!nub_linux_page_map_set(&memory->pages, mapping->gva + at, gpa + at))
			return -ENOMEM;
	if (machine->ops->map(machine->context, mapping->gva, gpa, mapping->size, nub_linux_rights_of(mapping->prot),
	                      &err) < 0)
		return nub_linux_fail(linux, &err);
	return 0;
}

static int map_segment(struct nub_linux *linux, struct nub_linux_backing *backing,
                       const struct nub_elf_program_segment *segment, uint64_t bias, const char *name,
                       struct nub_error *err)
{
	const uint64_t start = nub_page_down(bias + segment->vaddr);
	uint64_t file_end, end;
	struct nub_linux_mapping mapping = { .prot = prot_of(segment->flags), .fixed = true, .gva = start };
	int64_t result = 0;

	nub_page_up(bias + segment->vaddr + segment->filesz, &file_end);
	nub_page_up(bias + segment->vaddr + segment->memsz, &end);
	file_end = segment->filesz ? file_end : start;
	if (file_end > start) {
		mapping.size = file_end - start;
		mapping.backing = backing;
		mapping.offset = nub_page_down(segment->offset);
		result = nub_linux_map(linux, &mapping);
		result = result < 0 ? result : enter_shown(linux, &mapping);
	}
	if (result >= 0 && segment->filesz && clear_tail(linux, segment, bias, name, err) < 0)
		return -1;
	if (result >= 0 && end > file_end) {
		mapping.gva = file_end;
		mapping.size = end - file_end;
		mapping.backing = NULL;
		mapping.offset = 0;
		result = nub_linux_map(linux, &mapping);
	}
	return result < 0 ? fail_map(result, name, mapping.gva, mapping.size, err) : 0;
}

/* Where a relocatable file goes, as what is added to its addresses. */
static int choose_bias(struct nub_linux *linux, const struct nub_elf_program *elf, const char *name, uint64_t base,
                       uint64_t *bias, struct nub_error *err)
{
	const uint64_t size = elf->high - elf->low;

	*bias = 0;
	if (!elf->relocatable)
		return 0;
	if (base == 0)
		base = nub_linux_area_gap(linux->memory, linux->memory->top, size, elf->align);
	else
		base &= ~(elf->align - 1);
	if (base == 0 || !nub_linux_in_user(base, size))
		return fail_map(-ENOMEM, name, base, size, err);
	*bias = base - elf->low;
	return 0;
}

int nub_linux_load(struct nub_linux *linux, struct nub_linux_backing *backing, const char *name, uint64_t base,
                   struct nub_linux_loaded *loaded, struct nub_error *err)
{
	const struct nub_elf_program *elf = &loaded->elf;

	if (nub_elf_program_read(&loaded->elf, read_backing, backing, name, err) < 0 ||
	    check_wx(linux, elf, name, err) < 0 || choose_bias(linux, elf, name, base, &loaded->bias, err) < 0)
		return -1;
	for (size_t i = 0; i < elf->segment_count; i++)
		if (map_segment(linux, backing, &elf->segments[i], loaded->bias, name, err) < 0)
			return -1;
	return 0;
}
