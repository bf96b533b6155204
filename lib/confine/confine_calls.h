/* The seccomp filter of a process that runs a guest: which system calls are let through (seccomp(2)). Pure. */
#ifndef NUB_CONFINE_CALLS_H
#define NUB_CONFINE_CALLS_H

#include <linux/filter.h>
#include <stdint.h>

#include "nub/confine.h"

/* System calls are numbered from 0; the kernel's table ends below this, and the x32 ones begin far above. */
enum { NUB_CONFINE_NUMBERS = 512, NUB_CONFINE_FILTER_MAX = 200 };

/* What becomes of a call. Where it is CHECKED, its arguments decide between ALLOWED and FORBIDDEN. */
enum nub_confine_call {
	NUB_CONFINE_FORBIDDEN, /* SIGSYS */
	NUB_CONFINE_REFUSED,   /* EACCES: nothing is to be opened, and whoever tries can do without */
	NUB_CONFINE_ALLOWED,
	NUB_CONFINE_CHECKED,
};

/* Of every number. */
void nub_confine_verdicts(const struct nub_confine_config *config, uint8_t verdicts[NUB_CONFINE_NUMBERS]);

/* Fill filter[0..NUB_CONFINE_FILTER_MAX) for the process `pid`; how many instructions it has is returned, 0 when there is no
 * room. What the kernel makes of it costs time by the instruction, so most numbers are bits in a few words. */
unsigned nub_confine_filter(const struct nub_confine_config *config, int32_t pid, struct sock_filter *filter);

#endif
