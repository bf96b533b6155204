/* The KVM ioctls: open, create, map memory, run. */
#include "engine/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/kvm/quirks.h"

#define KVM_DEVICE "/dev/kvm"

int nub_kvm_fail_ioctl(struct nub_error *err, const char *name)
{
	return nub_fail_errno(err, NUB_E_KVM, "%s", name);
}

static int fail_open(struct nub_error *err)
{
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		nub_fail_errno(err, NUB_E_KVM_MISSING, KVM_DEVICE);
		return nub_hint(err,
		                "load the module (modprobe kvm_intel or kvm_amd) and switch virtualisation on in the "
		                "firmware; inside a VM it needs nesting, a container must be given " KVM_DEVICE);
	case EACCES:
	case EPERM:
		nub_fail_errno(err, NUB_E_KVM_DENIED, KVM_DEVICE);
		return nub_hint(
		    err, "add yourself to its group, mostly kvm (sudo usermod -aG kvm \"$USER\"), and log in again; "
			 "'ls -l " KVM_DEVICE "' shows group and mode");
	default:
		return nub_fail_errno(err, NUB_E_KVM, KVM_DEVICE);
	}
}

int nub_kvm_open(struct nub_error *err)
{
	int fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail_open(err);
	int version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_VERSION)
		return fd;
	if (version < 0)
		nub_fail_errno(err, NUB_E_KVM, KVM_DEVICE ": is not KVM's device");
	else
		nub_fail(err, NUB_E_KVM, 0, KVM_DEVICE ": KVM API version %d, needs %d", version, KVM_API_VERSION);
	close(fd);
	return nub_hint(err, "load the module of this kernel (modprobe kvm_intel or kvm_amd)");
}

static int require_capabilities(struct nub_vm *vm, struct nub_error *err)
{
	static const struct {
		int number;
		const char *name, *since;
	} needed[] = {
		{ KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS", "4.17" },
		{ KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM", "3.7" },
		{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "4.13" },
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, needed[i].number) > 0)
			continue;
		nub_fail(err, NUB_E_KVM, 0, KVM_DEVICE ": no %s", needed[i].name);
		return nub_hint(err, "use a kernel of version %s or later", needed[i].since);
	}
	return 0;
}

/* The split kind: no PIC and no I/O APIC beside it. A KVM that can't is slower, and no worse. */
static bool give_local_apic(struct nub_vm *vm)
{
	const struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP };

	return ioctl(vm->vm_fd, KVM_ENABLE_CAP, &split) == 0;
}

int nub_vm_init(struct nub_vm *vm, bool local_apic, struct nub_error *err)
{
	*vm = (struct nub_vm){ .kvm_fd = -1, .vm_fd = -1, .vcpu_fd = -1, .over_tcg = nub_quirk_tcg() };
	vm->kvm_fd = nub_kvm_open(err);
	if (vm->kvm_fd < 0 || require_capabilities(vm, err) < 0)
		return -1;
	/* A signal that arrives meanwhile interrupts it. */
	do {
		vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	} while (vm->vm_fd < 0 && errno == EINTR);
	if (vm->vm_fd < 0)
		return nub_kvm_fail_ioctl(err, "KVM_CREATE_VM");
	vm->local_apic = local_apic && give_local_apic(vm);
	vm->vcpu_fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu_fd < 0)
		return nub_kvm_fail_ioctl(err, "KVM_CREATE_VCPU");
	int size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		return nub_kvm_fail_ioctl(err, "KVM_GET_VCPU_MMAP_SIZE");
	if (size < (int)sizeof(struct kvm_run))
		return nub_fail(err, NUB_E_KVM, 0, "KVM_GET_VCPU_MMAP_SIZE: %d bytes, at least %zu are needed", size,
		                sizeof(struct kvm_run));
	void *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu_fd, 0);
	if (run == MAP_FAILED)
		return nub_fail_errno(err, NUB_E_KVM, "mmap of kvm_run");
	vm->run_size = (size_t)size;
	vm->run = run;
	return 0;
}

void nub_vm_release(struct nub_vm *vm)
{
	struct kvm_run *run = vm->run;

	/* A signal handler may kick the vCPU: it must not find what is gone. */
	vm->run = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	if (run)
		munmap(run, vm->run_size);
	nub_close_fd(&vm->vcpu_fd);
	nub_close_fd(&vm->vm_fd);
	nub_close_fd(&vm->kvm_fd);
	*vm = (struct nub_vm){ .kvm_fd = -1, .vm_fd = -1, .vcpu_fd = -1 };
}

int nub_vm_set_memory(struct nub_vm *vm, unsigned slot, uint64_t gpa, uint64_t size, void *host, bool readonly,
                      struct nub_error *err)
{
	const struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = readonly ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	if (ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return nub_fail_errno(err, NUB_E_KVM, "KVM_SET_USER_MEMORY_REGION: slot %u, 0x%llx bytes at gpa 0x%llx",
		                      slot, (unsigned long long)size, (unsigned long long)gpa);
	return 0;
}

/* KVM_RUN. To have the special registers with every exit would be a tenth of a call, so they come where those of the last exit
 * were asked for: an exit that needs them is seldom alone. */
static int enter(struct nub_vm *vm)
{
	vm->run->kvm_valid_regs = KVM_SYNC_X86_REGS | (vm->sregs_asked ? KVM_SYNC_X86_SREGS : 0);
	vm->sregs_asked = false;
	return ioctl(vm->vcpu_fd, KVM_RUN, 0);
}

/* kvm_run has registers that the kernel has just written. */
static void note_exit(struct nub_vm *vm)
{
	vm->has_run = true;
	vm->sregs_known = (vm->run->kvm_valid_regs & KVM_SYNC_X86_SREGS) != 0;
}

int nub_vcpu_complete_io(struct nub_vm *vm, struct nub_error *err)
{
	const uint32_t exit_reason = vm->run->exit_reason;

	if (vm->sregs_known)
		vm->sregs_asked = true;
	vm->run->immediate_exit = 1;
	const int result = enter(vm);
	const uint32_t unexpected = vm->run->exit_reason;
	vm->run->immediate_exit = 0;
	vm->run->exit_reason = exit_reason;
	note_exit(vm);
	if (result < 0)
		return errno == EINTR ? 0 : nub_kvm_fail_ioctl(err, "KVM_RUN with immediate_exit");
	return nub_fail(err, NUB_E_KVM, 0, "KVM_RUN with immediate_exit: exit reason %u, none was expected",
	                unexpected);
}

int nub_vcpu_unblock_signal(struct nub_vm *vm, int signal, struct nub_error *err)
{
	/* The kernel's sigset is 8 bytes; struct kvm_signal_mask ends in a flexible array. */
	union {
		struct kvm_signal_mask head;
		uint8_t bytes[sizeof(struct kvm_signal_mask) + 8];
	} argument = { .head = { .len = 8 } };
	sigset_t mask;

	sigaddset(&vm->unblocked, signal);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	for (int i = 1; i <= SIGRTMAX; i++)
		if (sigismember(&vm->unblocked, i) == 1)
			sigdelset(&mask, i);
	memcpy(argument.bytes + offsetof(struct kvm_signal_mask, sigset), &mask, 8);
	return ioctl(vm->vcpu_fd, KVM_SET_SIGNAL_MASK, &argument) < 0 ? nub_kvm_fail_ioctl(err, "KVM_SET_SIGNAL_MASK")
	                                                              : 0;
}

void nub_vcpu_kick(struct nub_vm *vm)
{
	struct kvm_run *run = vm->run;

	if (run)
		run->immediate_exit = 1;
}

uint64_t nub_vcpu_tsc_khz(const struct nub_vm *vm)
{
	const int khz = ioctl(vm->vcpu_fd, KVM_GET_TSC_KHZ, 0);

	return khz > 0 ? (uint64_t)khz : 0;
}

int nub_vcpu_run(struct nub_vm *vm, struct nub_error *err)
{
	const bool stored = vm->sregs_asked;
	struct kvm_sregs before;

	/* They are over 300 bytes, for an end that is rare. */
	if (stored)
		before = vm->run->s.regs.sregs;
	const int result = enter(vm);
	note_exit(vm);
	vm->registers_lost = false;
	if (result == 0 && vm->run->exit_reason != KVM_EXIT_SHUTDOWN)
		return 0;
	if (result == 0) {
		if (!stored)
			before = vm->run->s.regs.sregs;
		if (nub_vcpu_know_sregs(vm, err) < 0)
			return -1;
		vm->registers_lost = nub_quirk_registers_lost(vm->run, &before);
		return 0;
	}
	if (errno == EINTR || errno == EAGAIN)
		return 1;
	if (errno == EFAULT) {
		nub_fail_errno(err, NUB_E_KVM, "KVM_RUN: the memory behind the guest is gone");
		return nub_hint(err, "was a mapped file truncated, or is the host out of memory?");
	}
	return nub_kvm_fail_ioctl(err, "KVM_RUN");
}
