/* Damage guests and snapshots where they have structure, run the real command on each, and look at what it leaves behind.
 *
 *     mutants NUBRUN FOLDER FIRST COUNT FILE... [--linux FILE...]
 *
 * Mutant N is the same in every run with the same files; it is made in FOLDER, which is empty. Found is: an end by a signal or a
 * sanitizer, one that takes over ten seconds, a status that is none, a file or process that is left. What did it is kept as
 * FOLDER.N. Exits with 1 when something was found.
 */
#include <dirent.h>
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

#include "mutate.h"

enum { MAX_FILES = 64, MAX_ARGS = 12, PATIENCE_MS = 10000 };

static void die(const char *what)
{
	fprintf(stderr, "mutants: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void write_mutant(const struct file *original, const char *name, uint64_t number)
{
	struct file file = *original;
	uint64_t random = number;

	file.bytes = malloc(original->size);
	if (!file.bytes)
		die("memory");
	memcpy(file.bytes, original->bytes, file.size);
	mutate(&file, &random);
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
/* Dynamic ones find their interpreter; `once` is when they print, which most do. */
static const char *const program_commands[][MAX_ARGS] = {
	{ "run", TIMEOUT, "--rootfs", "/", "mutant", "echo", "once" },
	{ "run", TIMEOUT, "--memory", "16M", "--slice", "1ms", "mutant" },
	{ "run", TIMEOUT, "--abi", "linux", "--strict", "--strace", "/dev/null", "mutant" },
	{ "snapshot", TIMEOUT, "-o", "out", "--until-output", ".", "mutant", "echo", "once" },
	{ "snapshot", TIMEOUT, "-o", "out", "--until-syscall", "write", "mutant" },
	{ "inspect", "--json", "mutant" },
};
static const char *const frozen_commands[][MAX_ARGS] = {
	{ "restore", TIMEOUT, "mutant" },
	{ "restore", TIMEOUT, "--rootfs", "/", "--memory", "16M", "mutant" },
	{ "snapshot", TIMEOUT, "-o", "out", "--after", "5ms", "mutant" },
	{ "snapshot", TIMEOUT, "-o", "out", "--until-output", ".", "mutant" },
	{ "inspect", "--verify", "mutant" },
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The one that mutant N of this file is tried with. */
static const char *const *choose(const struct file *file, uint64_t number)
{
	uint64_t random = ~number;

	if (file->is_linux)
		return file->is_elf ? program_commands[below(&random, COUNT(program_commands))]
		                    : frozen_commands[below(&random, COUNT(frozen_commands))];
	return file->is_elf ? guest_commands[below(&random, COUNT(guest_commands))]
	                    : snapshot_commands[below(&random, COUNT(snapshot_commands))];
}

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

static void load(struct file *file, const char *name, bool is_linux)
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
	file->is_linux = is_linux;
	file->is_elf = file->size >= SELFMAG && memcmp(file->bytes, ELFMAG, SELFMAG) == 0;
	file->is_snapshot = file->size >= 8 && memcmp(file->bytes, NUB_SNAPSHOT_MAGIC, 8) == 0;
}

/* Returns how many there are; those behind --linux are programs for Linux. */
static unsigned load_all(struct file *files, char *names[])
{
	bool is_linux = false;
	unsigned count = 0;

	for (; *names; names++)
		if (strcmp(*names, "--linux") == 0)
			is_linux = true;
		else if (count < MAX_FILES)
			load(&files[count++], *names, is_linux);
	return count;
}

int main(int argc, char *argv[])
{
	struct file files[MAX_FILES];
	char kept[4096];
	uint64_t found = 0;
	const unsigned file_count = argc > 5 ? load_all(files, argv + 5) : 0;

	if (file_count == 0 || argv[1][0] != '/' || argv[2][0] != '/') {
		fputs("usage: mutants /NUBRUN /FOLDER FIRST COUNT FILE... [--linux FILE...]\n", stderr);
		return 2;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || chdir(argv[2]) < 0)
		die(argv[2]);
	const uint64_t first = strtoull(argv[3], NULL, 10), count = strtoull(argv[4], NULL, 10);
	for (uint64_t n = first; n < first + count; n++) {
		const struct file *file = &files[n % file_count];
		const char *const *args = choose(file, n);
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
	printf("%" PRIu64 " mutants of %u files, %" PRIu64 " found something\n", count, file_count, found);
	for (unsigned i = 0; i < file_count; i++)
		free(files[i].bytes);
	return found > 0;
}
