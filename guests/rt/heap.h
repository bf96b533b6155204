/* The heap allocator: a good-fit allocator with constant-time bins over one range of zeroed memory. Pure.
 *
 *        start                                         top                        end
 *          | chunk | chunk (free) | chunk | ... | chunk | memory never handed out   |
 *
 * Each chunk has 16 bytes before it: the size of the chunk below it, and its own size with a bit for "in use". Two free
 * chunks are never neighbours, and the last chunk is never free: it becomes part of what lies above top. Memory above
 * top is not touched, because the first touch of a page is what costs in a new guest.
 */
#ifndef RT_HEAP_H
#define RT_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define RT_HEAP_CLASSES 40 /* powers of two */
#define RT_HEAP_STEPS 8    /* bins in each */

struct rt_heap_chunk;

struct rt_heap {
	uint8_t *start, *end, *top;
	uint8_t *touched;                  /* the highest top ever: what lies above is zero */
	uint64_t last_size;                /* of the chunk below top; 0 when there is none */
	uint64_t class_map;                /* bit c: step_map[c] is not 0 */
	uint8_t step_map[RT_HEAP_CLASSES]; /* bit s: bins[c][s] is not empty */
	struct rt_heap_chunk *bins[RT_HEAP_CLASSES][RT_HEAP_STEPS];
	void (*broken)(const char *what, const void *block); /* does not return */
};

void rt_heap_init(struct rt_heap *heap, void *memory, uint64_t size, void (*broken)(const char *, const void *));

/* All give 16-aligned memory or NULL. `alignment` is a power of two. */
void *rt_heap_alloc(struct rt_heap *heap, uint64_t size);
void *rt_heap_alloc_zeroed(struct rt_heap *heap, uint64_t size);
void *rt_heap_alloc_aligned(struct rt_heap *heap, uint64_t alignment, uint64_t size);
void *rt_heap_resize(struct rt_heap *heap, void *block, uint64_t size); /* NULL leaves the block as it is */
void rt_heap_free(struct rt_heap *heap, void *block);                   /* NULL is fine */

/* What a block takes of the heap, its header included. */
uint64_t rt_heap_taken(struct rt_heap *heap, const void *block);

/* malloc's heap; see malloc.c. */
void rt_malloc_init(void *memory, uint64_t size);

#endif
