/* The inside of a sandbox, shared by the files that create it, run it, serve its ports and explain its crashes. */
#ifndef NUB_SANDBOX_H
#define NUB_SANDBOX_H

#include <signal.h>
#include <time.h>

#include "base/buffer.h"
#include "cpu/cpu.h"
#include "machine/kvm.h"
#include "machine/monitor.h"
#include "memory/memory.h"
#include "memory/plan.h"
#include "nub.h"
#include "sandbox/debug.h"
#include "snapfile/snapfile.h"
#include "snapshot/dirty.h"

enum nub_sandbox_state {
	NUB_STATE_FRESH,       /* nothing has run */
	NUB_STATE_READY,       /* initialised, can be called */
	NUB_STATE_STOPPED,     /* at a checkpoint, in the middle of its code */
	NUB_STATE_BROKEN_INTO, /* by a debugger, anywhere; only while it saves a snapshot */
	NUB_STATE_ENDED,       /* the program exited */
	NUB_STATE_POISONED,    /* crashed, timed out or interrupted (R36) */
};

/* What the current run is to come to. */
enum nub_sandbox_goal {
	NUB_GOAL_INITIALISE,
	NUB_GOAL_MAIN,
	NUB_GOAL_CALL,
	NUB_GOAL_RESUME, /* whatever it was when it stopped at its checkpoint */
};

/* A timer that ends KVM_RUN by a signal which is pending, never handled: see nub_deadline_start. */
struct nub_deadline {
	uint64_t at_ns; /* CLOCK_MONOTONIC; 0 none */
	bool armed;
	uint64_t left_ns; /* of a deadline that is paused */
	timer_t timer;
	sigset_t saved_mask;
};

/* What is kept of the current exit for those who want to be told of it. */
struct nub_watch {
	uint64_t entered_ns, left_ns;
	bool has_item;
	uint64_t item_size; /* of the item that the exit came with */
	char call[NUB_NAME_MAX + 1];
	uint64_t tsc_khz;       /* of the guest; 0 until it is needed, or unknown */
	uint64_t last_trace_ns; /* time of the last trace record */
};

/* The part of a large heap that has no memslot yet: whole 2 MiB, of one region. */
struct nub_deferred {
	uint64_t gva, gpa, size; /* size 0: nothing */
	unsigned slots;          /* that were made for what was part of it */
	bool tail;               /* there is a slot for what lies behind it */
};

struct nub_sandbox {
	const struct nub_image_info *guest;  /* what runs here; borrowed from the image or the snapshot */
	const struct nub_snapshot *snapshot; /* where its memory came from; NULL for an ELF file */
	struct nub_config config;            /* borrowed parts are used up during creation */
	struct nub_plan plan;
	struct nub_memory memory;
	struct nub_vm vm;
	enum nub_sandbox_state state;
	enum nub_sandbox_goal goal;
	uint64_t generation; /* snapshots between the ELF file and now (R27) */
	uint64_t peb_gva, stack_top_gva, dispatch_gva;
	struct nub_cpuid cpuid;
	struct nub_cpu_tables cpu_tables;
	uint64_t roots[NUB_SNAPSHOT_MAX_ROOTS]; /* as the guest named them at its checkpoint (CPL 0) */
	uint64_t roots_gva;                     /* and where it keeps them */
	unsigned root_count;
	uint64_t next_free_gpa; /* in scratch: what the host has given out so far ends here (cow=guest) */
	uint64_t spurious_gva;  /* of the last fault that had no cause, and how many came in a row */
	unsigned spurious_count;
	/* Set by nub_sandbox_interrupt, in a signal handler: config.ops.stopped is due. */
	volatile sig_atomic_t interrupt;
	volatile sig_atomic_t stop; /* set by nub_sandbox_stop: the run is to end */
	bool restored_answer;       /* the checkpoint that it stands at is to return 1 */
	/* Whether the snapshot's page tables keep the guest to its own memory (freeze/confined.h), once that is asked. */
	bool confined_known, confined;
	struct nub_deferred deferred;
	struct nub_dirty dirty;
	uint64_t random_state; /* of the generator behind config.seed */
	struct nub_deadline deadline;
	struct nub_debugger *debugger; /* owned; NULL without one */
	struct nub_exit_counts exits;
	struct nub_watch watch;
	uint8_t *item; /* one item of the output ring, config.output_size bytes; allocated when first used */
	struct nub_buffer request; /* what goes on the input ring */
	uint8_t abort_bytes[NUB_ABORT_BUFFER_SIZE];
	size_t abort_size;
	bool callback_failed; /* the error that ends the run is the embedder's, whatever its kind */
};

/* How an exit was dealt with. -1 is an error as ever; a GUEST-class error becomes a crash. */
enum nub_step {
	NUB_STEP_FAILED = -1,
	NUB_STEP_GO_ON = 0,
	NUB_STEP_STOP = 1, /* *outcome is filled */
};

/* Slots of memory: the snapshot region, scratch, the mapped files; and where a part of the snapshot region is deferred,
 * what lies behind that part, and what it became. */
enum nub_slot {
	NUB_SLOT_SNAPSHOT,
	NUB_SLOT_SCRATCH,
	NUB_SLOT_FILES,
	NUB_SLOT_TAIL = NUB_SLOT_FILES + NUB_MAX_FILE_MAPPINGS,
	NUB_SLOT_GROWTH,
	NUB_SLOT_MAX_GROWTH = 16,
};

/* ---- sandbox.c: what making and restoring share ---- */

/* Rings, CPU tables, monitor and metadata into zeroed scratch, with a seed for this life of the guest. */
int nub_sandbox_fill_scratch(struct nub_sandbox *sandbox, struct nub_error *err);

/* May its VM have a local APIC (machine/kvm.h)? Mapped files and scratch lie above it. */
bool nub_sandbox_may_have_apic(const struct nub_image_info *guest, const struct nub_layout *layout);

/* VM, slots, CPUID, XCR0. The special registers are the caller's to set. */
int nub_sandbox_build_vm(struct nub_sandbox *sandbox, struct nub_error *err);

/* ---- exits.c: what an exit is about ---- */

/* Serve the exit that KVM_RUN came back with. */
enum nub_step nub_exit_serve(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err);

/* ---- ports.c: the ABI's ports ---- */

/* Serve an `out` to `port`. *known is false, and nothing done, when the ABI has no such port. */
enum nub_step nub_port_serve(struct nub_sandbox *sandbox, uint16_t port, bool *known, struct nub_outcome *outcome,
                             struct nub_error *err);

/* With these registers, does the guest stand right behind the `out` of a checkpoint, so that rax is to be its answer? A
 * debugger may have saved it anywhere else, where all registers are its own. */
bool nub_checkpoint_stands_at(struct nub_sandbox *sandbox, const struct nub_registers *regs);

/* A guest at CPL 0 that is at a checkpoint, with these registers, names its page-table roots. No others have any. */
int nub_checkpoint_take_roots(struct nub_sandbox *sandbox, const struct nub_registers *regs, struct nub_error *err);

/* The name of a port's exits, as in struct nub_exit_counts; NULL when the ABI has no such port. */
const char *nub_port_name(uint16_t port);

/* ---- watch.c: telling the embedder of exits and of what a traced guest did ---- */

/* Around KVM_RUN, and when the exit has been dealt with. They cost a comparison when nobody watches. */
void nub_watch_enter(struct nub_sandbox *sandbox);
void nub_watch_leave(struct nub_sandbox *sandbox);
void nub_watch_served(struct nub_sandbox *sandbox, bool interrupted);

/* Hand on the batch of trace records in sandbox->item. */
enum nub_step nub_watch_trace(struct nub_sandbox *sandbox, uint64_t size, struct nub_error *err);

/* ---- calls.c: calls from the guest to the host ---- */

enum nub_step nub_host_call_serve(struct nub_sandbox *sandbox, struct nub_error *err);

/* Take the last item of the output ring into sandbox->item. */
int nub_sandbox_pop(struct nub_sandbox *sandbox, uint64_t *size, struct nub_error *err);

/* Put sandbox->request on the input ring. */
int nub_sandbox_push_request(struct nub_sandbox *sandbox, struct nub_error *err);

/* Random bytes for the guest: from the seed when there is one, else from the kernel. */
int nub_sandbox_random(struct nub_sandbox *sandbox, void *bytes, size_t size, struct nub_error *err);

/* ---- cow.c: copy on write by the monitor (cow=guest) ---- */

/* The guest faulted. When it was the first write to a page that is copied on write, give it a copy and go on: GO_ON.
 * STOP when scratch has no page left, with the outcome filled. *handled is false for any other fault. */
enum nub_step nub_cow_fault(struct nub_sandbox *sandbox, const struct nub_exception_frame *frame,
                            const struct nub_sregs *sregs, bool *handled, struct nub_outcome *outcome,
                            struct nub_error *err);

/* ---- memslots.c: what the VM shows of the memory, and memory that waits for its first touch ---- */

/* For all of the sandbox's memory, into a VM that has none. */
int nub_memslots_set(struct nub_sandbox *sandbox, struct nub_error *err);
int nub_memslots_drop(struct nub_sandbox *sandbox, struct nub_error *err);
int nub_memslots_set_scratch(struct nub_sandbox *sandbox, struct nub_error *err);
int nub_memslots_drop_scratch(struct nub_sandbox *sandbox, struct nub_error *err);

/* Take what waits out of the page tables in use. To be called before the guest runs on tables that were written anew. */
int nub_memslots_hide(struct nub_sandbox *sandbox, struct nub_error *err);

/* The guest faulted. When it touched what waits, it gets it: *handled is true then. */
int nub_memslots_fault(struct nub_sandbox *sandbox, const struct nub_exception_frame *frame,
                       const struct nub_sregs *sregs, bool *handled, struct nub_error *err);

/* ---- crash.c: what went wrong in the guest ---- */

/* The frame that the monitor left, and the special registers; then the crash that follows, or that of an exit that ends
 * the run. All fill outcome->crash. */
int nub_exception_read(struct nub_sandbox *sandbox, struct nub_exception_frame *frame, struct nub_sregs *sregs,
                       struct nub_error *err);
void nub_crash_exception(struct nub_sandbox *sandbox, const struct nub_exception_frame *frame,
                         const struct nub_sregs *sregs, struct nub_outcome *outcome);
void nub_crash_scratch(struct nub_sandbox *sandbox, const struct nub_exception_frame *frame, uint64_t address,
                       struct nub_outcome *outcome);
void nub_crash_exit(struct nub_sandbox *sandbox, enum nub_crash_kind kind, struct nub_outcome *outcome);
void nub_crash_abort(struct nub_sandbox *sandbox, struct nub_outcome *outcome);
void nub_crash_abi(struct nub_sandbox *sandbox, const struct nub_error *reason, struct nub_outcome *outcome);

/* ---- stop.c: a sandbox that stands still ---- */

/* The run was interrupted: call config.ops.stopped, then GO_ON. */
enum nub_step nub_sandbox_serve_interrupt(struct nub_sandbox *sandbox, struct nub_error *err);

/* The run is over: call config.ops.stopped if the outcome is one to explain. */
int nub_sandbox_tell_stop(struct nub_sandbox *sandbox, const struct nub_outcome *outcome, struct nub_error *err);

/* ---- deadline.c ---- */

/* Blocks NUB_DEADLINE_SIGNAL in this thread and arms a timer that sends it here after timeout_ns (0: does nothing). */
#define NUB_DEADLINE_SIGNAL (SIGRTMIN + 7)
int nub_deadline_start(struct nub_deadline *deadline, struct nub_vm *vm, uint64_t timeout_ns, struct nub_error *err);
void nub_deadline_stop(struct nub_deadline *deadline);
bool nub_deadline_passed(const struct nub_deadline *deadline);

/* Stop the clock, and let it go on: time that a debugger takes is not the guest's. */
void nub_deadline_pause(struct nub_deadline *deadline);
void nub_deadline_go_on(struct nub_deadline *deadline);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t nub_clock_ns(void);

#endif
