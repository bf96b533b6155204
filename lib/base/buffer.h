/* Bytes that grow as they are appended to. Zeroed at first. Error: NO_MEMORY. */
#ifndef NUB_BUFFER_H
#define NUB_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "nub/error.h"

struct nub_buffer {
	uint8_t *bytes; /* owned; nub_buffer_release frees it */
	size_t size, capacity;
};

void nub_buffer_release(struct nub_buffer *buffer);

/* Have room for `size` bytes more. */
int nub_buffer_reserve(struct nub_buffer *buffer, size_t size, struct nub_error *err);

/* Messages are made of many small parts, for which there mostly is room. */
static inline int nub_buffer_append(struct nub_buffer *buffer, const void *bytes, size_t size, struct nub_error *err)
{
	if (size == 0)
		return 0;
	if (size > buffer->capacity - buffer->size && nub_buffer_reserve(buffer, size, err) < 0)
		return -1;
	memcpy(buffer->bytes + buffer->size, bytes, size);
	buffer->size += size;
	return 0;
}

#endif
