/* The Linux personality: unmodified programs, whose system calls are served here. Knows nothing of KVM or sandboxes: what it
 * stands on is a struct nub_linux_machine.
 *
 *     struct nub_linux *linux = nub_linux_make(&config, &machine, &err);
 *     nub_linux_start(linux, program, &err);                // start.h: load it
 *     while ((next = nub_linux_next(linux, &idle)) != NUB_LINUX_ENDED)
 *         if (next == NUB_LINUX_IDLE)
 *             poll idle's descriptors until idle's deadline;
 *         else
 *             run the vCPU; nub_linux_syscall(linux), nub_linux_fault(linux, ...) or nub_linux_preempt(linux) by its exit
 *     linux->end says how it ended
 *
 * One process, whose threads share one vCPU. `linux->current` is the thread that is on it. Its general registers are in
 * current->vcpu.regs while the host is in control (read at each exit, written before the next entry); its FS and GS bases and
 * XSAVE are in the machine, and current->vcpu has them only between nub_linux_vcpu_save and nub_linux_vcpu_load. Of all other
 * threads, `vcpu` has everything.
 *
 * Handlers of calls (call.h) return the result or -errno. They never block nubrun: host descriptors are nonblocking or polled
 * first. A handler that has to wait says for what in thread->wait and returns NUB_LINUX_WAIT (wait.h).
 *
 * Everything of the guest's is hostile: arguments, addresses, what is in its memory. Bytes go in and out through
 * nub_linux_read and nub_linux_write alone, are copied once, checked, then used; every count has a cap before it is looped
 * over or allocated. No handler keeps a host pointer to guest memory.
 *
 * The family of threads makes the first thread and sets `current`; a test that goes without it sets one of its own.
 *
 * Each family of calls (memory, files, threads, signals, ...) has a struct of its own in a header of its own, which
 * struct nub_linux points at, and a struct nub_linux_family in the row of table.c.
 */
#ifndef NUB_LINUX_H
#define NUB_LINUX_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "nub/error.h"
#include "nub/program.h"
#include "personality/linux/machine.h"
#include "personality/linux/wait.h"

struct nub_linux_call;

/* What a program is started with. Borrowed while the struct nub_linux lives. */
struct nub_linux_config {
	const char *const *argv; /* NULL-terminated, as for execve */
	const char *const *envp;
	const char *const *copy_argv; /* likewise, for a thaw; NULL: what it had */
	const char *const *copy_envp;
	const char *path; /* the program's, as the guest is told (AT_EXECFN, /proc/self/exe): absolute */
	const struct nub_linux_grant *grants;
	size_t grant_count;
	int stdin_fd;            /* a host descriptor, -1: at its end */
	int output_fds[2];       /* host descriptors behind stdout and stderr: what isatty and fstat say; 0: as pipes */
	uint64_t stack_size;     /* limit of the main thread's stack; it grows as it is touched */
	unsigned max_fds;        /* RLIMIT_NOFILE, at most NUB_LINUX_MAX_FDS */
	unsigned max_threads;    /* at most NUB_LINUX_MAX_THREADS */
	bool has_umask;          /* false: it is looked up */
	unsigned umask;          /* the host's for this process */
	uint64_t tmpfs_size;     /* of /tmp and /dev/shm, when no grant says otherwise */
	bool allow_wx;           /* W and X together are EACCES otherwise */
	bool strict;             /* the first call that is not served ends the run as a crash */
	bool accept_changed;     /* a thaw goes on though files that the program had open have changed */
	bool deterministic;      /* a seed was given: threads switch at calls alone */
	bool stop_at_checkpoint; /* a thread that comes to one is left before it, and at_checkpoint says so */
	/* --strace: one call, formatted, without a newline; NULL: none. `ns` is how long serving it took. */
	void (*trace)(void *context, const char *line, uint64_t ns);
	void *trace_context;
};

enum {
	NUB_LINUX_MAX_FDS = 65536,
	NUB_LINUX_MAX_THREADS = 4096,
	NUB_LINUX_MAX_CALL = 512, /* numbers of system calls are below */
	NUB_LINUX_PATH_MAX = 4096,
	NUB_LINUX_IOV_MAX = 1024,
	NUB_LINUX_PID = 1000,       /* of a fresh run; a thaw has another */
	NUB_LINUX_SYSCALL_SIZE = 2, /* of the instruction */
};

#define NUB_LINUX_MAX_RW UINT64_C(0x7ffff000) /* what one read or write moves at most, as in Linux */

/* How a run ended. */
enum nub_linux_end_kind {
	NUB_LINUX_GOES_ON,
	NUB_LINUX_EXITED,   /* exit_code */
	NUB_LINUX_KILLED,   /* by `signal`: a crash, or what the program asked for; message */
	NUB_LINUX_DEADLOCK, /* all threads wait for one another: message lists where */
	NUB_LINUX_STRICT,   /* a call that is not served, under `strict`: message */
	NUB_LINUX_MEMORY,   /* a touch that --memory has no page for: message, address */
	NUB_LINUX_FAILED,   /* the host: linux->error */
};

struct nub_linux_end {
	enum nub_linux_end_kind kind;
	int exit_code;
	int signal;
	bool has_fault; /* of a signal that an instruction caused: */
	unsigned vector;
	uint64_t error_code, address;
	int32_t tid; /* the thread that ended it */
	char message[1024];
};

struct nub_linux_thread_data; /* threads.h */
struct nub_linux_signal_data; /* signals.h: of one thread */

struct nub_linux_thread {
	int32_t tid;
	struct nub_linux_vcpu vcpu; /* see above for what of it is valid when */
	struct nub_linux_wait wait;
	uint64_t call;                             /* the number that it called last: what it waits in */
	uint64_t call_args[6];                     /* and with what */
	char name[16];                             /* PR_SET_NAME, NUL-terminated */
	uint64_t clear_tid;                        /* set_tid_address: gva, 0 none */
	uint64_t robust_list;                      /* set_robust_list: gva, 0 none */
	unsigned checkpoint;                       /* NUB_LINUX_CHECKPOINT_*, checkpoints.h */
	struct nub_linux_thread_data *thread_data; /* owned by threads */
	struct nub_linux_signal_data *signal_data; /* owned by signals */
};

struct nub_linux_memory;   /* mm.h */
struct nub_linux_program;  /* start.h: path, arguments, auxv */
struct nub_linux_files;    /* files.h */
struct nub_linux_threads;  /* threads.h: the list of threads, futexes, the schedule */
struct nub_linux_signals;  /* signals.h: actions, what is pending for the process */
struct nub_linux_clocks;   /* clocks.h: offsets, timers */
struct nub_linux_identity; /* identity.c: limits and the like */
struct nub_linux_backing;  /* mm.h: what a file offers to be mapped */

/* What a debugger wants; all zero: there is none. */
struct nub_linux_debug {
	bool shows_signals; /* before they are delivered, by NUB_LINUX_SIGNAL */
	uint64_t passed;    /* but not these: bit n - 1 of signal n */
	int signal;         /* what `current` is about to take, after NUB_LINUX_SIGNAL; else 0 */
	int32_t only;       /* this thread alone runs; 0: all */
};

struct nub_linux {
	struct nub_linux_config config;
	struct nub_linux_machine machine;
	int32_t pid;
	uint64_t generation; /* thaws so far */
	bool at_checkpoint;  /* the current thread has come to one; who takes note of it clears it */
	struct nub_linux_thread *current;
	struct nub_linux_debug debug;
	struct nub_linux_memory *memory;
	struct nub_linux_program *program;
	struct nub_linux_files *files;
	struct nub_linux_threads *threads;
	struct nub_linux_signals *signals;
	struct nub_linux_clocks *clocks;
	struct nub_linux_identity *identity;
	/* What mmap maps of descriptor fd: a reference that the caller drops, or NULL and -errno. The files' family sets it. */
	struct nub_linux_backing *(*open_backing)(struct nub_linux *linux, int fd, unsigned prot, unsigned flags,
	                                          int64_t *error);
	/* The file at an absolute path of the guest's, to be executed (the interpreter): the same. The files' family sets it. */
	struct nub_linux_backing *(*open_program)(struct nub_linux *linux, const char *path, int64_t *error);
	const struct nub_linux_call *calls[NUB_LINUX_MAX_CALL]; /* NULL: not served */
	uint64_t call_counts[NUB_LINUX_MAX_CALL];
	uint64_t
	    unsupported[NUB_LINUX_MAX_CALL]; /* calls that were refused as not served; numbers beyond count as 0x1ff */
	struct nub_linux_end end;
	struct nub_error error; /* FAILED */
};

/* ---- linux.c ---- */

/* Errors: NO_MEMORY, and those of the families' `make` (grants: NOT_FOUND, IO). NULL on error. */
struct nub_linux *nub_linux_make(const struct nub_linux_config *config, const struct nub_linux_machine *machine,
                                 struct nub_error *err);
void nub_linux_release(struct nub_linux *linux);

/* The host failed (an error of the machine, no memory for nubrun itself): the run ends with *err. Gives -ENOMEM, for
 * handlers to return. */
int64_t nub_linux_fail(struct nub_linux *linux, const struct nub_error *err);

/* End the run. The first end counts. */
void nub_linux_end(struct nub_linux *linux, enum nub_linux_end_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline bool nub_linux_ended(const struct nub_linux *linux)
{
	return linux->end.kind != NUB_LINUX_GOES_ON;
}

/* Bring the current thread's FS and GS base and XSAVE from the machine to current->vcpu, and back. Errors end the run. */
void nub_linux_vcpu_save(struct nub_linux *linux);
void nub_linux_vcpu_load(struct nub_linux *linux);

/* ---- call.c: after an exit of the vCPU ---- */

/* The current thread executed `syscall`: serve it, and put the result into its rax. */
void nub_linux_syscall(struct nub_linux *linux);

/* Serve `thread`'s call again, since what it waits for may have come. For the scheduler. */
void nub_linux_retry(struct nub_linux *linux, struct nub_linux_thread *thread);

/* The current thread's instruction faulted (vector, error code, CR2: SDM vol. 3A, 6.15). Pages that are due come, what is
 * the program's own fault becomes a signal. */
void nub_linux_fault(struct nub_linux *linux, unsigned vector, uint64_t error_code, uint64_t address);

/* A call that nubrun does not serve, or not with these arguments: counts it under `unsupported`, ends the run when `strict`;
 * gives `result` (-ENOSYS, -EPERM) back. */
int64_t nub_linux_unsupported(struct nub_linux *linux, struct nub_linux_thread *thread, int64_t result);

/* ---- schedule.c (threads): what comes next ---- */

enum nub_linux_next {
	NUB_LINUX_RUN,    /* enter the vCPU: linux->current is on it */
	NUB_LINUX_IDLE,   /* all threads wait: see struct nub_linux_idle */
	NUB_LINUX_ENDED,  /* linux->end */
	NUB_LINUX_SIGNAL, /* linux->current is about to take linux->debug.signal: for a debugger to see */
};

struct nub_linux_idle {
	bool has_deadline;
	uint64_t deadline_ns;       /* the host's CLOCK_MONOTONIC */
	const struct pollfd *polls; /* owned by linux, until its next call */
	size_t poll_count;
};

/* Deliver signals and timers that are due, serve again the calls whose wait may be over, choose the thread to run and have
 * the vCPU hold it. */
enum nub_linux_next nub_linux_next(struct nub_linux *linux, struct nub_linux_idle *idle);

/* The vCPU stopped, but not for the program's sake: its registers are read, so that nub_linux_next goes on from there. */
void nub_linux_stopped(struct nub_linux *linux);

/* The same, and the current thread's slice is over: nub_linux_next prefers another. */
void nub_linux_preempt(struct nub_linux *linux);

/* Take the thread that is on the vCPU off it, so that all registers are in the list. Its general ones are known. */
void nub_linux_rest(struct nub_linux *linux);

/* When the current thread's slice, or an earlier timer, is due: an absolute CLOCK_MONOTONIC of the host's; 0 never. */
uint64_t nub_linux_slice_end(struct nub_linux *linux);

/* ---- memory_access.c: the guest's memory, by guest address. Pages that were not touched yet come. ---- */

/* 0, or -EFAULT when a byte of it can't be read or written by the guest itself; then none or some of it was copied. */
int64_t nub_linux_read(struct nub_linux *linux, uint64_t gva, void *bytes, size_t size);
int64_t nub_linux_write(struct nub_linux *linux, uint64_t gva, const void *bytes, size_t size);

/* As much as can be read or written from its start: the number of bytes, or -EFAULT when that is none of size > 0. */
int64_t nub_linux_read_some(struct nub_linux *linux, uint64_t gva, void *bytes, size_t size);
int64_t nub_linux_write_some(struct nub_linux *linux, uint64_t gva, const void *bytes, size_t size);

/* A NUL-terminated string: its length, -EFAULT, or -ENAMETOOLONG when it and its NUL don't fit text[0..capacity). */
int64_t nub_linux_read_string(struct nub_linux *linux, uint64_t gva, char *text, size_t capacity);

/* An array of struct iovec: the sum of its lengths (cut to NUB_LINUX_MAX_RW, the last ones shortened), -EINVAL when `count` is
 * over NUB_LINUX_IOV_MAX, a length is negative, or -EFAULT. iov[] has room for `count`. Its bases are guest addresses:
 * iov_base must not be followed, use nub_linux_iov_gva. */
int64_t nub_linux_read_iovec(struct nub_linux *linux, uint64_t gva, uint64_t count, struct iovec *iov);
static inline uint64_t nub_linux_iov_gva(const struct iovec *iov)
{
	return (uint64_t)(uintptr_t)iov->iov_base;
}

/* Compare and exchange an aligned 32-bit word: futexes and robust lists. 0, or -EFAULT; *seen is what was there; `desired`
 * was written if that is `expected`. */
int64_t nub_linux_exchange32(struct nub_linux *linux, uint64_t gva, uint32_t expected, uint32_t desired,
                             uint32_t *seen);

/* ---- what families offer one another ---- */

/* clocks.c (threads): the guest's clocks, in ns. They go on over a thaw and never go back. Any CLOCK_* that clock_gettime
 * serves; -EINVAL for others. */
int64_t nub_linux_now(struct nub_linux *linux, int clock, uint64_t *ns);
/* The guest's CLOCK_MONOTONIC, which deadlines of waits are in. */
uint64_t nub_linux_monotonic(struct nub_linux *linux);

/* signal.c (threads): send a signal to a thread, or to the process with `thread` NULL. `info` is what its handler gets. */
void nub_linux_signal(struct nub_linux *linux, struct nub_linux_thread *thread, const siginfo_t *info);
/* A signal that the current thread's own instruction caused: it can't be blocked or ignored. The vector is kept for
 * linux->end, should it end the run. */
void nub_linux_signal_fault(struct nub_linux *linux, const siginfo_t *info, unsigned vector, uint64_t error_code,
                            uint64_t address);
/* Is there a signal for it that is not blocked? Then a call that waits ends by thread->wait.interrupted. */
bool nub_linux_signal_due(const struct nub_linux *linux, const struct nub_linux_thread *thread);

#endif
