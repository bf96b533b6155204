/* Drawing the parts of an address space: boxes, what is in them, their pages, and the void between. */
#include "picture/picture_parts.h"

#include <inttypes.h>

#include "report/crash_text.h"
#include "report/memory_map.h"

static const struct cmd_svg_font name_font = { .size = 13, .colour = CMD_PICTURE_INK, .bold = true };
static const struct cmd_svg_font size_font = { .size = 13, .colour = CMD_PICTURE_INK, .anchor = CMD_SVG_END };
static const struct cmd_svg_font mono_font = { .size = 11.5, .colour = CMD_PICTURE_INK, .mono = true };
static const struct cmd_svg_font box_font = {
	.size = 12, .colour = CMD_PICTURE_INK, .mono = true, .anchor = CMD_SVG_MIDDLE
};

static const char *scratch_name(const struct cmd_picture *picture, const struct cmd_block *block, const char **note)
{
	const char *page = block->size == NUB_PAGE_SIZE ? nub_scratch_page_name(block->start) : NULL;

	if (page)
		return *note = "the host's", page;
	if (picture->walked)
		return *note = "messages; free pages of the host's", "rings and free pages";
	if (block->flags != 0)
		return *note = "messages to and from the host", "rings";
	return *note = "the host's, with free pages", "monitor, CPU tables";
}

/* What a block is, for people, and what it is for. */
static const char *block_name(const struct cmd_picture *picture, const struct cmd_block *block, const char **note)
{
	const struct nub_region *region = block->region;

	*note = "";
	if (block->guard)
		return *note = "ends a stack that overflows", "guard page";
	if (block->hole)
		return *note = "not mapped", "nothing";
	if (!region)
		return *note = "no memory: catches NULL", "null guard";
	switch (region->type) {
	case NUB_REGION_CODE:
		if (block->flags & NUB_REGION_EXECUTE)
			return "program code";
		return block->flags & NUB_REGION_WRITE ? "variables" : block->flags != 0 ? "constants" : "unused";
	case NUB_REGION_PEB:
		return *note = "what the host tells the guest", "PEB";
	case NUB_REGION_HEAP:
		return *note = "malloc's memory", "heap";
	case NUB_REGION_STACK:
		return *note = "grows down", "stack";
	case NUB_REGION_GUARD:
		return *note = "ends a stack that overflows", "guard page";
	case NUB_REGION_PAGE_TABLES:
		return *note = "the host's: what is mapped where", "page tables";
	case NUB_REGION_SCRATCH:
		return scratch_name(picture, block, note);
	default:
		return cmd_region_words(region->type);
	}
}

static const char *part_name(const struct cmd_picture *picture, const struct cmd_picture_layout *layout,
                             const struct cmd_part *part)
{
	const struct nub_region *region = layout->blocks[part->first].region;

	if (!region)
		return "Null page";
	if (part->is_gpa)
		return "Out of reach";
	if (picture->program)
		return cmd_picture_program_part(layout, part);
	switch (region->type) {
	case NUB_REGION_CODE:
	case NUB_REGION_PEB:
		return "Program";
	case NUB_REGION_SCRATCH:
		return "Scratch";
	case NUB_REGION_MAPPED_FILE:
		return "Mapped file";
	default:
		return "Data";
	}
}

/* "about 1.3 MiB" where it is not even. */
static void about(uint64_t size, char *out, size_t out_size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double number = (double)size;
	unsigned unit = 0;

	for (; number >= 1024 && unit < 6; unit++)
		number /= 1024;
	snprintf(out, out_size, "%.3g %s", number, units[unit]);
}

/* Does the pages' column have anything to say of it? A snapshot has no scratch. */
static bool has_pages(const struct cmd_picture *picture, const struct cmd_block *block)
{
	return picture->pages && block->region && block->region->type != NUB_REGION_GUARD &&
	       (!picture->at_rest || block->touched > 0 || block->region->type != NUB_REGION_SCRATCH);
}

/* What a block is for, or its pages where something is known of them. */
static void draw_note(FILE *out, const struct cmd_picture *picture, const struct cmd_block *block, const char *note)
{
	char changed[40] = "";

	if (block->changed > 0)
		snprintf(changed, sizeof(changed), ", %" PRIu64 " changed", block->changed);
	if (!has_pages(picture, block))
		cmd_svg_text(out, CMD_PICTURE_NAME, block->label + 12, &CMD_PICTURE_NOTE_FONT, "%s", note);
	else
		cmd_svg_text(out, CMD_PICTURE_NAME, block->label + 12, &CMD_PICTURE_NOTE_FONT,
		             "%" PRIu64 " of %" PRIu64 " pages %s%s", block->touched,
		             (uint64_t)(block->size / NUB_PAGE_SIZE), picture->at_rest ? "with contents" : "touched",
		             changed);
}

static void draw_block(FILE *out, const struct cmd_picture *picture, const struct cmd_block *block)
{
	const char *note = "", *name;
	char text[CMD_PICTURE_TEXT];
	double edge = picture->pages ? CMD_PICTURE_PAGES + CMD_PICTURE_PAGES_WIDTH
	                             : CMD_PICTURE_COLUMN + CMD_PICTURE_COLUMN_WIDTH;
	double middle = block->top + block->height / 2;
	char size[32];

	if (picture->program && block->region)
		cmd_picture_program_block(picture, block, text);
	name = picture->program && block->region ? text : block_name(picture, block, &note);
	cmd_svg_box(out, CMD_PICTURE_COLUMN, block->top, CMD_PICTURE_COLUMN_WIDTH, block->height,
	            cmd_picture_fill(block->flags), CMD_PICTURE_EDGE);
	cmd_svg_text(out, CMD_PICTURE_COLUMN + CMD_PICTURE_COLUMN_WIDTH / 2, middle + 4, &box_font, "%s",
	             cmd_flags_short(block->flags));
	cmd_svg_path(out, "#9ca3af", 1, "M%.1f %.1fL%.1f %.1fH%.1f", edge + 3, middle, CMD_PICTURE_NAME - 22,
	             block->label, CMD_PICTURE_NAME - 6);
	cmd_svg_text(out, CMD_PICTURE_NAME, block->label - 1, &name_font, "%s", name);
	draw_note(out, picture, block, note);
	cmd_size_text(block->size, size, sizeof(size));
	cmd_svg_text(out, CMD_PICTURE_SIZE, block->label + 4, &size_font, "%s", size);
	cmd_svg_text(out, CMD_PICTURE_FLAGS, block->label + 4, &mono_font, "%s", cmd_flags_short(block->flags));
	cmd_svg_text(out, CMD_PICTURE_ADDRESS, block->label + 4, &mono_font, "0x%016" PRIx64 " – 0x%016" PRIx64,
	             block->start, block->start + block->size - 1);
}

/* The colour of a line of the pages' column: a shade for few of its pages, so that one in a gigabyte can still be seen. */
static const char *page_colour(uint64_t touched, uint64_t changed, uint64_t pages)
{
	static const char *const touched_shades[] = { "#cbd5e1", "#94a3b8", CMD_PICTURE_TOUCHED };
	static const char *const changed_shades[] = { "#f0abfc", "#e879f9", CMD_PICTURE_CHANGED };
	uint64_t count = changed > 0 ? changed : touched;
	unsigned shade = count >= pages ? 2 : count * 4 >= pages ? 1 : 0;

	return touched == 0 ? "#ffffff" : changed > 0 ? changed_shades[shade] : touched_shades[shade];
}

/* No part is so high that a block of it has more lines. */
#define MAX_LINES 256

struct page_line {
	uint64_t touched, changed;
};

/* Pages of a block in lines of at least two pixels, of whole pages where there is room for that. */
static uint64_t gather_lines(const struct cmd_picture *picture, const struct cmd_block *block,
                             struct page_line lines[MAX_LINES])
{
	const uint64_t pages = block->size / NUB_PAGE_SIZE;
	uint64_t count = (uint64_t)(block->height / 2), index;

	count = count < pages ? count : pages;
	count = count < MAX_LINES ? count : MAX_LINES;
	for (size_t i = 0; i < picture->page_count; i++)
		if (cmd_block_has_page(block, &picture->pages[i], &index)) {
			/* Lines do not have the same number of pages: line l begins at page l * pages / count. */
			uint64_t line = index * count / pages;
			line += line + 1 < count && (line + 1) * pages / count <= index;
			lines[line].touched++;
			lines[line].changed += picture->pages[i].changed;
		}
	return count;
}

/* Lines of one colour are one box. */
static void draw_pages(FILE *out, const struct cmd_picture *picture, const struct cmd_block *block)
{
	struct page_line lines[MAX_LINES] = { 0 };
	const uint64_t pages = block->size / NUB_PAGE_SIZE, count = gather_lines(picture, block, lines);
	const double line_height = block->height / (double)count;
	const char *colour = "#ffffff";
	/* The lowest address is at the bottom. */
	double bottom = block->top + block->height, top = bottom;

	for (uint64_t i = 0; i < count; i++) {
		const char *next =
		    page_colour(lines[i].touched, lines[i].changed, (i + 1) * pages / count - i * pages / count);
		if (next != colour && top < bottom) {
			cmd_svg_box(out, CMD_PICTURE_PAGES, top, CMD_PICTURE_PAGES_WIDTH, bottom - top, colour, "none");
			bottom = top;
		}
		colour = next;
		top -= line_height;
	}
	cmd_svg_box(out, CMD_PICTURE_PAGES, top, CMD_PICTURE_PAGES_WIDTH, bottom - top, colour, "none");
	cmd_svg_box(out, CMD_PICTURE_PAGES, block->top, CMD_PICTURE_PAGES_WIDTH, block->height, "none",
	            CMD_PICTURE_EDGE);
}

/* The broken line above a part, with how much lies between. */
void cmd_picture_draw_gap(FILE *out, const struct cmd_picture *picture, const struct cmd_part *above,
                          const struct cmd_part *below)
{
	double y = above->top + above->height, middle = y + CMD_PICTURE_GAP / 2;
	char size[32];

	if (below->is_gpa) {
		cmd_svg_path(out, CMD_PICTURE_LINE, 1, "M%.1f %.1fH%.1f", CMD_PICTURE_LEFT, middle,
		             CMD_PICTURE_WIDTH - CMD_PICTURE_LEFT);
		return;
	}
	for (int side = 0; side < 2; side++) {
		double x = CMD_PICTURE_COLUMN + side * CMD_PICTURE_COLUMN_WIDTH;
		cmd_svg_path(out, "#6b7280", 1.2, "M%.1f %.1fV%.1fl-5 3 l10 5 l-5 3V%.1f", x, y + 2, middle - 6,
		             y + CMD_PICTURE_GAP - 2);
	}
	about(above->low - (below->low + below->size), size, sizeof(size));
	cmd_svg_text(out, CMD_PICTURE_COLUMN + CMD_PICTURE_COLUMN_WIDTH / 2, middle + 4,
	             &(struct cmd_svg_font){ .size = 11, .colour = CMD_PICTURE_FAINT, .anchor = CMD_SVG_MIDDLE }, "%s",
	             size);
	cmd_svg_text(out, CMD_PICTURE_NAME, middle + 4, &CMD_PICTURE_NOTE_FONT,
	             picture->program ? "nothing: an access here is a SIGSEGV"
	                              : "nothing: an access here ends the guest");
}

void cmd_picture_draw_part(FILE *out, const struct cmd_picture *picture, const struct cmd_picture_layout *layout,
                           const struct cmd_part *part)
{
	char size[32];

	about(part->size, size, sizeof(size));
	cmd_svg_text(out, CMD_PICTURE_LEFT, part->top + 12, &CMD_PICTURE_CAPTION_FONT, "%s",
	             part_name(picture, layout, part));
	cmd_svg_text(out, CMD_PICTURE_LEFT, part->top + 28, &CMD_PICTURE_NOTE_FONT, "%s", size);
	if (part->is_gpa)
		cmd_svg_text(out, CMD_PICTURE_LEFT, part->top + 43, &CMD_PICTURE_NOTE_FONT, "guest-physical addresses");
	for (size_t i = part->first; i < part->first + part->count; i++) {
		draw_block(out, picture, &layout->blocks[i]);
		if (has_pages(picture, &layout->blocks[i]))
			draw_pages(out, picture, &layout->blocks[i]);
	}
}
