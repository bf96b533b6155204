/* The regions of memslot 0 as the layout places them, each part checked against it (R3, R10, R11). */
#include <inttypes.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/layout.h"

/* One region per segment. What lies between two segments is memory that nothing maps. */
static int push_code(const struct nub_layout *layout, const struct nub_region_options *options,
                     struct nub_region_list *list, struct nub_error *err)
{
	uint64_t end_gva = layout->image_base + layout->code_size;

	if (nub_region_expect(list, "the code", layout->code_gpa, err) < 0)
		return -1;
	for (size_t i = 0; i < options->segment_count; i++) {
		const struct nub_image_segment *segment = &options->segments[i];
		uint64_t next_gva = nub_layout_code_gva(layout, list->next_gpa);

		if (segment->gva < next_gva || !nub_range_in(segment->gva, segment->size, end_gva))
			return nub_fail(err, NUB_E_INTERNAL, 0,
			                "segment %zu at 0x%" PRIx64 " with 0x%" PRIx64 " bytes is outside 0x%" PRIx64
			                " to 0x%" PRIx64,
			                i, segment->gva, segment->size, next_gva, end_gva);
		if (nub_region_push(list, NUB_REGION_CODE, NUB_REGION_NONE, 0, segment->gva - next_gva, err) < 0 ||
		    nub_region_push(list, NUB_REGION_CODE, segment->flags, segment->gva, segment->size, err) < 0)
			return -1;
	}
	return nub_region_push(list, NUB_REGION_CODE, NUB_REGION_NONE, 0, layout->peb_gpa - list->next_gpa, err);
}

/* Heap, init data, guard and stack, which have the data window's addresses. */
static int push_data(const struct nub_layout *layout, const struct nub_region_options *options,
                     struct nub_region_list *list, struct nub_error *err)
{
	const unsigned read_write = NUB_REGION_READ | NUB_REGION_WRITE;
	const struct {
		const char *name;
		enum nub_region_type type;
		unsigned flags;
		uint64_t gpa, size;
	} parts[] = {
		{ "the heap", NUB_REGION_HEAP, options->executable_heap ? read_write | NUB_REGION_EXECUTE : read_write,
		  layout->heap_gpa, layout->heap_size },
		{ "the init data", NUB_REGION_INIT_DATA, options->init_data_flags, layout->init_data_gpa,
		  layout->init_data_size },
		{ "the guard page", NUB_REGION_GUARD, NUB_REGION_NONE, layout->guard_gpa, NUB_PAGE_SIZE },
		{ "the stack", NUB_REGION_STACK, read_write, layout->stack_gpa, layout->stack_size },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (nub_region_expect(list, parts[i].name, parts[i].gpa, err) < 0 ||
		    nub_region_push(list, parts[i].type, parts[i].flags, nub_layout_data_gva(parts[i].gpa),
		                    parts[i].size, err) < 0)
			return -1;
	return 0;
}

int nub_layout_regions(const struct nub_layout *layout, const struct nub_region_options *options,
                       struct nub_region_list *list, struct nub_error *err)
{
	nub_region_list_init(list, NUB_BASE_ADDRESS);
	if (push_code(layout, options, list, err) < 0)
		return -1;
	if (nub_region_expect(list, "the PEB", layout->peb_gpa, err) < 0 ||
	    nub_region_push(list, NUB_REGION_PEB, NUB_REGION_READ, nub_layout_code_gva(layout, layout->peb_gpa),
	                    layout->peb_size, err) < 0)
		return -1;
	if (push_data(layout, options, list, err) < 0)
		return -1;
	if (nub_region_expect(list, "the page-table tail", layout->data_end_gpa, err) < 0)
		return -1;
	if (layout->cow == NUB_COW_GUEST)
		return 0;
	return nub_region_push(list, NUB_REGION_PAGE_TABLES, NUB_REGION_NONE, 0, layout->page_table_size, err);
}

struct nub_region nub_layout_scratch_region(const struct nub_layout *layout)
{
	return (struct nub_region){
		.type = NUB_REGION_SCRATCH,
		.flags = NUB_REGION_READ | NUB_REGION_WRITE,
		.gpa = nub_layout_scratch_gpa(layout),
		.gva = nub_layout_scratch_gva(layout),
		.size = layout->scratch_size,
	};
}
