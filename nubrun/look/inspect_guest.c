/* `nubrun inspect GUEST`: what a guest is, from its ELF file alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/text.h"
#include "guest/json_describe.h"
#include "guest/prototype.h"
#include "look/inspect.h"
#include "picture/picture.h"
#include "report/crash_text.h"
#include "report/memory_map.h"
#include "report/print.h"

static void print_build_id(const struct nub_image_info *info)
{
	printf("build id      ");
	for (size_t i = 0; i < info->build_id_size; i++)
		printf("%02x", info->build_id[i]);
	printf("%s\n", info->build_id_size == 0 ? "none" : "");
}

static void print_segments(const struct nub_image_info *info)
{
	char size[32];

	printf("\nsegments\n");
	for (size_t i = 0; i < info->segment_count; i++) {
		cmd_size_text(info->segments[i].size, size, sizeof(size));
		printf("  0x%016" PRIx64 "  %10s  %s\n", info->segments[i].gva, size,
		       cmd_flags_short(info->segments[i].flags));
	}
}

void cmd_inspect_print_functions(const struct nub_image_info *info)
{
	char prototype[256];

	printf("\nfunctions%s\n", info->function_count == 0 ? ": none" : "");
	for (size_t i = 0; i < info->function_count; i++) {
		cmd_prototype(&info->functions[i], prototype, sizeof(prototype));
		/* Names come from the file, which may hold anything. */
		NUB_AUTO_FREE char *clean = cmd_text_printable(prototype, strlen(prototype));
		printf("  %s\n", clean ? clean : "?");
	}
}

/* How much memory there will be, by what it is for. */
static void print_memory(const struct nub_region *regions, size_t count)
{
	char size[32];
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += regions[i].type == NUB_REGION_GUARD ? 0 : regions[i].size;
	cmd_size_text(total, size, sizeof(size));
	printf("\nmemory: %s\n", size);
	for (size_t i = 0; i < count; i++) {
		uint64_t sum = 0;
		bool seen = regions[i].type == NUB_REGION_GUARD;
		for (size_t j = 0; j < count; j++) {
			seen |= j < i && regions[j].type == regions[i].type;
			sum += regions[j].type == regions[i].type ? regions[j].size : 0;
		}
		cmd_size_text(sum, size, sizeof(size));
		if (!seen)
			printf("  %-14s  %10s\n", cmd_region_words(regions[i].type), size);
	}
}

void cmd_inspect_print_identity(const struct nub_image_info *info)
{
	if (info->abi == NUB_ABI_LINUX) {
		printf("type          Linux program\n");
	} else {
		printf("type          %s\n", info->relocatable ? "static-pie guest" : "static guest");
		printf("guest ABI     %" PRIu32 "\n", info->abi_version);
		printf("privilege     level %u\n", info->privilege_level);
	}
	printf("image base    0x%" PRIx64 "\n", info->image_base);
	printf("entry         0x%" PRIx64 "\n", info->entry);
	print_build_id(info);
}

static void print_text(const char *path, const struct nub_image_info *info, const struct nub_region *regions,
                       size_t count)
{
	NUB_AUTO_FREE char *clean = cmd_text_printable(path, strlen(path));

	printf("%s\n", clean ? clean : "?");
	cmd_inspect_print_identity(info);
	print_segments(info);
	cmd_inspect_print_functions(info);
	print_memory(regions, count);
}

static int describe(const struct cmd_inspect_options *options, struct cmd_guest *guest, const char *path,
                    struct nub_error *err)
{
	size_t count;

	if (cmd_guest_load(guest, &options->guest, path, CMD_ABI_NUB, err) < 0)
		return -1;
	NUB_AUTO_FREE struct nub_region *regions = nub_plan_regions(&guest->config, guest->file.image, &count, err);
	if (!regions)
		return -1;
	if (options->svg) {
		const struct cmd_picture picture = { .title = path, .regions = regions, .region_count = count };
		if (cmd_picture_write(&picture, options->svg, err) < 0)
			return -1;
		if (!options->map && !options->json)
			return 0;
	}
	if (options->json)
		return cmd_print_json(cmd_json_image(path, guest->file.image, regions, count), err);
	if (options->map)
		cmd_memory_map_draw(stdout, regions, count, cmd_wants_colour(STDOUT_FILENO));
	else
		print_text(path, nub_image_info(guest->file.image), regions, count);
	return cmd_print_end(err);
}

int cmd_inspect_guest(const struct cmd_inspect_options *options, const char *path, struct nub_error *err)
{
	struct cmd_guest guest = { 0 };
	int failed = describe(options, &guest, path, err);

	cmd_guest_release(&guest);
	return failed;
}
