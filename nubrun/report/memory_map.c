/* Boxes and addresses. */
#include "report/memory_map.h"

#include <inttypes.h>

#include "report/crash_text.h"

#define BORDER "                                                                  +------------------------+\n"
#define GAP "                                                                  :                        :\n"

void cmd_size_text(uint64_t size, char *out, size_t out_size)
{
	static const char *const units[] = { "", " KiB", " MiB", " GiB" };
	unsigned unit = 0;

	while (unit < 3 && size != 0 && size % 1024 == 0) {
		size /= 1024;
		unit++;
	}
	snprintf(out, out_size, "%" PRIu64 "%s", size, units[unit]);
}

/* By permission, as in pictures: what can be written is green, executed yellow, both red. */
static const char *begin_colour(unsigned flags, bool colour)
{
	if (!colour)
		return "";
	if (flags == 0)
		return "\033[2m";
	if ((flags & NUB_REGION_EXECUTE) != 0)
		return (flags & NUB_REGION_WRITE) != 0 ? "\033[1;31m" : "\033[33m";
	return (flags & NUB_REGION_WRITE) != 0 ? "\033[32m" : "\033[34m";
}

static const char *end_colour(bool colour)
{
	return colour ? "\033[0m" : "";
}

static void draw_row(FILE *out, uint64_t gpa, const char *gva, const char *size, unsigned flags, const char *what,
                     bool colour)
{
	const char *begin = begin_colour(flags, colour), *end = end_colour(colour);

	fprintf(out, "0x%016" PRIx64 "  %-18s  %12s  %s%-4s%s  %s| %s%-22s%s |\n", gpa, gva, size, begin,
	        cmd_flags_short(flags), end, "      ", begin, what, end);
}

static void draw_region(FILE *out, const struct nub_region *region, bool colour)
{
	char gva[24] = "-", size[32];

	if (region->gva != 0)
		snprintf(gva, sizeof(gva), "0x%016" PRIx64, region->gva);
	cmd_size_text(region->size, size, sizeof(size));
	draw_row(out, region->gpa, gva, size, region->flags, cmd_region_words(region->type), colour);
}

void cmd_memory_map_draw(FILE *out, const struct nub_region *regions, size_t count, bool colour)
{
	uint64_t above = count > 0 ? regions[count - 1].gpa + regions[count - 1].size : NUB_BASE_ADDRESS;

	fprintf(out, "%-18s  %-18s  %12s  %-4s\n", "guest-physical", "guest-virtual", "size", "flags");
	fputs(BORDER, out);
	for (size_t i = count; i-- > 0;) {
		const struct nub_region *region = &regions[i];
		if (region->gpa + region->size != above)
			fputs(GAP BORDER, out);
		draw_region(out, region, colour);
		fputs(BORDER, out);
		above = region->gpa;
	}
	if (above > NUB_BASE_ADDRESS)
		fputs(GAP BORDER, out);
	draw_row(out, 0, "-", "4 KiB", 0, "null guard: no memory", colour);
	fputs(BORDER, out);
}

#define STORED_BORDER "                                                    +------------------------+\n"
#define STORED_GAP "                                                    :                        :\n"

void cmd_stored_map_draw(FILE *out, const struct nub_region *regions, const uint64_t *stored, size_t count, bool colour)
{
	uint64_t above = count > 0 ? regions[count - 1].gva + regions[count - 1].size : 0;
	char size[32], kept[32];

	fprintf(out, "%-18s  %12s  %12s  %s\n", "guest-virtual", "mapped", "stored", "flags");
	fputs(STORED_BORDER, out);
	for (size_t i = count; i-- > 0;) {
		const struct nub_region *region = &regions[i];
		if (region->gva + region->size != above)
			fputs(STORED_GAP STORED_BORDER, out);
		cmd_size_text(region->size, size, sizeof(size));
		cmd_size_text(stored[i], kept, sizeof(kept));
		const char *begin = begin_colour(region->flags, colour), *end = end_colour(colour);
		fprintf(out, "0x%016" PRIx64 "  %12s  %12s  %s%-4s%s| %s%-22s%s |\n", region->gva, size, kept, begin,
		        cmd_flags_short(region->flags), end, begin, cmd_region_words(region->type), end);
		fputs(STORED_BORDER, out);
		above = region->gva;
	}
}
