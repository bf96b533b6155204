/* The vCPU's state through KVM's ioctls: first what others depend on, then the rest. */
#include "engine/kvm/kvm_state.h"

#include <string.h>

#include "base/error.h"

/* What a guest at CPL 0 can change beside the special registers. At CPL 3 none of them can be reached. */
static const uint32_t kernel_msrs[] = {
	0xc0000081 /* STAR */,           0xc0000082 /* LSTAR */,   0xc0000083 /* CSTAR */,  0xc0000084 /* SFMASK */,
	0xc0000102 /* KERNEL_GS_BASE */, 0xc0000103 /* TSC_AUX */, 0x174 /* SYSENTER_CS */, 0x175 /* SYSENTER_ESP */,
	0x176 /* SYSENTER_EIP */,        0x277 /* PAT */,
};
enum { KERNEL_MSR_COUNT = sizeof(kernel_msrs) / sizeof(kernel_msrs[0]) };

static int save_kernel_state(struct nub_vm *vm, struct nub_cpu *state, struct nub_error *err)
{
	for (unsigned i = 0; i < KERNEL_MSR_COUNT; i++)
		state->msrs[i] = (struct nub_msr){ .index = kernel_msrs[i] };
	const int known = nub_vcpu_get_msrs(vm, state->msrs, KERNEL_MSR_COUNT, err);
	if (known < 0)
		return -1;
	state->msr_count = (uint32_t)known;
	return nub_vcpu_get_debugregs(vm, &state->debugregs, err);
}

int nub_vcpu_save(struct nub_vm *vm, unsigned privilege_level, struct nub_cpu *state, struct nub_error *err)
{
	uint64_t in_use;

	memset(state, 0, sizeof(*state));
	nub_vcpu_get_regs(vm, &state->regs);
	state->xcr0 = NUB_XCR0;
	state->xsave_size = NUB_XSAVE_SIZE;
	if (nub_vcpu_get_sregs(vm, &state->sregs, err) < 0 ||
	    nub_vcpu_get_xsave(vm, state->xsave, NUB_XSAVE_SIZE, err) < 0)
		return -1;
	memcpy(&in_use, state->xsave + NUB_XSAVE_STATE_BV, sizeof(in_use));
	in_use &= NUB_XCR0;
	memcpy(state->xsave + NUB_XSAVE_STATE_BV, &in_use, sizeof(in_use));
	return privilege_level == 0 ? save_kernel_state(vm, state, err) : 0;
}

int nub_vcpu_load(struct nub_vm *vm, unsigned privilege_level, const struct nub_cpu *state, struct nub_error *err)
{
	if (nub_vcpu_set_xsave(vm, state->xsave, NUB_XSAVE_SIZE, err) < 0)
		return -1;
	if (privilege_level != 0)
		return 0;
	if (nub_vcpu_set_msrs(vm, state->msrs, state->msr_count, err) < 0)
		return -1;
	return nub_vcpu_set_debugregs(vm, &state->debugregs, err);
}

int nub_vcpu_load_initial(struct nub_vm *vm, struct nub_error *err)
{
	uint8_t xsave[NUB_XSAVE_SIZE];

	nub_cpu_initial_xsave(xsave);
	return nub_vcpu_set_xsave(vm, xsave, NUB_XSAVE_SIZE, err);
}
