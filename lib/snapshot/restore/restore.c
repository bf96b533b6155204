/* Sandboxes from snapshots, made anew (R29 to R31); reset.c puts them back in place. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/util.h"
#include "snapshot/file/snapshot.h"
#include "snapshot/restore/restore.h"
#include "snapshot/save/place.h"

enum { MAX_VARIABLES = 16 * NUB_PAGE_SIZE };

/* The layout and the regions are the snapshot's. */
static int take_plan(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	struct nub_plan *plan = &sandbox->machine.plan;

	nub_plan_release(plan);
	memset(plan, 0, sizeof(*plan));
	if (nub_personality_place(sandbox->personality, &meta->layout, err) < 0)
		return nub_error_context(err, "%s", snapshot->name);
	/* A program's regions are told by its areas. */
	if (nub_snapshot_is_program(meta))
		return 0;
	plan->regions.items = calloc(meta->region_count + 1, sizeof(*plan->regions.items));
	if (!plan->regions.items)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %" PRIu32 " regions", meta->region_count);
	if (meta->region_count > 0)
		memcpy(plan->regions.items, meta->regions, meta->region_count * sizeof(*meta->regions));
	plan->regions.count = meta->region_count;
	plan->regions.capacity = meta->region_count + 1;
	return 0;
}

static void take_identity(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;

	sandbox->snapshot = snapshot;
	sandbox->confined_known = false;
	sandbox->machine.guest = &snapshot->guest;
	sandbox->machine.generation = meta->generation;
	sandbox->machine.root_gpa = meta->roots[0];
	sandbox->machine.config.cow = meta->layout.cow;
}

/* The parts of one file after the other; what is asked of a file is asked once. */
struct showing {
	struct nub_memory *memory;
	const struct nub_snapshot *file;
	bool no_code;
};

/* The offset in the file is the gpa (nub-snapshot(5)). */
static int show_part(void *context, const struct nub_snapshot *file, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	struct showing *showing = context;

	if (file != showing->file) {
		showing->file = file;
		showing->no_code = nub_shared_is_noexec(file->fd);
	}
	const struct nub_memory_piece piece = {
		.gpa = gpa, .size = size, .fd = file->fd, .offset = gpa, .no_code = showing->no_code
	};
	if (nub_memory_show_file(showing->memory, &piece, err) < 0)
		return nub_error_context(err, "%s", file->name);
	return 0;
}

static int map_memory(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->machine.plan.layout;
	struct nub_memory *memory = &sandbox->machine.memory;

	if (nub_memory_init(memory, &sandbox->machine.plan, &sandbox->machine.config, err) < 0)
		return -1;
	memory->snapshot.from_file = true;
	/* Of a program, without the tables: they are made anew, elsewhere, and there is more memory. */
	const uint64_t size = nub_snapshot_is_program(&snapshot->meta)
	                          ? snapshot->meta.layout.data_end_gpa - NUB_BASE_ADDRESS
	                          : layout->snapshot_size;
	sandbox->machine.image_end = NUB_BASE_ADDRESS + size;
	memory->snapshot.file_end = sandbox->machine.image_end;
	if (memory->shared.on) {
		struct showing showing = { .memory = memory };
		return nub_snapshot_parts(snapshot, NUB_BASE_ADDRESS, size, show_part, &showing, err);
	}
	return nub_snapshot_map(snapshot, NUB_BASE_ADDRESS, size, memory->snapshot.host, PROT_READ | PROT_WRITE, err);
}

/* Pages one after the other that the guest will write to. */
struct writes {
	struct nub_memory *memory;
	uint64_t gpa, size;
};

static int end_writes(struct writes *writes, struct nub_error *err)
{
	const uint64_t size = writes->size;

	writes->size = 0;
	return size > 0 ? nub_memory_expect_writes(writes->memory, writes->gpa, size, err) : 0;
}

static int add_writes(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	struct writes *writes = context;
	const struct nub_mapping *leaf = &item->leaf;

	if (!leaf->writable || leaf->size != NUB_PAGE_SIZE)
		return 0;
	if (writes->size > 0 && writes->gpa + writes->size != leaf->gpa && end_writes(writes, err) < 0)
		return -1;
	if (writes->size == 0)
		writes->gpa = leaf->gpa;
	writes->size += leaf->size;
	return 0;
}

/* Of a region, what the guest is sure to write to as soon as it goes on: variables, if they are few, and the top of the stack. */
static uint64_t written_soon(const struct nub_region *region, const struct nub_snapshot_meta *meta, uint64_t *start)
{
	const uint64_t rsp = meta->next == NUB_NEXT_RESUME ? meta->cpu.regs.rsp : meta->stack_top_gva;

	*start = region->gva;
	if (region->type == NUB_REGION_CODE && region->flags & NUB_REGION_WRITE)
		return region->size <= MAX_VARIABLES ? region->size : 0;
	if (region->type != NUB_REGION_STACK || rsp <= region->gva || rsp - region->gva > region->size)
		return 0;
	*start = nub_page_down(rsp - 1);
	return NUB_PAGE_SIZE;
}

/* Where a touch is dear, to code too: a KVM with page tables of its own takes the neighbours of a page along that are the process's
 * own. The guest begins there, and its PEB is behind it. */
static int own_code(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const uint64_t size = sandbox->machine.plan.layout.code_size + NUB_PAGE_SIZE;

	if (!nub_engine_touch_is_dear(sandbox->machine.engine))
		return 0;
	return nub_memory_expect_writes(&sandbox->machine.memory, NUB_BASE_ADDRESS,
	                                size < MAX_VARIABLES ? size : MAX_VARIABLES, err);
}

/* A page that the guest writes to first of all would be a fault, or two, which take ten times as long. */
static int prepare_writes(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_region_list *regions = &sandbox->machine.plan.regions;
	struct writes writes = { .memory = &sandbox->machine.memory };
	const struct nub_pt_reader reader = nub_memory_reader(writes.memory);
	uint64_t start;

	if (sandbox->machine.plan.layout.cow == NUB_COW_GUEST || sandbox->machine.config.learn)
		return 0;
	if (nub_restore_own_working_set(sandbox, err) < 0)
		return -1;
	for (size_t i = 0; i < regions->count; i++) {
		const uint64_t size = written_soon(&regions->items[i], &sandbox->snapshot->meta, &start);
		if (size > 0 && nub_pt_walk(&reader, sandbox->machine.root_gpa, start, start + size - 1,
		                            MAX_VARIABLES / NUB_PAGE_SIZE, add_writes, &writes, err) < 0)
			return -1;
	}
	return end_writes(&writes, err) < 0 ? -1 : own_code(sandbox, err);
}

/* Where the guest copies pages, its tables are in scratch: the stored ones are copied there (R26). */
int nub_restore_copy_tables(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->machine.plan.layout;
	uint8_t *tables = nub_memory_at(&sandbox->machine.memory, layout->page_table_gpa, layout->page_table_size);

	if (layout->cow == NUB_COW_HOST)
		return 0;
	if (!tables)
		return nub_fail(err, NUB_E_INTERNAL, 0, "page tables: no memory at gpa 0x%" PRIx64,
		                layout->page_table_gpa);
	return nub_snapshot_read(sandbox->snapshot, layout->data_end_gpa, tables, layout->page_table_size, err);
}

int nub_restore_take_memory(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	take_identity(sandbox, snapshot);
	if (take_plan(sandbox, snapshot, err) < 0 || map_memory(sandbox, snapshot, err) < 0 ||
	    nub_restore_copy_tables(sandbox, err) < 0)
		return -1;
	if (nub_snapshot_is_program(&snapshot->meta)) {
		if (nub_restore_own_ahead(sandbox, err) < 0)
			return -1;
	} else if (nub_place_scratch(sandbox, err) < 0 || prepare_writes(sandbox, err) < 0) {
		return -1;
	}
	return nub_personality_begin(sandbox->personality, err);
}

static void set_state(struct nub_sandbox *sandbox)
{
	const struct nub_snapshot_meta *meta = &sandbox->snapshot->meta;

	switch (meta->next) {
	case NUB_NEXT_INITIALISE:
		sandbox->state = NUB_STATE_FRESH;
		break;
	case NUB_NEXT_CALL:
		sandbox->state = NUB_STATE_READY;
		break;
	case NUB_NEXT_RESUME:
		sandbox->state = NUB_STATE_STOPPED;
		break;
	}
}

static int load_personality(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_snapshot *snapshot = sandbox->snapshot;
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	const struct nub_personality_state state = {
		.peb_gva = meta->peb_gva,
		.stack_top_gva = meta->stack_top_gva,
		.dispatch_gva = meta->dispatch_gva,
		.program = { .bytes = meta->program, .size = meta->program_size },
	};
	struct nub_error reason = { 0 };

	if (nub_personality_load(sandbox->personality, &state, meta->next == NUB_NEXT_RESUME ? &meta->cpu.regs : NULL,
	                         &reason) == 0)
		return 0;
	/* Of a program, it may be what it is not granted any more. */
	if (nub_snapshot_is_program(meta)) {
		nub_error_context(&reason, "%s", snapshot->name);
		if (err)
			*err = reason;
		return -1;
	}
	nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0, "%s: %s", snapshot->name, reason.message);
	return nub_hint(err, "the file is damaged: make it again, or copy it again");
}

/* What a sandbox needs once its memory is mapped and filled. */
int nub_restore_start(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &sandbox->snapshot->meta;
	const struct nub_engine_guest guest = nub_sandbox_engine_guest(sandbox);
	/* A program's threads have their own. */
	const bool is_program = nub_snapshot_is_program(meta);
	const struct nub_cpu *cpu = meta->next != NUB_NEXT_INITIALISE && !is_program ? &meta->cpu : NULL;

	if (nub_engine_attach(sandbox->machine.engine, &guest, err) < 0)
		return -1;
	/* Until its CPU starts, a program may be mapped what is in files. What others have in memory is found by their CPU. */
	if ((is_program && load_personality(sandbox, err) < 0) ||
	    nub_engine_start(sandbox->machine.engine, cpu, err) < 0 ||
	    (!is_program && load_personality(sandbox, err) < 0))
		return -1;
	set_state(sandbox);
	return 0;
}

int nub_restore_check_cpu(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	struct nub_cpuid host;

	/* A program's code may use what another engine did not hide from it. */
	if (sandbox->personality->is_program)
		nub_cpu_fill_native_cpuid(&host);
	else
		nub_cpu_fill_features(&host);
	if (nub_cpu_check_features(&snapshot->meta.cpu.cpuid, snapshot->meta.cpu.xcr0, &host, err) < 0)
		return nub_error_context(err, "%s", snapshot->name);
	sandbox->machine.cpuid = snapshot->meta.cpu.cpuid;
	if (nub_sandbox_finds_native_cpuid(sandbox))
		nub_cpuid_add(&sandbox->machine.cpuid, &host);
	return 0;
}

/* A file that was cut since it was opened is as one that was cut before; nothing has run from it. */
static int check_whole(const struct nub_snapshot *snapshot, struct nub_error *err)
{
	struct nub_error reason = { 0 };

	if (nub_snapshot_unchanged(snapshot, &reason) == 0)
		return 0;
	if (nub_snapshot_is_short(snapshot))
		reason.kind = NUB_E_SNAPSHOT_TRUNCATED;
	if (err)
		*err = reason;
	return -1;
}

struct nub_sandbox *nub_sandbox_restore(const struct nub_config *config, const struct nub_snapshot *snapshot,
                                        struct nub_error *err)
{
	struct nub_sandbox *sandbox = nub_sandbox_new(config, snapshot->guest.abi, err);

	if (!sandbox)
		return NULL;
	sandbox->machine.config.init_data = NULL;
	sandbox->machine.config.maps = NULL;
	sandbox->machine.config.map_count = 0;
	if (!config->learn)
		nub_snapshot_read_ahead(snapshot);
	if (check_whole(snapshot, err) < 0 || nub_restore_check_cpu(sandbox, snapshot, err) < 0 ||
	    nub_restore_take_memory(sandbox, snapshot, err) < 0 || nub_restore_start(sandbox, err) < 0) {
		nub_sandbox_free(sandbox);
		return NULL;
	}
	return sandbox;
}
