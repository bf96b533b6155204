/* Calls as --strace shows them: each kind of argument, and what can't be shown. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "linux_program.h"

enum { NOWHERE = 4096 };

static const char *shown(struct alone *alone, unsigned number, int64_t result, uint64_t a, uint64_t b, uint64_t c,
                         uint64_t d)
{
	static char text[1024];
	const uint64_t args[6] = { a, b, c, d };

	nub_linux_format_call(alone->linux, number, args, result, text, sizeof(text));
	return text;
}

static void strings_are_quoted_or_an_address(void **state)
{
	struct alone *alone = *state;
	char name[2048];

	put(alone, DATA,
	    "a\t\"b\"\\\r\n\1"
	    "7\2x",
	    13);
	assert_string_equal(shown(alone, __NR_chdir, 0, DATA, 0, 0, 0),
	                    "chdir(\"a\\t\\\"b\\\"\\\\\\r\\n\\0017\\2x\") = 0");
	assert_string_equal(shown(alone, __NR_chdir, -EFAULT, NOWHERE, 0, 0, 0),
	                    "chdir(0x1000) = -1 EFAULT (Bad address)");
	assert_string_equal(shown(alone, __NR_chdir, -EFAULT, 0, 0, 0, 0), "chdir(NULL) = -1 EFAULT (Bad address)");
	memset(name, 'n', sizeof(name));
	put(alone, DATA, name, sizeof(name));
	const char *text = shown(alone, __NR_chdir, -ENAMETOOLONG, DATA, 0, 0, 0);
	assert_non_null(strstr(text, "chdir(\"nnnnnnnn"));
	assert_non_null(strstr(text, "n\"...) = -1 ENAMETOOLONG ("));
}

static void bytes_are_shown_as_far_as_they_went(void **state)
{
	struct alone *alone = *state;

	put(alone, DATA, "text", 5);
	assert_string_equal(shown(alone, __NR_write, 4, 1, DATA, 4, 0), "write(1, \"text\", 4) = 4");
	assert_string_equal(shown(alone, __NR_read, 2, 0, DATA, 4, 0), "read(0, \"te\", 4) = 2");
	assert_string_equal(shown(alone, __NR_read, -EAGAIN, 0, DATA, 4, 0),
	                    "read(0, 0x10000000, 4) = -1 EAGAIN (Resource temporarily unavailable)");
	assert_string_equal(shown(alone, __NR_read, NUB_LINUX_WAIT, 0, DATA, 4, 0), "read(0, 0x10000000, 4) = ?");
	assert_string_equal(shown(alone, __NR_write, -EFAULT, 1, NOWHERE, 4, 0),
	                    "write(1, 0x1000, 4) = -1 EFAULT (Bad address)");
	assert_string_equal(shown(alone, __NR_write, 0, 1, 0, 0, 0), "write(1, NULL, 0) = 0");
	assert_string_equal(shown(alone, __NR_read, -NUB_LINUX_ERESTARTSYS, 0, DATA, 4, 0),
	                    "read(0, 0x10000000, 4) = -1 ERESTART (to be restarted)");
}

static void numbers_have_the_names_that_they_are_known_by(void **state)
{
	struct alone *alone = *state;
	const struct timespec time = { 1, 500 };

	put(alone, DATA, "f", 2);
	put(alone, DATA + 64, &time, sizeof(time));
	assert_string_equal(shown(alone, __NR_openat, 3, (uint64_t)AT_FDCWD, DATA, O_RDWR | O_CREAT | O_CLOEXEC, 0644),
	                    "openat(AT_FDCWD, \"f\", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 3");
	assert_string_equal(shown(alone, __NR_openat, 3, 7, DATA, O_WRONLY | 1 << 30, 0),
	                    "openat(7, \"f\", O_WRONLY|0x40000000, 00) = 3");
	assert_string_equal(shown(alone, __NR_lseek, 0, 3, UINT64_MAX, 1, 0), "lseek(3, -1, 1) = 0");
	assert_string_equal(shown(alone, __NR_clock_nanosleep, 0, CLOCK_MONOTONIC, 1, DATA + 64, 0),
	                    "clock_nanosleep(CLOCK_MONOTONIC, 0x1, {tv_sec=1, tv_nsec=500}, NULL) = 0");
	assert_string_equal(shown(alone, __NR_clock_nanosleep, -EFAULT, 77, 0, NOWHERE, 0),
	                    "clock_nanosleep(77, 0, 0x1000, NULL) = -1 EFAULT (Bad address)");
	assert_string_equal(shown(alone, __NR_kill, 0, 1, 11, 0, 0), "kill(1, SIGSEGV) = 0");
	assert_string_equal(shown(alone, __NR_kill, -EINVAL, 1, 99, 0, 0),
	                    "kill(1, 99) = -1 EINVAL (Invalid argument)");
	assert_string_equal(shown(alone, __NR_mprotect, 0, DATA, 4096, PROT_READ | PROT_WRITE | 8, 0),
	                    "mprotect(0x10000000, 4096, PROT_READ|PROT_WRITE|0x8) = 0");
	assert_string_equal(shown(alone, __NR_mprotect, 0, DATA, 4096, PROT_NONE, 0),
	                    "mprotect(0x10000000, 4096, PROT_NONE) = 0");
	assert_non_null(
	    strstr(shown(alone, 9999, -ENOSYS, 1, 2, 3, 4), "syscall_9999(0x1, 0x2, 0x3, 0x4, 0, 0) = -1 ENOSYS"));
}

static void what_is_too_long_is_cut(void **state)
{
	struct alone *alone = *state;
	const uint64_t args[6] = { 1, DATA, 4 };
	char text[16];

	put(alone, DATA, "text", 5);
	memset(text, 'x', sizeof(text));
	nub_linux_format_call(alone->linux, __NR_write, args, 4, text, 12);
	assert_string_equal(text, "write(1, \"t");
	assert_int_equal(text[12], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(strings_are_quoted_or_an_address, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(bytes_are_shown_as_far_as_they_went, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(numbers_have_the_names_that_they_are_known_by, program_setup,
		                                program_teardown),
		cmocka_unit_test_setup_teardown(what_is_too_long_is_cut, program_setup, program_teardown),
	};

	return cmocka_run_group_tests_name("how calls of Linux programs are shown", tests, NULL, NULL);
}
