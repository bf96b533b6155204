/* What a guest believes it talks to: the one door to whatever serves it (personality/nub/).
 *
 * A personality makes the guest's memory out of an ELF file, enters it, serves its exits, and says what a snapshot must keep
 * beside memory and registers. It has a machine (machine.h), never a sandbox: deadlines, debuggers, crashes and states are the
 * business of the loop that calls it.
 *
 *     build, begin, boot      a guest that is made: memory, a life, then, when its engine has started, what is in it
 *     place, begin, load      one that is restored
 *     enter                   before each run
 *     next                    before each entry of the engine: go on, or wait for the host, or it is over
 *     serve                   each exit that is not the engine's or the debugger's own
 *     interrupted             a signal ended the engine's run, not the guest's
 *     leave                   the run is over, whatever came of it
 *     discard                 the run has failed, or did not come about: nothing of it may reach the next one
 *     regions                 before somebody looks at the plan's
 *     save                    the guest stands still
 *
 * Functions that give int give 0, or -1 with *err filled.
 */
#ifndef NUB_PERSONALITY_H
#define NUB_PERSONALITY_H

#include <poll.h>

#include "base/buffer.h"
#include "personality/machine.h"
#include "personality/survey.h"

/* What a run is to come to. */
enum nub_goal {
	NUB_GOAL_INITIALISE,
	NUB_GOAL_MAIN,
	NUB_GOAL_CALL,
	NUB_GOAL_RESUME, /* whatever it was when it stopped */
};

/* All is borrowed during enter. */
struct nub_request {
	enum nub_goal goal;
	bool fresh;     /* nothing of the guest has run */
	unsigned count; /* of arguments: MAIN's argv, CALL's args */
	const char *const *argv;
	const char *name; /* CALL: the function */
	const struct nub_value *args;
};

/* What all of a guest waits for, while none of it can run. */
struct nub_idle {
	uint64_t until_ns;          /* CLOCK_MONOTONIC; UINT64_MAX: no time ends it */
	const struct pollfd *polls; /* the personality's, until it is called again */
	size_t poll_count;
};

/* A list whose items and texts are owned. */
struct nub_program_items {
	struct nub_program_item *items;
	size_t count;
};
void nub_program_items_release(struct nub_program_items *list);

#define NUB_MAX_ROOTS 16u

/* What a snapshot keeps of a personality. */
struct nub_personality_state {
	/* Of guests of nubrun's own ABI. */
	uint64_t peb_gva, stack_top_gva, dispatch_gva;
	/* Roots of page tables that a guest at CPL 0 has named, beside the one in use; and where it keeps them. */
	uint64_t roots[NUB_MAX_ROOTS];
	unsigned root_count;
	uint64_t roots_gva;
	/* Of a Linux program, all that is not in its memory: owned when it is saved, borrowed when it is loaded. */
	struct nub_buffer program;
	struct nub_program_items items; /* owned; only when it is saved */
};

struct nub_personality;

/* What a debugger asks of a guest that runs a Linux program: threads take turns, signals are shown before they come, memory is
 * there when it is touched. While it asks, the guest stands still, and next comes before the entry of the engine. */
struct nub_personality_debug_ops {
	/* Signals that are about to be delivered are shown, but for those of `passed` (bit n - 1: signal n). */
	void (*show_signals)(struct nub_personality *personality, bool on, uint64_t passed);
	/* Which signal the current thread is about to take, by which next has come back: 0 none. */
	int (*signal)(const struct nub_personality *personality);
	/* The siginfo_t of that one, which Linux gives a handler. False: there is none. */
	bool (*siginfo)(const struct nub_personality *personality, siginfo_t *info);
	/* What this thread takes of it, which may be another one: 0 nothing. Of a thread that was shown none, a signal is sent. */
	void (*answer)(struct nub_personality *personality, uint32_t tid, int signal);
	/* The thread whose turn it is, or was last; and whether there still is one of this number. */
	uint32_t (*current)(const struct nub_personality *personality);
	bool (*has_thread)(const struct nub_personality *personality, uint32_t tid);
	/* This thread alone is to run; 0: all. A thread that is gone: all. */
	void (*lock)(struct nub_personality *personality, uint32_t tid);
	/* Have all registers where thread and set_thread find them. Error: KVM. */
	int (*rest)(struct nub_personality *personality, struct nub_error *err);
	/* Set the registers of thread->tid, at rest. With thread->call negative, it leaves a call that it waits in, to which it
	 * returns when its registers, and that, are set to what they were. False: no such thread, or its call has moved something. */
	bool (*set_thread)(struct nub_personality *personality, const struct nub_guest_thread *thread);
	/* Copy memory as far as there is any, whatever its rights; pages that were not touched stay so. */
	size_t (*read)(struct nub_personality *personality, uint64_t gva, void *bytes, size_t size);
	/* The gpa behind gva; with `bring` also of a page that was not touched, which comes. False: there is none. */
	bool (*reach)(struct nub_personality *personality, uint64_t gva, bool bring, uint64_t *gpa);
	/* Where this thread has what is at `offset` in the thread-local storage of a module, by the address of its link map; 0: the
	 * program's own. `numbers` is where the C library says at which place of a link map its module's number is
	 * (_thread_db_link_map_l_tls_modid), 0 when that is not known. False: it has none, or that can't be told. */
	bool (*tls)(struct nub_personality *personality, uint32_t tid, uint64_t offset, uint64_t link_map,
	            uint64_t numbers, uint64_t *gva);
};

struct nub_personality_ops {
	int (*build)(struct nub_personality *personality, const struct nub_image *image, struct nub_error *err);
	int (*place)(struct nub_personality *personality, const struct nub_layout *stored, struct nub_error *err);
	int (*begin)(struct nub_personality *personality, struct nub_error *err);
	int (*boot)(struct nub_personality *personality, const struct nub_image *image, struct nub_error *err);
	int (*load)(struct nub_personality *personality, const struct nub_personality_state *state,
	            const struct nub_registers *resumed, struct nub_error *err);
	int (*save)(struct nub_personality *personality, struct nub_personality_state *state, struct nub_cpu *cpu,
	            bool stopped, struct nub_error *err);
	int (*regions)(struct nub_personality *personality, struct nub_error *err);
	const char *(*region_name)(const struct nub_personality *personality, size_t index);
	bool (*thread)(struct nub_personality *personality, size_t index, struct nub_guest_thread *thread);
	int (*survey)(struct nub_personality *personality, struct nub_survey *survey, struct nub_error *err);
	void (*modules)(struct nub_personality *personality, struct nub_image *image);
	const uint8_t *(*auxv)(const struct nub_personality *personality, size_t *size);
	bool (*at_rest)(const struct nub_personality *personality);
	enum nub_verdict (*enter)(struct nub_personality *personality, const struct nub_request *request,
	                          struct nub_error *err);
	enum nub_verdict (*next)(struct nub_personality *personality, struct nub_idle *idle, struct nub_error *err);
	enum nub_verdict (*serve)(struct nub_personality *personality, const struct nub_exit *exit,
	                          struct nub_error *err);
	void (*interrupted)(struct nub_personality *personality);
	void (*leave)(struct nub_personality *personality);
	const char *(*exit_name)(const struct nub_personality *personality, const struct nub_exit *exit);
	bool (*unsupported)(const struct nub_personality *personality, size_t index, const char **name,
	                    uint64_t *count);
	void (*discard)(struct nub_personality *personality);
	void (*release)(struct nub_personality *personality);
};

/* The first member of what a personality is made of. */
struct nub_personality {
	const struct nub_personality_ops *ops;
	struct nub_machine *machine; /* the sandbox's */
	const uint8_t *ports;        /* that code at CPL 3 may use */
	size_t port_count;
	/* It runs a Linux program: system calls, an address space that changes, waits. */
	bool is_program;
	uint64_t tables_used;                          /* bytes of the page tables with which such a guest begins */
	const struct nub_personality_debug_ops *debug; /* of such a guest; else NULL: its one thread is the engine's */
};

/* Plan and fill the memory of a guest that has not run, out of its ELF file. Errors: any of the layout's and the image's. */
static inline int nub_personality_build(struct nub_personality *personality, const struct nub_image *image,
                                        struct nub_error *err)
{
	return personality->ops->build(personality, image, err);
}

/* The layout, and the regions, of a guest that is restored, from that of its image. Errors: MEMORY_TOO_SMALL, MEMORY_TOO_BIG. */
static inline int nub_personality_place(struct nub_personality *personality, const struct nub_layout *stored,
                                        struct nub_error *err)
{
	return personality->ops->place(personality, stored, err);
}

/* A new life of the guest begins, with zeroed scratch. Error: IO. */
static inline int nub_personality_begin(struct nub_personality *personality, struct nub_error *err)
{
	return personality->ops->begin(personality, err);
}

/* The engine of a guest that is made has started: bring in what its memory does not hold yet. Errors: those of loading a Linux
 * program. */
static inline int nub_personality_boot(struct nub_personality *personality, const struct nub_image *image,
                                       struct nub_error *err)
{
	return personality->ops->boot(personality, image, err);
}

/* Take over what a snapshot kept; `resumed` are the registers with which it goes on in the middle of its code, NULL unless it
 * does. The engine has started. Errors: PROTOCOL, GVA_*; of a Linux program, SNAPSHOT_*, NOT_FOUND and others. */
static inline int nub_personality_load(struct nub_personality *personality, const struct nub_personality_state *state,
                                       const struct nub_registers *resumed, struct nub_error *err)
{
	return personality->ops->load(personality, state, resumed, err);
}

/* What a snapshot is to keep, into a zeroed state. `cpu` is as the engine has it; of a guest that `stopped` itself to be saved,
 * or whose threads take turns on the CPU, it may be another one in the snapshot. Errors: NO_MEMORY, MEMORY_TOO_SMALL, IO. */
static inline int nub_personality_save(struct nub_personality *personality, struct nub_personality_state *state,
                                       struct nub_cpu *cpu, bool stopped, struct nub_error *err)
{
	return personality->ops->save(personality, state, cpu, stopped, err);
}

/* Have the plan's regions be what the guest has now. Error: NO_MEMORY. */
static inline int nub_personality_regions(struct nub_personality *personality, struct nub_error *err)
{
	return personality->ops->regions(personality, err);
}

/* What a Linux program calls the plan's region at `index`, right after regions: see struct nub_mapped. NULL: nothing. */
static inline const char *nub_personality_region_name(const struct nub_personality *personality, size_t index)
{
	return personality->ops->region_name(personality, index);
}

/* What it is beside its memory, into a zeroed survey, which is the caller's to release, whatever comes of it. Error: NO_MEMORY. */
static inline int nub_personality_survey(struct nub_personality *personality, struct nub_survey *survey,
                                         struct nub_error *err)
{
	return personality->ops->survey(personality, survey, err);
}

/* Add the files that it has in memory to the image, as far as they can be read. */
static inline void nub_personality_modules(struct nub_personality *personality, struct nub_image *image)
{
	personality->ops->modules(personality, image);
}

/* One of its threads; false at the end of the list, and for guests that are one thread, which the engine has. */
static inline bool nub_personality_thread(struct nub_personality *personality, size_t index,
                                          struct nub_guest_thread *thread)
{
	return personality->ops->thread(personality, index, thread);
}

/* The auxiliary vector that a Linux program was started with, AT_NULL included; NULL for others. */
static inline const uint8_t *nub_personality_auxv(const struct nub_personality *personality, size_t *size)
{
	return personality->ops->auxv(personality, size);
}

/* Is nothing under way that a snapshot would lose? */
static inline bool nub_personality_at_rest(const struct nub_personality *personality)
{
	return personality->ops->at_rest(personality);
}

/* Hand the request to the guest, and set its registers. GO_ON: it can run. PASS: it has left no place for the request, which
 * is a crash for the reason in *err, which must be there. */
static inline enum nub_verdict nub_personality_enter(struct nub_personality *personality,
                                                     const struct nub_request *request, struct nub_error *err)
{
	return personality->ops->enter(personality, request, err);
}

/* GO_ON: enter the engine. PASS: nothing of the guest can run, wait as *idle says. STOP: the run is over. */
static inline enum nub_verdict nub_personality_next(struct nub_personality *personality, struct nub_idle *idle,
                                                    struct nub_error *err)
{
	return personality->ops->next(personality, idle, err);
}

/* PASS: the guest has no business with it. */
static inline enum nub_verdict nub_personality_serve(struct nub_personality *personality, const struct nub_exit *exit,
                                                     struct nub_error *err)
{
	return personality->ops->serve(personality, exit, err);
}

/* Nothing has happened that is the guest's; its registers may not be to be had (nub_engine_in_guest). */
static inline void nub_personality_interrupted(struct nub_personality *personality)
{
	personality->ops->interrupted(personality);
}

static inline void nub_personality_leave(struct nub_personality *personality)
{
	personality->ops->leave(personality);
}

/* What such an exit is called, a static string; NULL when it is none that it serves. */
static inline const char *nub_personality_exit_name(const struct nub_personality *personality,
                                                    const struct nub_exit *exit)
{
	return personality->ops->exit_name(personality, exit);
}

/* As nub_sandbox_unsupported. */
static inline bool nub_personality_unsupported(const struct nub_personality *personality, size_t index,
                                               const char **name, uint64_t *count)
{
	return personality->ops->unsupported(personality, index, name, count);
}

static inline void nub_personality_discard(struct nub_personality *personality)
{
	personality->ops->discard(personality);
}

/* NULL is fine. */
static inline void nub_personality_release(struct nub_personality *personality)
{
	if (personality)
		personality->ops->release(personality);
}

#endif
