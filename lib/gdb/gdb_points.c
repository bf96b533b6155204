/* Guest memory for a debugger, the int3s that stand in it, the slots of the debug registers, and comparing what is watched. */
#include "gdb/gdb_points.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* ---- Memory ---- */

static bool in_file(const struct nub_memory *memory, const uint8_t *host)
{
	for (size_t i = 0; i < memory->file_count; i++) {
		const struct nub_memory_map *file = &memory->files[i];
		if (host >= file->host && (size_t)(host - file->host) < file->size)
			return true;
	}
	return false;
}

/* Where gva is, and in *size how many of the wanted bytes follow it there. */
static bool translate(const struct nub_gdb_space *space, uint64_t gva, size_t *size, uint64_t *gpa)
{
	const struct nub_pt_reader reader = nub_memory_reader(space->memory);
	struct nub_personality *program = space->personality;
	struct nub_mapping leaf;

	/* A page at a time: a larger leaf may reach over the end of its memory. */
	const uint64_t left = NUB_PAGE_SIZE - (gva & (NUB_PAGE_SIZE - 1));
	if (*size > left)
		*size = left;
	if (program)
		return program->debug->reach(program, gva, false, gpa);
	if (!nub_canonical(gva) || !nub_pt_translate(&reader, space->root_gpa, gva, &leaf))
		return false;
	*gpa = leaf.gpa + (gva - leaf.gva);
	return true;
}

uint8_t *nub_gdb_memory_at(const struct nub_gdb_space *space, uint64_t gva, size_t *size, bool write)
{
	struct nub_memory *memory = space->memory;
	uint64_t gpa;

	if (!translate(space, gva, size, &gpa))
		return NULL;
	uint8_t *host = nub_memory_at(memory, gpa, *size);
	/* Where a file was cut, the store would be a signal. */
	if (write && host && (in_file(memory, host) || !nub_memory_is_there(host)))
		return NULL;
	if (write && host && nub_memory_claim(memory, gpa, *size, NULL) < 0)
		return NULL;
	return host;
}

bool nub_gdb_memory_bring(const struct nub_gdb_space *space, uint64_t gva)
{
	struct nub_personality *program = space->personality;
	uint64_t gpa;
	size_t size = 1;

	return program ? program->debug->reach(program, gva, true, &gpa) : translate(space, gva, &size, &gpa);
}

size_t nub_gdb_memory_read(const struct nub_gdb_space *space, uint64_t gva, uint8_t *bytes, size_t size)
{
	struct nub_personality *program = space->personality;
	size_t done = 0;

	if (program)
		return program->debug->read(program, gva, bytes, size);
	while (done < size) {
		size_t part = size - done;
		uint64_t gpa;
		/* A file that was cut has no bytes there any more. */
		if (!translate(space, gva + done, &part, &gpa) ||
		    nub_memory_copy(space->memory, gpa, bytes + done, part, NULL) < 0)
			break;
		done += part;
	}
	return done;
}

bool nub_gdb_memory_write(const struct nub_gdb_space *space, uint64_t gva, const uint8_t *bytes, size_t size)
{
	size_t part;

	for (size_t done = 0; done < size; done += part) {
		part = size - done;
		if (!nub_gdb_memory_bring(space, gva + done) || !nub_gdb_memory_at(space, gva + done, &part, true))
			return false;
	}
	for (size_t done = 0; done < size; done += part) {
		part = size - done;
		uint8_t *host = nub_gdb_memory_at(space, gva + done, &part, true);
		/* The first part may have been a page table on the way to the second. */
		if (!host)
			return false;
		memcpy(host, bytes + done, part);
	}
	return true;
}

/* ---- Software breakpoints ---- */

enum { INT3 = 0xcc };

void nub_gdb_breakpoints_release(struct nub_gdb_breakpoints *list)
{
	free(list->items);
	*list = (struct nub_gdb_breakpoints){ 0 };
}

bool nub_gdb_breakpoints_has(const struct nub_gdb_breakpoints *list, uint64_t gva)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].gva == gva)
			return true;
	return false;
}

bool nub_gdb_breakpoints_add(struct nub_gdb_breakpoints *list, uint64_t gva)
{
	if (nub_gdb_breakpoints_has(list, gva))
		return true;
	if (list->count == NUB_GDB_MAX_BREAKPOINTS)
		return false;
	if (list->count == list->capacity) {
		const size_t capacity = list->capacity ? 2 * list->capacity : 16;
		struct nub_gdb_breakpoint *items = reallocarray(list->items, capacity, sizeof(*items));
		if (!items)
			return false;
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = (struct nub_gdb_breakpoint){ .gva = gva };
	return true;
}

void nub_gdb_breakpoints_remove(struct nub_gdb_breakpoints *list, uint64_t gva)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].gva != gva)
			continue;
		list->count--;
		memmove(&list->items[i], &list->items[i + 1], (list->count - i) * sizeof(list->items[0]));
		return;
	}
}

void nub_gdb_breakpoints_insert(struct nub_gdb_breakpoints *list, const struct nub_gdb_space *space)
{
	for (size_t i = 0; i < list->count; i++) {
		struct nub_gdb_breakpoint *item = &list->items[i];
		size_t size = 1;

		item->host = nub_gdb_memory_at(space, item->gva, &size, true);
		if (!item->host)
			continue;
		item->original = *item->host;
		*item->host = INT3;
	}
}

/* Backwards, as two addresses may be of the same byte: the first one's original is the true one. */
void nub_gdb_breakpoints_lift(struct nub_gdb_breakpoints *list, const struct nub_gdb_space *space)
{
	for (size_t i = list->count; i-- > 0;) {
		struct nub_gdb_breakpoint *item = &list->items[i];
		size_t size = 1;

		if (!item->host)
			continue;
		/* The guest may have written something else meanwhile, or have got a copy of the page with the int3 in
		 * it. */
		if (nub_memory_is_there(item->host) && *item->host == INT3)
			*item->host = item->original;
		uint8_t *now = nub_gdb_memory_at(space, item->gva, &size, true);
		if (now && now != item->host && *now == INT3)
			*now = item->original;
		item->host = NULL;
	}
}

/* ---- Debug registers ---- */

/* Bit 10 is always 1; GE (bit 9) makes older CPUs tell of the exact instruction. */
#define DR7_FIXED UINT64_C(0x600)
#define DR7_GLOBAL UINT64_C(2)

static struct nub_gdb_hardware_slot *find_slot(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind,
                                               uint64_t gva, uint64_t size)
{
	for (unsigned i = 0; i < NUB_GDB_HARDWARE_SLOTS; i++) {
		struct nub_gdb_hardware_slot *slot = &hardware->slots[i];
		if (slot->size != 0 && slot->size == size && slot->gva == gva && slot->kind == kind)
			return slot;
	}
	return NULL;
}

bool nub_gdb_hardware_add(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind, uint64_t gva,
                          uint64_t size)
{
	const bool sized = size == 1 || (kind != NUB_GDB_EXECUTE && (size == 2 || size == 4 || size == 8));

	if (!sized || gva % size != 0)
		return false;
	if (find_slot(hardware, kind, gva, size))
		return true;
	for (unsigned i = 0; i < NUB_GDB_HARDWARE_SLOTS; i++) {
		struct nub_gdb_hardware_slot *slot = &hardware->slots[i];
		if (slot->size != 0)
			continue;
		*slot = (struct nub_gdb_hardware_slot){ .gva = gva, .kind = kind, .size = (uint8_t)size };
		return true;
	}
	return false;
}

void nub_gdb_hardware_remove(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind, uint64_t gva,
                             uint64_t size)
{
	struct nub_gdb_hardware_slot *slot = find_slot(hardware, kind, gva, size);

	if (slot)
		*slot = (struct nub_gdb_hardware_slot){ 0 };
}

/* The LEN field: 8 bytes came last. */
static uint64_t length_field(unsigned size)
{
	return size == 8 ? 2 : size - 1;
}

bool nub_gdb_hardware_encode(const struct nub_gdb_hardware *hardware, uint64_t registers[NUB_GDB_DEBUG_REGISTERS])
{
	uint64_t dr7 = 0;

	memset(registers, 0, NUB_GDB_DEBUG_REGISTERS * sizeof(registers[0]));
	for (unsigned i = 0; i < NUB_GDB_HARDWARE_SLOTS; i++) {
		const struct nub_gdb_hardware_slot *slot = &hardware->slots[i];
		if (slot->size == 0)
			continue;
		registers[i] = slot->gva;
		dr7 |= DR7_GLOBAL << (2 * i) | (uint64_t)slot->kind << (16 + 4 * i) |
		       length_field(slot->size) << (18 + 4 * i);
	}
	if (dr7 == 0)
		return false;
	registers[7] = dr7 | DR7_FIXED;
	return true;
}

const struct nub_gdb_hardware_slot *nub_gdb_hardware_hit(const struct nub_gdb_hardware *hardware, uint64_t dr6)
{
	for (unsigned i = 0; i < NUB_GDB_HARDWARE_SLOTS; i++)
		/* The CPU may set the bit of a slot that is off, too. */
		if (dr6 >> i & 1 && hardware->slots[i].size != 0)
			return &hardware->slots[i];
	return NULL;
}

/* ---- What is watched ---- */

static struct nub_gdb_watch *find_watch(struct nub_gdb_watches *list, uint64_t gva, uint64_t size)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].gva == gva && list->items[i].size == size)
			return &list->items[i];
	return NULL;
}

bool nub_gdb_watches_add(struct nub_gdb_watches *list, uint64_t gva, uint64_t size)
{
	if (size == 0 || size > NUB_GDB_MAX_WATCHED)
		return false;
	if (find_watch(list, gva, size))
		return true;
	if (list->count == NUB_GDB_MAX_WATCHES)
		return false;
	struct nub_gdb_watch *item = &list->items[list->count++];
	item->gva = gva;
	item->size = size;
	item->known = 0;
	return true;
}

void nub_gdb_watches_remove(struct nub_gdb_watches *list, uint64_t gva, uint64_t size)
{
	struct nub_gdb_watch *item = find_watch(list, gva, size);

	if (item)
		*item = list->items[--list->count];
}

void nub_gdb_watches_remember(struct nub_gdb_watches *list, const struct nub_gdb_space *space)
{
	for (size_t i = 0; i < list->count; i++) {
		struct nub_gdb_watch *item = &list->items[i];
		item->known = nub_gdb_memory_read(space, item->gva, item->bytes, item->size);
	}
}

const struct nub_gdb_watch *nub_gdb_watches_changed(const struct nub_gdb_watches *list,
                                                    const struct nub_gdb_space *space)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct nub_gdb_watch *item = &list->items[i];
		uint8_t now[NUB_GDB_MAX_WATCHED];
		const size_t got = nub_gdb_memory_read(space, item->gva, now, item->known);
		if (memcmp(now, item->bytes, got) != 0)
			return item;
	}
	return NULL;
}
