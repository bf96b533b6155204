/* malloc and its family, and C++'s operators, over the PEB's heap. */
#include "heap.h"
#include "rt.h"

static struct rt_heap heap;

static void broken(const char *what, const void *block)
{
	nub_abort("heap: the block at %p %s", block, what);
}

void rt_malloc_init(void *memory, uint64_t size)
{
	rt_heap_init(&heap, memory, size, broken);
}

static void *traced(void *block, size_t size)
{
	if (rt_state.tracing)
		rt_trace_alloc(block, size, block ? rt_heap_taken(&heap, block) : 0);
	return block;
}

void *malloc(size_t size)
{
	return traced(rt_heap_alloc(&heap, size), size);
}

void *calloc(size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return traced(rt_heap_alloc_zeroed(&heap, total), total);
}

void *realloc(void *block, size_t size)
{
	uint64_t old = rt_state.tracing && block ? rt_heap_taken(&heap, block) : 0;
	void *moved = rt_heap_resize(&heap, block, size);

	if (old > 0 && moved)
		rt_trace_free(block, old);
	return traced(moved, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	if (alignment == 0 || (alignment & (alignment - 1)) != 0)
		return NULL;
	return traced(rt_heap_alloc_aligned(&heap, alignment, size), size);
}

void free(void *block)
{
	if (rt_state.tracing && block)
		rt_trace_free(block, rt_heap_taken(&heap, block));
	rt_heap_free(&heap, block);
}
