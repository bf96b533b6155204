/* --host-fn: a guest's call becomes a shell command; arguments as a JSON array on its stdin, the result from its stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/util.h"
#include "cli/fail.h"
#include "report/json_value.h"
#include "run/guest_io.h"
#include "run/subprocess.h"
#include "json/json.h"

#define OUTPUT_LIMIT ((size_t)16 << 20)

/* The arguments as the command gets them; malloc'd. */
static char *arguments_json(const struct nub_value *args, unsigned count, size_t *size)
{
	struct cmd_json *array = cmd_json_array();

	for (unsigned i = 0; i < count; i++)
		cmd_json_append(array, cmd_json_from_value(&args[i]));
	char *text = cmd_json_text(array, false, size);
	cmd_json_free(array);
	return text;
}

/* How the command ended, when that is a failure: 1 and the message for the guest. */
static int check_end(const char *name, int wait_status, struct nub_error *err)
{
	if (WIFSIGNALED(wait_status))
		nub_fail(err, NUB_E_USAGE, 0, "host function '%s': its command was ended by signal %d", name,
		         WTERMSIG(wait_status));
	else if (WEXITSTATUS(wait_status) > 0)
		nub_fail(err, NUB_E_USAGE, 0, "host function '%s': its command ended with exit code %d", name,
		         WEXITSTATUS(wait_status));
	else
		return 0;
	return 1;
}

static bool is_blank(const uint8_t *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!strchr(" \t\r\n", text[i]) || text[i] == '\0')
			return false;
	return true;
}

/* Read the command's answer into io->reply. What is wrong with it is the guest's to hear: 1. */
static int read_reply(struct cmd_guest_io *io, const char *name, struct cmd_subprocess *process, enum nub_type type,
                      struct nub_error *err)
{
	char what[NUB_NAME_MAX + 40];

	if (type == NUB_TYPE_VOID && is_blank(process->output, process->output_size))
		return 0;
	/* The JSON parser looks for a NUL behind the text. */
	uint8_t *text = realloc(process->output, process->output_size + 1);
	if (!text)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "host function '%s': out of memory", name);
	process->output = text;
	text[process->output_size] = '\0';
	snprintf(what, sizeof(what), "host function '%s': its answer", name);
	return cmd_json_read_value((const char *)text, process->output_size, type, what, &io->reply, err) < 0;
}

/* The function of that name among the offered ones. */
static const struct cmd_host_fn *find(const struct cmd_guest_io *io, const char *name)
{
	for (size_t i = 0; i < io->function_count; i++)
		if (strcmp(io->functions[i].name, name) == 0)
			return &io->functions[i];
	return NULL;
}

/* Run the command and judge its end: 0 when there is an answer to read, else as cmd_host_fn_call. */
static int run_command(const char *name, struct cmd_subprocess *process, struct nub_error *err)
{
	switch (cmd_subprocess_run(process, err)) {
	case CMD_SUBPROCESS_ENDED:
		return check_end(name, process->wait_status, err);
	case CMD_SUBPROCESS_TOO_MUCH:
		nub_fail(err, NUB_E_USAGE, 0, "host function '%s': its command printed more than %zu bytes", name,
		         OUTPUT_LIMIT);
		return 1;
	case CMD_SUBPROCESS_GIVEN_UP:
		/* Without a kind: the library knows which it was. */
		*err = (struct nub_error){ 0 };
		return -1;
	case CMD_SUBPROCESS_FAILED:
		break;
	}
	return nub_hint(err, "host function '%s' could not be run", name);
}

int cmd_host_fn_call(struct cmd_guest_io *io, const char *name, const struct nub_value *args, unsigned arg_count,
                     enum nub_type result_type, struct nub_value *result, struct nub_error *err)
{
	const struct cmd_host_fn *function = find(io, name);
	size_t size = 0;

	if (!function) {
		nub_fail(err, NUB_E_FUNCTION_UNKNOWN, 0,
		         "host function '%s' is not offered; --host-fn '%s=COMMAND' would", name, name);
		return 1;
	}
	NUB_AUTO_FREE char *arguments = arguments_json(args, arg_count, &size);
	if (!arguments)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "host function '%s': out of memory", name);
	struct cmd_subprocess process = {
		.helper = io->helper,
		.index = (size_t)(function - io->functions),
		.input = arguments,
		.input_size = size,
		.output_limit = OUTPUT_LIMIT,
		.remaining = cmd_guest_io_remaining,
		.context = io,
	};
	cmd_json_value_release(&io->reply);
	int failed = run_command(name, &process, err);
	if (failed == 0)
		failed = read_reply(io, name, &process, result_type, err);
	free(process.output);
	*result = io->reply;
	result->type = result_type;
	return failed;
}
