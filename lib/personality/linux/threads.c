/* The list of a Linux program's threads, and the calls that are about one's own thread. */
#include "personality/linux/threads.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "personality/linux/call.h"
#include "personality/linux/signals.h"

NUB_LINUX_ARG_SHORT_NAMES;

_Static_assert(NUB_LINUX_ROBUST_LIMIT == ROBUST_LIST_LIMIT, "the limit is Linux's");

struct nub_linux_thread *nub_linux_thread_find(const struct nub_linux *linux, int32_t tid)
{
	for (size_t i = 0; linux->threads && i < linux->threads->count; i++) {
		struct nub_linux_thread *thread = linux->threads->list[i];
		if (thread->tid == tid)
			return thread->thread_data->dead ? NULL : thread;
	}
	return NULL;
}

size_t nub_linux_threads_alive(const struct nub_linux *linux)
{
	size_t alive = 0;

	for (size_t i = 0; i < linux->threads->count; i++)
		alive += !linux->threads->list[i]->thread_data->dead;
	return alive;
}

static bool is_taken(const struct nub_linux_threads *threads, int32_t tid)
{
	for (size_t i = 0; i < threads->count; i++)
		if (threads->list[i]->tid == tid)
			return true;
	return false;
}

/* There are far fewer threads than numbers. Small ones are other programs', as a rule. */
static int32_t new_tid(const struct nub_linux *linux)
{
	int32_t tid = linux->threads->last_tid;

	do
		tid = tid + 1 < NUB_LINUX_TID_LIMIT ? tid + 1 : NUB_LINUX_PID;
	while (tid == linux->pid || is_taken(linux->threads, tid));
	return tid;
}

static void thread_free(struct nub_linux_thread *thread)
{
	if (!thread)
		return;
	nub_linux_wait_release(&thread->wait);
	nub_linux_signal_data_free(thread->signal_data);
	free(thread->thread_data);
	free(thread);
}

static struct nub_linux_thread *thread_make(const struct nub_linux_thread *parent)
{
	struct nub_linux_thread *thread = aligned_alloc(_Alignof(struct nub_linux_thread), sizeof(*thread));

	if (!thread)
		return NULL;
	memset(thread, 0, sizeof(*thread));
	thread->thread_data = calloc(1, sizeof(*thread->thread_data));
	thread->signal_data = nub_linux_signal_data_make(parent ? parent->signal_data : NULL);
	if (!thread->thread_data || !thread->signal_data) {
		thread_free(thread);
		return NULL;
	}
	if (parent) {
		thread->vcpu = parent->vcpu;
		memcpy(thread->name, parent->name, sizeof(thread->name));
	}
	return thread;
}

static bool grow(struct nub_linux_threads *threads)
{
	const size_t capacity = threads->capacity ? threads->capacity * 2 : 8;
	struct nub_linux_thread **list;

	if (threads->count < threads->capacity)
		return true;
	list = realloc(threads->list, capacity * sizeof(struct nub_linux_thread *));
	if (!list)
		return false;
	threads->list = list;
	threads->capacity = capacity;
	return true;
}

struct nub_linux_thread *nub_linux_thread_add(struct nub_linux *linux, const struct nub_linux_thread *parent)
{
	struct nub_linux_threads *threads = linux->threads;
	struct nub_linux_thread *thread;

	if (threads->count >= linux->config.max_threads || !grow(threads))
		return NULL;
	thread = thread_make(parent);
	if (!thread)
		return NULL;
	thread->tid = threads->last_tid = parent ? new_tid(linux) : linux->pid;
	threads->list[threads->count++] = thread;
	return thread;
}

void nub_linux_threads_reap(struct nub_linux *linux)
{
	struct nub_linux_threads *threads = linux->threads;
	size_t kept = 0;

	for (size_t i = 0; i < threads->count; i++) {
		struct nub_linux_thread *thread = threads->list[i];
		if (!thread->thread_data->dead) {
			threads->list[kept++] = thread;
			continue;
		}
		if (linux->current == thread)
			linux->current = NULL;
		if (threads->on_vcpu == thread)
			threads->on_vcpu = NULL;
		thread_free(thread);
	}
	threads->count = kept;
}

void nub_linux_thread_ready(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	thread->wait.ready = true;
	linux->threads->look = true;
}

void nub_linux_wake(struct nub_linux *linux, const void *object)
{
	for (size_t i = 0; linux->threads && i < linux->threads->count; i++) {
		struct nub_linux_thread *thread = linux->threads->list[i];
		if (thread->wait.waiting && nub_linux_wait_has(&thread->wait, object))
			nub_linux_thread_ready(linux, thread);
	}
}

static int make(struct nub_linux *linux, struct nub_error *err)
{
	linux->threads = calloc(1, sizeof(*linux->threads));
	linux->current = linux->threads ? nub_linux_thread_add(linux, NULL) : NULL;
	if (!linux->threads || !linux->current)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the threads of a Linux program");
	linux->threads->main_tid = linux->current->tid;
	linux->threads->slice_ns = NUB_LINUX_SLICE_NS;
	linux->threads->look = true;
	return 0;
}

static void release(struct nub_linux *linux)
{
	if (!linux->threads)
		return;
	for (size_t i = 0; i < linux->threads->count; i++)
		thread_free(linux->threads->list[i]);
	free(linux->threads->list);
	free(linux->threads->polls);
	free(linux->threads);
	linux->threads = NULL;
	linux->current = NULL;
}

static int64_t serve_gettid(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)args;
	return thread->tid;
}

static int64_t serve_sched_yield(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	(void)args;
	linux->threads->yields = true;
	return 0;
}

static int64_t serve_set_tid_address(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	thread->clear_tid = args[0];
	return thread->tid;
}

static int64_t serve_set_robust_list(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	if (args[1] != sizeof(struct robust_list_head))
		return -EINVAL;
	thread->robust_list = args[0];
	return 0;
}

static int64_t serve_get_robust_list(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int32_t tid = (int32_t)args[0];
	const struct nub_linux_thread *other = tid == 0 ? thread : nub_linux_thread_find(linux, tid);
	const uint64_t size = sizeof(struct robust_list_head);

	if (!other)
		return -ESRCH;
	if (nub_linux_write(linux, args[2], &size, sizeof(size)) < 0)
		return -EFAULT;
	return nub_linux_write(linux, args[1], &other->robust_list, sizeof(other->robust_list));
}

static int64_t serve_exit(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	nub_linux_thread_exit(linux, thread, (int)(args[0] & 0xff));
	return NUB_LINUX_KEEP;
}

static int64_t serve_exit_group(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	nub_linux_end(linux, NUB_LINUX_EXITED, "exit_group");
	if (linux->end.kind == NUB_LINUX_EXITED)
		linux->end.exit_code = (int)(args[0] & 0xff);
	return NUB_LINUX_KEEP;
}

/* Another process can't be made yet: it would need a VM of its own. */
static int64_t serve_no_process(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)args;
	return nub_linux_unsupported(linux, thread, -ENOSYS);
}

/* ENOSYS, and not counted as a lack: C libraries ask for these at every start, and go on without. */
static int64_t serve_absent(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	(void)args;
	return -ENOSYS;
}

/* There never is a child to wait for. */
static int64_t serve_no_child(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	(void)args;
	return -ECHILD;
}

static int64_t serve_waitid(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t kinds = WEXITED | WSTOPPED | WCONTINUED;

	if ((uint32_t)args[3] & ~(kinds | WNOHANG | WNOWAIT | __WNOTHREAD | __WALL | __WCLONE) ||
	    !((uint32_t)args[3] & kinds) || (uint32_t)args[0] > P_PIDFD ||
	    ((uint32_t)args[0] == P_PID && (int32_t)args[1] <= 0))
		return -EINVAL;
	return serve_no_child(linux, thread, args);
}

static const struct nub_linux_call calls[] = {
	{ __NR_clone, "clone", nub_linux_serve_clone, { HEX, HEX, POINTER, POINTER, HEX }, false },
	{ __NR_clone3, "clone3", serve_absent, { POINTER, SIZE }, false },
	{ __NR_rseq, "rseq", serve_absent, { POINTER, SIZE, HEX, HEX }, false },
	{ __NR_fork, "fork", serve_no_process, { NONE }, false },
	{ __NR_vfork, "vfork", serve_no_process, { NONE }, false },
	{ __NR_execve, "execve", serve_no_process, { PATH, POINTER, POINTER }, false },
	{ __NR_execveat, "execveat", serve_no_process, { DIRFD, PATH, POINTER, POINTER, HEX }, false },
	{ __NR_wait4, "wait4", serve_no_child, { INT, POINTER, HEX, POINTER }, false },
	{ __NR_waitid, "waitid", serve_waitid, { INT, INT, POINTER, HEX, POINTER }, false },
	{ __NR_exit, "exit", serve_exit, { INT }, false },
	{ __NR_exit_group, "exit_group", serve_exit_group, { INT }, false },
	{ __NR_gettid, "gettid", serve_gettid, { NONE }, false },
	{ __NR_sched_yield, "sched_yield", serve_sched_yield, { NONE }, false },
	{ __NR_set_tid_address, "set_tid_address", serve_set_tid_address, { POINTER }, false },
	{ __NR_set_robust_list, "set_robust_list", serve_set_robust_list, { POINTER, SIZE }, false },
	{ __NR_get_robust_list, "get_robust_list", serve_get_robust_list, { INT, POINTER, POINTER }, false },
	{ __NR_futex, "futex", nub_linux_serve_futex, { POINTER, HEX, INT, HEX, POINTER, HEX }, false },
};

const struct nub_linux_family nub_linux_thread_family = {
	.name = "threads",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
	.make = make,
	.release = release,
	.save = nub_linux_threads_save,
	.load = nub_linux_threads_load,
};
