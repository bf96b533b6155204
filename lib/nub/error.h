/* Errors: what kind, what was wrong, what to do about it.
 *
 *     struct nub_error err = { 0 };
 *     if (nub_sandbox_run_main(sandbox, 0, NULL, &outcome, &err) < 0)
 *         fprintf(stderr, "%s; %s\n", err.message, err.hint);
 *
 * The struct is the caller's, and holds all of its text. A kind keeps its name: programs and tests go by it. Comments
 * elsewhere name kinds without NUB_E_, and a family of them as SNAPSHOT_*. Where a parameter is at fault, the error names
 * it as this interface does, and leaves it to the embedder to say how its own users give another.
 */
#ifndef NUB_NUB_ERROR_H
#define NUB_NUB_ERROR_H

#include <stdint.h>

/* What may be done about an error: the process exit code follows from it. */
enum nub_error_class {
	NUB_CLASS_USAGE,     /* the caller asked for something that cannot be */
	NUB_CLASS_HOST,      /* this host, its KVM, its files or its memory */
	NUB_CLASS_NOT_FOUND, /* a named file is not there */
	NUB_CLASS_INPUT,     /* the guest or snapshot file is not acceptable */
	NUB_CLASS_GUEST,     /* the running guest broke the ABI */
};

/* Every kind of error: symbol, stable name (status JSON, tests), class. */
#define NUB_ERROR_KINDS(X)                                                                                             \
	/* the caller's */                                                                                             \
	X(USAGE, "usage", USAGE)                                                                                       \
	X(MEMORY_TOO_BIG, "memory-too-big", USAGE)     /* a region over its limit: asked, limit */                     \
	X(MEMORY_TOO_SMALL, "memory-too-small", USAGE) /* scratch under its minimum: asked, minimum */                 \
	X(SIZE, "size", USAGE)                         /* a size of zero, or one that overflows */                     \
	X(MAP_LIMIT, "file-mapping-limit", USAGE)      /* more than 32 mapped files */                                 \
	X(MAP_ADDRESS, "file-mapping-address", USAGE)  /* unaligned, not canonical, or taken */                        \
	X(MAP_LABEL, "file-mapping-label", USAGE)      /* over 63 bytes */                                             \
	X(FUNCTION_UNKNOWN, "function-unknown", USAGE) /* the guest does not export it */                              \
	X(ARGUMENTS, "arguments", USAGE)               /* wrong number or type for the exported function */            \
	X(STATE, "state", USAGE)                       /* not in this state: e.g. a call into a program that ended */  \
	X(POISONED, "poisoned", USAGE)                 /* the last call failed; restore first (R36) */                 \
	/* the host's */                                                                                               \
	X(IO, "io", HOST)                                                                                              \
	X(NO_MEMORY, "no-memory", HOST)                                                                                \
	X(KVM_MISSING, "kvm-missing", HOST) /* no /dev/kvm */                                                          \
	X(KVM_DENIED, "kvm-denied", HOST)   /* no permission */                                                        \
	X(KVM, "kvm", HOST)                 /* an ioctl failed, or a capability is missing */                          \
	X(PROCESS, "process", HOST)         /* a system call of the process engine failed, or is missing */            \
	X(INTERNAL, "internal", HOST)       /* can't happen */                                                         \
	X(CONFINEMENT, "confinement", HOST) /* a part that was required, and that the kernel hasn't */                 \
	X(DEBUGGER, "debugger", HOST)       /* the debugger ended the run */                                           \
	X(INTERRUPTED, "interrupted", HOST) /* a signal ended it */                                                    \
	X(ENGINE, "engine", INPUT)          /* the guest needs what the engine hasn't */                               \
	X(NOT_FOUND, "not-found", NOT_FOUND)                                                                           \
	/* the ELF file's (R15, R16) */                                                                                \
	X(ELF_MAGIC, "elf-magic", INPUT)             /* not an ELF file */                                             \
	X(ELF_CLASS, "elf-class", INPUT)             /* not 64-bit little-endian */                                    \
	X(ELF_MACHINE, "elf-machine", INPUT)         /* not x86-64 */                                                  \
	X(ELF_TYPE, "elf-type", INPUT)               /* neither ET_EXEC nor ET_DYN */                                  \
	X(ELF_INTERPRETER, "elf-interpreter", INPUT) /* wants a dynamic linker */                                      \
	X(ELF_TRUNCATED, "elf-truncated", INPUT)     /* a header or segment lies outside the file */                   \
	X(ELF_HEADER, "elf-header", INPUT)           /* sizes or counts in the header are impossible */                \
	X(ELF_NO_NOTE, "elf-no-note", INPUT)         /* static, but not a nub guest */                                 \
	X(ELF_NOTE, "elf-note", INPUT)               /* the note is malformed, or wants an unknown privilege level */  \
	X(ELF_ABI_VERSION, "elf-abi-version", INPUT)                                                                   \
	X(ELF_NO_LOAD, "elf-no-load", INPUT)       /* no PT_LOAD */                                                    \
	X(ELF_SEGMENT, "elf-segment", INPUT)       /* a segment wraps, is unaligned, or has filesz > memsz */          \
	X(ELF_OVERLAP, "elf-overlap", INPUT)       /* two segments share a page */                                     \
	X(ELF_ADDRESS, "elf-address", INPUT)       /* the image lies where guests can't be */                          \
	X(ELF_SIZE, "elf-size", INPUT)             /* the image is over the memory limit */                            \
	X(ELF_WX, "elf-wx", INPUT)                 /* writable and executable */                                       \
	X(ELF_ENTRY, "elf-entry", INPUT)           /* entry outside every executable segment */                        \
	X(ELF_RELOCATION, "elf-relocation", INPUT) /* of an unsupported type, or outside the image */                  \
	X(ELF_EXPORTS, "elf-exports", INPUT)       /* the export table is malformed */                                 \
	/* the snapshot file's */                                                                                      \
	X(SNAPSHOT_MAGIC, "snapshot-magic", INPUT)         /* not a snapshot */                                        \
	X(SNAPSHOT_VERSION, "snapshot-version", INPUT)     /* of a format that is not read here */                     \
	X(SNAPSHOT_TRUNCATED, "snapshot-truncated", INPUT) /* shorter than its header says */                          \
	X(SNAPSHOT_CORRUPT, "snapshot-corrupt", INPUT)     /* a seal is wrong */                                       \
	X(SNAPSHOT_FIELD, "snapshot-field", INPUT)         /* a field has a value that can't be */                     \
	X(SNAPSHOT_CPU, "snapshot-cpu", INPUT)             /* this CPU lacks a feature that the guest was shown */     \
	X(SNAPSHOT_BASE, "snapshot-base", INPUT)           /* its base is missing, or is another one */                \
	X(SNAPSHOT_LAYERS, "snapshot-layers", INPUT)       /* more than 16 layers */                                   \
	X(SNAPSHOT_FILE, "snapshot-file", INPUT)           /* a file that the program had open is gone, or another */  \
	X(SNAPSHOT_GRANT, "snapshot-grant", USAGE)         /* the snapshot's program was granted it */                 \
	X(HOST_FUNCTION, "host-function-missing", USAGE)   /* the snapshot's guest was offered it */                   \
	/* the core's */                                                                                               \
	X(CORE_MAGIC, "core-magic", INPUT)         /* neither a snapshot nor an x86-64 ELF core */                     \
	X(CORE_TRUNCATED, "core-truncated", INPUT) /* a header or segment lies outside the file */                     \
	X(CORE_FIELD, "core-field", INPUT)         /* a field has a value that can't be */                             \
	X(CORE_NO_NOTE, "core-no-note", INPUT)     /* a core, but not a guest's */                                     \
	/* the running guest's */                                                                                      \
	X(RING_CORRUPT, "ring-corrupt", GUEST)                                                                         \
	X(RING_EMPTY, "ring-empty", GUEST)                                                                             \
	X(RING_FULL, "ring-full", GUEST)                                                                               \
	X(VALUE, "value", GUEST)                 /* a call, reply or log record can't be decoded */                    \
	X(PROTOCOL, "protocol", GUEST)           /* a halt, dispatch address or request that makes no sense */         \
	X(PAGE_ARGUMENT, "page-argument", GUEST) /* unaligned, not canonical, wraps */                                 \
	X(PAGE_CONFLICT, "page-conflict", GUEST) /* mapped already, differently */                                     \
	X(PAGE_LIMIT, "page-limit", GUEST)       /* a walk found more than its cap */                                  \
	/* reads of guest memory (R33) */                                                                              \
	X(GVA_UNMAPPED, "gva-unmapped", GUEST)         /* nothing is mapped in the range */                            \
	X(GVA_HOLE, "gva-hole", GUEST)                 /* a page in the range is not mapped */                         \
	X(GPA_UNRESOLVABLE, "gpa-unresolvable", GUEST) /* mapped to a gpa without memory */                            \
	X(GPA_BOUNDS, "gpa-bounds", GUEST)             /* begins in memory, ends outside */

enum nub_error_kind {
	NUB_E_NONE = 0,
#define NUB_X(symbol, name, class) NUB_E_##symbol,
	NUB_ERROR_KINDS(NUB_X)
#undef NUB_X
	    NUB_E_COUNT
};

/* One failure: what kind, in one sentence what was wrong, and what to do about it. A caller zeroes it before use. */
struct nub_error {
	enum nub_error_kind kind;
	int sys_errno;         /* 0 when no system call failed */
	const char *parameter; /* that should be another one: "scratch_size", "base_path"; static, or NULL */
	uint64_t suits;        /* a value of it that would do; 0 where none is known */
	char message[512];
	char hint[256]; /* may be empty */
};

const char *nub_error_name(enum nub_error_kind kind);
enum nub_error_class nub_error_class_of(enum nub_error_kind kind);

#endif
