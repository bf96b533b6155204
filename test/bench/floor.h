/* What both floors have in common: options, a guest that writes to pages, and medians. Nothing of lib/ is in here.
 *
 *     --loop N, --create N, --again N     how often; what each of them measures, its floor says
 *     --pages N        before each `out` the guest writes to so many pages, the same ones each time
 *     --file PATH      they are those of a private mapping of this file, its first ones
 *     --reset          they are copied back behind each round trip
 *     --first          print what a page costs that is written for the first time, in ns
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLOOR_PAGE_SIZE 4096
#define FLOOR_DATA UINT64_C(0x40000000) /* where the guest has those pages */
#define FLOOR_PORT 108

static struct {
	size_t pages, loop, create, again;
	const char *file;
	bool reset, first, no_apic;
} options;

__attribute__((noreturn)) static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t *room_for(size_t count)
{
	uint64_t *times = calloc(count, sizeof(*times));

	if (!times)
		fail("calloc");
	return times;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* And free them. */
static void print_median(uint64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare);
	printf("%llu\n", (unsigned long long)times[count / 2]);
	free(times);
}

/* Have a guest write to so many pages before each `out`; none: only the `out`. */
static void put_code(uint8_t *memory, size_t pages)
{
	/* 1: out %al, $FLOOR_PORT; jmp 1b */
	static const uint8_t bare[] = { 0xe6, FLOOR_PORT, 0xeb, 0xfc };
	/* 1: mov $FLOOR_DATA, %rdi; mov $pages, %ecx; 2: incb (%rdi); add $4096, %rdi; dec %ecx; jnz 2b; out; jmp 1b */
	uint8_t writer[] = {
		0x48, 0xbf, 0,    0,    0,    0, 0,  0, 0, 0,    0xb9, 0,    0,    0,    0, /* the constants follow */
		0xfe, 0x07, 0x48, 0x81, 0xc7, 0, 16, 0, 0, 0xff, 0xc9, 0x75, 0xf3, 0xe6, FLOOR_PORT, 0xeb, 0xe0
	};
	const uint64_t gva = FLOOR_DATA;
	const uint32_t count = (uint32_t)pages;

	memcpy(writer + 2, &gva, sizeof(gva));
	memcpy(writer + 11, &count, sizeof(count));
	memcpy(memory, pages ? writer : bare, pages ? sizeof(writer) : sizeof(bare));
}

static void parse(char **argv)
{
	const struct {
		const char *name;
		bool *flag;
		size_t *number;
		const char **text;
	} known[] = {
		{ .name = "--no-apic", .flag = &options.no_apic }, { .name = "--reset", .flag = &options.reset },
		{ .name = "--first", .flag = &options.first },     { .name = "--pages", .number = &options.pages },
		{ .name = "--loop", .number = &options.loop },     { .name = "--create", .number = &options.create },
		{ .name = "--again", .number = &options.again },   { .name = "--file", .text = &options.file },
	};
	const size_t count = sizeof(known) / sizeof(known[0]);

	while (*++argv) {
		size_t i = 0;
		while (i < count && strcmp(*argv, known[i].name) != 0)
			i++;
		if (i == count || (!known[i].flag && !argv[1])) {
			fprintf(stderr, "floor: what is '%s'?\n", *argv);
			exit(2);
		}
		if (known[i].flag)
			*known[i].flag = true;
		else if (known[i].number)
			*known[i].number = strtoul(*++argv, NULL, 10);
		else
			*known[i].text = *++argv;
	}
}

#endif
