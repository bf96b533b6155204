/* Sorts a text's words and counts them, as spans within spans: nubrun run --trace trace.json trace.elf [WORD...]. */
#include "nub_guest.h"

static const char *const rhyme[] = { "the", "cat", "sat", "on", "the", "mat", "and", "the", "mat", "was", "flat" };

struct word {
	struct word *next;
	unsigned count;
	char text[];
};

/* Into its place in the list, which is sorted. */
static struct word *add(struct word *all, const char *text)
{
	struct word **place = &all;
	int order = 1;

	while (*place && (order = strcmp((*place)->text, text)) < 0)
		place = &(*place)->next;
	if (*place && order == 0) {
		(*place)->count++;
		return all;
	}
	struct word *made = (struct word *)malloc(sizeof(*made) + strlen(text) + 1);
	if (!made)
		nub_abort("no heap for '%s'", text);
	made->next = *place;
	made->count = 1;
	strcpy(made->text, text);
	*place = made;
	return all;
}

static struct word *sort(unsigned count, const char *const *words)
{
	struct word *all = NULL;

	nub_span_begin("sort");
	for (unsigned i = 0; i < count; i++) {
		nub_span_begin(words[i]);
		all = add(all, words[i]);
		nub_span_end();
	}
	nub_span_end();
	return all;
}

static void print(struct word *all)
{
	nub_span_begin("print");
	while (all) {
		struct word *next = all->next;
		printf("%u %s\n", all->count, all->text);
		free(all);
		all = next;
	}
	fflush(stdout);
	nub_span_end();
}

static uint32_t count(const char *text)
{
	const char *words[] = { text };

	struct word *all = sort(1, words);
	uint32_t found = all->count;
	free(all);
	return found;
}
NUB_EXPORT(count, U32, STRING)

int main(int argc, char **argv)
{
	nub_span_begin("main");
	if (argc > 1)
		print(sort((unsigned)argc - 1, (const char *const *)argv + 1));
	else
		print(sort(sizeof(rhyme) / sizeof(rhyme[0]), rhyme));
	nub_span_end();
	return 0;
}
