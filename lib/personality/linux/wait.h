/* How a call waits without blocking nubrun.
 *
 * A handler that can't go on says for what it waits and returns NUB_LINUX_WAIT. The thread then leaves the vCPU, and when what
 * it waits for may have come, the handler is called again with the same arguments and wait.restarted true. It looks again, and
 * either gives a result or waits again. So what it looks at must be kept where it is (a handler has no state between the two,
 * but in wait.state), and a wake-up too many does no harm.
 *
 *     struct nub_linux_wait *wait = &thread->wait;
 *     int64_t got = pipe_take(pipe, ...);
 *     if (got != -EAGAIN || nonblocking)
 *         return got;
 *     nub_linux_wait_object(wait, pipe);                    // woken by nub_linux_wake(linux, pipe)
 *     return nub_linux_wait(wait, NUB_LINUX_ERESTARTSYS);   // what a signal makes of it
 *
 * With a time-out:
 *
 *     if (!wait->restarted)
 *         nub_linux_wait_until(wait, nub_linux_monotonic(linux) + ns);   // kept while the call is served again
 *     else if (nub_linux_wait_is_over(linux, wait))
 *         return -ETIMEDOUT;
 *
 * A signal that is due ends a wait, whether it came before or during it: the scheduler looks for one before the thread leaves
 * the vCPU. So a handler need not look for signals.
 *
 * Objects are known by their address, which is compared and never followed. What is waited for is not kept in a snapshot:
 * after a thaw every waiting call is served again (restarted, its deadline and state kept).
 */
#ifndef NUB_LINUX_WAIT_H
#define NUB_LINUX_WAIT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nub_linux;

/* Results of handlers that are none of Linux's: */
#define NUB_LINUX_WAIT INT64_MIN       /* see above */
#define NUB_LINUX_KEEP (INT64_MIN + 1) /* the handler has set thread->vcpu.regs, rax too: rt_sigreturn, exit */

/* What becomes of a call that a signal interrupts (Linux, include/linux/errno.h); a program never sees these. */
enum {
	NUB_LINUX_ERESTARTSYS = 512,          /* EINTR, or again when the handler has SA_RESTART */
	NUB_LINUX_ERESTARTNOINTR = 513,       /* again, always */
	NUB_LINUX_ERESTARTNOHAND = 514,       /* EINTR when a handler ran, else again */
	NUB_LINUX_ERESTART_RESTARTBLOCK = 516 /* EINTR when a handler ran, else restart_syscall */
};

/* One thing waited for: a guest's object, or a host descriptor. */
struct nub_linux_awaited {
	const void *object; /* NULL: the descriptor */
	int host_fd;
	short events; /* POLLIN, ... */
};

enum { NUB_LINUX_MAX_AWAITED = 65536 };

struct nub_linux_wait {
	bool waiting;   /* the thread is off the vCPU until something comes */
	bool restarted; /* the handler is called again */
	bool ready;     /* something may have come: serve it again */
	bool overflow;  /* more was waited for than NUB_LINUX_MAX_AWAITED, or than there is memory for */
	bool has_deadline;
	uint64_t deadline_ns;            /* the guest's CLOCK_MONOTONIC */
	uint64_t state[4];               /* the handler's own, zero when a call begins; kept in snapshots */
	int64_t partial;                 /* what was moved so far: above 0, a signal makes this the result */
	int interrupted;                 /* EINTR or NUB_LINUX_ERESTART*: what the call gives when a signal comes */
	struct nub_linux_awaited *items; /* owned */
	size_t count, capacity;
};

/* Add to what is waited for; forgotten when the call is served again. -ENOMEM when there are too many: the return value of
 * nub_linux_wait is that then. */
void nub_linux_wait_object(struct nub_linux_wait *wait, const void *object);
void nub_linux_wait_fd(struct nub_linux_wait *wait, int host_fd, short events);

/* Until then, if nothing comes before. Kept while the call is served again. */
void nub_linux_wait_until(struct nub_linux_wait *wait, uint64_t deadline_ns);
bool nub_linux_wait_is_over(struct nub_linux *linux, const struct nub_linux_wait *wait);

/* What the handler returns: NUB_LINUX_WAIT, or -ENOMEM. `interrupted` is EINTR or one of NUB_LINUX_ERESTART*. */
int64_t nub_linux_wait(struct nub_linux_wait *wait, int interrupted);

/* A new call begins: everything is forgotten, but for the memory of `items`. */
void nub_linux_wait_begin(struct nub_linux_wait *wait);
/* The same call is served again: what is waited for is forgotten, the deadline and `state` are kept. */
void nub_linux_wait_again(struct nub_linux_wait *wait);
void nub_linux_wait_release(struct nub_linux_wait *wait);

/* Every thread that waits for this object is to look again (threads.c: it knows them all). */
void nub_linux_wake(struct nub_linux *linux, const void *object);

/* Does this wait have the object in its list? For nub_linux_wake. */
bool nub_linux_wait_has(const struct nub_linux_wait *wait, const void *object);

#endif
