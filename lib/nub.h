/* libnub: run an ELF guest in a KVM virtual machine. This is the library's public face.
 *
 * How to use it:
 *
 *     struct nub_error err = { 0 };
 *     struct nub_image *image = nub_image_parse(bytes, size, "hello.elf", &err);    // pure: no fd, no KVM
 *     struct nub_config config = nub_config_default();
 *     struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, &err);       // memory, VM, vCPU
 *     struct nub_outcome outcome;
 *     if (nub_sandbox_run_main(sandbox, argc, argv, &outcome, &err) == 0) ...       // or nub_sandbox_call()
 *     nub_sandbox_free(sandbox);
 *     nub_image_free(image);
 *
 * The library never prints and never exits. It keeps no globals: a process may have many sandboxes, each used by one
 * thread at a time. Functions that can fail return 0 or -1, or a pointer or NULL, and fill the struct nub_error that
 * they take last. Sizes are bytes, times are nanoseconds, gpa and gva are guest-physical and guest-virtual addresses.
 */
#ifndef NUB_H
#define NUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/nub_abi.h"

#define NUB_VERSION "0.1.0"

/* ---- Errors ---- */

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
	X(INTERNAL, "internal", HOST)       /* can't happen */                                                         \
	X(DEBUGGER, "debugger", HOST)       /* the debugger ended the run */                                           \
	X(INTERRUPTED, "interrupted", HOST) /* a signal ended it */                                                    \
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
	X(SNAPSHOT_VERSION, "snapshot-version", INPUT)     /* of a format that this nubrun does not read */            \
	X(SNAPSHOT_TRUNCATED, "snapshot-truncated", INPUT) /* shorter than its header says */                          \
	X(SNAPSHOT_CORRUPT, "snapshot-corrupt", INPUT)     /* a seal is wrong */                                       \
	X(SNAPSHOT_FIELD, "snapshot-field", INPUT)         /* a field has a value that can't be */                     \
	X(SNAPSHOT_CPU, "snapshot-cpu", INPUT)             /* this CPU lacks a feature that the guest was shown */     \
	X(SNAPSHOT_BASE, "snapshot-base", INPUT)           /* its base is missing, or is another one */                \
	X(SNAPSHOT_LAYERS, "snapshot-layers", INPUT)       /* more than 16 layers */                                   \
	X(HOST_FUNCTION, "host-function-missing", USAGE)   /* the snapshot's guest was offered it */                   \
	/* the core's */                                                                                               \
	X(CORE_MAGIC, "core-magic", INPUT)         /* neither a snapshot nor an x86-64 ELF core */                     \
	X(CORE_TRUNCATED, "core-truncated", INPUT) /* a header or segment lies outside the file */                     \
	X(CORE_FIELD, "core-field", INPUT)         /* a field has a value that can't be */                             \
	X(CORE_NO_NOTE, "core-no-note", INPUT)     /* a core, but not nubrun's */                                      \
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
	int sys_errno; /* 0 when no system call failed */
	char message[512];
	char hint[256]; /* may be empty */
};

const char *nub_error_name(enum nub_error_kind kind);
enum nub_error_class nub_error_class_of(enum nub_error_kind kind);

/* ---- Regions (R10) ---- */

enum nub_region_flags {
	NUB_REGION_NONE = 0,
	NUB_REGION_READ = 1,
	NUB_REGION_WRITE = 2,
	NUB_REGION_EXECUTE = 4,
};

enum nub_region_type {
	NUB_REGION_CODE,
	NUB_REGION_PEB,
	NUB_REGION_HEAP,
	NUB_REGION_INIT_DATA,
	NUB_REGION_GUARD,
	NUB_REGION_STACK,
	NUB_REGION_PAGE_TABLES,
	NUB_REGION_MAPPED_FILE,
	NUB_REGION_SCRATCH,
	NUB_REGION_SNAPSHOT,
};

struct nub_region {
	enum nub_region_type type;
	unsigned flags; /* enum nub_region_flags */
	uint64_t gpa;   /* page-aligned */
	uint64_t gva;   /* page-aligned; 0 when it is not mapped for the guest */
	uint64_t size;  /* a multiple of the page size */
};

const char *nub_region_type_name(enum nub_region_type type);

/* "NONE", or "READ | WRITE | EXECUTE" and its parts. The string is static. */
const char *nub_region_flags_name(unsigned flags);

/* ---- Values and exported functions ---- */

struct nub_value {
	enum nub_type type;
	union {
		int32_t i32;
		uint32_t u32;
		int64_t i64;
		uint64_t u64;
		float f32;
		double f64;
		bool boolean;
		struct {
			const uint8_t *data; /* STRING: no NUL follows */
			uint32_t size;
		} bytes; /* STRING and BYTES; borrowed */
	};
};

const char *nub_type_name(enum nub_type type); /* "i64", "string", … */

struct nub_function {
	char name[NUB_NAME_MAX + 1];
	enum nub_type result;
	unsigned param_count;
	enum nub_type params[NUB_MAX_PARAMS];
};

/* ---- Guest images: an ELF file, checked and decoded ---- */

struct nub_image;

struct nub_image_segment {
	uint64_t gva;   /* relocated, page-aligned */
	uint64_t size;  /* a multiple of the page size */
	unsigned flags; /* enum nub_region_flags */
};

struct nub_image_info {
	const char *name; /* as given to nub_image_parse */
	bool relocatable; /* ET_DYN */
	uint32_t abi_version;
	unsigned privilege_level; /* 0 or 3 */
	uint64_t image_base;
	uint64_t image_size; /* from image_base to the end of the last segment, rounded to pages */
	uint64_t entry;      /* gva */
	const struct nub_image_segment *segments;
	size_t segment_count;
	const struct nub_function *functions; /* sorted by name */
	size_t function_count;
	const uint8_t *build_id; /* NULL when there is none */
	size_t build_id_size;
};

/* Check and decode the ELF file in bytes[0..size). `bytes` is borrowed until nub_image_free; `name` is copied and only
 * used in messages. Errors: ELF_*, NO_MEMORY. W+X segments are refused at nub_sandbox_create, not here. */
struct nub_image *nub_image_parse(const void *bytes, size_t size, const char *name, struct nub_error *err);
void nub_image_free(struct nub_image *image);
const struct nub_image_info *nub_image_info(const struct nub_image *image);

/* The function or object symbol that contains gva: its name (owned by the image) and gva's offset in it. NULL when the
 * image has no symbol there. */
const char *nub_image_symbol(const struct nub_image *image, uint64_t gva, uint64_t *offset);

/* ---- Configuration ---- */

enum nub_cow {
	NUB_COW_HOST,  /* the host kernel copies pages that a guest writes */
	NUB_COW_GUEST, /* the monitor does */
};

enum nub_stream {
	NUB_STDOUT = 1,
	NUB_STDERR = 2,
};

struct nub_log_record {
	unsigned level; /* NUB_LOG_* */
	uint32_t line;
	const char *source;  /* NUL-terminated, valid during the callback */
	const char *message; /* likewise; control characters are the receiver's to escape */
};

/* What a traced guest did. Times are CLOCK_MONOTONIC and never decrease; they are as good as the guest's word. */
struct nub_trace_record {
	unsigned kind; /* NUB_TRACE_* */
	uint64_t time_ns;
	const char *name; /* BEGIN: UTF-8, NUL-terminated, valid during the callback; control characters may be in it */
	uint64_t address; /* ALLOC (0: there was no memory) and FREE */
	uint64_t asked;   /* ALLOC: bytes that the guest asked for */
	uint64_t size;    /* ALLOC and FREE: bytes of heap that it took or gave back */
};

/* An exit of the vCPU that has been dealt with. Times are CLOCK_MONOTONIC. */
struct nub_exit {
	uint64_t entered_ns; /* the guest ran from here ... */
	uint64_t left_ns;    /* ... to here, and the host worked ... */
	uint64_t served_ns;  /* ... to here */
	const char *kind;    /* static: a member of struct nub_exit_counts, or what another exit is called */
	bool has_port;
	uint16_t port;
	const char *call; /* of a host call: the function's name; else NULL */
	bool has_size;
	uint64_t size; /* bytes of the item that came with it */
};

struct nub_sandbox;
struct nub_outcome;

/* What the embedder does for a guest. Every member may be NULL: output and logs are then dropped, calls refused, nothing
 * is traced or timed. A callback that returns -1 with *err filled ends the run with that error. */
struct nub_host_ops {
	void *context;
	int (*output)(void *context, enum nub_stream stream, const void *bytes, size_t size, struct nub_error *err);
	int (*log)(void *context, const struct nub_log_record *record, struct nub_error *err);
	/* A guest called host function `name`. Return 0 and *result (of type `result_type`; its bytes must stay valid
	 * until the next callback), or 1 and a message for the guest in err->message, or -1 to end the run. */
	int (*call)(void *context, const char *name, const struct nub_value *args, unsigned arg_count,
	            enum nub_type result_type, struct nub_value *result, struct nub_error *err);
	/* When this is here, the guest is told that it is traced, and this is called for each of its records. */
	int (*trace)(void *context, const struct nub_trace_record *record, struct nub_error *err);
	/* After each exit, the last one included. It slows down every one. */
	void (*exit)(void *context, const struct nub_exit *exit);
	/* The guest stands still, its memory and registers as they were: it CRASHED, TIMED_OUT or was INTERRUPTED, and
	 * nothing has been cleaned up yet; or nub_sandbox_interrupt was called (`outcome` is NULL), and it goes on
	 * afterwards. May read the sandbox and write its core, not run it. */
	int (*stopped)(void *context, struct nub_sandbox *sandbox, const struct nub_outcome *outcome,
	               struct nub_error *err);
};

/* A file that the guest finds at gva, read-only, private to it. */
struct nub_file_map {
	int fd;            /* borrowed during nub_sandbox_create */
	uint64_t size;     /* bytes of the file to map; the last page is filled up with zeros */
	uint64_t gva;      /* page-aligned, in the lower half, free */
	const char *label; /* at most 63 bytes */
};

struct nub_config {
	uint64_t heap_size; /* rounded up to pages */
	uint64_t stack_size;
	uint64_t scratch_size; /* 0: as much as is needed, at least NUB_DEFAULT_SCRATCH_SIZE */
	uint64_t input_size;
	uint64_t output_size;
	const void *init_data; /* borrowed during nub_sandbox_create */
	uint64_t init_data_size;
	unsigned init_data_flags; /* enum nub_region_flags */
	const struct nub_file_map *maps;
	size_t map_count;
	bool allow_wx;
	bool executable_heap;
	enum nub_cow cow;
	bool has_seed; /* false: the seed, and what nub_random gives, come from the kernel */
	uint64_t seed;
	unsigned log_level;      /* NUB_LOG_*, 0 none: records above it are dropped */
	uint64_t timeout_ns;     /* of one run or call, host functions included; 0 none */
	bool stop_at_checkpoint; /* a checkpoint ends the run, which nub_sandbox_resume goes on with */
	struct nub_host_ops ops;
};

#define NUB_DEFAULT_HEAP_SIZE (UINT64_C(1) << 20)
#define NUB_DEFAULT_STACK_SIZE (UINT64_C(256) << 10)
#define NUB_DEFAULT_SCRATCH_SIZE (UINT64_C(512) << 10)
#define NUB_DEFAULT_RING_SIZE (UINT64_C(64) << 10)

struct nub_config nub_config_default(void);

/* What the guest's memory will look like: regions in the order of their gpa, unmapped ones included. Pure. Frees with
 * free(). Errors: as nub_sandbox_create's for sizes, addresses and W+X. */
struct nub_region *nub_plan_regions(const struct nub_config *config, const struct nub_image *image, size_t *count,
                                    struct nub_error *err);

/* ---- Sandboxes ---- */

struct nub_sandbox;

enum nub_outcome_kind {
	NUB_OUTCOME_READY,      /* initialised; functions can be called */
	NUB_OUTCOME_EXITED,     /* the program is over: exit_code */
	NUB_OUTCOME_RETURNED,   /* a call came back: result */
	NUB_OUTCOME_FAILED,     /* a call came back with an error of the guest's own: exit_code, message */
	NUB_OUTCOME_CHECKPOINT, /* stopped at a checkpoint (only when asked to) */
	NUB_OUTCOME_CRASHED,    /* crash */
	NUB_OUTCOME_TIMED_OUT,
	NUB_OUTCOME_INTERRUPTED, /* nub_sandbox_stop was called */
};

enum nub_crash_kind {
	NUB_CRASH_EXCEPTION, /* vector, error_code, and for #PF address and access */
	NUB_CRASH_ABORT,     /* abort_code, abort_message */
	NUB_CRASH_BAD_PORT,  /* port, port_read */
	NUB_CRASH_NO_MEMORY, /* a guest-physical access that nothing backs: address is a gpa */
	NUB_CRASH_TRIPLE_FAULT,
	NUB_CRASH_EMULATION, /* an instruction that this host's KVM can't run */
	NUB_CRASH_HALTED,    /* hlt, with no interrupt that could end it */
	NUB_CRASH_SCRATCH,   /* no page left in scratch for a copy (cow=guest): abort_message says what to give */
	NUB_CRASH_ABI,       /* a broken ring, request or reply: abort_message says which */
};

const char *nub_crash_kind_name(enum nub_crash_kind kind);

/* General registers in the order of struct kvm_regs. */
struct nub_registers {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
};

struct nub_crash {
	enum nub_crash_kind kind;
	bool has_vector;
	unsigned vector;
	uint64_t error_code;
	bool has_address;
	uint64_t address;  /* CR2 for #PF (gva); a gpa for NO_MEMORY */
	unsigned access;   /* one of enum nub_region_flags: what the guest tried at `address` */
	bool page_present; /* #PF: the page is there, its permissions forbid the access */
	uint16_t port;
	bool port_read;            /* an `in`, not an `out` */
	unsigned privilege_level;  /* 0 or 3, of the faulting code */
	struct nub_registers regs; /* as they were at the faulting instruction */
	struct nub_region region;  /* where `address` lies, or the nearest region */
	bool has_region;
	int64_t region_distance; /* 0 inside; else bytes from `address` to the region, negative when it lies below it */
	unsigned abort_code;
	char abort_message[NUB_ABORT_BUFFER_SIZE];
};

const char *nub_vector_name(unsigned vector); /* "#PF", …; NULL for vectors without a name */

struct nub_outcome {
	enum nub_outcome_kind kind;
	int exit_code;
	struct nub_value result; /* its bytes are the sandbox's until the next run or call */
	struct nub_crash crash;
	char message[256]; /* FAILED */
};

/* Exits of the vCPU, counted by what they were. */
struct nub_exit_counts {
	uint64_t total;
	uint64_t halt, print, log, call, abort, trace, checkpoint, exception, interrupted, other;
};

struct nub_memory_info {
	uint64_t snapshot_size; /* page tables included */
	uint64_t scratch_size;
	uint64_t page_table_size;
	uint64_t mapped_size; /* files */
};

/* Lay out and fill the guest's memory, make the VM and its vCPU. Nothing of the guest has run afterwards. `image` and
 * config->ops.context must outlive the sandbox; all else in `config` may go. Errors: any but NOT_FOUND. */
struct nub_sandbox *nub_sandbox_create(const struct nub_config *config, const struct nub_image *image,
                                       struct nub_error *err);
void nub_sandbox_free(struct nub_sandbox *sandbox); /* NULL is fine */

/* Run the guest until it is ready for calls (its constructors, not its main). Outcome READY, or EXITED, CRASHED,
 * TIMED_OUT, INTERRUPTED. All run functions: -1 is for the host's and the caller's errors; what the guest does wrong is an outcome. */
int nub_sandbox_initialise(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err);

/* Run main with these arguments to its end; initialises first if need be. */
int nub_sandbox_run_main(struct nub_sandbox *sandbox, unsigned argc, const char *const argv[],
                         struct nub_outcome *outcome, struct nub_error *err);

/* Call an exported function, its arguments checked against its declaration first; initialises if need be. */
int nub_sandbox_call(struct nub_sandbox *sandbox, const char *name, const struct nub_value *args, unsigned arg_count,
                     struct nub_outcome *outcome, struct nub_error *err);

/* Time left of config.timeout_ns for the current run, for host functions and writers that may block; UINT64_MAX
 * without a timeout, 0 when it is over, and after nub_sandbox_stop. A callback that gives up for that reason fails with
 * NUB_E_NONE. */
uint64_t nub_sandbox_remaining_ns(const struct nub_sandbox *sandbox);

/* Have the guest stop for config.ops.stopped, soon, then go on. For signal handlers of the thread that runs it. */
void nub_sandbox_interrupt(struct nub_sandbox *sandbox);

/* Have this run, or the next one if none is under way, end as INTERRUPTED, soon. For the same signal handlers; a callback
 * that blocks is to look at nub_sandbox_remaining_ns when a signal came. */
void nub_sandbox_stop(struct nub_sandbox *sandbox);

const struct nub_exit_counts *nub_sandbox_exit_counts(const struct nub_sandbox *sandbox);
void nub_sandbox_memory_info(const struct nub_sandbox *sandbox, struct nub_memory_info *info);

/* A page of guest memory that has been touched, by the guest or by the host. */
struct nub_page_use {
	uint64_t gpa;
	uint64_t gva; /* the lowest one at which the guest has it now; 0: none */
	bool changed; /* in a restored guest: it is not the snapshot's any more */
};

/* All pages that the guest or the host, to fill its memory, has touched, by gpa. As the host's kernel counts: a huge page is
 * touched whole. Frees with free(). Errors: IO, NO_MEMORY. */
struct nub_page_use *nub_sandbox_pages(struct nub_sandbox *sandbox, size_t *count, struct nub_error *err);

/* Copy guest memory at gva, through the page tables (R33). Errors: GVA_*, GPA_*. */
int nub_sandbox_read(struct nub_sandbox *sandbox, uint64_t gva, void *bytes, size_t size, struct nub_error *err);

/* The general registers: those of the fault after a crash, else the vCPU's. */
void nub_sandbox_registers(const struct nub_sandbox *sandbox, const struct nub_outcome *outcome,
                           struct nub_registers *regs);

/* ---- Snapshots ----
 *
 * A snapshot is taken of a sandbox that is fresh, ready for calls, or stopped at a checkpoint. Writing one leaves the
 * sandbox as it is. An opened snapshot makes any number of sandboxes, in one process or many; each sees the snapshot's
 * memory through a private mapping of the file and reads what it touches only.
 */

struct nub_snapshot;

struct nub_snapshot_options {
	const char *guest_path;            /* kept for symbols and messages, best an absolute one; may be NULL */
	const char *const *host_functions; /* names that the guest was offered */
	size_t host_function_count;
	const struct nub_snapshot *base; /* store only pages that differ from it; NULL: all */
	bool (*progress)(void *context, uint64_t done, uint64_t total); /* bytes; false: give up; may be NULL */
	void *context;
	struct nub_snapshot_written *written; /* filled with what was written; may be NULL */
};

struct nub_snapshot_written {
	uint8_t hash[16];
	uint64_t generation;
	const char *next;                  /* as nub_snapshot_info's */
	uint64_t mapped_size, stored_size; /* bytes: of the image; written to the file */
	unsigned depth;
};

/* Write a snapshot to fd, from its current position: a file (zero pages become holes) or a pipe (they are written). The
 * file is complete when this returns 0, but not synced. Errors: STATE, IO, NO_MEMORY, GPA_UNRESOLVABLE, PAGE_*,
 * MEMORY_TOO_BIG, MEMORY_TOO_SMALL, KVM, SNAPSHOT_LAYERS. */
int nub_snapshot_write(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, int fd,
                       struct nub_error *err);

/* The same into a file of this name, which is there whole and synced when this returns 0, and as it was otherwise. */
int nub_snapshot_save(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, const char *path,
                      struct nub_error *err);

/* Open a snapshot in a file or, read to its end, from a pipe. `fd` is the caller's; `name` is copied, for messages. A
 * snapshot that needs a base finds it by `base_path`, or beside itself in the folder of `name` when that is NULL. Errors:
 * SNAPSHOT_*, IO, NO_MEMORY. */
struct nub_snapshot *nub_snapshot_open(int fd, const char *name, const char *base_path, struct nub_error *err);
void nub_snapshot_free(struct nub_snapshot *snapshot); /* after the sandboxes that were made from it; NULL is fine */

struct nub_snapshot_info {
	const struct nub_image_info *guest;
	const char *guest_path;
	uint32_t format_version;
	uint64_t generation;
	uint8_t hash[16];
	const char *next; /* "initialise", "call" or "resume" */
	enum nub_cow cow;
	const struct nub_region *regions; /* by gva */
	size_t region_count;
	uint64_t mapped_size; /* of the image: what a restored guest maps */
	uint64_t stored_size; /* bytes that the file takes on disk, holes not counted */
	uint64_t page_table_size, scratch_size;
	unsigned root_count;
	const char *const *host_functions;
	size_t host_function_count;
	const char *const *cpu_features; /* names of what a CPU must have to restore it */
	size_t cpu_feature_count;
	unsigned depth; /* layers below this file */
	const char *base_name;
	uint8_t base_hash[16];
};

/* Everything in it is the snapshot's. */
const struct nub_snapshot_info *nub_snapshot_info(const struct nub_snapshot *snapshot);

/* What the memory of a guest that is restored from it looks like, as nub_plan_regions tells it: with page tables and
 * scratch, which info->regions have not. Frees with free(). Error: NO_MEMORY. */
struct nub_region *nub_snapshot_regions(const struct nub_snapshot *snapshot, size_t *count, struct nub_error *err);

/* Read all memory and compare it with its hash. Errors: SNAPSHOT_CORRUPT, IO. */
int nub_snapshot_verify(const struct nub_snapshot *snapshot, struct nub_error *err);

/* Write the same snapshot as one file without a base: equal memory, registers, generation and hash. Of the options,
 * progress and written are used. As nub_snapshot_write and nub_snapshot_save; also SNAPSHOT_CORRUPT, when a layer's
 * memory is damaged. */
int nub_snapshot_flatten_write(const struct nub_snapshot *snapshot, const struct nub_snapshot_options *options, int fd,
                               struct nub_error *err);
int nub_snapshot_flatten(const struct nub_snapshot *snapshot, const struct nub_snapshot_options *options,
                         const char *path, struct nub_error *err);

/* Bytes of each region that are stored, in this file or in its bases; stored[0..region_count) is filled, in the order
 * of info->regions. Errors: IO, NO_MEMORY, PAGE_LIMIT, SNAPSHOT_TRUNCATED. */
int nub_snapshot_stored(const struct nub_snapshot *snapshot, uint64_t *stored, struct nub_error *err);

/* A page that is not the same in two snapshots. */
struct nub_snapshot_difference {
	unsigned space; /* index of the root under which it is mapped */
	uint64_t gva;
	const uint8_t *first, *second; /* its 4096 bytes; NULL where it is not mapped */
};

typedef int (*nub_snapshot_difference_visitor)(void *context, const struct nub_snapshot_difference *difference,
                                               struct nub_error *err);

/* Report all of them, by address space and gva. Pages are compared by gva, wherever they are stored; scratch, which no
 * snapshot has, is left out. The visitor stops it with a negative value. Errors: as nub_snapshot_stored's. */
int nub_snapshot_diff(const struct nub_snapshot *first, const struct nub_snapshot *second,
                      nub_snapshot_difference_visitor visit, void *context, struct nub_error *err);

/* A sandbox that goes on where the snapshot was taken. Of `config`, sizes, files, init data, cow and the permissions are
 * ignored: they are the snapshot's. The snapshot must outlive the sandbox. Errors: SNAPSHOT_CPU, KVM*, NO_MEMORY, IO. */
struct nub_sandbox *nub_sandbox_restore(const struct nub_config *config, const struct nub_snapshot *snapshot,
                                        struct nub_error *err);

/* Put a sandbox back in place: to this snapshot, whether it came from it or not, whatever state it is in. */
int nub_sandbox_reset(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err);

/* Go on after a checkpoint. Outcomes as of the run that was stopped. */
int nub_sandbox_resume(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err);

/* ---- Debugging ---- */

/* Let gdb (`target remote`), at the other end of this connected stream socket, debug the guest: it stops before the
 * first instruction of the next run. `fd` is borrowed until nub_sandbox_free. `snapshot` is for gdb's `monitor snapshot`,
 * borrowed as long; NULL for none. A client that goes away, or does not speak the protocol, is as one that detaches. A
 * run that gdb kills ends with the error DEBUGGER. While a run goes on under a debugger, its thread has SIGIO blocked. Errors:
 * STATE when there is one already, NO_MEMORY. */
int nub_sandbox_attach_debugger(struct nub_sandbox *sandbox, int fd, const struct nub_snapshot_options *snapshot,
                                struct nub_error *err);

/* ---- Call stacks ---- */

struct nub_frame {
	uint64_t rip; /* of the instruction, in the first frame; else where the call returns to */
	uint64_t cfa; /* the caller's rsp after the return */
};

/* Copy guest memory; 0 or -1. */
typedef int (*nub_read_memory)(void *context, uint64_t gva, void *bytes, size_t size);

/* The call stack, innermost first: by the call frame information of the image (DWARF; `image` may be NULL) and, where there
 * is none, by frame pointers. It ends where neither makes sense. The number of frames, 1 to `max`. */
size_t nub_backtrace(const struct nub_image *image, const struct nub_registers *regs, nub_read_memory read,
                     void *context, struct nub_frame *frames, size_t max);

/* ---- Crash regions, cores, dumps (R32, R33) ---- */

/* What a stopped guest can reach. `region.gpa` is where the memory is now: a copy's in scratch, with cow=guest. */
struct nub_crash_region {
	struct nub_region region;
	unsigned space; /* index of the first page-table root that has it: 0 is CR3's */
};

enum nub_core_reason {
	NUB_CORE_CRASH,
	NUB_CORE_TIMEOUT,
	NUB_CORE_REQUEST,  /* asked for while the guest ran, which went on */
	NUB_CORE_SNAPSHOT, /* made from a snapshot */
	NUB_CORE_INTERRUPTED,
};

/* "crash", "timeout", "request", "snapshot", "interrupted" */
const char *nub_core_reason_name(enum nub_core_reason reason);

/* Write the core of a stopped guest, an ELF file that gdb opens: registers, memory, and what happened. `outcome` as the
 * run gave it, NULL while the guest is running or could. `guest_path` is where gdb finds the guest's file; may be NULL. A
 * regular file at `path` is replaced whole or left as it was; pages of zeros become holes. Errors: IO, NO_MEMORY, KVM,
 * PAGE_LIMIT. */
int nub_sandbox_save_core(struct nub_sandbox *sandbox, const struct nub_outcome *outcome, const char *guest_path,
                          const char *path, struct nub_error *err);

/* A guest at rest, in a snapshot or in a core. */
struct nub_dump;

struct nub_dump_info {
	bool is_core;
	enum nub_core_reason reason;
	bool has_crash;         /* crash is more than its registers */
	struct nub_crash crash; /* its registers are always there */
	const char *guest_path; /* "" when it is not known */
	const uint8_t *build_id;
	size_t build_id_size;
	uint64_t image_base, entry;
	uint64_t generation;
	bool has_base;                          /* a snapshot's: what it changed is told from what its base has */
	const struct nub_crash_region *regions; /* by space and gva */
	size_t region_count;
};

/* Open a snapshot or a core; which, its first bytes tell. As nub_snapshot_open. Errors: CORE_*, SNAPSHOT_*, IO,
 * NO_MEMORY, GVA_UNMAPPED and PAGE_LIMIT for a snapshot's page tables. */
struct nub_dump *nub_dump_open(int fd, const char *name, const char *base_path, struct nub_error *err);
void nub_dump_free(struct nub_dump *dump); /* NULL is fine */

/* Everything in it is the dump's. */
const struct nub_dump_info *nub_dump_info(const struct nub_dump *dump);

/* Copy memory at gva, in the first address space (R33). Errors: PAGE_ARGUMENT, GVA_*, GPA_*, IO. */
int nub_dump_read(struct nub_dump *dump, uint64_t gva, void *bytes, size_t size, struct nub_error *err);

/* The pages of the first address space that have contents: that are not all zeros, or, `changed`, that a snapshot stores
 * instead of its base's. By gva. Frees with free(). Errors: IO, NO_MEMORY, PAGE_LIMIT, CORE_TRUNCATED,
 * SNAPSHOT_TRUNCATED. */
struct nub_page_use *nub_dump_pages(struct nub_dump *dump, size_t *count, struct nub_error *err);

/* Turn a snapshot into a core. As nub_sandbox_save_core, with the snapshot's own guest_path where that is NULL; also STATE,
 * when it is a core already. */
int nub_dump_save_core(struct nub_dump *dump, const char *guest_path, const char *path, struct nub_error *err);

/* ---- The host ---- */

struct nub_host_info {
	int api_version;
	bool sync_regs, readonly_memory, immediate_exit, xsave, avx, fsgsbase;
	bool large_pages;   /* transparent huge pages can be asked for */
	bool cpl0_emulated; /* measured: supervisor code is interpreted, not run */
	double cpl0_ns_per_instruction;
	double round_trip_us; /* an out at CPL 3, to the host and back */
	char kernel[128];     /* uname release */
	char module[64];      /* "kvm_intel", "kvm_amd", …; "" when unknown */
};

/* Look at /dev/kvm and measure. Errors: KVM_MISSING, KVM_DENIED, KVM; each with the cure in err->hint. */
int nub_host_probe(struct nub_host_info *info, struct nub_error *err);

#endif
