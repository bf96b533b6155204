/* What a program asks of nubrun itself, by prctl(NUB_PR, ...): abi/nub_checkpoint.h, which programs include, says what there is.
 *
 * A thread that comes to a checkpoint at which it is to be saved stands before its call: what it gets for it depends on whether it
 * is a copy when it makes the call again. A signal's handler may come in between.
 */
#ifndef NUB_LINUX_CHECKPOINTS_H
#define NUB_LINUX_CHECKPOINTS_H

#include "personality/linux/linux.h"

/* nub_linux_thread.checkpoint */
enum {
	NUB_LINUX_CHECKPOINT_STANDS = 1, /* before one, at which it was stopped */
	NUB_LINUX_CHECKPOINT_WANTS = 2,  /* with it: a copy may be given arguments */
	NUB_LINUX_CHECKPOINT_COPY = 4,   /* with it: it is a copy */
};

/* The call, with its first argument NUB_PR. */
int64_t nub_linux_serve_own(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);

/* In a thaw, when threads and program are loaded: threads that stand at a checkpoint are copies now, and the program gets the
 * copy_argv and copy_envp of linux->config. Errors: USAGE, when it is given any and will not ask for them, or too many;
 * NO_MEMORY. */
int nub_linux_checkpoints_thaw(struct nub_linux *linux, struct nub_error *err);

#endif
