/* How a run ended, and of a crash all that is known of it.
 *
 * The struct is the caller's, who reads what belongs to its `kind`. Only the bytes of `result` lie elsewhere. Names are
 * static strings.
 */
#ifndef NUB_NUB_OUTCOME_H
#define NUB_NUB_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/nub_abi.h"
#include "nub/region.h"
#include "nub/value.h"

enum nub_outcome_kind {
	NUB_OUTCOME_READY,      /* initialised; functions can be called */
	NUB_OUTCOME_EXITED,     /* the program is over: exit_code */
	NUB_OUTCOME_RETURNED,   /* a call came back: result */
	NUB_OUTCOME_FAILED,     /* a call came back with an error of the guest's own: exit_code, message */
	NUB_OUTCOME_CHECKPOINT, /* stopped at a checkpoint (only when asked to) */
	NUB_OUTCOME_CRASHED,    /* crash */
	NUB_OUTCOME_TIMED_OUT,
	NUB_OUTCOME_INTERRUPTED, /* nub_sandbox_stop was called */
};

enum nub_crash_kind {
	NUB_CRASH_EXCEPTION,    /* vector, error_code, and for #PF address and access */
	NUB_CRASH_ABORT,        /* abort_code, abort_message */
	NUB_CRASH_BAD_PORT,     /* port, port_read */
	NUB_CRASH_NO_MEMORY,    /* a guest-physical access that nothing backs: address is a gpa */
	NUB_CRASH_TRIPLE_FAULT, /* registers_lost; also an exception for whose delivery there is no memory */
	NUB_CRASH_EMULATION,    /* an instruction that this host's KVM can't run */
	NUB_CRASH_HALTED,       /* hlt, with no interrupt that could end it */
	NUB_CRASH_SCRATCH,      /* no page left in scratch for a copy (cow=guest): abort_message says what to give */
	NUB_CRASH_ABI,          /* a broken ring, request or reply: abort_message says which */
	/* Of Linux programs; abort_message says more. */
	NUB_CRASH_SIGNAL,      /* ended by a signal: abort_code; with a vector when an instruction caused it */
	NUB_CRASH_DEADLOCK,    /* all threads wait for one another */
	NUB_CRASH_UNSUPPORTED, /* a system call that is not served, when that is to be an end */
	NUB_CRASH_MEMORY,      /* no memory is left for a page that it touched, or no table to map it by */
};

const char *nub_crash_kind_name(enum nub_crash_kind kind);

/* General registers in the order of struct nub_registers. */
struct nub_registers {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
};

struct nub_crash {
	enum nub_crash_kind kind;
	bool has_vector;
	unsigned vector;
	uint64_t error_code;
	bool has_address;
	uint64_t address;  /* CR2 for #PF (gva); a gpa for NO_MEMORY */
	unsigned access;   /* one of enum nub_region_flags: what the guest tried at `address` */
	bool page_present; /* #PF: the page is there, its permissions forbid the access */
	uint16_t port;
	bool port_read;            /* an `in`, not an `out` */
	unsigned privilege_level;  /* 0 or 3, of the faulting code */
	bool registers_lost;       /* TRIPLE_FAULT: this host's KVM did not keep them */
	struct nub_registers regs; /* as they were at the faulting instruction; zero when lost */
	struct nub_region region;  /* where `address` lies, or the nearest region */
	bool has_region;
	int64_t region_distance; /* 0 inside; else bytes from `address` to the region, negative when it lies below it */
	unsigned abort_code;
	char abort_message[NUB_ABORT_BUFFER_SIZE];
};

const char *nub_vector_name(unsigned vector); /* "#PF", …; NULL for vectors without a name */

struct nub_outcome {
	enum nub_outcome_kind kind;
	int exit_code;
	struct nub_value result; /* its bytes are the sandbox's until the next run or call */
	struct nub_crash crash;
	char message[256]; /* FAILED */
};

#endif
