/* The state of a vCPU through KVM's ioctls, made of KVM's structs into everybody's and back. */
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "engine/kvm/kvm.h"
#include "engine/kvm/quirks.h"

/* Of the first CPU: NUB_LOCAL_APIC_GPA, switched on (SDM vol. 3A, 11.4.4). */
#define RESET_APIC_BASE (NUB_LOCAL_APIC_GPA | 0x900)

int nub_vcpu_set_cpuid(struct nub_vm *vm, const struct nub_cpuid *cpuid, uint64_t xcr0, struct nub_error *err)
{
	union {
		struct kvm_cpuid2 head;
		uint8_t bytes[sizeof(struct kvm_cpuid2) + NUB_CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2)];
	} argument = { .head = { .nent = cpuid->count } };

	_Static_assert(NUB_CPUID_INDEXED == KVM_CPUID_FLAG_SIGNIFCANT_INDEX, "nub-snapshot(5) has KVM's flag");
	if (cpuid->count > NUB_CPUID_ENTRIES)
		return nub_fail(err, NUB_E_INTERNAL, 0, "CPUID: %u entries, at most %u", cpuid->count,
		                NUB_CPUID_ENTRIES);
	for (uint32_t i = 0; i < cpuid->count; i++) {
		const struct nub_cpuid_leaf *leaf = &cpuid->entries[i];
		const bool states = leaf->function == 0xd && leaf->index == 0;
		argument.head.entries[i] = (struct kvm_cpuid_entry2){
			.function = leaf->function,
			.index = leaf->index,
			.flags = leaf->flags,
			.eax = states ? leaf->eax | (uint32_t)xcr0 : leaf->eax,
			.ebx = leaf->ebx,
			.ecx = leaf->ecx,
			.edx = leaf->edx,
		};
	}
	return ioctl(vm->vcpu_fd, KVM_SET_CPUID2, &argument) < 0 ? nub_kvm_fail_ioctl(err, "KVM_SET_CPUID2") : 0;
}

int nub_vcpu_set_xcr0(struct nub_vm *vm, uint64_t xcr0, struct nub_error *err)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = xcr0 } } };

	if (ioctl(vm->vcpu_fd, KVM_SET_XCRS, &xcrs) < 0)
		return nub_fail_errno(err, NUB_E_KVM, "KVM_SET_XCRS: XCR0 = 0x%llx", (unsigned long long)xcr0);
	return 0;
}

/* ---- Segment and control registers: the same names on both sides ---- */

#define COPY_SEGMENT(to, from)                                                                                         \
	do {                                                                                                           \
		(to).base = (from).base;                                                                               \
		(to).limit = (from).limit;                                                                             \
		(to).selector = (from).selector;                                                                       \
		(to).type = (from).type;                                                                               \
		(to).present = (from).present;                                                                         \
		(to).dpl = (from).dpl;                                                                                 \
		(to).db = (from).db;                                                                                   \
		(to).s = (from).s;                                                                                     \
		(to).l = (from).l;                                                                                     \
		(to).g = (from).g;                                                                                     \
		(to).avl = (from).avl;                                                                                 \
		(to).unusable = (from).unusable;                                                                       \
	} while (0)

#define COPY_SREGS(to, from)                                                                                           \
	do {                                                                                                           \
		COPY_SEGMENT((to)->cs, (from)->cs);                                                                    \
		COPY_SEGMENT((to)->ds, (from)->ds);                                                                    \
		COPY_SEGMENT((to)->es, (from)->es);                                                                    \
		COPY_SEGMENT((to)->fs, (from)->fs);                                                                    \
		COPY_SEGMENT((to)->gs, (from)->gs);                                                                    \
		COPY_SEGMENT((to)->ss, (from)->ss);                                                                    \
		COPY_SEGMENT((to)->tr, (from)->tr);                                                                    \
		COPY_SEGMENT((to)->ldt, (from)->ldt);                                                                  \
		(to)->gdt.base = (from)->gdt.base;                                                                     \
		(to)->gdt.limit = (from)->gdt.limit;                                                                   \
		(to)->idt.base = (from)->idt.base;                                                                     \
		(to)->idt.limit = (from)->idt.limit;                                                                   \
		(to)->cr0 = (from)->cr0;                                                                               \
		(to)->cr2 = (from)->cr2;                                                                               \
		(to)->cr3 = (from)->cr3;                                                                               \
		(to)->cr4 = (from)->cr4;                                                                               \
		(to)->cr8 = (from)->cr8;                                                                               \
		(to)->efer = (from)->efer;                                                                             \
	} while (0)

int nub_vcpu_know_sregs(struct nub_vm *vm, struct nub_error *err)
{
	vm->sregs_asked = true;
	if (!vm->sregs_known && ioctl(vm->vcpu_fd, KVM_GET_SREGS, &vm->run->s.regs.sregs) < 0)
		return nub_kvm_fail_ioctl(err, "KVM_GET_SREGS");
	vm->sregs_known = true;
	return 0;
}

int nub_vcpu_get_sregs(struct nub_vm *vm, struct nub_sregs *sregs, struct nub_error *err)
{
	if (nub_vcpu_know_sregs(vm, err) < 0)
		return -1;
	COPY_SREGS(sregs, &vm->run->s.regs.sregs);
	return 0;
}

bool nub_vcpu_has_sregs(struct nub_vm *vm, const struct nub_sregs *sregs)
{
	struct nub_sregs current = { 0 };

	vm->sregs_asked = true;
	if (!vm->sregs_known)
		return false;
	COPY_SREGS(&current, &vm->run->s.regs.sregs);
	return nub_sregs_equal(&current, sregs);
}

/* What nub_vcpu_set_sregs leaves as it is, in a vCPU that is new. */
static void know_new_sregs(struct nub_vm *vm)
{
	vm->run->s.regs.sregs = (struct kvm_sregs){ .apic_base = RESET_APIC_BASE };
	vm->sregs_known = true;
}

/* The next entry takes them from kvm_run, which is an ioctl less. */
int nub_vcpu_set_sregs(struct nub_vm *vm, const struct nub_sregs *sregs, struct nub_error *err)
{
	if (!vm->sregs_known && !vm->has_run && vm->local_apic)
		know_new_sregs(vm);
	if (nub_vcpu_know_sregs(vm, err) < 0)
		return -1;
	COPY_SREGS(&vm->run->s.regs.sregs, sregs);
	if (!vm->over_tcg) {
		vm->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
		return 0;
	}
	struct kvm_sregs accepted = vm->run->s.regs.sregs;
	nub_quirk_tcg_sregs(&accepted);
	return ioctl(vm->vcpu_fd, KVM_SET_SREGS, &accepted) < 0 ? nub_kvm_fail_ioctl(err, "KVM_SET_SREGS") : 0;
}

/* ---- XSAVE, debug registers ---- */

_Static_assert(sizeof(struct kvm_xsave) >= NUB_XSAVE_WIDE_SIZE, "KVM's area has room for what is kept");

int nub_vcpu_get_xsave(struct nub_vm *vm, uint8_t *xsave, size_t size, struct nub_error *err)
{
	struct kvm_xsave area;

	if (ioctl(vm->vcpu_fd, KVM_GET_XSAVE, &area) < 0)
		return nub_kvm_fail_ioctl(err, "KVM_GET_XSAVE");
	memcpy(xsave, area.region, size);
	return 0;
}

int nub_vcpu_set_xsave(struct nub_vm *vm, const uint8_t *xsave, size_t size, struct nub_error *err)
{
	struct kvm_xsave area = { 0 };

	memcpy(area.region, xsave, size);
	return ioctl(vm->vcpu_fd, KVM_SET_XSAVE, &area) < 0 ? nub_kvm_fail_ioctl(err, "KVM_SET_XSAVE") : 0;
}

int nub_vcpu_get_debugregs(struct nub_vm *vm, struct nub_debugregs *debugregs, struct nub_error *err)
{
	struct kvm_debugregs registers;

	if (ioctl(vm->vcpu_fd, KVM_GET_DEBUGREGS, &registers) < 0)
		return nub_kvm_fail_ioctl(err, "KVM_GET_DEBUGREGS");
	*debugregs = (struct nub_debugregs){
		.dr = { registers.db[0], registers.db[1], registers.db[2], registers.db[3] },
		.dr6 = registers.dr6,
		.dr7 = registers.dr7,
	};
	return 0;
}

int nub_vcpu_set_debugregs(struct nub_vm *vm, const struct nub_debugregs *debugregs, struct nub_error *err)
{
	const struct kvm_debugregs registers = {
		.db = { debugregs->dr[0], debugregs->dr[1], debugregs->dr[2], debugregs->dr[3] },
		.dr6 = debugregs->dr6,
		.dr7 = debugregs->dr7,
	};

	return ioctl(vm->vcpu_fd, KVM_SET_DEBUGREGS, &registers) < 0 ? nub_kvm_fail_ioctl(err, "KVM_SET_DEBUGREGS") : 0;
}

int nub_vcpu_set_guest_debug(struct nub_vm *vm, const uint64_t registers[8], bool inject, struct nub_error *err)
{
	struct kvm_guest_debug debug = { 0 };

	_Static_assert(sizeof(debug.arch.debugreg) == 8 * sizeof(uint64_t), "DR0 to DR7");
	if (registers) {
		debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP | (inject ? KVM_GUESTDBG_INJECT_DB : 0);
		memcpy(debug.arch.debugreg, registers, sizeof(debug.arch.debugreg));
	}
	return ioctl(vm->vcpu_fd, KVM_SET_GUEST_DEBUG, &debug) < 0 ? nub_kvm_fail_ioctl(err, "KVM_SET_GUEST_DEBUG") : 0;
}

/* ---- MSRs ---- */

/* One MSR an ioctl: KVM stops at the first that it does not know, and the rest must not be lost with it. */
static int one_msr(struct nub_vm *vm, unsigned long request, struct nub_msr *msr)
{
	union {
		struct kvm_msrs head;
		uint8_t bytes[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} argument = { .head = { .nmsrs = 1 } };

	argument.head.entries[0] = (struct kvm_msr_entry){ .index = msr->index, .data = msr->value };
	const int done = ioctl(vm->vcpu_fd, request, &argument);
	if (done == 1)
		msr->value = argument.head.entries[0].data;
	return done;
}

int nub_vcpu_get_msrs(struct nub_vm *vm, struct nub_msr *msrs, unsigned count, struct nub_error *err)
{
	int known = 0;

	for (unsigned i = 0; i < count; i++) {
		struct nub_msr msr = msrs[i];
		const int done = one_msr(vm, KVM_GET_MSRS, &msr);
		if (done < 0)
			return nub_fail_errno(err, NUB_E_KVM, "KVM_GET_MSRS: MSR 0x%x", msr.index);
		if (done == 1)
			msrs[known++] = msr;
	}
	return known;
}

int nub_vcpu_set_msrs(struct nub_vm *vm, const struct nub_msr *msrs, unsigned count, struct nub_error *err)
{
	int known = 0;

	for (unsigned i = 0; i < count; i++) {
		struct nub_msr msr = msrs[i];
		const int done = one_msr(vm, KVM_SET_MSRS, &msr);
		if (done < 0)
			return nub_fail_errno(err, NUB_E_KVM, "KVM_SET_MSRS: MSR 0x%x", msr.index);
		known += done;
	}
	return known;
}

/* ---- General registers ---- */

/* Both are 18 u64s in the same order. */
_Static_assert(sizeof(struct kvm_regs) == sizeof(struct nub_registers), "struct nub_registers follows struct kvm_regs");
_Static_assert(offsetof(struct kvm_regs, rsi) == offsetof(struct nub_registers, rsi), "the same order");
_Static_assert(offsetof(struct kvm_regs, r8) == offsetof(struct nub_registers, r8), "the same order");
_Static_assert(offsetof(struct kvm_regs, rflags) == offsetof(struct nub_registers, rflags), "the same order");

void nub_vcpu_get_regs(const struct nub_vm *vm, struct nub_registers *regs)
{
	memcpy(regs, &vm->run->s.regs.regs, sizeof(*regs));
}

void nub_vcpu_set_regs(struct nub_vm *vm, const struct nub_registers *regs)
{
	nub_vcpu_set_regs_at(vm, regs, regs->rip, regs->rflags);
}

void nub_vcpu_set_regs_at(struct nub_vm *vm, const struct nub_registers *regs, uint64_t rip, uint64_t rflags)
{
	struct kvm_regs *at = &vm->run->s.regs.regs;

	memcpy(at, regs, sizeof(*regs));
	at->rip = rip;
	at->rflags = rflags;
	vm->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}
