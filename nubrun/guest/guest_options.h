/* What `run`, `snapshot` and `inspect` let a user say about a guest's memory, and how a guest and its configuration are
 * loaded.
 *
 *     struct cmd_guest guest;
 *     if (cmd_guest_load(&guest, &options, path, &err) == 0) ... guest.image, guest.config ...
 *     cmd_guest_release(&guest);
 */
#ifndef CMD_GUEST_OPTIONS_H
#define CMD_GUEST_OPTIONS_H

#include "cli/options.h"
#include "cli/parse.h"
#include "guest/guest_file.h"
#include "nub.h"

struct cmd_guest_options {
	uint64_t heap, stack, scratch, input, output; /* 0: the default */
	struct cmd_init_data_spec init_data;
	struct cmd_map_spec maps[NUB_MAX_FILE_MAPPINGS];
	size_t map_count;
	bool allow_wx, executable_heap;
	unsigned cow; /* 1 + enum nub_cow; 0: the default */
};

int cmd_option_init_data(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
int cmd_option_map(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
int cmd_option_given_choice(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);

/* Rows of an option table; `type` is the command's struct, `member` its struct cmd_guest_options. */
#define CMD_SIZE_OPTION(type, member, field, text)                                                                     \
	{                                                                                                              \
		.name = #field, .arg = "SIZE", .offset = offsetof(type, member.field), .parse = cmd_option_size,       \
		.help = text                                                                                           \
	}
#define CMD_GUEST_OPTIONS(type, member)                                                                                \
	CMD_SIZE_OPTION(type, member, heap, "heap of the guest (default 1M)"),                                         \
	    CMD_SIZE_OPTION(type, member, stack, "stack of the guest (default 256K)"),                                 \
	    CMD_SIZE_OPTION(type, member, scratch, "scratch region (default: what is needed, at least 512K)"),         \
	    CMD_SIZE_OPTION(type, member, input, "buffer for what the host sends (default 64K)"),                      \
	    CMD_SIZE_OPTION(type, member, output, "buffer for what the guest sends (default 64K)"),                    \
	    { .name = "init-data",                                                                                     \
	      .arg = "FILE[:rwx]",                                                                                     \
	      .file = true,                                                                                            \
	      .offset = offsetof(type, member.init_data),                                                              \
	      .parse = cmd_option_init_data,                                                                           \
	      .help = "copy FILE into the guest's memory (default read-only)" },                                       \
	    { .name = "allow-wx",                                                                                      \
	      .offset = offsetof(type, member.allow_wx),                                                               \
	      .parse = cmd_option_flag,                                                                                \
	      .help = "accept memory that is writable and executable" },                                               \
	    { .name = "executable-heap",                                                                               \
	      .offset = offsetof(type, member.executable_heap),                                                        \
	      .parse = cmd_option_flag,                                                                                \
	      .help = "let the guest execute its heap" },                                                              \
	{                                                                                                              \
		.name = "cow", .arg = "WHO", .values = "host guest", .offset = offsetof(type, member.cow),             \
		.parse = cmd_option_given_choice, .help = "who copies pages that are written: host (default) or guest" \
	}

struct cmd_guest {
	struct cmd_guest_file file;
	uint8_t *init_data;
	struct nub_file_map maps[NUB_MAX_FILE_MAPPINGS];
	struct nub_config config; /* borrows from the above and from the options */
};

/* Read and decode the guest, read its init data, open its files. `guest` need not be initialised; release it also after
 * an error. Errors: those of nub_image_parse, of files, and USAGE. */
int cmd_guest_load(struct cmd_guest *guest, const struct cmd_guest_options *options, const char *path, enum cmd_abi abi,
                   struct nub_error *err);
void cmd_guest_release(struct cmd_guest *guest);

/* The name of an option in there that was given; NULL when none was. */
const char *cmd_guest_options_given(const struct cmd_guest_options *options);
void cmd_guest_options_release(struct cmd_guest_options *options);

#endif
