/* Reading at an offset: all that is asked for, what there is before the end, and errors. */
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_asked_for),
		cmocka_unit_test(what_there_is_before_the_end),
		cmocka_unit_test(errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
