/* A guest's address space as a picture for a report: SVG, to be understood by who sees it for the first time. Pure.
 *
 * Guest-virtual addresses, highest on top. The space is huge and almost empty, so it is drawn in parts, each a run of
 * regions that lie together, to a scale of its own; what lies between two parts is a broken line. A part that the guest has
 * no addresses for comes last, by guest-physical address.
 *
 *      marks         column   pages   what is there                      size   flags   addresses
 *                   +------+   ==
 *      rip: main -> | R-X  |   ==  --- program code                    16 KiB   R-X     0x401000 - 0x404fff
 *                   +------+   =
 */
#ifndef CMD_PICTURE_H
#define CMD_PICTURE_H

#include <stdio.h>

#include "nub.h"

/* A point to be shown at its address: in a region, or in the void. */
struct cmd_picture_mark {
	uint64_t address;
	bool is_gpa;
	bool fatal; /* where it went wrong: in red */
	char text[96];
};

#define CMD_PICTURE_MARKS 4

struct cmd_picture {
	const char *title;
	const char *sentence;             /* what happened, in a box of its own; NULL: nothing */
	const struct nub_region *regions; /* in any order */
	size_t region_count;
	bool program;             /* a Linux program's: it has no scratch */
	const char *const *names; /* of a program's regions, as /proc/self/maps has them, likewise; NULL: not known */
	const struct nub_page_use *pages; /* in any order; NULL: not known, no such column */
	size_t page_count;
	bool at_rest;        /* pages are those with contents; else those that were touched */
	const char *changes; /* what a changed page is, for the legend; NULL: that is not known */
	const char *unknown; /* what can't be told of the pages; NULL: nothing */
	bool walked;         /* regions were found in page tables: they have the rights that the host has, too */
	struct cmd_picture_mark marks[CMD_PICTURE_MARKS];
	size_t mark_count;
};

/* Put the picture into a malloc'd string. NULL: out of memory. */
char *cmd_picture_svg(const struct cmd_picture *picture, size_t *size);

/* Write it there, as --svg says. Errors: NO_MEMORY, and those of files. */
int cmd_picture_write(const struct cmd_picture *picture, const char *path, struct nub_error *err);

/* The marks of a crash: the instruction, the address that it was about, the stack pointer. */
void cmd_picture_mark_crash(struct cmd_picture *picture, const struct nub_crash *crash, const struct nub_image *image);

#endif
