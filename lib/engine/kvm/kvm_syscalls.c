/* `syscall` as an exit: it leads to a page in scratch that the guest may execute, where an `out` comes out to the host.
 *
 * On a CPU with virtualisation it enters CPL 0 there (SMEP is off). Where guest code is held at the host's ring 3 it does not,
 * so the I/O bitmap opens the port, and the page is user. Either way the host puts the vCPU behind the instruction, at CPL 3:
 * `sysretq` can't be relied on, and its weak spot, a return address that is not canonical, doesn't matter then. A guest that
 * jumps to the page makes a system call with a return address of its choice, which is nothing that it can't do anyway.
 */
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/kvm/kvm_engine.h"

enum { PORT_SYSCALL = NUB_ENGINE_PORT_MAX };

/* out %al, $PORT_SYSCALL; ud2 */
static const uint8_t code[] = { 0xe6, PORT_SYSCALL, 0x0f, 0x0b };
enum { OUT_SIZE = 2 };

/* SDM vol. 4, table 2-2; vol. 2B, SYSCALL. */
enum { MSR_STAR = (int)0xc0000081, MSR_LSTAR, MSR_SFMASK = (int)0xc0000084 };
#define RFLAGS_FIXED UINT64_C(2)
#define RFLAGS_MASKED UINT64_C(0x257fd5)

void nub_kvm_syscalls_write(const struct nub_kvm *kvm)
{
	memcpy(kvm->guest.memory->scratch.host, code, sizeof(code));
}

int nub_kvm_syscalls_init(struct nub_kvm *kvm, struct nub_error *err)
{
	const struct nub_msr msrs[] = {
		{ (uint32_t)MSR_STAR, (uint64_t)NUB_SELECTOR_KERNEL_CODE << 32 },
		{ (uint32_t)MSR_LSTAR, nub_layout_scratch_gva(&kvm->guest.plan->layout) },
		{ (uint32_t)MSR_SFMASK, RFLAGS_MASKED },
	};
	const int count = sizeof(msrs) / sizeof(*msrs), done = nub_vcpu_set_msrs(&kvm->vm, msrs, (unsigned)count, err);

	if (done >= 0 && done < count)
		return nub_fail(err, NUB_E_KVM, 0, "KVM_SET_MSRS: %d of %d for the syscall instruction", done, count);
	return done < 0 ? -1 : 0;
}

int nub_kvm_syscalls_take(struct nub_kvm *kvm, bool *taken, struct nub_error *err)
{
	const uint64_t page = nub_layout_scratch_gva(&kvm->guest.plan->layout);
	struct nub_registers regs = kvm->vm.regs;
	struct nub_sregs sregs, of_guest;

	*taken = kvm->guest.syscalls && kvm->vm.run->io.port == PORT_SYSCALL &&
	         (regs.rip == page || regs.rip == page + OUT_SIZE);
	if (!*taken)
		return 0;
	regs.rip = nub_canonical(regs.rcx) ? regs.rcx : 0;
	regs.rflags = (regs.r11 & NUB_RFLAGS_USER) | RFLAGS_FIXED;
	nub_vcpu_set_regs(&kvm->vm, &regs);
	kvm->engine.regs = regs;
	if (nub_vcpu_get_sregs(&kvm->vm, &sregs, err) < 0)
		return -1;
	if (sregs.cs.dpl == 3)
		return 0;
	nub_cpu_initial_sregs(&of_guest, &kvm->tables, 3);
	sregs.cs = of_guest.cs;
	sregs.ss = of_guest.ss;
	return nub_vcpu_set_sregs(&kvm->vm, &sregs, err);
}
