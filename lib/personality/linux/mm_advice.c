/* madvise, mincore, msync, mlock: calls about memory that is there. */
#include <asm/unistd_64.h>
#include <errno.h>

#include "abi/nub_abi.h"
#include "base/util.h"
#include "personality/linux/mm_parts.h"

/* What newer kernels know beside the C library's names (Linux, include/uapi/asm-generic/mman-common.h). */
enum { ADVICE_COLD = 20, ADVICE_PAGEOUT = 21, ADVICE_POPULATE_READ = 22, ADVICE_POPULATE_WRITE = 23 };

static bool is_private_anonymous(const struct nub_linux_area *area)
{
	return !area->backing && !area->shared;
}

static int64_t populate(struct nub_linux *linux, uint64_t start, uint64_t end, unsigned rights)
{
	for (uint64_t at = start; at < end; at += NUB_PAGE_SIZE)
		switch (nub_linux_touch(linux, at, rights)) {
		case NUB_LINUX_TOUCH_OK:
			break;
		case NUB_LINUX_TOUCH_FORBIDDEN:
			return -EINVAL;
		case NUB_LINUX_TOUCH_NO_FILE:
			return -EFAULT;
		default:
			return -ENOMEM;
		}
	return 0;
}

/* DONTNEED: what was written of a shared file is kept by the file, of shared anonymous memory by the memory. */
static void drop(struct nub_linux *linux, const struct nub_linux_area *area)
{
	if (area->shared && !area->backing)
		return;
	nub_linux_pages_write_back(linux, area, area->start, area->end);
	nub_linux_pages_drop(linux, area->start, area->end);
}

/* One area, which lies in the range whole. */
static int64_t advise_area(struct nub_linux *linux, struct nub_linux_area *area, int advice)
{
	switch (advice) {
	case MADV_FREE:
		if (!is_private_anonymous(area))
			return -EINVAL;
		/* fall through */
	case MADV_DONTNEED:
		drop(linux, area);
		return 0;
	case MADV_WIPEONFORK:
		if (!is_private_anonymous(area))
			return -EINVAL;
		area->wipe = true;
		return 0;
	case MADV_KEEPONFORK:
		area->wipe = false;
		return 0;
	case MADV_NOHUGEPAGE:
		area->huge_no = true;
		return 0;
	case MADV_HUGEPAGE:
		area->huge_no = false;
		return 0;
	case ADVICE_POPULATE_READ:
		return populate(linux, area->start, area->end, NUB_LINUX_READ);
	case ADVICE_POPULATE_WRITE:
		return populate(linux, area->start, area->end, NUB_LINUX_WRITE);
	default:
		return 0;
	}
}

static bool is_known(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case ADVICE_COLD:
	case ADVICE_PAGEOUT:
	case ADVICE_POPULATE_READ:
	case ADVICE_POPULATE_WRITE:
		return true;
	default:
		return false;
	}
}

int64_t nub_linux_serve_madvise(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_memory *memory = linux->memory;
	const int advice = (int)args[2];
	uint64_t start = args[0], size, end;
	int64_t result = 0, advised;
	size_t first, i;

	(void)thread;
	if (!is_known(advice) || !nub_page_aligned(start) || !nub_page_up(args[1], &size) ||
	    __builtin_add_overflow(start, size, &end))
		return -EINVAL;
	if (size == 0)
		return 0;
	if (!nub_linux_in_user(start, size) || nub_linux_area_split(memory, start) < 0 ||
	    nub_linux_area_split(memory, end) < 0)
		return -ENOMEM;
	if (!nub_linux_area_covers(memory, start, end))
		result = -ENOMEM; /* but what is mapped of it is advised */
	first = nub_linux_area_index(memory, start);
	for (i = first; i < memory->area_count && memory->areas[i].start < end; i++) {
		advised = advise_area(linux, &memory->areas[i], advice);
		if (advised < 0 && (result == 0 || advised == -EINVAL)) {
			result = advised;
			break;
		}
	}
	if (first < memory->area_count)
		nub_linux_area_join(memory, first, i);
	return result;
}

int64_t nub_linux_serve_mincore(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	uint64_t size;

	(void)thread;
	if (!nub_page_aligned(args[0]))
		return -EINVAL;
	if (!nub_page_up(args[1], &size) || !nub_linux_in_user(args[0], size) ||
	    !nub_linux_area_covers(linux->memory, args[0], args[0] + size))
		return args[1] == 0 ? 0 : -ENOMEM;
	for (uint64_t at = 0; at < size; at += NUB_PAGE_SIZE) {
		const uint8_t there = nub_linux_page_map_get(&linux->memory->pages, args[0] + at) > 0;
		if (nub_linux_write(linux, args[2] + at / NUB_PAGE_SIZE, &there, sizeof(there)) < 0)
			return -EFAULT;
	}
	return 0;
}

int64_t nub_linux_serve_msync(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_memory *memory = linux->memory;
	uint64_t size, end;
	int64_t result = 0;

	(void)thread;
	if ((args[2] & ~(uint64_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
	    (args[2] & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC) || !nub_page_aligned(args[0]))
		return -EINVAL;
	if (!nub_page_up(args[1], &size) || __builtin_add_overflow(args[0], size, &end))
		return -ENOMEM;
	if (size == 0)
		return 0;
	for (size_t i = nub_linux_area_index(memory, args[0]); i < memory->area_count && memory->areas[i].start < end;
	     i++) {
		const int64_t written = nub_linux_pages_write_back(linux, &memory->areas[i], args[0], end);
		result = result < 0 ? result : written;
	}
	if (!nub_linux_in_user(args[0], size) || !nub_linux_area_covers(memory, args[0], end))
		return -ENOMEM;
	return result;
}

/* Nothing is ever swapped out; but what is locked is there. */
int64_t nub_linux_serve_mlock(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t start = nub_page_down(args[0]);
	uint64_t end;

	if (thread->call == __NR_mlock2 && (args[2] & ~UINT64_C(1)))
		return -EINVAL;
	if (__builtin_add_overflow(args[0], args[1], &end) || !nub_page_up(end, &end))
		return -EINVAL;
	if (args[1] == 0)
		return 0;
	if (!nub_linux_in_user(start, end - start) || !nub_linux_area_covers(linux->memory, start, end) ||
	    populate(linux, start, end, 0) < 0)
		return -ENOMEM;
	return 0;
}

int64_t nub_linux_serve_munlock(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t start = nub_page_down(args[0]);
	uint64_t end;

	(void)thread;
	if (__builtin_add_overflow(args[0], args[1], &end) || !nub_page_up(end, &end))
		return -EINVAL;
	if (args[1] == 0)
		return 0;
	return nub_linux_in_user(start, end - start) && nub_linux_area_covers(linux->memory, start, end) ? 0 : -ENOMEM;
}

int64_t nub_linux_serve_mlockall(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	return args[0] == 0 || (args[0] & ~UINT64_C(7)) || args[0] == MCL_ONFAULT ? -EINVAL : 0;
}

int64_t nub_linux_serve_munlockall(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	(void)args;
	return 0;
}
