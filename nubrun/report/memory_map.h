/* A guest's memory map as a picture for people. Pure. */
#ifndef CMD_MEMORY_MAP_H
#define CMD_MEMORY_MAP_H

#include <stdio.h>

#include "nub.h"

/* "64 MiB", "12 KiB", "100": the largest unit that divides it. */
void cmd_size_text(uint64_t size, char *out, size_t out_size);

/* Draw regions[0..count), which are in the order of their gpa, highest address on top; gaps are shown, and the null guard
 * below all. In colour, permissions can be told from afar. */
void cmd_memory_map_draw(FILE *out, const struct nub_region *regions, size_t count, bool colour);

/* The same for a snapshot: regions[0..count) in the order of their gva, with how much of each is stored. */
void cmd_stored_map_draw(FILE *out, const struct nub_region *regions, const uint64_t *stored, size_t count,
                         bool colour);

#endif
