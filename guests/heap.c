/* Allocates until the heap is full, frees, and does it again: a heap that loses or mixes up memory exits with 1. */
#include "nub_guest.h"

/* What the checks need; a smaller heap is only filled. */
#define ROOM (64u << 10)

struct node {
	struct node *next;
	uint64_t mark;
};

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	printf("failed: %s\n", what);
	exit(1);
}

/* Blocks of mixed sizes until the heap is full, each marked with its own address. */
static unsigned fill(struct node **all)
{
	unsigned count = 0;
	struct node *node;

	for (*all = NULL; (node = (struct node *)malloc(64 + count % 7 * 400)); count++) {
		node->next = *all;
		node->mark = (uint64_t)(uintptr_t)node ^ 0x5a5a;
		*all = node;
	}
	return count;
}

/* Every second block first, so that the others have to be joined with free neighbours. */
static void release(struct node *all)
{
	struct node *kept = NULL;

	while (all) {
		struct node *first = all, *second = all->next;
		require(first->mark == ((uint64_t)(uintptr_t)first ^ 0x5a5a), "a block changed");
		all = second ? second->next : NULL;
		if (second) {
			second->next = kept;
			kept = second;
		}
		free(first);
	}
	while (kept) {
		struct node *next = kept->next;
		free(kept);
		kept = next;
	}
}

static void check_realloc(void)
{
	char *text = (char *)malloc(10);
	require(text, "malloc(10)");
	strcpy(text, "kept");
	char *grown = (char *)realloc(text, 5000);
	require(grown == text, "realloc grows in place at the end of the heap");
	void *behind = malloc(100);
	char *moved = (char *)realloc(grown, 20000);
	require(moved && moved != grown && strcmp(moved, "kept") == 0, "realloc moves what it can't grow");
	free(moved);
	free(behind);
}

static void check_aligned(void)
{
	for (size_t alignment = 16; alignment <= 8192; alignment *= 2) {
		void *block = aligned_alloc(alignment, 100);
		require(block && (uintptr_t)block % alignment == 0, "aligned_alloc");
		free(block);
	}
}

static void check_calloc(void)
{
	uint8_t *used = (uint8_t *)malloc(3000);
	require(used, "malloc(3000)");
	memset(used, 0xff, 3000);
	free(used);
	uint8_t *zeroed = (uint8_t *)calloc(100, 40);
	require(zeroed, "calloc(100, 40)");
	for (int i = 0; i < 4000; i++)
		require(zeroed[i] == 0, "calloc clears");
	free(zeroed);
	require(!calloc(SIZE_MAX / 2, 4), "calloc notices overflow");
	require(!malloc(SIZE_MAX), "malloc refuses SIZE_MAX");
}

int main(void)
{
	struct node *all;
	unsigned rounds[2];

	if (nub_peb()->heap.size >= ROOM) {
		check_realloc();
		check_aligned();
		check_calloc();
	}
	for (int round = 0; round < 2; round++) {
		rounds[round] = fill(&all);
		printf("round %d: %u blocks\n", round + 1, rounds[round]);
		release(all);
	}
	require(rounds[0] > 0 && rounds[0] == rounds[1], "the second round gets as much as the first");

	size_t whole = nub_peb()->heap.size - 64;
	void *block = malloc(whole);
	require(block, "one block takes the whole heap when all is free");
	free(block);
	printf("one block: %zu bytes\n", whole);
	return 0;
}
