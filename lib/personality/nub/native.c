/* The life of a guest of nubrun's own ABI: its memory built, its rings emptied, what is kept of it. */
#include "personality/nub/native.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "elf/elf_image.h"
#include "personality/nub/peb.h"
#include "personality/nub/scratch.h"
#include "personality/personalities.h"

/* ---- Memory of a guest that is made ---- */

static int write_file_mappings(struct nub_machine *machine, struct nub_error *err)
{
	const struct nub_memory_map *snapshot = &machine->memory.snapshot;

	for (size_t i = 0; i < machine->plan.map_count; i++) {
		const struct nub_file_map *map = &machine->config.maps[i];
		if (nub_peb_add_file(&machine->plan.layout, snapshot->host, snapshot->size, map->gva, map->size,
		                     map->label ? map->label : "", err) < 0)
			return -1;
	}
	return 0;
}

/* At the end of large code there are often variables that nobody writes. */
enum { MAX_POPULATED = 64 * NUB_PAGE_SIZE };

/* Code, PEB, init data and page tables into the snapshot region. The stack ends where the tables begin, and the guest's first write
 * is to its last page. */
static int fill_snapshot(struct nub_machine *machine, const struct nub_image *image,
                         const struct nub_pt_builder *tables, struct nub_error *err)
{
	const struct nub_layout *layout = &machine->plan.layout;
	const struct nub_memory_map *snapshot = &machine->memory.snapshot;

	nub_memory_populate(&machine->memory, NUB_BASE_ADDRESS,
	                    layout->code_size < MAX_POPULATED ? layout->code_size : MAX_POPULATED);
	nub_memory_populate(&machine->memory, layout->page_table_gpa - NUB_PAGE_SIZE, tables->size + NUB_PAGE_SIZE);
	if (nub_image_load(image, snapshot->host, layout->code_size, err) < 0 ||
	    nub_peb_write(layout, snapshot->host, snapshot->size, err) < 0 || write_file_mappings(machine, err) < 0)
		return -1;
	if (layout->init_data_bytes > 0)
		memcpy(nub_memory_at(&machine->memory, layout->init_data_gpa, layout->init_data_bytes),
		       machine->config.init_data, layout->init_data_bytes);
	memcpy(nub_memory_at(&machine->memory, layout->page_table_gpa, tables->size), tables->tables, tables->size);
	return 0;
}

static int build(struct nub_personality *personality, const struct nub_image *image, struct nub_error *err)
{
	struct nub_native *native = nub_native_of(personality);
	struct nub_machine *machine = personality->machine;
	const struct nub_layout *layout = &machine->plan.layout;
	struct nub_pt_builder tables = { 0 };
	int result = -1;

	if (nub_plan_init(&machine->plan, &machine->config, image, err) < 0)
		return -1;
	if (nub_plan_tables(&machine->plan, machine->guest->privilege_level, &tables, err) == 0 &&
	    nub_memory_init(&machine->memory, &machine->plan, &machine->config, err) == 0) {
		nub_memory_advise_huge(&machine->memory, layout->heap_gpa, layout->heap_size);
		result = fill_snapshot(machine, image, &tables, err);
	}
	nub_pt_release(&tables);
	machine->root_gpa = layout->page_table_gpa;
	native->state.peb_gva = nub_layout_code_gva(layout, layout->peb_gpa);
	native->state.stack_top_gva = nub_layout_stack_top_gva(layout);
	return result;
}

/* ---- A life ---- */

/* Rings and metadata into scratch, with a seed for this life of the guest. */
static int begin(struct nub_personality *personality, struct nub_error *err)
{
	struct nub_native *native = nub_native_of(personality);
	struct nub_machine *machine = personality->machine;
	uint8_t *scratch = machine->memory.scratch.host;
	struct nub_config *config = &machine->config;

	/* What is left of the kernel's bytes was in no life yet. */
	native->random.seeded = config->has_seed;
	native->random.state = config->seed;
	if (!config->has_seed && nub_random_bytes(&native->random, &config->seed, sizeof(config->seed), err) < 0)
		return -1;
	nub_scratch_reset_rings(&machine->plan.layout, scratch);
	nub_scratch_write_metadata(&machine->plan.layout, scratch, machine->generation, config->seed);
	return 0;
}

static void discard(struct nub_personality *personality)
{
	nub_scratch_reset_rings(&personality->machine->plan.layout, personality->machine->memory.scratch.host);
}

/* Scratch is no part of a snapshot: what waits in a ring would be lost. */
static bool at_rest(const struct nub_personality *personality)
{
	const struct nub_machine *machine = personality->machine;
	uint8_t *scratch = machine->memory.scratch.host;
	uint64_t input, output;

	memcpy(&input, nub_scratch_input(&machine->plan.layout, scratch), sizeof(input));
	memcpy(&output, nub_scratch_output(&machine->plan.layout, scratch), sizeof(output));
	return input == NUB_RING_START && output == NUB_RING_START;
}

/* ---- Snapshots ---- */

/* Saved again before it goes on, it has the spaces that it named at its checkpoint. */
static int load(struct nub_personality *personality, const struct nub_personality_state *state,
                const struct nub_registers *resumed, struct nub_error *err)
{
	struct nub_native *native = nub_native_of(personality);

	native->state = *state;
	native->state.root_count = 0;
	native->restored_answer = resumed;
	if (!resumed || personality->machine->guest->privilege_level != 0 || !nub_checkpoint_stands_at(native, resumed))
		return 0;
	return nub_checkpoint_take_roots(native, resumed, err);
}

/* In a restored run, the checkpoint returns 1. */
static int save(struct nub_personality *personality, struct nub_personality_state *state, struct nub_cpu *cpu,
                bool stopped, struct nub_error *err)
{
	(void)err;
	*state = nub_native_of(personality)->state;
	if (stopped)
		cpu->regs.rax = 1;
	return 0;
}

/* The layout is the image's, and the guest's memory is as it was planned. */
static int place(struct nub_personality *personality, const struct nub_layout *stored, struct nub_error *err)
{
	struct nub_machine *machine = personality->machine;

	(void)err;
	machine->plan.layout = *stored;
	machine->plan.layout.engine = machine->config.engine;
	return 0;
}

static int regions(struct nub_personality *personality, struct nub_error *err)
{
	(void)personality;
	(void)err;
	return 0;
}

static const char *region_name(const struct nub_personality *personality, size_t index)
{
	(void)personality;
	(void)index;
	return NULL;
}

static bool thread(struct nub_personality *personality, size_t index, struct nub_guest_thread *thread)
{
	(void)personality;
	(void)index;
	(void)thread;
	return false;
}

/* One thread, no files, no vector. */
static int survey(struct nub_personality *personality, struct nub_survey *told, struct nub_error *err)
{
	(void)personality;
	(void)told;
	(void)err;
	return 0;
}

/* Its file is its image. */
static void modules(struct nub_personality *personality, struct nub_image *image)
{
	(void)personality;
	(void)image;
}

static const uint8_t *auxv(const struct nub_personality *personality, size_t *size)
{
	(void)personality;
	*size = 0;
	return NULL;
}

/* ---- Runs ---- */

/* All of the image is in memory by then. */
static int boot(struct nub_personality *personality, const struct nub_image *image, struct nub_error *err)
{
	(void)personality;
	(void)image;
	(void)err;
	return 0;
}

/* It has one thread, and waits inside callbacks alone. */
static enum nub_verdict next(struct nub_personality *personality, struct nub_idle *idle, struct nub_error *err)
{
	(void)personality;
	(void)idle;
	(void)err;
	return NUB_VERDICT_GO_ON;
}

/* What it asks for is told as the run goes. */
static bool unsupported(const struct nub_personality *personality, size_t index, const char **name, uint64_t *count)
{
	(void)personality;
	(void)index;
	(void)name;
	(void)count;
	return false;
}

static void no_concern(struct nub_personality *personality)
{
	(void)personality;
}

static void release(struct nub_personality *personality)
{
	struct nub_native *native = nub_native_of(personality);

	nub_buffer_release(&native->request);
	free(native->item);
	free(native);
}

static const struct nub_personality_ops ops = {
	.build = build,
	.place = place,
	.begin = begin,
	.boot = boot,
	.load = load,
	.save = save,
	.regions = regions,
	.region_name = region_name,
	.thread = thread,
	.survey = survey,
	.modules = modules,
	.auxv = auxv,
	.at_rest = at_rest,
	.enter = nub_native_enter,
	.next = next,
	.serve = nub_native_serve,
	.interrupted = no_concern,
	.leave = no_concern,
	.exit_name = nub_native_exit_name,
	.unsupported = unsupported,
	.discard = discard,
	.release = release,
};

struct nub_personality *nub_native_create(struct nub_machine *machine, struct nub_error *err)
{
	struct nub_native *native = calloc(1, sizeof(*native));

	if (!native) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "personality");
		return NULL;
	}
	native->personality = (struct nub_personality){
		.ops = &ops,
		.machine = machine,
		.ports = nub_native_ports,
		.port_count = nub_native_port_count,
	};
	return &native->personality;
}
