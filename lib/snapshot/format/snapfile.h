/* Snapshots on disk: the header and the metadata of a snapshot file, as bytes and as a struct (R23 to R28). Pure.
 *
 * man/nub-snapshot.5 is the format's reference and comes first: a change is made there, then here. Byte offset in the
 * file and guest-physical address are the same number: the header is in page 0, where a guest has no memory; memory
 * follows at NUB_BASE_ADDRESS, zero pages as holes; the metadata comes last, page-aligned.
 *
 * Decoding copies all that it keeps: the struct owns its memory, whatever becomes of the bytes. Every count and size is
 * capped before anything is allocated, every offset checked before it is used. Encoding gives the same bytes for the
 * same struct, always, and makes the same checks: what can be saved can be loaded.
 *
 * Reading a file: nub_snapshot_decode_header, nub_snapshot_check_file_size, nub_snapshot_decode_meta,
 * nub_cpu_check_features; then map the memory, and load the CPU. Writing one: fill the meta, memory_hash by a nub_memory_hasher, hash by nub_snapshot_hash, then nub_snapshot_encode_meta and _header.
 */
#ifndef NUB_SNAPFILE_H
#define NUB_SNAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "cpu/cpu.h"
#include "memory/layout.h"
#include "nub/error.h"
#include "nub/program.h"
#include "nub/region.h"
#include "nub/value.h"
#include "nub/working_set.h"

#define NUB_SNAPSHOT_VERSION 1
#define NUB_SNAPSHOT_HEADER_SIZE 256u

/* Caps: a file that says more is refused before anything is allocated. With cow=guest, the image's tail comes on top of a
 * snapshot region of the full size. */
#define NUB_SNAPSHOT_MAX_IMAGE_END (NUB_BASE_ADDRESS + 2 * NUB_MAX_MEMORY_SIZE)
#define NUB_SNAPSHOT_MAX_METADATA (1u << 30)
#define NUB_SNAPSHOT_MAX_REGIONS 4096u
#define NUB_SNAPSHOT_MAX_FUNCTIONS 65536u
#define NUB_SNAPSHOT_MAX_ROOTS 16u
#define NUB_SNAPSHOT_MAX_HOST_FUNCTIONS 1024u
#define NUB_SNAPSHOT_MAX_PATH 4096u
#define NUB_SNAPSHOT_MAX_BASE_NAME 255u
#define NUB_SNAPSHOT_MAX_RUNS (1u << 20)
#define NUB_SNAPSHOT_MAX_LAYERS 16u

struct nub_hash {
	uint8_t bytes[16]; /* XXH3-128, canonical (big-endian) */
};

enum nub_next_action {
	NUB_NEXT_INITIALISE = 0, /* enter at guest.entry: nothing has run */
	NUB_NEXT_CALL = 1,       /* enter at dispatch_gva, with a request */
	NUB_NEXT_RESUME = 2,     /* go on with cpu.regs, in the middle of the guest's code */
};

/* guest.abi_version of a Linux program, which has a section LINUX, and neither PEB nor stack nor functions of nubrun's. */
#define NUB_SNAPSHOT_ABI_LINUX 0u
#define NUB_SNAPSHOT_LINUX_VERSION 2u

/* A run of pages that this file stores, when it is a layer. */
struct nub_page_run {
	uint64_t gpa, pages;
};

struct nub_snapshot_meta {
	uint32_t format_version; /* of the file that was read; written as NUB_SNAPSHOT_VERSION */
	uint64_t generation;
	struct nub_hash hash;        /* memory and regions (R28): equality of snapshots */
	struct nub_hash memory_hash; /* of memory alone: nub-snapshot(5), HASHES */

	/* Guest */
	char *guest_path; /* as it was given; owned; may be "" */
	uint8_t build_id[64];
	uint32_t build_id_size;
	bool relocatable;
	uint32_t abi_version, privilege_level;
	uint64_t image_base, image_size, entry;
	struct nub_function *functions; /* owned, sorted by name */
	char **host_functions;          /* owned: names that were offered to the guest, sorted */
	uint32_t function_count, host_function_count;

	/* Memory. layout: parts of the image in this file, a gpa of 0 where one is no longer in one piece; page_table_gpa
	 * is where the tables go when it is restored. */
	struct nub_layout layout;
	uint64_t peb_gva, stack_top_gva;
	uint64_t image_end_gpa;     /* end of the stored image, tail included: NUB_BASE_ADDRESS + its size */
	struct nub_region *regions; /* owned; ascending gvas; gpa is 0 where a region is no longer in one piece */
	uint32_t region_count;
	uint64_t roots[NUB_SNAPSHOT_MAX_ROOTS]; /* gpa of each rebuilt PML4; [0] is the one to start with */
	uint32_t root_count;

	/* What to do with it */
	enum nub_next_action next;
	uint64_t dispatch_gva; /* 0 as long as the guest has not given one: with RESUME it may have */

	/* Of a Linux program: all that is not in its memory, as personality/linux/state.h has it. Owned. */
	uint8_t *program;
	uint32_t program_size;
	struct nub_program_item *items; /* owned, with their texts */
	uint32_t item_count;

	/* Layers. A base is named by its hash and, as a hint, by its file name without a folder. */
	bool has_base;
	struct nub_hash base_hash;
	char *base_name;           /* owned; "" when there is none */
	struct nub_page_run *runs; /* owned; ascending, disjoint; only with has_base */
	uint32_t run_count;
	uint32_t depth; /* 0 for a file that needs no other; the base's is one less */

	/* Pages that a guest needs soon. Not in the hashes: the same snapshot is the same with and without. */
	struct nub_working_set working_set;

	/* The state of the vCPU (R31). What is not kept is ignored by the encoder, and 0 after decoding: everything but the
	 * CPUID with NUB_NEXT_INITIALISE, regs unless NUB_NEXT_RESUME, cr3, at CPL 3 tr, ldt, gdt and idt, bytes 464 to 511
	 * of xsave (the host's). */
	struct nub_cpu cpu;
};

void nub_snapshot_meta_release(struct nub_snapshot_meta *meta);

static inline bool nub_snapshot_is_program(const struct nub_snapshot_meta *meta)
{
	return meta->abi_version == NUB_SNAPSHOT_ABI_LINUX;
}

/* The fixed header in page 0: where the metadata is, and what seals it. */
struct nub_snapshot_header {
	uint32_t version;
	uint64_t metadata_offset, metadata_size;
	uint64_t file_size; /* of the whole file */
	struct nub_hash metadata_hash;
};

/* Metadata bytes, appended to *out; and the header that seals them, for a file in which they start at
 * metadata_offset (the image's end) and which is file_size bytes long (their end, or that rounded up to a page). Errors:
 * as nub_snapshot_decode_meta's for a *meta that could not be decoded again. */
int nub_snapshot_encode_meta(const struct nub_snapshot_meta *meta, struct nub_buffer *out, struct nub_error *err);
void nub_snapshot_encode_header(const uint8_t *metadata, size_t metadata_size, uint64_t metadata_offset,
                                uint64_t file_size, uint8_t out[NUB_SNAPSHOT_HEADER_SIZE]);

/* Decode the header out of the first `size` bytes of a file. Errors: SNAPSHOT_MAGIC, SNAPSHOT_VERSION (both named),
 * SNAPSHOT_TRUNCATED, SNAPSHOT_CORRUPT (its own seal is wrong), SNAPSHOT_FIELD. */
int nub_snapshot_decode_header(const uint8_t *bytes, size_t size, struct nub_snapshot_header *header,
                               struct nub_error *err);

/* Is a file of so many bytes as long as its header says? Error: SNAPSHOT_TRUNCATED, with both sizes. */
int nub_snapshot_check_file_size(const struct nub_snapshot_header *header, uint64_t file_size, struct nub_error *err);

/* Check the seal of the metadata and decode it. *meta is valid for the release function whatever happens. Errors:
 * SNAPSHOT_CORRUPT (seal), SNAPSHOT_TRUNCATED (ends inside a field: which), SNAPSHOT_FIELD (a value that can't be: the
 * field, its value, what is allowed), SNAPSHOT_LAYERS (depth), NO_MEMORY. */
int nub_snapshot_decode_meta(const struct nub_snapshot_header *header, const uint8_t *bytes, size_t size,
                             struct nub_snapshot_meta *meta, struct nub_error *err);

/* ---- Hashes ---- */

bool nub_hash_equal(const struct nub_hash *a, const struct nub_hash *b);

/* The snapshot's own hash (R28): over meta->memory_hash and the regions' gva, size and flags. */
struct nub_hash nub_snapshot_hash(const struct nub_snapshot_meta *meta);

/* The hash of memory, page by page in ascending order. Pages of zeros may be given or left out: it is the same. */
struct nub_memory_hasher;
struct nub_memory_hasher *nub_memory_hasher_create(struct nub_error *err); /* error: NO_MEMORY */
void nub_memory_hasher_free(struct nub_memory_hasher *hasher);             /* NULL is fine */
void nub_memory_hasher_page(struct nub_memory_hasher *hasher, uint64_t offset, const uint8_t *page);
struct nub_hash nub_memory_hasher_digest(const struct nub_memory_hasher *hasher);

/* Is this page nothing but zeros, so that it can be a hole? */
bool nub_page_is_zero(const uint8_t *page);

#endif
