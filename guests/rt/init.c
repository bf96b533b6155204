/* The first and every later entry of a guest: take over what the host passes, run constructors, serve. */
#include "heap.h"
#include "rt.h"

struct rt_state rt_state;

/* Set by the linker script. */
typedef void rt_constructor(void);
extern rt_constructor *const rt_preinit_array_start[], *const rt_preinit_array_end[];
extern rt_constructor *const rt_init_array_start[], *const rt_init_array_end[];

static void run(rt_constructor *const *from, rt_constructor *const *to)
{
	for (; from < to; from++)
		(*from)();
}

static void enter(const struct nub_peb *peb, uint64_t seed, uint64_t page_size, uint64_t flags)
{
	rt_state.peb = peb;
	rt_state.seed = seed;
	rt_state.log_level = flags & NUB_LOG_LEVEL_MASK;
	rt_state.tracing = flags & NUB_ENTRY_TRACE;
	if (page_size != NUB_PAGE_SIZE)
		rt_broken("the host's pages have %llu bytes, this guest wants %llu", (unsigned long long)page_size,
		          NUB_PAGE_SIZE);
}

void rt_start(const struct nub_peb *peb, uint64_t seed, uint64_t page_size, uint64_t flags)
{
	enter(peb, seed, page_size, flags);
	rt_malloc_init((void *)(uintptr_t)peb->heap.gva, peb->heap.size);
	run(rt_preinit_array_start, rt_preinit_array_end);
	run(rt_init_array_start, rt_init_array_end);
	rt_serve();
}

void rt_resume(const struct nub_peb *peb, uint64_t seed, uint64_t page_size, uint64_t flags)
{
	enter(peb, seed, page_size, flags);
	rt_serve();
}

void rt_halt(uint32_t reason, uint64_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(reason), "d"((uint16_t)NUB_PORT_HALT), "D"(value) : "memory");
	rt_broken("the host went on after halt %u", reason);
}

const struct nub_peb *nub_peb(void)
{
	return rt_state.peb;
}

uint64_t nub_seed(void)
{
	return rt_state.seed;
}

int nub_checkpoint(void)
{
	uint32_t answer = 0;

	fflush(NULL);
	__asm__ volatile("outb %b0, %w1" : "+a"(answer) : "d"((uint16_t)NUB_PORT_CHECKPOINT) : "memory");
	rt_state.tracing = answer & NUB_ENTRY_TRACE;
	return answer & 1;
}
