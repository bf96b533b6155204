/* The table of system calls: number to name, handler, and what its arguments are. One table per family, in that family's
 * files; table.c has the row of families. The argument kinds give --strace its text, the fuzzer its shapes, and the manual
 * page its list.
 *
 *     static const struct nub_linux_call calls[] = {
 *         { __NR_read, "read", serve_read, { FD, OUT_RESULT, SIZE } },
 *     };
 *     const struct nub_linux_family nub_linux_file_family = {
 *         .name = "files", .calls = calls, .call_count = sizeof(calls) / sizeof(*calls), .make = ..., .release = ...,
 *     };
 *
 * with `#define FD NUB_LINUX_ARG_FD` and so on by NUB_LINUX_ARG_SHORT_NAMES, in .c files only.
 */
#ifndef NUB_LINUX_CALL_H
#define NUB_LINUX_CALL_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "personality/linux/linux.h"

/* The result, -errno, NUB_LINUX_WAIT or NUB_LINUX_KEEP. */
typedef int64_t nub_linux_handler(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);

enum nub_linux_arg {
	NUB_LINUX_ARG_NONE, /* and nothing after it */
	NUB_LINUX_ARG_INT,  /* 32 bits, signed */
	NUB_LINUX_ARG_LONG, /* 64 bits, signed */
	NUB_LINUX_ARG_SIZE, /* 64 bits, unsigned */
	NUB_LINUX_ARG_HEX,  /* flags, masks, addresses that are not followed */
	NUB_LINUX_ARG_OCTAL,
	NUB_LINUX_ARG_FD,         /* a descriptor */
	NUB_LINUX_ARG_DIRFD,      /* the same, or AT_FDCWD */
	NUB_LINUX_ARG_PATH,       /* a string */
	NUB_LINUX_ARG_IN,         /* bytes that the call reads; the next argument is how many */
	NUB_LINUX_ARG_OUT,        /* bytes that it writes: all of the next argument's size */
	NUB_LINUX_ARG_OUT_RESULT, /* as many as the result says */
	NUB_LINUX_ARG_POINTER,    /* to a struct or an array */
	NUB_LINUX_ARG_IOVEC,      /* struct iovec[]; the next argument is how many */
	NUB_LINUX_ARG_TIMESPEC,   /* struct timespec that the call reads, or NULL */
	NUB_LINUX_ARG_SIGNAL,
	NUB_LINUX_ARG_CLOCK,
	NUB_LINUX_ARG_PROT, /* PROT_* */
	NUB_LINUX_ARG_OPEN, /* O_* */
	NUB_LINUX_ARG_KINDS
};

/* The members above by their last words. */
#define NUB_LINUX_ARG_SHORT_NAMES                                                                                      \
	enum {                                                                                                         \
		NONE = NUB_LINUX_ARG_NONE,                                                                             \
		INT = NUB_LINUX_ARG_INT,                                                                               \
		LONG = NUB_LINUX_ARG_LONG,                                                                             \
		SIZE = NUB_LINUX_ARG_SIZE,                                                                             \
		HEX = NUB_LINUX_ARG_HEX,                                                                               \
		OCTAL = NUB_LINUX_ARG_OCTAL,                                                                           \
		FD = NUB_LINUX_ARG_FD,                                                                                 \
		DIRFD = NUB_LINUX_ARG_DIRFD,                                                                           \
		PATH = NUB_LINUX_ARG_PATH,                                                                             \
		IN = NUB_LINUX_ARG_IN,                                                                                 \
		OUT = NUB_LINUX_ARG_OUT,                                                                               \
		OUT_RESULT = NUB_LINUX_ARG_OUT_RESULT,                                                                 \
		POINTER = NUB_LINUX_ARG_POINTER,                                                                       \
		IOVEC = NUB_LINUX_ARG_IOVEC,                                                                           \
		TIMESPEC = NUB_LINUX_ARG_TIMESPEC,                                                                     \
		SIGNAL = NUB_LINUX_ARG_SIGNAL,                                                                         \
		CLOCK = NUB_LINUX_ARG_CLOCK,                                                                           \
		PROT = NUB_LINUX_ARG_PROT,                                                                             \
		OPEN = NUB_LINUX_ARG_OPEN,                                                                             \
	}

struct nub_linux_call {
	unsigned number;  /* of asm/unistd_64.h */
	const char *name; /* static */
	nub_linux_handler *handler;
	uint8_t args[6];  /* enum nub_linux_arg */
	bool returns_hex; /* an address: mmap, brk */
};

struct nub_linux_family {
	const char *name; /* what it is called in snapshots and documents */
	const struct nub_linux_call *calls;
	size_t call_count;
	/* Make its part of struct nub_linux, before the program is loaded; families are made in the order of the row, and
	 * released in the opposite one, whatever `make` gave. Either may be NULL. Errors: NO_MEMORY, or the family's. */
	int (*make)(struct nub_linux *linux, struct nub_error *err);
	void (*release)(struct nub_linux *linux);
	/* Its state as bytes, little-endian, versioned by the snapshot's format, and back: into what `make` made. What is read is
	 * hostile: errors SNAPSHOT_FIELD by the cursor, before anything of it is used. `save` NULL: it has none, and `load`, if it is
	 * there, reads nothing. */
	void (*save)(struct nub_linux *linux, struct nub_writer *writer);
	int (*load)(struct nub_linux *linux, struct nub_cursor *cursor);
};

/* ---- table.c ---- */

/* Each defined by its own files, which table.c alone refers to. */
extern const struct nub_linux_family nub_linux_memory_family, nub_linux_identity_family, nub_linux_system_family,
    nub_linux_sched_family, nub_linux_prctl_family;

extern const struct nub_linux_family *const nub_linux_families[]; /* ends with NULL */

/* Fill linux->calls from the families. Error: INTERNAL, when two serve one number. */
int nub_linux_table_fill(struct nub_linux *linux, struct nub_error *err);

/* The name of any system call of x86-64, served or not; NULL when Linux has none of that number. */
const char *nub_linux_call_name(uint64_t number);

/* ---- strace.c ---- */

/* A call and its result as strace(1) prints them: `read(3, "\177ELF"..., 832) = 832`. Cut to fit. The result may be
 * NUB_LINUX_WAIT, for a call that goes on (` = ?`). */
void nub_linux_format_call(struct nub_linux *linux, uint64_t number, const uint64_t args[6], int64_t result, char *text,
                           size_t capacity);

#endif
