/* A line that is written over. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/stream.h"

#define SECOND UINT64_C(1000000000)

struct cmd_progress cmd_progress_begin(const char *what, bool quiet)
{
	return (struct cmd_progress){ what, nub_clock_ns(), !quiet && isatty(STDERR_FILENO), false };
}

void cmd_progress_show(struct cmd_progress *progress, uint64_t done, uint64_t total)
{
	char line[96];
	uint64_t now = nub_clock_ns();

	/* The first time after a second, then five times a second. */
	if (!progress->wanted || now - progress->shown_ns < (progress->shown ? SECOND / 5 : SECOND))
		return;
	int length =
	    snprintf(line, sizeof(line), "\r%s: %" PRIu64 " of %" PRIu64 " MiB, %u %% ", progress->what, done >> 20,
	             total >> 20, total != 0 ? (unsigned)(100.0 * (double)done / (double)total) : 100);
	cmd_write_all(STDERR_FILENO, line, (size_t)length);
	progress->shown = true;
	progress->shown_ns = now;
}

void cmd_progress_end(const struct cmd_progress *progress)
{
	if (progress->shown)
		cmd_write_all(STDERR_FILENO, "\r\033[K", 4);
}
