/* Snapshots: a guest frozen to a file, and thawed from it as often as one likes.
 *
 *     nub_snapshot_save(sandbox, &(struct nub_snapshot_options){ 0 }, "calc.snap", &err);
 *     ...
 *     struct nub_snapshot *snapshot = nub_snapshot_open(fd, "calc.snap", NULL, &err);
 *     struct nub_sandbox *sandbox = nub_sandbox_restore(&config, snapshot, &err);
 *     ...
 *     nub_sandbox_reset(sandbox, snapshot, &err);
 *     nub_sandbox_free(sandbox);
 *     nub_snapshot_free(snapshot);
 *
 * A snapshot is taken of a sandbox that is fresh, ready for calls, or stopped at a checkpoint. Writing one leaves the
 * sandbox as it is. An opened snapshot makes any number of sandboxes, in one process or many; each sees the snapshot's
 * memory through a private mapping of the file and reads what it touches only.
 */
#ifndef NUB_NUB_SNAPSHOT_H
#define NUB_NUB_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/config.h"
#include "nub/error.h"
#include "nub/image.h"
#include "nub/outcome.h"
#include "nub/region.h"
#include "nub/sandbox.h"
#include "nub/working_set.h"

struct nub_snapshot;

/* What every snapshot file begins with. */
#define NUB_SNAPSHOT_MAGIC "nubsnap\n"

struct nub_snapshot_options {
	const char *guest_path;            /* kept for symbols and messages, best an absolute one; may be NULL */
	const char *const *host_functions; /* names that the guest was offered */
	size_t host_function_count;
	const struct nub_working_set
	    *working_set;                /* of nub_snapshot_flatten: instead of that which the snapshot has; or NULL */
	const struct nub_snapshot *base; /* store only pages that differ from it; NULL: all */
	bool (*progress)(void *context, uint64_t done, uint64_t total); /* bytes; false: give up; may be NULL */
	void *context;
	struct nub_snapshot_written *written; /* filled with what was written; may be NULL */
};

struct nub_snapshot_written {
	uint8_t hash[16];
	uint64_t generation;
	const char *next;                  /* as nub_snapshot_info's */
	uint64_t mapped_size, stored_size; /* bytes: of the image; written to the file */
	unsigned depth;
};

/* Write a snapshot to fd, from its current position: a file (zero pages become holes) or a pipe (they are written). The
 * file is complete when this returns 0, but not synced. Errors: STATE, IO, NO_MEMORY, GPA_UNRESOLVABLE, PAGE_*,
 * MEMORY_TOO_BIG, MEMORY_TOO_SMALL, KVM, SNAPSHOT_LAYERS. */
int nub_snapshot_write(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, int fd,
                       struct nub_error *err);

/* The same into a file of this name, which is there whole and synced when this returns 0, and as it was otherwise. */
int nub_snapshot_save(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, const char *path,
                      struct nub_error *err);

/* Open a snapshot in a file or, read to its end, from a pipe. `fd` is the caller's; `name` is copied, for messages. A
 * snapshot that needs a base finds it by `base_path`, or beside itself in the folder of `name` when that is NULL. Errors:
 * SNAPSHOT_*, IO, NO_MEMORY. */
struct nub_snapshot *nub_snapshot_open(int fd, const char *name, const char *base_path, struct nub_error *err);
void nub_snapshot_free(struct nub_snapshot *snapshot); /* after the sandboxes that were made from it; NULL is fine */

struct nub_snapshot_info {
	const struct nub_image_info *guest;
	const char *guest_path;
	uint32_t format_version;
	uint64_t generation;
	uint8_t hash[16];
	const char *next; /* "initialise", "call" or "resume" */
	enum nub_cow cow;
	const struct nub_region *regions; /* by gva */
	size_t region_count;
	uint64_t mapped_size; /* of the image: what a restored guest maps */
	uint64_t stored_size; /* bytes that the file takes on disk, holes not counted */
	uint64_t page_table_size, scratch_size;
	unsigned root_count;
	const char *const *host_functions;
	size_t host_function_count;
	uint64_t working_pages, written_pages; /* of its working set: all of them, and those that are written */
	unsigned depth;                        /* layers below this file */
	const char *base_name;
	uint8_t base_hash[16];
	const struct nub_program_item *items; /* of a Linux program, by kind */
	size_t item_count;
};

/* Everything in it is the snapshot's. */
const struct nub_snapshot_info *nub_snapshot_info(const struct nub_snapshot *snapshot);

/* What the memory of a guest that is restored from it looks like, as nub_plan_regions tells it: with page tables and
 * scratch, which info->regions have not. Frees with free(). Error: NO_MEMORY. */
struct nub_region *nub_snapshot_regions(const struct nub_snapshot *snapshot, size_t *count, struct nub_error *err);

/* Names of what a CPU must have to restore it, in names[0..returned); static strings, at most `capacity`. */
#define NUB_SNAPSHOT_MAX_FEATURES 96
size_t nub_snapshot_cpu_features(const struct nub_snapshot *snapshot, const char **names, size_t capacity);

/* Read all memory and compare it with its hash. Errors: SNAPSHOT_CORRUPT, IO. */
int nub_snapshot_verify(const struct nub_snapshot *snapshot, struct nub_error *err);

/* The same, and tell from time to time how far it is, in bytes. */
int nub_snapshot_verify_tell(const struct nub_snapshot *snapshot,
                             void (*tell)(void *context, uint64_t done, uint64_t total), void *context,
                             struct nub_error *err);

/* Write the same snapshot as one file without a base: equal memory, registers, generation and hash. Of the options,
 * progress, written and working_set are used. As nub_snapshot_write and nub_snapshot_save; also SNAPSHOT_CORRUPT, when a layer's
 * memory is damaged. */
int nub_snapshot_flatten_write(const struct nub_snapshot *snapshot, const struct nub_snapshot_options *options, int fd,
                               struct nub_error *err);
int nub_snapshot_flatten(const struct nub_snapshot *snapshot, const struct nub_snapshot_options *options,
                         const char *path, struct nub_error *err);

/* Bytes of each region that are stored, in this file or in its bases; stored[0..region_count) is filled, in the order
 * of info->regions. Errors: IO, NO_MEMORY, PAGE_LIMIT, SNAPSHOT_TRUNCATED. */
int nub_snapshot_stored(const struct nub_snapshot *snapshot, uint64_t *stored, struct nub_error *err);

/* A page that is not the same in two snapshots. */
struct nub_snapshot_difference {
	unsigned space; /* index of the root under which it is mapped */
	uint64_t gva;
	const uint8_t *first, *second; /* its 4096 bytes; NULL where it is not mapped */
};

typedef int (*nub_snapshot_difference_visitor)(void *context, const struct nub_snapshot_difference *difference,
                                               struct nub_error *err);

/* Report all of them, by address space and gva. Pages are compared by gva, wherever they are stored; scratch, which no
 * snapshot has, is left out. The visitor stops it with a negative value. Errors: as nub_snapshot_stored's. */
int nub_snapshot_diff(const struct nub_snapshot *first, const struct nub_snapshot *second,
                      nub_snapshot_difference_visitor visit, void *context, struct nub_error *err);

/* A sandbox that goes on where the snapshot was taken. Of `config`, sizes, files, init data, cow and the permissions are
 * ignored: they are the snapshot's. The snapshot must outlive the sandbox. Errors: SNAPSHOT_CPU, KVM*, NO_MEMORY, IO. */
struct nub_sandbox *nub_sandbox_restore(const struct nub_config *config, const struct nub_snapshot *snapshot,
                                        struct nub_error *err);

/* Put a sandbox back in place: to this snapshot, whether it came from it or not, whatever state it is in. */
int nub_sandbox_reset(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err);

/* Go on after a checkpoint. Outcomes as of the run that was stopped. */
int nub_sandbox_resume(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err);

#endif
