/* Sandboxes: one guest each, in a VM of its own.
 *
 *     struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, &err);
 *     if (nub_sandbox_call(sandbox, "add", args, 2, &outcome, &err) == 0 && outcome.kind == NUB_OUTCOME_RETURNED)
 *         printf("%" PRId64 "\n", outcome.result.i64);
 *     nub_sandbox_free(sandbox);
 *
 * A sandbox runs main to its end, once, or any number of calls. After a crash or a time-out it runs no more (POISONED),
 * until nub_sandbox_reset. One thread at a time uses it; it owns all that it gives out.
 */
#ifndef NUB_NUB_SANDBOX_H
#define NUB_NUB_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/config.h"
#include "nub/error.h"
#include "nub/image.h"
#include "nub/outcome.h"
#include "nub/value.h"

/* Exits of the vCPU, counted by what they were. */
struct nub_exit_counts {
	uint64_t total;
	uint64_t halt, print, log, call, abort, trace, checkpoint, exception, interrupted, other;
};

struct nub_memory_info {
	uint64_t snapshot_size; /* page tables included */
	uint64_t scratch_size;
	uint64_t page_table_size;
	uint64_t mapped_size; /* files */
};

/* Lay out and fill the guest's memory, make the VM and its vCPU. Nothing of the guest has run afterwards. `image` and
 * config->ops.context must outlive the sandbox; all else in `config` may go. Errors: any but NOT_FOUND. */
struct nub_sandbox *nub_sandbox_create(const struct nub_config *config, const struct nub_image *image,
                                       struct nub_error *err);
void nub_sandbox_free(struct nub_sandbox *sandbox); /* NULL is fine */

/* Nothing of it is to run any more: what it takes long to end begins to end now, beside what the caller does next. After it
 * only its memory and figures may be asked for, and nub_sandbox_free called. NULL is fine. */
void nub_sandbox_finish(struct nub_sandbox *sandbox);

/* Run the guest until it is ready for calls (its constructors, not its main). Outcome READY, or EXITED, CRASHED,
 * TIMED_OUT, INTERRUPTED. All run functions: -1 is for the host's and the caller's errors; what the guest does wrong is an outcome. */
int nub_sandbox_initialise(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err);

/* Run main with these arguments to its end; initialises first if need be. */
int nub_sandbox_run_main(struct nub_sandbox *sandbox, unsigned argc, const char *const argv[],
                         struct nub_outcome *outcome, struct nub_error *err);

/* Call an exported function, its arguments checked against its declaration first; initialises if need be. */
int nub_sandbox_call(struct nub_sandbox *sandbox, const char *name, const struct nub_value *args, unsigned arg_count,
                     struct nub_outcome *outcome, struct nub_error *err);

/* Time left of config.timeout_ns for the current run, for host functions and writers that may block; UINT64_MAX
 * without a timeout, 0 when it is over, and after nub_sandbox_stop. A callback that gives up for that reason fails with
 * NUB_E_NONE. */
uint64_t nub_sandbox_remaining_ns(const struct nub_sandbox *sandbox);

/* The clock (clockid_t) of the CPU time that the guest takes in a process of its own (clock_gettime(2), timer_create(2)), until the sandbox is
 * reset or freed. False: it takes this process's. */
bool nub_sandbox_cpu_clock(const struct nub_sandbox *sandbox, int *clock);

/* Have the guest stop for config.ops.stopped, soon, then go on. For signal handlers of the thread that uses the sandbox, at
 * any time while there is one: between two runs, it is the next that stops. */
void nub_sandbox_interrupt(struct nub_sandbox *sandbox);

/* Have this run, or the next one if none is under way, end as INTERRUPTED, soon. For the same signal handlers; a callback
 * that blocks is to look at nub_sandbox_remaining_ns when a signal came. */
void nub_sandbox_stop(struct nub_sandbox *sandbox);

const struct nub_exit_counts *nub_sandbox_exit_counts(const struct nub_sandbox *sandbox);
void nub_sandbox_memory_info(const struct nub_sandbox *sandbox, struct nub_memory_info *info);

/* A page of guest memory that has been touched, by the guest or by the host. */
struct nub_page_use {
	uint64_t gpa;
	uint64_t gva; /* the lowest one at which the guest has it now; 0: none */
	bool changed; /* in a restored guest: it is not the snapshot's any more */
};

/* All pages that the guest or the host, to fill its memory, has touched, by gpa. As the host's kernel counts: a huge page is
 * touched whole. Frees with free(). Errors: IO, NO_MEMORY. */
struct nub_page_use *nub_sandbox_pages(struct nub_sandbox *sandbox, size_t *count, struct nub_error *err);

/* Something that a Linux program has mapped. */
struct nub_mapped {
	struct nub_region region; /* its gpa is 0: pages come one by one */
	char name[256];           /* as /proc/self/maps has it: a path, "[heap]", "[stack]"; empty without one */
};

/* All of it, by gva; an empty list for other guests. Frees with free(). Error: NO_MEMORY. */
struct nub_mapped *nub_sandbox_mapped(struct nub_sandbox *sandbox, size_t *count, struct nub_error *err);

/* Copy guest memory at gva, through the page tables (R33). Errors: GVA_*, GPA_*. */
int nub_sandbox_read(struct nub_sandbox *sandbox, uint64_t gva, void *bytes, size_t size, struct nub_error *err);

/* The files that a Linux program has in memory now, for symbols and call stacks; of what is not to be had, none. The caller frees
 * it. NULL for other guests, and when there is no memory for it. */
struct nub_image *nub_sandbox_modules(struct nub_sandbox *sandbox);

/* The general registers: those of the fault after a crash, else the vCPU's. */
void nub_sandbox_registers(const struct nub_sandbox *sandbox, const struct nub_outcome *outcome,
                           struct nub_registers *regs);

#endif
