/* A program's files as bytes, and back: the lists, and in what order. */
#include "personality/linux/files_state.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "personality/linux/epoll.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/linux.h"
#include "personality/linux/mapped.h"

bool nub_linux_state_room(struct nub_linux_files_state *state, void *list, size_t count, size_t *capacity)
{
	void **items = list;
	const size_t wanted = *capacity ? 2 * *capacity : 64;

	if (count < *capacity)
		return true;
	void *grown = reallocarray(*items, wanted, sizeof(void *));

	if (!grown) {
		if (state->codec.cursor)
			nub_cursor_fail(state->codec.cursor, NUB_E_NO_MEMORY, "the program's files");
		else
			state->codec.writer->failed = true;
		return false;
	}
	*items = grown;
	*capacity = wanted;
	return true;
}

size_t nub_linux_state_count(struct nub_linux_files_state *state, size_t count, size_t least, const char *what)
{
	uint64_t number = count;

	nub_linux_code_u64(&state->codec, &number, what);
	if (!state->codec.cursor)
		return count;
	const struct nub_cursor *cursor = state->codec.cursor;

	if (!cursor->failed && number > (cursor->size - cursor->offset) / least)
		nub_linux_code_fail(&state->codec, "%s: %" PRIu64 " do not fit into %zu bytes", what, number,
		                    cursor->size - cursor->offset);
	return cursor->failed ? 0 : (size_t)number;
}

static void check_mount(struct nub_linux_files_state *state, const char *path, uint32_t kind, bool writable)
{
	static const char *const kinds[] = {
		[NUB_LINUX_MOUNT_MEMORY] = "directory in memory",
		[NUB_LINUX_MOUNT_HOST_DIR] = "directory",
		[NUB_LINUX_MOUNT_HOST_FILE] = "file",
	};
	const struct nub_linux_mount *now = nub_linux_mount_at(state->files, path, strlen(path));

	if (kind >= sizeof(kinds) / sizeof(*kinds))
		nub_linux_code_fail(&state->codec, "the kind of a grant is %" PRIu32 ", it must be at most %d", kind,
		                    NUB_LINUX_MOUNT_HOST_FILE);
	else if (!now || now->kind != kind)
		nub_linux_code_refuse(&state->codec, NUB_E_SNAPSHOT_GRANT, "grants",
		                      "the program was granted the %s %s, and is granted %s%s there now", kinds[kind],
		                      *path ? path : "/", now ? "a " : "nothing", now ? kinds[now->kind] : "");
	else if (writable && !now->writable)
		nub_linux_code_refuse(&state->codec, NUB_E_SNAPSHOT_GRANT, "grants",
		                      "the program could write to %s, which it is granted for reading alone now",
		                      *path ? path : "/");
}

/* What was granted must be granted again, and may be more. */
static void code_mount(struct nub_linux_files_state *state, struct nub_linux_mount *mount)
{
	char *path = mount ? mount->path : NULL;
	uint32_t kind = mount ? mount->kind : 0;
	bool writable = mount && mount->writable;

	nub_linux_code_text(&state->codec, &path, PATH_MAX - 1, false, "the path of a grant");
	nub_linux_code_u32(&state->codec, &kind, "the kind of a grant");
	nub_linux_code_bool(&state->codec, &writable, "whether a grant can be written");
	if (mount)
		return;
	if (!nub_linux_code_failed(&state->codec))
		check_mount(state, path, kind, writable);
	free(path);
}

static void code_mounts(struct nub_linux_files_state *state)
{
	const size_t count = nub_linux_state_count(state, state->files->mount_count, 9, "the grants");

	for (size_t i = 0; i < count && !nub_linux_code_failed(&state->codec); i++)
		code_mount(state, state->codec.writer ? state->files->mounts[i] : NULL);
}

static void save_pipes(struct nub_linux_files_state *state)
{
	size_t capacity = 0;

	for (struct nub_linux_file *file = state->files->all; file; file = file->next) {
		struct nub_linux_pipe *pipe = file->object;

		if (file->ops != &nub_linux_pipe_ops || pipe->mark ||
		    !nub_linux_state_room(state, &state->pipes, state->pipe_count, &capacity))
			continue;
		state->pipes[state->pipe_count++] = pipe;
		pipe->mark = (uint32_t)state->pipe_count;
	}
	nub_linux_state_count(state, state->pipe_count, 1, "");
	for (size_t i = 0; i < state->pipe_count; i++)
		nub_linux_state_pipe_save(state, state->pipes[i]);
}

static void load_pipes(struct nub_linux_files_state *state)
{
	const size_t count = nub_linux_state_count(state, 0, 28, "the pipes");
	size_t capacity = 0;

	while (state->pipe_count < count && !nub_linux_code_failed(&state->codec) &&
	       nub_linux_state_room(state, &state->pipes, state->pipe_count, &capacity)) {
		struct nub_linux_pipe *pipe = nub_linux_state_pipe_load(state);

		if (pipe)
			state->pipes[state->pipe_count++] = pipe;
	}
}

static void code_item(struct nub_linux_files_state *state, struct nub_linux_epoll_item *item)
{
	struct nub_linux_codec *codec = &state->codec;
	uint64_t number = item->file ? item->file->number : 0;
	uint32_t fd = (uint32_t)item->fd;

	nub_linux_code_u64(codec, &number, "what an epoll instance watches");
	nub_linux_code_u32(codec, &fd, "what an epoll instance watches");
	nub_linux_code_u32(codec, &item->events, "what an epoll instance watches");
	nub_linux_code_u64(codec, &item->data, "what an epoll instance watches");
	nub_linux_code_u64(codec, &item->seen.in, "what an epoll instance has seen");
	nub_linux_code_u64(codec, &item->seen.out, "what an epoll instance has seen");
	nub_linux_code_bool(codec, &item->fresh, "what an epoll instance has seen");
	nub_linux_code_bool(codec, &item->disabled, "what an epoll instance has seen");
	nub_linux_code_bool(codec, &item->exclusive, "what an epoll instance watches");
	item->fd = (int32_t)fd;
	if (codec->cursor)
		item->file = nub_linux_state_file(state->files, number);
}

static void load_item(struct nub_linux_files_state *state, struct nub_linux_file *watcher)
{
	struct nub_linux_epoll_item item = { 0 };

	code_item(state, &item);
	if (nub_linux_code_failed(&state->codec))
		return;
	if (!item.file || !item.file->ops->pollable || nub_linux_epoll_watch(state->files, watcher, &item) < 0)
		nub_linux_code_fail(&state->codec, "an epoll instance watches what can't be watched");
}

/* After all descriptions, which they watch. */
static void code_epolls(struct nub_linux_files_state *state)
{
	for (struct nub_linux_file *file = state->files->all; file; file = file->next) {
		struct nub_linux_epoll *epoll = file->object;

		if (file->ops != &nub_linux_epoll_ops || nub_linux_code_failed(&state->codec))
			continue;
		const size_t count = nub_linux_state_count(state, epoll->count, 43, "what an epoll instance watches");

		for (size_t i = 0; i < count && !nub_linux_code_failed(&state->codec); i++) {
			if (state->codec.writer)
				code_item(state, &epoll->items[i]);
			else
				load_item(state, file);
		}
	}
}

/* The list of descriptions is saved from its end, so that what is made in this order has the same one. */
static void save_files(struct nub_linux_files_state *state)
{
	struct nub_linux_file *file = state->files->all, *last = NULL;
	size_t count = 0;

	for (; file; file = file->next) {
		last = file;
		count++;
	}
	nub_linux_state_count(state, count, 1, "");
	for (file = last; file; file = file->previous)
		nub_linux_state_file_save(state, file);
}

static void load_files(struct nub_linux_files_state *state)
{
	const size_t count = nub_linux_state_count(state, 0, 49, "the open files");

	for (size_t i = 0; i < count && !nub_linux_code_failed(&state->codec); i++)
		nub_linux_state_file_load(state);
}

static void save_descriptors(struct nub_linux_files_state *state)
{
	struct nub_linux_files *files = state->files;
	size_t count = 0;

	for (unsigned fd = 0; fd < files->descriptor_count; fd++)
		count += files->descriptors[fd].file ? 1 : 0;
	nub_linux_state_count(state, count, 1, "");
	for (uint32_t fd = 0; fd < files->descriptor_count; fd++) {
		struct nub_linux_descriptor *descriptor = &files->descriptors[fd];

		if (!descriptor->file)
			continue;
		nub_linux_code_u32(&state->codec, &fd, "");
		nub_linux_code_u64(&state->codec, &descriptor->file->number, "");
		nub_linux_code_bool(&state->codec, &descriptor->close_on_exec, "");
	}
}

static void load_descriptors(struct nub_linux_files_state *state)
{
	const size_t count = nub_linux_state_count(state, 0, 13, "the descriptors");

	for (size_t i = 0; i < count && !nub_linux_code_failed(&state->codec); i++) {
		uint32_t fd = 0;
		uint64_t number = 0;
		bool close_on_exec = false;

		nub_linux_code_u32(&state->codec, &fd, "a descriptor");
		nub_linux_code_u64(&state->codec, &number, "the file of a descriptor");
		nub_linux_code_bool(&state->codec, &close_on_exec, "the flag of a descriptor");
		if (nub_linux_code_failed(&state->codec))
			return;
		struct nub_linux_file *file = nub_linux_state_file(state->files, number);

		if (!file || nub_linux_fd_get(state->files, fd) ||
		    nub_linux_fd_install_at(state->files, nub_linux_file_ref(file), fd, close_on_exec) < 0)
			nub_linux_code_fail(&state->codec,
			                    "descriptor %" PRIu32 " of file %" PRIu64
			                    " can't be opened: the limit is %u",
			                    fd, number, state->linux->config.max_fds);
	}
}

static void code_cwd(struct nub_linux_files_state *state)
{
	struct nub_linux_files *files = state->files;
	uint64_t number = files->cwd ? files->cwd->number : 0;

	nub_linux_code_u64(&state->codec, &number, "the working directory");
	if (!state->codec.cursor || nub_linux_code_failed(&state->codec))
		return;
	struct nub_linux_file *file = nub_linux_state_file(files, number);

	if (!file || !file->path || !nub_linux_file_is_directory(state->linux, file)) {
		nub_linux_code_fail(&state->codec, "the working directory is open file %" PRIu64 ", which is none",
		                    number);
		return;
	}
	nub_linux_file_unref(files, files->cwd);
	files->cwd = nub_linux_file_ref(file);
}

static void code_numbers(struct nub_linux_files_state *state)
{
	struct nub_linux_files *files = state->files;

	nub_linux_code_u32(&state->codec, &files->umask, "the umask");
	nub_linux_code_u64(&state->codec, &files->next_object, "the number of the next pipe");
	nub_linux_code_u64(&state->codec, &files->next_file, "the number of the next open file");
	if (files->umask > 0777)
		nub_linux_code_fail(&state->codec, "the umask is 0%" PRIo32 ", the largest is 0777", files->umask);
}

void nub_linux_files_save(struct nub_linux *linux, struct nub_writer *writer)
{
	struct nub_linux_files_state state = { .codec.writer = writer, .linux = linux, .files = linux->files };

	code_mounts(&state);
	nub_linux_state_trees(&state);
	save_pipes(&state);
	save_files(&state);
	code_epolls(&state);
	save_descriptors(&state);
	code_cwd(&state);
	code_numbers(&state);
	for (size_t i = 0; i < state.inode_count; i++)
		state.inodes[i]->mark = 0;
	for (size_t i = 0; i < state.pipe_count; i++)
		state.pipes[i]->mark = 0;
	free(state.inodes);
	free(state.pipes);
}

/* What a new program has open goes: all of it comes anew. Its numbers are out of the way meanwhile. */
static void begin(struct nub_linux_files *files)
{
	nub_linux_fd_close_all(files);
	files->cwd->number = UINT64_MAX;
}

int nub_linux_files_load(struct nub_linux *linux, struct nub_cursor *cursor)
{
	struct nub_linux_files_state state = { .codec.cursor = cursor, .linux = linux, .files = linux->files };

	begin(linux->files);
	code_mounts(&state);
	nub_linux_state_trees(&state);
	load_pipes(&state);
	load_files(&state);
	code_epolls(&state);
	load_descriptors(&state);
	code_cwd(&state);
	code_numbers(&state);
	for (size_t i = 0; i < state.inode_count; i++)
		nub_linux_inode_unref(state.inodes[i]);
	for (size_t i = 0; i < state.pipe_count; i++)
		nub_linux_pipe_drop(linux->files, state.pipes[i]);
	free(state.inodes);
	free(state.pipes);
	return cursor->failed ? -1 : 0;
}

/* After the families that hold files have been loaded: what nobody holds goes. */
int nub_linux_files_loaded(struct nub_linux *linux, struct nub_cursor *cursor)
{
	struct nub_linux_file *file = linux->files->all;

	(void)cursor;
	while (file) {
		struct nub_linux_file *next = file->next;

		if (file->loaded) {
			file->loaded = false;
			nub_linux_file_unref(linux->files, file);
		}
		file = next;
	}
	return 0;
}
