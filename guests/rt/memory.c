/* memcpy and its kin. Small sizes by overlapping moves, middle ones 16 bytes at a time, large ones by `rep`. */
#include "nub_guest.h"

/* Compilers see a memcpy in these loops, and would have it call itself. */
#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

/* From here on the start-up cost of `rep` pays. */
#define REP_SIZE 512

typedef uint64_t word __attribute__((aligned(1), may_alias));
typedef uint32_t half __attribute__((aligned(1), may_alias));
typedef long long vector __attribute__((vector_size(16), aligned(1), may_alias));

/* At most 16 bytes: both ends are read before either is written, so the places may overlap. */
static void move_small(unsigned char *to, const unsigned char *from, size_t size)
{
	if (size >= 8) {
		word first = *(const word *)from, last = *(const word *)(from + size - 8);
		*(word *)to = first;
		*(word *)(to + size - 8) = last;
	} else if (size >= 4) {
		half first = *(const half *)from, last = *(const half *)(from + size - 4);
		*(half *)to = first;
		*(half *)(to + size - 4) = last;
	} else if (size > 0) {
		unsigned char first = from[0], middle = from[size / 2], last = from[size - 1];
		to[0] = first;
		to[size / 2] = middle;
		to[size - 1] = last;
	}
}

/* Upwards; right for places that overlap, too, when `to` lies below `from`. */
static void move_up(unsigned char *to, const unsigned char *from, size_t size)
{
	if (size >= REP_SIZE) {
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
		return;
	}
	vector last = *(const vector *)(from + size - 16);
	unsigned char *end = to + size - 16;
	for (; to < end; to += 16, from += 16)
		*(vector *)to = *(const vector *)from;
	*(vector *)end = last;
}

static void move_down(unsigned char *to, const unsigned char *from, size_t size)
{
	vector first = *(const vector *)from;

	for (size_t left = size; left > 16; left -= 16)
		*(vector *)(to + left - 16) = *(const vector *)(from + left - 16);
	*(vector *)to = first;
}

void *memcpy(void *to, const void *from, size_t size)
{
	if (size <= 16)
		move_small((unsigned char *)to, (const unsigned char *)from, size);
	else
		move_up((unsigned char *)to, (const unsigned char *)from, size);
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	if (size <= 16)
		move_small((unsigned char *)to, (const unsigned char *)from, size);
	else if ((uintptr_t)to - (uintptr_t)from >= size)
		move_up((unsigned char *)to, (const unsigned char *)from, size);
	else
		move_down((unsigned char *)to, (const unsigned char *)from, size);
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	unsigned char *at = (unsigned char *)to;
	uint64_t word_value = 0x0101010101010101u * (unsigned char)byte;

	if (size >= REP_SIZE) {
		__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
	} else if (size >= 8) {
		word *last = (word *)(at + size - 8);
		for (; at < (unsigned char *)last; at += 8)
			*(word *)at = word_value;
		*last = word_value;
	} else {
		while (size-- > 0)
			*at++ = (unsigned char)byte;
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;

	while (size >= 8 && *(const word *)x == *(const word *)y) {
		x += 8;
		y += 8;
		size -= 8;
	}
	for (; size > 0; x++, y++, size--)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *bytes, int byte, size_t size)
{
	const unsigned char *at = (const unsigned char *)bytes;

	for (; size > 0; at++, size--)
		if (*at == (unsigned char)byte)
			return (void *)(uintptr_t)at;
	return NULL;
}
