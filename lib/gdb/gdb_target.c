/* A stopped guest as the session wants it: registers, memory, breakpoints, and what gdb's `monitor` commands tell and do. */
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "gdb/gdb.h"
#include "paging/paging.h"
#include "personality/nub/probe_guest.h"

/* ---- Trying debug registers with the probe guest ---- */

/* Does a sandbox that was just made stop by these registers, at this address? */
static bool stops_at(struct nub_sandbox *sandbox, const struct nub_gdb_hardware *hardware, uint64_t rip)
{
	const struct nub_registers start = {
		.rip = sandbox->machine.guest->entry,
		.rsp = nub_layout_stack_top_gva(&sandbox->machine.plan.layout),
		.rflags = 2,
	};
	uint64_t registers[NUB_GDB_DEBUG_REGISTERS];
	struct nub_exit exit;

	nub_gdb_hardware_encode(hardware, registers);
	if (nub_engine_set_debug(sandbox->machine.engine, registers, false, NULL) < 0 ||
	    nub_engine_set_regs(sandbox->machine.engine, &start, NULL) < 0)
		return false;
	do {
		if (nub_engine_run(sandbox->machine.engine, &exit, NULL) < 0)
			return false;
	} while (exit.kind == NUB_EXIT_INTERRUPTED || exit.kind == NUB_EXIT_MENDED);
	return exit.kind == NUB_EXIT_DEBUG && sandbox->machine.engine->regs.rip == rip &&
	       nub_gdb_hardware_hit(hardware, exit.debug.dr6);
}

static bool stops(const struct nub_image *image, enum nub_gdb_hardware_kind kind, unsigned pc_offset)
{
	const struct nub_config config = nub_config_default();
	const uint64_t entry = nub_image_info(image)->entry;
	struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, NULL);
	const bool executed = kind == NUB_GDB_EXECUTE;
	struct nub_gdb_hardware hardware = { 0 };

	if (!sandbox)
		return false;
	nub_gdb_hardware_add(&hardware, kind,
	                     executed ? entry + NUB_PROBE_GUEST_PUSH
	                              : nub_layout_stack_top_gva(&sandbox->machine.plan.layout) - 8,
	                     executed ? 1 : 8);
	const bool stopped = stops_at(sandbox, &hardware, entry + pc_offset);
	nub_sandbox_free(sandbox);
	return stopped;
}

/* Does this host stop a guest of this level where debug registers say so: at an instruction, or behind one that writes `data`?
 * Some take them and do nothing; one that interprets code at CPL 0 minds only the former. Costs a throw-away VM. */
static bool probe_debug_registers(unsigned privilege_level, bool data)
{
	uint8_t file[NUB_PROBE_GUEST_SIZE];
	struct nub_image *image = nub_probe_guest(file, privilege_level, 0, 0, NULL);

	if (!image)
		return false;
	const bool work = data ? stops(image, NUB_GDB_WRITE, NUB_PROBE_GUEST_PUSHED)
	                       : stops(image, NUB_GDB_EXECUTE, NUB_PROBE_GUEST_PUSH);
	nub_image_free(image);
	return work;
}

/* ---- Registers, memory, breakpoints ---- */

uint64_t nub_gdb_root(struct nub_gdb *gdb)
{
	struct nub_sregs sregs;

	return nub_engine_sregs(gdb->sandbox->machine.engine, &sregs, NULL) < 0 ? 0 : sregs.cr3;
}

static bool read_cpu(void *context, struct nub_cpu *cpu)
{
	struct nub_gdb *gdb = context;
	struct nub_engine *engine = gdb->sandbox->machine.engine;

	memset(cpu, 0, sizeof(*cpu));
	if (nub_engine_sregs(engine, &cpu->sregs, NULL) < 0 || nub_engine_xsave(engine, cpu->xsave, NULL) < 0)
		return false;
	cpu->regs = gdb->crash ? gdb->crash->regs : engine->regs;
	return true;
}

static bool write_cpu(void *context, const struct nub_cpu *cpu)
{
	struct nub_gdb *gdb = context;
	struct nub_engine *engine = gdb->sandbox->machine.engine;
	uint8_t xsave[NUB_XSAVE_SIZE];

	if (gdb->crash || nub_engine_xsave(engine, xsave, NULL) < 0 ||
	    nub_engine_set_bases(engine, cpu->sregs.fs.base, cpu->sregs.gs.base, NULL) < 0)
		return false;
	if (memcmp(xsave, cpu->xsave, sizeof(xsave)) != 0 && nub_engine_set_xsave(engine, cpu->xsave, NULL) < 0)
		return false;
	return nub_engine_set_regs(engine, &cpu->regs, NULL) == 0;
}

static size_t read_memory(void *context, uint64_t gva, uint8_t *bytes, size_t size)
{
	struct nub_gdb *gdb = context;

	return nub_gdb_memory_read(&gdb->sandbox->machine.memory, nub_gdb_root(gdb), gva, bytes, size);
}

static bool write_memory(void *context, uint64_t gva, const uint8_t *bytes, size_t size)
{
	struct nub_gdb *gdb = context;

	return !gdb->crash && nub_gdb_memory_write(&gdb->sandbox->machine.memory, nub_gdb_root(gdb), gva, bytes, size);
}

/* Not in supervisor pages of a guest at CPL 3: the monitor would fault, or stop, in itself. */
static bool is_guests(struct nub_gdb *gdb, uint64_t gva)
{
	const struct nub_pt_reader reader = nub_memory_reader(&gdb->sandbox->machine.memory);
	struct nub_mapping leaf;

	return nub_canonical(gva) && nub_pt_translate(&reader, nub_gdb_root(gdb), gva, &leaf) &&
	       (gdb->sandbox->machine.guest->privilege_level != 3 || leaf.user);
}

static bool add_breakpoint(void *context, uint64_t gva)
{
	struct nub_gdb *gdb = context;
	size_t size = 1;

	return is_guests(gdb, gva) &&
	       nub_gdb_memory_at(&gdb->sandbox->machine.memory, nub_gdb_root(gdb), gva, &size, true) &&
	       nub_gdb_breakpoints_add(&gdb->breakpoints, gva);
}

static void remove_breakpoint(void *context, uint64_t gva)
{
	struct nub_gdb *gdb = context;

	nub_gdb_breakpoints_remove(&gdb->breakpoints, gva);
}

static bool works(struct nub_gdb *gdb, enum nub_gdb_hardware_kind kind)
{
	const bool data = kind != NUB_GDB_EXECUTE;

	if (!gdb->hardware_kinds[data].probed)
		gdb->hardware_kinds[data].works =
		    probe_debug_registers(gdb->sandbox->machine.guest->privilege_level, data);
	gdb->hardware_kinds[data].probed = true;
	return gdb->hardware_kinds[data].works;
}

static bool has_hardware(void *context, enum nub_gdb_hardware_kind kind)
{
	/* What is written shows by comparing, too. */
	return kind == NUB_GDB_WRITE || works(context, kind);
}

static bool add_hardware(void *context, enum nub_gdb_hardware_kind kind, uint64_t gva, uint64_t size)
{
	struct nub_gdb *gdb = context;

	if (!is_guests(gdb, gva))
		return false;
	return works(gdb, kind) ? nub_gdb_hardware_add(&gdb->hardware, kind, gva, size)
	                        : nub_gdb_watches_add(&gdb->watches, gva, size);
}

static void remove_hardware(void *context, enum nub_gdb_hardware_kind kind, uint64_t gva, uint64_t size)
{
	struct nub_gdb *gdb = context;

	if (works(gdb, kind))
		nub_gdb_hardware_remove(&gdb->hardware, kind, gva, size);
	else
		nub_gdb_watches_remove(&gdb->watches, gva, size);
}

/* ---- `monitor`: what the library knows and gdb does not ask for ---- */

static int put_region(struct nub_buffer *text, const struct nub_region *region, struct nub_error *err)
{
	return nub_gdb_put(text, err, "%#18" PRIx64 " .. %#18" PRIx64 "  gpa %#11" PRIx64 "  %-11s %s\n", region->gva,
	                   region->gva + (region->size - 1), region->gpa, nub_region_type_name(region->type),
	                   nub_region_flags_name(region->flags));
}

/* By gpa, and only what has an address in the guest. */
static int show_regions(const struct nub_sandbox *sandbox, struct nub_buffer *text, struct nub_error *err)
{
	const struct nub_plan *plan = &sandbox->machine.plan;
	const struct nub_region scratch = nub_layout_scratch_region(&plan->layout);

	for (size_t i = 0; i < plan->regions.count; i++)
		if (plan->regions.items[i].gva != 0 && put_region(text, &plan->regions.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < plan->map_count; i++)
		if (put_region(text, &plan->maps[i], err) < 0)
			return -1;
	return put_region(text, &scratch, err);
}

static int show_exits(const struct nub_sandbox *sandbox, struct nub_buffer *text, struct nub_error *err)
{
	const struct nub_exit_counts *exits = &sandbox->machine.exits;
	const struct {
		const char *name;
		uint64_t count;
	} rows[] = {
		{ "total", exits->total },         { "halt", exits->halt },
		{ "print", exits->print },         { "log", exits->log },
		{ "call", exits->call },           { "abort", exits->abort },
		{ "trace", exits->trace },         { "checkpoint", exits->checkpoint },
		{ "exception", exits->exception }, { "interrupted", exits->interrupted },
		{ "other", exits->other },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (nub_gdb_put(text, err, "%-12s %" PRIu64 "\n", rows[i].name, rows[i].count) < 0)
			return -1;
	return 0;
}

static int save_snapshot(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, const char *path,
                         struct nub_buffer *text, struct nub_error *err)
{
	const enum nub_sandbox_state state = sandbox->state;
	struct nub_error reason = { 0 };

	if (!nub_personality_at_rest(sandbox->personality))
		return nub_gdb_put(text, err,
		                   "the guest has not taken what was sent to it, which a snapshot can't keep; go on to "
		                   "its main first\n");
	sandbox->state = NUB_STATE_BROKEN_INTO;
	const int result = nub_snapshot_save(sandbox, options, path, &reason);
	sandbox->state = state;
	if (result < 0)
		return nub_gdb_put(text, err, "%.400s\n", reason.message);
	return nub_gdb_put(text, err, "saved; it goes on from here when it is restored\n");
}

static int show_help(struct nub_buffer *text, struct nub_error *err)
{
	return nub_gdb_put(text, err,
	                   "monitor regions        the guest's memory: addresses, what is there, who may do what\n"
	                   "monitor exits          how often the guest left to the host, by reason\n"
	                   "monitor snapshot FILE  save the guest as it is now\n");
}

static int monitor(void *context, const char *command, struct nub_buffer *text, struct nub_error *err)
{
	struct nub_gdb *gdb = context;
	struct nub_sandbox *sandbox = gdb->sandbox;
	static const char snapshot[] = "snapshot ";

	if (strcmp(command, "regions") == 0)
		return show_regions(sandbox, text, err);
	if (strcmp(command, "exits") == 0)
		return show_exits(sandbox, text, err);
	if (strcmp(command, "help") == 0)
		return show_help(text, err);
	if (strncmp(command, snapshot, strlen(snapshot)) == 0 && command[strlen(snapshot)] != '\0') {
		if (gdb->crash)
			return nub_gdb_put(text, err, "the guest has crashed, there is nothing to go on with\n");
		return save_snapshot(sandbox, &gdb->snapshot, command + strlen(snapshot), text, err);
	}
	if (nub_gdb_put(text, err, "no such command\n") < 0)
		return -1;
	return show_help(text, err);
}

/* ---- The target ---- */

void nub_gdb_target_init(struct nub_gdb *gdb)
{
	gdb->target = (struct nub_gdb_target){
		.context = gdb,
		.entry = gdb->sandbox->machine.guest->entry,
		.image_base = gdb->sandbox->machine.guest->image_base,
		.read_cpu = read_cpu,
		.write_cpu = write_cpu,
		.read_memory = read_memory,
		.write_memory = write_memory,
		.add_breakpoint = add_breakpoint,
		.remove_breakpoint = remove_breakpoint,
		.has_hardware = has_hardware,
		.add_hardware = add_hardware,
		.remove_hardware = remove_hardware,
		.monitor = monitor,
	};
}
