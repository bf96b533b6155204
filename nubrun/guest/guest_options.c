/* From options to an image and a configuration. */
#include "guest/guest_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/fail.h"
#include "cli/file.h"

int cmd_option_init_data(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	return cmd_parse_init_data(option->name, value, field, err);
}

/* The field is the options' `maps`, which map_count follows. */
int cmd_option_map(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	struct cmd_guest_options *options = (void *)((char *)field - offsetof(struct cmd_guest_options, maps));

	if (options->map_count == NUB_MAX_FILE_MAPPINGS) {
		nub_fail(err, NUB_E_MAP_LIMIT, 0, "--%s: file mapping limit reached (%zu of %d)", option->name,
		         options->map_count, NUB_MAX_FILE_MAPPINGS);
		return nub_hint(err, "put several files into one");
	}
	if (cmd_parse_map(option->name, value, &options->maps[options->map_count], err) < 0)
		return -1;
	options->map_count++;
	return 0;
}

/* The choices count from 1: 0 is an option that was not given. */
int cmd_option_given_choice(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	unsigned choice;

	if (cmd_option_choice(option, value, &choice, err) < 0)
		return -1;
	*(unsigned *)field = 1 + choice;
	return 0;
}

const char *cmd_guest_options_given(const struct cmd_guest_options *options)
{
	const struct {
		const char *name;
		bool given;
	} all[] = {
		{ "heap", options->heap != 0 },
		{ "stack", options->stack != 0 },
		{ "scratch", options->scratch != 0 },
		{ "input", options->input != 0 },
		{ "output", options->output != 0 },
		{ "init-data", options->init_data.path },
		{ "map", options->map_count != 0 },
		{ "allow-wx", options->allow_wx },
		{ "executable-heap", options->executable_heap },
		{ "cow", options->cow != 0 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].given)
			return all[i].name;
	return NULL;
}

static int load_init_data(struct cmd_guest *guest, const struct cmd_guest_options *options, struct nub_error *err)
{
	const struct cmd_init_data_spec *spec = &options->init_data;
	size_t size;

	if (!spec->path)
		return 0;
	if ((spec->flags & NUB_REGION_WRITE) != 0 && (spec->flags & NUB_REGION_EXECUTE) != 0 && !options->allow_wx) {
		nub_fail(err, NUB_E_USAGE, 0, "--init-data: %s would be writable and executable", spec->path);
		return nub_hint(err, "leave out w or x, or add --allow-wx");
	}
	if (cmd_file_read(spec->path, NUB_MAX_MEMORY_SIZE, NUB_E_MEMORY_TOO_BIG, &guest->init_data, &size, err) < 0)
		return -1;
	guest->config.init_data = guest->init_data;
	guest->config.init_data_size = size;
	guest->config.init_data_flags = spec->flags;
	return 0;
}

static int open_map(struct nub_file_map *map, const struct cmd_map_spec *spec, struct nub_error *err)
{
	struct stat st;

	map->fd = open(spec->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (map->fd < 0 || fstat(map->fd, &st) < 0) {
		cmd_fail_errno(err, "--map: %s", spec->path);
		return nub_hint(err, "name a file that exists and is readable");
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "--map: %s is %s", spec->path,
		         S_ISREG(st.st_mode) ? "empty" : "not a regular file");
		return nub_hint(err, "only regular files with at least one byte can be mapped");
	}
	map->size = (uint64_t)st.st_size;
	map->gva = spec->gva;
	map->label = spec->label;
	return 0;
}

static int open_maps(struct cmd_guest *guest, const struct cmd_guest_options *options, struct nub_error *err)
{
	for (size_t i = 0; i < options->map_count; i++) {
		int failed = open_map(&guest->maps[i], &options->maps[i], err);
		guest->config.map_count = i + 1;
		if (failed != 0)
			return -1;
	}
	guest->config.maps = guest->maps;
	return 0;
}

int cmd_guest_load(struct cmd_guest *guest, const struct cmd_guest_options *options, const char *path, enum cmd_abi abi,
                   struct nub_error *err)
{
	*guest = (struct cmd_guest){ .config = nub_config_default() };
	struct nub_config *config = &guest->config;

	if (options->heap != 0)
		config->heap_size = options->heap;
	if (options->stack != 0)
		config->stack_size = options->stack;
	if (options->scratch != 0)
		config->scratch_size = options->scratch;
	if (options->input != 0)
		config->input_size = options->input;
	if (options->output != 0)
		config->output_size = options->output;
	config->allow_wx = options->allow_wx;
	config->executable_heap = options->executable_heap;
	if (options->cow != 0)
		config->cow = (enum nub_cow)(options->cow - 1);
	if (cmd_guest_file_load(&guest->file, path, abi, err) < 0 || load_init_data(guest, options, err) < 0)
		return -1;
	return open_maps(guest, options, err);
}

void cmd_guest_release(struct cmd_guest *guest)
{
	for (size_t i = 0; i < guest->config.map_count; i++)
		if (guest->maps[i].fd >= 0)
			close(guest->maps[i].fd);
	cmd_guest_file_release(&guest->file);
	free(guest->init_data);
}

void cmd_guest_options_release(struct cmd_guest_options *options)
{
	cmd_init_data_spec_release(&options->init_data);
	for (size_t i = 0; i < options->map_count; i++)
		cmd_map_spec_release(&options->maps[i]);
}
