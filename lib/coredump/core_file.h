/* Cores on disk: the headers and notes of an ELF core of a guest, as bytes and as a struct. Pure.
 *
 *     ELF header, program headers         PT_NOTE, then a PT_LOAD a crash region, in their order
 *     section header 0                    only with 65535 program headers or more: it has their number
 *     notes                               what gdb reads, then our own: NUB_CORE_NOTE
 *     memory, from a page boundary on     by gpa, so that what is mapped twice is stored once; zero pages are holes
 *
 * PT_LOADs have the region's gva, gpa (as p_paddr), rights and size; p_filesz is less where memory is missing. The types
 * of the regions are in our note, which is little-endian, fields in the order of struct nub_core, lengths first.
 */
#ifndef NUB_CORE_FILE_H
#define NUB_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "nub/dump.h"
#include "nub/error.h"
#include "nub/outcome.h"
#include "nub/region.h"
#include "personality/personality.h"
#include "snapshot/format/snapfile.h"

/* Our note: name "nub", this type, which is nobody else's. A reader knows the versions up to its own. */
#define NUB_CORE_NOTE 0x6e756201
#define NUB_CORE_VERSION 1

/* Caps: a file that says more is refused before anything is allocated. */
#define NUB_CORE_MAX_REGIONS (1u << 20)
#define NUB_CORE_MAX_NOTES (16u << 20)
#define NUB_CORE_MAX_PATH 4096u

/* What our note knows of the crash. */
enum {
	NUB_CORE_HAS_VECTOR = 1,
	NUB_CORE_HAS_ADDRESS = 2,
	NUB_CORE_PAGE_PRESENT = 4,
	NUB_CORE_HAS_REGION = 8,
	NUB_CORE_HAS_CRASH = 16,
	NUB_CORE_PORT_READ = 32,
	NUB_CORE_REGISTERS_LOST = 64,
};

/* A part of the guest's ELF file in its memory. */
struct nub_core_mapping {
	uint64_t gva, size, offset; /* multiples of the page size */
};

#define NUB_CORE_MAX_MAPPINGS 32u

/* Everything but the memory. */
struct nub_core {
	enum nub_core_reason reason;
	bool has_crash;
	struct nub_crash crash; /* its registers are always there, unless they are lost */
	uint64_t cr2, cr3;
	uint64_t image_base, entry;
	uint64_t generation;
	uint8_t build_id[64];
	uint32_t build_id_size;
	char guest_path[NUB_CORE_MAX_PATH]; /* "" when it is not known */

	/* For gdb alone: not read back. */
	uint64_t phdr_gva; /* of the guest's program headers in its memory; 0 when they are not there */
	uint32_t phdr_count;
	struct nub_core_mapping mappings[NUB_CORE_MAX_MAPPINGS];
	uint32_t mapping_count;
	struct nub_sregs sregs;
	uint8_t xsave[NUB_XSAVE_SIZE];
	uint32_t tid;                    /* of the thread that these are of; 1 where there is one */
	const struct nub_survey *survey; /* borrowed, of a Linux program: its other threads, its files; NULL: none */
};

/* Take the registers of the survey's current thread, if it has one; the core borrows the survey. */
void nub_core_take_survey(struct nub_core *core, const struct nub_survey *survey);

/* Where a region's memory is in the file. */
struct nub_core_segment {
	struct nub_region region;
	uint64_t offset, stored; /* in the file; bytes of the region that are there, less where memory is missing */
};

/* The size of all that stands before the memory, a multiple of the page size. The notes are encoded already. */
uint64_t nub_core_head_size(size_t segment_count, size_t notes_size);

/* Append all notes to *notes. Error: NO_MEMORY. */
int nub_core_encode_notes(const struct nub_core *core, const struct nub_core_segment *segments, size_t count,
                          struct nub_buffer *notes, struct nub_error *err);

/* Append the head: headers, notes, padding. Error: NO_MEMORY. */
int nub_core_encode_head(const struct nub_core_segment *segments, size_t count, const struct nub_buffer *notes,
                         struct nub_buffer *head, struct nub_error *err);

/* Where the program headers are, from the file's first bytes. A count of 0xffff means that section header 0 has it. Errors:
 * CORE_MAGIC, CORE_TRUNCATED, CORE_FIELD. */
struct nub_core_headers {
	uint64_t offset, count;
	uint64_t section_offset; /* of section header 0; 0 when there is none */
};
int nub_core_decode_header(const uint8_t *bytes, size_t size, struct nub_core_headers *headers, struct nub_error *err);

/* The program headers, all of them: the PT_LOADs as segments, without types, and the range of the notes. segments[0..count)
 * has room for all. Errors: CORE_TRUNCATED when the file of file_size bytes ends before a segment, CORE_FIELD. */
struct nub_core_notes {
	uint64_t offset, size;
};
int nub_core_decode_segments(const uint8_t *bytes, uint64_t count, uint64_t file_size,
                             struct nub_core_segment *segments, size_t *segment_count, struct nub_core_notes *notes,
                             struct nub_error *err);

/* Find our note in bytes[0..size), and fill *core and the segments' types from it. Errors: CORE_NO_NOTE, CORE_TRUNCATED,
 * CORE_FIELD. */
int nub_core_decode_notes(const uint8_t *bytes, size_t size, struct nub_core *core, struct nub_core_segment *segments,
                          size_t segment_count, struct nub_error *err);

/* Threads and mapped files out of the other notes, as far as they make sense, into a zeroed survey, which is the caller's to release.
 * Error: NO_MEMORY. */
int nub_core_decode_program(const uint8_t *bytes, size_t size, struct nub_survey *survey, struct nub_error *err);

#endif
