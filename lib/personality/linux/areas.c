/* The list of areas: found, split, joined, entered, taken out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "personality/linux/mm_parts.h"

size_t nub_linux_area_index(const struct nub_linux_memory *memory, uint64_t gva)
{
	size_t low = 0, high = memory->area_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (memory->areas[middle].end <= gva)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool make_room(struct nub_linux_memory *memory)
{
	if (memory->area_count >= NUB_LINUX_MAX_AREAS)
		return false;
	if (memory->area_count < memory->area_capacity)
		return true;
	const size_t capacity = memory->area_capacity ? memory->area_capacity * 2 : 32;
	struct nub_linux_area *areas = realloc(memory->areas, capacity * sizeof(*areas));
	if (!areas)
		return false;
	memory->areas = areas;
	memory->area_capacity = capacity;
	return true;
}

static void open_slot(struct nub_linux_memory *memory, size_t at)
{
	memmove(memory->areas + at + 1, memory->areas + at, (memory->area_count - at) * sizeof(*memory->areas));
	memory->area_count++;
}

static void close_slot(struct nub_linux_memory *memory, size_t at)
{
	memory->area_count--;
	memmove(memory->areas + at, memory->areas + at + 1, (memory->area_count - at) * sizeof(*memory->areas));
}

int64_t nub_linux_area_split(struct nub_linux_memory *memory, uint64_t gva)
{
	const size_t at = nub_linux_area_index(memory, gva);

	if (at == memory->area_count || memory->areas[at].start >= gva)
		return 0;
	if (!make_room(memory))
		return -ENOMEM;
	open_slot(memory, at);
	struct nub_linux_area *low = &memory->areas[at], *high = low + 1;
	*low = *high;
	low->end = high->start = gva;
	if (high->backing) {
		high->offset += gva - low->start;
		high->backing->references++;
	}
	return 0;
}

/* Does the second go on where the first ends, with the same of everything? */
static bool are_alike(const struct nub_linux_area *a, const struct nub_linux_area *b)
{
	return a->end == b->start && a->prot == b->prot && a->shared == b->shared && a->wipe == b->wipe &&
	       a->huge_no == b->huge_no && a->backing == b->backing && a->name == b->name &&
	       (!a->backing || a->offset + (a->end - a->start) == b->offset);
}

void nub_linux_area_join(struct nub_linux_memory *memory, size_t first, size_t last)
{
	size_t at = first > 0 ? first - 1 : 0, end = last + 1;

	while (at + 1 < memory->area_count && at < end) {
		if (!are_alike(&memory->areas[at], &memory->areas[at + 1])) {
			at++;
			continue;
		}
		memory->areas[at].end = memory->areas[at + 1].end;
		nub_linux_backing_drop(memory->areas[at + 1].backing);
		close_slot(memory, at + 1);
		end--;
	}
}

int64_t nub_linux_area_insert(struct nub_linux_memory *memory, const struct nub_linux_area *area)
{
	const size_t at = nub_linux_area_index(memory, area->start);

	if (!make_room(memory))
		return -ENOMEM;
	open_slot(memory, at);
	memory->areas[at] = *area;
	memory->mapped += area->end - area->start;
	nub_linux_area_join(memory, at, at);
	return 0;
}

int64_t nub_linux_area_remove(struct nub_linux_memory *memory, uint64_t start, uint64_t end)
{
	size_t first, last;

	if (nub_linux_area_split(memory, start) < 0 || nub_linux_area_split(memory, end) < 0)
		return -ENOMEM;
	first = nub_linux_area_index(memory, start);
	for (last = first; last < memory->area_count && memory->areas[last].start < end; last++) {
		memory->mapped -= memory->areas[last].end - memory->areas[last].start;
		nub_linux_backing_drop(memory->areas[last].backing);
	}
	memmove(memory->areas + first, memory->areas + last, (memory->area_count - last) * sizeof(*memory->areas));
	memory->area_count -= last - first;
	return 0;
}

bool nub_linux_area_covers(const struct nub_linux_memory *memory, uint64_t start, uint64_t end)
{
	for (size_t at = nub_linux_area_index(memory, start); start < end; at++) {
		if (at == memory->area_count || memory->areas[at].start > start)
			return false;
		start = memory->areas[at].end;
	}
	return true;
}

/* The highest place for `size` bytes in the hole [low, high); 0 when it is too small. */
static uint64_t place_in(uint64_t low, uint64_t high, uint64_t size, uint64_t align)
{
	if (high < low || high - low < size)
		return 0;
	const uint64_t at = (high - size) & ~(align - 1);
	if (at < low)
		return 0;
	return nub_linux_is_kept(at, size) ? place_in(low, NUB_LINUX_KEPT_GVA, size, align) : at;
}

uint64_t nub_linux_area_gap(const struct nub_linux_memory *memory, uint64_t top, uint64_t size, uint64_t align)
{
	size_t i = nub_linux_area_index(memory, top);
	uint64_t high = top;

	if (i < memory->area_count && memory->areas[i].start < high)
		high = memory->areas[i].start;
	while (i-- > 0) {
		const uint64_t at = place_in(memory->areas[i].end, high, size, align);
		if (at != 0)
			return at;
		high = memory->areas[i].start;
	}
	return place_in(NUB_LINUX_GVA_START, high, size, align);
}

/* ---- Names ---- */

const char nub_linux_name_heap[] = "[heap]", nub_linux_name_stack[] = "[stack]", nub_linux_name_vvar[] = "[vvar]",
	   nub_linux_name_vdso[] = "[vdso]";
static const char *const names[] = { NULL, nub_linux_name_heap, nub_linux_name_stack, nub_linux_name_vvar,
	                             nub_linux_name_vdso };

unsigned nub_linux_area_name_number(const char *name)
{
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i] == name)
			return i;
	return 0;
}

bool nub_linux_area_name(unsigned number, const char **name)
{
	if (number >= sizeof(names) / sizeof(*names))
		return false;
	*name = names[number];
	return true;
}
