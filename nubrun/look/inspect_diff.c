/* `nubrun inspect --diff FIRST SECOND`: which pages of two snapshots are not the same. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cli/text.h"
#include "guest/diff.h"
#include "guest/json_snapshot.h"
#include "guest/snapshot_file.h"
#include "guest/symbols.h"
#include "look/inspect.h"
#include "report/crash_text.h"
#include "report/print.h"

/* "1 page", "2 pages" */
static void print_pages(uint64_t count)
{
	printf("%" PRIu64 " page%s", count, count == 1 ? "" : "s");
}

static void print_part(const struct cmd_diff_part *part)
{
	const char *name = part->region ? cmd_region_words(part->region->type) : "elsewhere";

	printf("\n%s%s%s: ", name, part->region ? " " : "", part->region ? cmd_flags_short(part->region->flags) : "");
	print_pages(part->pages);
	printf(", %" PRIu64 " byte%s", part->bytes, part->bytes == 1 ? "" : "s");
	if (part->only_first != 0) {
		printf("; ");
		print_pages(part->only_first);
		printf(" only in the first");
	}
	if (part->only_second != 0) {
		printf("; ");
		print_pages(part->only_second);
		printf(" only in the second");
	}
	printf("\n");
	/* In columns. */
	for (size_t i = 0; i < part->range_count; i++)
		printf("  0x%016" PRIx64 "  %6" PRIu64 " page%s  %8" PRIu64 " byte%s\n", part->ranges[i].gva,
		       part->ranges[i].pages, part->ranges[i].pages == 1 ? " " : "s", part->ranges[i].bytes,
		       part->ranges[i].bytes == 1 ? "" : "s");
	for (size_t i = 0; i < part->symbol_count; i++) {
		/* Names come from the file, which may hold anything. */
		NUB_AUTO_FREE char *clean = cmd_text_printable(part->symbols[i].name, strlen(part->symbols[i].name));
		printf("  %s: %" PRIu64 " byte%s\n", clean ? clean : "?", part->symbols[i].bytes,
		       part->symbols[i].bytes == 1 ? "" : "s");
	}
}

static int print_diff(const struct cmd_diff *diff, struct nub_error *err)
{
	if (diff->pages == 0)
		printf("no page differs\n");
	else
		printf("%" PRIu64 " page%s, in %" PRIu64 " byte%s\n", diff->pages,
		       diff->pages == 1 ? " differs" : "s differ", diff->bytes, diff->bytes == 1 ? "" : "s");
	for (size_t i = 0; i < diff->part_count; i++)
		if (diff->parts[i].pages != 0)
			print_part(&diff->parts[i]);
	return cmd_print_end(err);
}

static int compare(const char *first, const char *second, struct cmd_diff *diff, struct nub_snapshot **snapshots,
                   struct nub_error *err)
{
	struct cmd_symbols symbols;

	snapshots[0] = cmd_snapshot_file_open(first, NULL, err);
	snapshots[1] = snapshots[0] ? cmd_snapshot_file_open(second, NULL, err) : NULL;
	if (!snapshots[1])
		return -1;
	const struct nub_snapshot_info *info = nub_snapshot_info(snapshots[1]);
	const struct cmd_symbols_key key = { .path = info->guest_path,
		                             .beside = strcmp(second, "-") != 0 ? second : NULL,
		                             .build_id = info->guest->build_id,
		                             .build_id_size = info->guest->build_id_size };
	cmd_symbols_open(&symbols, &key);
	int failed = cmd_diff_make(diff, snapshots[0], snapshots[1], symbols.image, err);
	cmd_symbols_release(&symbols);
	return failed;
}

int cmd_inspect_diff(const struct cmd_inspect_options *options, const char *first, const char *second,
                     struct nub_error *err)
{
	/* The differences borrow from the snapshots. */
	struct nub_snapshot *snapshots[2] = { 0 };
	struct cmd_diff diff = { 0 };
	int failed = compare(first, second, &diff, snapshots, err);

	if (failed == 0)
		failed =
		    options->json ? cmd_print_json(cmd_json_diff(first, second, &diff), err) : print_diff(&diff, err);
	cmd_diff_release(&diff);
	nub_snapshot_free(snapshots[0]);
	nub_snapshot_free(snapshots[1]);
	return failed;
}
