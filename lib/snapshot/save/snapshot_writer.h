/* The inside of writing a snapshot, shared by the files that choose its pages, fill its metadata and write it. */
#ifndef NUB_SNAPSHOT_WRITER_H
#define NUB_SNAPSHOT_WRITER_H

#include "sandbox/sandbox.h"
#include "snapshot/format/snapfile.h"
#include "snapshot/save/capture.h"

/* Bytes of the image that are stored: a run of pages that lie together in the guest's memory, too. */
struct nub_extent {
	uint64_t gpa, size;
	const uint8_t *bytes;
};

/* A u64 that the image has another value for than the sandbox: a root that a guest at CPL 0 keeps, an address in the PEB. */
struct nub_snapshot_patch {
	uint64_t gpa, value;
};

/* A copy of guest memory that lies in files: these may shrink while it is looked at. */
struct nub_snapshot_window {
	uint8_t *bytes; /* owned; NUB_SNAPSHOT_WINDOW_SIZE, NULL until it is needed */
	uint64_t gpa, size;
};
enum { NUB_SNAPSHOT_WINDOW_SIZE = 2 << 20 };
_Static_assert(NUB_SNAPSHOT_WINDOW_SIZE == NUB_LARGE_PAGE_SIZE, "the largest page fits");

struct nub_snapshot_writer {
	struct nub_sandbox *sandbox;
	const struct nub_snapshot_options *options;
	struct nub_capture capture;
	struct nub_snapshot_meta meta;
	struct nub_personality_state state;
	struct nub_extent *extents; /* owned; ascending */
	size_t extent_count, extent_capacity;
	uint8_t *patched; /* owned: copies of the pages that have patches */
	struct nub_snapshot_window window;
	struct nub_buffer metadata;
	uint64_t stored; /* bytes of pages */
};

/* Which pages are stored, as extents and, for a layer, runs; and the hash of all memory. The patches are what the image
 * has otherwise than the sandbox; writer->patched has a page for each. */
int nub_snapshot_take_memory(struct nub_snapshot_writer *writer, const struct nub_snapshot_patch *patches,
                             unsigned patch_count, struct nub_error *err);

/* All of the metadata but what nub_snapshot_take_memory finds, and the snapshot's own hash. */
int nub_snapshot_fill_meta(struct nub_snapshot_writer *writer, struct nub_error *err);

#endif
