/* A Linux program that is nothing but its memory, over a machine that executes nothing: calls that map, and what they make. */
#ifndef LINUX_PAGES_H
#define LINUX_PAGES_H

#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/mman.h>

#include "linux_alone.h"
#include "personality/linux/mm.h"
#include "personality/linux/mm_parts.h"
#include "unit.h"

#define PAGE NUB_PAGE_SIZE
#define LARGE NUB_LARGE_PAGE_SIZE
#define AT UINT64_C(0x10000000)

static inline int setup(void **state)
{
	static struct alone alone;
	const struct nub_linux_config config = fake_config();

	alone_init(&alone, 8 * LARGE, &config);
	*state = &alone;
	return 0;
}

static inline int teardown(void **state)
{
	alone_release(*state);
	return 0;
}

static inline int64_t call(struct alone *alone, unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return fake_call(alone->linux, number, a, b, c, d, (uint64_t)-1, 0);
}

static inline int64_t map_at(struct alone *alone, uint64_t gva, uint64_t size, unsigned prot)
{
	return call(alone, __NR_mmap, gva, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | (gva ? MAP_FIXED : 0));
}

/* What /proc/self/maps would say, in short: [start-end prot] of each area, in pages from AT. */
static inline const char *areas_of(struct alone *alone)
{
	static char text[1024];
	size_t count, length = 0;
	const struct nub_linux_area *areas = nub_linux_areas(alone->linux, &count);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%d-%d %u", i ? ", " : "",
		                           (int)((int64_t)(areas[i].start - AT) / (int64_t)PAGE),
		                           (int)((int64_t)(areas[i].end - AT) / (int64_t)PAGE), areas[i].prot);
	return text;
}

static inline void fault(struct alone *alone, uint64_t gva, uint64_t error_code)
{
	nub_linux_fault(alone->linux, 14, error_code, gva);
	alone_take_signal(alone);
}

#define PAGES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
