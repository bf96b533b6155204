/* The parameters of the guest's vdso, from which its clocks are computed without a system call. */
#ifndef NUB_LINUX_VDSO_PAGE_H
#define NUB_LINUX_VDSO_PAGE_H

#include "personality/linux/linux.h"
#include "personality/linux/vdso/vdso_data.h"

/* Bring the parameters up to date if they are old: before the vCPU is entered. The next pair of clock and time-stamp counter,
 * and a rate that is measured over a second and more. */
void nub_linux_vdso_refresh(struct nub_linux *linux);

/* The time-stamp counter is another one: a thaw. The guest's next refresh begins anew. */
void nub_linux_vdso_forget(struct nub_linux *linux);

/* Pure: `ticks` of the counter take `ns`; and what the guest computes from the parameters. */
uint64_t nub_linux_vdso_mult(uint64_t ns, uint64_t ticks);
uint64_t nub_linux_vdso_clock(const struct nub_vdso_data *data, unsigned which, uint64_t tsc);

#endif
