/* The few shapes that pictures are made of, as SVG 1.1: self-contained, and readable without a style sheet.
 *
 * Coordinates are pixels from the top left. Text is escaped, and made valid where it came from outside. Errors of `out` stay
 * in it, for the caller to find at the end.
 */
#ifndef CMD_SVG_H
#define CMD_SVG_H

#include <stdbool.h>
#include <stdio.h>

enum cmd_svg_anchor { CMD_SVG_START, CMD_SVG_MIDDLE, CMD_SVG_END };

struct cmd_svg_font {
	double size;
	const char *colour;
	bool bold, mono;
	enum cmd_svg_anchor anchor;
};

/* The picture's frame; `title` and `text` are what is read out of it to those who can't see it. `defs` is SVG. */
void cmd_svg_begin(FILE *out, double width, double height, const char *title, const char *text, const char *defs);
void cmd_svg_end(FILE *out);

void cmd_svg_box(FILE *out, double x, double y, double width, double height, const char *fill, const char *stroke);
void cmd_svg_path(FILE *out, const char *stroke, double width, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void cmd_svg_text(FILE *out, double x, double y, const struct cmd_svg_font *font, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
