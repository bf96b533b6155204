/* Grants, environment and limits of Linux programs, as users write them. */
#include "linux/linux_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fail.h"
#include "cli/parse.h"

#define DEFAULT_TMPFS (UINT64_C(64) << 20)

static struct cmd_linux_options *of_grants(void *field)
{
	return (void *)((char *)field - offsetof(struct cmd_linux_options, grants));
}

/* Take over the strings, one of which NULL says that there was no memory for. */
static int add_grant(const struct cmd_option *option, void *field, const struct nub_linux_grant *grant, bool has_host,
                     struct nub_error *err)
{
	struct cmd_linux_options *options = of_grants(field);

	if ((has_host && !grant->host) || !grant->guest)
		nub_fail(err, NUB_E_NO_MEMORY, 0, "--%s: out of memory", option->name);
	else if (grant->guest[0] != '/')
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' is no absolute path of the program's", option->name,
		         grant->guest);
	else if (options->grant_count == CMD_MAX_GRANTS)
		nub_fail(err, NUB_E_USAGE, 0, "--%s: limit reached (%d of %d)", option->name, CMD_MAX_GRANTS,
		         CMD_MAX_GRANTS);
	else {
		options->grants[options->grant_count++] = *grant;
		return 0;
	}
	free((char *)(uintptr_t)grant->host);
	free((char *)(uintptr_t)grant->guest);
	return -1;
}

int cmd_option_rootfs(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	const struct nub_linux_grant grant = { .kind = NUB_LINUX_GRANT_ROOT,
		                               .host = strdup(value),
		                               .guest = strdup("/") };

	return add_grant(option, field, &grant, true, err);
}

/* Take ":rw" or ":ro" off the end of text[0..*length). */
static bool take_mode(const char *text, size_t *length)
{
	const bool has_mode = *length > 3 && text[*length - 3] == ':' && text[*length - 2] == 'r';
	const char mode = has_mode ? text[*length - 1] : '\0';

	if (mode != 'w' && mode != 'o')
		return false;
	*length -= 3;
	return mode == 'w';
}

int cmd_option_dir(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	size_t length = strlen(value);
	struct nub_linux_grant grant = { .kind = NUB_LINUX_GRANT_DIR, .writable = take_mode(value, &length) };
	const char *colon = memchr(value, ':', length);

	grant.host = strndup(value, colon ? (size_t)(colon - value) : length);
	if (colon)
		grant.guest = strndup(colon + 1, length - (size_t)(colon + 1 - value));
	else if (grant.host && !(grant.guest = realpath(grant.host, NULL))) {
		cmd_fail_errno(err, "--%s: %s", option->name, grant.host);
		free((char *)(uintptr_t)grant.host);
		return -1;
	}
	return add_grant(option, field, &grant, true, err);
}

int cmd_option_file(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	const char *colon = strrchr(value, ':');

	if (!colon || colon == value) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' names no file of the host's and of the program's",
		         option->name, value);
		return nub_hint(err, "write HOST:GUEST, such as data.csv:/data.csv");
	}
	const struct nub_linux_grant grant = { .kind = NUB_LINUX_GRANT_FILE,
		                               .host = strndup(value, (size_t)(colon - value)),
		                               .guest = strdup(colon + 1) };
	return add_grant(option, field, &grant, true, err);
}

int cmd_option_tmpfs(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	const char *colon = strrchr(value, ':');
	struct nub_linux_grant grant = { .kind = NUB_LINUX_GRANT_TMPFS, .writable = true, .size = DEFAULT_TMPFS };

	if (colon && cmd_parse_size(option->name, colon + 1, &grant.size, err) < 0)
		return -1;
	grant.guest = colon ? strndup(value, (size_t)(colon - value)) : strdup(value);
	return add_grant(option, field, &grant, false, err);
}

int cmd_option_env(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	struct cmd_linux_options *options = (void *)((char *)field - offsetof(struct cmd_linux_options, environment));
	const char *inherited = NULL;
	char *variable = NULL;

	if (value[0] == '=') {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' names no variable", option->name, value);
		return nub_hint(err, "write NAME=VALUE, or NAME to hand on what it is here");
	}
	if (options->environment_count == CMD_MAX_ENV)
		return nub_fail(err, NUB_E_USAGE, 0, "--%s: limit reached (%d of %d)", option->name, CMD_MAX_ENV,
		                CMD_MAX_ENV);
	if (!options->environment && !(options->environment = calloc(CMD_MAX_ENV + 1, sizeof(char *))))
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "--%s: out of memory", option->name);
	if (strchr(value, '='))
		variable = strdup(value);
	else if (!(inherited = getenv(value)))
		return 0; /* what is not set here is not set there */
	else if (asprintf(&variable, "%s=%s", value, inherited) < 0)
		variable = NULL;
	if (!variable)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "--%s: out of memory", option->name);
	options->environment[options->environment_count++] = variable;
	return 0;
}

int cmd_option_number(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	return cmd_parse_number(option->name, value, field, err);
}

int cmd_option_duration(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	return cmd_parse_duration(option->name, value, field, err);
}

/* "linux" and "nub" count from 1. */
int cmd_option_abi(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	unsigned choice;

	if (cmd_option_choice(option, value, &choice, err) < 0)
		return -1;
	*(unsigned *)field = 1 + choice;
	return 0;
}

/* The field is `until_call`, which until_call_count goes with. */
int cmd_option_until_call(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	struct cmd_linux_options *options = (void *)((char *)field - offsetof(struct cmd_linux_options, until_call));
	const char *colon = strchr(value, ':');
	const size_t length = colon ? (size_t)(colon - value) : strlen(value);
	char name[64];

	options->until_call_count = 1;
	if (colon && cmd_parse_number(option->name, colon + 1, &options->until_call_count, err) < 0)
		return -1;
	snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name) - 1), value);
	const int number = nub_program_call_number(name);
	if (number < 0 || options->until_call_count == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' is no system call, or no time from 1 on", option->name,
		         value);
		return nub_hint(err, "write its name as in syscalls(2), such as accept or read:2");
	}
	options->until_call = (unsigned)number;
	return 0;
}

const char *cmd_linux_options_given(const struct cmd_linux_options *options)
{
	static const char *const kinds[] = { "rootfs", "dir", "file", "tmpfs" };

	if (options->grant_count > 0)
		return kinds[options->grants[0].kind];
	return options->environment      ? "env"
	       : options->memory != 0    ? "memory"
	       : options->max_fds != 0   ? "max-fds"
	       : options->slice_ns != 0  ? "slice"
	       : options->strict         ? "strict"
	       : options->strace         ? "strace"
	       : options->accept_changed ? "accept-changed"
	                                 : NULL;
}

void cmd_linux_options_release(struct cmd_linux_options *options)
{
	for (size_t i = 0; i < options->grant_count; i++) {
		free((char *)(uintptr_t)options->grants[i].host);
		free((char *)(uintptr_t)options->grants[i].guest);
	}
	for (size_t i = 0; i < options->environment_count; i++)
		free(options->environment[i]);
	free(options->environment);
	options->environment = NULL;
	options->grant_count = options->environment_count = 0;
}
