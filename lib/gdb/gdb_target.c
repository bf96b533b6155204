/* A stopped guest as the session wants it: threads, registers, memory, breakpoints. */
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

/* Where the root of the page tables can't be told, nothing is mapped. */
struct nub_gdb_space nub_gdb_space(struct nub_gdb *gdb)
{
	struct nub_machine *machine = &gdb->sandbox->machine;
	struct nub_gdb_space space = { .memory = &machine->memory };
	struct nub_sregs sregs;

	if (nub_gdb_is_program(gdb))
		space.personality = gdb->sandbox->personality;
	else if (nub_engine_sregs(machine->engine, &sregs, NULL) == 0)
		space.root_gpa = sregs.cr3;
	return space;
}

/* ---- Threads and their registers ---- */

static bool find_thread(struct nub_gdb *gdb, uint32_t tid, struct nub_guest_thread *thread)
{
	for (size_t i = 0; nub_personality_thread(gdb->sandbox->personality, i, thread); i++)
		if (thread->tid == tid)
			return true;
	return false;
}

static bool thread_at(void *context, size_t index, uint32_t *tid, char name[NUB_GDB_THREAD_NAME])
{
	struct nub_gdb *gdb = context;
	struct nub_guest_thread thread;

	if (!nub_gdb_is_program(gdb)) {
		*tid = NUB_GDB_ONLY_THREAD;
		name[0] = '\0';
		return index == 0;
	}
	if (!nub_personality_thread(gdb->sandbox->personality, index, &thread))
		return false;
	_Static_assert(sizeof(thread.name) == NUB_GDB_THREAD_NAME, "a whole name");
	memcpy(name, thread.name, sizeof(thread.name));
	*tid = thread.tid;
	return true;
}

static bool read_registers(void *context, uint32_t tid, struct nub_gdb_registers *registers)
{
	struct nub_gdb *gdb = context;
	struct nub_engine *engine = gdb->sandbox->machine.engine;
	struct nub_cpu *cpu = &registers->cpu;
	struct nub_guest_thread thread;

	memset(cpu, 0, sizeof(*cpu));
	registers->call = -1;
	if (nub_engine_sregs(engine, &cpu->sregs, NULL) < 0 || nub_engine_xsave(engine, cpu->xsave, NULL) < 0)
		return false;
	cpu->regs = gdb->crash ? gdb->crash->regs : engine->regs;
	if (!nub_gdb_is_program(gdb))
		return true;
	if (!find_thread(gdb, tid, &thread))
		return false;
	registers->call = thread.call;
	cpu->regs = thread.regs;
	cpu->sregs.fs.base = thread.fs_base;
	cpu->sregs.gs.base = thread.gs_base;
	memcpy(cpu->xsave, thread.xsave, sizeof(cpu->xsave));
	return true;
}

static bool write_thread(struct nub_gdb *gdb, uint32_t tid, const struct nub_gdb_registers *registers)
{
	struct nub_personality *personality = gdb->sandbox->personality;
	struct nub_guest_thread thread = {
		.tid = tid,
		.call = registers->call,
		.regs = registers->cpu.regs,
		.fs_base = registers->cpu.sregs.fs.base,
		.gs_base = registers->cpu.sregs.gs.base,
	};

	memcpy(thread.xsave, registers->cpu.xsave, sizeof(thread.xsave));
	return personality->debug->set_thread(personality, &thread);
}

static bool write_registers(void *context, uint32_t tid, const struct nub_gdb_registers *registers)
{
	struct nub_gdb *gdb = context;
	struct nub_engine *engine = gdb->sandbox->machine.engine;
	const struct nub_cpu *cpu = &registers->cpu;
	uint8_t xsave[NUB_XSAVE_SIZE];

	if (gdb->crash)
		return false;
	if (nub_gdb_is_program(gdb))
		return write_thread(gdb, tid, registers);
	if (nub_engine_xsave(engine, xsave, NULL) < 0 ||
	    nub_engine_set_bases(engine, cpu->sregs.fs.base, cpu->sregs.gs.base, NULL) < 0)
		return false;
	if (memcmp(xsave, cpu->xsave, sizeof(xsave)) != 0 && nub_engine_set_xsave(engine, cpu->xsave, NULL) < 0)
		return false;
	return nub_engine_set_regs(engine, &cpu->regs, NULL) == 0;
}

static size_t read_memory(void *context, uint64_t gva, uint8_t *bytes, size_t size)
{
	struct nub_gdb *gdb = context;
	const struct nub_gdb_space space = nub_gdb_space(gdb);

	return nub_gdb_memory_read(&space, gva, bytes, size);
}

static bool write_memory(void *context, uint64_t gva, const uint8_t *bytes, size_t size)
{
	struct nub_gdb *gdb = context;
	const struct nub_gdb_space space = nub_gdb_space(gdb);

	return !gdb->crash && nub_gdb_memory_write(&space, gva, bytes, size);
}

/* Not in supervisor pages of a guest at CPL 3: the monitor would fault, or stop, in itself. */
static bool is_guests(struct nub_gdb *gdb, uint64_t gva)
{
	const struct nub_pt_reader reader = nub_memory_reader(&gdb->sandbox->machine.memory);
	const struct nub_gdb_space space = nub_gdb_space(gdb);
	struct nub_mapping leaf;
	uint8_t byte;

	if (space.personality)
		return nub_gdb_memory_read(&space, gva, &byte, 1) == 1;
	return nub_canonical(gva) && nub_pt_translate(&reader, space.root_gpa, gva, &leaf) &&
	       (gdb->sandbox->machine.guest->privilege_level != 3 || leaf.user);
}

static bool add_breakpoint(void *context, uint64_t gva)
{
	struct nub_gdb *gdb = context;
	const struct nub_gdb_space space = nub_gdb_space(gdb);
	size_t size = 1;

	return is_guests(gdb, gva) && nub_gdb_memory_bring(&space, gva) &&
	       nub_gdb_memory_at(&space, gva, &size, true) && nub_gdb_breakpoints_add(&gdb->breakpoints, gva);
}

static void remove_breakpoint(void *context, uint64_t gva)
{
	struct nub_gdb *gdb = context;

	nub_gdb_breakpoints_remove(&gdb->breakpoints, gva);
}

static bool works(struct nub_gdb *gdb, enum nub_gdb_hardware_kind kind)
{
	const bool data = kind != NUB_GDB_EXECUTE;

	/* A process has none. */
	if (gdb->sandbox->machine.config.engine == NUB_ENGINE_PROCESS)
		return false;
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

/* ---- What a Linux program has beside ---- */

static const uint8_t *auxv(void *context, size_t *size)
{
	return nub_personality_auxv(((struct nub_gdb *)context)->sandbox->personality, size);
}

static bool siginfo(void *context, siginfo_t *info)
{
	const struct nub_personality *personality = ((struct nub_gdb *)context)->sandbox->personality;

	return personality->debug && personality->debug->siginfo(personality, info);
}

static bool tls(void *context, uint32_t tid, uint64_t offset, uint64_t link_map, uint64_t numbers, uint64_t *gva)
{
	struct nub_personality *personality = ((struct nub_gdb *)context)->sandbox->personality;

	return personality->debug && personality->debug->tls(personality, tid, offset, link_map, numbers, gva);
}

/* ---- The target ---- */

void nub_gdb_target_init(struct nub_gdb *gdb)
{
	const struct nub_machine *machine = &gdb->sandbox->machine;
	const bool program = nub_gdb_is_program(gdb);

	gdb->target = (struct nub_gdb_target){
		.context = gdb,
		.entry = machine->guest->entry,
		.image_base = machine->guest->image_base,
		.program = program,
		.path = program ? machine->config.program.path : NULL,
		.auxv = auxv,
		.thread = thread_at,
		.read_registers = read_registers,
		.write_registers = write_registers,
		.siginfo = siginfo,
		.tls = tls,
		.read_memory = read_memory,
		.write_memory = write_memory,
		.add_breakpoint = add_breakpoint,
		.remove_breakpoint = remove_breakpoint,
		.has_hardware = has_hardware,
		.add_hardware = add_hardware,
		.remove_hardware = remove_hardware,
		.monitor = nub_gdb_monitor,
	};
}
