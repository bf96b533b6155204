/* The inside of a sandbox, shared by the files that create it, run it, serve its exits and explain its crashes. */
#ifndef NUB_SANDBOX_H
#define NUB_SANDBOX_H

#include <signal.h>
#include <time.h>

#include "nub.h"
#include "personality/personality.h"
#include "sandbox/debug.h"
#include "snapshot/file/dirty.h"

enum nub_sandbox_state {
	NUB_STATE_FRESH,       /* nothing has run */
	NUB_STATE_READY,       /* initialised, can be called */
	NUB_STATE_STOPPED,     /* at a checkpoint, in the middle of its code */
	NUB_STATE_BROKEN_INTO, /* by a debugger, anywhere; only while it saves a snapshot */
	NUB_STATE_ENDED,       /* the program exited */
	NUB_STATE_POISONED,    /* crashed, timed out or interrupted (R36) */
};

/* A timer that ends the engine's run by a signal which is pending, never handled: see nub_deadline_start. */
struct nub_deadline {
	uint64_t at_ns; /* CLOCK_MONOTONIC; 0 none */
	bool armed;
	uint64_t left_ns; /* of a deadline that is paused */
	timer_t timer;
	sigset_t saved_mask;
};

struct nub_sandbox {
	struct nub_machine machine;
	struct nub_personality *personality; /* owned */
	const struct nub_snapshot *snapshot; /* where its memory came from; NULL for an ELF file */
	enum nub_sandbox_state state;
	/* Set by nub_sandbox_interrupt, in a signal handler: config.ops.stopped is due. */
	volatile sig_atomic_t interrupt;
	volatile sig_atomic_t stop; /* set by nub_sandbox_stop: the run is to end */
	/* Whether the snapshot's page tables keep the guest to its own memory (snapshot/restore/confined.h), once that is asked. */
	bool confined_known, confined;
	struct nub_dirty dirty;
	struct nub_deadline deadline;
	struct nub_debugger *debugger; /* owned; NULL without one */
	uint64_t entered_ns;           /* the guest, last; only while somebody watches */
	struct pollfd *polls;          /* owned: of the last wait for the host */
	size_t poll_capacity;
};

/* ---- sandbox.c: what making and restoring share ---- */

/* One that has nothing yet but an engine and a personality, for a guest of this ABI. NULL: *err says why. */
struct nub_sandbox *nub_sandbox_new(const struct nub_config *config, enum nub_abi abi, struct nub_error *err);

/* Does it find the CPU's own CPUID, whatever it is to be shown? */
bool nub_sandbox_finds_native_cpuid(const struct nub_sandbox *sandbox);

/* The guest, as its engine wants to know it. */
struct nub_engine_guest nub_sandbox_engine_guest(struct nub_sandbox *sandbox);

/* ---- idle.c ---- */

/* Wait as *idle says, until the deadline, or until nub_machine_rouse is called. Errors: IO, NO_MEMORY. */
int nub_sandbox_wait(struct nub_sandbox *sandbox, const struct nub_idle *idle, struct nub_error *err);

/* ---- exits.c: what an exit is about ---- */

/* Serve the exit with which the engine came back: any but PASS. */
enum nub_verdict nub_exit_serve(struct nub_sandbox *sandbox, const struct nub_exit *exit, struct nub_error *err);

/* ---- watch.c: telling the embedder of exits ---- */

/* Before the engine runs, and when the exit has been dealt with. They cost a comparison when nobody watches. */
void nub_watch_enter(struct nub_sandbox *sandbox);
void nub_watch_served(struct nub_sandbox *sandbox, const struct nub_exit *exit);

/* ---- crash.c: what went wrong in the guest ---- */

/* The crash that a fault is, that of a full scratch, or that of a guest which breaks its ABI. */
void nub_crash_exception(struct nub_sandbox *sandbox, const struct nub_exit *exit);
void nub_crash_scratch(struct nub_sandbox *sandbox, const struct nub_exit *exit);
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
