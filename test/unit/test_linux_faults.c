/* What a program's exceptions become: signals with Linux's codes, by vector, and for floating point by what was raised. */
#include <signal.h>

#include "linux_program.h"

enum { XSAVE_FCW = 0, XSAVE_FSW = 2, XSAVE_MXCSR = 24 };

static void fault(struct alone *alone, unsigned vector)
{
	alone_signals.info = (siginfo_t){ 0 };
	alone->fake.vcpu.regs.rip = CODE;
	nub_linux_fault(alone->linux, vector, 0, 0);
	alone_take_signal(alone);
	assert_int_equal(alone_signals.vector, vector);
}

static void each_vector_has_its_signal(void **state)
{
	static const struct {
		unsigned vector;
		int signal, code;
		uint64_t address;
	} cases[] = {
		{ 0, SIGFPE, FPE_INTDIV, CODE },  { 1, SIGTRAP, TRAP_TRACE, CODE }, { 3, SIGTRAP, SI_KERNEL, 0 },
		{ 6, SIGILL, ILL_ILLOPN, CODE },  { 11, SIGBUS, SI_KERNEL, 0 },     { 12, SIGBUS, SI_KERNEL, 0 },
		{ 13, SIGSEGV, SI_KERNEL, 0 },    { 17, SIGBUS, BUS_ADRALN, 0 },    { 5, SIGSEGV, SI_KERNEL, 0 },
		{ 16, SIGFPE, FPE_FLTINV, CODE },
	};
	struct alone *alone = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fault(alone, cases[i].vector);
		assert_int_equal(alone_signals.info.si_signo, cases[i].signal);
		assert_int_equal(alone_signals.info.si_code, cases[i].code);
		assert_int_equal((uint64_t)(uintptr_t)alone_signals.info.si_addr, cases[i].address);
	}
	assert_int_equal(alone_signals.count, sizeof(cases) / sizeof(*cases));
}

/* The bits are the same for x87 and SSE: invalid, denormal, by zero, overflow, underflow, precision. */
static const struct {
	unsigned raised, masked;
	int code;
} math[] = {
	{ 0x01, 0x3e, FPE_FLTINV }, { 0x02, 0x3d, FPE_FLTUND }, { 0x04, 0x3b, FPE_FLTDIV }, { 0x08, 0x37, FPE_FLTOVF },
	{ 0x10, 0x2f, FPE_FLTUND }, { 0x20, 0x1f, FPE_FLTRES }, { 0x24, 0x04, FPE_FLTRES }, { 0x24, 0x00, FPE_FLTDIV },
};

static void x87_tells_what_it_raised(void **state)
{
	struct alone *alone = *state;

	for (size_t i = 0; i < sizeof(math) / sizeof(*math); i++) {
		const uint16_t control = (uint16_t)math[i].masked, status = (uint16_t)math[i].raised;

		memcpy(alone->fake.vcpu.xsave + XSAVE_FCW, &control, sizeof(control));
		memcpy(alone->fake.vcpu.xsave + XSAVE_FSW, &status, sizeof(status));
		fault(alone, 16);
		assert_int_equal(alone_signals.info.si_code, math[i].code);
	}
}

static void sse_tells_what_it_raised(void **state)
{
	struct alone *alone = *state;

	for (size_t i = 0; i < sizeof(math) / sizeof(*math); i++) {
		const uint32_t mxcsr = math[i].raised | math[i].masked << 7;

		memcpy(alone->fake.vcpu.xsave + XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
		fault(alone, 19);
		assert_int_equal(alone_signals.info.si_code, math[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_vector_has_its_signal, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(x87_tells_what_it_raised, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(sse_tells_what_it_raised, program_setup, program_teardown),
	};

	return cmocka_run_group_tests_name("exceptions of Linux programs", tests, NULL, NULL);
}
