/* Damage guests and snapshots where they have structure, run the real command on each, and look at what it leaves behind.
 *
 *     mutants NUBRUN FOLDER FIRST COUNT FILE...
 *
 * Mutant N is the same in every run with the same files; it is made in FOLDER, which is empty. Found is: an end by a signal or a
 * sanitizer, one that takes over ten seconds, a status that is none, a file or process that is left. What did it is kept as
 * FOLDER.N. Exits with 1 when something was found.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nub/snapshot.h"
#include "snapshot/format/snapfile.h"

enum { MAX_FILES = 64, MAX_ARGS = 12, PATIENCE_MS = 10000 };

struct file {
	uint8_t *bytes;
	size_t size;
	bool is_snapshot;
};

static void die(const char *what)
{
	fprintf(stderr, "mutants: %s: %s\n", what, strerror(errno));
	exit(2);
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
static uint64_t below(uint64_t *random, uint64_t limit)
{
	return next_random(random) % limit;
}

/* Another value for a number of so many bytes. */
static void change(uint8_t *at, size_t width, uint64_t *random)
{
	uint64_t value = 0;

	memcpy(&value, at, width);
	switch (below(random, 6)) {
	case 0:
		value = (UINT64_C(1) << below(random, 64)) + below(random, 3) - 1;
		break;
	case 1:
		value = -below(random, 0x2001);
		break;
	case 2:
		value = below(random, 64);
		break;
	case 3:
		value += below(random, 33) - 16;
		break;
	case 4:
		value += (below(random, 5) - 2) * NUB_PAGE_SIZE;
		break;
	default:
		value ^= UINT64_C(1) << below(random, 8 * width);
		break;
	}
	memcpy(at, &value, width);
}

/* One number of [start, start + size), on a boundary of its size. */
static void change_in(struct file *file, uint64_t start, uint64_t size, uint64_t *random)
{
	const size_t width = (size_t)1 << below(random, 4);

	if (start < file->size && size <= file->size - start && size >= width)
		change(file->bytes + start + below(random, size / width) * width, width, random);
}

/* The header, an entry of one of its tables, or what a section or a segment has in the file. */
static void mutate_elf(struct file *file, uint64_t *random)
{
	Elf64_Ehdr header;
	Elf64_Shdr section;

	if (file->size < sizeof(header))
		return;
	memcpy(&header, file->bytes, sizeof(header));
	const uint64_t kind = below(random, 8);
	if (kind == 0) {
		change_in(file, EI_NIDENT, sizeof(header) - EI_NIDENT, random);
	} else if (kind < 4) {
		change_in(file, header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr), random);
	} else if (kind == 4) {
		change_in(file, header.e_shoff, (uint64_t)header.e_shnum * sizeof(section), random);
	} else if (header.e_shnum > 0) {
		const uint64_t at = header.e_shoff + below(random, header.e_shnum) * sizeof(section);
		if (at < file->size && sizeof(section) <= file->size - at) {
			memcpy(&section, file->bytes + at, sizeof(section));
			change_in(file, section.sh_offset, section.sh_size, random);
		}
	}
}

/* The hash of the metadata covers its regions: without this, a change there would be all that is seen. */
static void mend_hash(struct file *file, const struct nub_snapshot_header *header)
{
	uint8_t *metadata = file->bytes + header->metadata_offset, sealed[NUB_SNAPSHOT_HEADER_SIZE];
	struct nub_snapshot_header resealed;
	struct nub_snapshot_meta meta;
	struct nub_error err = { 0 };

	nub_snapshot_encode_header(metadata, header->metadata_size, header->metadata_offset, header->file_size, sealed);
	if (nub_snapshot_decode_header(sealed, sizeof(sealed), &resealed, NULL) == 0 &&
	    nub_snapshot_decode_meta(&resealed, metadata, header->metadata_size, &meta, &err) < 0 &&
	    strncmp(err.message, "hash begins", 11) == 0) {
		const struct nub_hash hash = nub_snapshot_hash(&meta);
		memcpy(metadata + 16 + 8, hash.bytes, sizeof(hash.bytes));
	}
	nub_snapshot_meta_release(&meta);
}

/* Its metadata, its memory, in which the page tables come last, or what the header says; sealed again but for the latter. */
static void mutate_snapshot(struct file *file, uint64_t *random)
{
	struct nub_snapshot_header header;
	const uint64_t kind = below(random, 16);

	if (nub_snapshot_decode_header(file->bytes, file->size, &header, NULL) < 0)
		return;
	const uint64_t end = header.metadata_offset;
	const uint64_t tables =
	    end - NUB_BASE_ADDRESS < 10 * NUB_PAGE_SIZE ? NUB_BASE_ADDRESS : end - 10 * NUB_PAGE_SIZE;
	if (kind == 0) {
		change_in(file, 0, NUB_SNAPSHOT_HEADER_SIZE, random);
		return;
	}
	if (kind < 4)
		change_in(file, NUB_BASE_ADDRESS, end - NUB_BASE_ADDRESS, random);
	else if (kind < 8)
		change_in(file, tables, end - tables, random);
	else
		change_in(file, end, header.metadata_size & ~UINT64_C(7), random);
	if (end + header.metadata_size > file->size)
		return;
	mend_hash(file, &header);
	nub_snapshot_encode_header(file->bytes + end, header.metadata_size, end, header.file_size, file->bytes);
}

static void write_mutant(const struct file *original, const char *name, uint64_t number)
{
	struct file file = { .bytes = malloc(original->size), .size = original->size };
	uint64_t random = number;

	if (!file.bytes)
		die("memory");
	memcpy(file.bytes, original->bytes, file.size);
	for (uint64_t i = below(&random, 3) + 1; i > 0; i--)
		original->is_snapshot ? mutate_snapshot(&file, &random) : mutate_elf(&file, &random);
	if (below(&random, 16) == 0)
		file.size = below(&random, file.size) + 1;
	FILE *out = fopen(name, "wb");
	if (!out || fwrite(file.bytes, 1, file.size, out) != file.size || fclose(out) < 0)
		die(name);
	free(file.bytes);
}

/* ---- The command ---- */

#define TIMEOUT "--timeout", "300ms", "--status", "status"
static const char *const guest_commands[][MAX_ARGS] = {
	{ "run", TIMEOUT, "mutant" },
	{ "run", TIMEOUT, "--cow", "guest", "--core", "core", "mutant" },
	{ "snapshot", TIMEOUT, "-o", "out", "mutant" },
	{ "inspect", "--json", "mutant" },
};
static const char *const snapshot_commands[][MAX_ARGS] = {
	{ "restore", TIMEOUT, "mutant" },
	{ "restore", TIMEOUT, "--core", "core", "mutant" },
	{ "snapshot", TIMEOUT, "-o", "out", "mutant" },
	{ "inspect", "--verify", "mutant" },
	{ "dump", "--core", "core", "mutant" },
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static pid_t start(const char *command, const char *const *args)
{
	const char *argv[MAX_ARGS + 1] = { command };
	const pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (unsigned i = 0; i < MAX_ARGS && args[i]; i++)
		argv[i + 1] = args[i];
	const int nothing = open("/dev/null", O_RDWR), out = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (nothing < 0 || out < 0 || dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0 || dup2(out, 2) < 0)
		_exit(98);
	execv(command, (char **)(uintptr_t)argv);
	_exit(98);
}

/* The status of that process, or of any (-1) that is left; false when none ended in time. */
static bool wait_for(pid_t pid, int *status, unsigned ms)
{
	for (unsigned waited = 0;; waited++) {
		const pid_t ended = waitpid(pid, status, WNOHANG | __WALL);
		if (ended != 0)
			return true;
		if (waited >= ms)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static bool holds(const char *name, const char *text)
{
	char bytes[65536];
	FILE *file = fopen(name, "rb");
	const size_t size = file ? fread(bytes, 1, sizeof(bytes), file) : 0;

	if (file)
		fclose(file);
	return memmem(bytes, size, text, strlen(text));
}

/* Say what is in the folder beside what is meant to be; false when nothing is. */
static bool left_behind(const char *const *meant, char *text, size_t size)
{
	DIR *folder = opendir(".");
	bool known = true;

	if (!folder)
		die("folder");
	for (const struct dirent *entry; known && (entry = readdir(folder));) {
		known = strspn(entry->d_name, ".") == strlen(entry->d_name);
		for (unsigned i = 0; !known && meant[i]; i++)
			known = strcmp(entry->d_name, meant[i]) == 0;
		if (!known)
			snprintf(text, size, "left the file '%s'", entry->d_name);
	}
	closedir(folder);
	return !known;
}

/* What is wrong after the command ended so; NULL when all is as it should be. */
static const char *look(const char *const *args, int status)
{
	static const char *const meant[] = { "mutant", "status", "stderr", "core", "out", NULL };
	const bool saves = strcmp(args[0], "snapshot") == 0;
	static char text[512];

	if (WIFSIGNALED(status))
		return "was ended by a signal";
	if (WEXITSTATUS(status) == 98 || holds("stderr", "Sanitizer") || holds("stderr", "runtime error:"))
		return "was ended by a sanitizer, or could not be run";
	if (strcmp(args[1], "--timeout") == 0 && !(holds("status", "{\"schema\":") && holds("status", "}\n")))
		return "left no status";
	if (saves && (access("out", F_OK) == 0) != (WEXITSTATUS(status) == 0))
		return WEXITSTATUS(status) == 0 ? "left no snapshot" : "failed, and left a snapshot";
	return left_behind(meant, text, sizeof(text)) ? text : NULL;
}

static const char *try_command(const char *command, const char *const *args)
{
	static const char *const made[] = { "status", "stderr", "core", "out" };
	int status, other;
	const pid_t pid = start(command, args);

	if (pid < 0)
		die("fork");
	if (!wait_for(pid, &status, PATIENCE_MS)) {
		kill(pid, SIGKILL);
		wait_for(pid, &status, PATIENCE_MS);
		return "did not end";
	}
	const char *wrong = look(args, status);
	for (unsigned i = 0; i < COUNT(made); i++)
		unlink(made[i]);
	/* Its processes end after it, at once. */
	while (!wrong && (errno = 0, wait_for(-1, &other, 1000)) && errno != ECHILD)
		;
	if (!wrong && errno != ECHILD)
		return "left a process";
	return wrong;
}

static void load(struct file *file, const char *name)
{
	struct stat status;
	FILE *in = fopen(name, "rb");

	if (!in || fstat(fileno(in), &status) < 0)
		die(name);
	file->size = (size_t)status.st_size;
	file->bytes = malloc(file->size + 1);
	if (!file->bytes || fread(file->bytes, 1, file->size, in) != file->size)
		die(name);
	fclose(in);
	file->is_snapshot = file->size >= 8 && memcmp(file->bytes, NUB_SNAPSHOT_MAGIC, 8) == 0;
}

int main(int argc, char *argv[])
{
	struct file files[MAX_FILES];
	char kept[4096];
	uint64_t found = 0;

	if (argc < 6 || argc - 5 > MAX_FILES || argv[1][0] != '/' || argv[2][0] != '/') {
		fputs("usage: mutants /NUBRUN /FOLDER FIRST COUNT FILE...\n", stderr);
		return 2;
	}
	for (int i = 5; i < argc; i++)
		load(&files[i - 5], argv[i]);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || chdir(argv[2]) < 0)
		die(argv[2]);
	const uint64_t first = strtoull(argv[3], NULL, 10), count = strtoull(argv[4], NULL, 10);
	for (uint64_t n = first; n < first + count; n++) {
		const struct file *file = &files[n % (uint64_t)(argc - 5)];
		uint64_t random = ~n;
		const char *const *args = file->is_snapshot
		                              ? snapshot_commands[below(&random, COUNT(snapshot_commands))]
		                              : guest_commands[below(&random, COUNT(guest_commands))];
		write_mutant(file, "mutant", n);
		const char *wrong = try_command(argv[1], args);
		if (!wrong)
			continue;
		found++;
		snprintf(kept, sizeof(kept), "%s.%" PRIu64, argv[2], n);
		printf("mutant %" PRIu64 ": nubrun %s %s; kept as %s\n", n, args[0], wrong, kept);
		if (rename("mutant", kept) < 0)
			die(kept);
	}
	unlink("mutant");
	printf("%" PRIu64 " mutants of %d files, %" PRIu64 " found something\n", count, argc - 5, found);
	for (int i = 5; i < argc; i++)
		free(files[i - 5].bytes);
	return found > 0;
}
