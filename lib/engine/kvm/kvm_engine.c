/* The life of a virtual machine: made, given a guest, taken from it, taken apart. */
#include "engine/kvm/kvm_engine.h"

#include <stdlib.h>

#include "base/error.h"
#include "engine/engines.h"
#include "engine/kvm/cpu_tables.h"
#include "engine/kvm/kvm_state.h"
#include "engine/kvm/quirks.h"

#define RFLAGS_IF (UINT64_C(1) << 9)
#define EFER_SCE UINT64_C(1)
enum { MSR_TSC = 0x10 };

/* A local APIC takes a page of guest-physical addresses. Mapped files and scratch lie above it. */
static bool may_have_apic(const struct nub_engine_guest *guest)
{
	return guest->privilege_level == 3 &&
	       NUB_BASE_ADDRESS + guest->plan->layout.snapshot_size <= NUB_LOCAL_APIC_GPA;
}

/* A program's XCR0 is the host's: where guest code is held at the host's ring 3, XSAVE stores what that one has, whatever the
 * guest's says, and a dynamic linker asks CPUID for the size, which goes by the guest's: it must not be too small. Elsewhere
 * room for AVX-512, of which CPUID shows no instruction, does no harm. */
static int make_vm(struct nub_kvm *kvm, struct nub_error *err)
{
	kvm->engine.xcr0 = kvm->guest.syscalls ? nub_cpu_host_xcr0() : NUB_XCR0;
	if (nub_vm_init(&kvm->vm, may_have_apic(&kvm->guest), err) < 0 || nub_memslots_set(kvm, err) < 0 ||
	    nub_vcpu_set_cpuid(&kvm->vm, kvm->guest.cpuid, kvm->engine.xcr0, err) < 0)
		return -1;
	if (kvm->guest.privilege_level == 0 && nub_vm_filter_msrs(&kvm->vm, err) < 0)
		return -1;
	if (nub_vcpu_set_xcr0(&kvm->vm, kvm->engine.xcr0, err) < 0)
		return -1;
	return kvm->guest.syscalls ? nub_kvm_syscalls_init(kvm, err) : 0;
}

static int attach(struct nub_engine *engine, const struct nub_engine_guest *guest, struct nub_error *err)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);
	const struct nub_layout *layout = &guest->plan->layout;
	uint8_t *scratch = guest->memory->scratch.host;

	kvm->guest = *guest;
	/* To the same memory comes the same guest, which can't change them: it is at CPL 3. */
	if (kvm->kept != NUB_ENGINE_KEEP_MEMORY)
		nub_cpu_tables_write(layout, scratch, guest->ports, guest->port_count, &kvm->tables);
	kvm->tables.cr3 = guest->root_gpa;
	nub_cpu_tables_set_patch(layout, scratch, 0, 0, 0);
	nub_copies_init(&kvm->copies, guest->memory, layout);
	if (guest->syscalls) {
		nub_kvm_syscalls_write(kvm);
		if (nub_kvm_tables_init(kvm, err) < 0)
			return -1;
	}
	switch (kvm->kept) {
	case NUB_ENGINE_KEEP_NOTHING:
		return make_vm(kvm, err);
	case NUB_ENGINE_KEEP_CPU:
		return nub_memslots_set(kvm, err);
	case NUB_ENGINE_KEEP_MEMORY:
		break;
	}
	return layout->cow == NUB_COW_GUEST ? nub_memslots_set_scratch(kvm, err) : 0;
}

/* CPUID can't change once it ran, nor can the local APIC leave room for memory. */
static bool fits(const struct nub_engine *engine, const struct nub_engine_guest *guest)
{
	const struct nub_kvm *kvm = (const struct nub_kvm *)engine;

	return !(kvm->vm.local_apic && !may_have_apic(guest)) && nub_cpuid_equal(kvm->guest.cpuid, guest->cpuid);
}

/* Where the tables in use will be changed, KVM must not go on with what it knew of them: the guest's copies of pages move
 * entries of those in scratch; with cow=host, code at CPL 3 can't change any. For other memory every slot is given up. */
static int detach(struct nub_engine *engine, enum nub_engine_keep keep, struct nub_error *err)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);

	kvm->kept = keep;
	kvm->faulted = kvm->in_syscall = false;
	if (keep == NUB_ENGINE_KEEP_NOTHING) {
		nub_vm_release(&kvm->vm);
		return 0;
	}
	/* What else than an `out` waits to be completed may touch memory, or registers. */
	kvm->out_waits = keep == NUB_ENGINE_KEEP_MEMORY && kvm->vm.run->exit_reason == KVM_EXIT_IO &&
	                 kvm->vm.run->io.direction == KVM_EXIT_IO_OUT;
	if (!kvm->out_waits && nub_vcpu_complete_io(&kvm->vm, err) < 0)
		return -1;
	if (keep == NUB_ENGINE_KEEP_CPU)
		return nub_memslots_drop(kvm, err);
	return kvm->guest.plan->layout.cow == NUB_COW_GUEST ? nub_memslots_drop_scratch(kvm, err) : 0;
}

/* Setting special registers is dear and rarely needed: a guest at CPL 3 can change the bases of FS and GS in them. */
static int load_sregs(struct nub_kvm *kvm, const struct nub_cpu *cpu, struct nub_error *err)
{
	const unsigned level = kvm->guest.privilege_level;
	struct nub_sregs sregs;

	if (cpu)
		nub_cpu_resumed_sregs(&sregs, &cpu->sregs, &kvm->tables, level);
	else
		nub_cpu_initial_sregs(&sregs, &kvm->tables, level);
	if (kvm->guest.syscalls)
		sregs.efer |= EFER_SCE;
	return nub_vcpu_has_sregs(&kvm->vm, &sregs) ? 0 : nub_vcpu_set_sregs(&kvm->vm, &sregs, err);
}

/* Code at CPL 3 can't let interrupts through, but a file may say that it did. With them on, and a local APIC, KVM may have a
 * thread of the kernel fetch pages that the guest waits for: page faults that don't count as this process's, from whose
 * count it is known when to look for written pages (snapshot/file/dirty.h). */
static void load_regs(struct nub_kvm *kvm, const struct nub_cpu *cpu)
{
	kvm->engine.regs = cpu->regs;
	if (kvm->guest.privilege_level == 3)
		kvm->engine.regs.rflags &= ~RFLAGS_IF;
	nub_vcpu_set_regs(&kvm->vm, &kvm->engine.regs);
}

/* An `out` that ended the last run may still wait to be stepped over: KVM does that at the next entry, if the guest happens to go
 * on from the same instruction, and forgets it otherwise. */
static int complete_out(struct nub_kvm *kvm, const struct nub_cpu *cpu, struct nub_error *err)
{
	const bool forgotten = !kvm->out_waits || (cpu && cpu->regs.rip != kvm->vm.run->s.regs.regs.rip);

	kvm->out_waits = false;
	return forgotten ? 0 : nub_vcpu_complete_io(&kvm->vm, err);
}

static int start(struct nub_engine *engine, const struct nub_cpu *cpu, struct nub_error *err)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);

	if (complete_out(kvm, cpu, err) < 0 || load_sregs(kvm, cpu, err) < 0 || nub_memslots_hide(kvm, err) < 0)
		return -1;
	/* As a new vCPU is. */
	if (!cpu)
		return kvm->vm.has_run ? nub_vcpu_load_initial(&kvm->vm, err) : 0;
	load_regs(kvm, cpu);
	return nub_vcpu_load(&kvm->vm, kvm->guest.privilege_level, cpu, err);
}

static int save(struct nub_engine *engine, struct nub_cpu *cpu, struct nub_error *err)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);

	if (nub_vcpu_save(&kvm->vm, kvm->guest.privilege_level, cpu, err) < 0)
		return -1;
	cpu->regs = engine->regs;
	if (nub_kvm_sregs(engine, &cpu->sregs, err) < 0)
		return -1;
	/* The engine's, as the MSRs that go with it. */
	if (kvm->guest.syscalls)
		cpu->sregs.efer &= ~EFER_SCE;
	return 0;
}

/* In the monitor nothing waits that could be seen. */
static int complete(struct nub_engine *engine, struct nub_error *err)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);

	if (nub_kvm_syscalls_leave(kvm, err) < 0 || nub_vcpu_complete_io(&kvm->vm, err) < 0)
		return -1;
	if (!kvm->faulted)
		nub_vcpu_get_regs(&kvm->vm, &engine->regs);
	return 0;
}

static int set_bases(struct nub_engine *engine, uint64_t fs, uint64_t gs, struct nub_error *err)
{
	struct nub_vm *vm = &nub_kvm_of(engine)->vm;
	struct nub_sregs sregs;

	if (nub_vcpu_get_sregs(vm, &sregs, err) < 0)
		return -1;
	if (sregs.fs.base == fs && sregs.gs.base == gs)
		return 0;
	sregs.fs.base = fs;
	sregs.gs.base = gs;
	return nub_vcpu_set_sregs(vm, &sregs, err);
}

static int get_xsave(struct nub_engine *engine, uint8_t *xsave, size_t size, struct nub_error *err)
{
	return nub_vcpu_get_xsave(&nub_kvm_of(engine)->vm, xsave, size, err);
}

static int set_xsave(struct nub_engine *engine, const uint8_t *xsave, size_t size, struct nub_error *err)
{
	return nub_vcpu_set_xsave(&nub_kvm_of(engine)->vm, xsave, size, err);
}

static int set_debug(struct nub_engine *engine, const uint64_t registers[8], bool inject, struct nub_error *err)
{
	return nub_vcpu_set_guest_debug(&nub_kvm_of(engine)->vm, registers, inject, err);
}

static bool touch_is_dear(const struct nub_engine *engine)
{
	(void)engine;
	return nub_quirk_shadow_paging();
}

static uint64_t tsc_khz(const struct nub_engine *engine)
{
	return nub_vcpu_tsc_khz(&((const struct nub_kvm *)engine)->vm);
}

/* The guest's counter, whether it is the host's or has an offset. */
static uint64_t read_tsc(struct nub_engine *engine)
{
	struct nub_msr tsc = { .index = MSR_TSC };

	return nub_vcpu_get_msrs(&nub_kvm_of(engine)->vm, &tsc, 1, NULL) == 1 ? tsc.value : 0;
}

static int unblock_signal(struct nub_engine *engine, int signal, struct nub_error *err)
{
	return nub_vcpu_unblock_signal(&nub_kvm_of(engine)->vm, signal, err);
}

static void kick(struct nub_engine *engine)
{
	nub_vcpu_kick(&nub_kvm_of(engine)->vm);
}

static void unkick(struct nub_engine *engine)
{
	nub_kvm_of(engine)->vm.run->immediate_exit = 0;
}

static void release(struct nub_engine *engine)
{
	nub_kvm_tables_release(nub_kvm_of(engine));
	nub_vm_release(&nub_kvm_of(engine)->vm);
	free(engine);
}

static const struct nub_engine_ops ops = {
	.attach = attach,
	.fits = fits,
	.detach = detach,
	.start = start,
	.save = save,
	.run = nub_kvm_run,
	.complete = complete,
	.set_regs = nub_kvm_set_regs,
	.sregs = nub_kvm_sregs,
	.set_bases = set_bases,
	.xsave = get_xsave,
	.set_xsave = set_xsave,
	.set_debug = set_debug,
	.in_guest = nub_kvm_in_guest,
	.trap_soon = nub_kvm_trap_soon,
	.map = nub_kvm_map,
	.protect = nub_kvm_protect,
	.unmap = nub_kvm_unmap,
	.tsc = read_tsc,
	.tsc_khz = tsc_khz,
	.touch_is_dear = touch_is_dear,
	.unblock_signal = unblock_signal,
	.kick = kick,
	.unkick = unkick,
	.release = release,
};

struct nub_engine *nub_kvm_create(struct nub_error *err)
{
	struct nub_kvm *kvm = calloc(1, sizeof(*kvm));

	if (!kvm) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "engine");
		return NULL;
	}
	kvm->engine.ops = &ops;
	kvm->vm = (struct nub_vm){ .kvm_fd = -1, .vm_fd = -1, .vcpu_fd = -1 };
	return &kvm->engine;
}
