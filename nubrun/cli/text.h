/* Text that came from outside, made fit for JSON and for terminals; and the nearest of several words. Pure. */
#ifndef CMD_TEXT_H
#define CMD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A malloc'd, NUL-terminated copy with each invalid byte replaced by U+FFFD; NULL without memory. *clean_size may be
 * NULL. NUL bytes are kept. */
char *cmd_utf8_repair(const void *text, size_t size, size_t *clean_size);

/* The same, with control characters as \n, \x1b, \u009b: what a terminal can be shown. */
char *cmd_text_printable(const void *text, size_t size);

/* The entry of words[0..count) that is fewest edits away from `word`; NULL when all are too far to be meant. */
const char *cmd_nearest(const char *word, const char *const words[], size_t count);

#endif
