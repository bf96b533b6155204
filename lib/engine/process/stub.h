/* What nubrun and the box share: one page of code, and the pages through which they talk. C and assembler include this.
 *
 *     NUB_BOX_GVA          the stub's code                               1 page   r-x
 *     + 1 page             struct nub_box_shared                         7 pages  rw-
 *     + 8 pages            alternate signal stack, with the frame        8 pages  rw-
 *
 * The guest can write all of it but the code, and even that after it has called mprotect through the stub. So nothing in
 * here is true: nubrun copies what it needs once, checks it, and never follows a pointer that it finds here.
 */
#ifndef NUB_STUB_H
#define NUB_STUB_H

/* In the guest's lower half, where neither guests nor Linux put anything by themselves. */
#define NUB_BOX_GVA 0x6ff000000000
#define NUB_BOX_STACK_OFFSET 0x8000
#define NUB_BOX_STACK_SIZE 0x8000
#define NUB_BOX_SIZE (NUB_BOX_STACK_OFFSET + NUB_BOX_STACK_SIZE)
#define NUB_BOX_SHARED_OFFSET 0x1000
/* Where a process's addresses end. */
#define NUB_BOX_LAST_GVA 0x7ffffffff000

/* Whose turn it is: the futex on which both wait. */
#define NUB_BOX_TURN_BOX 0
#define NUB_BOX_TURN_HOST 1

/* The segment whose limit tells the number of the CPU (Linux, arch/x86/include/asm/segment.h: GDT_ENTRY_CPUNODE), and for how
 * many ticks of the time-stamp counter one side looks for its turn before it sleeps, if the other runs on another CPU: 50 to
 * 100 us. (How long `pause` takes differs by ten from CPU to CPU.) Waking takes 50, and whoever has been woken is to find the other
 * one looking. While nubrun makes a guest, which takes some 200 us, the box looks longer. */
#define NUB_BOX_CPU_SEGMENT 0x7b
#define NUB_BOX_LOOKS 200000
#define NUB_BOX_FIRST_LOOKS 800000

/* What the stub does when it has made the calls that are asked of it. */
#define NUB_BOX_NEXT_RESUME 0 /* return into the guest */
#define NUB_BOX_NEXT_REPORT 1 /* give the turn back: there are more */
#define NUB_BOX_NEXT_MORE 2   /* this or above: wait until it is another: there are more calls then */

/* How the result of a call is checked. */
#define NUB_BOX_CHECK_NONE 0
#define NUB_BOX_CHECK_OK 1    /* not one of the kernel's errors */
#define NUB_BOX_CHECK_EQUAL 2 /* what is in `result` beforehand; else the box ends at once */

/* Offsets in struct nub_box_shared. */
#define NUB_BOX_TURN 0x00
#define NUB_BOX_HOST_SLEEPS 0x04
#define NUB_BOX_BOX_SLEEPS 0x08
#define NUB_BOX_NEXT 0x0c
#define NUB_BOX_CALL_COUNT 0x10
#define NUB_BOX_FAILED 0x14
#define NUB_BOX_LOAD_SEGMENTS 0x18
#define NUB_BOX_HOST_CPU 0x1c
#define NUB_BOX_FRAME 0x20
#define NUB_BOX_FS_BASE 0x28
#define NUB_BOX_GS_BASE 0x30
#define NUB_BOX_SEGMENTS 0x38
#define NUB_BOX_BOX_CPU 0x40
#define NUB_BOX_BOX_LOOKS 0x44
#define NUB_BOX_TRAPS 0x48
#define NUB_BOX_CALLS 0x50

/* Offsets in struct nub_box_call. */
#define NUB_BOX_CALL_NUMBER 0x00
#define NUB_BOX_CALL_CHECK 0x04
#define NUB_BOX_CALL_ARGS 0x08
#define NUB_BOX_CALL_RESULT 0x38
#define NUB_BOX_CALL_SIZE 0x40
#define NUB_BOX_MAX_CALLS 424 /* all of a large program's set-up, so that nobody waits in between */

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct nub_box_call {
	uint32_t number, check;
	uint64_t args[6];
	uint64_t result;
};

struct nub_box_shared {
	uint32_t turn;
	uint32_t host_sleeps, box_sleeps; /* the other one is to wake it */
	uint32_t next;
	uint32_t call_count;
	uint32_t failed; /* 0, or 1 + the index of the call whose check failed */
	uint32_t load_segments;
	uint32_t host_cpu; /* where nubrun gave the turn away */
	uint64_t frame;    /* rsp in the handler; 0: there is none to return through */
	uint64_t fs_base, gs_base;
	uint16_t segments[4]; /* ds, es, fs, gs */
	uint32_t box_cpu;     /* where the box gave it back */
	uint32_t box_looks;   /* for how many ticks it looks */
	uint32_t traps;       /* it has the kernel make its first frame */
	struct nub_box_call calls[NUB_BOX_MAX_CALLS];
	uint8_t data[1024]; /* what calls of the set-up point at */
};

#define NUB_BOX_ASSERT(what) _Static_assert(what, "stub.S goes by the offsets in stub.h")
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, turn) == NUB_BOX_TURN);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, host_sleeps) == NUB_BOX_HOST_SLEEPS);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, box_sleeps) == NUB_BOX_BOX_SLEEPS);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, next) == NUB_BOX_NEXT);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, call_count) == NUB_BOX_CALL_COUNT);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, failed) == NUB_BOX_FAILED);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, load_segments) == NUB_BOX_LOAD_SEGMENTS);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, host_cpu) == NUB_BOX_HOST_CPU);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, box_cpu) == NUB_BOX_BOX_CPU);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, frame) == NUB_BOX_FRAME);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, fs_base) == NUB_BOX_FS_BASE);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, gs_base) == NUB_BOX_GS_BASE);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, segments) == NUB_BOX_SEGMENTS);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, box_looks) == NUB_BOX_BOX_LOOKS);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, traps) == NUB_BOX_TRAPS);
NUB_BOX_ASSERT(offsetof(struct nub_box_shared, calls) == NUB_BOX_CALLS);
NUB_BOX_ASSERT(offsetof(struct nub_box_call, check) == NUB_BOX_CALL_CHECK);
NUB_BOX_ASSERT(offsetof(struct nub_box_call, args) == NUB_BOX_CALL_ARGS);
NUB_BOX_ASSERT(offsetof(struct nub_box_call, result) == NUB_BOX_CALL_RESULT);
NUB_BOX_ASSERT(sizeof(struct nub_box_call) == NUB_BOX_CALL_SIZE);
NUB_BOX_ASSERT(sizeof(struct nub_box_shared) <= NUB_BOX_STACK_OFFSET - NUB_BOX_SHARED_OFFSET);

/* The code (stub.S). nub_stub_start is where the set-up enters it, nub_stub_handler the signal handler. */
extern const uint8_t nub_stub_start[], nub_stub_handler[], nub_stub_restorer[], nub_stub_end[];
#endif
#endif
