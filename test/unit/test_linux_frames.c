/* Frames of signal handlers: laid out as the host's kernel lays out its own, and taken back only when they are good. */
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "linux_program.h"

enum { HOST_FRAME_MAX = 32768, HOST_STACK = 262144 };

/* What the host's kernel made of a signal: the frame with all above it, and the registers that the handler began with. */
static struct {
	uint64_t rsp, rax, rdi, rsi, rdx, rflags; /* written by frames_entry */
	uint64_t frame;
	uint8_t bytes[HOST_FRAME_MAX];
	size_t size;
	unsigned runs;
	bool nested;
} host;

_Static_assert(offsetof(typeof(host), rflags) == 40, "frames_entry writes here");

/* The handler: its registers, then C. A symbol of the file's own needs no table of addresses. */
__asm__(".text\n"
        "frames_entry:\n"
        "	push %rbx\n"
        "	lea host(%rip), %rbx\n"
        "	mov %rax, 8(%rbx)\n"
        "	lea 8(%rsp), %rax\n"
        "	mov %rax, (%rbx)\n"
        "	mov %rdi, 16(%rbx)\n"
        "	mov %rsi, 24(%rbx)\n"
        "	mov %rdx, 32(%rbx)\n"
        "	pushf\n"
        "	pop 40(%rbx)\n"
        "	pop %rbx\n"
        "	jmp frames_handler\n");
void frames_entry(int signal, siginfo_t *info, void *context);
void frames_handler(int signal, siginfo_t *info, void *context);

__attribute__((used)) void frames_handler(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *user = context;
	struct nub_linux_xsave_note note;

	(void)info;
	if (host.nested && host.runs++ == 0) {
		syscall(SYS_tgkill, getpid(), gettid(), signal);
		return;
	}
	memcpy(&note, (const uint8_t *)user->uc_mcontext.fpregs + 464, sizeof(note));
	host.frame = (uint64_t)(uintptr_t)context - 8;
	host.size = (uint64_t)(uintptr_t)user->uc_mcontext.fpregs + note.xsave_size + 4 - host.frame;
	if (host.size > sizeof(host.bytes))
		abort();
	memcpy(host.bytes, (const void *)(uintptr_t)host.frame, host.size);
}

/* Have a signal come with these flags, and make of what the host's kernel left the input that it had. */
static void host_signal(int flags, struct nub_linux_frame_input *input)
{
	const struct nub_linux_frame *frame = (const void *)host.bytes;
	struct nub_linux_xsave_note note;
	struct sigaction action = { .sa_flags = flags | SA_SIGINFO }, old;

	action.sa_sigaction = frames_entry;
	sigaddset(&action.sa_mask, SIGUSR2);
	assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
	assert_int_equal(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1), 0);
	assert_int_equal(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &input->action, 8), 0);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
	const struct nub_linux_sigcontext *context = &frame->uc_mcontext;
	input->regs = (struct nub_registers){
		.rax = context->rax,
		.rbx = context->rbx,
		.rcx = context->rcx,
		.rdx = context->rdx,
		.rsi = context->rsi,
		.rdi = context->rdi,
		.rsp = context->rsp,
		.rbp = context->rbp,
		.r8 = context->r8,
		.r9 = context->r9,
		.r10 = context->r10,
		.r11 = context->r11,
		.r12 = context->r12,
		.r13 = context->r13,
		.r14 = context->r14,
		.r15 = context->r15,
		.rip = context->rip,
		.rflags = context->rflags,
	};
	memcpy(&note, host.bytes + (context->fpstate - host.frame) + 464, sizeof(note));
	input->xsave = (struct nub_linux_xsave){
		.bytes = host.bytes + (context->fpstate - host.frame),
		.size = note.xsave_size,
		.features = note.features,
	};
	input->mask = frame->uc_sigmask;
	input->info = frame->info;
	input->vector = context->vector;
	input->error_code = context->error_code;
	input->cr2 = context->cr2;
}

/* Ours for the same input lies where the host's does and has the same bytes. */
static void compare_with_host(struct nub_linux_frame_input *input)
{
	struct nub_linux_frame_place place;
	struct nub_linux_frame frame, expected;
	struct nub_registers regs;
	static uint8_t fpstate[HOST_FRAME_MAX];

	memcpy(&expected, host.bytes, sizeof(expected));
	assert_true(nub_linux_frame_place(input, &place));
	assert_int_equal(place.frame, host.frame);
	assert_int_equal(place.fpstate, expected.uc_mcontext.fpstate);
	assert_int_equal(place.fpstate + place.fpstate_size, host.frame + host.size);
	nub_linux_frame_build(input, &place, &frame, fpstate);
	/* What the kernel leaves as it was on the stack. */
	memset(frame.uc_mcontext.reserved, 0, sizeof(frame.uc_mcontext.reserved));
	memset(expected.uc_mcontext.reserved, 0, sizeof(expected.uc_mcontext.reserved));
	frame.uc_stack.unused = expected.uc_stack.unused = 0;
	assert_memory_equal(&frame, &expected, sizeof(frame));
	assert_memory_equal(fpstate, host.bytes + (place.fpstate - host.frame), place.fpstate_size);
	nub_linux_frame_enter(input, &place, &regs);
	assert_int_equal(regs.rsp, host.rsp);
	assert_int_equal(regs.rax, host.rax);
	assert_int_equal(regs.rdi, host.rdi);
	assert_int_equal(regs.rsi, host.rsi);
	assert_int_equal(regs.rdx, host.rdx);
	assert_int_equal(regs.rip, (uint64_t)(uintptr_t)frames_entry);
	assert_int_equal(regs.rflags & 0x500, host.rflags & 0x500);
}

static void frames_are_the_hosts_on_the_threads_own_stack(void **state)
{
	static const int flags[] = { 0, SA_NODEFER, SA_RESTART, SA_ONSTACK };

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct nub_linux_frame_input input = { .stack = { .flags = SS_DISABLE } };
		assert_int_equal(syscall(SYS_sigaltstack, &input.stack, NULL), 0);
		input.stack = (struct nub_linux_sigstack){ .flags = SS_DISABLE };
		host_signal(flags[i], &input);
		compare_with_host(&input);
	}
}

static void frames_are_the_hosts_on_an_alternate_stack(void **state)
{
	static _Alignas(64) uint8_t stack[HOST_STACK];
	/* Crooked ones, too: the frame is aligned all the same. */
	static const uint32_t starts[] = { 0, 1, 8, 63 };

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
		for (int nested = 0; nested < 2; nested++) {
			struct nub_linux_frame_input input = { 0 };
			input.stack.sp = (uint64_t)(uintptr_t)stack + starts[i];
			input.stack.size = HOST_STACK - 100;
			assert_int_equal(syscall(SYS_sigaltstack, &input.stack, NULL), 0);
			host.nested = nested;
			host.runs = 0;
			host_signal(SA_ONSTACK | SA_NODEFER, &input);
			host.nested = false;
			assert_in_range(host.frame, input.stack.sp, input.stack.sp + input.stack.size);
			compare_with_host(&input);
		}
	assert_int_equal(syscall(SYS_sigaltstack, &(struct nub_linux_sigstack){ .flags = SS_DISABLE }, NULL), 0);
}

static void an_alternate_stack_that_is_too_small_takes_no_frame(void **state)
{
	static const uint8_t xsave[NUB_LINUX_XSAVE_AVX_SIZE];
	struct nub_linux_frame_input input = {
		.regs = { .rsp = STACK_TOP },
		.xsave = { xsave, NUB_LINUX_XSAVE_AVX_SIZE, 7 },
		.action = { .flags = SA_ONSTACK },
		.stack = { .sp = DATA, .size = 1000 },
	};
	struct nub_linux_frame_place place;

	(void)state;
	assert_false(nub_linux_frame_place(&input, &place));
	input.stack.size = 2048;
	assert_true(nub_linux_frame_place(&input, &place));
	/* Near its end already. */
	input.regs.rsp = DATA + 500;
	assert_false(nub_linux_frame_place(&input, &place));
	/* SS_AUTODISARM: as if it were not on it, so that it begins anew. */
	input.stack.flags = NUB_LINUX_SS_AUTODISARM;
	assert_true(nub_linux_frame_place(&input, &place));
	/* No stack at all: wherever rsp is, even where it wraps. */
	input = (struct nub_linux_frame_input){ .regs = { .rsp = 100 }, .xsave = input.xsave };
	assert_true(nub_linux_frame_place(&input, &place));
	assert_true(place.frame > UINT64_C(1) << 63);
}

static void x87_and_sse_always_count_as_there(void **state)
{
	uint8_t xsave[NUB_LINUX_XSAVE_AVX_SIZE] = { [512] = 4 }, fpstate[NUB_LINUX_XSAVE_AVX_SIZE + 4];
	const struct nub_linux_frame_input input = {
		.regs = { .rsp = STACK_TOP },
		.xsave = { xsave, NUB_LINUX_XSAVE_AVX_SIZE, 7 },
	};
	struct nub_linux_frame_place place;
	struct nub_linux_frame frame;

	(void)state;
	assert_true(nub_linux_frame_place(&input, &place));
	nub_linux_frame_build(&input, &place, &frame, fpstate);
	assert_int_equal(fpstate[512], 7);
}

/* ---- in a program ---- */

#define HANDLER UINT64_C(0x402000)
#define RESTORER UINT64_C(0x403000)

static void handle(struct alone *alone, int signal, uint64_t flags, uint64_t mask)
{
	const struct nub_linux_sigaction action = {
		.handler = HANDLER,
		.flags = flags | NUB_LINUX_SA_RESTORER,
		.restorer = RESTORER,
		.mask = mask,
	};

	put(alone, DATA, &action, sizeof(action));
	assert_int_equal(call(alone, __NR_rt_sigaction, (uint64_t)signal, DATA, 0, 8, 0, 0), 0);
}

/* A signal has come while the program ran with registers that all differ; its handler is about to run. */
static struct nub_registers enter_handler(struct alone *alone)
{
	struct nub_registers regs;
	uint64_t *word = (uint64_t *)&regs;

	handle(alone, SIGUSR1, SA_SIGINFO, 0);
	call(alone, __NR_tgkill, NUB_LINUX_PID, NUB_LINUX_PID, SIGUSR1, 0, 0, 0);
	for (size_t i = 0; i < sizeof(regs) / sizeof(*word); i++)
		word[i] = 0x1111 * (i + 1);
	regs.rsp = STACK_TOP - 1000;
	regs.rip = CODE + 7;
	regs.rflags = 0x202 | 0xc5 | 0x400;
	alone->linux->current->vcpu.regs = regs;
	nub_linux_fpstate_initial(alone->fake.vcpu.xsave, NUB_LINUX_XSAVE_AVX_SIZE);
	alone->fake.vcpu.xsave[512] = 7;
	memset(alone->fake.vcpu.xsave + 160, 0xab, 256); /* XMM */
	memset(alone->fake.vcpu.xsave + 576, 0xcd, 256); /* the upper halves of YMM */
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, HANDLER);
	assert_int_equal(alone->fake.vcpu.regs.rflags & 0x400, 0);
	return regs;
}

static uint64_t frame_of(const struct alone *alone)
{
	return alone->fake.vcpu.regs.rsp;
}

static int64_t return_from(struct alone *alone, uint64_t frame)
{
	/* After the handler's ret, in the restorer. */
	struct nub_registers *regs = &alone->fake.vcpu.regs;

	*regs =
	    (struct nub_registers){ .rax = __NR_rt_sigreturn, .rsp = frame + 8, .rip = RESTORER + 9, .rflags = 0x202 };
	nub_linux_syscall(alone->linux);
	return next(alone);
}

static void a_handler_returns_to_where_the_signal_came(void **state)
{
	struct alone *alone = *state;
	const struct nub_registers before = enter_handler(alone);
	struct nub_linux_frame frame;
	uint8_t xsave[NUB_LINUX_XSAVE_AVX_SIZE];

	get(alone, frame_of(alone), &frame, sizeof(frame));
	assert_int_equal(frame.restorer, RESTORER);
	assert_int_equal(frame.info.si_signo, SIGUSR1);
	assert_int_equal(frame.info.si_code, SI_TKILL);
	assert_int_equal(frame.info.si_pid, NUB_LINUX_PID);
	assert_int_equal(alone->linux->current->signal_data->mask, nub_linux_signal_bit(SIGUSR1));
	memcpy(xsave, alone->fake.vcpu.xsave, sizeof(xsave));
	/* The handler spoils all. */
	memset(alone->fake.vcpu.xsave, 0, 512);
	assert_int_equal(return_from(alone, frame_of(alone)), NUB_LINUX_RUN);
	assert_memory_equal(&alone->fake.vcpu.regs, &before, sizeof(before));
	assert_memory_equal(alone->fake.vcpu.xsave, xsave, sizeof(xsave));
	assert_int_equal(alone->linux->current->signal_data->mask, 0);
}

/* With AVX-512, all of it is in the frame and comes back. */
static void wide_state_is_in_frames_too(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_frame frame;
	uint8_t xsave[NUB_LINUX_XSAVE_SIZE];

	alone->linux->machine.xcr0 = 0xe7;
	memset(alone->fake.vcpu.xsave, 0, NUB_LINUX_XSAVE_SIZE);
	memset(alone->fake.vcpu.xsave + 1088, 0xee, NUB_LINUX_XSAVE_SIZE - 1088);
	enter_handler(alone);
	const uint64_t at = frame_of(alone);
	get(alone, at, &frame, sizeof(frame));
	get(alone, frame.uc_mcontext.fpstate, xsave, sizeof(xsave));
	assert_int_equal(xsave[NUB_LINUX_XSAVE_SIZE - 1], 0xee);
	xsave[512] = 0xe7;
	put(alone, frame.uc_mcontext.fpstate, xsave, sizeof(xsave));
	memset(alone->fake.vcpu.xsave, 0, NUB_LINUX_XSAVE_SIZE);
	assert_int_equal(return_from(alone, at), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.xsave[512], 0xe7);
	assert_int_equal(alone->fake.vcpu.xsave[1088], 0xee);
	assert_int_equal(alone->fake.vcpu.xsave[NUB_LINUX_XSAVE_SIZE - 1], 0xee);
	/* As much as the auxiliary vector says that a frame may take. */
	assert_true(STACK_TOP - 1000 - at <= nub_linux_frame_room(NUB_LINUX_XSAVE_SIZE));
	assert_int_equal(nub_linux_frame_room(NUB_LINUX_XSAVE_AVX_SIZE), 2048);
}

static void a_handler_may_change_what_it_returns_to(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_frame frame;
	const uint32_t xmm = 0x12345678;

	enter_handler(alone);
	const uint64_t at = frame_of(alone);
	get(alone, at, &frame, sizeof(frame));
	frame.uc_mcontext.rip = CODE + 100;
	frame.uc_mcontext.rflags = UINT64_MAX;
	frame.uc_sigmask = UINT64_MAX;
	frame.uc_stack = (struct nub_linux_sigstack){ .sp = DATA, .size = 8192 };
	put(alone, at, &frame, sizeof(frame));
	put(alone, frame.uc_mcontext.fpstate + 160, &xmm, sizeof(xmm));
	assert_int_equal(return_from(alone, at), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, CODE + 100);
	/* IOPL, NT, VM, VIF, VIP and what is reserved stay off. */
	assert_int_equal(alone->fake.vcpu.regs.rflags, 0x202 | 0x50dd5);
	assert_int_equal(alone->linux->current->signal_data->mask, ~NUB_LINUX_UNBLOCKABLE);
	assert_int_equal(alone->linux->current->signal_data->stack.sp, DATA);
	assert_memory_equal(alone->fake.vcpu.xsave + 160, &xmm, sizeof(xmm));
}

/* Change 8 bytes of the frame, or of the XSAVE image. */
struct mangle {
	bool fpstate;
	uint32_t offset;
	uint64_t value;
};

static void put_mangled(struct alone *alone, uint64_t frame, const struct mangle *mangle)
{
	uint64_t base = frame;

	if (mangle->fpstate)
		get(alone, frame + offsetof(struct nub_linux_frame, uc_mcontext.fpstate), &base, sizeof(base));
	put(alone, base + mangle->offset, &mangle->value, sizeof(mangle->value));
}

#define CONTEXT(field) offsetof(struct nub_linux_frame, uc_mcontext.field)

static void frames_that_no_cpu_takes_kill(void **state)
{
	static const struct mangle mangles[] = {
		{ false, CONTEXT(rip), UINT64_C(0x800000000000) },
		{ false, CONTEXT(rip), UINT64_C(0x7ffffffff000) },
		{ false, CONTEXT(rip), UINT64_C(0xffff800000000000) },
		{ false, CONTEXT(rip), UINT64_MAX },
		/* cs, gs, fs and ss. */
		{ false, CONTEXT(cs), UINT64_C(0x002b000000000023) }, /* 32-bit code */
		{ false, CONTEXT(cs), UINT64_C(0x002b000000000008) },
		{ false, CONTEXT(cs), UINT64_C(0x0000000000000033) }, /* no stack segment */
		{ false, CONTEXT(cs), UINT64_C(0x0010000000000033) },
		{ false, CONTEXT(fpstate), UNMAPPED },
		{ false, CONTEXT(fpstate), UINT64_MAX - 100 },
		{ true, 512, 8 }, /* a feature that XCR0 lacks */
		{ true, 512, UINT64_C(1) << 62 },
		{ true, 520, UINT64_C(1) << 63 }, /* the compacted form */
		{ true, 528, 1 },                 /* reserved */
		{ true, 568, 1 },
		{ true, 24, UINT64_C(0x10000) }, /* MXCSR */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mangles) / sizeof(*mangles); i++) {
		struct alone *alone;
		program_setup((void **)&alone);
		enter_handler(alone);
		const uint64_t frame = frame_of(alone);
		put_mangled(alone, frame, &mangles[i]);
		if (return_from(alone, frame) != NUB_LINUX_ENDED)
			fail_msg("mangled frame %zu was taken", i);
		assert_int_equal(alone->linux->end.kind, NUB_LINUX_KILLED);
		assert_int_equal(alone->linux->end.signal, SIGSEGV);
		assert_false(alone->linux->end.has_fault);
		program_teardown((void **)&alone);
	}
}

static void a_bad_frame_may_be_caught(void **state)
{
	struct alone *alone = *state;
	siginfo_t info;

	handle(alone, SIGSEGV, SA_SIGINFO, 0);
	alone->fake.vcpu.regs.rsp = STACK_TOP;
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
	assert_int_equal(return_from(alone, STACK_TOP - 8), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, HANDLER);
	get(alone, alone->fake.vcpu.regs.rsi, &info, sizeof(info));
	assert_int_equal(info.si_signo, SIGSEGV);
	assert_int_equal(info.si_code, SI_KERNEL);
	assert_null(info.si_addr);
}

static void without_an_image_the_state_is_as_after_reset(void **state)
{
	struct alone *alone = *state;
	const uint64_t none = 0;
	uint8_t expected[NUB_LINUX_XSAVE_AVX_SIZE];

	enter_handler(alone);
	const uint64_t frame = frame_of(alone);
	put(alone, frame + CONTEXT(fpstate), &none, sizeof(none));
	assert_int_equal(return_from(alone, frame), NUB_LINUX_RUN);
	nub_linux_fpstate_initial(expected, sizeof(expected));
	assert_memory_equal(alone->fake.vcpu.xsave, expected, sizeof(expected));
}

static void an_image_without_its_magic_is_x87_and_sse_alone(void **state)
{
	static const struct mangle mangles[] = {
		{ true, 464, 0 },      /* no first magic */
		{ true, 480, 100 },    /* a size that is too small */
		{ true, 480, 100000 }, /* or too large */
		{ true, 832, 0 },      /* no second magic */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mangles) / sizeof(*mangles); i++) {
		struct alone *alone;
		program_setup((void **)&alone);
		enter_handler(alone);
		const uint64_t frame = frame_of(alone);
		put_mangled(alone, frame, &mangles[i]);
		assert_int_equal(return_from(alone, frame), NUB_LINUX_RUN);
		assert_int_equal(alone->fake.vcpu.xsave[160], 0xab);
		assert_int_equal(alone->fake.vcpu.xsave[512], 3);
		assert_int_equal(alone->fake.vcpu.xsave[576], 0);
		program_teardown((void **)&alone);
	}
}

/* What the program says of the image's size is believed up to what the CPU has, for which there is room. */
static void a_size_that_is_more_than_the_cpus_is_none(void **state)
{
	const struct nub_linux_xsave limits = { .size = NUB_LINUX_XSAVE_AVX_SIZE, .features = 7 };
	const uint32_t least = NUB_LINUX_XSAVE_LEGACY + NUB_LINUX_XSAVE_HEADER;
	const struct {
		uint32_t size, extended_size, taken;
	} sizes[] = {
		{ limits.size, limits.size, limits.size },
		{ limits.size, UINT32_MAX, limits.size },
		{ least, least, least },
		{ limits.size + 1, UINT32_MAX, NUB_LINUX_XSAVE_LEGACY },
		{ UINT32_MAX, UINT32_MAX, NUB_LINUX_XSAVE_LEGACY },
		{ least - 1, UINT32_MAX, NUB_LINUX_XSAVE_LEGACY },
		{ 0, 0, NUB_LINUX_XSAVE_LEGACY },
		{ limits.size, limits.size - 1, NUB_LINUX_XSAVE_LEGACY },
	};
	uint8_t legacy[NUB_LINUX_XSAVE_LEGACY] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		const struct nub_linux_xsave_note note = { .magic1 = FP_XSTATE_MAGIC1,
			                                   .extended_size = sizes[i].extended_size,
			                                   .features = 7,
			                                   .xsave_size = sizes[i].size };
		memcpy(legacy + 464, &note, sizeof(note));
		assert_int_equal(nub_linux_fpstate_size(legacy, &limits), sizes[i].taken);
	}
}

/* Of x87 and SSE alone, too. */
static void bits_that_mxcsr_has_not_are_refused(void **state)
{
	const struct nub_linux_xsave limits = { .size = NUB_LINUX_XSAVE_AVX_SIZE, .features = 7 };
	uint8_t bytes[NUB_LINUX_XSAVE_LEGACY] = { 0 }, xsave[NUB_LINUX_XSAVE_AVX_SIZE];

	(void)state;
	assert_true(nub_linux_fpstate_take(bytes, sizeof(bytes), 0, &limits, xsave));
	bytes[26] = 1;
	assert_false(nub_linux_fpstate_take(bytes, sizeof(bytes), 0, &limits, xsave));
}

#define PROGRAM_TEST(name) cmocka_unit_test_setup_teardown(name, program_setup, program_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_the_hosts_on_the_threads_own_stack),
		cmocka_unit_test(frames_are_the_hosts_on_an_alternate_stack),
		cmocka_unit_test(an_alternate_stack_that_is_too_small_takes_no_frame),
		cmocka_unit_test(x87_and_sse_always_count_as_there),
		PROGRAM_TEST(a_handler_returns_to_where_the_signal_came),
		PROGRAM_TEST(wide_state_is_in_frames_too),
		PROGRAM_TEST(a_handler_may_change_what_it_returns_to),
		cmocka_unit_test(frames_that_no_cpu_takes_kill),
		PROGRAM_TEST(a_bad_frame_may_be_caught),
		PROGRAM_TEST(without_an_image_the_state_is_as_after_reset),
		PROGRAM_TEST(an_image_without_its_magic_is_x87_and_sse_alone),
		cmocka_unit_test(a_size_that_is_more_than_the_cpus_is_none),
		cmocka_unit_test(bits_that_mxcsr_has_not_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
