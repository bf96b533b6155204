/* Base64 with the standard alphabet and padding (RFC 4648, section 4). Pure. */
#ifndef CMD_BASE64_H
#define CMD_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* malloc'd and NUL-terminated; NULL without memory. */
char *cmd_base64_encode(const uint8_t *bytes, size_t size);

/* Room that `length` characters decode into at most; never 0. */
size_t cmd_base64_decoded_max(size_t length);

/* Decode strictly: no space, padding where it belongs, no stray bits. False, and the bad character's index, otherwise. */
bool cmd_base64_decode(const char *text, size_t length, uint8_t *bytes, size_t *size, size_t *bad);

#endif
