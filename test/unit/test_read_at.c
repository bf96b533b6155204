/* Reading and writing at an offset: all that is asked for, what there is before the end, and errors. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/read_at.h"

static const char text[] = "as many as there are";

static int file_of_text(void)
{
	const int fd = memfd_create("text", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	return fd;
}

static void all_that_is_asked_for(void **state)
{
	const int fd = file_of_text();
	char bytes[sizeof(text)];

	(void)state;
	assert_int_equal(nub_read_at(fd, bytes, sizeof(bytes), 0), sizeof(text));
	assert_memory_equal(bytes, text, sizeof(text));
	assert_int_equal(nub_read_at(fd, bytes, 4, 3), 4);
	assert_memory_equal(bytes, text + 3, 4);
	assert_int_equal(nub_read_at(fd, bytes, 0, 0), 0);
	close(fd);
}

static void what_there_is_before_the_end(void **state)
{
	const int fd = file_of_text();
	char bytes[2 * sizeof(text)];

	(void)state;
	assert_int_equal(nub_read_at(fd, bytes, sizeof(bytes), 5), sizeof(text) - 5);
	assert_memory_equal(bytes, text + 5, sizeof(text) - 5);
	assert_int_equal(nub_read_at(fd, bytes, sizeof(bytes), 1000), 0);
	close(fd);
}

static void errors(void **state)
{
	int ends[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(nub_read_at(ends[0], &byte, 1, 0), -1);
	assert_int_equal(errno, ESPIPE);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(nub_read_at(-1, &byte, 1, 0), -1);
	assert_int_equal(errno, EBADF);
}

static void all_is_written(void **state)
{
	const int fd = file_of_text();
	char bytes[sizeof(text)];

	(void)state;
	assert_int_equal(nub_write_at(fd, "few ", 4, 3), 0);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_string_equal(bytes, "as few  as there are");
	assert_int_equal(nub_write_at(fd, NULL, 0, 3), 0);
	close(fd);
}

/* Where there is room for less than all, the kernel writes that first, and says why not more when it is asked again. */
static void or_it_says_why_not(void **state)
{
	struct rlimit before, limit;
	const int fd = file_of_text();
	char bytes[2 * sizeof(text)] = "";

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = sizeof(text) + 5;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	const int result = nub_write_at(fd, "0123456789", 10, sizeof(text)), reason = errno;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(result, -1);
	assert_int_equal(reason, EFBIG);
	assert_int_equal(nub_read_at(fd, bytes, sizeof(bytes), 0), sizeof(text) + 5);
	assert_memory_equal(bytes + sizeof(text), "01234", 5);
	assert_int_equal(nub_write_at(-1, "x", 1, 0), -1);
	assert_int_equal(errno, EBADF);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_asked_for),
		cmocka_unit_test(what_there_is_before_the_end),
		cmocka_unit_test(errors),
		cmocka_unit_test(all_is_written),
		cmocka_unit_test(or_it_says_why_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
