/* All of a Linux program as bytes: what the program was started with, then each family's part under its name. */
#include "personality/linux/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "personality/linux/call.h"
#include "personality/linux/checkpoints.h"
#include "personality/linux/mm_parts.h"
#include "personality/linux/start.h"

/* How far the pid of a thaw is from the one before: no thread's number is in between. */
enum { PID_STEP = 1 << 20, PID_LIMIT = 1 << 22 };

/* ---- The program ---- */

static void save_bytes(struct nub_writer *writer, const void *bytes, size_t size)
{
	nub_writer_uint(writer, 4, size);
	nub_writer_bytes(writer, bytes, size);
}

static void save_program(const struct nub_linux *linux, struct nub_writer *writer)
{
	const struct nub_linux_program *program = linux->program;

	nub_writer_uint(writer, 4, (uint32_t)linux->pid);
	nub_writer_uint(writer, 8, linux->generation);
	save_bytes(writer, program->path, strlen(program->path));
	save_bytes(writer, program->arguments, program->arguments_size);
	save_bytes(writer, program->environment, program->environment_size);
	save_bytes(writer, program->auxv, program->auxv_size);
	nub_writer_uint(writer, 8, program->code_start);
	nub_writer_uint(writer, 8, program->code_end);
	nub_writer_uint(writer, 8, program->arguments_gva);
	nub_writer_uint(writer, 8, program->random_gva);
	nub_writer_uint(writer, 8, program->vdso_gva);
}

/* A copy with a NUL behind it; NULL when the cursor has failed. */
static uint8_t *load_bytes(struct nub_cursor *cursor, const char *what, size_t *size)
{
	const uint32_t length = nub_cursor_u32(cursor, what);

	if (!cursor->failed && length > NUB_LINUX_STATE_MOST_BYTES)
		nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "%s takes %u bytes, the limit is %d", what, length,
		                NUB_LINUX_STATE_MOST_BYTES);
	const uint8_t *bytes = nub_cursor_take(cursor, what, length);
	uint8_t *copy = bytes ? malloc((size_t)length + 1) : NULL;
	if (!copy) {
		nub_cursor_fail(cursor, NUB_E_NO_MEMORY, "%s: %u bytes", what, length);
		return NULL;
	}
	memcpy(copy, bytes, length);
	copy[length] = '\0';
	*size = length;
	return copy;
}

int nub_linux_program_load(struct nub_linux *linux, struct nub_cursor *cursor)
{
	struct nub_linux_program *program = linux->program = calloc(1, sizeof(*program));
	size_t path_size;

	if (!program)
		return nub_cursor_fail(cursor, NUB_E_NO_MEMORY, "the state of a Linux program");
	const uint32_t pid = nub_cursor_u32(cursor, "the program's number");
	linux->generation = nub_cursor_u64(cursor, "the number of thaws") + 1;
	program->path = (char *)load_bytes(cursor, "the program's path", &path_size);
	program->arguments = load_bytes(cursor, "the program's arguments", &program->arguments_size);
	program->environment = load_bytes(cursor, "the program's environment", &program->environment_size);
	program->auxv = load_bytes(cursor, "the auxiliary vector", &program->auxv_size);
	program->code_start = nub_cursor_u64(cursor, "the start of the code");
	program->code_end = nub_cursor_u64(cursor, "the end of the code");
	program->arguments_gva = nub_cursor_u64(cursor, "the address of the arguments");
	program->random_gva = nub_cursor_u64(cursor, "the address of the random bytes");
	program->vdso_gva = nub_cursor_u64(cursor, "the address of the vdso");
	if (cursor->failed)
		return -1;
	if (pid == 0 || pid >= PID_LIMIT || strlen(program->path) != path_size ||
	    !nub_page_aligned(program->vdso_gva) || !nub_linux_in_user(program->vdso_gva, NUB_PAGE_SIZE))
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "program %u '%.200s' with its vdso at 0x%" PRIx64 ": that can't be", pid,
		                       program->path, program->vdso_gva);
	linux->pid = (int32_t)((pid + PID_STEP) % PID_LIMIT);
	if (linux->pid == 0)
		linux->pid = PID_STEP;
	linux->config.path = program->path;
	return 0;
}

/* ---- Families ---- */

void nub_linux_save(struct nub_linux *linux, struct nub_writer *writer)
{
	save_program(linux, writer);
	for (size_t i = 0; nub_linux_families[i]; i++) {
		const struct nub_linux_family *family = nub_linux_families[i];
		struct nub_buffer part = { 0 };
		struct nub_writer inner = { .buffer = &part, .err = writer->err };

		if (!family->save)
			continue;
		family->save(linux, &inner);
		writer->failed = writer->failed || inner.failed;
		save_bytes(writer, family->name, strlen(family->name));
		nub_writer_uint(writer, 8, part.size);
		nub_writer_bytes(writer, part.bytes, part.size);
		nub_buffer_release(&part);
	}
}

int nub_linux_state_part(struct nub_cursor *cursor, struct nub_linux_state_part *part)
{
	part->name_size = nub_cursor_u32(cursor, "the name of a part");
	part->name = nub_cursor_take(cursor, "the name of a part", part->name_size);
	const uint64_t size = nub_cursor_u64(cursor, "the size of a part");
	part->cursor = (struct nub_cursor){
		.bytes = nub_cursor_take(cursor, "a part", size <= SIZE_MAX ? (size_t)size : SIZE_MAX),
		.size = (size_t)size,
		.whole = "a part",
		.kind = NUB_E_SNAPSHOT_TRUNCATED,
		.err = cursor->err,
	};
	return cursor->failed ? -1 : 0;
}

static int load_family(struct nub_linux *linux, const struct nub_linux_family *family, struct nub_cursor *cursor)
{
	struct nub_linux_state_part part;

	if (nub_linux_state_part(cursor, &part) < 0)
		return -1;
	if (part.name_size != strlen(family->name) || memcmp(part.name, family->name, part.name_size) != 0)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "a part that should be '%s' is another one",
		                       family->name);
	part.cursor.whole = family->name;
	if (family->load(linux, &part.cursor) < 0 || part.cursor.failed) {
		cursor->failed = true;
		return -1;
	}
	if (part.cursor.offset != part.cursor.size)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "%s: %zu bytes are left over at its end",
		                       family->name, part.cursor.size - part.cursor.offset);
	return 0;
}

/* What is to be new in every copy of the program. */
static int renew(struct nub_linux *linux, struct nub_cursor *cursor)
{
	uint8_t random[16];

	if (linux->machine.ops->random(linux->machine.context, random, sizeof(random), cursor->err) < 0) {
		cursor->failed = true;
		return -1;
	}
	/* A program that has taken the page away does not want them. */
	(void)nub_linux_write(linux, linux->program->random_gva, random, sizeof(random));
	return 0;
}

int nub_linux_restore(struct nub_linux *linux, struct nub_cursor *cursor)
{
	if (nub_linux_program_load(linux, cursor) < 0)
		return -1;
	for (size_t i = 0; nub_linux_families[i]; i++) {
		const struct nub_linux_family *family = nub_linux_families[i];
		/* One that saved nothing has something to do when others are loaded. */
		if (family->save ? load_family(linux, family, cursor) < 0
		                 : family->load && family->load(linux, cursor) < 0)
			return -1;
	}
	if (cursor->offset != cursor->size)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "%zu bytes are left over at the end",
		                       cursor->size - cursor->offset);
	if (nub_linux_checkpoints_thaw(linux, cursor->err) < 0) {
		cursor->failed = true;
		return -1;
	}
	if (renew(linux, cursor) < 0)
		return -1;
	if (linux->end.kind == NUB_LINUX_FAILED)
		return nub_cursor_fail(cursor, linux->error.kind, "%s", linux->error.message);
	return 0;
}
