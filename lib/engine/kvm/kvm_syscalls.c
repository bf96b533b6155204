/* `syscall` as an exit: it leads to a page in scratch that the guest may execute, where an `out` comes out to the host.
 *
 * On a CPU with virtualisation it enters CPL 0 there (SMEP is off), and `sysretq` behind the `out` takes it back, with the
 * registers that a program has behind a system call. Others need the vCPU put at CPL 3 by its special registers, which takes as
 * long as the exit itself; so does a return address that is not canonical, the weak spot of `sysretq`. Where guest code is held at
 * the host's ring 3 CPL 0 is never entered, so the I/O bitmap opens the port, and the page is user.
 *
 * A guest that jumps to the page makes a system call with a return address of its choice, which is nothing that it can't do
 * anyway, or faults at an instruction that is not for CPL 3.
 */
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/kvm/kvm_engine.h"

enum { PORT_SYSCALL = NUB_ENGINE_PORT_MAX };

/* out %al, $PORT_SYSCALL; sysretq */
static const uint8_t code[] = { 0xe6, PORT_SYSCALL, 0x48, 0x0f, 0x07 };
enum { OUT_SIZE = 2 };

/* SDM vol. 4, table 2-2; vol. 2B, SYSCALL. */
enum { MSR_STAR = (int)0xc0000081, MSR_LSTAR, MSR_SFMASK = (int)0xc0000084 };
#define RFLAGS_FIXED UINT64_C(2)
#define RFLAGS_MASKED UINT64_C(0x257fd5)
#define RFLAGS_RF (UINT64_C(1) << 16)

/* SYSRET has the selectors at fixed distances from that in STAR (SDM vol. 2B, SYSRET). */
enum { SYSRET_SELECTOR = NUB_SELECTOR_USER_DATA - 8 };
_Static_assert(SYSRET_SELECTOR + 16 == NUB_SELECTOR_USER_CODE, "code behind data");

static uint64_t page_gva(const struct nub_kvm *kvm)
{
	return nub_layout_scratch_gva(&kvm->guest.plan->layout);
}

void nub_kvm_syscalls_write(const struct nub_kvm *kvm)
{
	memcpy(kvm->guest.memory->scratch.host, code, sizeof(code));
}

int nub_kvm_syscalls_init(struct nub_kvm *kvm, struct nub_error *err)
{
	const struct nub_msr msrs[] = {
		{ (uint32_t)MSR_STAR, (uint64_t)SYSRET_SELECTOR << 48 | (uint64_t)NUB_SELECTOR_KERNEL_CODE << 32 },
		{ (uint32_t)MSR_LSTAR, page_gva(kvm) },
		{ (uint32_t)MSR_SFMASK, RFLAGS_MASKED },
	};
	const int count = sizeof(msrs) / sizeof(*msrs), done = nub_vcpu_set_msrs(&kvm->vm, msrs, (unsigned)count, err);

	if (done >= 0 && done < count)
		return nub_fail(err, NUB_E_KVM, 0, "KVM_SET_MSRS: %d of %d for the syscall instruction", done, count);
	return done < 0 ? -1 : 0;
}

/* What a program has behind `syscall`, by what it has in the page: the engine's registers are those of the exit. */
static void show_guest(struct nub_kvm *kvm)
{
	struct nub_registers *regs = &kvm->engine.regs;

	regs->rip = nub_canonical(regs->rcx) ? regs->rcx : 0;
	regs->rflags = (regs->r11 & NUB_RFLAGS_USER) | RFLAGS_FIXED;
	kvm->in_syscall = true;
}

int nub_kvm_syscalls_leave(struct nub_kvm *kvm, struct nub_error *err)
{
	struct nub_sregs sregs, of_guest;

	if (!kvm->in_syscall)
		return 0;
	kvm->in_syscall = false;
	nub_vcpu_set_regs(&kvm->vm, &kvm->engine.regs);
	if (nub_vcpu_get_sregs(&kvm->vm, &sregs, err) < 0)
		return -1;
	if (sregs.cs.dpl == 3)
		return 0;
	nub_cpu_initial_sregs(&of_guest, &kvm->tables, 3);
	sregs.cs = of_guest.cs;
	sregs.ss = of_guest.ss;
	return nub_vcpu_set_sregs(&kvm->vm, &sregs, err);
}

/* It had to be at CPL 0 once. Whoever is there without that faults: the host takes nobody anywhere by that belief. */
int nub_kvm_syscalls_take(struct nub_kvm *kvm, bool *taken, struct nub_error *err)
{
	const uint64_t page = page_gva(kvm), rip = kvm->vm.run->s.regs.regs.rip;
	struct nub_sregs sregs;

	*taken = kvm->guest.syscalls && kvm->vm.run->io.port == PORT_SYSCALL && (rip == page || rip == page + OUT_SIZE);
	if (!*taken)
		return 0;
	show_guest(kvm);
	if (kvm->by_sysret)
		return 0;
	if (nub_vcpu_get_sregs(&kvm->vm, &sregs, err) < 0)
		return -1;
	kvm->by_sysret = sregs.cs.dpl == 0;
	return kvm->by_sysret ? 0 : nub_kvm_syscalls_leave(kvm, err);
}

/* SYSRET loads more flags than programs may change, and not RF; TF would trap in the page already, on some CPUs. */
static bool sysret_leads_to(const struct nub_registers *regs)
{
	return regs->rcx == regs->rip && nub_canonical(regs->rip) &&
	       (regs->r11 & ~(NUB_RFLAGS_USER | RFLAGS_FIXED)) == 0 && (regs->r11 | RFLAGS_FIXED) == regs->rflags &&
	       (regs->rflags & (NUB_RFLAGS_TF | RFLAGS_RF)) == 0;
}

int nub_kvm_syscalls_return(struct nub_kvm *kvm, struct nub_error *err)
{
	const struct nub_registers *regs = &kvm->engine.regs;

	if (!kvm->in_syscall)
		return 0;
	if (!sysret_leads_to(regs))
		return nub_kvm_syscalls_leave(kvm, err);
	kvm->in_syscall = false;
	nub_vcpu_set_regs_at(&kvm->vm, regs, page_gva(kvm) + OUT_SIZE, RFLAGS_FIXED);
	return 0;
}

void nub_kvm_syscalls_interrupted(struct nub_kvm *kvm)
{
	if (kvm->guest.syscalls && kvm->by_sysret && kvm->vm.run->s.regs.regs.rip == page_gva(kvm) + OUT_SIZE)
		show_guest(kvm);
}
