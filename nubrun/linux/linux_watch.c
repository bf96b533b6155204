/* --strace and --until-output. */
#include "linux/linux_watch.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/fail.h"

/* How many bytes of what it printed a match may lie in. */
enum { PRINTED_ROOM = 4095 };

static int compile(struct cmd_linux_watch *watch, const char *pattern, struct nub_error *err)
{
	char reason[200];

	watch->printed = malloc(PRINTED_ROOM + 1);
	if (!watch->printed)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "--until-output: out of memory");
	const int failed = regcomp(&watch->pattern, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
	watch->has_pattern = failed == 0;
	if (failed == 0)
		return 0;
	regerror(failed, &watch->pattern, reason, sizeof(reason));
	return nub_fail(err, NUB_E_USAGE, 0, "--until-output: '%.200s': %s", pattern, reason);
}

int cmd_linux_watch_begin(struct cmd_linux_watch *watch, const struct cmd_linux_options *options, struct nub_error *err)
{
	const char *path = watch->strace_path = options->strace;

	if (path) {
		watch->strace =
		    strcmp(path, "-") == 0 ? fdopen(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), "w") : fopen(path, "we");
		if (!watch->strace)
			return cmd_fail_errno(err, "--strace: %s", path);
	}
	return options->until_output ? compile(watch, options->until_output, err) : 0;
}

int cmd_linux_watch_end(struct cmd_linux_watch *watch, struct nub_error *err)
{
	if (watch->has_pattern)
		regfree(&watch->pattern);
	watch->has_pattern = false;
	free(watch->printed);
	watch->printed = NULL;
	if (!watch->strace)
		return 0;
	const bool lost = ferror(watch->strace);
	return fclose(watch->strace) < 0 || lost ? cmd_fail_errno(err, "--strace: %s", watch->strace_path) : 0;
}

void cmd_linux_watch_call(void *context, const char *line, uint64_t ns)
{
	const struct cmd_linux_watch *watch = context;

	fprintf(watch->strace, "%s <%" PRIu64 ".%06" PRIu64 ">\n", line, ns / 1000000000, ns / 1000 % 1000000);
	fflush(watch->strace);
}

/* The last half of what fits is kept, so that a match may begin before these bytes. */
bool cmd_linux_watch_output(struct cmd_linux_watch *watch, const char *bytes, size_t size)
{
	const size_t room = PRINTED_ROOM;

	while (watch->has_pattern && size > 0) {
		if (watch->printed_size == room) {
			watch->printed_size = room / 2;
			memmove(watch->printed, watch->printed + room - watch->printed_size, watch->printed_size);
		}
		const size_t left = room - watch->printed_size, step = size < left ? size : left;
		memcpy(watch->printed + watch->printed_size, bytes, step);
		watch->printed_size += step;
		watch->printed[watch->printed_size] = '\0';
		if (regexec(&watch->pattern, watch->printed, 0, NULL, 0) == 0) {
			regfree(&watch->pattern);
			watch->has_pattern = false;
			return true;
		}
		bytes += step;
		size -= step;
	}
	return false;
}
