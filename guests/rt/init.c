/* The first and every later entry of a guest: take over what the host passes, run constructors, serve. */
#include "heap.h"
#include "rt.h"

struct nub_rt nub_rt;

/* Set by the linker script. */
typedef void nub_constructor(void);
extern nub_constructor *const nub_preinit_array_start[], *const nub_preinit_array_end[];
extern nub_constructor *const nub_init_array_start[], *const nub_init_array_end[];

static void run(nub_constructor *const *from, nub_constructor *const *to)
{
	for (; from < to; from++)
		(*from)();
}

static void enter(const struct nub_peb *peb, uint64_t seed, uint64_t page_size, uint64_t flags)
{
	nub_rt.peb = peb;
	nub_rt.seed = seed;
	nub_rt.log_level = flags & NUB_LOG_LEVEL_MASK;
	nub_rt.tracing = flags & NUB_ENTRY_TRACE;
	if (page_size != NUB_PAGE_SIZE)
		nub_rt_broken("the host's pages have %llu bytes, this guest wants %llu", (unsigned long long)page_size,
		              NUB_PAGE_SIZE);
}

void nub_rt_start(const struct nub_peb *peb, uint64_t seed, uint64_t page_size, uint64_t flags)
{
	enter(peb, seed, page_size, flags);
	nub_rt_heap_init((void *)(uintptr_t)peb->heap.gva, peb->heap.size);
	run(nub_preinit_array_start, nub_preinit_array_end);
	run(nub_init_array_start, nub_init_array_end);
	nub_rt_serve();
}

void nub_rt_resume(const struct nub_peb *peb, uint64_t seed, uint64_t page_size, uint64_t flags)
{
	enter(peb, seed, page_size, flags);
	nub_rt_serve();
}

void nub_rt_halt(uint32_t reason, uint64_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(reason), "d"((uint16_t)NUB_PORT_HALT), "D"(value) : "memory");
	nub_rt_broken("the host went on after halt %u", reason);
}

const struct nub_peb *nub_peb(void)
{
	return nub_rt.peb;
}

uint64_t nub_seed(void)
{
	return nub_rt.seed;
}

int nub_checkpoint(void)
{
	uint32_t answer = 0;

	fflush(NULL);
	__asm__ volatile("outb %b0, %w1" : "+a"(answer) : "d"((uint16_t)NUB_PORT_CHECKPOINT) : "memory");
	nub_rt.tracing = answer & NUB_ENTRY_TRACE;
	return answer & 1;
}
