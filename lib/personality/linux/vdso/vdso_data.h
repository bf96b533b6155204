/* The page of parameters from which the guest's vdso computes its clocks: written by nubrun, read by guest code.
 *
 * A clock's ns at time-stamp counter t is base[] + ((t - tsc) * mult >> NUB_VDSO_SHIFT), with 128 bits in between. The writer
 * makes `sequence` odd while it changes the rest; guest and nubrun never run at the same time on the page, but a guest's thread
 * can be taken off the vCPU between two reads.
 */
#ifndef NUB_LINUX_VDSO_DATA_H
#define NUB_LINUX_VDSO_DATA_H

#include <stdint.h>

#define NUB_VDSO_SHIFT 32

enum { NUB_VDSO_REALTIME, NUB_VDSO_MONOTONIC, NUB_VDSO_CLOCKS };

struct nub_vdso_data {
	uint32_t sequence;
	uint32_t usable; /* 0: make the system call */
	uint64_t tsc, mult;
	uint64_t base[NUB_VDSO_CLOCKS];
	uint64_t generation; /* thaws so far: what a program may look at to see that it is a copy */
};

#endif
