/* Keeps pages of known contents, writes over some when asked, and counts those that are not as they were first. */
#include "nub_guest.h"

#define WORDS (NUB_PAGE_SIZE / sizeof(uint64_t))

static uint64_t *block;
static uint32_t count;
static uint64_t salt;

/* Every second page is zero. */
static uint64_t content(uint32_t page)
{
	return page % 2 ? 0 : salt + page;
}

static void write_page(uint32_t page, uint64_t value)
{
	block[page * WORDS] = block[page * WORDS + WORDS / 2] = block[page * WORDS + WORDS - 1] = value;
}

static uint64_t prepare(uint32_t pages, uint64_t new_salt)
{
	block = aligned_alloc(NUB_PAGE_SIZE, pages * NUB_PAGE_SIZE);
	if (!block) {
		nub_fail(1, "no room for %u pages", pages);
		return 0;
	}
	memset(block, 0, pages * NUB_PAGE_SIZE);
	count = pages;
	salt = new_salt;
	for (uint32_t i = 0; i < pages; i += 2)
		write_page(i, content(i));
	return (uint64_t)block;
}
NUB_EXPORT(prepare, U64, U32, U64)

static void scribble(uint32_t first, uint32_t pages)
{
	for (uint32_t i = first; i < first + pages && i < count; i++)
		write_page(i, ~content(i));
}
NUB_EXPORT(scribble, VOID, U32, U32)

static uint32_t damaged(uint64_t expected_salt)
{
	uint32_t found = salt != expected_salt;

	for (uint32_t i = 0; i < count; i++) {
		const uint64_t *page = block + i * WORDS, value = content(i);
		found += page[0] != value || page[WORDS / 2] != value || page[WORDS - 1] != value;
	}
	return found;
}
NUB_EXPORT(damaged, U32, U64)

/* Sets pages to zero that were not: what a layer must not lose. */
static void wipe(uint32_t first, uint32_t pages)
{
	for (uint32_t i = first; i < first + pages && i < count; i++)
		write_page(i, 0);
}
NUB_EXPORT(wipe, VOID, U32, U32)

static uint64_t word(uint32_t page)
{
	return block[page * WORDS];
}
NUB_EXPORT(word, U64, U32)

static uint64_t seed(void)
{
	return nub_seed();
}
NUB_EXPORT(seed, U64)

static uint64_t random_word(void)
{
	uint64_t bytes = 0;

	if (nub_random(&bytes, sizeof(bytes)) < 0)
		nub_fail(1, "%s", nub_host_error());
	return bytes;
}
NUB_EXPORT(random_word, U64)

static uint32_t swallow(struct nub_bytes bytes)
{
	return bytes.size;
}
NUB_EXPORT(swallow, U32, BYTES)

/* Something happens at the host, and then a first look at the pages, or a crash that the host has to explain. */
static uint32_t damaged_meanwhile(uint64_t expected_salt)
{
	struct nub_value nothing;

	nub_host("meanwhile", &nothing, NUB_TYPE_VOID);
	return damaged(expected_salt);
}
NUB_EXPORT(damaged_meanwhile, U32, U64)

static void crash_meanwhile(void)
{
	struct nub_value nothing;

	nub_host("meanwhile", &nothing, NUB_TYPE_VOID);
	/* #GP, which the host decodes the instruction of. */
	__asm__ volatile("hlt");
}
NUB_EXPORT(crash_meanwhile, VOID)

static void crash(void)
{
	__builtin_trap();
}
NUB_EXPORT(crash, VOID)

static void write_readonly(void)
{
	*(volatile uint8_t *)(uintptr_t) "a constant" = 0;
}
NUB_EXPORT(write_readonly, VOID)

/* The supervisor's part of scratch, which is writable for it. */
static void write_supervisor(uint64_t below_top)
{
	*(volatile uint64_t *)(NUB_SCRATCH_TOP_GVA + 1 - below_top) = 0;
}
NUB_EXPORT(write_supervisor, VOID, U64)
