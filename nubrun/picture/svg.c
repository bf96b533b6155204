/* Boxes, lines and words as SVG. */
#include "picture/svg.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/text.h"

/* Text from anywhere as XML: control characters are not allowed in it even escaped. */
static void put_escaped(FILE *out, const char *text)
{
	NUB_AUTO_FREE char *clean = cmd_text_printable(text, strlen(text));

	for (const char *at = clean ? clean : "?"; *at != '\0'; at++) {
		if (*at == '&')
			fputs("&amp;", out);
		else if (*at == '<')
			fputs("&lt;", out);
		else if (*at == '>')
			fputs("&gt;", out);
		else
			fputc(*at, out);
	}
}

void cmd_svg_begin(FILE *out, double width, double height, const char *title, const char *text, const char *defs)
{
	fprintf(out,
	        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
	        "role=\"img\">\n<title>",
	        width, height, width, height);
	put_escaped(out, title);
	fputs("</title>\n<desc>", out);
	put_escaped(out, text);
	fprintf(out, "</desc>\n<defs>%s</defs>\n", defs);
	/* A background, for viewers that have a dark one. */
	cmd_svg_box(out, 0, 0, width, height, "#ffffff", "none");
}

void cmd_svg_end(FILE *out)
{
	fputs("</svg>\n", out);
}

void cmd_svg_box(FILE *out, double x, double y, double width, double height, const char *fill, const char *stroke)
{
	fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" stroke=\"%s\"/>\n", x, y,
	        width, height, fill, stroke);
}

void cmd_svg_path(FILE *out, const char *stroke, double width, const char *format, ...)
{
	va_list args;

	fputs("<path d=\"", out);
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fprintf(out, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", stroke, width);
}

void cmd_svg_text(FILE *out, double x, double y, const struct cmd_svg_font *font, const char *format, ...)
{
	static const char *const anchors[] = { "start", "middle", "end" };
	char *text;
	va_list args;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	fprintf(out,
	        "<text x=\"%.1f\" y=\"%.1f\" font-family=\"%s\" font-size=\"%.1f\"%s fill=\"%s\" text-anchor=\"%s\">",
	        x, y,
	        font->mono ? "DejaVu Sans Mono, Menlo, Consolas, monospace" : "DejaVu Sans, Verdana, Arial, sans-serif",
	        font->size, font->bold ? " font-weight=\"bold\"" : "", font->colour, anchors[font->anchor]);
	if (length >= 0) {
		put_escaped(out, text);
		free(text);
	}
	fputs("</text>\n", out);
}
