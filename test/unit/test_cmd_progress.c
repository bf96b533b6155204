/* Progress on stderr: not before a second, then at most five times a second, and gone in the end. */
#include "unit.h"

#include <unistd.h>

#include "../../nubrun/cli/progress.c"
#include "../../nubrun/cli/stream.c"

static uint64_t now;

uint64_t nub_clock_ns(void)
{
	return now;
}

/* What is written to stderr meanwhile goes into a pipe. */
static int before, ends[2];

static void catch (void)
{
	assert_int_equal(pipe(ends), 0);
	before = dup(STDERR_FILENO);
	assert_true(before >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
}

static void caught(const char *expected)
{
	char text[200] = "";

	dup2(before, STDERR_FILENO);
	close(before);
	assert_true(read(ends[0], text, sizeof(text) - 1) >= 0);
	close(ends[0]);
	assert_string_equal(text, expected);
}

#define MIB (UINT64_C(1) << 20)

static void test_shown_in_time(void **state)
{
	(void)state;
	struct cmd_progress progress = { .what = "saving", .wanted = true };
	catch ();
	now = SECOND - 1;
	cmd_progress_show(&progress, MIB, 4 * MIB);
	cmd_progress_end(&progress);
	caught("");
	catch ();
	now = SECOND;
	cmd_progress_show(&progress, MIB, 4 * MIB);
	now += SECOND / 5 - 1;
	cmd_progress_show(&progress, 2 * MIB, 4 * MIB);
	now++;
	cmd_progress_show(&progress, 3 * MIB, 4 * MIB);
	cmd_progress_end(&progress);
	caught("\rsaving: 1 of 4 MiB, 25 % \rsaving: 3 of 4 MiB, 75 % \r\033[K");
	catch ();
	progress = (struct cmd_progress){ .what = "saving" };
	cmd_progress_show(&progress, MIB, 4 * MIB);
	cmd_progress_end(&progress);
	caught("");
	/* Of nothing, all is done. */
	catch ();
	progress.wanted = true;
	cmd_progress_show(&progress, 0, 0);
	caught("\rsaving: 0 of 0 MiB, 100 % ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown_in_time),
	};
	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
