/* `nubrun inspect SNAPSHOT`: what it holds, what it needs, and what it will do. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"
#include "cli/text.h"
#include "guest/json_snapshot.h"
#include "guest/snapshot_file.h"
#include "look/inspect.h"
#include "picture/picture.h"
#include "report/crash_text.h"
#include "report/memory_map.h"
#include "report/print.h"

/* "WHAT          " and a text from the file, which may hold anything. */
static void print_clean(const char *what, const char *text)
{
	NUB_AUTO_FREE char *clean = cmd_text_printable(text, strlen(text));

	printf("%-14s%s\n", what, clean ? clean : "?");
}

static void print_hash(const char *what, const uint8_t hash[16])
{
	printf("%-14s", what);
	for (size_t i = 0; i < 16; i++)
		printf("%02x", hash[i]);
	printf("\n");
}

static void print_size(const char *what, uint64_t size)
{
	char text[32];

	cmd_size_text(size, text, sizeof(text));
	printf("%-14s%s\n", what, text);
}

static const char *next_words(const char *next)
{
	return strcmp(next, "resume") == 0 ? "resume: it is stopped in the middle of its code"
	       : strcmp(next, "call") == 0 ? "call: it is initialised"
	                                   : "initialise: nothing has run";
}

static void print_words(const char *what, const char *const *words, size_t count)
{
	printf("\n%s%s\n", what, count == 0 ? ": none" : "");
	for (size_t i = 0, column = 0; i < count; i++) {
		const size_t width = strlen(words[i]) + 2;
		column = column + width > 90 ? 0 : column;
		printf("%s  %s", i > 0 && column == 0 ? "\n" : "", words[i]);
		column += width;
	}
	printf("%s", count > 0 ? "\n" : "");
}

static void print_regions(const struct nub_snapshot_info *info, const uint64_t *stored)
{
	char size[32], kept[32];

	printf("\nregions                   mapped      stored\n");
	for (size_t i = 0; i < info->region_count; i++) {
		const struct nub_region *region = &info->regions[i];
		cmd_size_text(region->size, size, sizeof(size));
		cmd_size_text(stored[i], kept, sizeof(kept));
		printf("  0x%016" PRIx64 "  %10s  %10s  %-4s  %s\n", region->gva, size, kept,
		       cmd_flags_short(region->flags), cmd_region_words(region->type));
	}
}

/* What is known of a Linux program that is frozen. */
static void print_items(const struct nub_snapshot_info *info)
{
	static const char *const headings[] = {
		[NUB_PROGRAM_ARGUMENT] = "arguments",
		[NUB_PROGRAM_THREAD] = "threads",
		[NUB_PROGRAM_DESCRIPTOR] = "open files",
		[NUB_PROGRAM_GRANT] = "granted",
	};

	for (size_t i = 0; i < info->item_count; i++) {
		const struct nub_program_item *item = &info->items[i];
		NUB_AUTO_FREE char *clean = cmd_text_printable(item->text, strlen(item->text));
		if (i == 0 || item->kind != item[-1].kind)
			printf("\n%s\n", headings[item->kind]);
		if (item->kind == NUB_PROGRAM_GRANT)
			printf("  %s\n", clean ? clean : "?");
		else
			printf("  %-6" PRIu32 " %s\n", item->number, clean ? clean : "?");
	}
}

static void print_text(const char *path, const struct nub_snapshot *snapshot, const uint64_t *stored, bool verified)
{
	const struct nub_snapshot_info *info = nub_snapshot_info(snapshot);
	const char *features[NUB_SNAPSHOT_MAX_FEATURES];
	const size_t feature_count = nub_snapshot_cpu_features(snapshot, features, NUB_SNAPSHOT_MAX_FEATURES);
	NUB_AUTO_FREE char *clean = cmd_text_printable(path, strlen(path));

	printf("%s\n", clean ? clean : "?");
	printf("snapshot      format %" PRIu32 ", generation %" PRIu64 "\n", info->format_version, info->generation);
	print_hash("hash", info->hash);
	printf("next          %s\n", next_words(info->next));
	printf("copies pages  the %s\n", info->cow == NUB_COW_HOST ? "host" : "guest");
	print_size("mapped", info->mapped_size);
	print_size("stored", info->stored_size);
	print_size("page tables", info->page_table_size);
	print_size("scratch", info->scratch_size);
	printf("spaces        %u\n", info->root_count);
	if (info->depth != 0) {
		printf("layers        %u below this file\n", info->depth);
		print_clean("base", info->base_name);
		print_hash("base hash", info->base_hash);
	}
	if (info->working_pages != 0)
		printf("working set   %" PRIu64 " pages, %" PRIu64 " of them written\n", info->working_pages,
		       info->written_pages);
	if (verified)
		printf("verified      its memory matches its hash\n");
	print_clean("guest", info->guest_path);
	cmd_inspect_print_identity(info->guest);
	print_regions(info, stored);
	if (info->guest->abi == NUB_ABI_LINUX) {
		print_items(info);
	} else {
		cmd_inspect_print_functions(info->guest);
		print_words("host functions", info->host_functions, info->host_function_count);
	}
	print_words("CPU features", features, feature_count);
}

/* As a restored guest has it. */
static int draw_picture(const struct nub_snapshot *snapshot, const char *path, const char *svg, struct nub_error *err)
{
	struct cmd_picture picture = { .title = path,
		                       .program = nub_snapshot_info(snapshot)->guest->abi == NUB_ABI_LINUX };
	NUB_AUTO_FREE struct nub_region *regions = nub_snapshot_regions(snapshot, &picture.region_count, err);

	if (!regions)
		return -1;
	picture.regions = regions;
	return cmd_picture_write(&picture, svg, err);
}

static int describe(const struct cmd_inspect_options *options, const struct nub_snapshot *snapshot, const char *path,
                    struct nub_error *err)
{
	const struct nub_snapshot_info *info = nub_snapshot_info(snapshot);
	NUB_AUTO_FREE uint64_t *stored = calloc(info->region_count + 1, sizeof(*stored));

	if (!stored)
		return cmd_fail_errno(err, "%s", path);
	if ((options->verify && cmd_snapshot_file_verify(snapshot, false, err) < 0) ||
	    nub_snapshot_stored(snapshot, stored, err) < 0)
		return -1;
	if (options->svg) {
		if (draw_picture(snapshot, path, options->svg, err) < 0)
			return -1;
		if (!options->map && !options->json)
			return 0;
	}
	if (options->json)
		return cmd_print_json(cmd_json_snapshot_answer(path, snapshot, stored, options->verify), err);
	if (options->map)
		cmd_stored_map_draw(stdout, info->regions, stored, info->region_count, cmd_wants_colour(STDOUT_FILENO));
	else
		print_text(path, snapshot, stored, options->verify);
	return cmd_print_end(err);
}

int cmd_inspect_snapshot(const struct cmd_inspect_options *options, const char *path, struct nub_error *err)
{
	struct nub_snapshot *snapshot = cmd_snapshot_file_open(path, options->base, err);
	int failed = snapshot ? describe(options, snapshot, path, err) : -1;

	nub_snapshot_free(snapshot);
	return failed;
}
