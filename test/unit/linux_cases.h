/* Lists of system calls that are made twice: natively, by a child of the test in a folder of its own, and by a program of the
 * personality's, in a granted folder and in a tmpfs. What each gives, and leaves in memory, must be the same.
 *
 * Descriptors are plain numbers, since both have 0 to 2 at first and get the lowest free one. Names are relative to the folder.
 */
#ifndef LINUX_CASES_H
#define LINUX_CASES_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_program.h"

enum { SLOT = 8192, SLOTS = 6, CASES_ARENA = SLOT * SLOTS };

enum cases_kind {
	CASES_END,
	CASES_VALUE,
	CASES_TEXT,    /* a string */
	CASES_BYTES,   /* `size` bytes to be read */
	CASES_ROOM,    /* `size` bytes to be written: compared as they are */
	CASES_STAT,    /* struct stat: compared but for inodes, devices, times; a folder's size and links */
	CASES_ENTRIES, /* getdents64: names and types compared, sorted */
	CASES_IGNORED, /* room that is not compared */
	CASES_NOWHERE, /* an address where nothing is */
};

struct cases_arg {
	enum cases_kind kind;
	uint64_t value;
	const void *bytes;
};

#define V(n)                                                                                                           \
	{                                                                                                              \
		CASES_VALUE, (uint64_t)(n), NULL                                                                       \
	}
#define S(text)                                                                                                        \
	{                                                                                                              \
		CASES_TEXT, sizeof(text), text                                                                         \
	}
#define IN(text)                                                                                                       \
	{                                                                                                              \
		CASES_BYTES, sizeof(text) - 1, text                                                                    \
	}
#define DATA_OF(object)                                                                                                \
	{                                                                                                              \
		CASES_BYTES, sizeof(object), &(object)                                                                 \
	}
#define OUT(n)                                                                                                         \
	{                                                                                                              \
		CASES_ROOM, n, NULL                                                                                    \
	}
#define STAT                                                                                                           \
	{                                                                                                              \
		CASES_STAT, sizeof(struct stat), NULL                                                                  \
	}
#define ENTRIES                                                                                                        \
	{                                                                                                              \
		CASES_ENTRIES, 4096, NULL                                                                              \
	}
#define IGNORED                                                                                                        \
	{                                                                                                              \
		CASES_IGNORED, 4096, NULL                                                                              \
	}
#define NOWHERE                                                                                                        \
	{                                                                                                              \
		CASES_NOWHERE, 0, NULL                                                                                 \
	}
#define CWD V(AT_FDCWD)

struct cases_step {
	unsigned number;
	struct cases_arg args[6];
};

struct cases_result {
	int64_t result;
	uint8_t memory[CASES_ARENA];
};

static inline void cases_fill(const struct cases_step *step, uint8_t *memory)
{
	memset(memory, 0, CASES_ARENA);
	for (int i = 0; i < SLOTS; i++) {
		if (step->args[i].bytes)
			memcpy(memory + i * SLOT, step->args[i].bytes, step->args[i].value);
	}
}

static inline void cases_args(const struct cases_step *step, uint64_t base, uint64_t args[6])
{
	for (int i = 0; i < SLOTS; i++) {
		const struct cases_arg *arg = &step->args[i];

		args[i] = arg->kind == CASES_VALUE     ? arg->value
		          : arg->kind == CASES_END     ? 0
		          : arg->kind == CASES_NOWHERE ? 4096
		                                       : base + (uint64_t)i * SLOT;
	}
}

static inline void cases_clean_stat(uint8_t *memory)
{
	struct stat *stat = (struct stat *)(void *)memory;

	stat->st_dev = 0;
	stat->st_ino = 0;
	stat->st_blksize = 0;
	stat->st_blocks = 0;
	stat->st_atim = stat->st_mtim = stat->st_ctim = (struct timespec){ 0 };
	if (S_ISDIR(stat->st_mode))
		stat->st_size = stat->st_nlink = 0;
}

static inline int cases_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Entries as sorted lines of name and type. */
static inline void cases_clean_entries(uint8_t *memory, int64_t size)
{
	static char lines[64][64];
	size_t count = 0;

	memset(lines, 0, sizeof(lines));
	for (int64_t at = 0; at < size && count < 64;) {
		const struct dirent64 *entry = (const void *)(memory + at);

		snprintf(lines[count++], 64, "%.50s %d", entry->d_name, entry->d_type);
		at += entry->d_reclen;
	}
	qsort(lines, count, 64, cases_order);
	memset(memory, 0, SLOT);
	memcpy(memory, lines, count * 64);
}

/* Make comparable what a step left. */
static inline void cases_clean(const struct cases_step *step, struct cases_result *result)
{
	for (int i = 0; i < SLOTS; i++) {
		uint8_t *memory = result->memory + i * SLOT;

		if (step->args[i].kind == CASES_STAT && result->result == 0)
			cases_clean_stat(memory);
		if (step->args[i].kind == CASES_ENTRIES && result->result > 0) {
			cases_clean_entries(memory, result->result);
			result->result = 1;
		}
		if (step->args[i].kind == CASES_IGNORED)
			memset(memory, 0, SLOT);
	}
}

static inline void cases_native(const struct cases_step *steps, size_t count, const char *folder,
                                struct cases_result *results)
{
	uint8_t *arena = mmap(NULL, CASES_ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	syscall(SYS_close_range, 3u, ~0u, 0u);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (chdir(folder) < 0)
		_exit(1);
	for (size_t i = 0; i < count; i++) {
		uint64_t args[6];

		cases_fill(&steps[i], arena);
		cases_args(&steps[i], (uint64_t)(uintptr_t)arena, args);
		const long got = syscall((long)steps[i].number, args[0], args[1], args[2], args[3], args[4], args[5]);

		results[i].result = got < 0 ? -errno : got;
		memcpy(results[i].memory, arena, CASES_ARENA);
		cases_clean(&steps[i], &results[i]);
	}
}

static inline void cases_guest_step(struct alone *alone, const struct cases_step *step, struct cases_result *result)
{
	uint64_t args[6];

	cases_fill(step, result->memory);
	put(alone, DATA, result->memory, CASES_ARENA);
	cases_args(step, DATA, args);
	result->result = call(alone, step->number, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (result->result != NUB_LINUX_WAIT) {
		assert_int_equal(next(alone), NUB_LINUX_RUN);
		result->result = (int64_t)alone->linux->current->vcpu.regs.rax;
	}
	get(alone, DATA, result->memory, CASES_ARENA);
	cases_clean(step, result);
}

static inline int cases_remove(const char *path, const struct stat *stat, int type, struct FTW *place)
{
	(void)stat;
	(void)type;
	(void)place;
	return remove(path);
}

static inline int cases_differ(const struct cases_step *steps, size_t count, const struct cases_result *native,
                               const struct nub_linux_grant *grant, const char *where)
{
	struct nub_linux_config config = fake_config();
	struct cases_result *result = malloc(sizeof(*result));
	struct alone alone;
	int differ = 0;

	config.grants = grant;
	config.grant_count = 1;
	program_init(&alone, &config);
	static const struct cases_step mask = { SYS_umask, { V(022) } };

	cases_guest_step(&alone, &mask, result);
	const struct cases_step enter = { SYS_chdir, { { CASES_TEXT, strlen(grant->guest) + 1, grant->guest } } };

	cases_guest_step(&alone, &enter, result);
	assert_int_equal(result->result, 0);
	nub_linux_signal_set_mask(alone.linux->current, nub_linux_signal_bit(SIGPIPE));
	for (size_t i = 0; i < count; i++) {
		cases_guest_step(&alone, &steps[i], result);
		const char *name = nub_linux_call_name(steps[i].number);
		size_t at = 0;

		while (at < CASES_ARENA && result->memory[at] == native[i].memory[at])
			at++;
		if (result->result != native[i].result)
			print_error("%s, step %zu (%s) gives %lld, the host %lld\n", where, i, name,
			            (long long)result->result, (long long)native[i].result);
		else if (at < CASES_ARENA)
			print_error("%s, step %zu (%s) left %d at %zu of argument %zu, the host %d\n", where, i, name,
			            result->memory[at], at % SLOT, at / SLOT, native[i].memory[at]);
		differ += result->result != native[i].result || at < CASES_ARENA;
	}
	alone_release(&alone);
	free(result);
	return differ;
}

static inline void cases_compare(const struct cases_step *steps, size_t count)
{
	char native_folder[] = "/tmp/nub-cases-XXXXXX", guest_folder[] = "/tmp/nub-cases-XXXXXX";
	struct cases_result *native =
	    mmap(NULL, count * sizeof(*native), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	assert_non_null(mkdtemp(native_folder));
	assert_non_null(mkdtemp(guest_folder));
	const pid_t child = fork();

	if (child == 0) {
		cases_native(steps, count, native_folder, native);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	const struct nub_linux_grant host = {
		.kind = NUB_LINUX_GRANT_DIR, .host = guest_folder, .guest = "/granted", .writable = true
	};
	const struct nub_linux_grant memory = { .kind = NUB_LINUX_GRANT_TMPFS, .guest = "/memory", .size = 1 << 20 };
	int differ = cases_differ(steps, count, native, &host, "in a granted folder");

	differ += cases_differ(steps, count, native, &memory, "in a tmpfs");
	nftw(native_folder, cases_remove, 16, FTW_DEPTH | FTW_PHYS);
	nftw(guest_folder, cases_remove, 16, FTW_DEPTH | FTW_PHYS);
	munmap(native, count * sizeof(*native));
	assert_int_equal(differ, 0);
}

#define CASES_COMPARE(steps) cases_compare(steps, sizeof(steps) / sizeof(*(steps)))

#endif
