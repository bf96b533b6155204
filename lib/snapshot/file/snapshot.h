/* An opened snapshot: its metadata, and its memory as a mapping of one file or of several layers. */
#ifndef NUB_SNAPSHOT_H
#define NUB_SNAPSHOT_H

#include <stdint.h>
#include <sys/stat.h>

#include "nub/error.h"
#include "nub/image.h"
#include "nub/snapshot.h"
#include "snapshot/format/snapfile.h"

struct nub_snapshot {
	char *name;
	struct nub_snapshot_meta meta;
	struct nub_image_info guest; /* what sandboxes and the command see of meta */
	struct nub_snapshot_info info;
	int fd;                    /* a copy of the caller's, or a memfd with what came through a pipe */
	struct stat status;        /* of fd when it was opened */
	struct nub_snapshot *base; /* owned; NULL without layers */
};

/* All of [offset, offset + size) of its own file; one that ends before is shorter than its header says. */
int nub_snapshot_read_file(const struct nub_snapshot *snapshot, uint64_t offset, void *bytes, uint64_t size,
                           struct nub_error *err);

/* Report which file, of the snapshot or of one below it, has which part of [gpa, gpa + size) of the image: layer by layer, the
 * base first, so that a later part takes the place of an earlier one. A negative value ends it, and is returned. */
typedef int (*nub_snapshot_part_visitor)(void *context, const struct nub_snapshot *file, uint64_t gpa, uint64_t size,
                                         struct nub_error *err);
int nub_snapshot_parts(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size,
                       nub_snapshot_part_visitor visit, void *context, struct nub_error *err);

/* Map [gpa, gpa + size) of the image at `at`, private, over zeroed memory that is reserved there: layer by layer, the
 * base first. What lies beyond a base's image, and is in no layer, stays zero. */
int nub_snapshot_map(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size, uint8_t *at, int protection,
                     struct nub_error *err);

/* Copy [gpa, gpa + size) of the image, with errors instead of signals when the file is shorter than it was. */
int nub_snapshot_read(const struct nub_snapshot *snapshot, uint64_t gpa, void *bytes, uint64_t size,
                      struct nub_error *err);

/* The next run of bytes of one file, from *gpa on and before `end`, that are no hole: where it begins, and its size. All are where
 * the file system does not say. False: there is none. */
bool nub_snapshot_next_data(const struct nub_snapshot *file, uint64_t *gpa, uint64_t end, uint64_t *size);

/* Where the file's pages are not in memory: have those of its working set read, all at once, while something else is done. */
void nub_snapshot_read_ahead(const struct nub_snapshot *snapshot);

/* Bytes of [gpa, gpa + size) of the image that are no holes, in the file or layer that they come from. */
uint64_t nub_snapshot_stored_bytes(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size);

/* Is the page at this gpa one that it stores instead of its base's? */
bool nub_snapshot_has_own(const struct nub_snapshot *snapshot, uint64_t gpa);

/* Is the file, or a layer below it, shorter now than when it was opened? */
bool nub_snapshot_is_short(const struct nub_snapshot *snapshot);

/* Is the file, and every layer below it, still as it was when it was opened? Error: IO, naming the file. */
int nub_snapshot_unchanged(const struct nub_snapshot *snapshot, struct nub_error *err);

#endif
