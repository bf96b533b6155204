/* The inside of a guest at rest, shared by the files that open it and that look at its pages. */
#ifndef NUB_CORE_DUMP_H
#define NUB_CORE_DUMP_H

#include "coredump/core_read.h"
#include "memory/memory.h"
#include "snapshot/file/snapshot.h"

struct nub_dump {
	char *name;
	struct nub_dump_info info;
	struct nub_crash_region *regions; /* owned */
	struct nub_dump_thread *threads;  /* owned; their names are the survey's */
	struct nub_core core;             /* a snapshot's: what a core of it says */
	struct nub_survey survey;         /* of a Linux program */

	/* One of them: */
	struct nub_core_reader reader;
	int fd; /* the core's; -1 for a snapshot */
	struct nub_snapshot *snapshot;
	struct nub_memory memory; /* the snapshot's, as a restored guest would have it */
};

#endif
