/* The box: a process that has nothing but guest memory and a stub, and a seccomp filter around it.
 *
 *     nub_box_init(&box, ..., &err);                   the pages of a child to be
 *     nub_box_start(&box, &err);                       not needed: let it make itself ready meanwhile
 *     nub_box_map(&box, ...);                          as often as needed, with any descriptor
 *     nub_box_seal(&box, memory_fd, ..., &err);        from then on only memory_fd can be mapped
 *     nub_box_regs, nub_box_run, ...                   guest code
 *     nub_box_release(&box);
 *
 * The host's side is used by one thread at a time, and the box dies with the thread that made it (PR_SET_PDEATHSIG).
 * Nothing that the box writes is trusted; see stub.h and frame.h. Calls of the kernel in the box are queued by nub_box_map and
 * its like, and made before the guest goes on, or by nub_box_flush. What goes wrong in them while the box is set up may show
 * no sooner than in nub_box_run. Errors: PROCESS, NO_MEMORY.
 */
#ifndef NUB_BOX_H
#define NUB_BOX_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cpu/cpu.h"
#include "engine/process/frame.h"
#include "engine/process/stub.h"
#include "nub/error.h"

enum nub_box_event {
	NUB_BOX_ERROR = -1,
	NUB_BOX_STOPPED,     /* by a signal: box->frame tells */
	NUB_BOX_INTERRUPTED, /* by its stops, or at the deadline: it stands still, box->frame has its registers */
	NUB_BOX_GONE, /* it died: killed from outside, or by what the guest did to its own stub, stack or frame */
};

enum { NUB_BOX_MAX_SIGNALS = 8 };

/* How the box has a file's pages. */
enum nub_box_pages {
	NUB_BOX_SHARED,
	NUB_BOX_FILLED,  /* shared: they are in memory, and in its page tables at once, so that no touch is a fault */
	NUB_BOX_PRIVATE, /* copied on write */
};

/* What is to end nub_box_run, or to keep it from beginning. It outlives boxes. */
struct nub_box_stops {
	volatile sig_atomic_t kicked;
	unsigned signal_count;
	int signals
	    [NUB_BOX_MAX_SIGNALS]; /* blocked in this thread: one that is pending ends a run, and stays pending */
};

/* What Linux leaves on a box's stack at a signal, which is the same in all boxes of a process: the first box is made to show it,
 * for the others nubrun lays it there. It outlives boxes. */
struct nub_box_stack {
	uint8_t *bytes;  /* owned; NULL: not known */
	uint64_t offset; /* of the bytes, and of the frame, in a box's pages, to whose end they go */
};

/* Whether boxes begin on this thread's CPU, which it does not leave for their first turns (box_cpus.c). It outlives boxes. */
struct nub_box_cpus {
	bool wanted;      /* false also where it can't be */
	bool together;    /* the box has begun so, and they have not parted */
	cpu_set_t all;    /* where this thread may run else */
	unsigned box_cpu; /* where the box is */
	unsigned turns;   /* that it has had */
};

struct nub_box {
	pid_t pid;                     /* 0: none yet */
	struct nub_box_shared *shared; /* nubrun's view of the pages from NUB_BOX_SHARED_OFFSET on */
	uint8_t *pages;                /* and of all of them */
	unsigned call_count;           /* queued */
	bool kick_sent;                /* a signal is on its way to the box, or pending there */
	bool full;                     /* the last error was of a call that the kernel had no room for */
	bool starting;                 /* it makes those that it was told of, its first frame, and waits for more */
	unsigned set_up_count;         /* of those queued, the last of the set-up ends here; 0: that is not queued */
	bool set_up;                   /* it has made all calls of the set-up, */
	bool broken;                   /* or it is not to run, since one of them failed */
	bool settled;                  /* its first frame is known: so are the next three */
	struct nub_signal_frame first; /* as the kernel wrote it: what is constant in all later ones */
	uint64_t frame_offset;         /* of the frame in `pages` */
	uint32_t xsave_size;           /* of the XSAVE area behind it */
	struct nub_signal_frame frame; /* of the last stop; registers in it may be changed */
	uint8_t xsave[NUB_XSAVE_WIDE_SIZE]; /* for the frame, once there is one: */
	size_t load_xsave;                  /* so many bytes */
	uint64_t fs_base, gs_base;
	uint16_t segments[4]; /* ds, es, fs, gs */
	bool load_segments;   /* they were changed here */
	bool kill_sent;       /* by nubrun, */
	bool unstoppable;     /* since it did not stand still when it was to */
	const struct nub_box_stops *stops;
	struct nub_box_stack *stack;
	struct nub_box_cpus *cpus; /* NULL: wherever the kernel puts them */
};

/* Can this host have boxes? Error: PROCESS, with what is missing. */
int nub_box_probe(struct nub_error *err);

/* The struct is valid for nub_box_release whatever happens. The stops and the stack stay the caller's; the stack is all zero at
 * first, and filled by the first box. */
int nub_box_init(struct nub_box *box, const struct nub_box_stops *stops, struct nub_box_stack *stack,
                 struct nub_error *err);

/* Make the child now, of which nubrun has little yet: it drops that and takes up its signals while nubrun does something else.
 * Until it is sealed it shares nubrun's descriptors: those that are mapped later are to be there until its first run. */
int nub_box_start(struct nub_box *box, struct nub_error *err);
void nub_box_release(struct nub_box *box);
/* It will not run again: let it die while nubrun does something else. */
void nub_box_kill(struct nub_box *box);
void nub_box_stack_release(struct nub_box_stack *stack);

/* Queue mmap(2), mprotect(2), munmap(2) in the box. */
int nub_box_map(struct nub_box *box, uint64_t gva, uint64_t size, int protection, int fd, uint64_t offset,
                enum nub_box_pages pages, struct nub_error *err);
int nub_box_protect(struct nub_box *box, uint64_t gva, uint64_t size, int protection, struct nub_error *err);
int nub_box_unmap(struct nub_box *box, uint64_t gva, uint64_t size, struct nub_error *err);
/* Queue madvise(2) in a box that isn't sealed: have pages in its page tables that are in memory. Where Linux can't, it does not. */
int nub_box_fill(struct nub_box *box, uint64_t gva, uint64_t size, struct nub_error *err);
int nub_box_flush(struct nub_box *box, struct nub_error *err);

/* Close every descriptor but memory_fd, bound the address space to so many bytes beside the stub's, install the filter. It
 * does not wait until that is done. memory_fd stays the caller's. */
int nub_box_seal(struct nub_box *box, int memory_fd, uint64_t address_space, struct nub_error *err);

/* Let the guest go on with the registers in box->frame and the segments, until it stops. deadline_ns is CLOCK_MONOTONIC, 0
 * none. A box that does not stand still when it must is killed: GONE. When a call that was queued failed, those behind it were
 * not made, and the guest has not gone on: ERROR. */
enum nub_box_event nub_box_run(struct nub_box *box, uint64_t deadline_ns, struct nub_error *err);

/* `kicked` was set: have nub_box_run look at once. For signal handlers, whether there is a box or not. */
void nub_box_wake(const struct nub_box *box);

/* The signal that ended a box that is GONE; 0 when it is not known. */
int nub_box_killed_by(const struct nub_box *box);

/* The XSAVE area of the last stop, in the standard format (SDM vol. 1, 13.4): its first `size` bytes, past the header, at most
 * NUB_XSAVE_WIDE_SIZE. Those from KERNEL to KERNEL_END are the kernel's own, not the guest's: they read as zeros, and are not
 * written. What the header says is not in use is initial, also behind `size`. */
enum { NUB_BOX_XSAVE_KERNEL = 464, NUB_BOX_XSAVE_KERNEL_END = 512 };
int nub_box_get_xsave(struct nub_box *box, uint8_t *xsave, size_t size, struct nub_error *err);
int nub_box_set_xsave(struct nub_box *box, const uint8_t *xsave, size_t size, struct nub_error *err);

#endif
