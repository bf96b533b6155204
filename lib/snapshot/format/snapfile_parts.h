/* What the modules behind snapfile.h share: coding fields in both directions, the sections, the checks. Private.
 *
 * A section is described once, by a function that takes a codec and codes its fields in their order: the same function
 * reads and writes. It is about bytes: bounds, counts, reserved fields, what can't be represented. What values mean is
 * checked afterwards, on the whole struct, by nub_snapshot_check, for reading and for writing.
 */
#ifndef NUB_SNAPFILE_PARTS_H
#define NUB_SNAPFILE_PARTS_H

#include "base/cursor.h"
#include "base/field.h"
#include "snapshot/format/snapfile.h"

/* ---- snapfile_codec.c ---- */

/* Reads from `in` or writes to `out`; the other is NULL. */
struct nub_codec {
	struct nub_cursor *in;
	struct nub_writer *out;
};

bool nub_codec_failed(const struct nub_codec *codec);

/* Each codes one thing; after a failure it does nothing, and what would have been read is 0. */
uint64_t nub_code_uint(const struct nub_codec *codec, const char *what, unsigned size, uint64_t value);
void nub_code_bool(const struct nub_codec *codec, const char *what, bool *value); /* u32: 0 or 1 */
void nub_code_bytes(const struct nub_codec *codec, const char *what, void *bytes, size_t size);
void nub_code_reserved(const struct nub_codec *codec, const char *what, size_t size); /* zeros */
void nub_code_name(const struct nub_codec *codec, const char *what, char name[NUB_NAME_MAX + 1]);

/* `size` bytes without NUL, as an owned string when it is read. */
void nub_code_string(const struct nub_codec *codec, const char *what, char **string, uint32_t size);

/* A count of at most `limit`; when it is read, so many items of item_size bytes follow at least. */
void nub_code_count(const struct nub_codec *codec, const char *what, uint32_t *count, uint32_t limit, size_t item_size);

/* Zeroed memory for *count items that are about to be read; `items` when they are written. After a failure *count is 0. */
void *nub_code_allocate(const struct nub_codec *codec, void *items, uint32_t *count, size_t item_size);

/* An integer field of a struct, as wide as it is there. */
#define NUB_CODE(codec, what, field)                                                                                   \
	((field) = (__typeof__(field))nub_code_uint(codec, what, sizeof(field), (uint64_t)(field)))

/* ---- The sections: snapfile_sections.c, snapfile_cpu.c ---- */

enum nub_section_type {
	NUB_SECTION_IDENTITY = 1,
	NUB_SECTION_GUEST,
	NUB_SECTION_FUNCTIONS,
	NUB_SECTION_HOST_FUNCTIONS,
	NUB_SECTION_LAYOUT,
	NUB_SECTION_REGIONS,
	NUB_SECTION_ROOTS,
	NUB_SECTION_NEXT,
	NUB_SECTION_CPU,
	NUB_SECTION_CPUID,
	NUB_SECTION_LAYER,
	NUB_SECTION_LINUX,
	NUB_SECTION_WORKING_SET,
	NUB_SECTION_LAST = NUB_SECTION_WORKING_SET,
};

#define NUB_SECTION_CRITICAL 1u
#define NUB_SECTION_HEADER_SIZE 16u
#define NUB_SECTION_ALIGNMENT 8u

const char *nub_section_name(enum nub_section_type type);
void nub_section_code(enum nub_section_type type, const struct nub_codec *codec, struct nub_snapshot_meta *meta);

/* NUB_SECTION_CRITICAL, unless a reader that doesn't know it may pass over it. */
uint32_t nub_section_flags(enum nub_section_type type);

/* Is it in the file of such a snapshot? */
bool nub_section_present(enum nub_section_type type, const struct nub_snapshot_meta *meta);

void nub_code_cpu(const struct nub_codec *codec, struct nub_snapshot_meta *meta);
void nub_code_cpuid(const struct nub_codec *codec, struct nub_snapshot_meta *meta);

/* Zero what a file does not keep of the CPU's state. */
void nub_snapshot_drop_unkept(struct nub_snapshot_meta *meta);

/* ---- The checks: snapfile_check.c, snapfile_check_memory.c ---- */

/* All values in their ranges and consistent with each other. Errors: SNAPSHOT_FIELD, SNAPSHOT_LAYERS. */
int nub_snapshot_check(const struct nub_snapshot_meta *meta, struct nub_error *err);
int nub_snapshot_check_memory(const struct nub_snapshot_meta *meta, struct nub_error *err);

/* What follows from the layout's other fields: page_table_gpa, snapshot_size, and *image_end_gpa. */
void nub_snapshot_derive_layout(struct nub_layout *layout, uint64_t *image_end_gpa);

/* ---- snapfile_decode.c ---- */

/* Say what to do about a file that was refused, unless that has been said. Gives -1. */
int nub_snapshot_hint(struct nub_error *err);

/* ---- snapfile_hash.c ---- */

struct nub_hash nub_hash_bytes(const void *bytes, size_t size);

#endif
