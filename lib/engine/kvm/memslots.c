/* Memslots: which part of the guest's memory the VM shows where, and since when (R12).
 *
 * A memslot costs the host's kernel time and memory in proportion to its size, when it is made and when it goes: half a
 * millisecond a GiB where page tables are shadowed. Most guests touch little of a large heap. So what lies behind its
 * first part waits: its entries in the page directories are not present, the guest's first touch is a fault that the
 * monitor tells of, and the host makes a slot for at least as much as the guest has already, and the entries present. A
 * store of the host's that adds a right is seen at the next fault by every hypervisor, those that shadow the tables, too.
 *
 * Of a guest whose tables are edited, the host knows each page that it gets before the guest does: the slots grow then, and there is
 * no fault.
 *
 * The host's own mapping is all there from the start, and walks through nub_memory_reader see such entries as present.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "cpu/vectors.h"
#include "engine/kvm/kvm_engine.h"

/* What a heap has from the start, and the least that is worth a slot of its own. */
#define FIRST_PART (UINT64_C(32) << 20)
#define LEAST_PART (UINT64_C(32) << 20)

static bool guest_copies(const struct nub_kvm *kvm)
{
	return kvm->guest.plan->layout.cow == NUB_COW_GUEST;
}

static int set(struct nub_kvm *kvm, unsigned slot, const struct nub_memory_map *map, uint64_t gpa, uint64_t size,
               bool readonly, struct nub_error *err)
{
	return nub_vm_set_memory(&kvm->vm, slot, gpa, size, map->host + (gpa - map->gpa), readonly, err);
}

static int drop(struct nub_kvm *kvm, unsigned slot, struct nub_error *err)
{
	return nub_vm_set_memory(&kvm->vm, slot, 0, 0, NULL, false, err);
}

/* ---- What waits ---- */

static uint64_t large_up(uint64_t address)
{
	return nub_large_page_down(address + NUB_LARGE_PAGE_SIZE - 1);
}

/* The page directory that covers gva, in its space; false when there is none in the guest's memory. */
static bool find_directory(const struct nub_kvm *kvm, uint64_t gva, uint64_t *directory_gpa)
{
	uint64_t table = kvm->tables.cr3 & NUB_PTE_ADDRESS, entry;

	for (unsigned shift = 39; shift >= 30; shift -= 9) {
		const uint64_t index = gva >> shift & (NUB_PT_ENTRIES - 1);
		if (nub_memory_copy(kvm->guest.memory, table + index * sizeof(entry), &entry, sizeof(entry), NULL) <
		        0 ||
		    !(entry & NUB_PTE_PRESENT) || entry & NUB_PTE_LARGE)
			return false;
		table = entry & NUB_PTE_ADDRESS;
	}
	*directory_gpa = table;
	return true;
}

/* Entries of page directories, as many as one of them has from a gva on. */
struct entries {
	uint64_t gpa; /* where they are */
	size_t count;
	uint64_t values[NUB_PT_ENTRIES];
};

/* Those for [gva, end), whole 2 MiB. False, with their count, when there is no directory. */
static bool read_entries(const struct nub_kvm *kvm, uint64_t gva, uint64_t end, struct entries *entries)
{
	const size_t first = gva / NUB_LARGE_PAGE_SIZE % NUB_PT_ENTRIES;
	const uint64_t left = (end - gva) / NUB_LARGE_PAGE_SIZE;
	uint64_t directory;

	entries->count = left < NUB_PT_ENTRIES - first ? left : NUB_PT_ENTRIES - first;
	if (!find_directory(kvm, gva, &directory))
		return false;
	entries->gpa = directory + first * sizeof(uint64_t);
	return nub_memory_copy(kvm->guest.memory, entries->gpa, entries->values, entries->count * sizeof(uint64_t),
	                       NULL) == 0;
}

/* One leaf more for the run, or for a new one. The longest is kept. */
static void add_leaf(struct nub_deferred *run, struct nub_deferred *longest, uint64_t gva, uint64_t entry)
{
	const bool leaf = entry & NUB_PTE_PRESENT && entry & NUB_PTE_LARGE;
	const uint64_t gpa = nub_large_page_down(entry & NUB_PTE_ADDRESS);

	if (!leaf)
		run->size = 0;
	else if (run->size > 0 && run->gva + run->size == gva && run->gpa + run->size == gpa)
		run->size += NUB_LARGE_PAGE_SIZE;
	else
		*run = (struct nub_deferred){ .gva = gva, .gpa = gpa, .size = NUB_LARGE_PAGE_SIZE };
	if (run->size > longest->size)
		*longest = *run;
}

static void find_longest(const struct nub_kvm *kvm, const struct nub_region *heap, struct nub_deferred *longest)
{
	const uint64_t end = nub_large_page_down(heap->gva + heap->size);
	struct nub_deferred run = { 0 };
	struct entries entries;

	for (uint64_t gva = large_up(heap->gva); gva < end; gva += entries.count * NUB_LARGE_PAGE_SIZE) {
		const bool there = read_entries(kvm, gva, end, &entries);
		for (size_t i = 0; i < entries.count; i++)
			add_leaf(&run, longest, gva + i * NUB_LARGE_PAGE_SIZE, there ? entries.values[i] : 0);
	}
}

/* Of the longest run of leaves that one slot can stand for, all but the first part. What code at CPL 0 makes of its tables
 * is not for the host to touch. */
static void choose_leaves(struct nub_kvm *kvm)
{
	const struct nub_region_list *regions = &kvm->guest.plan->regions;
	const struct nub_memory_map *map = &kvm->guest.memory->snapshot;
	struct nub_deferred *deferred = &kvm->deferred;

	for (size_t i = 0; kvm->guest.privilege_level == 3 && i < regions->count; i++)
		if (regions->items[i].type == NUB_REGION_HEAP && regions->items[i].size >= FIRST_PART + LEAST_PART &&
		    regions->items[i].size <= NUB_MAX_MEMORY_SIZE)
			find_longest(kvm, &regions->items[i], deferred);
	if (deferred->size < FIRST_PART + LEAST_PART || deferred->gpa < map->gpa ||
	    !nub_range_in(deferred->gpa - map->gpa, deferred->size, map->size)) {
		deferred->size = 0;
		return;
	}
	deferred->gva += FIRST_PART;
	deferred->gpa += FIRST_PART;
	deferred->size -= FIRST_PART;
	deferred->in_tables = true;
}

/* Where the tables are edited, all but the first part of the heap: nothing of it is in the tables yet. */
static void choose_unmapped(struct nub_kvm *kvm)
{
	const struct nub_layout *layout = &kvm->guest.plan->layout;

	if (layout->heap_size < FIRST_PART + LEAST_PART)
		return;
	kvm->deferred.gpa = nub_large_page_down(layout->heap_gpa + FIRST_PART);
	kvm->deferred.size = layout->heap_gpa + layout->heap_size - kvm->deferred.gpa;
}

static void choose(struct nub_kvm *kvm)
{
	kvm->deferred = (struct nub_deferred){ 0 };
	if (kvm->guest.syscalls)
		choose_unmapped(kvm);
	else
		choose_leaves(kvm);
}

static uint64_t hidden(uint64_t entry)
{
	return entry & NUB_PTE_PRESENT ? (entry & ~NUB_PTE_PRESENT) | NUB_PTE_DEFERRED : entry;
}

static uint64_t shown(uint64_t entry)
{
	return entry & NUB_PTE_DEFERRED ? (entry & ~NUB_PTE_DEFERRED) | NUB_PTE_PRESENT : entry;
}

/* Change the entries for [gva, gva + size), whole 2 MiB. */
static int change_entries(struct nub_kvm *kvm, uint64_t gva, uint64_t size, uint64_t (*changed)(uint64_t),
                          struct nub_error *err)
{
	const uint64_t end = gva + size;
	struct entries entries;

	for (; gva < end; gva += entries.count * NUB_LARGE_PAGE_SIZE) {
		/* What isn't there is not hidden: its touch is one of memory that isn't there. */
		if (!read_entries(kvm, gva, end, &entries))
			continue;
		for (size_t i = 0; i < entries.count; i++)
			entries.values[i] = changed(entries.values[i]);
		if (nub_memory_store(kvm->guest.memory, entries.gpa, entries.values, entries.count * sizeof(uint64_t),
		                     err) < 0)
			return -1;
	}
	return 0;
}

int nub_memslots_hide(struct nub_kvm *kvm, struct nub_error *err)
{
	const struct nub_deferred *deferred = &kvm->deferred;

	return deferred->in_tables ? change_entries(kvm, deferred->gva, deferred->size, hidden, err) : 0;
}

/* A slot for the first `needed` bytes of what waits, and more. */
static int grow(struct nub_kvm *kvm, uint64_t needed, struct nub_error *err)
{
	struct nub_deferred *deferred = &kvm->deferred;
	const uint64_t owned = deferred->gpa - NUB_BASE_ADDRESS;
	uint64_t size = large_up(needed > owned ? needed : owned);

	if (size > deferred->size || deferred->slots == NUB_SLOT_MAX_GROWTH - 1)
		size = deferred->size;
	if (set(kvm, NUB_SLOT_GROWTH + deferred->slots, &kvm->guest.memory->snapshot, deferred->gpa, size,
	        guest_copies(kvm), err) < 0)
		return -1;
	deferred->slots++;
	if (deferred->in_tables && change_entries(kvm, deferred->gva, size, shown, err) < 0)
		return -1;
	deferred->gva += size;
	deferred->gpa += size;
	deferred->size -= size;
	return 0;
}

int nub_memslots_reach(struct nub_kvm *kvm, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	const struct nub_deferred *deferred = &kvm->deferred;
	const uint64_t end = gpa + size;

	if (gpa >= deferred->gpa + deferred->size || end <= deferred->gpa)
		return 0;
	return grow(kvm, end - deferred->gpa, err);
}

enum nub_mending nub_memslots_fault(struct nub_kvm *kvm, struct nub_error *err)
{
	const struct nub_deferred *deferred = &kvm->deferred;
	const struct nub_exception_frame *frame = &kvm->frame;
	const uint64_t gva = nub_kvm_cr2(kvm);

	if (!deferred->in_tables || frame->vector != NUB_VECTOR_PF ||
	    (frame->error_code & (NUB_FAULT_PRESENT | NUB_FAULT_RESERVED)) != 0 || gva < deferred->gva ||
	    gva - deferred->gva >= deferred->size)
		return NUB_MENDING_NOT;
	const uint64_t needed = nub_large_page_down(gva - deferred->gva) + NUB_LARGE_PAGE_SIZE;
	return grow(kvm, needed, err) < 0 ? NUB_MENDING_FAILED : NUB_MENDING_DONE;
}

/* ---- All of them ---- */

static int set_snapshot(struct nub_kvm *kvm, struct nub_error *err)
{
	const struct nub_memory_map *map = &kvm->guest.memory->snapshot;
	struct nub_deferred *deferred = &kvm->deferred;
	const bool readonly = guest_copies(kvm);
	const uint64_t end = map->gpa + map->size;

	deferred->slots = 0;
	deferred->tail = false;
	kvm->guest.memory->deferred = deferred->in_tables;
	if (deferred->size == 0)
		return set(kvm, NUB_SLOT_SNAPSHOT, map, map->gpa, map->size, readonly, err);
	if (set(kvm, NUB_SLOT_SNAPSHOT, map, map->gpa, deferred->gpa - map->gpa, readonly, err) < 0)
		return -1;
	const uint64_t tail = deferred->gpa + deferred->size;
	deferred->tail = tail < end;
	return deferred->tail ? set(kvm, NUB_SLOT_TAIL, map, tail, end - tail, readonly, err) : 0;
}

int nub_memslots_set_scratch(struct nub_kvm *kvm, struct nub_error *err)
{
	const struct nub_memory_map *map = &kvm->guest.memory->scratch;

	return set(kvm, NUB_SLOT_SCRATCH, map, map->gpa, map->size, false, err);
}

int nub_memslots_drop_scratch(struct nub_kvm *kvm, struct nub_error *err)
{
	return drop(kvm, NUB_SLOT_SCRATCH, err);
}

static int set_all(struct nub_kvm *kvm, struct nub_error *err)
{
	const struct nub_memory *memory = kvm->guest.memory;

	if (set_snapshot(kvm, err) < 0 || nub_memslots_set_scratch(kvm, err) < 0)
		return -1;
	for (size_t i = 0; i < memory->file_count; i++) {
		const struct nub_memory_map *map = &memory->files[i];
		if (set(kvm, NUB_SLOT_FILES + (unsigned)i, map, map->gpa, map->size, true, err) < 0)
			return -1;
	}
	return 0;
}

int nub_memslots_set(struct nub_kvm *kvm, struct nub_error *err)
{
	choose(kvm);
	return set_all(kvm, err);
}

int nub_memslots_drop(struct nub_kvm *kvm, struct nub_error *err)
{
	const struct nub_deferred *deferred = &kvm->deferred;

	if (drop(kvm, NUB_SLOT_SNAPSHOT, err) < 0 || nub_memslots_drop_scratch(kvm, err) < 0 ||
	    (deferred->tail && drop(kvm, NUB_SLOT_TAIL, err) < 0))
		return -1;
	for (unsigned i = 0; i < deferred->slots; i++)
		if (drop(kvm, NUB_SLOT_GROWTH + i, err) < 0)
			return -1;
	for (size_t i = 0; i < kvm->guest.memory->file_count; i++)
		if (drop(kvm, NUB_SLOT_FILES + (unsigned)i, err) < 0)
			return -1;
	return 0;
}

int nub_memslots_renew(struct nub_kvm *kvm, struct nub_error *err)
{
	return nub_memslots_drop(kvm, err) < 0 ? -1 : set_all(kvm, err);
}
