/* Memory of a Linux program: a plan of tables and one large part, and the first page tables. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/address_space.h"
#include "program/program_parts.h"

/* The two pages of an engine with system calls, the fixed ones, and a few more. */
enum { SCRATCH_PAGES = NUB_SCRATCH_FIXED_PAGES + 4 };
#define LEAST_TABLES (UINT64_C(1) << 20)
enum { MEMORY_PER_TABLE = 64 };

static uint64_t large_up(uint64_t size)
{
	return nub_large_page_down(size + NUB_LARGE_PAGE_SIZE - 1);
}

static int plan(struct nub_program *program, struct nub_error *err)
{
	const uint64_t asked = program->config.memory_size;

	if (asked == 0)
		return nub_fail(err, NUB_E_SIZE, 0, "a program needs memory, 0 bytes were given");
	if (asked > NUB_MAX_MEMORY_SIZE / 2)
		return nub_fail(err, NUB_E_MEMORY_TOO_BIG, 0,
		                "memory request too big: %" PRIu64 " bytes, the limit is %" PRIu64, asked,
		                (uint64_t)NUB_MAX_MEMORY_SIZE / 2);
	const uint64_t size = large_up(asked);
	const uint64_t base = large_up(LEAST_TABLES + size / MEMORY_PER_TABLE + NUB_BASE_ADDRESS);
	program->plan.layout = (struct nub_layout){
		.page_table_gpa = NUB_BASE_ADDRESS,
		.page_table_size = base - NUB_BASE_ADDRESS,
		.heap_gpa = base,
		.heap_size = size,
		.data_end_gpa = base + size,
		.snapshot_size = base + size - NUB_BASE_ADDRESS,
		.input_size = NUB_PAGE_SIZE,
		.output_size = NUB_PAGE_SIZE,
		.scratch_size = SCRATCH_PAGES * NUB_PAGE_SIZE,
		.cow = NUB_COW_HOST,
	};
	return 0;
}

int nub_program_make_memory(struct nub_program *program, uint64_t *tables_used, struct nub_error *err)
{
	const struct nub_layout *layout = &program->plan.layout;
	const struct nub_config no_files = { .engine = program->config.engine };
	struct nub_pt_builder tables = { 0 };
	int result = -1;

	if (plan(program, err) == 0 && nub_pt_init(&tables, layout->page_table_gpa, err) == 0 &&
	    nub_address_space_map_editable(&tables, layout, layout->page_table_gpa, layout->page_table_size, err) ==
	        0 &&
	    nub_memory_init(&program->memory, &program->plan, &no_files, err) == 0) {
		memcpy(nub_memory_at(&program->memory, layout->page_table_gpa, tables.size), tables.tables,
		       tables.size);
		*tables_used = tables.size;
		result = 0;
	}
	nub_pt_release(&tables);
	return result;
}
