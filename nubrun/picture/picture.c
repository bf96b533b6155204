/* Drawing an address space. */
#include "picture/picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/fail.h"
#include "cli/status_file.h"
#include "picture/picture_parts.h"
#include "picture/svg.h"
#include "report/crash_text.h"

/* Told apart by lightness, too, and by the letters in them. */
static const char *const flag_colours[8] = {
	[NUB_REGION_NONE] = "url(#none)",
	[NUB_REGION_READ] = "#a5d0f3",
	[NUB_REGION_READ | NUB_REGION_WRITE] = "#8fd6a7",
	[NUB_REGION_READ | NUB_REGION_EXECUTE] = "#fbbf62",
	[NUB_REGION_READ | NUB_REGION_WRITE | NUB_REGION_EXECUTE] = "#f87171",
};

static const char defs[] =
    "<pattern id=\"none\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
    "<rect width=\"7\" height=\"7\" fill=\"#f3f4f6\"/><rect width=\"2\" height=\"7\" fill=\"#d1d5db\"/></pattern>";

const char *cmd_picture_fill(unsigned flags)
{
	/* Rights that no guest can have are drawn as what they come closest to. */
	const char *colour = flag_colours[flags & 7];

	return colour ? colour : flag_colours[7];
}

static void draw_mark(FILE *out, const struct cmd_picture_mark *mark, double y, double text_y)
{
	const char *colour = mark->fatal ? CMD_PICTURE_RED : CMD_PICTURE_INK;
	const struct cmd_svg_font font = { .size = 12, .colour = colour, .bold = true, .anchor = CMD_SVG_END };

	cmd_svg_path(out, colour, 1.5, "M%.1f %.1fL%.1f %.1fH%.1f", CMD_PICTURE_MARK + 4, text_y,
	             CMD_PICTURE_COLUMN - 14, y, CMD_PICTURE_COLUMN + CMD_PICTURE_COLUMN_WIDTH);
	cmd_svg_path(out, colour, 3, "M%.1f %.1fl6 3.5l-6 3.5z", CMD_PICTURE_COLUMN - 8, y - 3.5);
	cmd_svg_text(out, CMD_PICTURE_MARK, text_y + 4, &font, "%s", mark->text);
}

/* Texts from the top down, moved apart; what is fatal last, over the others. */
static void draw_marks(FILE *out, const struct cmd_picture *picture, const struct cmd_picture_layout *layout)
{
	double y[CMD_PICTURE_MARKS] = { 0 }, text_y[CMD_PICTURE_MARKS] = { 0 }, free_from = 0;
	bool placed[CMD_PICTURE_MARKS] = { false };

	for (size_t i = 0; i < picture->mark_count; i++)
		y[i] = cmd_picture_y(layout, picture->marks[i].address, picture->marks[i].is_gpa);
	for (size_t count = 0; count < picture->mark_count; count++) {
		size_t next = 0;
		for (size_t i = 0; i < picture->mark_count; i++)
			if (!placed[i] && (placed[next] || y[i] < y[next]))
				next = i;
		placed[next] = true;
		text_y[next] = y[next] > free_from ? y[next] : free_from;
		free_from = text_y[next] + 18;
	}
	for (int fatal = 0; fatal < 2; fatal++)
		for (size_t i = 0; i < picture->mark_count; i++)
			if (picture->marks[i].fatal == (fatal != 0))
				draw_mark(out, &picture->marks[i], y[i], text_y[i]);
}

static double legend_item(FILE *out, double x, double y, const char *fill, const char *text)
{
	cmd_svg_box(out, x, y, 22, 14, fill, CMD_PICTURE_EDGE);
	cmd_svg_text(out, x + 29, y + 12, &(struct cmd_svg_font){ .size = 12, .colour = CMD_PICTURE_INK }, "%s", text);
	return x + 29 + (double)strlen(text) * 7.2 + 24;
}

static void draw_legend(FILE *out, const struct cmd_picture *picture, double y)
{
	double x = CMD_PICTURE_LEFT;
	bool wx = false;

	for (size_t i = 0; i < picture->region_count; i++)
		wx |= (picture->regions[i].flags & 6) == 6;
	cmd_svg_path(out, CMD_PICTURE_LINE, 1, "M%.1f %.1fH%.1f", CMD_PICTURE_LEFT, y,
	             CMD_PICTURE_WIDTH - CMD_PICTURE_LEFT);
	y += 20;
	cmd_svg_text(out, x, y + 12, &CMD_PICTURE_CAPTION_FONT, "%s",
	             picture->walked ? "Its page tables allow" : "The guest may");
	x += picture->walked ? 180 : 130;
	x = legend_item(out, x, y, cmd_picture_fill(NUB_REGION_READ), "R-- read");
	x = legend_item(out, x, y, cmd_picture_fill(NUB_REGION_READ | NUB_REGION_EXECUTE), "R-X read, execute");
	x = legend_item(out, x, y, cmd_picture_fill(NUB_REGION_READ | NUB_REGION_WRITE), "RW- read, write");
	if (wx)
		x = legend_item(out, x, y, cmd_picture_fill(7), "RWX all three");
	legend_item(out, x, y, cmd_picture_fill(0), "--- nothing");
	y += 28;
	if (picture->pages) {
		x = CMD_PICTURE_LEFT;
		cmd_svg_text(out, x, y + 12, &CMD_PICTURE_CAPTION_FONT, "Pages");
		x = legend_item(out, x + (picture->walked ? 180 : 130), y, CMD_PICTURE_TOUCHED,
		                picture->at_rest ? "with contents, not only zeros" : "touched by guest or host");
		if (picture->changes)
			x = legend_item(out, x, y, CMD_PICTURE_CHANGED, picture->changes);
		cmd_svg_text(out, x, y + 12, &CMD_PICTURE_NOTE_FONT, "lighter: few of the pages that share a line%s%s",
		             picture->unknown ? "; " : "", picture->unknown ? picture->unknown : "");
		y += 28;
	}
	cmd_svg_text(out, CMD_PICTURE_LEFT, y + 12, &CMD_PICTURE_NOTE_FONT,
	             "Guest-virtual addresses, highest on top. Each part is drawn to a scale of its own; boxes too "
	             "small to be seen are drawn larger. Broken lines are not to scale.");
}

static double draw_head(FILE *out, const struct cmd_picture *picture)
{
	const struct cmd_svg_font title_font = { .size = 20, .colour = CMD_PICTURE_INK, .bold = true };
	const struct cmd_svg_font red_font = { .size = 13, .colour = CMD_PICTURE_RED, .bold = true };
	const struct cmd_svg_font centre = { .size = 11, .colour = CMD_PICTURE_FAINT, .anchor = CMD_SVG_MIDDLE };
	const struct cmd_svg_font end = { .size = 11, .colour = CMD_PICTURE_FAINT, .anchor = CMD_SVG_END };
	double y = 40;

	cmd_svg_text(out, CMD_PICTURE_LEFT, y, &title_font, "Memory of %s", picture->title);
	if (picture->sentence) {
		cmd_svg_box(out, CMD_PICTURE_LEFT, y + 16, CMD_PICTURE_WIDTH - 2 * CMD_PICTURE_LEFT, 30, "#fff1f2",
		            CMD_PICTURE_RED);
		cmd_svg_text(out, CMD_PICTURE_LEFT + 12, y + 36, &red_font, "%.120s", picture->sentence);
		y += 46;
	}
	y += 34;
	cmd_svg_text(out, CMD_PICTURE_COLUMN + CMD_PICTURE_COLUMN_WIDTH / 2, y, &centre, "permissions");
	if (picture->pages)
		cmd_svg_text(out, CMD_PICTURE_PAGES + CMD_PICTURE_PAGES_WIDTH / 2 + 6, y, &centre, "pages");
	cmd_svg_text(out, CMD_PICTURE_NAME, y, &CMD_PICTURE_NOTE_FONT, "what is there");
	cmd_svg_text(out, CMD_PICTURE_SIZE, y, &end, "size");
	cmd_svg_text(out, CMD_PICTURE_ADDRESS, y, &CMD_PICTURE_NOTE_FONT, "first and last address");
	return y + 14;
}

static int draw(FILE *out, const struct cmd_picture *picture)
{
	struct cmd_picture_layout layout;
	double head = picture->sentence ? 134 : 88;
	int failed = cmd_picture_lay_out(&layout, picture, head);

	if (failed == 0) {
		cmd_svg_begin(out, CMD_PICTURE_WIDTH, layout.bottom + CMD_PICTURE_GAP + (picture->pages ? 112 : 84),
		              picture->title, picture->sentence ? picture->sentence : "the memory of a guest", defs);
		draw_head(out, picture);
		for (size_t i = 0; i < layout.part_count; i++) {
			if (i > 0)
				cmd_picture_draw_gap(out, picture, &layout.parts[i - 1], &layout.parts[i]);
			cmd_picture_draw_part(out, picture, &layout, &layout.parts[i]);
		}
		draw_marks(out, picture, &layout);
		draw_legend(out, picture, layout.bottom + CMD_PICTURE_GAP - 16);
		cmd_svg_end(out);
	}
	cmd_picture_layout_release(&layout);
	return failed;
}

char *cmd_picture_svg(const struct cmd_picture *picture, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	if (!out)
		return NULL;
	int failed = draw(out, picture);
	failed |= ferror(out);
	failed |= fclose(out);
	if (failed == 0)
		return text;
	free(text);
	return NULL;
}

int cmd_picture_write(const struct cmd_picture *picture, const char *path, struct nub_error *err)
{
	size_t size;
	NUB_AUTO_FREE char *svg = cmd_picture_svg(picture, &size);

	if (!svg)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "out of memory for the picture");
	return cmd_status_file_write("svg", path, svg, size, err);
}

static void add_mark(struct cmd_picture *picture, uint64_t address, bool is_gpa, bool fatal, const char *what,
                     const char *detail)
{
	struct cmd_picture_mark *mark = &picture->marks[picture->mark_count++];

	*mark = (struct cmd_picture_mark){ .address = address, .is_gpa = is_gpa, .fatal = fatal };
	snprintf(mark->text, sizeof(mark->text), "%s%.18s", what, detail);
}

void cmd_picture_mark_crash(struct cmd_picture *picture, const struct nub_crash *crash, const struct nub_image *image)
{
	char text[192];

	if (crash->registers_lost)
		return;
	cmd_crash_place(crash, image, text, sizeof(text));
	add_mark(picture, crash->regs.rip, false, true, "at ", text);
	if (crash->has_address) {
		const char *access = cmd_access_name(crash->access);
		snprintf(text, sizeof(text), " 0x%" PRIx64, crash->address);
		add_mark(picture, crash->address, crash->kind == NUB_CRASH_NO_MEMORY, true,
		         access ? access : "access to", text);
	}
	add_mark(picture, crash->regs.rsp, false, false, "stack pointer", "");
}
