/* Functions that do next to nothing: what a call costs, and what a written page costs. */
#include "nub_guest.h"

#define PAGES 4

static void empty(void)
{
}
NUB_EXPORT(empty, VOID)

/* Write to four heap pages, the same ones each time. */
static void write4(void)
{
	static volatile uint8_t *pages;

	if (!pages)
		pages = (volatile uint8_t *)aligned_alloc(NUB_PAGE_SIZE, PAGES * NUB_PAGE_SIZE);
	if (!pages) {
		nub_fail(1, "no heap for %d pages", PAGES);
		return;
	}
	for (int i = 0; i < PAGES; i++)
		pages[i * NUB_PAGE_SIZE]++;
}
NUB_EXPORT(write4, VOID)

/* Write to so many heap pages, the same ones each time. */
static void write_pages(uint64_t count)
{
	static volatile uint8_t *pages;
	static uint64_t room;

	if (room < count) {
		pages = (volatile uint8_t *)aligned_alloc(NUB_PAGE_SIZE, count * NUB_PAGE_SIZE);
		room = pages ? count : 0;
	}
	if (!pages) {
		nub_fail(1, "no heap for %llu pages", (unsigned long long)count);
		return;
	}
	for (uint64_t i = 0; i < count; i++)
		pages[i * NUB_PAGE_SIZE] = 1;
}
NUB_EXPORT(write_pages, VOID, U64)

/* Write to so many fresh heap pages. */
static void touch(uint64_t count)
{
	volatile uint8_t *pages = (volatile uint8_t *)aligned_alloc(NUB_PAGE_SIZE, count * NUB_PAGE_SIZE);

	if (!pages) {
		nub_fail(1, "no heap for %llu pages", (unsigned long long)count);
		return;
	}
	for (uint64_t i = 0; i < count; i++)
		pages[i * NUB_PAGE_SIZE]++;
}
NUB_EXPORT(touch, VOID, U64)

static uint8_t *warmed;
static uint64_t warmed_size;

/* Write to so many bytes of fresh heap, and keep them: a guest that has been at work. */
static void warm(uint64_t bytes)
{
	uint8_t *block = (uint8_t *)malloc(bytes);

	if (!block) {
		nub_fail(1, "no heap for %llu bytes", (unsigned long long)bytes);
		return;
	}
	for (uint64_t i = 0; i < bytes; i++)
		block[i] = (uint8_t)(i * 37 + i / NUB_PAGE_SIZE);
	warmed = block;
	warmed_size = bytes;
}
NUB_EXPORT(warm, VOID, U64)

/* Write again to so many pages of what was kept. It does not read them: that would be a fault more where both are told apart. */
static void rewrite(uint64_t count)
{
	if (count > warmed_size / NUB_PAGE_SIZE) {
		nub_fail(1, "%llu bytes are warmed", (unsigned long long)warmed_size);
		return;
	}
	for (uint64_t i = 0; i < count; i++)
		((volatile uint8_t *)warmed)[i * NUB_PAGE_SIZE] = 1;
}
NUB_EXPORT(rewrite, VOID, U64)

/* The first third of what it gets. */
static struct nub_bytes third(struct nub_bytes bytes)
{
	return (struct nub_bytes){ bytes.data, bytes.size / 3 };
}
NUB_EXPORT(third, BYTES, BYTES)
