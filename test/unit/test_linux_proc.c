/* /proc as a program reads it: itself, its memory, what it was started with, and that what is read is kept only so long. */
#include <errno.h>
#include <fcntl.h>

#include "linux_program.h"
#include "personality/linux/files.h"
#include "personality/linux/start.h"

#define NAME DATA
#define TEXT (DATA + 4096)

/* The file's text, of which there is one at a time. */
static const char *text_of(struct alone *alone, const char *path)
{
	static char text[4096];

	put(alone, NAME, path, strlen(path) + 1);
	const int64_t fd = call(alone, __NR_open, NAME, O_RDONLY, 0, 0, 0, 0);
	assert_true(fd >= 0);
	const int64_t size = call(alone, __NR_read, (uint64_t)fd, TEXT, sizeof(text) - 1, 0, 0, 0);
	assert_in_range(size, 0, sizeof(text) - 1);
	get(alone, TEXT, text, (size_t)size);
	text[size] = '\0';
	assert_int_equal(call(alone, __NR_close, (uint64_t)fd, 0, 0, 0, 0, 0), 0);
	return text;
}

static void a_program_is_told_of_itself(void **state)
{
	struct alone *alone = *state;
	char expected[64];
	unsigned long mapped, resident, shared;

	put(alone, NAME, "renamed", 8);
	assert_int_equal(call(alone, __NR_prctl, 15 /* PR_SET_NAME */, NAME, 0, 0, 0, 0), 0);
	assert_string_equal(text_of(alone, "/proc/self/comm"), "renamed\n");
	assert_string_equal(text_of(alone, "/proc/self/cgroup"), "0::/\n");
	snprintf(expected, sizeof(expected), "%d (renamed) R 0 ", alone->linux->pid);
	assert_int_equal(strncmp(text_of(alone, "/proc/self/stat"), expected, strlen(expected)), 0);
	snprintf(expected, sizeof(expected), "\nPid:\t%d\n", alone->linux->pid);
	assert_non_null(strstr(text_of(alone, "/proc/self/status"), expected));
	assert_int_equal(sscanf(text_of(alone, "/proc/self/statm"), "%lu %lu 0 0 0 %lu 0", &mapped, &resident, &shared),
	                 3);
	assert_int_equal(mapped, nub_linux_memory_use(alone->linux).mapped / 4096);
	assert_true(resident > 0 && resident <= mapped);
	assert_non_null(strstr(text_of(alone, "/proc/self/maps"), "10000000-10010000 rw-p 00000000 00:00 0 \n"));
	assert_non_null(strstr(text_of(alone, "/proc/mounts"), "tmpfs /tmp tmpfs rw"));
}

static void what_it_was_started_with_is_there(void **state)
{
	static uint8_t arguments[] = "program\0one", environment[] = "A=b\0C=d", auxv[] = { 6, 0, 0, 0, 0, 0, 0, 0 };
	struct nub_linux_program program = { .arguments = arguments,
		                             .arguments_size = sizeof(arguments),
		                             .environment = environment,
		                             .environment_size = sizeof(environment),
		                             .auxv = auxv,
		                             .auxv_size = sizeof(auxv) };
	struct alone *alone = *state;

	/* Before there is a program, there is nothing. */
	assert_string_equal(text_of(alone, "/proc/self/cmdline"), "");
	assert_string_equal(text_of(alone, "/proc/self/environ"), "");
	assert_string_equal(text_of(alone, "/proc/self/auxv"), "");
	alone->linux->program = &program;
	assert_memory_equal(text_of(alone, "/proc/self/cmdline"), arguments, sizeof(arguments));
	assert_memory_equal(text_of(alone, "/proc/self/environ"), environment, sizeof(environment));
	assert_memory_equal(text_of(alone, "/proc/self/auxv"), auxv, sizeof(auxv));
	alone->linux->program = NULL;
}

static void texts_are_kept_while_they_are_open(void **state)
{
	struct alone *alone = *state;
	size_t *kept = &alone->linux->files->listing_bytes;

	put(alone, NAME, "/proc/self/maps", 16);
	assert_int_equal(call(alone, __NR_open, NAME, O_RDONLY, 0, 0, 0, 0), 3);
	assert_int_equal(*kept, 0);
	assert_int_equal(call(alone, __NR_read, 3, TEXT, 1, 0, 0, 0), 1);
	const size_t one = *kept;
	assert_true(one > 0);
	/* From the start again: made anew, in the place of the first. */
	assert_int_equal(call(alone, __NR_lseek, 3, 0, SEEK_SET, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_read, 3, TEXT, 1, 0, 0, 0), 1);
	assert_int_equal(*kept, one);
	assert_int_equal(call(alone, __NR_lseek, 3, 0, SEEK_END, 0, 0, 0), -EINVAL);

	/* Another one is too much. */
	*kept = NUB_LINUX_LISTINGS_MAX;
	assert_int_equal(call(alone, __NR_open, NAME, O_RDONLY, 0, 0, 0, 0), 4);
	assert_int_equal(call(alone, __NR_read, 4, TEXT, 1, 0, 0, 0), -ENOMEM);
	assert_int_equal(*kept, NUB_LINUX_LISTINGS_MAX);
	assert_int_equal(call(alone, __NR_close, 3, 0, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_read, 4, TEXT, 1, 0, 0, 0), 1);
	assert_int_equal(call(alone, __NR_close, 4, 0, 0, 0, 0, 0), 0);
	assert_int_equal(*kept, NUB_LINUX_LISTINGS_MAX - one);
	*kept = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_program_is_told_of_itself, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(what_it_was_started_with_is_there, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(texts_are_kept_while_they_are_open, program_setup, program_teardown),
	};

	return cmocka_run_group_tests_name("/proc of Linux programs", tests, NULL, NULL);
}
