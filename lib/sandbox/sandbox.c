/* Making a sandbox: memory filled from the image, VM, vCPU in its first state; and taking it apart. */
#include "sandbox/sandbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "elf/elf_image.h"
#include "engine/engines.h"
#include "personality/nub/scratch.h"

static int write_file_mappings(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_memory_map *snapshot = &sandbox->memory.snapshot;

	for (size_t i = 0; i < sandbox->plan.map_count; i++) {
		const struct nub_file_map *map = &sandbox->config.maps[i];
		if (nub_layout_add_file_mapping(&sandbox->plan.layout, snapshot->host, snapshot->size, map->gva,
		                                map->size, map->label ? map->label : "", err) < 0)
			return -1;
	}
	return 0;
}

/* Code, PEB, init data and page tables into the snapshot region. */
static int fill_snapshot(struct nub_sandbox *sandbox, const struct nub_image *image,
                         const struct nub_pt_builder *tables, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->plan.layout;
	const struct nub_memory_map *snapshot = &sandbox->memory.snapshot;

	if (nub_image_load(image, snapshot->host, layout->code_size, err) < 0 ||
	    nub_layout_write_peb(layout, snapshot->host, snapshot->size, err) < 0 ||
	    write_file_mappings(sandbox, err) < 0)
		return -1;
	if (layout->init_data_bytes > 0)
		memcpy(nub_memory_at(&sandbox->memory, layout->init_data_gpa, layout->init_data_bytes),
		       sandbox->config.init_data, layout->init_data_bytes);
	memcpy(nub_memory_at(&sandbox->memory, layout->page_table_gpa, tables->size), tables->tables, tables->size);
	return 0;
}

int nub_sandbox_fill_scratch(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->plan.layout;
	uint8_t *scratch = sandbox->memory.scratch.host;

	sandbox->random_state = sandbox->config.seed;
	if (!sandbox->config.has_seed &&
	    nub_sandbox_random(sandbox, &sandbox->config.seed, sizeof(sandbox->config.seed), err) < 0)
		return -1;
	nub_scratch_reset_rings(layout, scratch);
	nub_scratch_write_metadata(layout, scratch, sandbox->generation, sandbox->config.seed);
	return 0;
}

static int build_memory(struct nub_sandbox *sandbox, const struct nub_image *image, struct nub_error *err)
{
	struct nub_pt_builder tables = { 0 };
	int result = -1;

	if (nub_plan_init(&sandbox->plan, &sandbox->config, image, err) < 0)
		return -1;
	if (nub_plan_tables(&sandbox->plan, sandbox->guest->privilege_level, &tables, err) == 0 &&
	    nub_memory_init(&sandbox->memory, &sandbox->plan, &sandbox->config, err) == 0) {
		nub_memory_advise_heap(&sandbox->memory, &sandbox->plan.layout);
		if (fill_snapshot(sandbox, image, &tables, err) == 0)
			result = nub_sandbox_fill_scratch(sandbox, err);
	}
	nub_pt_release(&tables);
	return result;
}

struct nub_engine_guest nub_sandbox_engine_guest(struct nub_sandbox *sandbox)
{
	return (struct nub_engine_guest){
		.memory = &sandbox->memory,
		.plan = &sandbox->plan,
		.cpuid = &sandbox->cpuid,
		.ports = nub_open_ports,
		.port_count = nub_open_port_count,
		.privilege_level = sandbox->guest->privilege_level,
		.root_gpa = sandbox->root_gpa,
	};
}

static int start_cpu(struct nub_sandbox *sandbox, struct nub_error *err)
{
	nub_cpu_fill_cpuid(&sandbox->cpuid);
	sandbox->root_gpa = sandbox->plan.layout.page_table_gpa;
	const struct nub_engine_guest guest = nub_sandbox_engine_guest(sandbox);
	if (nub_cpu_check_host(&sandbox->cpuid, err) < 0 || nub_engine_attach(sandbox->engine, &guest, err) < 0)
		return -1;
	return nub_engine_start(sandbox->engine, NULL, err);
}

struct nub_sandbox *nub_sandbox_create(const struct nub_config *config, const struct nub_image *image,
                                       struct nub_error *err)
{
	struct nub_sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (!sandbox) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "sandbox");
		return NULL;
	}
	sandbox->guest = nub_image_info(image);
	sandbox->config = *config;
	nub_dirty_init(&sandbox->dirty);
	sandbox->engine = nub_kvm_create(err);
	if (!sandbox->engine || build_memory(sandbox, image, err) < 0 || start_cpu(sandbox, err) < 0) {
		nub_sandbox_free(sandbox);
		return NULL;
	}
	sandbox->peb_gva = nub_layout_code_gva(&sandbox->plan.layout, sandbox->plan.layout.peb_gpa);
	sandbox->stack_top_gva = nub_layout_stack_top_gva(&sandbox->plan.layout);
	sandbox->config.init_data = NULL;
	sandbox->config.maps = NULL;
	return sandbox;
}

void nub_sandbox_free(struct nub_sandbox *sandbox)
{
	if (!sandbox)
		return;
	if (sandbox->debugger)
		sandbox->debugger->hooks->release(sandbox->debugger);
	nub_engine_release(sandbox->engine);
	nub_memory_release(&sandbox->memory);
	nub_plan_release(&sandbox->plan);
	nub_dirty_release(&sandbox->dirty);
	nub_buffer_release(&sandbox->request);
	free(sandbox->item);
	free(sandbox);
}

const struct nub_exit_counts *nub_sandbox_exit_counts(const struct nub_sandbox *sandbox)
{
	return &sandbox->exits;
}

void nub_sandbox_memory_info(const struct nub_sandbox *sandbox, struct nub_memory_info *info)
{
	const struct nub_layout *layout = &sandbox->plan.layout;

	*info = (struct nub_memory_info){
		.snapshot_size = layout->snapshot_size,
		.scratch_size = layout->scratch_size,
		.page_table_size = layout->page_table_size,
	};
	for (size_t i = 0; i < sandbox->plan.map_count; i++)
		info->mapped_size += sandbox->plan.maps[i].size;
}

int nub_sandbox_read(struct nub_sandbox *sandbox, uint64_t gva, void *bytes, size_t size, struct nub_error *err)
{
	struct nub_sregs sregs;

	if (nub_engine_sregs(sandbox->engine, &sregs, err) < 0)
		return -1;
	return nub_memory_read(&sandbox->memory, sregs.cr3, gva, bytes, size, err);
}
