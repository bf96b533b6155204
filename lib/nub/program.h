/* Linux programs: an ordinary ELF file of x86-64 in a machine of its own, its system calls served by nubrun.
 *
 *     struct nub_program_config config = nub_program_config_default();
 *     config.argv = argv; config.path = "/bin/busybox"; config.ops = ...;
 *     struct nub_program *program = nub_program_create(&config, fd, &err);
 *     nub_program_run(program, &outcome, &err);
 *     nub_program_free(program);
 *
 * It reaches nothing of the host but what `grants` name, its standard input, and what `ops` takes of its output.
 */
#ifndef NUB_NUB_PROGRAM_H
#define NUB_NUB_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/config.h"
#include "nub/error.h"
#include "nub/outcome.h"
#include "nub/sandbox.h"

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

struct nub_program_config {
	enum nub_engine_kind engine; /* how its code is executed (nub/config.h) */
	const char *const *argv;     /* NULL-terminated, as for execve */
	const char *const *envp;     /* likewise */
	const char *path;            /* of the file, absolute, as the program is told */
	const struct nub_linux_grant *grants;
	size_t grant_count;
	int stdin_fd;         /* borrowed; -1: at its end */
	int output_fds[2];    /* borrowed: where stdout and stderr go, for isatty and fstat alone; 0: as pipes */
	uint64_t memory_size; /* what may be resident; a multiple of 2 MiB after rounding up */
	uint64_t stack_size;
	uint64_t tmpfs_size; /* of /tmp and /dev/shm */
	unsigned max_fds, max_threads;
	bool allow_wx;
	bool strict; /* the first call that is not served is a crash */
	bool has_seed;
	uint64_t seed;
	uint64_t timeout_ns; /* 0 none */
	/* Stop as CHECKPOINT before this call is made for the so many-th time (0: never), or after this time (0: never). */
	unsigned stop_call;
	uint64_t stop_call_count, stop_after_ns;
	uint64_t slice_ns;       /* of a thread while others could run; 0: the default */
	struct nub_host_ops ops; /* output alone is used */
	/* Each call with its result, one line without a newline, and how long serving it took; NULL: none. */
	void (*trace)(void *context, const char *line, uint64_t ns);
	void *trace_context;
};

struct nub_program_config nub_program_config_default(void);

struct nub_program;

/* Load the program in `fd` (kept open until it is freed; a copy is made) and make its machine. All that `config` points to must
 * outlive the program. Errors: ELF_*, USAGE, SIZE, MEMORY_*, NOT_FOUND, IO, NO_MEMORY, KVM_*. */
struct nub_program *nub_program_create(const struct nub_program_config *config, int fd, struct nub_error *err);
void nub_program_free(struct nub_program *program); /* NULL is fine */

/* Run it to its end. Outcome EXITED, CRASHED (kind SIGNAL, DEADLOCK, UNSUPPORTED, MEMORY, or the machine's), TIMED_OUT or
 * INTERRUPTED. -1 for the host's errors, and the embedder's. */
int nub_program_run(struct nub_program *program, struct nub_outcome *outcome, struct nub_error *err);

/* Stop the run as CHECKPOINT before the program's next instruction. For signal handlers, and for callbacks of `ops`. */
void nub_program_freeze(struct nub_program *program);

/* Save a program that is stopped at a CHECKPOINT: `path` is replaced whole (a temporary file, fsync, rename). Errors: IO, NO_MEMORY,
 * STATE, MEMORY_TOO_SMALL (what is left of its file does not fit its memory). */
int nub_program_save(struct nub_program *program, const char *path, struct nub_error *err);

/* Is the file a saved program? Reads a little. */
bool nub_program_is_saved(int fd);

/* Make a program that goes on where the saved one stopped, as a copy of it: the file is mapped, and read as it is touched; if it is
 * written to meanwhile, running the program and saving it are errors (IO). `config` gives its new life: grants, standard input,
 * limits, ops; argv, envp and path are the saved program's. memory_size 0: as much as it had. What it had open is opened again, and
 * must be what it was. `name` must outlive the program. Errors: SNAPSHOT_*, NOT_FOUND, and those of nub_program_create. */
struct nub_program *nub_program_restore(const struct nub_program_config *config, int fd, const char *name,
                                        struct nub_error *err);

/* The number of a system call by its name; -1 when Linux has none. */
int nub_program_call_number(const char *name);

/* End the run as INTERRUPTED. For signal handlers. */
void nub_program_stop(struct nub_program *program);

/* Nanoseconds that are left of config.timeout_ns; UINT64_MAX without one, 0 when the run is to end. */
uint64_t nub_program_remaining_ns(const struct nub_program *program);

const struct nub_exit_counts *nub_program_exit_counts(const struct nub_program *program);

/* The system calls that are served, family by family as their tables have them; false at the end of the list. `index` counts up
 * from 0. The names are static. */
bool nub_program_served(size_t index, const char **family, const char **name);

/* Calls that were made and not served: how often, by name; false at the end of the list. `index` counts up from 0. */
bool nub_program_unsupported(const struct nub_program *program, size_t index, const char **name, uint64_t *count);

/* The file is a Linux program's, not one for nubrun's own ABI: an ELF file for x86-64 without the `nub` note. Reads a little. */
bool nub_program_accepts(int fd);

#endif
