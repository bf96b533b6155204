/* Progress of what takes long, for people: a line on stderr where that is a terminal, from the first second on. */
#ifndef NUBRUN_PROGRESS_H
#define NUBRUN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct nub_progress {
	const char *what;  /* such as "saving" */
	uint64_t shown_ns; /* when something was shown; at first, when it began */
	bool wanted, shown;
};

struct nub_progress nub_progress_begin(const char *what, bool quiet);

/* Show it, when that is due; bytes. */
void nub_progress_show(struct nub_progress *progress, uint64_t done, uint64_t total);

/* Take the line away again. */
void nub_progress_end(const struct nub_progress *progress);

#endif
