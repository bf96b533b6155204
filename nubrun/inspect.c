/* `nubrun inspect`: what a guest is, from its file alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "command.h"
#include "crash_text.h"
#include "fail.h"
#include "guest_options.h"
#include "json_describe.h"
#include "memory_map.h"
#include "picture.h"
#include "print.h"
#include "text.h"
#include "util.h"

struct inspect_options {
	struct nub_guest_options guest;
	bool map, json;
	const char *svg;
};

const struct nub_option nub_inspect_options[] = {
	{ .name = "map",
	  .offset = offsetof(struct inspect_options, map),
	  .parse = nub_option_flag,
	  .help = "draw the memory that the guest will have" },
	{ .name = "svg",
	  .arg = "FILE",
	  .file = true,
	  .offset = offsetof(struct inspect_options, svg),
	  .parse = nub_option_text,
	  .help = "write a picture of it there, for a report" },
	{ .name = "json",
	  .offset = offsetof(struct inspect_options, json),
	  .parse = nub_option_flag,
	  .help = "print all of it as one JSON object" },
	NUB_GUEST_OPTIONS(struct inspect_options, guest),
	NUB_OPTION_HELP,
	{ 0 },
};

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
		nub_size_text(info->segments[i].size, size, sizeof(size));
		printf("  0x%016" PRIx64 "  %10s  %s\n", info->segments[i].gva, size,
		       nub_flags_short(info->segments[i].flags));
	}
}

static void print_functions(const struct nub_image_info *info)
{
	char prototype[256];

	printf("\nfunctions%s\n", info->function_count == 0 ? ": none" : "");
	for (size_t i = 0; i < info->function_count; i++) {
		nub_prototype(&info->functions[i], prototype, sizeof(prototype));
		/* Names come from the file, which may hold anything. */
		NUB_AUTO_FREE char *clean = nub_text_printable(prototype, strlen(prototype));
		printf("  %s\n", clean != NULL ? clean : "?");
	}
}

/* How much memory there will be, by what it is for. */
static void print_memory(const struct nub_region *regions, size_t count)
{
	char size[32];
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += regions[i].type == NUB_REGION_GUARD ? 0 : regions[i].size;
	nub_size_text(total, size, sizeof(size));
	printf("\nmemory: %s\n", size);
	for (size_t i = 0; i < count; i++) {
		uint64_t sum = 0;
		bool seen = regions[i].type == NUB_REGION_GUARD;
		for (size_t j = 0; j < count; j++) {
			seen |= j < i && regions[j].type == regions[i].type;
			sum += regions[j].type == regions[i].type ? regions[j].size : 0;
		}
		nub_size_text(sum, size, sizeof(size));
		if (!seen)
			printf("  %-14s  %10s\n", nub_region_words(regions[i].type), size);
	}
}

static void print_text(const char *path, const struct nub_image_info *info, const struct nub_region *regions,
                       size_t count)
{
	NUB_AUTO_FREE char *clean = nub_text_printable(path, strlen(path));

	printf("%s\n", clean != NULL ? clean : "?");
	printf("type          %s\n", info->relocatable ? "static-pie guest" : "static guest");
	printf("guest ABI     %" PRIu32 "\n", info->abi_version);
	printf("privilege     level %u\n", info->privilege_level);
	printf("image base    0x%" PRIx64 "\n", info->image_base);
	printf("entry         0x%" PRIx64 "\n", info->entry);
	print_build_id(info);
	print_segments(info);
	print_functions(info);
	print_memory(regions, count);
}

static int inspect(const struct inspect_options *options, struct nub_guest *guest, const char *path,
                   struct nub_error *err)
{
	size_t count;

	if (nub_guest_load(guest, &options->guest, path, err) != 0)
		return -1;
	NUB_AUTO_FREE struct nub_region *regions = nub_plan_regions(&guest->config, guest->image, &count, err);
	if (regions == NULL)
		return -1;
	if (options->svg != NULL) {
		const struct nub_picture picture = { .title = path, .regions = regions, .region_count = count };
		if (nub_picture_write(&picture, options->svg, err) != 0)
			return -1;
		if (!options->map && !options->json)
			return 0;
	}
	if (options->json)
		return nub_print_json(nub_json_image(path, guest->image, regions, count), err);
	if (options->map)
		nub_memory_map_draw(stdout, regions, count, nub_wants_colour(STDOUT_FILENO));
	else
		print_text(path, nub_image_info(guest->image), regions, count);
	return nub_print_end(err);
}

int nub_cmd_inspect(int argc, char **argv, struct nub_report *report)
{
	struct inspect_options options = { 0 };
	struct nub_guest guest = { 0 };
	struct nub_error err = { 0 };

	report->only_errors = true;
	if (nub_command_options(&argc, &argv, &options, report) && nub_command_operands(argc, argv, 1, 1, report) &&
	    inspect(&options, &guest, argv[0], &err) != 0)
		nub_report_error(report, &err);
	nub_guest_release(&guest);
	nub_guest_options_release(&options.guest);
	return nub_report_end(report);
}
