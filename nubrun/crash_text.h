/* What happened in a crashed guest, as one sentence. Pure. */
#ifndef NUBRUN_CRASH_TEXT_H
#define NUBRUN_CRASH_TEXT_H

#include "nub.h"

/* "R-X" and its like. */
const char *nub_flags_short(unsigned flags);

/* "code", "init data", "page tables": a region's type for people. */
const char *nub_region_words(enum nub_region_type type);

/* "read", "write" or "execute"; NULL for none of them. */
const char *nub_access_name(unsigned access);

/* Where rip is: "main+0x12", or "0x401012" when the image has no symbol there. */
void nub_crash_place(const struct nub_crash *crash, const struct nub_image *image, char *out, size_t size);

/* "write to 0x401000 (code, R-X) at main+0x12: page fault". */
void nub_crash_sentence(const struct nub_crash *crash, const struct nub_image *image, char *out, size_t size);

#endif
