/* Linux programs: what an ordinary ELF file of x86-64 is given, whose system calls are served. They are guests like others:
 *
 *     struct nub_image *image = nub_image_open_program(fd, "/bin/busybox", &err);
 *     struct nub_config config = nub_config_default();
 *     config.program.argv = argv; config.program.path = "/bin/busybox"; config.ops = ...;
 *     struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, &err);
 *     nub_sandbox_run_main(sandbox, 0, NULL, &outcome, &err);
 *
 * A program reaches nothing of the host but what `grants` name, its standard input, and what `ops` takes of its output. Of struct
 * nub_config, the engine, `program`, allow_wx, the seed, timeout_ns and of `ops` all but host calls, logs and trace records count.
 * A copy of it, restored from a snapshot, gets a new life from the configuration: grants, standard input, limits, ops; and if it asks
 * for them, arguments and variables. What else it was started with is the snapshot's.
 */
#ifndef NUB_NUB_PROGRAM_H
#define NUB_NUB_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nub_sandbox;

/* What a program may touch of the host's files, and what it gets of its own. */
enum nub_linux_grant_kind {
	NUB_LINUX_GRANT_ROOT,  /* host: a directory, the guest's / */
	NUB_LINUX_GRANT_DIR,   /* host: a directory */
	NUB_LINUX_GRANT_FILE,  /* host: a file */
	NUB_LINUX_GRANT_TMPFS, /* in memory, `size` bytes at most */
};

struct nub_linux_grant {
	enum nub_linux_grant_kind kind;
	const char *host;  /* NULL for TMPFS */
	const char *guest; /* absolute path in the guest */
	bool writable;
	uint64_t size;
};

/* In struct nub_config. All that it points to must outlive the sandbox. */
struct nub_program_config {
	const char *const *argv; /* NULL-terminated, as for execve */
	const char *const *envp; /* likewise */
	/* For a program that is restored from a snapshot, the same. NULL: it keeps what it had. argv[0] is its own in any case. It must
	 * have been saved at a checkpoint that asks for them (nub_checkpoint.h). Error: USAGE. */
	const char *const *copy_argv;
	const char *const *copy_envp;
	const char *path; /* of the file, absolute, as the program is told */
	const struct nub_linux_grant *grants;
	size_t grant_count;
	int stdin_fd;      /* borrowed; -1: at its end */
	int output_fds[2]; /* borrowed: where stdout and stderr go, for isatty and fstat alone; 0: as pipes */
	uint64_t
	    memory_size; /* what may be resident; rounded up to 2 MiB; 0: as much as the snapshot says, or a default */
	uint64_t stack_size;
	uint64_t tmpfs_size; /* of /tmp and /dev/shm */
	unsigned max_fds, max_threads;
	/* This process's umask(2), which it can't ask for without changing it for all its threads meanwhile. Without: /proc is read. */
	bool has_umask;
	unsigned umask;
	bool accept_changed; /* thaw it though files that it had open are not what they were */
	bool strict;         /* the first call that is not served is a crash */
	/* Stop as CHECKPOINT before this call is made for the so many-th time (0: never), or after this time (0: never). */
	unsigned stop_call;
	uint64_t stop_call_count, stop_after_ns;
	uint64_t slice_ns; /* of a thread while others could run; 0: the default */
	/* Each call with its result, one line without a newline, and how long serving it took; NULL: none. */
	void (*trace)(void *context, const char *line, uint64_t ns);
	void *trace_context;
};

/* What a snapshot tells of the program in it: for people, nothing depends on it. */
enum nub_program_item_kind {
	NUB_PROGRAM_ARGUMENT,   /* number: its place; text: the argument */
	NUB_PROGRAM_THREAD,     /* number: its tid; text: its name, and the call that it waits in */
	NUB_PROGRAM_DESCRIPTOR, /* number: the descriptor; text: a path, or what else it is */
	NUB_PROGRAM_GRANT,      /* text: what kind, and where in the program */
};

struct nub_program_item {
	enum nub_program_item_kind kind;
	uint32_t number;
	const char *text; /* at most NUB_PROGRAM_ITEM_MAX bytes; any but NUL may be in it */
};

enum { NUB_PROGRAM_ITEM_MAX = 255, NUB_PROGRAM_ITEMS_MAX = 16384 };

#define NUB_DEFAULT_PROGRAM_MEMORY (UINT64_C(512) << 20)

/* Stop the run of a Linux program as CHECKPOINT before its next instruction; other guests go on. For signal handlers, and for
 * callbacks of `ops`. */
void nub_sandbox_freeze(struct nub_sandbox *sandbox);

/* Calls that a program made and that are not served: how often, by name; false at the end of the list. `index` counts up from 0. */
bool nub_sandbox_unsupported(const struct nub_sandbox *sandbox, size_t index, const char **name, uint64_t *count);

/* The number of a system call by its name; -1 when Linux has none. */
int nub_program_call_number(const char *name);

/* The system calls that are served, family by family as their tables have them; false at the end of the list. `index` counts up
 * from 0. The names are static. */
bool nub_program_served(size_t index, const char **family, const char **name);

#endif
