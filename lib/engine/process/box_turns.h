/* What box.c, box_turns.c and box_frame.c share: calls in the box, and whose turn it is. Private. */
#ifndef NUB_BOX_TURNS_H
#define NUB_BOX_TURNS_H

#include "engine/process/box.h"

/* Ends the guest's computing, so that it stands still. */
#define NUB_BOX_KICK_SIGNAL SIGUSR1

/* Queue one system call, `check` is one of NUB_BOX_CHECK_. When the queue is full, those in it are made first. */
int nub_box_call(struct nub_box *box, uint32_t check, uint64_t number, const uint64_t args[6], struct nub_error *err);

/* Make the child, which starts with what is queued. All signals are blocked in it. The flags are clone(2)'s. */
int nub_box_clone(struct nub_box *box, uint64_t flags, struct nub_error *err);

/* ---- box_frame.c ---- */

/* Copy in what the stop left: once, before anything is decided by it. */
void nub_box_take_frame(struct nub_box *box);

/* Write the frame anew: registers are the guest's, all else is as the kernel made it. */
void nub_box_put_frame(struct nub_box *box);

/* The box has the frame of its first signal, at this offset, and has run no guest: keep what it shows. Or lay into a new box what
 * was kept. */
int nub_box_keep_frame(struct nub_box *box, uint64_t offset, struct nub_error *err);
int nub_box_lay_frame(struct nub_box *box, struct nub_error *err);

/* ---- box_turns.c ---- */

/* Have what is queued made, the last of it the filter, and the kernel leave a frame. nub_box_settle waits for it, if there is
 * none yet. */
int nub_box_trap(struct nub_box *box, struct nub_error *err);
int nub_box_settle(struct nub_box *box, struct nub_error *err);

#endif
