/* Runs a fuzz target without a fuzzer: on mutations of the target's seeds, the same for the same --seed, or on files.
 *
 *     fuzz_elf [--runs N | --seconds N] [--seed S]
 *     fuzz_elf FILE...
 *     fuzz_elf --write FOLDER
 *
 * The last one writes the seeds to files of a folder that is there, for a fuzzer to begin with. The input that ends the process is left in TARGET.crash, to be given as FILE. An input that takes over ten seconds
 * ends it too. With libFuzzer this file is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_INPUT 65536
#define MAX_SEEDS 64
#define DEFAULT_RUNS 20000
#define HANG_SECONDS 10

struct input {
	uint8_t bytes[MAX_INPUT];
	size_t size;
};

/* Global for the signal handler, which saves it. */
static struct input current;
static char crash_file[256];

/* Sanitizers end the process with SIGABRT, so that the handler below sees it. The names are theirs. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1:detect_leaks=1";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void save_and_die(int signal_number)
{
	static const char text[] = "the input that did it is in ";
	int fd = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0 && write(fd, current.bytes, current.size) == (ssize_t)current.size &&
	    write(STDERR_FILENO, text, sizeof(text) - 1) > 0 &&
	    write(STDERR_FILENO, crash_file, strlen(crash_file)) > 0 && write(STDERR_FILENO, "\n", 1) > 0)
		close(fd);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void catch_signals(void)
{
	static const int signals[] = { SIGABRT, SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGALRM };
	struct sigaction action = { .sa_handler = save_and_die, .sa_flags = SA_RESETHAND | SA_NODEFER };
	snprintf(crash_file, sizeof(crash_file), "%s.crash", program_invocation_short_name);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

/* ---- Mutation ---- */

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* limit is not 0. */
static size_t below(uint64_t *random, size_t limit)
{
	return (size_t)(next_random(random) % limit);
}

/* A number that borders on something: powers of two, their neighbours, the ends of the address space. */
static uint64_t edge_number(uint64_t *random)
{
	uint64_t value = UINT64_C(1) << below(random, 64);
	switch (below(random, 6)) {
	case 0:
		return value - 1;
	case 1:
		return value;
	case 2:
		return value + 1;
	case 3:
		return -value;
	case 4:
		return below(random, 16);
	default:
		return -(uint64_t)below(random, 16);
	}
}

static void store_number(struct input *input, uint64_t *random, uint64_t value)
{
	size_t width = (size_t)1 << below(random, 4);
	if (input->size >= width)
		memcpy(input->bytes + below(random, input->size - width + 1), &value, width);
}

/* Add a little to a number that is there. */
static void nudge(struct input *input, uint64_t *random)
{
	size_t width = (size_t)1 << below(random, 4);
	uint64_t value = 0;
	if (input->size < width)
		return;
	uint8_t *at = input->bytes + below(random, input->size - width + 1);
	memcpy(&value, at, width);
	value += below(random, 65) - 32;
	memcpy(at, &value, width);
}

static void copy_within(struct input *input, uint64_t *random)
{
	size_t from = below(random, input->size), to = below(random, input->size);
	size_t limit = input->size - (from > to ? from : to);
	memmove(input->bytes + to, input->bytes + from, below(random, limit < 64 ? limit : 64) + 1);
}

static void erase(struct input *input, uint64_t *random)
{
	size_t at = below(random, input->size), rest = input->size - at;
	size_t size = below(random, rest < 64 ? rest : 64) + 1;
	memmove(input->bytes + at, input->bytes + at + size, rest - size);
	input->size -= size;
}

static void insert(struct input *input, uint64_t *random)
{
	size_t at = below(random, input->size + 1), size = below(random, 32) + 1;
	if (size > MAX_INPUT - input->size)
		return;
	memmove(input->bytes + at + size, input->bytes + at, input->size - at);
	memset(input->bytes + at, (int)next_random(random), size);
	input->size += size;
}

static void mutate_once(struct input *input, uint64_t *random)
{
	size_t kind = below(random, 16);
	if (input->size == 0 || kind == 0)
		insert(input, random);
	else if (kind < 6)
		store_number(input, random, edge_number(random));
	else if (kind < 8)
		store_number(input, random, next_random(random));
	else if (kind < 11)
		nudge(input, random);
	else if (kind < 13)
		input->bytes[below(random, input->size)] ^= (uint8_t)(1u << below(random, 8));
	else if (kind == 13)
		copy_within(input, random);
	else if (kind == 14)
		erase(input, random);
	else if (below(random, 4) == 0)
		input->size = below(random, input->size + 1);
}

/* ---- Running ---- */

struct options {
	uint64_t runs, seconds, seed;
};

static unsigned load_seeds(struct input *seeds)
{
	unsigned count = 0;
	while (count < MAX_SEEDS &&
	       (seeds[count].size = nub_fuzz_seed(count, seeds[count].bytes, sizeof(seeds[count].bytes))) != 0)
		count++;
	return count;
}

/* The library gets an exact copy, so that AddressSanitizer sees a read past its end. */
static void try_current(void)
{
	uint8_t *copy = malloc(current.size + (current.size == 0));
	if (!copy)
		exit(1);
	memcpy(copy, current.bytes, current.size);
	LLVMFuzzerTestOneInput(copy, current.size);
	free(copy);
}

static int fuzz(const struct options *options)
{
	struct input *seeds = calloc(MAX_SEEDS, sizeof(*seeds));
	unsigned count = seeds ? load_seeds(seeds) : 0;
	if (count == 0) {
		fprintf(stderr, "%s: no seeds\n", program_invocation_short_name);
		free(seeds);
		return 1;
	}
	uint64_t random = options->seed, run = 0;
	time_t start = time(NULL);
	for (;; run++) {
		if (run % 256 == 0) {
			alarm(HANG_SECONDS);
			if (options->seconds != 0 && (uint64_t)(time(NULL) - start) >= options->seconds)
				break;
		}
		if (options->seconds == 0 && run >= options->runs)
			break;
		const struct input *seed = &seeds[run % count];
		memcpy(current.bytes, seed->bytes, seed->size);
		current.size = seed->size;
		if (run >= count) /* the seeds as they are come first */
			for (size_t i = below(&random, 4) + 1; i > 0; i--)
				mutate_once(&current, &random);
		try_current();
	}
	alarm(0);
	printf("%s: %llu inputs from %u seeds, seed %llu, nothing found\n", program_invocation_short_name,
	       (unsigned long long)run, count, (unsigned long long)options->seed);
	free(seeds);
	return 0;
}

static int replay(char *const files[], int count)
{
	for (int i = 0; i < count; i++) {
		FILE *file = fopen(files[i], "rb");
		if (!file) {
			fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, files[i], strerror(errno));
			return 1;
		}
		current.size = fread(current.bytes, 1, sizeof(current.bytes), file);
		fclose(file);
		alarm(HANG_SECONDS);
		try_current();
	}
	printf("%s: %d files, nothing found\n", program_invocation_short_name, count);
	return 0;
}

static int write_seeds(const char *folder)
{
	char path[4096];

	for (unsigned i = 0; (current.size = nub_fuzz_seed(i, current.bytes, sizeof(current.bytes))) != 0; i++) {
		snprintf(path, sizeof(path), "%s/seed-%02u", folder, i);
		FILE *file = fopen(path, "wb");
		const bool written = file && fwrite(current.bytes, 1, current.size, file) == current.size;
		if (!file || fclose(file) < 0 || !written) {
			fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, path, strerror(errno));
			return 1;
		}
	}
	return 0;
}

static bool parse_number(const char *text, uint64_t *number)
{
	char *end;
	errno = 0;
	*number = strtoull(text, &end, 0);
	return errno == 0 && end != text && *end == '\0';
}

int main(int argc, char *argv[])
{
	struct options options = { .runs = DEFAULT_RUNS, .seed = 1 };
	int i = 1;

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_seeds(argv[2]);
	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		uint64_t *number = strcmp(argv[i], "--runs") == 0      ? &options.runs
		                   : strcmp(argv[i], "--seconds") == 0 ? &options.seconds
		                   : strcmp(argv[i], "--seed") == 0    ? &options.seed
		                                                       : NULL;
		if (!number || i + 1 == argc || !parse_number(argv[i + 1], number)) {
			fprintf(stderr,
			        "usage: %s [--runs N | --seconds N] [--seed S] [FILE...]\n       %s --write FOLDER\n",
			        program_invocation_short_name, program_invocation_short_name);
			return 2;
		}
	}
	catch_signals();
	return i < argc ? replay(argv + i, argc - i) : fuzz(&options);
}
