/* Which MSRs code at CPL 0 can reach: those that are kept with its state, and none of the hypervisor's own. */
#include <errno.h>
#include <sys/ioctl.h>

#include "engine/kvm/kvm.h"

int nub_vm_filter_msrs(struct nub_vm *vm, struct nub_error *err)
{
	/* A bit for each; no range is longer than eight. */
	uint8_t all = 0xff;
	const struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges = {
			{ .flags = KVM_MSR_FILTER_READ, .base = 0x10 /* TSC */, .nmsrs = 1, .bitmap = &all },
			{ .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			  .base = 0x174 /* SYSENTER_CS, _ESP, _EIP */, .nmsrs = 3, .bitmap = &all },
			{ .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			  .base = 0x277 /* PAT */, .nmsrs = 1, .bitmap = &all },
			{ .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			  .base = 0xc0000080 /* EFER, STAR, LSTAR, CSTAR, SFMASK */, .nmsrs = 5, .bitmap = &all },
			{ .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			  .base = 0xc0000100 /* FS and GS base, KERNEL_GS_BASE, TSC_AUX */, .nmsrs = 4, .bitmap = &all },
		},
	};

	/* Before Linux 5.10 there is no filter, and KVM gives what CPUID shows. */
	if (ioctl(vm->vm_fd, KVM_X86_SET_MSR_FILTER, &filter) == 0 || errno == ENOTTY)
		return 0;
	return nub_kvm_fail_ioctl(err, "KVM_X86_SET_MSR_FILTER");
}
