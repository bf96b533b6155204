/* The inside of a Linux program that runs: what the personality stands on, made of memory and an engine. */
#ifndef NUB_PROGRAM_PARTS_H
#define NUB_PROGRAM_PARTS_H

#include <signal.h>
#include <sys/stat.h>

#include "base/random.h"
#include "engine/engine.h"
#include "nub/program.h"
#include "personality/linux/linux.h"
#include "sandbox/sandbox.h"

struct nub_program {
	struct nub_program_config config;
	struct nub_plan plan;
	struct nub_memory memory;
	struct nub_cpuid cpuid;  /* what it is shown, as far as that is the engine's to say */
	struct nub_cpuid needed; /* what it may have found, here or where it was saved */
	struct nub_engine *engine;
	struct nub_linux *linux;
	struct nub_exit_counts exits;
	struct nub_deadline deadline, slice;
	struct nub_random random;
	volatile sig_atomic_t stop;
	volatile sig_atomic_t freeze; /* nub_program_freeze was called */
	uint64_t stop_at_ns;          /* CLOCK_MONOTONIC, from stop_after_ns; 0 never */
	uint64_t calls_left;          /* of config.stop_call */
	uint64_t image_end;           /* gpa: what is below is mapped from a saved program's file; 0 without one */
	int file_fd;                  /* that file; -1 without one */
	const char *file_name;        /* borrowed */
	struct stat file_status;      /* as it was when it was opened */
	bool stopped;                 /* at a CHECKPOINT */
	int stop_fd;                  /* an eventfd that nub_program_stop writes to: ends a wait */
	struct pollfd *polls;         /* of the wait, with stop_fd; owned */
	size_t poll_capacity;
};

/* ---- program_plan.c: memory ----
 *
 *     gpa 0x1000     page tables, up to a multiple of 2 MiB; a 64th of the memory, at least 1 MiB
 *                    the program's memory, as its calls and touches give it out
 *     scratch        the engine's two pages, then as ever
 */

/* Plan and map it, and write the first page tables. Error: SIZE, MEMORY_TOO_BIG, NO_MEMORY. */
int nub_program_make_memory(struct nub_program *program, uint64_t *tables_used, struct nub_error *err);

/* ---- program.c: what making and restoring share ---- */

/* A program that has its engine, its memory, and the state of a Linux program that nothing is in yet. NULL and *err. */
struct nub_program *nub_program_new(const struct nub_program_config *config, struct nub_error *err);

/* ---- program_file.c ---- */

/* Is the file that it runs from, if it does, still as it was? Error: IO, naming it. */
int nub_program_unchanged(const struct nub_program *program, struct nub_error *err);

/* ---- program_machine.c ---- */

extern const struct nub_linux_machine_ops nub_program_machine_ops; /* context: struct nub_program */

/* ---- program_slice.c ---- */

/* Have the engine's run end when the current thread's slice does, or something else is due. Error: IO, KVM. */
int nub_program_arm_slice(struct nub_program *program, struct nub_error *err);
/* Was that why it ended? */
bool nub_program_slice_over(struct nub_program *program);
/* It is over, but the program can't be interrupted just now: have the run end once more, a little later. */
void nub_program_slice_soon(struct nub_program *program);
void nub_program_disarm_slice(struct nub_program *program);

/* ---- program_end.c ---- */

/* How it ended, by linux->end. -1 when the host failed. */
int nub_program_tell_end(const struct nub_program *program, struct nub_outcome *outcome, struct nub_error *err);

/* An exit that ends any guest. */
void nub_program_tell_crash(const struct nub_program *program, enum nub_crash_kind kind, struct nub_outcome *outcome);

#endif
