/* The box of the process engine: what stops it, and what it goes on with. */
#include "box_guest.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/error.h"
#include "cpu/cpu.h"

static void test_out(void **state)
{
	struct box_guest *guest = *state;
	struct nub_signal_frame *frame = &guest->box.frame;
	struct nub_error err = { 0 };

	frame->rax = 0x1234;
	frame->r15 = UINT64_C(0xfedcba9876543210);
	/* out %al,$108; mov %r15,%rdi; out %al,$108 */
	assert_int_equal(GUEST_RUN(guest, "\xe6\x6c\x4c\x89\xff\xe6\x6c"), NUB_BOX_STOPPED);
	expect_stop(guest, SIGSEGV, 13, CODE_GVA);
	assert_int_equal(frame->rax, 0x1234);
	frame->rip += 2;
	frame->r15++;
	assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_STOPPED);
	expect_stop(guest, SIGSEGV, 13, CODE_GVA + 5);
	assert_int_equal(frame->rdi, UINT64_C(0xfedcba9876543211));
}

static void test_faults(void **state)
{
	struct box_guest *guest = *state;
	const struct nub_signal_frame *frame = &guest->box.frame;

	/* mov %eax,0x500ff0; mov %eax,0x400000: a write to read-only memory */
	assert_int_equal(GUEST_RUN(guest, "\x89\x04\x25\xf0\x0f\x50\x00\x89\x04\x25\x00\x00\x40\x00"), NUB_BOX_STOPPED);
	expect_stop(guest, SIGSEGV, 14, CODE_GVA + 7);
	assert_int_equal(frame->error_code, 7);
	assert_int_equal(frame->cr2, CODE_GVA);
	/* mov 0x600123,%eax: nothing there */
	assert_int_equal(GUEST_RUN(guest, "\x8b\x04\x25\x23\x01\x60\x00"), NUB_BOX_STOPPED);
	assert_int_equal(frame->error_code, 4);
	assert_int_equal(frame->cr2, 0x600123);
	/* push $0x500000; ret: not executable */
	assert_int_equal(GUEST_RUN(guest, "\x68\x00\x00\x50\x00\xc3"), NUB_BOX_STOPPED);
	assert_int_equal(frame->error_code, 0x15);
	assert_int_equal(frame->cr2, DATA_GVA);
	assert_int_equal(GUEST_RUN(guest, "\x0f\x0b"), NUB_BOX_STOPPED); /* ud2 */
	expect_stop(guest, SIGILL, 6, CODE_GVA);
	assert_int_equal(GUEST_RUN(guest, "\xcc"), NUB_BOX_STOPPED); /* int3 */
	expect_stop(guest, SIGTRAP, 3, CODE_GVA + 1);
	assert_int_equal(GUEST_RUN(guest, "\x31\xc9\xf7\xf1"), NUB_BOX_STOPPED); /* xor %ecx,%ecx; div %ecx */
	expect_stop(guest, SIGFPE, 0, CODE_GVA + 2);
	assert_int_equal(GUEST_RUN(guest, "\xf4"), NUB_BOX_STOPPED); /* hlt */
	expect_stop(guest, SIGSEGV, 13, CODE_GVA);
}

static void test_step(void **state)
{
	struct box_guest *guest = *state;
	struct nub_signal_frame *frame = &guest->box.frame;
	struct nub_error err = { 0 };

	frame->rflags |= 0x100;
	assert_int_equal(GUEST_RUN(guest, "\x90\x90\x90\xe6\x6c"), NUB_BOX_STOPPED);
	expect_stop(guest, SIGTRAP, 1, CODE_GVA + 1);
	assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_STOPPED);
	expect_stop(guest, SIGTRAP, 1, CODE_GVA + 2);
	frame->rflags &= ~UINT64_C(0x100);
	assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_STOPPED);
	expect_stop(guest, SIGSEGV, 13, CODE_GVA + 3);
}

static void test_wide_registers(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };
	uint8_t xsave[NUB_XSAVE_SIZE], again[NUB_XSAVE_SIZE];

	/* vpcmpeqd %ymm5,%ymm5,%ymm5; out */
	assert_int_equal(GUEST_RUN(guest, "\xc5\xd5\x76\xed\xe6\x6c\xe6\x6c"), NUB_BOX_STOPPED);
	assert_int_equal(nub_box_get_xsave(&guest->box, xsave, sizeof(xsave), &err), 0);
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(xsave[160 + 5 * 16 + i], 0xff);
		assert_int_equal(xsave[576 + 5 * 16 + i], 0xff);
		xsave[160 + 6 * 16 + i] = (uint8_t)i;
		xsave[576 + 6 * 16 + i] = (uint8_t)~i;
	}
	assert_int_equal(nub_box_set_xsave(&guest->box, xsave, sizeof(xsave), &err), 0);
	guest->box.frame.rip += 2;
	assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_STOPPED);
	assert_int_equal(nub_box_get_xsave(&guest->box, again, sizeof(again), &err), 0);
	assert_memory_equal(again + 160, xsave + 160, 256);
	assert_memory_equal(again + 576, xsave + 576, 256);
}

static void test_segment_bases(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };

	guest->box.load_segments = true;
	guest->box.fs_base = DATA_GVA;
	guest->box.gs_base = DATA_GVA + 8;
	for (unsigned i = 0; i < 4; i++)
		guest->box.segments[i] = 0x2b;
	memcpy(guest->data, "12345678abcdefgh", 16);
	/* mov %fs:0,%rax; mov %gs:0,%rdx; wrfsbase %rdx; out */
	static const char code[] = "\x64\x48\x8b\x04\x25\x00\x00\x00\x00\x65\x48\x8b\x14\x25\x00\x00\x00\x00"
				   "\xf3\x48\x0f\xae\xd1\xe6\x6c\xe6\x6c";
	guest->box.frame.rcx = 0x500500;
	assert_int_equal(GUEST_RUN(guest, code), NUB_BOX_STOPPED);
	expect_stop(guest, SIGSEGV, 13, CODE_GVA + 23);
	assert_memory_equal(&guest->box.frame.rax, "12345678", 8);
	assert_memory_equal(&guest->box.frame.rdx, "abcdefgh", 8);
	assert_int_equal(guest->box.fs_base, 0x500500);
	assert_int_equal(guest->box.segments[0], 0x2b);
	guest->box.frame.rip += 2;
	assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_STOPPED);
	assert_int_equal(guest->box.fs_base, 0x500500);
}

static void test_map_later(void **state)
{
	struct box_guest *guest = *state;
	struct nub_box *box = &guest->box;
	struct nub_error err = { 0 };

	memcpy(guest->data + 16, "now", 4);
	assert_int_equal(nub_box_map(box, 0x700000, 0x1000, PROT_READ, guest->fd, 0x1000, NUB_BOX_SHARED, &err), 0);
	/* mov 0x700010,%eax; mov %eax,0x500000: the data became read-only */
	assert_int_equal(nub_box_protect(box, DATA_GVA, 0x1000, PROT_READ, &err), 0);
	assert_int_equal(GUEST_RUN(guest, "\x8b\x04\x25\x10\x00\x70\x00\x89\x04\x25\x00\x00\x50\x00"), NUB_BOX_STOPPED);
	assert_memory_equal(&box->frame.rax, "now", 4);
	expect_stop(guest, SIGSEGV, 14, CODE_GVA + 7);
	assert_int_equal(nub_box_unmap(box, 0x700000, 0x1000, &err), 0);
	assert_int_equal(GUEST_RUN(guest, "\x8b\x04\x25\x10\x00\x70\x00"), NUB_BOX_STOPPED);
	assert_int_equal(box->frame.cr2, 0x700010);
	/* More than the queue holds. */
	for (unsigned i = 0; i < 3 * NUB_BOX_MAX_CALLS; i++)
		assert_int_equal(nub_box_map(box, 0x700000, 0x1000, PROT_READ, guest->fd, 0x1000, NUB_BOX_SHARED, &err),
		                 0);
	assert_int_equal(GUEST_RUN(guest, "\xe6\x6c"), NUB_BOX_STOPPED);
	/* What the kernel refuses is told: beyond the bound of its address space. */
	assert_int_equal(nub_box_map(box, 0x10000000, 0x10000000, PROT_READ, guest->fd, 0, NUB_BOX_SHARED, &err), 0);
	assert_int_equal(nub_box_flush(box, &err), -1);
	assert_int_equal(err.kind, NUB_E_PROCESS);
	assert_int_equal(err.sys_errno, ENOMEM);
}

/* KiB of the memfd that are in the box's page tables (proc(5)). */
static unsigned shared_kib(const struct nub_box *box)
{
	unsigned kib = UINT32_MAX;
	char line[128];

	snprintf(line, sizeof(line), "/proc/%d/status", box->pid);
	FILE *file = fopen(line, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) && sscanf(line, "RssShmem: %u", &kib) != 1)
		;
	fclose(file);
	return kib;
}

static void test_map_filled(void **state)
{
	struct box_guest *guest = *state;
	struct nub_box *box = &guest->box;
	struct nub_error err = { 0 };

	memcpy(guest->data, "full", 5);
	assert_int_equal(nub_box_map(box, 0x700000, 0x1000, PROT_READ, guest->fd, 0x1000, NUB_BOX_SHARED, &err), 0);
	assert_int_equal(nub_box_flush(box, &err), 0);
	const unsigned before = shared_kib(box);
	assert_int_equal(nub_box_map(box, 0x700000, 0x1000, PROT_READ, guest->fd, 0x1000, NUB_BOX_FILLED, &err), 0);
	assert_int_equal(nub_box_flush(box, &err), 0);
	assert_int_equal(shared_kib(box), before + 4);
	/* mov 0x700000,%eax; out */
	assert_int_equal(GUEST_RUN(guest, "\x8b\x04\x25\x00\x00\x70\x00\xe6\x6c"), NUB_BOX_STOPPED);
	assert_memory_equal(&box->frame.rax, "full", 4);
}

/* ---- When it ends ---- */

static void test_deadline(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };
	const uint64_t start = clock_now();

	assert_int_equal(guest_run(guest, "\xeb\xfe", 2, start + 50000000), NUB_BOX_INTERRUPTED);
	assert_true(clock_now() - start >= 50000000);
	assert_int_equal(guest->box.frame.rip, CODE_GVA);
	/* It can go on. */
	guest->code[0] = 0xe6;
	guest->code[1] = 0x6c;
	assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_STOPPED);
	assert_int_equal(guest->box.frame.vector, 13);
}

static struct box_guest *kicked;

static void kick(int signal)
{
	(void)signal;
	kicked->stops.kicked = 1;
	nub_box_wake(&kicked->box);
}

static void test_kick(void **state)
{
	struct box_guest *guest = *state;
	const struct itimerspec soon = { .it_value.tv_nsec = 30000000 };
	struct sigaction action = { .sa_handler = kick }, before;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct nub_error err = { 0 };
	timer_t timer;

	kicked = guest;
	assert_int_equal(sigaction(SIGUSR2, &action, &before), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	timer_settime(timer, 0, &soon, NULL);
	assert_int_equal(guest_run(guest, "\xeb\xfe", 2, 0), NUB_BOX_INTERRUPTED);
	/* It stays. */
	assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_INTERRUPTED);
	guest->stops.kicked = 0;
	assert_int_equal(GUEST_RUN(guest, "\xe6\x6c"), NUB_BOX_STOPPED);
	timer_delete(timer);
	sigaction(SIGUSR2, &before, NULL);
}

/* A signal that is blocked here ends a run, and stays. */
static void test_pending_signal(void **state)
{
	struct box_guest *guest = *state;
	const struct itimerspec soon = { .it_value.tv_nsec = 30000000 };
	const struct timespec at_once = { 0 };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 7 };
	sigset_t signals, before;
	timer_t timer;

	sigemptyset(&signals);
	sigaddset(&signals, SIGRTMIN + 7);
	guest->stops.signals[guest->stops.signal_count++] = SIGRTMIN + 7;
	sigprocmask(SIG_BLOCK, &signals, &before);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	timer_settime(timer, 0, &soon, NULL);
	assert_int_equal(guest_run(guest, "\xeb\xfe", 2, 0), NUB_BOX_INTERRUPTED);
	assert_int_equal(guest_run(guest, "\xeb\xfe", 2, 0), NUB_BOX_INTERRUPTED);
	assert_int_equal(sigtimedwait(&signals, NULL, &at_once), SIGRTMIN + 7);
	assert_int_equal(GUEST_RUN(guest, "\xe6\x6c"), NUB_BOX_STOPPED);
	timer_delete(timer);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_BOX(test_out),           WITH_BOX(test_faults),
		WITH_BOX(test_step),          WITH_BOX(test_wide_registers),
		WITH_BOX(test_segment_bases), WITH_BOX(test_map_later),
		WITH_BOX(test_map_filled),    WITH_BOX(test_deadline),
		WITH_BOX(test_kick),          WITH_BOX(test_pending_signal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
