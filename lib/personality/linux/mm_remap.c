/* mremap: an area that grows, shrinks or moves, with its pages. */
#include <errno.h>

#include "abi/nub_abi.h"
#include "base/util.h"
#include "personality/linux/mm_parts.h"

struct remap {
	uint64_t old, old_size, new_size, flags, target;
};

/* Is nothing in the way of growing where it is? */
static bool can_grow(const struct nub_linux_memory *memory, const struct remap *remap)
{
	const uint64_t end = remap->old + remap->old_size;
	const size_t next = nub_linux_area_index(memory, end);

	return nub_linux_in_user(remap->old, remap->new_size) &&
	       (next == memory->area_count || memory->areas[next].start >= remap->old + remap->new_size);
}

/* What more of the area there will be, as a mapping at gva that nothing is in the way of. */
static struct nub_linux_mapping more_of(const struct nub_linux_area *area, uint64_t gva, uint64_t size, uint64_t offset)
{
	return (struct nub_linux_mapping){ .gva = gva,
		                           .size = size,
		                           .prot = area->prot,
		                           .shared = area->shared,
		                           .no_replace = true,
		                           .backing = area->backing,
		                           .offset = area->backing ? offset : 0,
		                           .name = area->name };
}

static int64_t grow(struct nub_linux *linux, const struct nub_linux_area *area, const struct remap *remap)
{
	const uint64_t end = remap->old + remap->old_size;
	const bool wipe = area->wipe, huge_no = area->huge_no;
	const struct nub_linux_mapping more =
	    more_of(area, end, remap->new_size - remap->old_size, area->offset + (end - area->start));
	const int64_t result = nub_linux_map(linux, &more);
	size_t at;

	if (result < 0)
		return result;
	at = nub_linux_area_index(linux->memory, end);
	if (linux->memory->areas[at].start == end) {
		linux->memory->areas[at].wipe = wipe;
		linux->memory->areas[at].huge_no = huge_no;
		nub_linux_area_join(linux->memory, at, at);
	}
	return (int64_t)remap->old;
}

/* Where it moves: `target` (emptied), or a place that is free. */
static int64_t find_target(struct nub_linux *linux, const struct remap *remap)
{
	if (!(remap->flags & MREMAP_FIXED)) {
		const uint64_t gap =
		    nub_linux_area_gap(linux->memory, linux->memory->top, remap->new_size, NUB_PAGE_SIZE);
		return gap != 0 ? (int64_t)gap : -ENOMEM;
	}
	const int64_t result = nub_linux_unmap(linux, remap->target, remap->new_size);
	return result < 0 ? result : (int64_t)remap->target;
}

static int64_t move(struct nub_linux *linux, const struct remap *remap)
{
	const uint64_t kept = remap->old_size < remap->new_size ? remap->old_size : remap->new_size;
	const int64_t target = find_target(linux, remap);
	/* The list may have moved when the target was emptied. */
	const struct nub_linux_area *area = nub_linux_area_at(linux, remap->old);
	struct nub_linux_mapping moved;
	int64_t result;
	bool wipe, huge_no;
	size_t at;

	if (target < 0)
		return target;
	wipe = area->wipe;
	huge_no = area->huge_no;
	moved = more_of(area, (uint64_t)target, remap->new_size, area->offset + (remap->old - area->start));
	moved.no_reserve = true;
	result = nub_linux_map(linux, &moved);
	if (result < 0)
		return result;
	at = nub_linux_area_index(linux->memory, (uint64_t)target);
	if (wipe || huge_no) {
		if (nub_linux_area_split(linux->memory, (uint64_t)target) < 0)
			return -ENOMEM;
		at = nub_linux_area_index(linux->memory, (uint64_t)target);
		linux->memory->areas[at].wipe = wipe;
		linux->memory->areas[at].huge_no = huge_no;
	}
	nub_linux_pages_move(linux, remap->old, (uint64_t)target, kept, nub_linux_rights_of(moved.prot));
	result = nub_linux_unmap(linux, remap->old, remap->old_size);
	return result < 0 ? result : target;
}

static int64_t check(const struct remap *remap)
{
	const bool fixed = remap->flags & MREMAP_FIXED;

	if ((remap->flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED)) || (fixed && !(remap->flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	if (!nub_page_aligned(remap->old) || remap->new_size == 0 || remap->old_size == 0)
		return -EINVAL;
	if (fixed && (!nub_page_aligned(remap->target) || !nub_linux_in_user(remap->target, remap->new_size) ||
	              nub_ranges_overlap(remap->old, remap->old_size, remap->target, remap->new_size)))
		return -EINVAL;
	return 0;
}

int64_t nub_linux_serve_mremap(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct remap remap = { .old = args[0], .flags = args[3], .target = args[4] };
	const struct nub_linux_area *area;
	int64_t result;

	(void)thread;
	if (!nub_page_up(args[1], &remap.old_size) || !nub_page_up(args[2], &remap.new_size) ||
	    !nub_linux_in_user(remap.old, remap.old_size))
		return nub_page_aligned(remap.old) ? -EFAULT : -EINVAL;
	result = check(&remap);
	if (result < 0)
		return result;
	area = nub_linux_area_at(linux, remap.old);
	if (!area)
		return -EFAULT;
	/* What is cut off may be several areas, and what stays, too. */
	if (!(remap.flags & MREMAP_FIXED) && remap.new_size < remap.old_size) {
		result = nub_linux_unmap(linux, remap.old + remap.new_size, remap.old_size - remap.new_size);
		return result < 0 ? result : (int64_t)remap.old;
	}
	if (area->end - remap.old < remap.old_size)
		return -EFAULT;
	if (remap.new_size > NUB_LINUX_GVA_END)
		return -ENOMEM;
	if (!(remap.flags & MREMAP_FIXED)) {
		if (remap.new_size == remap.old_size)
			return (int64_t)remap.old;
		if (can_grow(linux->memory, &remap))
			return grow(linux, area, &remap);
		if (!(remap.flags & MREMAP_MAYMOVE))
			return -ENOMEM;
	}
	return move(linux, &remap);
}
