/* The heap allocator (heap.h). */
#include "heap.h"

#define ALIGNMENT 16
#define HEADER sizeof(struct header)
#define MIN_CHUNK sizeof(struct rt_heap_chunk)
#define IN_USE UINT64_C(1)

/* How many chunks of its own bin a request looks at before it takes a larger one. */
#define CLOSE_LOOK 8

struct header {
	uint64_t below; /* size of the chunk below; 0 for the first */
	uint64_t size;  /* with this header; bit 0: in use */
};

struct rt_heap_chunk {
	struct header header;
	struct rt_heap_chunk *next, **link; /* while it is free: its bin, and the pointer that points here */
};

_Static_assert(sizeof(struct header) == ALIGNMENT, "blocks would lose their alignment");

static uint64_t size_of(const struct rt_heap_chunk *chunk)
{
	return chunk->header.size & ~IN_USE;
}

static struct rt_heap_chunk *at(const void *base, uint64_t offset)
{
	return (struct rt_heap_chunk *)((uintptr_t)base + offset);
}

static uint8_t *block_of(struct rt_heap_chunk *chunk)
{
	return (uint8_t *)chunk + HEADER;
}

/* Set a chunk's size, and what its upper neighbour knows of it. */
static void set_size(struct rt_heap *heap, struct rt_heap_chunk *chunk, uint64_t size, uint64_t in_use)
{
	struct rt_heap_chunk *above = at(chunk, size);

	chunk->header.size = size | in_use;
	if ((uint8_t *)above == heap->top)
		heap->last_size = size;
	else
		above->header.below = size;
}

/* ---- Bins: 16-byte steps below 128, then eight steps to each power of two ---- */

static void bin_of(uint64_t size, unsigned *class, unsigned *step)
{
	unsigned log2 = 63u - (unsigned)__builtin_clzll(size);

	if (log2 < 7) {
		*class = 0;
		*step = (unsigned)(size / ALIGNMENT);
	} else {
		*class = log2 - 6;
		*step = (unsigned)(size >> (log2 - 3)) & (RT_HEAP_STEPS - 1);
	}
}

static void bin_insert(struct rt_heap *heap, struct rt_heap_chunk *chunk)
{
	unsigned class, step;

	bin_of(size_of(chunk), &class, &step);
	chunk->link = &heap->bins[class][step];
	chunk->next = *chunk->link;
	if (chunk->next)
		chunk->next->link = &chunk->next;
	*chunk->link = chunk;
	heap->class_map |= UINT64_C(1) << class;
	heap->step_map[class] |= (uint8_t)(1u << step);
}

static void bin_remove(struct rt_heap *heap, struct rt_heap_chunk *chunk)
{
	unsigned class, step;

	if (*chunk->link != chunk)
		heap->broken("a free block was written to", block_of(chunk));
	*chunk->link = chunk->next;
	if (chunk->next)
		chunk->next->link = chunk->link;
	bin_of(size_of(chunk), &class, &step);
	if (heap->bins[class][step])
		return;
	heap->step_map[class] &= (uint8_t) ~(1u << step);
	if (!heap->step_map[class])
		heap->class_map &= ~(UINT64_C(1) << class);
}

static struct rt_heap_chunk *fitting(struct rt_heap_chunk *chunk, uint64_t size, unsigned limit)
{
	while (chunk && limit-- > 0) {
		if (size_of(chunk) >= size)
			return chunk;
		chunk = chunk->next;
	}
	return NULL;
}

/* The first chunk of the smallest bin above this one: any chunk there is large enough. */
static struct rt_heap_chunk *larger(struct rt_heap *heap, unsigned class, unsigned step)
{
	unsigned steps = heap->step_map[class] & (unsigned)~((2u << step) - 1u);

	if (!steps) {
		uint64_t classes = heap->class_map & ~((UINT64_C(2) << class) - 1);
		if (!classes)
			return NULL;
		class = (unsigned)__builtin_ctzll(classes);
		steps = heap->step_map[class];
	}
	return heap->bins[class][__builtin_ctz(steps)];
}

/* ---- Chunks ---- */

/* Free a chunk that is in no bin: join it with its free neighbours, give it to the memory above top or to a bin. */
static void release(struct rt_heap *heap, struct rt_heap_chunk *chunk)
{
	uint64_t size = size_of(chunk);
	struct rt_heap_chunk *above = at(chunk, size);

	chunk->header.size = size;
	if ((uint8_t *)above != heap->top && !(above->header.size & IN_USE)) {
		bin_remove(heap, above);
		size += size_of(above);
	}
	if (chunk->header.below) {
		struct rt_heap_chunk *below = at(chunk, -chunk->header.below);
		if (!(below->header.size & IN_USE)) {
			bin_remove(heap, below);
			size += size_of(below);
			chunk = below;
		}
	}
	if ((uint8_t *)at(chunk, size) == heap->top) {
		heap->top = (uint8_t *)chunk;
		heap->last_size = chunk->header.below;
		return;
	}
	set_size(heap, chunk, size, 0);
	bin_insert(heap, chunk);
}

/* Make a chunk in use no larger than it need be. */
static void trim(struct rt_heap *heap, struct rt_heap_chunk *chunk, uint64_t size)
{
	uint64_t rest = size_of(chunk) - size;

	if (rest < MIN_CHUNK)
		return;
	struct rt_heap_chunk *tail = at(chunk, size);
	set_size(heap, tail, rest, IN_USE);
	set_size(heap, chunk, size, IN_USE);
	release(heap, tail);
}

static struct rt_heap_chunk *take_top(struct rt_heap *heap, uint64_t size)
{
	struct rt_heap_chunk *chunk = at(heap->top, 0);

	if (size > (uint64_t)(heap->end - heap->top))
		return NULL;
	heap->top += size;
	if (heap->top > heap->touched)
		heap->touched = heap->top;
	chunk->header.below = heap->last_size;
	set_size(heap, chunk, size, IN_USE);
	return chunk;
}

/* Bytes of the chunk for a block of `size`; 0 when no heap has so much. */
static uint64_t chunk_size(const struct rt_heap *heap, uint64_t size)
{
	uint64_t heap_size = (uint64_t)(heap->end - heap->start);

	if (size > heap_size)
		return 0;
	size = (size + HEADER + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
	return size < MIN_CHUNK ? MIN_CHUNK : size;
}

/* The chunk of a block that the caller says is allocated. */
static struct rt_heap_chunk *checked(struct rt_heap *heap, const void *block)
{
	uint64_t offset = (uint64_t)(uintptr_t)block - (uint64_t)(uintptr_t)heap->start;

	if (offset % ALIGNMENT || offset < HEADER || offset >= (uint64_t)(heap->top - heap->start))
		heap->broken("was not allocated, or was freed before", block);
	struct rt_heap_chunk *chunk = at(block, -(uint64_t)HEADER);
	if (!(chunk->header.size & IN_USE))
		heap->broken("was freed before", block);

	uint64_t size = size_of(chunk);
	if (size < MIN_CHUNK || size % ALIGNMENT || size > (uint64_t)(heap->top - (uint8_t *)chunk))
		heap->broken("has a header that was written over", block);
	struct rt_heap_chunk *above = at(chunk, size);
	if (((uint8_t *)above == heap->top ? heap->last_size : above->header.below) != size)
		heap->broken("was written past its end", block);
	if (chunk->header.below > (uint64_t)((uint8_t *)chunk - heap->start) ||
	    (chunk->header.below && size_of(at(chunk, -chunk->header.below)) != chunk->header.below))
		heap->broken("has a header that was written over", block);
	return chunk;
}

/* ---- The interface ---- */

void rt_heap_init(struct rt_heap *heap, void *memory, uint64_t size, void (*broken)(const char *, const void *))
{
	uint64_t skip = -(uint64_t)(uintptr_t)memory % ALIGNMENT;

	heap->start = (uint8_t *)memory + (size < skip ? 0 : skip);
	heap->end = heap->start + (size < skip ? 0 : (size - skip) & ~(uint64_t)(ALIGNMENT - 1));
	heap->top = heap->start;
	heap->touched = heap->start;
	heap->broken = broken;
}

void *rt_heap_alloc(struct rt_heap *heap, uint64_t size)
{
	unsigned class, step;

	size = chunk_size(heap, size);
	if (size == 0)
		return NULL;
	bin_of(size, &class, &step);
	struct rt_heap_chunk *chunk = fitting(heap->bins[class][step], size, CLOSE_LOOK);
	if (!chunk)
		chunk = larger(heap, class, step);
	if (!chunk && size > (uint64_t)(heap->end - heap->top))
		chunk = fitting(heap->bins[class][step], size, UINT32_MAX);
	if (!chunk) {
		chunk = take_top(heap, size);
		return chunk ? block_of(chunk) : NULL;
	}
	bin_remove(heap, chunk);
	chunk->header.size |= IN_USE;
	trim(heap, chunk, size);
	return block_of(chunk);
}

void *rt_heap_alloc_zeroed(struct rt_heap *heap, uint64_t size)
{
	const uint8_t *touched = heap->touched;
	uint8_t *block = rt_heap_alloc(heap, size);

	if (block && block < touched) {
		uint64_t used = (uint64_t)(touched - block);
		__builtin_memset(block, 0, used < size ? used : size);
	}
	return block;
}

void *rt_heap_alloc_aligned(struct rt_heap *heap, uint64_t alignment, uint64_t size)
{
	uint64_t total;

	if (alignment <= ALIGNMENT)
		return rt_heap_alloc(heap, size);
	if (__builtin_add_overflow(size, alignment + MIN_CHUNK, &total))
		return NULL;
	uint8_t *block = rt_heap_alloc(heap, total);
	if (!block)
		return NULL;

	/* What lies before the aligned address becomes a chunk of its own, so it has to be large enough for one. */
	uint64_t skip = -(uint64_t)(uintptr_t)block & (alignment - 1);
	struct rt_heap_chunk *chunk = at(block, -(uint64_t)HEADER);
	if (skip > 0) {
		while (skip < MIN_CHUNK)
			skip += alignment;
		struct rt_heap_chunk *front = chunk;
		uint64_t rest = size_of(front) - skip;
		chunk = at(front, skip);
		set_size(heap, chunk, rest, IN_USE);
		set_size(heap, front, skip, IN_USE);
		release(heap, front);
	}
	trim(heap, chunk, chunk_size(heap, size));
	return block_of(chunk);
}

/* Give a chunk the free memory above it, if that makes it large enough. */
static void grow(struct rt_heap *heap, struct rt_heap_chunk *chunk, uint64_t size)
{
	uint64_t old = size_of(chunk);
	struct rt_heap_chunk *above = at(chunk, old);

	if ((uint8_t *)above == heap->top) {
		if (size - old > (uint64_t)(heap->end - heap->top))
			return;
		heap->top = (uint8_t *)chunk + size;
		if (heap->top > heap->touched)
			heap->touched = heap->top;
		set_size(heap, chunk, size, IN_USE);
	} else if (!(above->header.size & IN_USE) && size_of(above) >= size - old) {
		bin_remove(heap, above);
		set_size(heap, chunk, old + size_of(above), IN_USE);
		trim(heap, chunk, size);
	}
}

void *rt_heap_resize(struct rt_heap *heap, void *block, uint64_t size)
{
	if (!block)
		return rt_heap_alloc(heap, size);

	struct rt_heap_chunk *chunk = checked(heap, block);
	uint64_t need = chunk_size(heap, size);
	if (need == 0)
		return NULL;
	if (size_of(chunk) < need)
		grow(heap, chunk, need);
	if (size_of(chunk) >= need) {
		trim(heap, chunk, need);
		return block;
	}
	void *moved = rt_heap_alloc(heap, size);
	if (moved) {
		__builtin_memcpy(moved, block, size_of(chunk) - HEADER);
		release(heap, chunk);
	}
	return moved;
}

void rt_heap_free(struct rt_heap *heap, void *block)
{
	if (block)
		release(heap, checked(heap, block));
}

uint64_t rt_heap_taken(struct rt_heap *heap, const void *block)
{
	return size_of(checked(heap, block));
}
