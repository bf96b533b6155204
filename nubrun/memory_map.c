/* Boxes and addresses. */
#include "memory_map.h"

#include <inttypes.h>

#include "crash_text.h"

#define BORDER "                                                                  +------------------------+\n"
#define GAP "                                                                  :                        :\n"

void nub_size_text(uint64_t size, char *out, size_t out_size)
{
	static const char *const units[] = { "", " KiB", " MiB", " GiB" };
	unsigned unit = 0;

	while (unit < 3 && size != 0 && size % 1024 == 0) {
		size /= 1024;
		unit++;
	}
	snprintf(out, out_size, "%" PRIu64 "%s", size, units[unit]);
}

static void draw_region(FILE *out, const struct nub_region *region)
{
	char gva[24] = "-", size[32];

	if (region->gva != 0)
		snprintf(gva, sizeof(gva), "0x%016" PRIx64, region->gva);
	nub_size_text(region->size, size, sizeof(size));
	fprintf(out, "0x%016" PRIx64 "  %-18s  %12s  %-4s  %s| %-22s |\n", region->gpa, gva, size,
	        nub_flags_short(region->flags), "      ", nub_region_words(region->type));
}

void nub_memory_map_draw(FILE *out, const struct nub_region *regions, size_t count)
{
	uint64_t above = count > 0 ? regions[count - 1].gpa + regions[count - 1].size : NUB_BASE_ADDRESS;

	fprintf(out, "%-18s  %-18s  %12s  %-4s\n", "guest-physical", "guest-virtual", "size", "flags");
	fputs(BORDER, out);
	for (size_t i = count; i-- > 0;) {
		const struct nub_region *region = &regions[i];
		if (region->gpa + region->size != above)
			fputs(GAP BORDER, out);
		draw_region(out, region);
		fputs(BORDER, out);
		above = region->gpa;
	}
	if (above > NUB_BASE_ADDRESS)
		fputs(GAP BORDER, out);
	fprintf(out, "0x%016x  %-18s  %12s  %-4s  %s| %-22s |\n", 0, "-", "4 KiB", "---", "      ",
	        "null guard: no memory");
	fputs(BORDER, out);
}

#define STORED_BORDER "                                                    +------------------------+\n"
#define STORED_GAP "                                                    :                        :\n"

void nub_stored_map_draw(FILE *out, const struct nub_region *regions, const uint64_t *stored, size_t count)
{
	uint64_t above = count > 0 ? regions[count - 1].gva + regions[count - 1].size : 0;
	char size[32], kept[32];

	fprintf(out, "%-18s  %12s  %12s  %s\n", "guest-virtual", "mapped", "stored", "flags");
	fputs(STORED_BORDER, out);
	for (size_t i = count; i-- > 0;) {
		const struct nub_region *region = &regions[i];
		if (region->gva + region->size != above)
			fputs(STORED_GAP STORED_BORDER, out);
		nub_size_text(region->size, size, sizeof(size));
		nub_size_text(stored[i], kept, sizeof(kept));
		fprintf(out, "0x%016" PRIx64 "  %12s  %12s  %-4s| %-22s |\n", region->gva, size, kept,
		        nub_flags_short(region->flags), nub_region_words(region->type));
		fputs(STORED_BORDER, out);
		above = region->gva;
	}
}
