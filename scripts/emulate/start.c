/* What a command is, as bytes: time, user, folder, arguments, environment. */
#include "start.h"

#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void put_string(FILE *to, const char *string)
{
	fwrite(string, strlen(string) + 1, 1, to);
}

static void put_number(FILE *to, long number)
{
	fprintf(to, "%ld%c", number, '\0');
}

static void put_list(FILE *to, char *const list[])
{
	long count = 0;

	while (list[count])
		count++;
	put_number(to, count);
	for (long i = 0; i < count; i++)
		put_string(to, list[i]);
}

char *start_encode(char *const command[], long closed, size_t *size)
{
	char *bytes = NULL, host[HOST_NAME_MAX + 1] = "", *const folder = getcwd(NULL, 0);
	gid_t groups[256];
	struct timespec now;
	const int count = getgroups(256, groups);
	const mode_t mask = umask(0);
	FILE *to = folder && count >= 0 && gethostname(host, sizeof(host)) == 0 ? open_memstream(&bytes, size) : NULL;

	umask(mask);
	clock_gettime(CLOCK_REALTIME, &now);
	if (to) {
		const long numbers[] = { now.tv_sec, now.tv_nsec, geteuid(), getegid(), mask, closed, count };

		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			put_number(to, numbers[i]);
		for (int i = 0; i < count; i++)
			put_number(to, groups[i]);
		put_string(to, folder);
		put_string(to, host);
		put_list(to, command);
		put_list(to, environ);
		fclose(to);
	}
	free(folder);
	return bytes;
}
