/* A guest of the process engine that wants out: system calls from everywhere, forged frames, and its own stub, stack and
 * signals against itself. What it reaches is its own end.
 */
#include "box_guest.h"

#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <sys/syscall.h>

#define SYSCALL_SIZE 2
#define LAST_NUMBER 520
#define NO_SUCH_NUMBER 4000
#define CALL_URETPROBE 335
#define CALL_UPROBE 336

/* The last `syscall` of the stub: what follows it are zeros, `add %al,(%rax)`, a fault that shows the result. */
static uint64_t stub_syscall(void)
{
	enum { MOV_SIZE = 5 }; /* mov $__NR_rt_sigreturn,%eax */
	const uint8_t *last = nub_stub_restorer + MOV_SIZE;

	assert_memory_equal(last, "\x0f\x05", SYSCALL_SIZE);
	return NUB_BOX_GVA + (uint64_t)(last - nub_stub_start);
}

/* jmp *%rbx, to the stub, with the registers of a system call. */
static enum nub_box_event call_by_stub(struct box_guest *guest, uint64_t number, const uint64_t args[6])
{
	struct nub_signal_frame *frame = &guest->box.frame;

	frame->rbx = stub_syscall();
	frame->rax = number;
	frame->rdi = args[0];
	frame->rsi = args[1];
	frame->rdx = args[2];
	frame->r10 = args[3];
	frame->r8 = args[4];
	frame->r9 = args[5];
	return GUEST_RUN(guest, "\xff\xe3");
}

static void expect_refused(const struct box_guest *guest, uint32_t arch, uint64_t number, uint64_t rip)
{
	const struct nub_signal_frame *frame = &guest->box.frame;

	/* Some kernels ask no filter about what is for their own trampolines alone (uprobes), and refuse all others themselves. */
	if (frame->rip == rip && ((number == CALL_URETPROBE && frame->signal == SIGILL) ||
	                          (number == CALL_UPROBE && frame->rax == (uint64_t)-ENXIO)))
		return;
	if (frame->signal != SIGSYS || frame->arch != arch || frame->call != (int32_t)number || frame->rip != rip)
		fail_msg("call %lu: signal %d, arch 0x%x, call %d, rip 0x%lx", number, frame->signal, frame->arch,
		         frame->call, frame->rip);
	assert_int_equal(frame->address, rip);
}

/* ---- System calls ---- */

static void test_syscall_instruction(void **state)
{
	struct box_guest *guest = *state;

	for (uint64_t number = 0; number <= LAST_NUMBER; number++) {
		guest->box.frame.rax = number;
		assert_int_equal(GUEST_RUN(guest, "\x0f\x05"), NUB_BOX_STOPPED);
		expect_refused(guest, AUDIT_ARCH_X86_64, number, CODE_GVA + SYSCALL_SIZE);
		/* By the numbers of x32. */
		guest->box.frame.rax = number | 0x40000000;
		assert_int_equal(GUEST_RUN(guest, "\x0f\x05"), NUB_BOX_STOPPED);
		expect_refused(guest, AUDIT_ARCH_X86_64, number | 0x40000000, CODE_GVA + SYSCALL_SIZE);
	}
}

/* A kernel that has no 32-bit programs makes it a fault. */
static void test_int_0x80(void **state)
{
	struct box_guest *guest = *state;

	for (uint64_t number = 0; number <= LAST_NUMBER; number++) {
		guest->box.frame.rax = number;
		assert_int_equal(GUEST_RUN(guest, "\xcd\x80"), NUB_BOX_STOPPED);
		if (guest->box.frame.signal == SIGSEGV) {
			assert_int_equal(guest->box.frame.error_code, 0x80 * 8 + 2);
			return;
		}
		expect_refused(guest, AUDIT_ARCH_I386, number, CODE_GVA + 2);
	}
}

/* Wherever sysenter ends, it is not in a system call. */
static void test_sysenter(void **state)
{
	struct box_guest *guest = *state;

	for (uint64_t number = 0; number <= LAST_NUMBER; number++) {
		guest->box.frame.rax = number;
		guest->box.frame.rbp = DATA_GVA;
		assert_int_equal(GUEST_RUN(guest, "\x0f\x34"), NUB_BOX_STOPPED);
		if (guest->box.frame.signal != SIGSEGV && guest->box.frame.signal != SIGILL)
			assert_int_equal(guest->box.frame.signal, SIGSYS);
	}
}

static void test_vsyscall_page(void **state)
{
	struct box_guest *guest = *state;

	for (unsigned i = 0; i < 3; i++) {
		guest->box.frame.rbx = UINT64_C(0xffffffffff600000) + 0x400 * i;
		guest->box.frame.rdi = DATA_GVA;
		/* call *%rbx */
		assert_int_equal(GUEST_RUN(guest, "\xff\xd3"), NUB_BOX_STOPPED);
		if (guest->box.frame.signal != SIGSYS)
			assert_int_equal(guest->box.frame.signal, SIGSEGV);
	}
}

static bool is_let_through(uint64_t number)
{
	return number == SYS_rt_sigreturn || number == SYS_munmap || number == SYS_mprotect;
}

static void test_syscall_in_stub(void **state)
{
	struct box_guest *guest = *state;
	static const uint64_t nothing[6] = { 0 };

	/* Arguments of 0: no flags and no futex operation but FUTEX_WAIT, of address 0, which is a fault. */
	for (uint64_t number = 0; number <= LAST_NUMBER; number++) {
		if (is_let_through(number) || number == SYS_futex)
			continue;
		assert_int_equal(call_by_stub(guest, number, nothing), NUB_BOX_STOPPED);
		expect_refused(guest, AUDIT_ARCH_X86_64, number, stub_syscall() + SYSCALL_SIZE);
		assert_int_equal(call_by_stub(guest, number | 0x40000000, nothing), NUB_BOX_STOPPED);
		expect_refused(guest, AUDIT_ARCH_X86_64, number | 0x40000000, stub_syscall() + SYSCALL_SIZE);
	}
	assert_int_equal(call_by_stub(guest, NO_SUCH_NUMBER, nothing), NUB_BOX_STOPPED);
	expect_refused(guest, AUDIT_ARCH_X86_64, NO_SUCH_NUMBER, stub_syscall() + SYSCALL_SIZE);
}

/* int 0x80 in the stub's page: its bytes must be there first, and the page is the guest's to spoil. */
static void test_own_code_in_stub(void **state)
{
	struct box_guest *guest = *state;
	const uint64_t rwx[6] = { NUB_BOX_GVA, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC };

	/* mov $0x9090050f,%eax (nop nop syscall reversed); the stub's page is writable from here on */
	assert_int_equal(call_by_stub(guest, SYS_mprotect, rwx), NUB_BOX_STOPPED);
	assert_int_equal(guest->box.frame.rax, 0);
	/* What the stub may call are other calls by their numbers there: munmap is execve, and mprotect is unlink. */
	static const uint64_t numbers[] = {
		SYS_munmap, SYS_mprotect, SYS_rt_sigreturn, SYS_mmap, SYS_futex, SYS_getpid
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		guest->box.frame.rbx = NUB_BOX_GVA + 0x800;
		guest->box.frame.rax = numbers[i];
		/* movl $0x050f80cd,(%rbx); jmp *%rbx: int $0x80; syscall */
		assert_int_equal(GUEST_RUN(guest, "\xc7\x03\xcd\x80\x0f\x05\xff\xe3"), NUB_BOX_STOPPED);
		if (guest->box.frame.signal != SIGSEGV)
			expect_refused(guest, AUDIT_ARCH_I386, numbers[i], NUB_BOX_GVA + 0x802);
	}
	guest->box.frame.rbx = NUB_BOX_GVA + 0x802;
	guest->box.frame.rax = SYS_getpid;
	assert_int_equal(GUEST_RUN(guest, "\xff\xe3"), NUB_BOX_STOPPED);
	expect_refused(guest, AUDIT_ARCH_X86_64, SYS_getpid, NUB_BOX_GVA + 0x804);
}

/* From a page of its own that shares one half of its address with the stub's, even what the stub may call is refused. */
static void test_near_the_stub(void **state)
{
	static const uint64_t places[] = { NUB_BOX_GVA + 0x10000000, NUB_BOX_GVA - (UINT64_C(1) << 32),
		                           NUB_BOX_GVA - 0x1000 };
	static const uint64_t numbers[] = {
		SYS_rt_sigreturn, SYS_munmap, SYS_mprotect, SYS_mmap, SYS_futex, SYS_getpid
	};
	struct box_guest *guest = *state;

	memcpy(guest->data, "\x0f\x05", SYSCALL_SIZE);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const uint64_t map[6] = { places[i],           0x1000, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED,
			                  (uint64_t)guest->fd, 0x1000 };
		assert_int_equal(call_by_stub(guest, SYS_mmap, map), NUB_BOX_STOPPED);
		assert_int_equal(guest->box.frame.rax, places[i]);
		for (size_t j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++) {
			guest->box.frame.rbx = places[i];
			guest->box.frame.rax = numbers[j];
			guest->box.frame.rdi = DATA_GVA;
			guest->box.frame.rsi = 0x1000;
			guest->box.frame.rdx = 0;
			/* jmp *%rbx */
			assert_int_equal(GUEST_RUN(guest, "\xff\xe3"), NUB_BOX_STOPPED);
			expect_refused(guest, AUDIT_ARCH_X86_64, numbers[j], places[i] + SYSCALL_SIZE);
		}
	}
}

static void test_arguments(void **state)
{
	struct box_guest *guest = *state;
	const uint64_t fd = (uint64_t)guest->fd, rw = PROT_READ | PROT_WRITE, at = 0x10000000;
	const struct {
		uint64_t number, args[6];
		bool refused;
	} calls[] = {
		{ SYS_mmap, { at, 0x1000, rw, MAP_SHARED | MAP_FIXED, fd, 0 }, false },
		{ SYS_mmap, { at, 0x1000, rw, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0 }, false },
		{ SYS_mmap, { at, 0x1000, rw, MAP_SHARED | MAP_FIXED | MAP_LOCKED, fd, 0 }, true },
		{ SYS_mmap, { at, 0x1000, rw, MAP_SHARED | MAP_FIXED, fd + 1, 0 }, true },
		{ SYS_mmap, { at, 0x1000, rw, MAP_SHARED | MAP_FIXED, UINT32_MAX, 0 }, true },
		{ SYS_mmap, { at, 0x1000, rw, MAP_SHARED, fd, 0 }, true },
		{ SYS_mmap, { at, 0x1000, rw, MAP_PRIVATE | MAP_FIXED, fd, 0 }, true },
		{ SYS_mmap, { at, 0x1000, rw, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, fd, 0 }, true },
		{ SYS_mmap, { at, 0x1000, rw, MAP_SHARED | MAP_FIXED | MAP_GROWSDOWN, fd, 0 }, true },
		{ SYS_futex, { DATA_GVA, 1 /* FUTEX_WAKE */, 1 }, false },
		{ SYS_futex, { DATA_GVA, 0 /* FUTEX_WAIT */, 1 }, false }, /* its word is 0: EAGAIN */
		{ SYS_futex, { DATA_GVA, 6 /* FUTEX_LOCK_PI */ }, true },
		{ SYS_futex, { DATA_GVA, 3 /* FUTEX_REQUEUE */, 1, 1, DATA_GVA + 8 }, true },
		{ SYS_futex, { DATA_GVA, 128 /* FUTEX_PRIVATE_FLAG */ }, true },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		assert_int_equal(call_by_stub(guest, calls[i].number, calls[i].args), NUB_BOX_STOPPED);
		if (calls[i].refused)
			expect_refused(guest, AUDIT_ARCH_X86_64, calls[i].number, stub_syscall() + SYSCALL_SIZE);
		else
			assert_int_not_equal(guest->box.frame.signal, SIGSYS);
	}
}

/* ---- Frames ---- */

/* Return through a frame of the guest's own making, which is put into its data. */
static enum nub_box_event forge(struct box_guest *guest, struct nub_signal_frame forged)
{
	memcpy(guest->data, &forged, sizeof(forged));
	guest->box.frame.rbx = stub_syscall();
	guest->box.frame.rax = SYS_rt_sigreturn;
	guest->box.frame.rcx = DATA_GVA + 8;
	/* mov %rcx,%rsp; jmp *%rbx; behind it, what the forged frame returns to: pushf; pop %rdx; out; jmp . */
	return GUEST_RUN(guest, "\x48\x89\xcc\xff\xe3\x9c\x5a\xe6\x6c\xeb\xfe");
}

static struct nub_signal_frame honest_frame(const struct box_guest *guest)
{
	struct nub_signal_frame frame = guest->box.first;

	frame.rip = CODE_GVA + 5;
	frame.rsp = DATA_GVA + 0x800;
	frame.xsave = 0;
	return frame;
}

static void test_forged_registers(void **state)
{
	struct box_guest *guest = *state;
	struct nub_signal_frame frame = honest_frame(guest);

	/* IOPL 3, VM, VIF, NT: the kernel keeps them from being set. */
	frame.rflags = UINT64_C(0x3f7fd7);
	frame.rflags &= ~UINT64_C(0x40100); /* not TF and AC, which are the guest's */
	assert_int_equal(forge(guest, frame), NUB_BOX_STOPPED);
	assert_int_equal(guest->box.frame.vector, 13);
	assert_int_equal(guest->box.frame.rip, CODE_GVA + 7);
	assert_int_equal(guest->box.frame.rdx & 0x3000, 0);
	/* Selectors of the kernel, of nothing, and of 32-bit code. */
	static const uint16_t selectors[][2] = {
		{ 0x10, 0x18 }, { 0x33, 0x18 }, { 0, 0 }, { 0xfff8, 0xfff8 }, { 0x23, 0x2b }
	};
	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
		frame = honest_frame(guest);
		frame.cs = selectors[i][0];
		frame.ss = selectors[i][1];
		assert_int_equal(forge(guest, frame), NUB_BOX_STOPPED);
		assert_int_equal(guest->box.frame.cs & 3, 3);
		/* And back: nubrun has them as they must be. */
		assert_int_equal(GUEST_RUN(guest, "\x8c\xc8\x8c\xd3\xe6\x6c"), NUB_BOX_STOPPED);
		assert_int_equal(guest->box.frame.rax, 0x33);
		assert_int_equal(guest->box.frame.rbx & 0xffff, 0x2b);
	}
}

static void test_forged_addresses(void **state)
{
	struct box_guest *guest = *state;
	static const uint64_t addresses[] = { UINT64_C(0xffffffff81000000), UINT64_C(0x800000000000),
		                              UINT64_C(0x8000000000000000), 0 };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct nub_signal_frame frame = honest_frame(guest);
		frame.rip = addresses[i];
		assert_int_equal(forge(guest, frame), NUB_BOX_STOPPED);
		assert_int_equal(guest->box.frame.signal, SIGSEGV);
		assert_int_equal(guest->box.frame.rip, addresses[i]);
		/* A frame of nubrun's with such an rip, as a debugger may set it. */
		struct nub_error err = { 0 };
		assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_STOPPED);
		assert_int_equal(guest->box.frame.rip, addresses[i]);
		frame = honest_frame(guest);
		frame.xsave = addresses[i];
		const enum nub_box_event event = forge(guest, frame);
		assert_true(event == NUB_BOX_STOPPED || event == NUB_BOX_GONE);
		if (event == NUB_BOX_GONE)
			return;
	}
}

/* With every signal blocked it can't be stopped, only ended. */
static void test_blocked_signals(void **state)
{
	struct box_guest *guest = *state;
	struct nub_signal_frame frame = honest_frame(guest);
	const uint64_t start = clock_now();

	frame.signal_mask = UINT64_MAX;
	frame.rip = CODE_GVA + 9;
	memcpy(guest->data, &frame, sizeof(frame));
	guest->box.frame.rbx = stub_syscall();
	guest->box.frame.rax = SYS_rt_sigreturn;
	guest->box.frame.rcx = DATA_GVA + 8;
	assert_int_equal(guest_run(guest, "\x48\x89\xcc\xff\xe3\x9c\x5a\xe6\x6c\xeb\xfe", 11, start + 10000000),
	                 NUB_BOX_GONE);
	assert_true(clock_now() - start < UINT64_C(10000000000));
}

/* Waits for ever, in the kernel: it is interrupted as one that computes. */
static void test_waits_for_ever(void **state)
{
	struct box_guest *guest = *state;

	guest->box.frame.rbx = stub_syscall();
	guest->box.frame.rax = SYS_futex;
	guest->box.frame.rdi = DATA_GVA;
	guest->box.frame.rsi = guest->box.frame.rdx = guest->box.frame.r10 = 0;
	assert_int_equal(guest_run(guest, "\xff\xe3", 2, clock_now() + 30000000), NUB_BOX_INTERRUPTED);
}

/* ---- Its own stub and stack ---- */

static void test_unmaps(void **state)
{
	static const uint64_t ranges[][6] = {
		{ NUB_BOX_GVA + NUB_BOX_STACK_OFFSET, NUB_BOX_STACK_SIZE },
		{ NUB_BOX_GVA + NUB_BOX_SHARED_OFFSET, 0x2000 },
		{ NUB_BOX_GVA, 0x1000 },
		{ NUB_BOX_GVA, NUB_BOX_SIZE },
		{ 0, UINT64_C(0x7ffffffff000) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct box_guest guest;
		guest_open(&guest);
		assert_int_equal(call_by_stub(&guest, SYS_munmap, ranges[i]), NUB_BOX_GONE);
		guest_close(&guest);
	}
}

/* Its memory over the stub's: what it writes there, and the kernel's frames, are in its own pages. */
static void test_maps_over(void **state)
{
	struct box_guest *guest = *state;
	const uint64_t args[6] = { NUB_BOX_GVA + NUB_BOX_STACK_OFFSET,
		                   0x1000,
		                   PROT_READ,
		                   MAP_SHARED | MAP_FIXED,
		                   (uint64_t)guest->fd,
		                   0x1000 };
	uint64_t top[6];

	memcpy(top, args, sizeof(top));
	top[0] = NUB_BOX_GVA + NUB_BOX_SIZE - 0x1000;
	const enum nub_box_event event = call_by_stub(guest, SYS_mmap, args);
	assert_true(event == NUB_BOX_STOPPED);
	/* The frame's own page, read-only: the kernel can't leave one there any more. */
	assert_int_equal(call_by_stub(guest, SYS_mmap, top), NUB_BOX_GONE);
}

/* A stack pointer in the signal stack, which is full of what the guest pushed. */
static void test_fills_signal_stack(void **state)
{
	struct box_guest *guest = *state;

	guest->box.frame.rbx = NUB_BOX_GVA + NUB_BOX_SIZE;
	guest->box.frame.rcx = NUB_BOX_STACK_SIZE / 8;
	guest->box.frame.rax = UINT64_MAX;
	/* mov %rbx,%rsp; 1: push %rax; loop 1b; out */
	assert_int_equal(GUEST_RUN(guest, "\x48\x89\xdc\x50\xe2\xfd\xe6\x6c"), NUB_BOX_STOPPED);
	assert_int_equal(guest->box.frame.vector, 13);
	assert_int_equal(guest->box.frame.rip, CODE_GVA + 6);
	assert_int_equal(guest->box.frame.rsp, NUB_BOX_GVA + NUB_BOX_STACK_OFFSET);
	/* Over its end, through the shared pages, up to the stub's code, which it can't write. */
	assert_int_equal(GUEST_RUN(guest, "\x48\x89\xdc\x50\xeb\xfd"), NUB_BOX_GONE);
}

/* It writes over the shared pages: calls of its own, the turn, and a result of calls that nubrun never asked for. */
static void test_scribbles(void **state)
{
	struct box_guest *guest = *state;

	guest->box.frame.rdi = NUB_BOX_GVA + NUB_BOX_SHARED_OFFSET;
	guest->box.frame.rcx = NUB_BOX_STACK_OFFSET - NUB_BOX_SHARED_OFFSET;
	guest->box.frame.rax = 0xff;
	/* rep stosb; out */
	assert_int_equal(GUEST_RUN(guest, "\xf3\xaa\xe6\x6c"), NUB_BOX_GONE);
}

/* It takes nubrun's turn and runs on. nubrun sees a stop that was none, with registers of the guest's choice. */
static void test_takes_turn(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };

	guest->box.frame.rdi = NUB_BOX_GVA + NUB_BOX_SHARED_OFFSET + NUB_BOX_TURN;
	/* movl $1,(%rdi); jmp . */
	assert_int_equal(GUEST_RUN(guest, "\xc7\x07\x01\x00\x00\x00\xeb\xfe"), NUB_BOX_STOPPED);
	/* It still can be stopped. */
	assert_int_equal(nub_box_run(&guest->box, clock_now() + 30000000, &err), NUB_BOX_INTERRUPTED);
	assert_int_equal(guest->box.frame.rip, CODE_GVA + 6);
}

/* As if its first frame were still to be made, for which the stub does not give the turn back: it comes to nothing. */
static void test_traps_again(void **state)
{
	struct box_guest *guest = *state;

	guest->box.frame.rdi = NUB_BOX_GVA + NUB_BOX_SHARED_OFFSET + NUB_BOX_TRAPS;
	/* movl $1,(%rdi); out */
	assert_int_equal(GUEST_RUN(guest, "\xc7\x07\x01\x00\x00\x00\xe6\x6c"), NUB_BOX_STOPPED);
	expect_stop(guest, SIGSEGV, 13, CODE_GVA + 6);
}

int main(void)
{
#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_BOX(test_syscall_instruction), WITH_BOX(test_int_0x80),        WITH_BOX(test_sysenter),
		WITH_BOX(test_vsyscall_page),       WITH_BOX(test_syscall_in_stub), WITH_BOX(test_own_code_in_stub),
		WITH_BOX(test_near_the_stub),       WITH_BOX(test_arguments),       WITH_BOX(test_forged_registers),
		WITH_BOX(test_forged_addresses),    WITH_BOX(test_blocked_signals), WITH_BOX(test_waits_for_ever),
		cmocka_unit_test(test_unmaps),      WITH_BOX(test_maps_over),       WITH_BOX(test_fills_signal_stack),
		WITH_BOX(test_scribbles),           WITH_BOX(test_takes_turn),      WITH_BOX(test_traps_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
