/* One open description as bytes: by its kind, what makes it the same again. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "personality/linux/epoll.h"
#include "personality/linux/event.h"
#include "personality/linux/files_state.h"
#include "personality/linux/host_file.h"
#include "personality/linux/linux.h"
#include "personality/linux/memory_file.h"
#include "personality/linux/stdio.h"
#include "personality/linux/timerfd_file.h"

enum kind {
	KIND_NAMED, /* found again by its path: a host's file or directory, a device, a file of /proc */
	KIND_MEMORY,
	KIND_STDIO,
	KIND_PIPE,
	KIND_SOCKET,
	KIND_EVENT,
	KIND_TIMERFD,
	KIND_EPOLL,
	KINDS
};

static uint32_t kind_of(const struct nub_linux_files *files, const struct nub_linux_file *file)
{
	if (file->ops == &nub_linux_pipe_ops)
		return KIND_PIPE;
	if (file->ops == &nub_linux_socket_ops)
		return KIND_SOCKET;
	if (file->ops == &nub_linux_event_ops)
		return KIND_EVENT;
	if (file->ops == &nub_linux_timerfd_ops)
		return KIND_TIMERFD;
	if (file->ops == &nub_linux_epoll_ops)
		return KIND_EPOLL;
	if (file->ops == &nub_linux_stdio_ops || !file->path)
		return KIND_STDIO;
	return file->inode && nub_linux_state_keeps(files, file->inode) ? KIND_MEMORY : KIND_NAMED;
}

/* What of a host's regular file must be as it was. */
struct identity {
	uint64_t size, seconds;
	uint32_t mode, nanoseconds;
};

static struct identity identity_of(struct nub_linux *linux, struct nub_linux_file *file)
{
	struct identity identity = { 0 };
	struct statx stat;

	if (nub_linux_file_stat(linux, file, &stat) < 0)
		return identity;
	identity.mode = stat.stx_mode & S_IFMT;
	if (S_ISREG(stat.stx_mode) && !file->inode) {
		identity.size = stat.stx_size;
		identity.seconds = (uint64_t)stat.stx_mtime.tv_sec;
		identity.nanoseconds = stat.stx_mtime.tv_nsec;
	}
	return identity;
}

static void code_identity(struct nub_linux_codec *codec, struct identity *identity)
{
	nub_linux_code_u32(codec, &identity->mode, "the type of an open file");
	nub_linux_code_u64(codec, &identity->size, "the size of an open file");
	nub_linux_code_u64(codec, &identity->seconds, "the time of an open file");
	nub_linux_code_u32(codec, &identity->nanoseconds, "the time of an open file");
}

/* Or fail. Times are seconds after 1970. */
static bool is_same(struct nub_linux_files_state *state, const char *path, const struct identity *then,
                    const struct identity *now)
{
	if (then->mode != now->mode) {
		nub_linux_code_refuse(&state->codec, NUB_E_SNAPSHOT_FILE, "grants",
		                      "%s is of another type than what the program had open: 0%" PRIo32
		                      ", it was 0%" PRIo32,
		                      path, now->mode, then->mode);
		return false;
	}
	if (state->linux->config.accept_changed)
		return true;
	if (then->size != now->size)
		nub_linux_code_refuse(&state->codec, NUB_E_SNAPSHOT_FILE, "accept_changed",
		                      "%s has changed since the program had it open: it had %" PRIu64
		                      " bytes and has %" PRIu64,
		                      path, then->size, now->size);
	else if (then->seconds != now->seconds || then->nanoseconds != now->nanoseconds)
		nub_linux_code_refuse(&state->codec, NUB_E_SNAPSHOT_FILE, "accept_changed",
		                      "%s has changed since the program had it open: it was written at %" PRIu64
		                      ".%09" PRIu32 " and at %" PRIu64 ".%09" PRIu32,
		                      path, then->seconds, then->nanoseconds, now->seconds, now->nanoseconds);
	return !state->codec.cursor->failed;
}

static struct nub_linux_file *load_named(struct nub_linux_files_state *state, const char *path, bool removed,
                                         uint32_t flags)
{
	struct identity then = { 0 };

	code_identity(&state->codec, &then);
	if (nub_linux_code_failed(&state->codec))
		return NULL;
	if (removed) {
		nub_linux_code_refuse(&state->codec, NUB_E_SNAPSHOT_FILE, NULL,
		                      "the program had %s open, which was removed before it was saved", path);
		return NULL;
	}
	struct nub_linux_file *file = nub_linux_state_reopen(state, path, flags);

	if (!file)
		return NULL;
	const struct identity now = identity_of(state->linux, file);

	if (is_same(state, path, &then, &now))
		return file;
	nub_linux_file_unref(state->files, file);
	return NULL;
}

static struct nub_linux_file *load_memory(struct nub_linux_files_state *state, uint32_t flags)
{
	struct nub_linux_file *file;
	uint32_t number = 0;
	bool exclusive = false, shared = false;

	nub_linux_code_u32(&state->codec, &number, "the file in memory that is open");
	nub_linux_code_bool(&state->codec, &exclusive, "the lock of a file in memory");
	nub_linux_code_bool(&state->codec, &shared, "the lock of a file in memory");
	if (nub_linux_code_failed(&state->codec))
		return NULL;
	if (number == 0 || number > state->inode_count || S_ISLNK(state->inodes[number - 1]->mode)) {
		nub_linux_code_fail(&state->codec, "file %" PRIu32 " in memory is open, the last is %zu", number,
		                    state->inode_count);
		return NULL;
	}
	struct nub_linux_inode *inode = state->inodes[number - 1];

	file = nub_linux_file_new(
	    state->files, S_ISDIR(inode->mode) ? &nub_linux_memory_directory_ops : &nub_linux_memory_file_ops, flags);
	if (!file)
		return NULL;
	file->inode = nub_linux_inode_ref(inode);
	for (size_t i = 0; i < state->files->mount_count; i++) {
		if (&state->files->mounts[i]->volume == inode->volume)
			file->mount = state->files->mounts[i];
	}
	if (exclusive && !inode->exclusive)
		inode->exclusive = file;
	file->locked_shared = shared;
	inode->shared += shared;
	return file;
}

static void save_memory(struct nub_linux_files_state *state, struct nub_linux_file *file)
{
	bool exclusive = file->inode->exclusive == file;

	nub_linux_code_u32(&state->codec, &file->inode->mark, "");
	nub_linux_code_bool(&state->codec, &exclusive, "");
	nub_linux_code_bool(&state->codec, &file->locked_shared, "");
}

static struct nub_linux_file *load_stdio(struct nub_linux_files_state *state, uint32_t flags)
{
	uint32_t which = 0;

	nub_linux_code_u32(&state->codec, &which, "which standard stream is open");
	if (nub_linux_code_failed(&state->codec))
		return NULL;
	if (which > NUB_LINUX_STDERR && which != NUB_LINUX_TTY) {
		nub_linux_code_fail(&state->codec, "standard stream %" PRIu32 " is open, there are 3", which);
		return NULL;
	}
	return nub_linux_stdio_open(state->files, which, flags);
}

static struct nub_linux_file *load_pipe(struct nub_linux_files_state *state, uint32_t flags)
{
	uint32_t number = 0;

	nub_linux_code_u32(&state->codec, &number, "the pipe that is open");
	if (nub_linux_code_failed(&state->codec))
		return NULL;
	if ((flags & O_ACCMODE) == O_ACCMODE || flags & O_PATH) {
		nub_linux_code_fail(&state->codec, "a pipe is open with flags 0x%" PRIx32 ", at neither end", flags);
		return NULL;
	}
	if (number != 0 && number <= state->pipe_count)
		return nub_linux_pipe_open(state->files, state->pipes[number - 1], flags);
	nub_linux_code_fail(&state->codec, "pipe %" PRIu32 " is open, the last is %zu", number, state->pipe_count);
	return NULL;
}

static void code_event(struct nub_linux_codec *codec, struct nub_linux_event *event)
{
	nub_linux_code_u64(codec, &event->count, "the count of an eventfd");
	nub_linux_code_bool(codec, &event->semaphore, "the kind of an eventfd");
}

static void code_timer(struct nub_linux_codec *codec, struct nub_linux_timerfd *timer)
{
	uint32_t clock = (uint32_t)timer->clock;

	nub_linux_code_u32(codec, &clock, "the clock of a timerfd");
	nub_linux_code_u64(codec, &timer->schedule.due_ns, "when a timerfd is due");
	nub_linux_code_u64(codec, &timer->schedule.interval_ns, "the interval of a timerfd");
	if (codec->cursor && nub_linux_timerfd_make(&(struct nub_linux_timerfd){ 0 }, (int)clock) < 0)
		nub_linux_code_fail(codec, "a timerfd has clock %" PRIu32 ", which has none", clock);
	if (timer->schedule.due_ns > INT64_MAX || timer->schedule.interval_ns > INT64_MAX)
		nub_linux_code_fail(codec, "a timerfd is due at %" PRIu64 " ns, every %" PRIu64 " ns: that never comes",
		                    timer->schedule.due_ns, timer->schedule.interval_ns);
	timer->clock = (int)clock;
}

void nub_linux_state_file_save(struct nub_linux_files_state *state, struct nub_linux_file *file)
{
	struct nub_linux_codec *codec = &state->codec;
	uint32_t kind = kind_of(state->files, file);
	struct identity identity;

	nub_linux_code_u32(codec, &kind, "");
	nub_linux_code_u64(codec, &file->number, "");
	nub_linux_code_u32(codec, &file->flags, "");
	nub_linux_code_u64(codec, &file->offset, "");
	nub_linux_code_text(codec, &file->path, PATH_MAX - 1, true, "");
	nub_linux_code_bool(codec, &file->removed, "");
	nub_linux_code_u64(codec, &file->edges.in, "");
	nub_linux_code_u64(codec, &file->edges.out, "");
	switch (kind) {
	case KIND_NAMED:
		identity = identity_of(state->linux, file);
		code_identity(codec, &identity);
		break;
	case KIND_MEMORY:
		save_memory(state, file);
		break;
	case KIND_STDIO:
		nub_linux_code_u32(codec, &file->kind_number, "");
		break;
	case KIND_PIPE:
		nub_linux_code_u32(codec, &((struct nub_linux_pipe *)file->object)->mark, "");
		break;
	case KIND_SOCKET:
		nub_linux_state_socket_save(state, file->object);
		break;
	case KIND_EVENT:
		code_event(codec, file->object);
		break;
	case KIND_TIMERFD:
		code_timer(codec, file->object);
		break;
	}
}

/* What all descriptions have. */
struct head {
	uint32_t kind, flags;
	uint64_t number, offset;
	char *path; /* owned */
	bool removed;
	struct nub_linux_edges edges;
};

static struct nub_linux_file *load_kind(struct nub_linux_files_state *state, const struct head *head)
{
	struct nub_linux_event event = { 0 };
	struct nub_linux_timerfd timer = { 0 };
	struct nub_linux_codec *codec = &state->codec;

	switch (head->kind) {
	case KIND_NAMED:
		return head->path ? load_named(state, head->path, head->removed, head->flags) : NULL;
	case KIND_MEMORY:
		return head->path ? load_memory(state, head->flags) : NULL;
	case KIND_STDIO:
		return load_stdio(state, head->flags);
	case KIND_PIPE:
		return load_pipe(state, head->flags);
	case KIND_SOCKET:
		return nub_linux_state_socket_load(state, head->flags);
	case KIND_EVENT:
		code_event(codec, &event);
		return nub_linux_code_failed(codec) ? NULL : nub_linux_event_open(state->files, &event, head->flags);
	case KIND_TIMERFD:
		code_timer(codec, &timer);
		return nub_linux_code_failed(codec) ? NULL : nub_linux_timerfd_open(state->files, &timer, head->flags);
	case KIND_EPOLL:
		return nub_linux_epoll_open(state->files);
	}
	return NULL;
}

static void load_head(struct nub_linux_codec *codec, struct head *head)
{
	nub_linux_code_u32(codec, &head->kind, "the kind of an open file");
	nub_linux_code_u64(codec, &head->number, "the number of an open file");
	nub_linux_code_u32(codec, &head->flags, "the flags of an open file");
	nub_linux_code_u64(codec, &head->offset, "the offset of an open file");
	nub_linux_code_text(codec, &head->path, PATH_MAX - 1, true, "the path of an open file");
	nub_linux_code_bool(codec, &head->removed, "whether an open file was removed");
	nub_linux_code_u64(codec, &head->edges.in, "the events of an open file");
	nub_linux_code_u64(codec, &head->edges.out, "the events of an open file");
	if (head->offset > INT64_MAX)
		nub_linux_code_fail(codec, "the offset of an open file is %" PRIu64 ", the limit is %" PRIu64,
		                    head->offset, (uint64_t)INT64_MAX);
	if (head->path && *head->path && *head->path != '/')
		nub_linux_code_fail(codec, "the path of an open file is %s, it must begin with a slash", head->path);
}

void nub_linux_state_file_load(struct nub_linux_files_state *state)
{
	struct head head = { 0 };
	struct nub_linux_file *file = NULL;

	load_head(&state->codec, &head);
	if (nub_linux_state_file(state->files, head.number))
		nub_linux_code_fail(&state->codec, "open file %" PRIu64 " is there twice", head.number);
	head.flags &= NUB_LINUX_KEPT_FLAGS;
	if (!nub_linux_code_failed(&state->codec)) {
		file = load_kind(state, &head);
		if (!file && !nub_linux_code_failed(&state->codec))
			nub_linux_code_fail(&state->codec,
			                    "open file %" PRIu64 " is of kind %" PRIu32 ": it can't be made",
			                    head.number, head.kind);
	}
	if (!file) {
		free(head.path);
		return;
	}
	file->loaded = true;
	free(file->path);
	file->path = head.path;
	file->removed = head.removed;
	file->number = head.number;
	file->flags = head.flags;
	file->edges = head.edges;
	if (head.kind != KIND_STDIO) /* another input begins where it does */
		file->offset = head.offset;
}
