/* Is text from outside UTF-8 (RFC 3629), and what to show when it is not? Pure. */
#ifndef NUB_UTF8_H
#define NUB_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the UTF-8 sequence at text[0..size), 1 to 4; 0 when it is not one (overlong, surrogate, cut off, stray). */
unsigned nub_utf8_length(const uint8_t *text, size_t size);

/* How many bytes of text[0..size) from its start are UTF-8 without NUL; size when all are. */
size_t nub_utf8_valid_prefix(const uint8_t *text, size_t size);

/* Copy text as a NUL-terminated string: each byte that is not UTF-8, and each NUL, becomes U+FFFD; cut before the
 * character that does not fit. capacity is at least 1. */
void nub_utf8_clean(char *out, size_t capacity, const uint8_t *text, size_t size);

#endif
