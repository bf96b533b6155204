/* Where the bytes of a snapshot go: to a file, in which pages that are left out become holes, or to a pipe, to which they
 * are written as zeros. Bytes are put in ascending order of their offsets.
 */
#ifndef NUB_SNAPSHOT_OUTPUT_H
#define NUB_SNAPSHOT_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "nub/error.h"
#include "nub/snapshot.h"
#include "snapshot/format/snapfile.h"

struct nub_snapshot_output {
	int fd;
	const struct nub_snapshot_options *options;
	bool seekable;
	off_t start;          /* position of fd when writing began */
	uint64_t position;    /* bytes of the snapshot so far */
	uint64_t done, total; /* bytes written and to be written, for progress */
};

/* Write to fd from its current position on. For progress: how many bytes will be put, and how many it is with the holes, which
 * is what a pipe gets. Error: IO. */
int nub_snapshot_output_begin(struct nub_snapshot_output *output, int fd, const struct nub_snapshot_options *options,
                              uint64_t stored, uint64_t whole, struct nub_error *err);

/* Errors: IO; also when options->progress asks to give up. */
int nub_snapshot_output_put(struct nub_snapshot_output *output, uint64_t offset, const void *bytes, uint64_t size,
                            struct nub_error *err);

/* The header that seals this metadata, which will be put at metadata_offset. */
int nub_snapshot_output_header(struct nub_snapshot_output *output, const struct nub_buffer *metadata,
                               uint64_t metadata_offset, struct nub_error *err);

/* The metadata, and with it the end: fd's position is behind it. */
int nub_snapshot_output_end(struct nub_snapshot_output *output, const struct nub_buffer *metadata,
                            uint64_t metadata_offset, struct nub_error *err);

/* Fill options->written, if it is asked for, after the end. */
void nub_snapshot_output_describe(const struct nub_snapshot_output *output, const struct nub_snapshot_meta *meta);

/* How the next action is called: "initialise", "call" or "resume". */
const char *nub_next_action_name(enum nub_next_action next);

#endif
