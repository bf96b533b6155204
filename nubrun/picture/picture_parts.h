/* What the files that draw a picture share: columns, colours, fonts; and the parts of the picture. */
#ifndef NUBRUN_PICTURE_PARTS_H
#define NUBRUN_PICTURE_PARTS_H

#include "picture/picture_layout.h"
#include "picture/svg.h"

#define NUB_PICTURE_WIDTH 1170.0
#define NUB_PICTURE_LEFT 24.0    /* captions */
#define NUB_PICTURE_MARK 268.0   /* where a mark's text ends */
#define NUB_PICTURE_COLUMN 300.0 /* the boxes */
#define NUB_PICTURE_COLUMN_WIDTH 110.0
#define NUB_PICTURE_PAGES (NUB_PICTURE_COLUMN + NUB_PICTURE_COLUMN_WIDTH + 8)
#define NUB_PICTURE_PAGES_WIDTH 26.0
#define NUB_PICTURE_NAME 492.0
#define NUB_PICTURE_SIZE 794.0 /* where it ends */
#define NUB_PICTURE_FLAGS 814.0
#define NUB_PICTURE_ADDRESS 868.0

#define NUB_PICTURE_INK "#1f2937"
#define NUB_PICTURE_FAINT "#6b7280"
#define NUB_PICTURE_LINE "#d1d5db"
#define NUB_PICTURE_EDGE "#4b5563"
#define NUB_PICTURE_RED "#be123c"
#define NUB_PICTURE_TOUCHED "#64748b"
#define NUB_PICTURE_CHANGED "#c026d3"

#define NUB_PICTURE_CAPTION_FONT ((struct nub_svg_font){ .size = 14, .colour = NUB_PICTURE_INK, .bold = true })
#define NUB_PICTURE_NOTE_FONT ((struct nub_svg_font){ .size = 11, .colour = NUB_PICTURE_FAINT })

/* Colour of a permission (enum nub_region_flags). */
const char *nub_picture_fill(unsigned flags);

/* A part with all that belongs to it, and the broken line between two parts. */
void nub_picture_draw_part(FILE *out, const struct nub_picture *picture, const struct nub_picture_layout *layout,
                           const struct nub_part *part);
void nub_picture_draw_gap(FILE *out, const struct nub_part *above, const struct nub_part *below);

#endif
