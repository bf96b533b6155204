/* cmocka with the headers that it wants included before it, and what many tests need. */
#ifndef UNIT_H
#define UNIT_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* How much slower than a usual host this one may be, which whoever knows says in NUBRUN_TEST_SLOWNESS: limits of time are as
 * many times longer. */
static inline uint64_t slow(uint64_t number)
{
	const char *factor = getenv("NUBRUN_TEST_SLOWNESS");

	return factor && *factor ? number * strtoull(factor, NULL, 10) : number;
}

/* How many file descriptors this process has, and a few entries of the folder that tells: for comparing two counts. */
static inline int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* A file with no name, in $TMPDIR or /tmp: not every file system makes one. */
static inline int temporary_file(void)
{
	const char *folder = getenv("TMPDIR");

	return open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

#endif
