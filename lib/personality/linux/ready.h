/* What poll, select and epoll_wait have in common: time-outs, and waiting for many files. */
#ifndef NUB_LINUX_READY_H
#define NUB_LINUX_READY_H

#include <stdbool.h>
#include <stdint.h>

#include "personality/linux/linux.h"

/* A call's time-out: it begins with the call, and is kept in wait.state[0] and [1] while the call is served again. */
struct nub_linux_timeout {
	bool forever;
	uint64_t ns; /* relative */
};

/* Is its time over? Also begins it. */
bool nub_linux_timeout_over(struct nub_linux *linux, struct nub_linux_thread *thread,
                            const struct nub_linux_timeout *timeout);

/* Before what is waited for is added: the time-out bounds the wait. */
void nub_linux_timeout_set(struct nub_linux_thread *thread, const struct nub_linux_timeout *timeout);

/* How much of it is left. */
uint64_t nub_linux_timeout_left(struct nub_linux *linux, const struct nub_linux_thread *thread,
                                const struct nub_linux_timeout *timeout);

/* Read a struct timespec (NULL: forever). -EFAULT, -EINVAL. And write what is left, where the call does so. */
int64_t nub_linux_timeout_read(struct nub_linux *linux, uint64_t gva, struct nub_linux_timeout *timeout);
void nub_linux_timeout_write(struct nub_linux *linux, const struct nub_linux_thread *thread, uint64_t gva,
                             const struct nub_linux_timeout *timeout, uint64_t unit);

/* The signal mask that ppoll(2) and its like hold while they last; gva 0: none. 0, -EINVAL or -EFAULT. */
int64_t nub_linux_mask_for_call(struct nub_linux *linux, struct nub_linux_thread *thread, uint64_t gva, uint64_t size);

/* Wait until then at the latest, whatever else bounds the wait. */
void nub_linux_wait_no_later(struct nub_linux_wait *wait, uint64_t deadline_ns);

#endif
