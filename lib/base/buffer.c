/* Growing by doubling. */
#include "base/buffer.h"

#include <stdlib.h>

#include "base/error.h"

void nub_buffer_release(struct nub_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct nub_buffer){ 0 };
}

int nub_buffer_reserve(struct nub_buffer *buffer, size_t size, struct nub_error *err)
{
	size_t needed, capacity;

	if (__builtin_add_overflow(buffer->size, size, &needed))
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "no memory for %zu bytes after %zu", size, buffer->size);
	if (needed <= buffer->capacity)
		return 0;
	if (__builtin_mul_overflow(buffer->capacity, 2, &capacity) || capacity < needed)
		capacity = needed;
	if (capacity < 128)
		capacity = 128;
	uint8_t *grown = realloc(buffer->bytes, capacity);
	if (!grown)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "no memory for a message of %zu bytes", capacity);
	buffer->bytes = grown;
	buffer->capacity = capacity;
	return 0;
}
