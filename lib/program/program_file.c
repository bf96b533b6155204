/* A saved program: a file of one page of header, the program's state, and the image of its memory, which is mapped.
 *
 *     offset 0        magic, version, where the parts are, the machine's and the program's sizes, CPUID, seal; little-endian
 *     4096            the state (personality/linux/state.h)
 *     page-aligned    the image; pages of zeros are holes
 *
 * The seal is the XXH3-128 of the header up to it and of the state: against damage, not against forgery. What is read is hostile.
 * nub-linux(7) has the fields.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/replace_file.h"
#include "base/util.h"
#include "personality/linux/state.h"
#include "program/program_parts.h"

enum { HEADER_SIZE = 4096, VERSION = 1, SEAL_SIZE = 16 };
static const char magic[8] = "NUBLINUX";

/* Far more than any program's. */
#define MOST_STATE (UINT64_C(1) << 30)

struct header {
	uint64_t state_size, image_offset, image_size, memory_size;
	struct nub_cpuid cpuid;
};

/* ---- Writing ---- */

static void write_header(const struct header *header, struct nub_writer *writer)
{
	nub_writer_bytes(writer, magic, sizeof(magic));
	nub_writer_uint(writer, 4, VERSION);
	nub_writer_uint(writer, 4, header->cpuid.count);
	nub_writer_uint(writer, 8, header->state_size);
	nub_writer_uint(writer, 8, header->image_offset);
	nub_writer_uint(writer, 8, header->image_size);
	nub_writer_uint(writer, 8, header->memory_size);
	for (uint32_t i = 0; i < header->cpuid.count; i++) {
		const struct nub_cpuid_leaf *leaf = &header->cpuid.entries[i];
		const uint32_t words[] = { leaf->function, leaf->index, leaf->flags, leaf->eax,
			                   leaf->ebx,      leaf->ecx,   leaf->edx };
		for (size_t j = 0; j < sizeof(words) / sizeof(*words); j++)
			nub_writer_uint(writer, 4, words[j]);
	}
}

/* Of the header as far as it is written, and the state. */
static void make_seal(const uint8_t *header, size_t header_size, const uint8_t *state, size_t state_size,
                      uint8_t seal[SEAL_SIZE])
{
	const XXH128_hash_t first = XXH3_128bits(header, header_size);
	XXH128_canonical_t bytes;

	XXH128_canonicalFromHash(&bytes, XXH3_128bits_withSeed(state, state_size, first.low64 ^ first.high64));
	memcpy(seal, bytes.digest, SEAL_SIZE);
}

static int write_at(int fd, const void *bytes, size_t size, uint64_t offset, struct nub_error *err)
{
	for (size_t done = 0; done < size;) {
		const ssize_t put = pwrite(fd, (const uint8_t *)bytes + done, size - done, (off_t)(offset + done));
		if (put < 0 && errno != EINTR)
			return nub_fail_errno(err, NUB_E_IO, "writing a program");
		done += put > 0 ? (size_t)put : 0;
	}
	return 0;
}

struct image_writer {
	int fd;
	uint64_t offset;
};

static bool is_zero(const uint8_t *bytes, size_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static int write_page(void *context, uint64_t offset, const uint8_t *bytes, uint64_t size, struct nub_error *err)
{
	const struct image_writer *image = context;

	return is_zero(bytes, size) ? 0 : write_at(image->fd, bytes, size, image->offset + offset, err);
}

static int write_parts(struct nub_program *program, int fd, const struct nub_buffer *state, struct nub_error *err)
{
	struct header header = { .state_size = state->size, .memory_size = program->plan.layout.heap_size };
	struct nub_buffer bytes = { 0 };
	struct nub_writer writer = { .buffer = &bytes, .err = err };
	uint8_t seal[SEAL_SIZE];

	header.cpuid = program->cpuid;
	header.image_size = nub_linux_image_size(program->linux);
	nub_page_up(HEADER_SIZE + state->size, &header.image_offset);
	write_header(&header, &writer);
	int result = writer.failed ? -1 : 0;
	if (result == 0)
		make_seal(bytes.bytes, bytes.size, state->bytes, state->size, seal);
	const struct image_writer image = { .fd = fd, .offset = header.image_offset };
	if (result == 0 && (write_at(fd, bytes.bytes, bytes.size, 0, err) < 0 ||
	                    write_at(fd, seal, sizeof(seal), bytes.size, err) < 0 ||
	                    write_at(fd, state->bytes, state->size, HEADER_SIZE, err) < 0 ||
	                    nub_linux_image_each(program->linux, write_page, (void *)(uintptr_t)&image, err) < 0))
		result = -1;
	if (result == 0 && ftruncate(fd, (off_t)(header.image_offset + header.image_size)) < 0)
		result = nub_fail_errno(err, NUB_E_IO, "writing a program");
	nub_buffer_release(&bytes);
	return result;
}

int nub_program_save(struct nub_program *program, const char *path, struct nub_error *err)
{
	struct nub_replacement file;
	struct nub_buffer state = { 0 };
	struct nub_writer writer = { .buffer = &state, .err = err };
	int result = -1;

	if (!program->stopped)
		return nub_fail(err, NUB_E_STATE, 0, "%s: is not stopped, only a program that is can be saved",
		                program->config.path);
	nub_linux_save(program->linux, &writer);
	if (program->linux->end.kind == NUB_LINUX_FAILED) {
		if (err)
			*err = program->linux->error;
	} else if (nub_linux_ended(program->linux)) {
		nub_fail(err, NUB_E_MEMORY_TOO_SMALL, 0, "%s: %.400s", program->config.path,
		         program->linux->end.message);
	} else if (!writer.failed && nub_replace_begin(&file, path, err) == 0) {
		result = write_parts(program, file.fd, &state, err);
		/* Pages of a file that changed meanwhile are not the program's. */
		if (result == 0)
			result = nub_program_unchanged(program, err);
		if (result == 0)
			result = nub_replace_commit(&file, err);
		else
			nub_replace_abandon(&file);
	}
	nub_buffer_release(&state);
	if (result < 0)
		nub_program_unchanged(program, err); /* rather than what came of it */
	return result;
}

/* ---- Reading ---- */

bool nub_program_is_saved(int fd)
{
	char start[sizeof(magic)];

	return pread(fd, start, sizeof(start), 0) == (ssize_t)sizeof(start) && memcmp(start, magic, sizeof(magic)) == 0;
}

static int read_at(int fd, void *bytes, size_t size, uint64_t offset, const char *name, struct nub_error *err)
{
	for (size_t done = 0; done < size;) {
		const ssize_t got = pread(fd, (uint8_t *)bytes + done, size - done, (off_t)(offset + done));
		if (got < 0 && errno != EINTR)
			return nub_fail_errno(err, NUB_E_IO, "%s", name);
		if (got == 0)
			return nub_fail(err, NUB_E_SNAPSHOT_TRUNCATED, 0,
			                "%s: ends at %" PRIu64 " bytes, %zu more are needed", name, offset + done,
			                size - done);
		done += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

static int read_header(struct header *header, struct nub_cursor *cursor)
{
	const uint8_t *start = nub_cursor_take(cursor, "the magic", sizeof(magic));
	const uint32_t version = nub_cursor_u32(cursor, "the version");
	const uint32_t leaves = nub_cursor_u32(cursor, "the number of CPUID leaves");

	if (!start || memcmp(start, magic, sizeof(magic)) != 0)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_MAGIC, "%s is no saved program", cursor->whole);
	if (version != VERSION)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_VERSION,
		                       "%s is of version %u, this libnub reads version %d", cursor->whole, version,
		                       VERSION);
	if (leaves > NUB_CPUID_ENTRIES)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "%u CPUID leaves, there can be %d", leaves,
		                       NUB_CPUID_ENTRIES);
	header->state_size = nub_cursor_u64(cursor, "the size of the state");
	header->image_offset = nub_cursor_u64(cursor, "the place of the image");
	header->image_size = nub_cursor_u64(cursor, "the size of the image");
	header->memory_size = nub_cursor_u64(cursor, "the size of the memory");
	header->cpuid.count = leaves;
	for (uint32_t i = 0; i < leaves; i++) {
		struct nub_cpuid_leaf *leaf = &header->cpuid.entries[i];
		uint32_t *const words[] = { &leaf->function, &leaf->index, &leaf->flags, &leaf->eax,
			                    &leaf->ebx,      &leaf->ecx,   &leaf->edx };
		for (size_t j = 0; j < sizeof(words) / sizeof(*words); j++)
			*words[j] = nub_cursor_u32(cursor, "a CPUID leaf");
	}
	return cursor->failed ? -1 : 0;
}

static int check_header(const struct header *header, uint64_t file_size, const char *name, struct nub_error *err)
{
	if (header->state_size > MOST_STATE || header->image_offset < HEADER_SIZE + header->state_size ||
	    !nub_page_aligned(header->image_offset | header->image_size) ||
	    !nub_range_in(header->image_offset, header->image_size, file_size) ||
	    header->image_size > header->memory_size)
		return nub_fail(err, NUB_E_SNAPSHOT_TRUNCATED, 0,
		                "%s: has %" PRIu64 " bytes, with a state of %" PRIu64 " and an image of %" PRIu64
		                " at %" PRIu64 " for %" PRIu64 " of memory: that can't be",
		                name, file_size, header->state_size, header->image_size, header->image_offset,
		                header->memory_size);
	return 0;
}

/* Header and state, sealed and in bounds; *state is the caller's to free. */
static int read_parts(int fd, const char *name, uint64_t file_size, struct header *header, uint8_t **state,
                      struct nub_error *err)
{
	uint8_t page[HEADER_SIZE], seal[SEAL_SIZE];
	struct nub_cursor cursor = {
		.bytes = page, .size = sizeof(page), .whole = name, .kind = NUB_E_SNAPSHOT_TRUNCATED, .err = err
	};

	memset(header, 0, sizeof(*header));
	if (read_at(fd, page, sizeof(page), 0, name, err) < 0 || read_header(header, &cursor) < 0 ||
	    check_header(header, file_size, name, err) < 0)
		return -1;
	const size_t header_size = cursor.offset;
	const uint8_t *sealed = nub_cursor_take(&cursor, "the seal", SEAL_SIZE);
	*state = malloc(header->state_size + 1);
	if (!*state)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: a state of %" PRIu64 " bytes", name,
		                      header->state_size);
	if (!sealed || read_at(fd, *state, header->state_size, HEADER_SIZE, name, err) < 0)
		return -1;
	make_seal(page, header_size, *state, header->state_size, seal);
	if (memcmp(seal, sealed, SEAL_SIZE) != 0)
		return nub_fail(err, NUB_E_SNAPSHOT_CORRUPT, 0, "%s: is damaged: its seal is another one", name);
	return 0;
}

/* The image over the start of the program's memory, private to it. */
static int map_image(struct nub_program *program, const struct header *header, int fd, const char *name,
                     struct nub_error *err)
{
	const struct nub_layout *layout = &program->plan.layout;

	if (header->image_size > layout->heap_size)
		return nub_fail(err, NUB_E_MEMORY_TOO_SMALL, 0,
		                "%s: has %" PRIu64 " bytes of memory, %" PRIu64 " were given", name, header->image_size,
		                layout->heap_size);
	if (header->image_size == 0)
		return 0;
	const struct nub_memory_piece piece = { .gpa = layout->heap_gpa,
		                                .size = header->image_size,
		                                .fd = fd,
		                                .offset = header->image_offset,
		                                .stores = true };
	if (program->memory.shared.on && nub_memory_show_file(&program->memory, &piece, err) < 0)
		return -1;
	if (!program->memory.shared.on &&
	    mmap(nub_memory_at(&program->memory, layout->heap_gpa, header->image_size), header->image_size,
	         PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd,
	         (off_t)header->image_offset) == MAP_FAILED)
		return nub_fail_errno(err, NUB_E_IO, "%s", name);
	program->memory.snapshot.from_file = true;
	program->image_end = layout->heap_gpa + header->image_size;
	return 0;
}

int nub_program_unchanged(const struct nub_program *program, struct nub_error *err)
{
	const struct stat *then = &program->file_status;
	struct stat now;

	if (program->file_fd < 0)
		return 0;
	if (fstat(program->file_fd, &now) < 0)
		return nub_fail_errno(err, NUB_E_IO, "%s", program->file_name);
	if (now.st_size == then->st_size && now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == then->st_mtim.tv_nsec)
		return 0;
	nub_fail(err, NUB_E_IO, 0,
	         "%s: was written to while a program ran from it (%lld bytes, %lld when it was opened)",
	         program->file_name, (long long)now.st_size, (long long)then->st_size);
	return nub_hint(err, "replace saved programs by renaming a new file over them");
}

/* Remember the file, which `status` is of, and have the program's memory and state from it. */
static int load_parts(struct nub_program *program, const struct header *header, int fd, const struct stat *status,
                      struct nub_cursor *state)
{
	program->file_name = state->whole;
	program->file_status = *status;
	program->file_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (program->file_fd < 0)
		return nub_fail_errno(state->err, NUB_E_IO, "%s", program->file_name);
	if (map_image(program, header, fd, program->file_name, state->err) == 0 &&
	    nub_linux_restore(program->linux, state) == 0)
		return 0;
	/* Rather than what came of it. */
	nub_program_unchanged(program, state->err);
	return -1;
}

struct nub_program *nub_program_restore(const struct nub_program_config *config, int fd, const char *name,
                                        struct nub_error *err)
{
	struct nub_program_config own = *config;
	NUB_AUTO_FREE uint8_t *state = NULL;
	struct nub_program *program = NULL;
	struct nub_cpuid host;
	struct header header = { 0 };
	struct stat status;

	if (fstat(fd, &status) < 0) {
		nub_fail_errno(err, NUB_E_IO, "%s", name);
		return NULL;
	}
	if (read_parts(fd, name, (uint64_t)status.st_size, &header, &state, err) < 0)
		return NULL;
	nub_cpu_fill_features(&host);
	if (nub_cpu_check_features(&header.cpuid, NUB_XCR0, &host, err) < 0) {
		nub_error_context(err, "%s", name);
		return NULL;
	}
	if (own.memory_size == 0)
		own.memory_size = header.memory_size;
	own.path = name;
	program = nub_program_new(&own, err);
	struct nub_cursor cursor = {
		.bytes = state, .size = header.state_size, .whole = name, .kind = NUB_E_SNAPSHOT_TRUNCATED, .err = err
	};
	if (program && load_parts(program, &header, fd, &status, &cursor) == 0)
		return program;
	nub_program_free(program);
	return NULL;
}
