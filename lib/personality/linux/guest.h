/* The inside of a guest that is a Linux program: the personality's door (personality.h) made of struct nub_linux, and what that
 * stands on (machine.h) made of a guest's memory and its engine.
 */
#ifndef NUB_LINUX_GUEST_H
#define NUB_LINUX_GUEST_H

#include <signal.h>
#include <time.h>

#include "base/random.h"
#include "personality/linux/linux.h"
#include "personality/personality.h"

/* The timer of the current thread's slice. */
struct nub_linux_slice {
	uint64_t at_ns; /* CLOCK_MONOTONIC; 0 never */
	bool armed;
	timer_t timer;
	sigset_t saved_mask;
};

/* A part of the program's file that is in the guest's memory before the program is loaded. */
struct nub_linux_shown {
	uint64_t offset, size, gpa;
};
enum { NUB_LINUX_MOST_SHOWN = 8 };

struct nub_linux_guest {
	struct nub_personality personality; /* first */
	struct nub_linux *linux;            /* owned; NULL until the engine has started */
	struct nub_image_info info;         /* machine->guest, once the program is loaded */
	struct nub_random random;
	struct nub_linux_slice slice;
	bool entered;        /* the engine is to go on, nothing has happened that the program is to know of */
	uint64_t stop_at_ns; /* CLOCK_MONOTONIC, from stop_after_ns; 0 never */
	uint64_t calls_left; /* of config.program.stop_call */
	struct nub_linux_shown shown[NUB_LINUX_MOST_SHOWN];
	size_t shown_count;
};

static inline struct nub_linux_guest *nub_linux_guest_of(struct nub_personality *personality)
{
	return (struct nub_linux_guest *)personality;
}

/* ---- guest_plan.c: memory ----
 *
 *     gpa 0x1000     the program's memory, as its calls and touches give it out, to a multiple of 2 MiB
 *     from there     page tables: a 64th of the memory, at least 1 MiB
 *     scratch        the engine's two pages, then as ever
 *
 * In a snapshot each page has the gpa that it has here, and tables for all of them follow the last one. In a restored guest the
 * tables are made anew, as the program's areas say.
 */

/* ops of struct nub_personality. */
int nub_linux_guest_build(struct nub_personality *personality, const struct nub_image *image, struct nub_error *err);
int nub_linux_guest_place(struct nub_personality *personality, const struct nub_layout *stored, struct nub_error *err);
int nub_linux_guest_begin(struct nub_personality *personality, struct nub_error *err);

/* ---- guest_shown.c: the program's file in its memory ---- */

/* Into memory that is new: what is shown takes its first pages. Error: NO_MEMORY. */
int nub_linux_guest_show(struct nub_linux_guest *guest, const struct nub_image *image, struct nub_error *err);

/* The gpa of these bytes of the file, whole pages; 0: they are not shown. */
uint64_t nub_linux_guest_shown(const struct nub_linux_guest *guest, uint64_t offset, uint64_t size);

/* ---- guest_regions.c: areas as regions of the plan ---- */

int nub_linux_guest_regions(struct nub_personality *personality, struct nub_error *err);
const char *nub_linux_guest_region_name(const struct nub_personality *personality, size_t index);

/* ---- guest_survey.c ---- */

int nub_linux_guest_survey(struct nub_personality *personality, struct nub_survey *survey, struct nub_error *err);

/* ---- guest_modules.c ---- */

void nub_linux_guest_modules(struct nub_personality *personality, struct nub_image *image);

/* ---- guest_machine.c ---- */

extern const struct nub_linux_machine_ops nub_linux_guest_machine_ops; /* context: struct nub_linux_guest */

/* ---- guest_debug.c ---- */

extern const struct nub_personality_debug_ops nub_linux_guest_debug_ops;

/* ---- guest_slice.c ---- */

/* Have the engine's run end when the current thread's slice does, or something else is due. Error: IO, KVM. */
int nub_linux_guest_arm_slice(struct nub_linux_guest *guest, struct nub_error *err);
/* Was that why it ended? */
bool nub_linux_guest_slice_over(struct nub_linux_guest *guest);
/* It is over, but the program can't be interrupted just now: have the run end once more, a little later. */
void nub_linux_guest_slice_soon(struct nub_linux_guest *guest);
void nub_linux_guest_disarm_slice(struct nub_linux_guest *guest);

/* ---- guest_run.c: ops of struct nub_personality ---- */

enum nub_verdict nub_linux_guest_enter(struct nub_personality *personality, const struct nub_request *request,
                                       struct nub_error *err);
enum nub_verdict nub_linux_guest_next(struct nub_personality *personality, struct nub_idle *idle,
                                      struct nub_error *err);
enum nub_verdict nub_linux_guest_serve(struct nub_personality *personality, const struct nub_exit *exit,
                                       struct nub_error *err);
const char *nub_linux_guest_exit_name(const struct nub_personality *personality, const struct nub_exit *exit);
void nub_linux_guest_interrupted(struct nub_personality *personality);
void nub_linux_guest_leave(struct nub_personality *personality);

/* ---- guest_calls.c ---- */

/* As nub_sandbox_unsupported. */
bool nub_linux_guest_unsupported(const struct nub_personality *personality, size_t index, const char **name,
                                 uint64_t *count);

/* ---- guest_end.c ---- */

/* How it ended, by linux->end: into the machine's outcome. */
enum nub_verdict nub_linux_guest_tell_end(struct nub_linux_guest *guest, struct nub_error *err);

#endif
