/* What an embedder of libnub sees, in one process: the median of COUNT times, in ns.
 *
 *     library empty COUNT          a call of an exported function that does nothing
 *     library exchange COUNT       a call that takes 24 KiB and gives 8 KiB
 *     library bound COUNT          an empty call, the two copies by memcpy, and 3 us: what an exchange may cost
 *     library host COUNT           a call that calls a host function once
 *     library create COUNT         make a sandbox and free it; nothing of it runs
 *     library snapshot COUNT       a snapshot in memory of a guest that has written 8 MiB
 *     library copy COUNT           8 MiB written to a file in memory
 *     library fault COUNT SNAPSHOT PAGES   what a page costs that a restored guest writes for the first time
 *
 * NUBRUN_ENGINE=process takes that engine. It is run where guests/ is.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nub.h"

enum { TAKEN = 24 << 10, GIVEN = 8 << 10, SLACK_NS = 3000, WRITTEN = 8 << 20, COUNT_MAX = 100000 };

static uint64_t times[COUNT_MAX];
static uint8_t bytes[TAKEN], copy[TAKEN];

_Noreturn static void die(const char *what, const struct nub_error *err)
{
	fprintf(stderr, "library: %s: %s\n", what, err ? err->message : "failed");
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t median(size_t count)
{
	qsort(times, count, sizeof(times[0]), compare);
	return times[count / 2];
}

static uint8_t *image_file; /* owned: the image that is loaded borrows it */

static struct nub_image *load(const char *path)
{
	struct nub_error err = { 0 };
	struct stat status;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0)
		die(path, NULL);
	const size_t size = (size_t)status.st_size;
	image_file = malloc(size);
	if (!image_file || read(fd, image_file, size) != (ssize_t)size)
		die(path, NULL);
	close(fd);
	struct nub_image *image = nub_image_parse(image_file, size, path, &err);
	if (!image)
		die(path, &err);
	return image;
}

static void unload(struct nub_image *image)
{
	nub_image_free(image);
	free(image_file);
	image_file = NULL;
}

static int add(void *context, const char *name, const struct nub_value *args, unsigned arg_count,
               enum nub_type result_type, struct nub_value *result, struct nub_error *err)
{
	(void)context;
	(void)name;
	(void)arg_count;
	(void)result_type;
	(void)err;
	*result = (struct nub_value){ .type = NUB_TYPE_I64, .i64 = args[0].i64 + args[1].i64 };
	return 0;
}

static struct nub_config configure(void)
{
	const char *engine = getenv("NUBRUN_ENGINE");
	struct nub_config config = nub_config_default();

	if (engine && strcmp(engine, "process") == 0)
		config.engine = NUB_ENGINE_PROCESS;
	config.share_cpu = true; /* as the command has it */
	config.ops.call = add;
	return config;
}

static struct nub_sandbox *create(const struct nub_config *config, const struct nub_image *image)
{
	struct nub_error err = { 0 };
	struct nub_sandbox *sandbox = nub_sandbox_create(config, image, &err);

	if (!sandbox)
		die("create", &err);
	return sandbox;
}

/* How long it takes. */
static uint64_t call(struct nub_sandbox *sandbox, const char *name, const struct nub_value *args, unsigned arg_count)
{
	struct nub_error err = { 0 };
	struct nub_outcome outcome;
	const uint64_t start = now_ns();

	if (nub_sandbox_call(sandbox, name, args, arg_count, &outcome, &err) < 0)
		die(name, &err);
	const uint64_t took = now_ns() - start;
	if (outcome.kind != NUB_OUTCOME_RETURNED)
		die(name, NULL);
	return took;
}

static uint64_t time_calls(const char *file, const char *name, const struct nub_value *args, unsigned arg_count,
                           size_t count)
{
	const struct nub_config config = configure();
	struct nub_image *image = load(file);
	struct nub_sandbox *sandbox = create(&config, image);

	call(sandbox, name, args, arg_count);
	for (size_t i = 0; i < count; i++)
		times[i] = call(sandbox, name, args, arg_count);
	nub_sandbox_free(sandbox);
	unload(image);
	return median(count);
}

static uint64_t time_copies(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const uint64_t start = now_ns();
		memcpy(copy, bytes, TAKEN);
		__asm__ volatile("" : : : "memory");
		memcpy(bytes, copy, GIVEN);
		__asm__ volatile("" : : : "memory");
		times[i] = now_ns() - start;
	}
	return median(count);
}

static uint64_t time_create(size_t count)
{
	const struct nub_config config = configure();
	struct nub_image *image = load("guests/empty.elf");

	for (size_t i = 0; i < count; i++) {
		const uint64_t start = now_ns();
		nub_sandbox_free(create(&config, image));
		times[i] = now_ns() - start;
	}
	unload(image);
	return median(count);
}

static int open_memory(void)
{
	const int fd = memfd_create("snapshot", MFD_CLOEXEC);

	if (fd < 0)
		die("memfd_create", NULL);
	return fd;
}

static uint64_t time_snapshot(size_t count)
{
	const struct nub_value arg = { .type = NUB_TYPE_U64, .u64 = WRITTEN };
	const struct nub_snapshot_options options = { 0 };
	struct nub_config config = configure();
	struct nub_image *image = load("guests/empty.elf");
	struct nub_error err = { 0 };

	config.heap_size = 2 * WRITTEN;
	struct nub_sandbox *sandbox = create(&config, image);
	call(sandbox, "warm", &arg, 1);
	for (size_t i = 0; i < count; i++) {
		const uint64_t start = now_ns();
		const int fd = open_memory();
		if (nub_snapshot_write(sandbox, &options, fd, &err) < 0)
			die("snapshot", &err);
		times[i] = now_ns() - start;
		close(fd);
	}
	nub_sandbox_free(sandbox);
	unload(image);
	return median(count);
}

static uint64_t time_copy(size_t count)
{
	uint8_t *original = malloc(WRITTEN);

	if (!original)
		die("malloc", NULL);
	memset(original, 1, WRITTEN);
	for (size_t i = 0; i < count; i++) {
		const uint64_t start = now_ns();
		const int fd = open_memory();
		if (write(fd, original, WRITTEN) != WRITTEN)
			die("write", NULL);
		times[i] = now_ns() - start;
		close(fd);
	}
	free(original);
	return median(count);
}

/* The first call writes to pages that are the snapshot's, the second one to the same. */
static uint64_t time_fault(size_t count, const char *path, uint64_t pages)
{
	const struct nub_value arg = { .type = NUB_TYPE_U64, .u64 = pages };
	const struct nub_config config = configure();
	struct nub_error err = { 0 };
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct nub_snapshot *snapshot = fd < 0 ? NULL : nub_snapshot_open(fd, path, NULL, &err);

	if (!snapshot)
		die(path, &err);
	for (size_t i = 0; i < count; i++) {
		struct nub_sandbox *sandbox = nub_sandbox_restore(&config, snapshot, &err);
		if (!sandbox)
			die(path, &err);
		call(sandbox, "empty", NULL, 0);
		const uint64_t first = call(sandbox, "rewrite", &arg, 1), second = call(sandbox, "rewrite", &arg, 1);
		times[i] = first > second ? (first - second) / pages : 0;
		nub_sandbox_free(sandbox);
	}
	nub_snapshot_free(snapshot);
	close(fd);
	return median(count);
}

static uint64_t measure(const char *what, size_t count)
{
	const struct nub_value taken = { .type = NUB_TYPE_BYTES, .bytes = { bytes, TAKEN } };
	const struct nub_value pair[] = { { .type = NUB_TYPE_I64, .i64 = 2 }, { .type = NUB_TYPE_I64, .i64 = 40 } };

	if (strcmp(what, "empty") == 0)
		return time_calls("guests/empty.elf", "empty", NULL, 0, count);
	if (strcmp(what, "exchange") == 0)
		return time_calls("guests/empty.elf", "third", &taken, 1, count);
	if (strcmp(what, "bound") == 0)
		return time_calls("guests/empty.elf", "empty", NULL, 0, count) + time_copies(count) + SLACK_NS;
	if (strcmp(what, "host") == 0)
		return time_calls("guests/callback.elf", "sum_host", pair, 2, count);
	if (strcmp(what, "create") == 0)
		return time_create(count);
	if (strcmp(what, "snapshot") == 0)
		return time_snapshot(count);
	if (strcmp(what, "copy") == 0)
		return time_copy(count);
	die(what, NULL);
}

int main(int argc, char **argv)
{
	const size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (count < 1 || count > COUNT_MAX) {
		fprintf(stderr,
		        "usage: library empty|exchange|bound|host|create|snapshot|copy|fault COUNT [SNAPSHOT PAGES]\n");
		return 2;
	}
	memset(bytes, 1, sizeof(bytes));
	printf("%" PRIu64 "\n", argc == 5 && strcmp(argv[1], "fault") == 0
	                            ? time_fault(count, argv[3], strtoul(argv[4], NULL, 10))
	                            : measure(argv[1], count));
	return 0;
}
