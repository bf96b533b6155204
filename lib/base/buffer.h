/* Bytes that grow as they are appended to. Zeroed at first. Error: NO_MEMORY. */
#ifndef NUB_BUFFER_H
#define NUB_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"

struct nub_buffer {
	uint8_t *bytes; /* owned; nub_buffer_release frees it */
	size_t size, capacity;
};

void nub_buffer_release(struct nub_buffer *buffer);
int nub_buffer_append(struct nub_buffer *buffer, const void *bytes, size_t size, struct nub_error *err);

#endif
