/* `nubrun dump`: what a guest at rest could reach, and what is in its memory. */
#include "look/dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/fail.h"
#include "cli/parse.h"
#include "command.h"
#include "report/print.h"

struct dump_options {
	bool json, map, raw;
	const char *base; /* NULL: none */
	const char *core; /* where to write one; NULL: nowhere */
	const char *svg;  /* likewise */
	bool read;
	uint64_t gva, size;
};

/* GVA:LEN. The length is a number, or a size with its unit. The field is `read`, which gva and size follow. */
static int parse_read(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	struct dump_options *options = (void *)((char *)field - offsetof(struct dump_options, read));
	const char *colon = strrchr(value, ':');

	if (!colon) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%.200s' has no length", option->name, value);
		return nub_hint(err, "write --%s GVA:LEN, such as 0x401000:64", option->name);
	}
	NUB_AUTO_FREE char *gva = strndup(value, (size_t)(colon - value));
	if (!gva)
		return cmd_fail_errno(err, "--%s", option->name);
	const bool hexadecimal = strncmp(colon + 1, "0x", 2) == 0;
	if (cmd_parse_number(option->name, gva, &options->gva, err) < 0 ||
	    (hexadecimal ? cmd_parse_number(option->name, colon + 1, &options->size, err)
	                 : cmd_parse_size(option->name, colon + 1, &options->size, err)) != 0)
		return -1;
	options->read = true;
	if (options->size != 0)
		return 0;
	nub_fail(err, NUB_E_USAGE, 0, "--%s: a length of 0 reads nothing", option->name);
	return nub_hint(err, "give at least 1 byte");
}

#define FIELD(member) .offset = offsetof(struct dump_options, member)

const struct cmd_option cmd_dump_options[] = {
	{ .name = "read",
	  .arg = "GVA:LEN",
	  FIELD(read),
	  .parse = parse_read,
	  .help = "print LEN bytes of memory from address GVA, in hexadecimal" },
	{ .name = "raw", FIELD(raw), .parse = cmd_option_flag, .help = "with --read: as they are" },
	{ .name = "core",
	  .arg = "OUT",
	  .file = true,
	  FIELD(core),
	  .parse = cmd_option_text,
	  .help = "turn a snapshot into a core, for gdb" },
	{ .name = "map", FIELD(map), .parse = cmd_option_flag, .help = "draw the memory" },
	{ .name = "svg",
	  .arg = "FILE",
	  .file = true,
	  FIELD(svg),
	  .parse = cmd_option_text,
	  .help = "write a picture of the memory there, for a report" },
	CMD_OPTION_JSON(struct dump_options, json),
	CMD_OPTION_LAYER_BASE(struct dump_options, base),
	CMD_OPTION_HELP,
	{ 0 },
};

static int check(const struct dump_options *options, struct nub_error *err)
{
	const int chosen = options->read + !!options->core + options->map + !!options->svg + options->json;

	if (options->raw && !options->read) {
		nub_fail(err, NUB_E_USAGE, 0, "--raw: nothing is read");
		return nub_hint(err, "add --read GVA:LEN");
	}
	if (chosen <= 1)
		return 0;
	nub_fail(err, NUB_E_USAGE, 0, "dump: --read, --core, --map, --svg and --json are %d answers at once", chosen);
	return nub_hint(err, "ask for one of them at a time");
}

/* With the guest's file where gdb finds it from anywhere. */
static int save_core(struct cmd_dump_file *file, const char *path, struct nub_error *err)
{
	NUB_AUTO_FREE char *guest = file->symbols.path ? realpath(file->symbols.path, NULL) : NULL;

	return nub_dump_save_core(file->dump, guest, path, err);
}

static int dump(const struct dump_options *options, struct cmd_dump_file *file, const char *path, struct nub_error *err)
{
	if (check(options, err) < 0 || cmd_dump_file_open(file, path, options->base, err) < 0)
		return -1;
	const struct nub_dump_info *info = nub_dump_info(file->dump);
	if (options->core)
		return save_core(file, options->core, err);
	if (options->read) {
		if (cmd_dump_print_memory(file->dump, options->gva, options->size, options->raw, err) == 0)
			return 0;
		return err->hint[0] != '\0' ? -1 : nub_hint(err, "'nubrun dump %.150s' lists what is mapped", path);
	}
	if (options->json)
		return cmd_print_json(cmd_json_dump(file), err);
	if (options->map)
		return cmd_dump_draw(info, err);
	if (options->svg)
		return cmd_dump_picture(file, options->svg, err);
	cmd_dump_print_identity(file);
	printf("\nregions\n");
	cmd_dump_print_regions(info);
	return cmd_print_end(err);
}

int cmd_dump(int argc, char **argv, struct cmd_report *report)
{
	struct dump_options options = { 0 };
	struct cmd_dump_file file = { 0 };
	struct nub_error err = { 0 };

	report->only_errors = true;
	if (cmd_command_options(&argc, &argv, &options, report) && cmd_command_operands(argc, argv, 1, 1, report) &&
	    dump(&options, &file, argv[0], &err) < 0)
		cmd_report_error(report, &err);
	int exit_code = cmd_report_end(report);
	cmd_dump_file_release(&file);
	return exit_code;
}
