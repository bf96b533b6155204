/* Memory of a Linux program: one large part, its tables behind it, and the first of these. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/address_space.h"
#include "personality/linux/guest.h"

#define LEAST_TABLES (UINT64_C(1) << 20)
enum { MEMORY_PER_TABLE = 64 };

static int plan(struct nub_machine *machine, uint64_t asked, struct nub_error *err)
{
	if (asked == 0)
		return nub_fail(err, NUB_E_SIZE, 0, "a program needs memory, 0 bytes were given");
	if (asked > NUB_MAX_MEMORY_SIZE / 2) {
		nub_fail(err, NUB_E_MEMORY_TOO_BIG, 0,
		         "memory request too big: %" PRIu64 " bytes, the limit is %" PRIu64, asked,
		         (uint64_t)NUB_MAX_MEMORY_SIZE / 2);
		return nub_parameter(err, "memory_size", 0);
	}
	const uint64_t size = nub_large_page_down(asked + NUB_LARGE_PAGE_SIZE - 1);
	const uint64_t tables = nub_page_down(LEAST_TABLES + size / MEMORY_PER_TABLE);
	const uint64_t end = NUB_BASE_ADDRESS + size;
	machine->plan.layout = (struct nub_layout){
		.heap_gpa = NUB_BASE_ADDRESS,
		.heap_size = size,
		.data_end_gpa = end,
		.page_table_gpa = end,
		.page_table_size = tables,
		.snapshot_size = size + tables,
		.input_size = NUB_PAGE_SIZE,
		.output_size = NUB_PAGE_SIZE,
		.scratch_size = nub_layout_min_scratch(NUB_PAGE_SIZE, NUB_PAGE_SIZE),
		.cow = NUB_COW_HOST,
		.engine = machine->config.engine,
		.pages_stay = true,
	};
	machine->root_gpa = end;
	return 0;
}

/* The engine writes the rest of them while the program runs. */
static int write_tables(struct nub_personality *personality, struct nub_error *err)
{
	struct nub_machine *machine = personality->machine;
	const struct nub_layout *layout = &machine->plan.layout;
	struct nub_pt_builder tables = { 0 };
	int result = -1;

	if (nub_pt_init(&tables, layout->page_table_gpa, err) == 0 &&
	    nub_address_space_map_editable(&tables, layout, layout->page_table_gpa, layout->page_table_size, err) ==
	        0) {
		memcpy(nub_memory_at(&machine->memory, layout->page_table_gpa, tables.size), tables.tables,
		       tables.size);
		personality->tables_used = tables.size;
		result = 0;
	}
	nub_pt_release(&tables);
	return result;
}

int nub_linux_guest_build(struct nub_personality *personality, const struct nub_image *image, struct nub_error *err)
{
	struct nub_machine *machine = personality->machine;
	const uint64_t asked = machine->config.program.memory_size;

	if (machine->config.cow != NUB_COW_HOST)
		return nub_fail(err, NUB_E_USAGE, 0, "%s: pages of Linux programs are copied by the host alone",
		                machine->guest->name);
	if (plan(machine, asked != 0 ? asked : NUB_DEFAULT_PROGRAM_MEMORY, err) < 0)
		return -1;
	if (nub_memory_init(&machine->memory, &machine->plan, &machine->config, err) < 0)
		return -1;
	return nub_linux_guest_show(nub_linux_guest_of(personality), image, err);
}

int nub_linux_guest_place(struct nub_personality *personality, const struct nub_layout *stored, struct nub_error *err)
{
	struct nub_machine *machine = personality->machine;
	const uint64_t asked = machine->config.program.memory_size;
	const uint64_t needed = stored->data_end_gpa - NUB_BASE_ADDRESS;

	if (plan(machine, asked != 0 ? asked : stored->heap_size, err) < 0)
		return -1;
	if (machine->plan.layout.heap_size >= needed)
		return 0;
	nub_fail(err, NUB_E_MEMORY_TOO_SMALL, 0,
	         "the snapshot's pages take %" PRIu64 " bytes of memory, %" PRIu64 " were given", needed,
	         machine->plan.layout.heap_size);
	return nub_parameter(err, "memory_size", needed);
}

int nub_linux_guest_begin(struct nub_personality *personality, struct nub_error *err)
{
	return write_tables(personality, err);
}
