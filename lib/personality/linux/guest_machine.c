/* What the Linux personality stands on: the guest's memory, its engine, the host's clocks, the embedder's output. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/error.h"
#include "paging/paging_edit.h"
#include "personality/linux/guest.h"

_Static_assert((int)NUB_LINUX_READ == NUB_PT_READ && (int)NUB_LINUX_WRITE == NUB_PT_WRITE &&
                   (int)NUB_LINUX_EXECUTE == NUB_PT_EXECUTE,
               "the same rights for the personality and the page tables");
_Static_assert((int)NUB_LINUX_XSAVE_SIZE == (int)NUB_XSAVE_WIDE_SIZE &&
                   (int)NUB_LINUX_XSAVE_AVX_SIZE == (int)NUB_XSAVE_SIZE,
               "the same state");

_Static_assert(NUB_LINUX_KEPT_GVA == NUB_ENGINE_KEPT_GVA && NUB_LINUX_KEPT_SIZE == NUB_ENGINE_KEPT_SIZE,
               "the same place out of reach");

static struct nub_machine *machine_of(void *context)
{
	return ((struct nub_linux_guest *)context)->personality.machine;
}

static uint8_t *memory(void *context, uint64_t *base, uint64_t *size, uint64_t *from_file)
{
	const struct nub_machine *machine = machine_of(context);

	*base = machine->plan.layout.heap_gpa;
	*size = machine->plan.layout.heap_size;
	*from_file = machine->image_end > *base ? machine->image_end - *base : 0;
	return nub_memory_at(&machine->memory, *base, *size);
}

static int copy(void *context, uint64_t gpa, void *bytes, size_t size, struct nub_error *err)
{
	return nub_memory_copy(&machine_of(context)->memory, gpa, bytes, size, err);
}

static int store(void *context, uint64_t gpa, const void *bytes, size_t size, struct nub_error *err)
{
	return nub_memory_store(&machine_of(context)->memory, gpa, bytes, size, err);
}

/* What a program writes in another process is not at hand in this one. */
static void expect(void *context, uint64_t gpa, uint64_t size, bool by_program)
{
	struct nub_memory *memory = &machine_of(context)->memory;

	if (!by_program || !memory->shared.on)
		nub_memory_populate(memory, gpa, size);
}

static void expect_large(void *context, uint64_t gpa, uint64_t size)
{
	nub_memory_advise_huge(&machine_of(context)->memory, gpa, size);
}

static uint64_t shown(void *context, uint64_t offset, uint64_t size)
{
	return nub_linux_guest_shown(context, offset, size);
}

static int discard(void *context, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	struct nub_machine *machine = machine_of(context);
	uint8_t *host = nub_memory_at(&machine->memory, gpa, size);

	if (machine->memory.shared.on)
		return nub_memory_give_back(&machine->memory, gpa, size, err);
	/* What a file is behind would be the file's again. */
	if (gpa < machine->image_end) {
		if (mmap(host, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		         -1, 0) == MAP_FAILED)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "mmap of %llu bytes", (unsigned long long)size);
		return 0;
	}
	if (madvise(host, size, MADV_DONTNEED) < 0)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "madvise of %llu bytes", (unsigned long long)size);
	return 0;
}

static int map(void *context, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights, struct nub_error *err)
{
	return nub_engine_map(machine_of(context)->engine, gva, gpa, size, rights, err);
}

static int protect(void *context, uint64_t gva, uint64_t size, unsigned rights, struct nub_error *err)
{
	return nub_engine_protect(machine_of(context)->engine, gva, size, rights, err);
}

static int unmap(void *context, uint64_t gva, uint64_t size, struct nub_error *err)
{
	return nub_engine_unmap(machine_of(context)->engine, gva, size, err);
}

static void get_regs(void *context, struct nub_registers *regs)
{
	*regs = machine_of(context)->engine->regs;
}

/* Registers that are as they were need not be set: then a fault ends in the monitor's own return. */
static int set_changed_regs(struct nub_engine *engine, const struct nub_registers *regs, struct nub_error *err)
{
	return memcmp(regs, &engine->regs, sizeof(*regs)) == 0 ? 0 : nub_engine_set_regs(engine, regs, err);
}

static void set_regs(void *context, const struct nub_registers *regs)
{
	struct nub_linux_guest *guest = context;
	struct nub_error err;

	nub_error_clear(&err);
	if (set_changed_regs(guest->personality.machine->engine, regs, &err) < 0)
		nub_linux_fail(guest->linux, &err);
}

static int get_vcpu(void *context, struct nub_linux_vcpu *vcpu, struct nub_error *err)
{
	struct nub_engine *engine = machine_of(context)->engine;
	struct nub_sregs sregs;
	uint64_t in_use;

	if (nub_engine_complete(engine, err) < 0 || nub_engine_sregs(engine, &sregs, err) < 0 ||
	    nub_engine_whole_xsave(engine, vcpu->xsave, err) < 0)
		return -1;
	/* Some hosts tell of state that guests don't have. */
	memcpy(&in_use, vcpu->xsave + NUB_XSAVE_STATE_BV, sizeof(in_use));
	in_use &= engine->xcr0;
	memcpy(vcpu->xsave + NUB_XSAVE_STATE_BV, &in_use, sizeof(in_use));
	vcpu->regs = engine->regs;
	vcpu->fs_base = sregs.fs.base;
	vcpu->gs_base = sregs.gs.base;
	return 0;
}

static int set_vcpu(void *context, const struct nub_linux_vcpu *vcpu, struct nub_error *err)
{
	struct nub_engine *engine = machine_of(context)->engine;

	if (set_changed_regs(engine, &vcpu->regs, err) < 0 ||
	    nub_engine_set_bases(engine, vcpu->fs_base, vcpu->gs_base, err) < 0)
		return -1;
	return nub_engine_set_whole_xsave(engine, vcpu->xsave, err);
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec time = { 0 };

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t now_ns(void *context, int clock)
{
	clockid_t of_guest;

	if (clock == CLOCK_PROCESS_CPUTIME_ID && nub_engine_cpu_clock(machine_of(context)->engine, &of_guest))
		return read_clock(clock) + read_clock(of_guest);
	return read_clock(clock);
}

static uint64_t tsc(void *context)
{
	return nub_engine_tsc(machine_of(context)->engine);
}

static uint64_t tsc_khz(void *context)
{
	return nub_engine_tsc_khz(machine_of(context)->engine);
}

static int random_bytes(void *context, void *bytes, size_t size, struct nub_error *err)
{
	struct nub_linux_guest *guest = context;

	return nub_random_bytes(&guest->random, bytes, size, err);
}

static int output(void *context, enum nub_stream stream, const void *bytes, size_t size, struct nub_error *err)
{
	struct nub_machine *machine = machine_of(context);
	const struct nub_host_ops *ops = &machine->config.ops;
	const int result = ops->output ? ops->output(ops->context, stream, bytes, size, err) : 0;

	machine->callback_failed = machine->callback_failed || result < 0;
	return result;
}

const struct nub_linux_machine_ops nub_linux_guest_machine_ops = {
	.memory = memory,
	.copy = copy,
	.store = store,
	.expect = expect,
	.expect_large = expect_large,
	.shown = shown,
	.discard = discard,
	.map = map,
	.protect = protect,
	.unmap = unmap,
	.get_regs = get_regs,
	.set_regs = set_regs,
	.get_vcpu = get_vcpu,
	.set_vcpu = set_vcpu,
	.now_ns = now_ns,
	.tsc = tsc,
	.tsc_khz = tsc_khz,
	.random = random_bytes,
	.output = output,
};
