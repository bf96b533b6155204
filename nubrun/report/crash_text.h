/* What happened in a crashed guest, as one sentence. Pure. */
#ifndef CMD_CRASH_TEXT_H
#define CMD_CRASH_TEXT_H

#include "nub.h"

/* "R-X" and its like. */
const char *cmd_flags_short(unsigned flags);

/* "code", "init data", "page tables": a region's type for people. */
const char *cmd_region_words(enum nub_region_type type);

/* "read", "write" or "execute"; NULL for none of them. */
const char *cmd_access_name(unsigned access);

/* Where rip is: "main+0x12", or "0x401012" when the image has no symbol there. */
void cmd_crash_place(const struct nub_crash *crash, const struct nub_image *image, char *out, size_t size);

/* The same for any frame of a call stack, `index` counted from the innermost. */
void cmd_frame_place(const struct nub_image *image, uint64_t rip, size_t index, char *out, size_t size);

/* The symbol of a frame, and rip's offset in it; NULL when there is none. */
const char *cmd_frame_symbol(const struct nub_image *image, uint64_t rip, size_t index, uint64_t *offset);

/* Where a crash's address is: "in the stack's guard page", "16 bytes below the heap". */
void cmd_crash_where(const struct nub_crash *crash, char *out, size_t size);

/* "write to 0x401000 (code, R-X) at main+0x12: page fault". */
void cmd_crash_sentence(const struct nub_crash *crash, const struct nub_image *image, char *out, size_t size);

#endif
