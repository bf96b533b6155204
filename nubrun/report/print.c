/* stdout, flushed and checked: a full disk must not look like a short answer. */
#include "report/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"
#include "json/json.h"

bool cmd_wants_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && (!no_color || no_color[0] == '\0') && (!term || strcmp(term, "dumb") != 0);
}

int cmd_print_end(struct nub_error *err)
{
	/* A short write may have failed at any printf: errno is only sure if it is the flush that fails. */
	bool failed = ferror(stdout);

	if (fflush(stdout) < 0)
		cmd_fail_errno(err, "stdout");
	else if (failed)
		nub_fail(err, NUB_E_IO, 0, "stdout: could not be written");
	else
		return 0;
	return nub_hint(err, "keep stdout open, with room for what is printed");
}

int cmd_print_json(struct cmd_json *object, struct nub_error *err)
{
	size_t size;
	NUB_AUTO_FREE char *text = cmd_json_text(object, true, &size);

	cmd_json_free(object);
	if (!text)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "out of memory for the answer");
	fwrite(text, 1, size, stdout);
	return cmd_print_end(err);
}
