/* Writing the bytes of a snapshot to a file with holes, or to a pipe. */
#include "snapshot/file/snapshot_output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/util.h"

/* Parts, so that progress can be told. */
#define PART (UINT64_C(8) << 20)

int nub_snapshot_output_begin(struct nub_snapshot_output *output, int fd, const struct nub_snapshot_options *options,
                              uint64_t stored, uint64_t whole, struct nub_error *err)
{
	struct stat status;
	const int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &status) < 0)
		return nub_fail_errno(err, NUB_E_IO, "snapshot");
	*output = (struct nub_snapshot_output){ .fd = fd, .options = options };
	output->start = lseek(fd, 0, SEEK_CUR);
	/* A hole is one only where the file has nothing yet, and O_APPEND knows no offsets. */
	output->seekable =
	    S_ISREG(status.st_mode) && output->start >= 0 && output->start >= status.st_size && (flags & O_APPEND) == 0;
	output->total = output->seekable ? stored : whole;
	return 0;
}

static int tell_progress(struct nub_snapshot_output *output, uint64_t size, struct nub_error *err)
{
	const struct nub_snapshot_options *options = output->options;

	output->done += size;
	if (!options->progress || options->progress(options->context, output->done, output->total))
		return 0;
	return nub_fail(err, NUB_E_IO, EINTR, "snapshot: was interrupted after %" PRIu64 " of %" PRIu64 " bytes",
	                output->done, output->total);
}

static int write_bytes(struct nub_snapshot_output *output, const uint8_t *bytes, uint64_t size, struct nub_error *err)
{
	while (size > 0) {
		const size_t part = size < PART ? size : PART;
		const ssize_t put = output->seekable
		                        ? pwrite(output->fd, bytes, part, output->start + (off_t)output->position)
		                        : write(output->fd, bytes, part);
		if (put < 0 && errno == EINTR) {
			if (tell_progress(output, 0, err) < 0)
				return -1;
			continue;
		}
		if (put < 0)
			return nub_fail_errno(err, NUB_E_IO, "snapshot: writing %" PRIu64 " bytes", size);
		/* Advice: the disk begins while the rest is copied, and the caller's fsync waits for less. */
		if (output->seekable && (uint64_t)put == PART)
			sync_file_range(output->fd, output->start + (off_t)output->position, put,
			                SYNC_FILE_RANGE_WRITE);
		bytes += put;
		size -= (uint64_t)put;
		output->position += (uint64_t)put;
		if (tell_progress(output, (uint64_t)put, err) < 0)
			return -1;
	}
	return 0;
}

/* In a pipe, holes are zeros. */
static int advance(struct nub_snapshot_output *output, uint64_t offset, struct nub_error *err)
{
	static const uint8_t zeros[16 * NUB_PAGE_SIZE];

	if (output->seekable)
		output->position = offset;
	while (output->position < offset) {
		const uint64_t left = offset - output->position;
		const uint64_t size = left < sizeof(zeros) ? left : sizeof(zeros);
		if (write_bytes(output, zeros, size, err) < 0)
			return -1;
	}
	return 0;
}

int nub_snapshot_output_put(struct nub_snapshot_output *output, uint64_t offset, const void *bytes, uint64_t size,
                            struct nub_error *err)
{
	return advance(output, offset, err) < 0 ? -1 : write_bytes(output, bytes, size, err);
}

int nub_snapshot_output_header(struct nub_snapshot_output *output, const struct nub_buffer *metadata,
                               uint64_t metadata_offset, struct nub_error *err)
{
	uint8_t header[NUB_SNAPSHOT_HEADER_SIZE];

	nub_snapshot_encode_header(metadata->bytes, metadata->size, metadata_offset, metadata_offset + metadata->size,
	                           header);
	return nub_snapshot_output_put(output, 0, header, sizeof(header), err);
}

int nub_snapshot_output_end(struct nub_snapshot_output *output, const struct nub_buffer *metadata,
                            uint64_t metadata_offset, struct nub_error *err)
{
	if (nub_snapshot_output_put(output, metadata_offset, metadata->bytes, metadata->size, err) < 0)
		return -1;
	if (output->seekable && lseek(output->fd, output->start + (off_t)output->position, SEEK_SET) < 0)
		return nub_fail_errno(err, NUB_E_IO, "snapshot");
	return 0;
}

const char *nub_next_action_name(enum nub_next_action next)
{
	static const char *const names[] = { "initialise", "call", "resume" };

	return names[next];
}

void nub_snapshot_output_describe(const struct nub_snapshot_output *output, const struct nub_snapshot_meta *meta)
{
	struct nub_snapshot_written *written = output->options->written;

	if (!written)
		return;
	*written = (struct nub_snapshot_written){
		.generation = meta->generation,
		.next = nub_next_action_name(meta->next),
		.mapped_size = meta->image_end_gpa - NUB_BASE_ADDRESS,
		.stored_size = output->done,
		.depth = meta->depth,
	};
	memcpy(written->hash, meta->hash.bytes, sizeof(written->hash));
}
