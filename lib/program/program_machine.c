/* What the Linux personality stands on: the program's memory, its engine, the host's clocks, the embedder's output. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/error.h"
#include "base/random.h"
#include "paging/paging_edit.h"
#include "program/program_parts.h"

_Static_assert((int)NUB_LINUX_READ == NUB_PT_READ && (int)NUB_LINUX_WRITE == NUB_PT_WRITE &&
                   (int)NUB_LINUX_EXECUTE == NUB_PT_EXECUTE,
               "the same rights for the personality and the page tables");
_Static_assert((int)NUB_LINUX_XSAVE_SIZE == (int)NUB_XSAVE_WIDE_SIZE &&
                   (int)NUB_LINUX_XSAVE_AVX_SIZE == (int)NUB_XSAVE_SIZE,
               "the same state");

_Static_assert(NUB_LINUX_KEPT_GVA == NUB_ENGINE_KEPT_GVA && NUB_LINUX_KEPT_SIZE == NUB_ENGINE_KEPT_SIZE,
               "the same place out of reach");

static uint8_t *memory(void *context, uint64_t *base, uint64_t *size)
{
	struct nub_program *program = context;

	*base = program->plan.layout.heap_gpa;
	*size = program->plan.layout.heap_size;
	return nub_memory_at(&program->memory, *base, *size);
}

static int copy(void *context, uint64_t gpa, void *bytes, size_t size, struct nub_error *err)
{
	return nub_memory_copy(&((struct nub_program *)context)->memory, gpa, bytes, size, err);
}

static int store(void *context, uint64_t gpa, const void *bytes, size_t size, struct nub_error *err)
{
	return nub_memory_store(&((struct nub_program *)context)->memory, gpa, bytes, size, err);
}

static int discard(void *context, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	struct nub_program *program = context;
	uint8_t *host = nub_memory_at(&program->memory, gpa, size);

	if (program->memory.shared.on)
		return nub_memory_give_back(&program->memory, gpa, size, err);
	/* What a file is behind would be the file's again. */
	if (gpa < program->image_end) {
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
	return nub_engine_map(((struct nub_program *)context)->engine, gva, gpa, size, rights, err);
}

static int protect(void *context, uint64_t gva, uint64_t size, unsigned rights, struct nub_error *err)
{
	return nub_engine_protect(((struct nub_program *)context)->engine, gva, size, rights, err);
}

static int unmap(void *context, uint64_t gva, uint64_t size, struct nub_error *err)
{
	return nub_engine_unmap(((struct nub_program *)context)->engine, gva, size, err);
}

static void get_regs(void *context, struct nub_registers *regs)
{
	*regs = ((struct nub_program *)context)->engine->regs;
}

/* Registers that are as they were need not be set: then a fault ends in the monitor's own return. */
static int set_changed_regs(struct nub_program *program, const struct nub_registers *regs, struct nub_error *err)
{
	if (memcmp(regs, &program->engine->regs, sizeof(*regs)) == 0)
		return 0;
	return nub_engine_set_regs(program->engine, regs, err);
}

static void set_regs(void *context, const struct nub_registers *regs)
{
	struct nub_program *program = context;
	struct nub_error err = { 0 };

	if (set_changed_regs(program, regs, &err) < 0)
		nub_linux_fail(program->linux, &err);
}

static int get_vcpu(void *context, struct nub_linux_vcpu *vcpu, struct nub_error *err)
{
	struct nub_program *program = context;
	struct nub_sregs sregs;
	uint64_t in_use;

	if (nub_engine_complete(program->engine, err) < 0 || nub_engine_sregs(program->engine, &sregs, err) < 0 ||
	    nub_engine_whole_xsave(program->engine, vcpu->xsave, err) < 0)
		return -1;
	/* Some hosts tell of state that guests don't have. */
	memcpy(&in_use, vcpu->xsave + NUB_XSAVE_STATE_BV, sizeof(in_use));
	in_use &= program->engine->xcr0;
	memcpy(vcpu->xsave + NUB_XSAVE_STATE_BV, &in_use, sizeof(in_use));
	vcpu->regs = program->engine->regs;
	vcpu->fs_base = sregs.fs.base;
	vcpu->gs_base = sregs.gs.base;
	return 0;
}

static int set_vcpu(void *context, const struct nub_linux_vcpu *vcpu, struct nub_error *err)
{
	struct nub_program *program = context;

	if (set_changed_regs(program, &vcpu->regs, err) < 0 ||
	    nub_engine_set_bases(program->engine, vcpu->fs_base, vcpu->gs_base, err) < 0)
		return -1;
	return nub_engine_set_whole_xsave(program->engine, vcpu->xsave, err);
}

static uint64_t now_ns(void *context, int clock)
{
	struct timespec time;

	(void)context;
	clock_gettime((clockid_t)clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t tsc(void *context)
{
	return nub_engine_tsc(((struct nub_program *)context)->engine);
}

static uint64_t tsc_khz(void *context)
{
	return nub_engine_tsc_khz(((struct nub_program *)context)->engine);
}

static int random_bytes(void *context, void *bytes, size_t size, struct nub_error *err)
{
	struct nub_program *program = context;

	return nub_random_bytes(&program->random, bytes, size, err);
}

static int output(void *context, enum nub_stream stream, const void *bytes, size_t size, struct nub_error *err)
{
	const struct nub_host_ops *ops = &((struct nub_program *)context)->config.ops;

	return ops->output ? ops->output(ops->context, stream, bytes, size, err) : 0;
}

const struct nub_linux_machine_ops nub_program_machine_ops = {
	.memory = memory,
	.copy = copy,
	.store = store,
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
