/* `nubrun inspect CORE`: why it was made, of what guest, and what happened. */
#include <stdio.h>

#include "look/dump.h"
#include "look/inspect.h"
#include "report/memory_map.h"
#include "report/print.h"

static int describe(const struct cmd_inspect_options *options, const struct cmd_dump_file *file, struct nub_error *err)
{
	const struct nub_dump_info *info = nub_dump_info(file->dump);
	uint64_t total = 0;
	char size[32];

	if (options->svg) {
		if (cmd_dump_picture(file, options->svg, err) < 0)
			return -1;
		if (!options->map && !options->json)
			return 0;
	}
	if (options->json)
		return cmd_print_json(cmd_json_dump(file), err);
	if (options->map)
		return cmd_dump_draw(info, err);
	cmd_dump_print_identity(file);
	for (size_t i = 0; i < info->region_count; i++)
		total += info->regions[i].region.size;
	cmd_size_text(total, size, sizeof(size));
	printf("\nmemory: %s in %zu regions; 'nubrun dump' lists them\n", size, info->region_count);
	return cmd_print_end(err);
}

int cmd_inspect_core(const struct cmd_inspect_options *options, const char *path, struct nub_error *err)
{
	struct cmd_dump_file file = { 0 };
	int failed = cmd_dump_file_open(&file, path, NULL, err);

	if (failed == 0)
		failed = describe(options, &file, err);
	cmd_dump_file_release(&file);
	return failed;
}
