/* The seccomp filter of the box: what its stub may call, and nobody else (seccomp(2), bpf(2)). Pure. */
#ifndef NUB_FILTER_H
#define NUB_FILTER_H

#include <linux/filter.h>
#include <stdint.h>

enum { NUB_FILTER_MAX = 48 };

/* Fill filter[0..NUB_FILTER_MAX) for a box whose memory is the file `memory_fd`; how many instructions it has is
 * returned.
 *
 * Let through are, when the instruction lies in the stub's page: rt_sigreturn, munmap, mprotect, mmap of memory_fd alone,
 * shared and at a fixed address, and futex to wait and to wake. Everything else, from anywhere, is SIGSYS in the box. */
unsigned nub_filter_fill(struct sock_filter *filter, int memory_fd);

#endif
