/* What box.c, box_calls.c, box_turns.c and box_frame.c share: calls in the box, and whose turn it is. Private. */
#ifndef NUB_BOX_TURNS_H
#define NUB_BOX_TURNS_H

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/process/box.h"

/* So long may a box that was told to stand still compute on. It does not need it, unless nothing runs here for so long, or
 * the guest has blocked its signals. */
#define NUB_BOX_PATIENCE_NS UINT64_C(2000000000)

/* Ends the guest's computing, so that it stands still. */
#define NUB_BOX_KICK_SIGNAL SIGUSR1

/* ---- box.c ---- */

/* Make the child, which starts with what is queued. All signals are blocked in it. The flags are clone(2)'s. */
int nub_box_clone(struct nub_box *box, uint64_t flags, struct nub_error *err);

/* With any that nubrun lacks, it could not be moved to another CPU by nubrun (sched_setaffinity(2)). */
int nub_box_drop_capabilities(struct nub_box *box, struct nub_error *err);

/* ---- box_calls.c ---- */

/* Queue one system call, `check` is one of NUB_BOX_CHECK_. When the queue is full, those in it are made first. */
int nub_box_call(struct nub_box *box, uint32_t check, uint64_t number, const uint64_t args[6], struct nub_error *err);

/* Let the box make the calls that are queued, and then do `next`, one of NUB_BOX_NEXT_. But for MORE it gives the turn back. */
int nub_box_start_calls(struct nub_box *box, uint32_t next, struct nub_error *err);

/* What came of the calls: the first that failed ended the row. */
int nub_box_check_calls(struct nub_box *box, struct nub_error *err);

/* Let the box, which is there then, make the calls that are queued while nubrun does something else. */
int nub_box_go_on(struct nub_box *box, struct nub_error *err);

/* Know the first frame, if it isn't known; it may have to be waited for. */
int nub_box_settle(struct nub_box *box, struct nub_error *err);

/* It can't be worked with, since it is no more. */
int nub_box_fail_gone(struct nub_error *err);

/* ---- box_cpus.c ---- */

/* Before and after clone(2): the child is to begin where this thread is, which may go on elsewhere. */
void nub_box_stay_here(struct nub_box *box);
void nub_box_leave_here(struct nub_box *box);

/* Before the box is given its turn: it stands still. */
void nub_box_keep_together(struct nub_box *box);

/* Before the box is ended and waited for: its end is not to wake this thread on another CPU, which may sleep. */
void nub_box_await_here(struct nub_box *box);

/* Each goes where the kernel wants, unless the box ends anyway. */
void nub_box_part(struct nub_box *box, bool goes_on);

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

/* The turn is the box's: it is woken if it sleeps. */
void nub_box_give_turn(struct nub_box *box);

/* Wait for the host's turn: STOPPED when it has come, GONE, or INTERRUPTED when there is a reason to wait no longer. */
enum nub_box_event nub_box_wait_turn(struct nub_box *box, uint64_t deadline_ns, bool heed_stops);

/* 0 where Linux doesn't tell. */
uint32_t nub_box_this_cpu(void);

static inline uint32_t nub_box_load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void nub_box_futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#endif
