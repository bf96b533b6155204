/* What a guest leaves: crash regions, cores, and looking into a guest at rest (R32, R33).
 *
 *     nub_sandbox_save_core(sandbox, &outcome, "crash.elf", "crash.core", &err); // while it stands still
 *     ...
 *     struct nub_dump *dump = nub_dump_open(fd, "crash.core", NULL, &err);
 *     nub_dump_read(dump, nub_dump_info(dump)->crash.regs.rsp, bytes, sizeof(bytes), &err);
 *     nub_dump_free(dump);
 *
 * A dump owns all that it gives out. Cores and snapshots are as hostile as their guests: what is read of them is checked.
 */
#ifndef NUB_NUB_DUMP_H
#define NUB_NUB_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"
#include "nub/image.h"
#include "nub/outcome.h"
#include "nub/region.h"
#include "nub/sandbox.h"

/* What a stopped guest can reach. `region.gpa` is where the memory is now: a copy's in scratch, with cow=guest. */
struct nub_crash_region {
	struct nub_region region;
	unsigned space; /* index of the first page-table root that has it: 0 is CR3's */
};

enum nub_core_reason {
	NUB_CORE_CRASH,
	NUB_CORE_TIMEOUT,
	NUB_CORE_REQUEST,  /* asked for while the guest ran, which went on */
	NUB_CORE_SNAPSHOT, /* made from a snapshot */
	NUB_CORE_INTERRUPTED,
};

/* "crash", "timeout", "request", "snapshot", "interrupted" */
const char *nub_core_reason_name(enum nub_core_reason reason);

/* Write the core of a stopped guest, an ELF file that gdb opens: registers, memory, and what happened. `outcome` as the
 * run gave it, NULL while the guest is running or could. `guest_path` is where gdb finds the guest's file; may be NULL. A
 * regular file at `path` is replaced whole or left as it was; pages of zeros become holes. Errors: IO, NO_MEMORY, KVM,
 * PAGE_LIMIT. */
int nub_sandbox_save_core(struct nub_sandbox *sandbox, const struct nub_outcome *outcome, const char *guest_path,
                          const char *path, struct nub_error *err);

/* A guest at rest, in a snapshot or in a core. */
struct nub_dump;

/* A thread of a Linux program. */
struct nub_dump_thread {
	uint32_t tid;
	bool current;     /* whose registers `crash` has */
	const char *name; /* "" when it is not known, as in a core */
	const char *call; /* the system call that it waits in; NULL: none, or that is not known */
	struct nub_registers regs;
};

struct nub_dump_info {
	bool is_core;
	enum nub_core_reason reason;
	bool has_crash;         /* crash is more than its registers */
	struct nub_crash crash; /* its registers are always there */
	const char *guest_path; /* "" when it is not known */
	const uint8_t *build_id;
	size_t build_id_size;
	uint64_t image_base, entry;
	uint64_t generation;
	bool has_base;                          /* a snapshot's: what it changed is told from what its base has */
	const struct nub_crash_region *regions; /* by space and gva */
	size_t region_count;
	const struct nub_dump_thread *threads; /* none of guests that are one thread by themselves */
	size_t thread_count;
};

/* Open a snapshot or a core; which, its first bytes tell. As nub_snapshot_open. Errors: CORE_*, SNAPSHOT_*, IO,
 * NO_MEMORY, GVA_UNMAPPED and PAGE_LIMIT for a snapshot's page tables. */
struct nub_dump *nub_dump_open(int fd, const char *name, const char *base_path, struct nub_error *err);
void nub_dump_free(struct nub_dump *dump); /* NULL is fine */

/* Everything in it is the dump's. */
const struct nub_dump_info *nub_dump_info(const struct nub_dump *dump);

/* Copy memory at gva, in the first address space (R33). Errors: PAGE_ARGUMENT, GVA_*, GPA_*, IO. */
int nub_dump_read(struct nub_dump *dump, uint64_t gva, void *bytes, size_t size, struct nub_error *err);

/* The files with the code of a Linux program, as an image for symbols and call stacks: those that are where the program had them, and
 * are what it has in its memory. Frees with nub_image_free. NULL: there are none, or no memory. */
struct nub_image *nub_dump_modules(struct nub_dump *dump);

/* The pages of the first address space that have contents: that are not all zeros, or, `changed`, that a snapshot stores
 * instead of its base's. By gva. Frees with free(). Errors: IO, NO_MEMORY, PAGE_LIMIT, CORE_TRUNCATED,
 * SNAPSHOT_TRUNCATED. */
struct nub_page_use *nub_dump_pages(struct nub_dump *dump, size_t *count, struct nub_error *err);

/* Turn a snapshot into a core. As nub_sandbox_save_core, with the snapshot's own guest_path where that is NULL; also STATE,
 * when it is a core already. */
int nub_dump_save_core(struct nub_dump *dump, const char *guest_path, const char *path, struct nub_error *err);

#endif
