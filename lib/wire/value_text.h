/* Text from the other side of the boundary: is it UTF-8 without NUL, and what to show when it is not. Pure. Private. */
#ifndef NUB_VALUE_TEXT_H
#define NUB_VALUE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* How many bytes of text[0..size) from its start are UTF-8 without NUL (RFC 3629); size when all are. */
size_t nub_utf8_valid_prefix(const uint8_t *text, size_t size);

/* Copy text as a NUL-terminated string: each byte that is not UTF-8, and each NUL, becomes U+FFFD; cut before the
 * character that does not fit. capacity is at least 1. */
void nub_utf8_clean(char *out, size_t capacity, const uint8_t *text, size_t size);

#endif
