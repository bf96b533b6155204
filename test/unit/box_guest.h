/* A box with two pages of guest memory, and machine code for it: how tests of the process engine run single instructions. */
#ifndef BOX_GUEST_H
#define BOX_GUEST_H

#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "engine/process/box_turns.h"

#define CODE_GVA UINT64_C(0x400000)
#define DATA_GVA UINT64_C(0x500000)
#define GUEST_SIZE UINT64_C(0x2000)

struct box_guest {
	int fd;
	uint8_t *code, *data; /* the host's view of the two pages */
	struct nub_box box;
	struct nub_box_stops stops;
	struct nub_box_stack stack;
};

static inline uint64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline void guest_open(struct box_guest *guest)
{
	struct nub_error err = { 0 };

	memset(guest, 0, sizeof(*guest));
	guest->fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(guest->fd >= 0);
	assert_int_equal(ftruncate(guest->fd, (off_t)GUEST_SIZE), 0);
	guest->code = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd, 0);
	assert_true(guest->code != MAP_FAILED);
	guest->data = guest->code + 0x1000;
	if (nub_box_init(&guest->box, &guest->stops, &guest->stack, &err) < 0 ||
	    nub_box_map(&guest->box, CODE_GVA, 0x1000, PROT_READ | PROT_EXEC, guest->fd, 0, NUB_BOX_SHARED, &err) < 0 ||
	    nub_box_map(&guest->box, DATA_GVA, 0x1000, PROT_READ | PROT_WRITE, guest->fd, 0x1000, NUB_BOX_SHARED,
	                &err) < 0 ||
	    nub_box_seal(&guest->box, guest->fd, 8 * GUEST_SIZE, &err) < 0 || nub_box_settle(&guest->box, &err) < 0)
		fail_msg("%s", err.message);
}

static inline void guest_close(struct box_guest *guest)
{
	nub_box_release(&guest->box);
	nub_box_stack_release(&guest->stack);
	munmap(guest->code, GUEST_SIZE);
	close(guest->fd);
}

/* Of a test that has one. */
static inline int set_up(void **state)
{
	static struct box_guest guest;

	guest_open(&guest);
	*state = &guest;
	return 0;
}

static inline int tear_down(void **state)
{
	guest_close(*state);
	return 0;
}

/* Run these instructions from the start of the code page, with rsp at the end of the data, until something happens. Zeros
 * follow them: `add %al,(%rax)`. */
static inline enum nub_box_event guest_run(struct box_guest *guest, const void *code, size_t size, uint64_t deadline_ns)
{
	struct nub_error err = { 0 };

	memset(guest->code, 0, 0x1000);
	memcpy(guest->code, code, size);
	guest->box.frame.rip = CODE_GVA;
	guest->box.frame.rsp = DATA_GVA + 0x1000;
	const enum nub_box_event event = nub_box_run(&guest->box, deadline_ns, &err);
	if (event == NUB_BOX_ERROR)
		fail_msg("%s", err.message);
	return event;
}

static inline void expect_stop(const struct box_guest *guest, int signal, uint64_t vector, uint64_t rip)
{
	assert_int_equal(guest->box.frame.signal, signal);
	assert_int_equal(guest->box.frame.vector, vector);
	assert_int_equal(guest->box.frame.rip, rip);
}

#define GUEST_RUN(guest, code) guest_run(guest, code, sizeof(code) - 1, clock_now() + UINT64_C(10000000000))

#endif
