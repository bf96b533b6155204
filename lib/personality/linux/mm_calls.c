/* brk, mmap, munmap, mprotect, and the family's table. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <stdlib.h>

#include "abi/nub_abi.h"
#include "base/error.h"
#include "base/util.h"
#include "personality/linux/call.h"
#include "personality/linux/mm_parts.h"

NUB_LINUX_ARG_SHORT_NAMES;

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

/* Accepted and without effect, as in Linux (include/uapi/asm-generic/mman-common.h). */
enum { PROTECT_SEM = 8 };

static int64_t serve_brk(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_memory *memory = linux->memory;
	uint64_t now, wanted;

	(void)thread;
	/* brk(2): the old break, whatever is wrong. */
	if (args[0] < memory->brk_start || !nub_page_up(memory->brk, &now) || !nub_page_up(args[0], &wanted) ||
	    !nub_linux_in_user(memory->brk_start, wanted - memory->brk_start))
		return (int64_t)memory->brk;
	if (wanted > now) {
		const struct nub_linux_mapping heap = { .gva = now,
			                                .size = wanted - now,
			                                .prot = PROT_READ | PROT_WRITE,
			                                .no_replace = true,
			                                .name = nub_linux_name_heap };
		if (nub_linux_map(linux, &heap) < 0)
			return (int64_t)memory->brk;
	} else if (wanted < now && nub_linux_unmap(linux, wanted, now - wanted) < 0)
		return (int64_t)memory->brk;
	memory->brk = args[0];
	return (int64_t)memory->brk;
}

/* What the flags and the descriptor say of a mapping. 0 or -errno; *mapping then has a reference of its backing. */
static int64_t read_flags(struct nub_linux *linux, const uint64_t args[6], struct nub_linux_mapping *mapping)
{
	const uint64_t flags = args[3];
	int64_t error = -ENODEV;

	switch (flags & MAP_TYPE) {
	case MAP_PRIVATE:
		break;
	case MAP_SHARED:
	case MAP_SHARED_VALIDATE:
		mapping->shared = true;
		break;
	default:
		return -EINVAL;
	}
	/* No huge pages are set aside, as on a Linux where nobody did so. */
	if (flags & MAP_HUGETLB)
		return -ENOMEM;
	mapping->fixed = flags & MAP_FIXED;
	mapping->no_replace = flags & MAP_FIXED_NOREPLACE;
	mapping->no_reserve = flags & MAP_NORESERVE;
	mapping->below_2g = flags & MAP_32BIT;
	if (flags & MAP_ANONYMOUS)
		return 0;
	mapping->offset = args[5];
	if (mapping->offset + mapping->size < mapping->offset)
		return -EOVERFLOW;
	if (!linux->open_backing)
		return -EBADF;
	mapping->backing = linux->open_backing(linux, (int)args[4], mapping->prot, (unsigned)flags, &error);
	if (!mapping->backing)
		return error;
	if (mapping->shared && (mapping->prot & PROT_WRITE) && !mapping->backing->ops->write)
		return -EACCES;
	return 0;
}

static void populate(struct nub_linux *linux, uint64_t gva, uint64_t size)
{
	for (uint64_t at = gva; at < gva + size; at += NUB_PAGE_SIZE)
		if (nub_linux_touch(linux, at, NUB_LINUX_READ) != NUB_LINUX_TOUCH_OK)
			break;
}

static int64_t serve_mmap(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_mapping mapping = { .gva = args[0], .prot = args[2] & PROT_ALL };
	int64_t result;

	(void)thread;
	if (!nub_page_aligned(args[5]) || args[1] == 0)
		return -EINVAL;
	if (!nub_page_up(args[1], &mapping.size) || mapping.size > NUB_LINUX_GVA_END)
		return -ENOMEM;
	result = read_flags(linux, args, &mapping);
	if (result == 0)
		result = nub_linux_map(linux, &mapping);
	nub_linux_backing_drop(mapping.backing);
	if (result > 0 && (args[3] & (MAP_POPULATE | MAP_LOCKED)))
		populate(linux, (uint64_t)result, mapping.size);
	return result;
}

static int64_t serve_munmap(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return nub_linux_unmap(linux, args[0], args[1]);
}

static int64_t serve_mprotect(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	uint64_t size;

	(void)thread;
	if (args[2] & ~(uint64_t)(PROT_ALL | PROTECT_SEM))
		return -EINVAL;
	if (!nub_page_aligned(args[0]))
		return -EINVAL;
	if (!nub_page_up(args[1], &size))
		return -ENOMEM;
	return nub_linux_protect(linux, args[0], size, args[2] & PROT_ALL);
}

static const struct nub_linux_call calls[] = {
	{ __NR_brk, "brk", serve_brk, { HEX }, true },
	{ __NR_mmap, "mmap", serve_mmap, { HEX, SIZE, PROT, HEX, FD, HEX }, true },
	{ __NR_munmap, "munmap", serve_munmap, { HEX, SIZE }, false },
	{ __NR_mprotect, "mprotect", serve_mprotect, { HEX, SIZE, PROT }, false },
	{ __NR_mremap, "mremap", nub_linux_serve_mremap, { HEX, SIZE, SIZE, HEX, HEX }, true },
	{ __NR_madvise, "madvise", nub_linux_serve_madvise, { HEX, SIZE, INT }, false },
	{ __NR_mincore, "mincore", nub_linux_serve_mincore, { HEX, SIZE, POINTER }, false },
	{ __NR_msync, "msync", nub_linux_serve_msync, { HEX, SIZE, HEX }, false },
	{ __NR_mlock, "mlock", nub_linux_serve_mlock, { HEX, SIZE }, false },
	{ __NR_mlock2, "mlock2", nub_linux_serve_mlock, { HEX, SIZE, HEX }, false },
	{ __NR_munlock, "munlock", nub_linux_serve_munlock, { HEX, SIZE }, false },
	{ __NR_mlockall, "mlockall", nub_linux_serve_mlockall, { HEX }, false },
	{ __NR_munlockall, "munlockall", nub_linux_serve_munlockall, { NONE }, false },
};

static int make(struct nub_linux *linux, struct nub_error *err)
{
	uint64_t base, size, from_file;
	uint8_t *host = linux->machine.ops->memory(linux->machine.context, &base, &size, &from_file);

	linux->memory = calloc(1, sizeof(*linux->memory));
	if (!linux->memory || !nub_linux_page_pool_init(&linux->memory->pool, host, base, size, from_file))
		return nub_fail(err, NUB_E_NO_MEMORY, ENOMEM, "the list of a Linux program's pages");
	linux->memory->top = NUB_LINUX_GVA_END;
	return 0;
}

static void release(struct nub_linux *linux)
{
	struct nub_linux_memory *memory = linux->memory;

	if (!memory)
		return;
	for (size_t i = 0; i < memory->area_count; i++)
		nub_linux_backing_drop(memory->areas[i].backing);
	free(memory->areas);
	nub_linux_page_map_release(&memory->pages);
	nub_linux_page_pool_release(&memory->pool);
	free(memory);
	linux->memory = NULL;
}

const struct nub_linux_family nub_linux_memory_family = {
	.name = "memory",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
	.make = make,
	.release = release,
	.save = nub_linux_memory_save,
	.load = nub_linux_memory_load,
};
