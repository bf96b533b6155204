/* The inside of a sandbox, shared by the files that create it, run it, serve its ports and explain its crashes. */
#ifndef NUB_SANDBOX_H
#define NUB_SANDBOX_H

#include <signal.h>
#include <time.h>

#include "base/buffer.h"
#include "cpu/cpu.h"
#include "engine/engine.h"
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

/* A timer that ends the engine's run by a signal which is pending, never handled: see nub_deadline_start. */
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

struct nub_sandbox {
	const struct nub_image_info *guest;  /* what runs here; borrowed from the image or the snapshot */
	const struct nub_snapshot *snapshot; /* where its memory came from; NULL for an ELF file */
	struct nub_config config;            /* borrowed parts are used up during creation */
	struct nub_plan plan;
	struct nub_memory memory;
	struct nub_engine *engine; /* owned */
	enum nub_sandbox_state state;
	enum nub_sandbox_goal goal;
	uint64_t generation; /* snapshots between the ELF file and now (R27) */
	uint64_t peb_gva, stack_top_gva, dispatch_gva;
	struct nub_cpuid cpuid;
	uint64_t root_gpa;                      /* of the page tables with which it starts */
	uint64_t roots[NUB_SNAPSHOT_MAX_ROOTS]; /* as the guest named them at its checkpoint (CPL 0) */
	uint64_t roots_gva;                     /* and where it keeps them */
	unsigned root_count;
	/* Set by nub_sandbox_interrupt, in a signal handler: config.ops.stopped is due. */
	volatile sig_atomic_t interrupt;
	volatile sig_atomic_t stop; /* set by nub_sandbox_stop: the run is to end */
	bool restored_answer;       /* the checkpoint that it stands at is to return 1 */
	/* Whether the snapshot's page tables keep the guest to its own memory (freeze/confined.h), once that is asked. */
	bool confined_known, confined;
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
	struct nub_outcome *outcome; /* of the run that is under way */
	bool callback_failed;        /* the error that ends the run is the embedder's, whatever its kind */
};

/* ---- sandbox.c: what making and restoring share ---- */

/* Rings and metadata into zeroed scratch, with a seed for this life of the guest. */
int nub_sandbox_fill_scratch(struct nub_sandbox *sandbox, struct nub_error *err);

/* The guest, as its engine wants to know it. */
struct nub_engine_guest nub_sandbox_engine_guest(struct nub_sandbox *sandbox);

/* ---- exits.c: what an exit is about ---- */

/* Serve the exit with which the engine came back: any but PASS. */
enum nub_verdict nub_exit_serve(struct nub_sandbox *sandbox, const struct nub_exit *exit, struct nub_error *err);

/* ---- ports.c: the ABI's ports ---- */

/* Those that code at CPL 3 may use. */
extern const uint8_t nub_open_ports[];
extern const size_t nub_open_port_count;

/* Serve an `out` to `port`. PASS when the ABI has no such port. */
enum nub_verdict nub_port_serve(struct nub_sandbox *sandbox, uint16_t port, struct nub_error *err);

/* With these registers, does the guest stand right behind the `out` of a checkpoint, so that rax is to be its answer? A
 * debugger may have saved it anywhere else, where all registers are its own. */
bool nub_checkpoint_stands_at(struct nub_sandbox *sandbox, const struct nub_registers *regs);

/* A guest at CPL 0 that is at a checkpoint, with these registers, names its page-table roots. No others have any. */
int nub_checkpoint_take_roots(struct nub_sandbox *sandbox, const struct nub_registers *regs, struct nub_error *err);

/* The name of a port's exits, as in struct nub_exit_counts; NULL when the ABI has no such port. */
const char *nub_port_name(uint16_t port);

/* ---- watch.c: telling the embedder of exits and of what a traced guest did ---- */

/* Before the engine runs, and when the exit has been dealt with. They cost a comparison when nobody watches. */
void nub_watch_enter(struct nub_sandbox *sandbox);
void nub_watch_served(struct nub_sandbox *sandbox, const struct nub_exit *exit);

/* Hand on the batch of trace records in sandbox->item. */
enum nub_verdict nub_watch_trace(struct nub_sandbox *sandbox, uint64_t size, struct nub_error *err);

/* ---- calls.c: calls from the guest to the host ---- */

enum nub_verdict nub_host_call_serve(struct nub_sandbox *sandbox, struct nub_error *err);

/* Take the last item of the output ring into sandbox->item. */
int nub_sandbox_pop(struct nub_sandbox *sandbox, uint64_t *size, struct nub_error *err);

/* Put sandbox->request on the input ring. */
int nub_sandbox_push_request(struct nub_sandbox *sandbox, struct nub_error *err);

/* Random bytes for the guest: from the seed when there is one, else from the kernel. */
int nub_sandbox_random(struct nub_sandbox *sandbox, void *bytes, size_t size, struct nub_error *err);

/* ---- crash.c: what went wrong in the guest ---- */

/* The crash of an exit that ends the run, with the registers as they are; then more of it by what it was. They fill
 * sandbox->outcome. */
void nub_crash_exit(struct nub_sandbox *sandbox, enum nub_crash_kind kind);
void nub_crash_exception(struct nub_sandbox *sandbox, const struct nub_exit *exit);
void nub_crash_scratch(struct nub_sandbox *sandbox, const struct nub_exit *exit);
void nub_crash_abort(struct nub_sandbox *sandbox);
void nub_crash_abi(struct nub_sandbox *sandbox, const struct nub_error *reason);

/* ---- stop.c: a sandbox that stands still ---- */

/* The run was interrupted: call config.ops.stopped, then GO_ON. */
enum nub_verdict nub_sandbox_serve_interrupt(struct nub_sandbox *sandbox, struct nub_error *err);

/* The run is over: call config.ops.stopped if the outcome is one to explain. */
int nub_sandbox_tell_stop(struct nub_sandbox *sandbox, const struct nub_outcome *outcome, struct nub_error *err);

/* ---- deadline.c ---- */

/* Blocks NUB_DEADLINE_SIGNAL in this thread and arms a timer that sends it here after timeout_ns (0: does nothing). */
#define NUB_DEADLINE_SIGNAL (SIGRTMIN + 7)
int nub_deadline_start(struct nub_deadline *deadline, struct nub_engine *engine, uint64_t timeout_ns,
                       struct nub_error *err);
void nub_deadline_stop(struct nub_deadline *deadline);
bool nub_deadline_passed(const struct nub_deadline *deadline);

/* Stop the clock, and let it go on: time that a debugger takes is not the guest's. */
void nub_deadline_pause(struct nub_deadline *deadline);
void nub_deadline_go_on(struct nub_deadline *deadline);

#endif
