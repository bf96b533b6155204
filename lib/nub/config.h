/* What a sandbox is made with: sizes, files, permissions, and what the embedder does for the guest.
 *
 *     struct nub_config config = nub_config_default();
 *     config.timeout_ns = 500000000;
 *     config.ops = (struct nub_host_ops){ .context = &mine, .output = my_output };
 *
 * The struct is the caller's. What it points to is borrowed: the comments say until when.
 */
#ifndef NUB_NUB_CONFIG_H
#define NUB_NUB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"
#include "nub/image.h"
#include "nub/program.h"
#include "nub/region.h"
#include "nub/value.h"

/* How guest code is executed. */
enum nub_engine_kind {
	NUB_ENGINE_KVM,     /* in a virtual machine of its own: a hardware boundary */
	NUB_ENGINE_PROCESS, /* in a process of its own under seccomp, for hosts without KVM: no guests at CPL 0 */
};

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
struct nub_exit_report {
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
	void (*exit)(void *context, const struct nub_exit_report *exit);
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
	enum nub_engine_kind engine;
	/* NUB_ENGINE_PROCESS: begin the guest's process on the CPU of the thread that makes and runs it, and keep both there for its
	 * first turns, a hundred at most: it starts sooner. That thread's affinity is changed meanwhile, and as it was at the latest when
	 * the sandbox is freed. */
	bool share_cpu;
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
	bool learn;              /* restoring makes no page ready before it is touched (working_set.h) */
	bool stop_at_checkpoint; /* a checkpoint ends the run, which nub_sandbox_resume goes on with */
	struct nub_host_ops ops;
	struct nub_program_config program; /* of Linux programs */
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

#endif
