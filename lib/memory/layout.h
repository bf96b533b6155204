/* Where everything lies in a guest's memory: a pure function of sizes (R1 to R8).
 *
 *        guest-physical                                    guest-virtual
 *
 *   0xf_ffff_ffff +------------------------------------+   0xffff_ffff_ffff_efff
 *                 | metadata, exception stack          | 1 page   supervisor
 *                 | guard, #PF stack                   | 2 pages  supervisor
 *                 | guard, #DF stack                   | 2 pages  supervisor
 *                 | (unmapped below each stack)        |
 *                 | GDT, IDT, TSS                      | 1 page   supervisor
 *                 | monitor code                       | 1 page   supervisor
 *                 | free pages                         |          supervisor
 *                 | page-table copy (cow=guest)        |          supervisor
 *                 | output buffer                      |          user
 *                 | input buffer                       |          user
 *    scratch base +------------------------------------+   top - size + 1
 *                 :                                    :
 *     0xb_ffff_ffff                                        wherever they are asked for
 *                 | mapped files                       |
 *     0x4_0000_0000
 *                 :                                    :
 *                 +------------------------------------+
 *                 | page-table tail                    |          not mapped
 *                 | stack                              |   0x6000_0000_0000 + gpa
 *                 | guard page (never mapped)          |
 *                 | init data                          |   0x6000_0000_0000 + gpa
 *                 | heap                               |   0x6000_0000_0000 + gpa
 *                 | PEB, file-mapping array            |   image_base + (gpa - 0x1000)
 *                 | code: the segments of the ELF file |   image_base + (gpa - 0x1000)
 *          0x1000 +------------------------------------+
 *                 | null guard: no memory              |
 *               0 +------------------------------------+
 */
#ifndef NUB_LAYOUT_H
#define NUB_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/region.h"
#include "nub/config.h"
#include "nub/error.h"
#include "nub/image.h"

/* Pages at the top of scratch, counted down from its end. */
enum {
	NUB_SCRATCH_PAGE_METADATA = 1, /* metadata, and below it the exception stack (IST 1) */
	NUB_SCRATCH_PAGE_GUARD_1 = 2,
	NUB_SCRATCH_PAGE_FAULT_STACK = 3, /* #PF (IST 2) */
	NUB_SCRATCH_PAGE_GUARD_2 = 4,
	NUB_SCRATCH_PAGE_DOUBLE_FAULT_STACK = 5, /* #DF, NMI, #MC (IST 3) */
	NUB_SCRATCH_PAGE_GUARD_3 = 6,
	NUB_SCRATCH_PAGE_CPU_TABLES = 7,
	NUB_SCRATCH_PAGE_MONITOR = 8,
	NUB_SCRATCH_FIXED_PAGES = 8,
};

/* Scratch holds at least its buffers and this many pages (R5): the fixed ones and a few free ones. */
#define NUB_SCRATCH_MIN_PAGES 12

struct nub_layout_sizes {
	uint64_t image_base; /* gva, page-aligned */
	uint64_t image_size; /* page-aligned, not 0 */
	uint64_t heap_size, init_data_size, stack_size;
	uint64_t input_size, output_size;
	uint64_t scratch_size; /* 0: chosen by nub_layout_init */
	/* An automatic scratch keeps room for the page tables of mapped files too (cow=guest). */
	uint64_t mapped_size; /* of all files, each rounded up to pages */
	unsigned map_count;
	enum nub_cow cow;
	enum nub_engine_kind engine; /* which tells where scratch is */
};

/* gpa of each part and its size; sizes are page-rounded but init_data_bytes. */
struct nub_layout {
	uint64_t image_base;
	uint64_t code_gpa, code_size;
	uint64_t peb_gpa, peb_size; /* with the file-mapping array */
	uint64_t heap_gpa, heap_size;
	uint64_t init_data_gpa, init_data_size, init_data_bytes;
	uint64_t guard_gpa;
	uint64_t stack_gpa, stack_size;
	uint64_t data_end_gpa;    /* end of the stack: the tail of the image starts here */
	uint64_t page_table_gpa;  /* the tables in use: the tail (cow=host) or its copy in scratch (cow=guest) */
	uint64_t page_table_size; /* 0 until nub_layout_set_page_tables */
	uint64_t snapshot_size;   /* of memslot 0, from NUB_BASE_ADDRESS */
	uint64_t input_size, output_size; /* as asked, not rounded */
	uint64_t scratch_size;
	bool scratch_automatic; /* scratch_size was chosen here */
	enum nub_cow cow;
	enum nub_engine_kind engine; /* of the guest that runs; a stored one's scratch is where the kvm engine has it */
	/* Of a Linux program that runs, all of whose memory is `heap`: in a snapshot, each page of it keeps its gpa. */
	bool pages_stay;
};

/* Where scratch ends for the process engine: a process has no upper half. It is congruent with the other place modulo what an
 * entry of the root page table maps (512 GiB), so that scratch moves by moving one entry. */
#define NUB_LAYOUT_PROCESS_SCRATCH_END UINT64_C(0x6ffffffff000)

/* Errors: SIZE (zero; a ring under a page or not a multiple of 8: names the option), MEMORY_TOO_BIG, MEMORY_TOO_SMALL,
 * ELF_ADDRESS when the image collides with page 0, the data window or the upper half. page_table_gpa is valid at once
 * and stays: with cow=host it is data_end_gpa; with cow=guest it follows the buffers in scratch, and an automatic
 * scratch is large enough from the start for the page tables' upper bound and for copies of up to 64 MiB of data. */
int nub_layout_init(struct nub_layout *layout, const struct nub_layout_sizes *sizes, struct nub_error *err);

/* Tell the layout how large the page tables are (a multiple of the page size). They are part of memslot 0 with cow=host,
 * and of scratch's minimum with cow=guest. Errors: MEMORY_TOO_BIG, MEMORY_TOO_SMALL. */
int nub_layout_set_page_tables(struct nub_layout *layout, uint64_t size, struct nub_error *err);

/* Smallest scratch for these buffers, without page tables (R5). The sizes are under NUB_MAX_MEMORY_SIZE. */
uint64_t nub_layout_min_scratch(uint64_t input_size, uint64_t output_size);

uint64_t nub_layout_scratch_gpa(const struct nub_layout *layout);
uint64_t nub_layout_scratch_gva(const struct nub_layout *layout);
uint64_t nub_layout_scratch_end_gva(const struct nub_layout *layout);

/* Scratch as one region, of which the guest's part is the rings. */
struct nub_region nub_layout_scratch_region(const struct nub_layout *layout);

/* Input and output buffer together, rounded up to pages. */
uint64_t nub_layout_rings_size(const struct nub_layout *layout);

/* gpa of the first byte of scratch that nothing occupies (R7). */
uint64_t nub_layout_first_free_gpa(const struct nub_layout *layout);

/* gpa and gva of one of the NUB_SCRATCH_PAGE_ pages, as the kvm engine has them: the process engine has no use for them. */
uint64_t nub_layout_scratch_page_gpa(unsigned page);
uint64_t nub_layout_scratch_page_gva(unsigned page);

uint64_t nub_layout_code_gva(const struct nub_layout *layout, uint64_t gpa); /* code and PEB */
uint64_t nub_layout_data_gva(uint64_t gpa);                                  /* heap, init data, stack */
uint64_t nub_layout_stack_top_gva(const struct nub_layout *layout);

/* The regions of memslot 0 in order: segments of the code (in the order of their gva; a gap is Code without flags and
 * gva), PEB, heap, init data, guard, stack, page tables (when their size is known and they are in the tail), each
 * checked against the layout. `list` is initialised here; the caller releases it, also after an error. */
struct nub_region_options {
	const struct nub_image_segment *segments;
	size_t segment_count;
	bool executable_heap;
	unsigned init_data_flags;
};
int nub_layout_regions(const struct nub_layout *layout, const struct nub_region_options *options,
                       struct nub_region_list *list, struct nub_error *err);

#endif
