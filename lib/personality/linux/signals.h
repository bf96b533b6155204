/* Signals of a Linux program: what is to be done about each, what is pending, who gets it, and how it gets there.
 *
 * A signal is queued, for a thread or for the process, by nub_linux_signal (linux.h). It is delivered before its thread goes
 * on: nub_linux_signal_deliver makes the frame of its handler, or ends the run. Signals for the process go to the main
 * thread unless that one blocks them, as in Linux.
 *
 * One that the program ignores is dropped where it is sent, unless it is blocked then. Stopping a program is nobody's
 * wish here: SIGSTOP and its kin are taken and forgotten.
 *
 * Linux: kernel/signal.c, arch/x86/kernel/signal.c; signal(7), sigaction(2).
 */
#ifndef NUB_LINUX_SIGNALS_H
#define NUB_LINUX_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "personality/linux/linux.h"
#include "personality/linux/signal_frame.h"

enum {
	NUB_LINUX_SIGNALS = 64,       /* numbers 1 to 64 */
	NUB_LINUX_MAX_QUEUED = 1024,  /* RLIMIT_SIGPENDING, of one queue */
	NUB_LINUX_UID = 0,            /* who sends a signal that a program sends itself */
	NUB_LINUX_MINSIGSTKSZ = 2048, /* the least that sigaltstack(2) takes */
};

static inline uint64_t nub_linux_signal_bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

/* What nothing blocks. */
#define NUB_LINUX_UNBLOCKABLE (nub_linux_signal_bit(SIGKILL) | nub_linux_signal_bit(SIGSTOP))

/* Signals that were sent, in their order. */
struct nub_linux_queue {
	siginfo_t *items; /* owned */
	size_t count, capacity;
	uint64_t set; /* the numbers that are in it */
};

/* Of one thread. */
struct nub_linux_signal_data {
	uint64_t mask;       /* blocked */
	uint64_t saved_mask; /* has_saved_mask: comes back when the call ends, or by the return of a handler */
	bool has_saved_mask;
	uint64_t awaited; /* rt_sigtimedwait waits for these; 0 when the thread is not in it */
	struct nub_linux_queue pending;
	struct nub_linux_sigstack stack;
	/* The last fault: the signal that it became, until that is delivered, and what frames tell of it. */
	int fault_signal;
	uint64_t vector, error_code, cr2;
	int agreed; /* a debugger has seen this one, and it is to be delivered; 0 none */
};

struct nub_linux_signals {
	struct nub_linux_sigaction actions[NUB_LINUX_SIGNALS]; /* of signal n at n - 1 */
	struct nub_linux_queue pending;                        /* for the process */
};

extern const struct nub_linux_family nub_linux_signal_family;

/* ---- signal_queue.c (pure) ---- */

void nub_linux_queue_release(struct nub_linux_queue *queue);
/* Of a signal under SIGRTMIN (32) one is enough. -EAGAIN when the queue is full or there is no memory. */
int64_t nub_linux_queue_add(struct nub_linux_queue *queue, const siginfo_t *info);
/* Take the one to deliver first of those in `wanted`: what an instruction caused, then by number, then by time. */
bool nub_linux_queue_take(struct nub_linux_queue *queue, uint64_t wanted, siginfo_t *info);
/* Which one that would be; 0 none. */
int nub_linux_queue_first(const struct nub_linux_queue *queue, uint64_t wanted);
void nub_linux_queue_drop(struct nub_linux_queue *queue, uint64_t signals);
/* Is the signal of this timer in it? And drop it. */
bool nub_linux_queue_has_timer(const struct nub_linux_queue *queue, int timer);
void nub_linux_queue_drop_timer(struct nub_linux_queue *queue, int timer);

/* ---- signal.c: sending, and who gets it ---- */

/* For a new thread: the mask is inherited, nothing is pending, no alternate stack. `parent` is NULL for the main thread.
 * NULL: no memory. */
struct nub_linux_signal_data *nub_linux_signal_data_make(const struct nub_linux_signal_data *parent);
void nub_linux_signal_data_free(struct nub_linux_signal_data *data);

/* As nub_linux_signal, for calls whose caller wants to know: 0, or -EAGAIN when a queue is full. */
int64_t nub_linux_signal_send(struct nub_linux *linux, struct nub_linux_thread *thread, const siginfo_t *info);

/* The signals that this thread is to take now, its own and the process's. */
uint64_t nub_linux_signals_due(const struct nub_linux *linux, const struct nub_linux_thread *thread);

/* Take one of `wanted`, its own before the process's. Timers that sent it go on. */
bool nub_linux_signal_take(struct nub_linux *linux, struct nub_linux_thread *thread, uint64_t wanted, siginfo_t *info);

bool nub_linux_signal_ignored(const struct nub_linux *linux, int signal);
const char *nub_linux_signal_name(int signal); /* "SIGSEGV", "SIGRT_3" as strace says; a static string */

/* ---- signal_mask.c ---- */

void nub_linux_signal_set_mask(struct nub_linux_thread *thread, uint64_t mask);
/* ppoll, pselect6, epoll_pwait, rt_sigsuspend: `mask` holds while the call lasts. Call it when the call begins
 * (!wait.restarted) and nowhere else: the scheduler undoes it. */
void nub_linux_signal_mask_for_call(struct nub_linux_thread *thread, uint64_t mask);
void nub_linux_signal_unmask_after_call(struct nub_linux_thread *thread);
/* The sigset of `size` bytes that a call takes by pointer: 0, -EINVAL or -EFAULT. */
int64_t nub_linux_signal_read_mask(struct nub_linux *linux, uint64_t gva, uint64_t size, uint64_t *mask);

/* ---- signal_deliver.c ---- */

/* Deliver what is due to the thread, all of whose registers are in thread->vcpu: frames of handlers, or the end of the run. The
 * first handler decides what a call gives that a signal interrupted; without one, the thread waits again. */
void nub_linux_signal_deliver(struct nub_linux *linux, struct nub_linux_thread *thread);
/* Forget what is due but ignored. What is still due then will run a handler or end the run. */
uint64_t nub_linux_signals_drop_ignored(struct nub_linux *linux, struct nub_linux_thread *thread);

/* ---- signal_debug.c: what a debugger sees of them ---- */

/* The signal that the thread takes next, if it is one to be shown first; else 0. */
int nub_linux_signal_to_show(const struct nub_linux *linux, const struct nub_linux_thread *thread);
/* What its handler would be told of linux->debug.signal. False: it is 0. */
bool nub_linux_signal_shown(const struct nub_linux *linux, siginfo_t *info);
/* The thread takes this one, 0 none, instead of linux->debug.signal if that is what it was shown. */
void nub_linux_signal_answer(struct nub_linux *linux, struct nub_linux_thread *thread, int signal);

/* ---- signal_trace.c: --strace's lines ---- */

/* A signal is delivered: `--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x8} ---`. */
void nub_linux_signal_trace(struct nub_linux *linux, const siginfo_t *info);
/* The call that it ended, with the result that is in rax. */
void nub_linux_signal_trace_call(struct nub_linux *linux, const struct nub_linux_thread *thread);

/* ---- signal_fault.c ---- */

/* A signal that can't be blocked or ignored: blocking or ignoring it kills. What of its number is pending is forgotten. */
void nub_linux_signal_force(struct nub_linux *linux, struct nub_linux_thread *thread, const siginfo_t *info);

/* ---- handlers in files of their own ---- */

int64_t nub_linux_serve_rt_sigreturn(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_rt_sigtimedwait(struct nub_linux *linux, struct nub_linux_thread *thread,
                                        const uint64_t args[6]);
int64_t nub_linux_serve_rt_sigsuspend(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_pause(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_sigaltstack(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_kill(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_tkill(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_tgkill(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_rt_sigqueueinfo(struct nub_linux *linux, struct nub_linux_thread *thread,
                                        const uint64_t args[6]);
int64_t nub_linux_serve_rt_tgsigqueueinfo(struct nub_linux *linux, struct nub_linux_thread *thread,
                                          const uint64_t args[6]);

/* The change that sigaltstack(2) asks for: 0, or -EPERM, -EINVAL, -ENOMEM. */
int64_t nub_linux_sigstack_change(struct nub_linux_signal_data *data, uint64_t rsp,
                                  const struct nub_linux_sigstack *stack);

/* ---- signals_state.c ---- */

void nub_linux_queue_save(const struct nub_linux_queue *queue, struct nub_writer *writer);
int nub_linux_queue_load(struct nub_linux_queue *queue, struct nub_cursor *cursor);
void nub_linux_signal_data_save(const struct nub_linux_signal_data *data, struct nub_writer *writer);
int nub_linux_signal_data_load(struct nub_linux_signal_data *data, struct nub_cursor *cursor);
void nub_linux_signals_save(struct nub_linux *linux, struct nub_writer *writer);
int nub_linux_signals_load(struct nub_linux *linux, struct nub_cursor *cursor);

#endif
