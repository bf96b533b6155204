/* The life of the process engine: a box for a guest, its registers, and its end. */
#include "engine/process/process.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/util.h"
#include "engine/engines.h"

static int check_guest(const struct nub_engine_guest *guest, struct nub_error *err)
{
	if (guest->privilege_level == 3)
		return 0;
	nub_fail(
	    err, NUB_E_ENGINE, 0,
	    "the process engine runs code at CPL 3 alone, and this guest wants CPL %u, with page tables of its own",
	    guest->privilege_level);
	return nub_hint(err, "run it with the kvm engine");
}

int nub_process_seal(struct nub_process *process, struct nub_error *err)
{
	if (process->sealed)
		return 0;
	process->sealed = true;
	/* A page is at one address. */
	return nub_box_seal(&process->box, process->guest.memory->shared.fd, process->guest.plan->layout.heap_size,
	                    err);
}

/* A program that comes from files is to see them. */
static int attach_empty(struct nub_process *process, struct nub_error *err)
{
	struct nub_shared *shared = &process->guest.memory->shared;

	process->view_count = 0;
	shared->news_count = 0;
	if (nub_edited_tables_init(&process->tables, &process->guest, err) < 0)
		return -1;
	return shared->piece_count > 0 ? 0 : nub_process_seal(process, err);
}

static int make_box(struct nub_process *process, struct nub_error *err)
{
	process->has_box = true;
	const int result = nub_box_init(&process->box, &process->stops, &process->stack, err);
	process->box.cpus = &process->cpus;
	return result;
}

static int attach(struct nub_engine *engine, const struct nub_engine_guest *guest, struct nub_error *err)
{
	struct nub_process *process = nub_process_of(engine);
	uint64_t size;

	process->guest = *guest;
	engine->xcr0 = guest->syscalls ? nub_cpu_host_xcr0() : NUB_XCR0; /* no CPUID hides it */
	nub_copies_init(&process->copies, guest->memory, &guest->plan->layout);
	process->site.size = 0;
	memset(process->ports, 0, sizeof(process->ports));
	for (size_t i = 0; i < guest->port_count; i++)
		if (guest->ports[i] <= NUB_ENGINE_PORT_MAX)
			process->ports[guest->ports[i]] = true;
	if (check_guest(guest, err) < 0)
		return -1;
	process->owned_chunks = process->row_size = 0;
	process->lacks_some = false;
	process->sealed = false;
	/* The first one is there. */
	if (!process->has_box && make_box(process, err) < 0)
		return -1;
	if (guest->syscalls)
		return attach_empty(process, err);
	process->sealed = true;
	if (nub_process_map_all(process, &size, err) < 0)
		return -1;
	return nub_box_seal(&process->box, guest->memory->shared.fd, size, err);
}

/* A guest can change its process for good: by what its stub lets it call, it can hide code where no put back page reaches, or
 * block signals. So each life begins with a new one. */
static bool fits(const struct nub_engine *engine, const struct nub_engine_guest *guest)
{
	(void)engine;
	(void)guest;
	return false;
}

static void end_box(struct nub_process *process)
{
	if (process->has_box)
		nub_box_release(&process->box);
	process->has_box = false;
}

static int detach(struct nub_engine *engine, enum nub_engine_keep keep, struct nub_error *err)
{
	(void)keep;
	(void)err;
	end_box(nub_process_of(engine));
	return 0;
}

/* ---- Clocks, signals, debuggers ---- */

/* The box stands behind an `out` as soon as it has stopped. */
static int complete(struct nub_engine *engine, struct nub_error *err)
{
	(void)engine;
	(void)err;
	return 0;
}

/* A process has debug registers only through ptrace(2). Debuggers step instead. */
static int set_debug(struct nub_engine *engine, const uint64_t registers[8], bool inject, struct nub_error *err)
{
	(void)engine;
	(void)registers;
	(void)inject;
	(void)err;
	return 0;
}

static bool in_guest(const struct nub_engine *engine)
{
	(void)engine;
	return true;
}

static void trap_soon(struct nub_engine *engine)
{
	(void)engine;
}

static uint64_t read_tsc(struct nub_engine *engine)
{
	(void)engine;
	return __rdtsc();
}

/* A signal for eight pages at once, as long as copying them. */
static bool touch_is_dear(const struct nub_engine *engine)
{
	(void)engine;
	return false;
}

/* The guest's counter is the host's. The longer ago the engine was made, the better. */
static uint64_t tsc_khz(const struct nub_engine *engine)
{
	const struct nub_process *process = (const struct nub_process *)engine;
	const uint64_t ns = nub_clock_ns() - process->start_ns, ticks = __rdtsc() - process->start_tsc;

	return ns > 0 ? (uint64_t)((unsigned __int128)ticks * 1000000 / ns) : 0;
}

/* Its process's clock. What it took to be made is in there, too. Before it is made, its number 0 would be this process. */
static bool cpu_clock(const struct nub_engine *engine, clockid_t *clock)
{
	const struct nub_process *process = (const struct nub_process *)engine;

	return process->has_box && process->box.pid > 0 && clock_getcpuclockid(process->box.pid, clock) == 0;
}

static int unblock_signal(struct nub_engine *engine, int signal, struct nub_error *err)
{
	struct nub_box_stops *stops = &nub_process_of(engine)->stops;

	for (unsigned i = 0; i < stops->signal_count; i++)
		if (stops->signals[i] == signal)
			return 0;
	if (stops->signal_count == NUB_BOX_MAX_SIGNALS)
		return nub_fail(err, NUB_E_INTERNAL, 0, "signal %d: %u others end runs already", signal,
		                stops->signal_count);
	stops->signals[stops->signal_count++] = signal;
	return 0;
}

static void kick(struct nub_engine *engine)
{
	struct nub_process *process = nub_process_of(engine);

	process->stops.kicked = 1;
	nub_box_wake(&process->box);
}

static void unkick(struct nub_engine *engine)
{
	nub_process_of(engine)->stops.kicked = 0;
}

static void finish(struct nub_engine *engine)
{
	if (nub_process_of(engine)->has_box)
		nub_box_kill(&nub_process_of(engine)->box);
}

static void release(struct nub_engine *engine)
{
	end_box(nub_process_of(engine));
	nub_box_stack_release(&nub_process_of(engine)->stack);
	nub_edited_tables_release(&nub_process_of(engine)->tables);
	free(nub_process_of(engine)->views);
	free(engine);
}

static const struct nub_engine_ops ops = {
	.attach = attach,
	.fits = fits,
	.detach = detach,
	.start = nub_process_start,
	.save = nub_process_save,
	.run = nub_process_run,
	.complete = complete,
	.set_regs = nub_process_set_regs,
	.sregs = nub_process_sregs,
	.set_bases = nub_process_set_bases,
	.xsave = nub_process_xsave,
	.set_xsave = nub_process_set_xsave,
	.set_debug = set_debug,
	.in_guest = in_guest,
	.trap_soon = trap_soon,
	.map = nub_process_map,
	.protect = nub_process_protect,
	.unmap = nub_process_unmap,
	.tsc = read_tsc,
	.tsc_khz = tsc_khz,
	.touch_is_dear = touch_is_dear,
	.cpu_clock = cpu_clock,
	.unblock_signal = unblock_signal,
	.kick = kick,
	.unkick = unkick,
	.finish = finish,
	.release = release,
};

struct nub_engine *nub_process_create(bool share_cpu, struct nub_error *err)
{
	struct nub_process *process = calloc(1, sizeof(*process));

	if (!process) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "engine");
		return NULL;
	}
	process->engine.ops = &ops;
	process->cpus.wanted = share_cpu;
	process->start_ns = nub_clock_ns();
	process->start_tsc = __rdtsc();
	/* While the guest is loaded, its process makes itself ready. */
	if (nub_box_probe(err) == 0 && make_box(process, err) == 0 && nub_box_start(&process->box, err) == 0)
		return &process->engine;
	nub_engine_release(&process->engine);
	return NULL;
}
