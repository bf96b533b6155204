/* What a guest believes it talks to: the one door to whatever serves it (personality/nub/).
 *
 * A personality makes the guest's memory out of an ELF file, enters it, serves its exits, and says what a snapshot must keep
 * beside memory and registers. It has a machine (machine.h), never a sandbox: deadlines, debuggers, crashes and states are the
 * business of the loop that calls it.
 *
 *     build, begin            a guest that is made                 load, begin     one that is restored
 *     enter                   before each run
 *     serve                   each exit that is not the engine's or the debugger's own
 *     discard                 the run has failed, or did not come about: nothing of it may reach the next one
 *     save                    the guest stands still
 *
 * Functions that give int give 0, or -1 with *err filled.
 */
#ifndef NUB_PERSONALITY_H
#define NUB_PERSONALITY_H

#include "personality/machine.h"

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

#define NUB_MAX_ROOTS 16u

/* What a snapshot keeps of a personality. */
struct nub_personality_state {
	uint64_t peb_gva, stack_top_gva, dispatch_gva;
	/* Roots of page tables that a guest at CPL 0 has named, beside the one in use; and where it keeps them. */
	uint64_t roots[NUB_MAX_ROOTS];
	unsigned root_count;
	uint64_t roots_gva;
};

struct nub_personality;

struct nub_personality_ops {
	int (*build)(struct nub_personality *personality, const struct nub_image *image, struct nub_error *err);
	int (*begin)(struct nub_personality *personality, struct nub_error *err);
	int (*load)(struct nub_personality *personality, const struct nub_personality_state *state,
	            const struct nub_registers *resumed, struct nub_error *err);
	void (*save)(struct nub_personality *personality, struct nub_personality_state *state,
	             struct nub_registers *stopped);
	bool (*at_rest)(const struct nub_personality *personality);
	enum nub_verdict (*enter)(struct nub_personality *personality, const struct nub_request *request,
	                          struct nub_error *err);
	enum nub_verdict (*serve)(struct nub_personality *personality, const struct nub_exit *exit,
	                          struct nub_error *err);
	const char *(*exit_name)(const struct nub_personality *personality, const struct nub_exit *exit);
	void (*discard)(struct nub_personality *personality);
	void (*release)(struct nub_personality *personality);
};

/* The first member of what a personality is made of. */
struct nub_personality {
	const struct nub_personality_ops *ops;
	struct nub_machine *machine; /* the sandbox's */
	const uint8_t *ports;        /* that code at CPL 3 may use */
	size_t port_count;
};

/* Plan and fill the memory of a guest that has not run, out of its ELF file. Errors: any of the layout's and the image's. */
static inline int nub_personality_build(struct nub_personality *personality, const struct nub_image *image,
                                        struct nub_error *err)
{
	return personality->ops->build(personality, image, err);
}

/* A new life of the guest begins, with zeroed scratch. Error: IO. */
static inline int nub_personality_begin(struct nub_personality *personality, struct nub_error *err)
{
	return personality->ops->begin(personality, err);
}

/* Take over what a snapshot kept; `resumed` are the registers with which it goes on in the middle of its code, NULL unless it
 * does. The engine has started. Errors: PROTOCOL, GVA_*. */
static inline int nub_personality_load(struct nub_personality *personality, const struct nub_personality_state *state,
                                       const struct nub_registers *resumed, struct nub_error *err)
{
	return personality->ops->load(personality, state, resumed, err);
}

/* What a snapshot is to keep. `stopped` are the registers of a guest that has stopped itself to be saved, which may want
 * other ones when it is restored; NULL for any other. */
static inline void nub_personality_save(struct nub_personality *personality, struct nub_personality_state *state,
                                        struct nub_registers *stopped)
{
	personality->ops->save(personality, state, stopped);
}

/* Is nothing under way that a snapshot would lose? */
static inline bool nub_personality_at_rest(const struct nub_personality *personality)
{
	return personality->ops->at_rest(personality);
}

/* Hand the request to the guest, and set its registers. GO_ON: it can run. PASS: it has left no place for the request, which
 * is a crash for the reason in *err. */
static inline enum nub_verdict nub_personality_enter(struct nub_personality *personality,
                                                     const struct nub_request *request, struct nub_error *err)
{
	return personality->ops->enter(personality, request, err);
}

/* PASS: the guest has no business with it. */
static inline enum nub_verdict nub_personality_serve(struct nub_personality *personality, const struct nub_exit *exit,
                                                     struct nub_error *err)
{
	return personality->ops->serve(personality, exit, err);
}

/* What such an exit is called, a static string; NULL when it is none that it serves. */
static inline const char *nub_personality_exit_name(const struct nub_personality *personality,
                                                    const struct nub_exit *exit)
{
	return personality->ops->exit_name(personality, exit);
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
