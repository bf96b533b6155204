/* The ELF files that a program has in its memory, read again for their symbols. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "elf/elf_program.h"
#include "personality/linux/guest.h"
#include "personality/linux/mm.h"

/* Larger files, and more of them, are left out: they are for people to read. */
#define MOST_BYTES (UINT64_C(128) << 20)
enum { MOST_MODULES = 256, FIRST_PART = 1 << 20 };

static int64_t read_backing(void *context, uint64_t offset, void *bytes, size_t size)
{
	struct nub_linux_backing *backing = context;

	return backing->ops->read(backing, offset, bytes, size);
}

/* All of the file, which the caller frees; NULL when it can't be had. */
static uint8_t *read_all(struct nub_linux_backing *backing, size_t *size)
{
	size_t capacity = FIRST_PART;
	uint8_t *bytes = NULL;

	for (*size = 0; capacity <= MOST_BYTES; capacity *= 2) {
		uint8_t *larger = realloc(bytes, capacity);
		if (!larger)
			break;
		bytes = larger;
		const int64_t got = read_backing(backing, *size, bytes + *size, capacity - *size);
		if (got < 0)
			break;
		*size += (size_t)got;
		if (*size < capacity)
			return bytes;
	}
	free(bytes);
	return NULL;
}

/* Where the area shows the file, as what is added to the file's addresses. */
static bool find_bias(const struct nub_elf_program *elf, const struct nub_linux_area *area, uint64_t *bias)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct nub_elf_program_segment *segment = &elf->segments[i];
		const uint64_t start = nub_page_down(segment->offset);
		if (!(segment->flags & PF_X) || area->offset < start ||
		    area->offset - start >= segment->filesz + (segment->offset - start))
			continue;
		*bias = area->start - (nub_page_down(segment->vaddr) + (area->offset - start));
		return true;
	}
	return false;
}

static bool seen_before(const struct nub_linux_area *areas, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (areas[i].backing == areas[index].backing && (areas[i].prot & PROT_EXEC))
			return true;
	return false;
}

static void add_module(struct nub_linux_backing *backing, const struct nub_linux_area *area, struct nub_image *image)
{
	const char *name = backing->path ? backing->path : "";
	struct nub_elf_program elf;
	uint64_t bias;
	size_t size;

	if (nub_elf_program_read(&elf, read_backing, backing, name, NULL) < 0 || !find_bias(&elf, area, &bias))
		return;
	uint8_t *bytes = read_all(backing, &size);
	if (bytes)
		nub_image_add_module(image, bytes, size, name, bias, NULL);
}

void nub_linux_guest_modules(struct nub_personality *personality, struct nub_image *image)
{
	const struct nub_linux *linux = nub_linux_guest_of(personality)->linux;
	size_t count = 0, added = 0;
	const struct nub_linux_area *areas = linux ? nub_linux_areas(linux, &count) : NULL;

	for (size_t i = 0; i < count && added < MOST_MODULES; i++)
		if (areas[i].backing && (areas[i].prot & PROT_EXEC) && !seen_before(areas, i)) {
			add_module(areas[i].backing, &areas[i], image);
			added++;
		}
}
