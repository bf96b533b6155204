/* The layout itself: check the sizes that were asked for, place each part, size scratch. Pure arithmetic. */
#include "memory/layout.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/util.h"

#define PEB_BYTES (sizeof(struct nub_peb) + NUB_MAX_FILE_MAPPINGS * sizeof(struct nub_file_mapping))
#define PEB_SIZE ((PEB_BYTES + NUB_PAGE_SIZE - 1) & ~(NUB_PAGE_SIZE - 1))

#define SCRATCH_END_GPA (NUB_SCRATCH_TOP_GPA + 1)
#define SCRATCH_END_GVA (NUB_SCRATCH_TOP_GVA + 1)

/* The gvas that heap, init data and stack can get. */
#define DATA_WINDOW_SIZE (NUB_BASE_ADDRESS + NUB_MAX_MEMORY_SIZE)

/* An automatic scratch has room for so many bytes of copied pages at most (cow=guest). */
#define COPY_ROOM_MAX (UINT64_C(64) << 20)

/* Round a size under NUB_MAX_MEMORY_SIZE, or a sum of a few such, up to pages: it can't wrap. */
static uint64_t pages_up(uint64_t size)
{
	return (size + NUB_PAGE_SIZE - 1) & ~(NUB_PAGE_SIZE - 1);
}

/* ---- Checks ---- */

/* `parameter` as config.h has it, NULL where several count. */
static int too_big(const char *what, uint64_t asked, const char *parameter, struct nub_error *err)
{
	nub_fail(err, NUB_E_MEMORY_TOO_BIG, 0, "memory request too big: %s is %" PRIu64 " bytes, the limit is %" PRIu64,
	         what, asked, (uint64_t)NUB_MAX_MEMORY_SIZE);
	return nub_parameter(err, parameter, 0);
}

/* A size of heap, stack or ring: not 0, not over the limit, so that sums of them can't wrap. */
static int check_size(const char *parameter, uint64_t size, struct nub_error *err)
{
	if (size == 0) {
		nub_fail(err, NUB_E_SIZE, 0, "%s is 0 bytes, at least 1 page (%" PRIu64 " bytes) is needed", parameter,
		         (uint64_t)NUB_PAGE_SIZE);
		return nub_parameter(err, parameter, NUB_PAGE_SIZE);
	}
	return size > NUB_MAX_MEMORY_SIZE ? too_big(parameter, size, parameter, err) : 0;
}

/* Rings are used as they are, never rounded: the guest is told the very size that was asked for. */
static int check_ring(const char *parameter, uint64_t size, struct nub_error *err)
{
	uint64_t next = size < NUB_PAGE_SIZE ? NUB_PAGE_SIZE : (size | 7) + 1;

	if (check_size(parameter, size, err) < 0)
		return -1;
	if (size >= NUB_PAGE_SIZE && size % 8 == 0)
		return 0;
	if (size < NUB_PAGE_SIZE)
		nub_fail(err, NUB_E_SIZE, 0, "%s is %" PRIu64 " bytes, at least %" PRIu64 " are needed", parameter,
		         size, (uint64_t)NUB_PAGE_SIZE);
	else
		nub_fail(err, NUB_E_SIZE, 0, "%s is %" PRIu64 " bytes, which is not a multiple of 8", parameter, size);
	return nub_parameter(err, parameter, next);
}

/* Code and PEB must lie in the lower half, off page 0, and off the window of heap, init data and stack. */
static int check_image(const struct nub_layout_sizes *sizes, struct nub_error *err)
{
	uint64_t size, end;

	if (sizes->image_size > NUB_MAX_MEMORY_SIZE) {
		too_big("the guest's image", sizes->image_size, NULL, err);
		return nub_hint(err, "link the guest's segments closer together");
	}
	size = sizes->image_size + PEB_SIZE;
	if (!nub_page_aligned(sizes->image_base) || !nub_page_aligned(sizes->image_size) || sizes->image_size == 0)
		return nub_fail(err, NUB_E_ELF_ADDRESS, 0,
		                "the guest's image at 0x%" PRIx64 " with 0x%" PRIx64
		                " bytes is not made of whole pages",
		                sizes->image_base, sizes->image_size);
	if (sizes->image_base < NUB_BASE_ADDRESS)
		nub_fail(err, NUB_E_ELF_ADDRESS, 0, "the guest's image begins at 0x%" PRIx64 ", below 0x%" PRIx64,
		         sizes->image_base, (uint64_t)NUB_BASE_ADDRESS);
	else if (__builtin_add_overflow(sizes->image_base, size, &end) || end > NUB_USER_GVA_END)
		nub_fail(err, NUB_E_ELF_ADDRESS, 0,
		         "the guest's image at 0x%" PRIx64 " with 0x%" PRIx64
		         " bytes, its PEB included, reaches over 0x%" PRIx64,
		         sizes->image_base, size, (uint64_t)NUB_USER_GVA_END);
	else if (nub_ranges_overlap(sizes->image_base, size, NUB_DATA_GVA_BASE, DATA_WINDOW_SIZE))
		nub_fail(err, NUB_E_ELF_ADDRESS, 0,
		         "the guest's image at 0x%" PRIx64 " with 0x%" PRIx64
		         " bytes, its PEB included, meets its data window, "
		         "0x%" PRIx64 " to 0x%" PRIx64,
		         sizes->image_base, size, (uint64_t)NUB_DATA_GVA_BASE,
		         (uint64_t)(NUB_DATA_GVA_BASE + DATA_WINDOW_SIZE - 1));
	else
		return 0;
	return nub_hint(err, "link it at 0x400000, or as a static PIE");
}

static int check_sizes(const struct nub_layout_sizes *sizes, struct nub_error *err)
{
	if (check_size("heap_size", sizes->heap_size, err) < 0 ||
	    check_size("stack_size", sizes->stack_size, err) < 0 ||
	    check_ring("input_size", sizes->input_size, err) < 0 ||
	    check_ring("output_size", sizes->output_size, err) < 0)
		return -1;
	if (sizes->init_data_size > NUB_MAX_MEMORY_SIZE)
		return too_big("init_data_size", sizes->init_data_size, "init_data_size", err);
	if (sizes->scratch_size > NUB_MAX_MEMORY_SIZE)
		return too_big("scratch_size", sizes->scratch_size, "scratch_size", err);
	return check_image(sizes, err);
}

/* ---- The snapshot region ---- */

static int check_snapshot(const struct nub_layout *layout, struct nub_error *err)
{
	const char *largest = "heap_size";
	uint64_t size = layout->heap_size;

	if (layout->snapshot_size <= NUB_MAX_MEMORY_SIZE)
		return 0;
	if (layout->stack_size > size)
		largest = "stack_size", size = layout->stack_size;
	if (layout->init_data_size > size)
		largest = "init_data_size";
	return too_big("the guest's code, PEB, heap, init data, stack and page tables together", layout->snapshot_size,
	               largest, err);
}

static void place_parts(struct nub_layout *layout, const struct nub_layout_sizes *sizes)
{
	layout->image_base = sizes->image_base;
	layout->code_gpa = NUB_BASE_ADDRESS;
	layout->code_size = sizes->image_size;
	layout->peb_gpa = layout->code_gpa + layout->code_size;
	layout->peb_size = PEB_SIZE;
	layout->heap_gpa = layout->peb_gpa + layout->peb_size;
	layout->heap_size = pages_up(sizes->heap_size);
	layout->init_data_gpa = layout->heap_gpa + layout->heap_size;
	layout->init_data_bytes = sizes->init_data_size;
	layout->init_data_size = pages_up(sizes->init_data_size);
	layout->guard_gpa = layout->init_data_gpa + layout->init_data_size;
	layout->stack_gpa = layout->guard_gpa + NUB_PAGE_SIZE;
	layout->stack_size = pages_up(sizes->stack_size);
	layout->data_end_gpa = layout->stack_gpa + layout->stack_size;
	layout->snapshot_size = layout->data_end_gpa - NUB_BASE_ADDRESS;
}

/* ---- Scratch ---- */

uint64_t nub_layout_rings_size(const struct nub_layout *layout)
{
	return pages_up(layout->input_size + layout->output_size);
}

uint64_t nub_layout_min_scratch(uint64_t input_size, uint64_t output_size)
{
	return pages_up(input_size + output_size) + NUB_SCRATCH_MIN_PAGES * NUB_PAGE_SIZE;
}

/* The most tables below the root that a run of `size` bytes can take, wherever it starts, with 4 KiB leaves only: one
 * for each whole span of a table, and one for each end. */
static uint64_t max_tables(uint64_t size)
{
	return (size >> 21) + 2 + (size >> 30) + 2 + (size >> 39) + 2;
}

/* An upper bound of the page tables' size with a scratch of `room` bytes and the tables themselves. Each round adds the
 * tables that map the tables of the last one, a 512th: a few rounds end it. */
static uint64_t max_page_tables(const struct nub_layout_sizes *sizes, uint64_t data_size, uint64_t room)
{
	uint64_t others = 1 + max_tables(sizes->image_size + PEB_SIZE) + max_tables(data_size) +
	                  max_tables(sizes->mapped_size) + UINT64_C(6) * sizes->map_count;
	uint64_t size = 0, last;

	do {
		last = size;
		size = (others + max_tables(room + last)) * NUB_PAGE_SIZE;
	} while (size != last);
	return size;
}

/* With cow=guest, the tables' place in scratch depends on the size of scratch. So that they need not move once they
 * are built, room for the largest that they can become is kept from the start. */
static uint64_t automatic_scratch(const struct nub_layout *layout, const struct nub_layout_sizes *sizes)
{
	uint64_t minimum = nub_layout_min_scratch(layout->input_size, layout->output_size);
	uint64_t size = minimum;

	if (layout->cow == NUB_COW_GUEST) {
		size += layout->snapshot_size < COPY_ROOM_MAX ? layout->snapshot_size : COPY_ROOM_MAX;
		size += max_page_tables(sizes, layout->snapshot_size, size);
	}
	return size > NUB_DEFAULT_SCRATCH_SIZE ? size : NUB_DEFAULT_SCRATCH_SIZE;
}

static int check_scratch(const struct nub_layout *layout, struct nub_error *err)
{
	uint64_t minimum = nub_layout_min_scratch(layout->input_size, layout->output_size);

	if (layout->cow == NUB_COW_GUEST)
		minimum += layout->page_table_size;
	if (minimum > NUB_MAX_MEMORY_SIZE)
		return too_big("scratch, with its buffers,", minimum,
		               layout->input_size > layout->output_size ? "input_size" : "output_size", err);
	if (layout->scratch_size > NUB_MAX_MEMORY_SIZE)
		return too_big("scratch, with its buffers,", layout->scratch_size, "scratch_size", err);
	if (layout->scratch_size >= minimum)
		return 0;
	nub_fail(err, NUB_E_MEMORY_TOO_SMALL, 0,
	         "memory request too small: scratch_size is %" PRIu64 " bytes, the minimum is %" PRIu64,
	         layout->scratch_size, minimum);
	return nub_parameter(err, "scratch_size", minimum);
}

/* ---- Interface ---- */

int nub_layout_init(struct nub_layout *layout, const struct nub_layout_sizes *sizes, struct nub_error *err)
{
	*layout = (struct nub_layout){ 0 };
	if (check_sizes(sizes, err) < 0)
		return -1;
	place_parts(layout, sizes);
	if (check_snapshot(layout, err) < 0)
		return -1;
	layout->cow = sizes->cow;
	layout->engine = sizes->engine;
	layout->input_size = sizes->input_size;
	layout->output_size = sizes->output_size;
	layout->scratch_automatic = sizes->scratch_size == 0;
	layout->scratch_size =
	    layout->scratch_automatic ? automatic_scratch(layout, sizes) : pages_up(sizes->scratch_size);
	if (check_scratch(layout, err) < 0)
		return -1;
	layout->page_table_gpa = layout->cow == NUB_COW_GUEST
	                             ? nub_layout_scratch_gpa(layout) + nub_layout_rings_size(layout)
	                             : layout->data_end_gpa;
	return 0;
}

int nub_layout_set_page_tables(struct nub_layout *layout, uint64_t size, struct nub_error *err)
{
	if (size > NUB_MAX_MEMORY_SIZE)
		return too_big("page tables", size, NULL, err);
	layout->page_table_size = size;
	if (layout->cow == NUB_COW_GUEST)
		return check_scratch(layout, err);
	layout->snapshot_size = layout->data_end_gpa - NUB_BASE_ADDRESS + size;
	return check_snapshot(layout, err);
}

uint64_t nub_layout_scratch_gpa(const struct nub_layout *layout)
{
	return SCRATCH_END_GPA - layout->scratch_size;
}

uint64_t nub_layout_scratch_gva(const struct nub_layout *layout)
{
	return nub_layout_scratch_end_gva(layout) - layout->scratch_size;
}

uint64_t nub_layout_scratch_end_gva(const struct nub_layout *layout)
{
	return layout->engine == NUB_ENGINE_PROCESS ? NUB_LAYOUT_PROCESS_SCRATCH_END : SCRATCH_END_GVA;
}

uint64_t nub_layout_first_free_gpa(const struct nub_layout *layout)
{
	if (layout->cow == NUB_COW_GUEST)
		return layout->page_table_gpa + layout->page_table_size;
	return nub_layout_scratch_gpa(layout) + nub_layout_rings_size(layout);
}

uint64_t nub_layout_scratch_page_gpa(unsigned page)
{
	return SCRATCH_END_GPA - page * NUB_PAGE_SIZE;
}

uint64_t nub_layout_scratch_page_gva(unsigned page)
{
	return SCRATCH_END_GVA - page * NUB_PAGE_SIZE;
}

const char *nub_scratch_page_name(uint64_t gva)
{
	static const char *const names[NUB_SCRATCH_FIXED_PAGES + 1] = {
		[NUB_SCRATCH_PAGE_METADATA] = "metadata",
		[NUB_SCRATCH_PAGE_FAULT_STACK] = "page-fault stack",
		[NUB_SCRATCH_PAGE_DOUBLE_FAULT_STACK] = "double-fault stack",
		[NUB_SCRATCH_PAGE_CPU_TABLES] = "CPU tables",
		[NUB_SCRATCH_PAGE_MONITOR] = "monitor",
	};
	const uint64_t last = nub_layout_scratch_page_gva(NUB_SCRATCH_FIXED_PAGES);

	return gva >= last && gva < SCRATCH_END_GVA ? names[(SCRATCH_END_GVA - gva + NUB_PAGE_SIZE - 1) / NUB_PAGE_SIZE]
	                                            : NULL;
}

uint64_t nub_layout_code_gva(const struct nub_layout *layout, uint64_t gpa)
{
	return layout->image_base + (gpa - NUB_BASE_ADDRESS);
}

uint64_t nub_layout_data_gva(uint64_t gpa)
{
	return NUB_DATA_GVA_BASE + gpa;
}

uint64_t nub_layout_stack_top_gva(const struct nub_layout *layout)
{
	return nub_layout_data_gva(layout->stack_gpa + layout->stack_size);
}
