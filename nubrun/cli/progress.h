/* Progress of what takes long, for people: a line on stderr where that is a terminal, from the first second on. */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct cmd_progress {
	const char *what;  /* such as "saving" */
	uint64_t shown_ns; /* when something was shown; at first, when it began */
	bool wanted, shown;
};

struct cmd_progress cmd_progress_begin(const char *what, bool quiet);

/* Show it, when that is due; bytes. */
void cmd_progress_show(struct cmd_progress *progress, uint64_t done, uint64_t total);

/* Take the line away again. */
void cmd_progress_end(const struct cmd_progress *progress);

#endif
