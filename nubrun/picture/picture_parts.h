/* What the files that draw a picture share: columns, colours, fonts; and the parts of the picture. */
#ifndef CMD_PICTURE_PARTS_H
#define CMD_PICTURE_PARTS_H

#include "picture/picture_layout.h"
#include "picture/svg.h"

#define CMD_PICTURE_WIDTH 1170.0
#define CMD_PICTURE_LEFT 24.0    /* captions */
#define CMD_PICTURE_MARK 268.0   /* where a mark's text ends */
#define CMD_PICTURE_COLUMN 300.0 /* the boxes */
#define CMD_PICTURE_COLUMN_WIDTH 110.0
#define CMD_PICTURE_PAGES (CMD_PICTURE_COLUMN + CMD_PICTURE_COLUMN_WIDTH + 8)
#define CMD_PICTURE_PAGES_WIDTH 26.0
#define CMD_PICTURE_NAME 492.0
#define CMD_PICTURE_SIZE 794.0 /* where it ends */
#define CMD_PICTURE_FLAGS 814.0
#define CMD_PICTURE_ADDRESS 868.0

#define CMD_PICTURE_INK "#1f2937"
#define CMD_PICTURE_FAINT "#6b7280"
#define CMD_PICTURE_LINE "#d1d5db"
#define CMD_PICTURE_EDGE "#4b5563"
#define CMD_PICTURE_RED "#be123c"
#define CMD_PICTURE_TOUCHED "#64748b"
#define CMD_PICTURE_CHANGED "#c026d3"

#define CMD_PICTURE_CAPTION_FONT ((struct cmd_svg_font){ .size = 14, .colour = CMD_PICTURE_INK, .bold = true })
#define CMD_PICTURE_NOTE_FONT ((struct cmd_svg_font){ .size = 11, .colour = CMD_PICTURE_FAINT })

/* Colour of a permission (enum nub_region_flags). */
const char *cmd_picture_fill(unsigned flags);

/* A part with all that belongs to it, and the broken line between two parts. */
void cmd_picture_draw_part(FILE *out, const struct cmd_picture *picture, const struct cmd_picture_layout *layout,
                           const struct cmd_part *part);
void cmd_picture_draw_gap(FILE *out, const struct cmd_picture *picture, const struct cmd_part *above,
                          const struct cmd_part *below);

/* ---- picture_program.c: what a Linux program's blocks and parts are called ---- */

enum { CMD_PICTURE_TEXT = 64 };

/* The block has a region. */
void cmd_picture_program_block(const struct cmd_picture *picture, const struct cmd_block *block,
                               char text[CMD_PICTURE_TEXT]);
const char *cmd_picture_program_part(const struct cmd_picture_layout *layout, const struct cmd_part *part);

#endif
