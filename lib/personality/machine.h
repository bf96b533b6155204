/* A guest's machine, as a personality has it: its memory, what executes it, and what it was made with.
 *
 * It is part of a sandbox, which fills and releases it.
 */
#ifndef NUB_MACHINE_H
#define NUB_MACHINE_H

#include <signal.h>

#include "engine/engine.h"
#include "nub/outcome.h"
#include "nub/sandbox.h"

/* What is kept of the current exit for those who want to be told of it. */
struct nub_told {
	uint64_t left_ns; /* CLOCK_MONOTONIC, when the guest came out; only while somebody watches */
	bool has_item;
	uint64_t item_size; /* of the item that the exit came with */
	char call[NUB_NAME_MAX + 1];
};

struct nub_machine {
	const struct nub_image_info *guest; /* what runs here; borrowed from the image or the snapshot */
	struct nub_config config;           /* borrowed parts are used up during creation */
	struct nub_plan plan;
	struct nub_memory memory;
	struct nub_engine *engine; /* owned */
	struct nub_cpuid cpuid;
	uint64_t root_gpa;   /* of the page tables with which it starts */
	uint64_t generation; /* snapshots between the ELF file and now (R27) */
	uint64_t image_end;  /* gpa: below, memory is mapped from a snapshot's file; 0 without one */
	struct nub_exit_counts exits;
	struct nub_told told;
	struct nub_outcome *outcome; /* of the run that is under way */
	bool callback_failed;        /* the error that ends the run is the embedder's, whatever its kind */
	/* Set by nub_sandbox_freeze, in a signal handler: a Linux program is to stop, to be saved. */
	volatile sig_atomic_t freeze;
	int wake_fd; /* an eventfd that ends a wait for the host; -1 where guests never wait */
};

/* How an exit was dealt with. */
enum nub_verdict {
	NUB_VERDICT_FAILED = -1, /* *err says why, as ever; an error of class GUEST becomes a crash */
	NUB_VERDICT_GO_ON = 0,
	NUB_VERDICT_STOP, /* machine->outcome is filled */
	NUB_VERDICT_PASS, /* not at all: it is for somebody else, or the guest has crashed by it */
};

/* Copy guest memory at gva, through the page tables in use. Errors: GVA_*, GPA_*. */
int nub_machine_read(struct nub_machine *machine, uint64_t gva, void *bytes, size_t size, struct nub_error *err);

/* End the engine's run, or the wait, that is under way, or else the next one. For signal handlers. And take that back, when it
 * has done its work. */
void nub_machine_rouse(struct nub_machine *machine);
void nub_machine_calm(struct nub_machine *machine);

/* The outcome is a crash, with the registers as they are; more of it is the caller's to fill. */
struct nub_crash *nub_machine_crash(struct nub_machine *machine, enum nub_crash_kind kind);

#endif
