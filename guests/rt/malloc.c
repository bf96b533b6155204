/* malloc and its family, and C++'s operators, over the PEB's heap. */
#include "heap.h"
#include "rt.h"

static struct nub_heap heap;

static void broken(const char *what, const void *block)
{
	nub_abort("heap: the block at %p %s", block, what);
}

void nub_rt_heap_init(void *memory, uint64_t size)
{
	nub_heap_init(&heap, memory, size, broken);
}

static void *traced(void *block, size_t size)
{
	if (nub_rt.tracing)
		nub_rt_trace_alloc(block, size, block ? nub_heap_taken(&heap, block) : 0);
	return block;
}

void *malloc(size_t size)
{
	return traced(nub_heap_alloc(&heap, size), size);
}

void *calloc(size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return traced(nub_heap_alloc_zeroed(&heap, total), total);
}

void *realloc(void *block, size_t size)
{
	uint64_t old = nub_rt.tracing && block ? nub_heap_taken(&heap, block) : 0;
	void *moved = nub_heap_resize(&heap, block, size);

	if (old > 0 && moved)
		nub_rt_trace_free(block, old);
	return traced(moved, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	if (alignment == 0 || (alignment & (alignment - 1)) != 0)
		return NULL;
	return traced(nub_heap_alloc_aligned(&heap, alignment, size), size);
}

void free(void *block)
{
	if (nub_rt.tracing && block)
		nub_rt_trace_free(block, nub_heap_taken(&heap, block));
	nub_heap_free(&heap, block);
}
