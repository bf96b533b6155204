/* What the options of `run` say about a Linux program: files that it may use, its environment, limits. */
#ifndef CMD_LINUX_OPTIONS_H
#define CMD_LINUX_OPTIONS_H

#include "cli/options.h"
#include "guest/guest_file.h"
#include "nub.h"

enum { CMD_MAX_GRANTS = 64, CMD_MAX_ENV = 1024 };

struct cmd_linux_options {
	struct nub_linux_grant grants[CMD_MAX_GRANTS]; /* their strings are owned */
	size_t grant_count;
	char **environment; /* owned; ends with NULL; NULL until --env is given, which may add nothing */
	size_t environment_count;
	uint64_t memory, max_fds, slice_ns; /* 0: the default */
	bool strict;
	const char *strace; /* a file, or "-": stderr; NULL: none */
	unsigned abi;       /* CMD_ABI_* */
	bool accept_changed;
	/* Of `snapshot`: where to stop. */
	unsigned until_call;       /* the number of a system call, before ... */
	uint64_t until_call_count; /* ... it is made for this time; 0: not given */
	const char *until_output;  /* a regular expression; NULL: not given */
	uint64_t after_ns;         /* 0: not given */
};

int cmd_option_rootfs(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
int cmd_option_dir(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
int cmd_option_file(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
int cmd_option_tmpfs(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
int cmd_option_env(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
int cmd_option_number(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
int cmd_option_duration(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
int cmd_option_abi(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);

/* Rows of an option table; `type` is the command's struct, `member` its struct cmd_linux_options. */
#define CMD_LINUX_OPTION(type, member, field, the_name, the_arg, the_parser, text)                                     \
	{                                                                                                              \
		.name = the_name, .arg = the_arg, .offset = offsetof(type, member.field), .parse = the_parser,         \
		.help = text                                                                                           \
	}
#define CMD_LINUX_OPTIONS(type, member)                                                                                \
	{ .name = "abi",                                                                                               \
	  .arg = "ABI",                                                                                                \
	  .values = "linux nub",                                                                                       \
	  .offset = offsetof(type, member.abi),                                                                        \
	  .parse = cmd_option_abi,                                                                                     \
	  .help = "what the file is for: linux or nub (default: as it says itself)" },                                 \
	    { .name = "rootfs",                                                                                        \
	      .arg = "DIR",                                                                                            \
	      .file = true,                                                                                            \
	      .offset = offsetof(type, member.grants),                                                                 \
	      .parse = cmd_option_rootfs,                                                                              \
	      .help = "Linux: DIR is the program's /, for reading" },                                                  \
	    { .name = "dir",                                                                                           \
	      .arg = "HOST[:GUEST][:rw]",                                                                              \
	      .file = true,                                                                                            \
	      .offset = offsetof(type, member.grants),                                                                 \
	      .parse = cmd_option_dir,                                                                                 \
	      .help = "Linux: let the program use a directory, at GUEST" },                                            \
	    { .name = "file",                                                                                          \
	      .arg = "HOST:GUEST",                                                                                     \
	      .file = true,                                                                                            \
	      .offset = offsetof(type, member.grants),                                                                 \
	      .parse = cmd_option_file,                                                                                \
	      .help = "Linux: let the program read a file, at GUEST" },                                                \
	    CMD_LINUX_OPTION(type, member, grants, "tmpfs", "PATH[:SIZE]", cmd_option_tmpfs,                           \
	                     "Linux: a directory in memory (default 64M)"),                                            \
	    CMD_LINUX_OPTION(type, member, environment, "env", "NAME[=VALUE]", cmd_option_env,                         \
	                     "Linux: set a variable, or hand one on; there are no others"),                            \
	    CMD_LINUX_OPTION(type, member, memory, "memory", "SIZE", cmd_option_size,                                  \
	                     "Linux: memory that the program may use (default 512M)"),                                 \
	    CMD_LINUX_OPTION(type, member, max_fds, "max-fds", "N", cmd_option_number,                                 \
	                     "Linux: open files (default 1024)"),                                                      \
	    CMD_LINUX_OPTION(type, member, slice_ns, "slice", "TIME", cmd_option_duration,                             \
	                     "Linux: how long a thread runs while others could (default 5ms)"),                        \
	    CMD_LINUX_OPTION(type, member, strict, "strict", NULL, cmd_option_flag,                                    \
	                     "Linux: end at the first system call that is not served"),                                \
	{                                                                                                              \
		.name = "strace", .arg = "FILE", .file = true, .offset = offsetof(type, member.strace),                \
		.parse = cmd_option_text, .help = "Linux: write each system call there; - is stderr"                   \
	}

/* A row for where a Linux program is thawed. */
#define CMD_LINUX_THAW_OPTION(type, member)                                                                            \
	CMD_LINUX_OPTION(type, member, accept_changed, "accept-changed", NULL, cmd_option_flag,                        \
	                 "Linux: thaw it though files that it had open have changed")

int cmd_option_until_call(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);

/* Rows for where a Linux program is stopped to be saved. */
#define CMD_LINUX_STOP_OPTIONS(type, member)                                                                           \
	CMD_LINUX_OPTION(type, member, until_call, "until-syscall", "NAME[:N]", cmd_option_until_call,                 \
	                 "Linux: stop before this system call, the first or the Nth time"),                            \
	    CMD_LINUX_OPTION(type, member, until_output, "until-output", "REGEX", cmd_option_text,                     \
	                     "Linux: stop when it has printed what matches"),                                          \
	    CMD_LINUX_OPTION(type, member, after_ns, "after", "TIME", cmd_option_duration,                             \
	                     "Linux: stop after this time")

/* The name of an option in there that was given, but for --abi; NULL when none was. */
const char *cmd_linux_options_given(const struct cmd_linux_options *options);
void cmd_linux_options_release(struct cmd_linux_options *options);

#endif
