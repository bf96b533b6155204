/* Threads of a Linux program: the list of them, their schedule, futexes.
 *
 * Threads take turns on the one vCPU, in the order of the list: when one waits or yields, and when nub_linux_preempt says that
 * its slice is over. With config.deterministic a slice is a number of calls instead of a time.
 *
 * A thread that ended stays in the list, `dead`, until the next nub_linux_next: handlers may still hold it.
 *
 * Linux: kernel/fork.c, kernel/exit.c, kernel/futex; clone(2), futex(2), get_robust_list(2).
 */
#ifndef NUB_LINUX_THREADS_H
#define NUB_LINUX_THREADS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "personality/linux/linux.h"

enum {
	NUB_LINUX_SLICE_NS = 5000000, /* when nobody says */
	NUB_LINUX_SLICE_CALLS = 64,   /* deterministic */
	NUB_LINUX_TID_LIMIT = 1 << 22,
	NUB_LINUX_ROBUST_LIMIT = 2048, /* entries of a robust list that are looked at (linux/futex.h) */
};

/* A thread in FUTEX_WAIT. The word is known by its address, and apart from one that is shared between processes. */
struct nub_linux_futex_wait {
	bool queued; /* until it is woken */
	bool shared;
	uint32_t bitset;
	uint64_t gva;
	uint64_t order; /* who waits longest has the smallest */
};

/* A call that a thread has waited in until a debugger took it out, for its own ends, and may put it back. */
struct nub_linux_left_call {
	bool there;
	uint64_t call, args[6];
	struct nub_linux_wait wait; /* without what was waited for, which is looked for anew */
};

struct nub_linux_thread_data {
	struct nub_linux_futex_wait futex;
	uint64_t cpu_ns; /* spent on the vCPU, but for the turn that it is in */
	bool dead;
	int interrupted; /* EINTR or NUB_LINUX_ERESTART*: a signal ended its wait, and has not been delivered yet */
	struct nub_linux_left_call left;
};

/* Does it wait in a call, or has a signal just ended that? Then rip is behind the call, and rax not what it gives. */
static inline bool nub_linux_thread_in_call(const struct nub_linux_thread *thread)
{
	return thread->wait.waiting || thread->thread_data->interrupted != 0;
}

struct nub_linux_threads {
	struct nub_linux_thread **list; /* owned */
	size_t count, capacity;
	struct nub_linux_thread *on_vcpu; /* whose registers the machine has; NULL none's */
	int32_t main_tid, last_tid;
	int main_exit_code; /* once the main thread ended before others: the program's exit code */
	uint64_t futex_order;
	bool look;             /* a wait may be over, a signal may be due */
	bool preempted;        /* a slice is over: another thread's turn, if there is one */
	bool yields;           /* the same, by the thread's own wish */
	uint64_t slice_ns;     /* how long a thread has the vCPU while others could run; a caller may set it */
	uint64_t slice_end_ns; /* the guest's CLOCK_MONOTONIC; 0: nobody has asked */
	uint64_t slice_calls;  /* deterministic: calls that had been made when the slice began */
	uint64_t turn_cpu_ns;  /* CLOCK_PROCESS_CPUTIME_ID of the host when the turn began */
	struct pollfd *polls;  /* owned */
	size_t poll_count, poll_capacity;
};

extern const struct nub_linux_family nub_linux_thread_family;

/* ---- threads.c ---- */

/* NULL when there is none, or it is dead. */
struct nub_linux_thread *nub_linux_thread_find(const struct nub_linux *linux, int32_t tid);
/* A thread with a new tid at the end of the list, like `parent` (NULL: the main thread). NULL: config.max_threads, or no
 * memory. */
struct nub_linux_thread *nub_linux_thread_add(struct nub_linux *linux, const struct nub_linux_thread *parent);
/* Free the dead ones. linux->current may be NULL afterwards. */
void nub_linux_threads_reap(struct nub_linux *linux);
size_t nub_linux_threads_alive(const struct nub_linux *linux);
/* Its wait may be over: serve its call again. */
void nub_linux_thread_ready(struct nub_linux *linux, struct nub_linux_thread *thread);
/* CPU time of the thread, in ns. */
uint64_t nub_linux_thread_cpu_ns(const struct nub_linux *linux, const struct nub_linux_thread *thread);

/* ---- thread_exit.c ---- */

/* The thread is over: robust list, clear_tid, and the end of the run when it was the last. */
void nub_linux_thread_exit(struct nub_linux *linux, struct nub_linux_thread *thread, int exit_code);

/* ---- futex_queue.c ---- */

struct nub_linux_futex_key {
	uint64_t gva;
	bool shared;
};

void nub_linux_futex_enqueue(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_futex_key key,
                             uint32_t bitset);
/* Wake those who wait longest, at least one when there is one; how many. */
int64_t nub_linux_futex_wake(struct nub_linux *linux, struct nub_linux_futex_key key, int32_t limit, uint32_t bitset);
/* Wake some, and let others wait at another word; how many of both. */
int64_t nub_linux_futex_requeue(struct nub_linux *linux, struct nub_linux_futex_key from, struct nub_linux_futex_key to,
                                int32_t wakes, int32_t requeues);

/* ---- schedule_wait.c ---- */

/* Look at every waiting thread: serve again the calls whose wait may be over, end those that a signal interrupts. `now_ns` is
 * the guest's CLOCK_MONOTONIC. */
void nub_linux_waits_look(struct nub_linux *linux, uint64_t now_ns);
/* Make those ready whose host descriptors are, without waiting. False: none. */
bool nub_linux_waits_poll(struct nub_linux *linux);
/* The first deadline of a waiting thread; UINT64_MAX: none. */
uint64_t nub_linux_waits_deadline(const struct nub_linux *linux);
/* Does anybody wait for a host descriptor? */
bool nub_linux_waits_for_host(const struct nub_linux *linux);
/* Nothing can wake any thread: end the run, saying where each waits. */
void nub_linux_deadlock(struct nub_linux *linux);

/* ---- handlers in files of their own ---- */

int64_t nub_linux_serve_clone(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_futex(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);

/* ---- threads_state.c ---- */

void nub_linux_threads_save(struct nub_linux *linux, struct nub_writer *writer);
int nub_linux_threads_load(struct nub_linux *linux, struct nub_cursor *cursor);

#endif
