/* The memory of a Linux program: what is where (areas), and the pages behind it.
 *
 * Two limits: the machine's memory bounds what is resident, while address space is free: an area costs nothing until it is
 * touched. (Only a private writable mapping that is larger than all memory is refused, as Linux's default does.) Pages come when they are first touched, several at a time and as 2 MiB where that fits, from a list of free pages of
 * the machine's memory. There is one process, so what is shared and anonymous is as private. Pages of files are
 * read through a backing, and are the guest's own copies then, of which all shared mappings of a file have one together; they
 * are read-only, unless the backing can take writes back.
 *
 * Lower half only, as in Linux: [0x10000, 0x7fff_ffff_f000), but for what engines keep (machine.h): there all is as it is
 * beyond the end.
 */
#ifndef NUB_LINUX_MM_H
#define NUB_LINUX_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "personality/linux/linux.h"

/* What can be mapped of an open file. Counted: `references` is 1 at first, nub_linux_backing_drop frees by the ops. */
struct nub_linux_backing_ops {
	/* Bytes [offset, offset + size) of the file as they are now: how many there are before its end (then less than size), or
	 * -errno. Touching a page that has none is a SIGBUS. */
	int64_t (*read)(struct nub_linux_backing *backing, uint64_t offset, void *bytes, size_t size);
	/* Take back what was written into a shared mapping (msync, munmap, the end). NULL: PROT_WRITE and MAP_SHARED is EACCES. */
	int64_t (*write)(struct nub_linux_backing *backing, uint64_t offset, const void *bytes, size_t size);
	/* What identifies it in a snapshot; the files' family finds it again by nub_linux_backing_load. */
	void (*save)(struct nub_linux_backing *backing, struct nub_writer *writer);
	void (*release)(struct nub_linux_backing *backing);
};

struct nub_linux_backing {
	const struct nub_linux_backing_ops *ops;
	unsigned references;
	char *path; /* for /proc/self/maps; owned by who made it */
	uint64_t device, inode;
};

static inline void nub_linux_backing_drop(struct nub_linux_backing *backing)
{
	if (backing && --backing->references == 0)
		backing->ops->release(backing);
}

/* One area: page-aligned, areas don't overlap, neighbours that are alike are one. */
struct nub_linux_area {
	uint64_t start, end;
	unsigned prot;                     /* PROT_* */
	bool shared;                       /* MAP_SHARED */
	bool wipe;                         /* MADV_WIPEONFORK: zero after a thaw */
	bool huge_no;                      /* MADV_NOHUGEPAGE */
	struct nub_linux_backing *backing; /* NULL: anonymous */
	uint64_t offset;                   /* of `start` in the backing */
	const char *name;                  /* "[heap]", "[stack]", "[vdso]", or NULL; static */
};

/* ---- mm.c ---- */

/* Areas in the order of their addresses. */
const struct nub_linux_area *nub_linux_areas(const struct nub_linux *linux, size_t *count);
/* The area that gva lies in; NULL when there is none. */
const struct nub_linux_area *nub_linux_area_at(const struct nub_linux *linux, uint64_t gva);

/* Map [gva, gva + size), replacing what is there; gva 0: anywhere. `backing` NULL: anonymous; a reference is taken. The address,
 * or -errno (EINVAL, ENOMEM, EACCES for W+X). */
struct nub_linux_mapping {
	uint64_t gva, size;
	unsigned prot;
	bool shared, fixed, no_replace, no_reserve;
	bool below_2g; /* MAP_32BIT */
	struct nub_linux_backing *backing;
	uint64_t offset;
	const char *name;
};
int64_t nub_linux_map(struct nub_linux *linux, const struct nub_linux_mapping *mapping);
int64_t nub_linux_unmap(struct nub_linux *linux, uint64_t gva, uint64_t size);
int64_t nub_linux_protect(struct nub_linux *linux, uint64_t gva, uint64_t size, unsigned prot);

/* Figures for /proc and sysinfo, in bytes. */
struct nub_linux_memory_use {
	uint64_t limit, resident, mapped;
	uint64_t brk_start, brk;
	uint64_t stack_top;
};
struct nub_linux_memory_use nub_linux_memory_use(const struct nub_linux *linux);

/* ---- pages: how a touch is served ---- */

enum nub_linux_touch {
	NUB_LINUX_TOUCH_OK,
	NUB_LINUX_TOUCH_NO_AREA,   /* SIGSEGV, SEGV_MAPERR */
	NUB_LINUX_TOUCH_FORBIDDEN, /* SIGSEGV, SEGV_ACCERR */
	NUB_LINUX_TOUCH_NO_FILE,   /* SIGBUS, BUS_ADRERR: after the end of the mapped file */
	NUB_LINUX_TOUCH_NO_MEMORY, /* --memory is used up */
	NUB_LINUX_TOUCH_FAILED,    /* the host: the run has ended */
};

/* End the run since --memory has no page left for gva. */
void nub_linux_out_of_memory(struct nub_linux *linux, uint64_t gva);

/* Have the page at gva there for an access with these rights (NUB_LINUX_READ, WRITE, EXECUTE). */
enum nub_linux_touch nub_linux_touch(struct nub_linux *linux, uint64_t gva, unsigned rights);

/* ---- mm_debug.c: memory as a debugger reaches it, whatever the rights ---- */

/* Copy from gva as far as there is memory, up to `size`: how much. What was not touched is read as it would come, and does not
 * come. */
size_t nub_linux_peek(struct nub_linux *linux, uint64_t gva, void *bytes, size_t size);

/* The gpa behind gva; with `bring`, a page that was not touched comes. False: there is none. */
bool nub_linux_reach(struct nub_linux *linux, uint64_t gva, bool bring, uint64_t *gpa);

#endif
