/* The floor that nubrun is measured against: the bare KVM ioctls that a run of a small guest can't do without.
 *
 *     floor            make a VM with nubrun's two memslots, start its vCPU at CPL 3, take one `out`, exit
 *     floor --loop N   then go on: N round trips of KVM_RUN to the next `out`; prints the median in ns
 *     floor --no-apic  without a local APIC: dearer, as the kernel patches its own code for such a vCPU
 *     floor --create N make the VM and destroy it again, N times, and run nothing; prints the median in ns
 *
 * and what floor.h says, to have the guest write to pages before each `out`.
 *
 * It loads no file, checks nothing that it need not check, sets no CPUID and writes no status. Standalone on purpose:
 * nothing of lib/ is in here.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "floor.h"

#define SNAPSHOT_GPA UINT64_C(0x1000)
#define SNAPSHOT_SIZE UINT64_C(0x160000) /* a default guest's: code, PEB, 1 MiB heap, 256 KiB stack, tables */
#define SCRATCH_SIZE UINT64_C(0x80000)
#define SCRATCH_GPA (UINT64_C(0x1000000000) - SCRATCH_SIZE)
#define CODE_GVA UINT64_C(0x400000)

/* Page offsets in the snapshot region. */
enum {
	CODE = 0x0,
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	PT = 0x4000,
	GDT = 0x5000,
	TSS = 0x5800,
	DATA_PD = 0x6000
};

struct vm {
	int fd, vcpu;
	uint8_t *snapshot, *scratch, *data;
	size_t data_size, run_size;
	struct kvm_run *run;
};

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

static void put64(uint8_t *memory, uint64_t offset, uint64_t value)
{
	memcpy(memory + offset, &value, sizeof(value));
}

static void fill(uint8_t *memory)
{
	static const uint64_t table = 0x27; /* A, US, RW, P */

	put_code(memory + CODE, options.pages);
	put64(memory, PML4, (SNAPSHOT_GPA + PDPT) | table);
	put64(memory, PDPT, (SNAPSHOT_GPA + PD) | table);
	put64(memory, PD + 8 * (CODE_GVA >> 21), (SNAPSHOT_GPA + PT) | table);
	put64(memory, PDPT + 8 * (FLOOR_DATA >> 30), (SNAPSHOT_GPA + DATA_PD) | table);
	for (uint64_t i = 0; options.pages && i < 512; i++)
		put64(memory, DATA_PD + 8 * i, (FLOOR_DATA + (i << 21)) | 0xe7); /* PS, D, A, US, RW, P */
	put64(memory, PT, (SNAPSHOT_GPA + CODE) | 0x65);                         /* D, A, US, P */
	/* GDT and TSS are read at CPL 0 addresses: mapped after the code, supervisor. */
	put64(memory, PT + 8, (SNAPSHOT_GPA + GDT) | 0x63);
	put64(memory, GDT + 0x28, UINT64_C(0x00cff3000000ffff));
	put64(memory, GDT + 0x30, UINT64_C(0x00affb000000ffff));
	uint16_t iomap_base = 104;
	memcpy(memory + TSS + 102, &iomap_base, 2);
	memset(memory + TSS + 104, 0, 16);
	memory[TSS + 120] = 0xff;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, uint8_t l)
{
	return (struct kvm_segment){ .selector = selector,
		                     .type = type,
		                     .l = l,
		                     .s = 1,
		                     .dpl = 3,
		                     .present = 1,
		                     .limit = 0xffffffff,
		                     .g = 1,
		                     .db = !l };
}

/* A busy TSS, but for QEMU's TCG, which opens ports to CPL 3 by a TSS only that is available. */
static uint8_t tss_type(void)
{
	unsigned eax, name[3];

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return memcmp(name, "TCGTCGTCGTCG", sizeof(name)) == 0 ? 9 : 11;
}

static void set_registers(int vcpu)
{
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		fail("KVM_GET_SREGS");
	sregs.cr0 = 0x80050033;
	sregs.cr4 = 0x620;
	sregs.efer = 0xd00;
	sregs.cr3 = SNAPSHOT_GPA + PML4;
	sregs.cs = segment(0x33, 11, 1);
	sregs.ss = sregs.ds = sregs.es = sregs.fs = sregs.gs = segment(0x2b, 3, 0);
	sregs.gdt.base = CODE_GVA + 0x1000;
	sregs.gdt.limit = 0x37;
	sregs.tr = (struct kvm_segment){
		.selector = 8, .type = tss_type(), .present = 1, .limit = 120, .base = CODE_GVA + 0x1800
	};
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0)
		fail("KVM_SET_SREGS");
	struct kvm_regs regs = { .rip = CODE_GVA, .rflags = 2 };
	if (ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		fail("KVM_SET_REGS");
}

static void run_to_halt(int vcpu, const struct kvm_run *run)
{
	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		fail("KVM_RUN");
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != FLOOR_PORT) {
		fprintf(stderr, "floor: exit reason %u\n", run->exit_reason);
		exit(1);
	}
}

static void loop(const struct vm *vm)
{
	const size_t size = options.pages * FLOOR_PAGE_SIZE;
	uint64_t *times = room_for(options.loop);
	uint8_t *original = options.reset ? malloc(size) : NULL;

	if (original)
		memcpy(original, vm->data, size);
	for (size_t i = 0; i < options.loop; i++) {
		const uint64_t start = now_ns();
		run_to_halt(vm->vcpu, vm->run);
		/* Page by page: in one piece it may be one instruction a byte, where instructions are counted. */
		for (size_t at = 0; original && at < size; at += FLOOR_PAGE_SIZE)
			memcpy(vm->data + at, original + at, FLOOR_PAGE_SIZE);
		times[i] = now_ns() - start;
	}
	free(original);
	print_median(times, options.loop);
}

/* The first round writes to pages that are not there yet, the second one to the same. */
static void print_first(const struct vm *vm)
{
	const uint64_t start = now_ns();
	run_to_halt(vm->vcpu, vm->run);
	const uint64_t between = now_ns();
	run_to_halt(vm->vcpu, vm->run);
	const uint64_t end = now_ns();

	printf("%.1f\n", ((double)(between - start) - (double)(end - between)) / (double)options.pages);
}

static uint8_t *map_data(size_t *size)
{
	struct stat status;

	if (!options.file) {
		*size = options.pages * FLOOR_PAGE_SIZE;
		return map(*size);
	}
	const int fd = open(options.file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		fail(options.file);
	*size = (size_t)status.st_size / FLOOR_PAGE_SIZE * FLOOR_PAGE_SIZE;
	uint8_t *memory = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (memory == MAP_FAILED)
		fail(options.file);
	close(fd);
	return memory;
}

static void set_slots(const struct vm *vm)
{
	const struct kvm_userspace_memory_region slots[] = {
		{ .slot = 0,
		  .guest_phys_addr = SNAPSHOT_GPA,
		  .memory_size = SNAPSHOT_SIZE,
		  .userspace_addr = (uintptr_t)vm->snapshot },
		{ .slot = 1,
		  .guest_phys_addr = SCRATCH_GPA,
		  .memory_size = SCRATCH_SIZE,
		  .userspace_addr = (uintptr_t)vm->scratch },
		{ .slot = 2,
		  .guest_phys_addr = FLOOR_DATA,
		  .memory_size = vm->data_size,
		  .userspace_addr = (uintptr_t)vm->data },
	};

	for (int i = 0; i < (vm->data ? 3 : 2); i++)
		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slots[i]) < 0)
			fail("KVM_SET_USER_MEMORY_REGION");
}

static struct vm make_vm(int kvm)
{
	const struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP };
	struct vm vm = { .fd = ioctl(kvm, KVM_CREATE_VM, 0) };

	if (vm.fd < 0)
		fail("KVM_CREATE_VM");
	vm.snapshot = map(SNAPSHOT_SIZE);
	vm.scratch = map(SCRATCH_SIZE);
	if (options.pages)
		vm.data = map_data(&vm.data_size);
	fill(vm.snapshot);
	set_slots(&vm);
	if (!options.no_apic && ioctl(vm.fd, KVM_ENABLE_CAP, &split) < 0)
		fail("KVM_CAP_SPLIT_IRQCHIP");
	vm.vcpu = ioctl(vm.fd, KVM_CREATE_VCPU, 0);
	if (vm.vcpu < 0)
		fail("KVM_CREATE_VCPU");
	const int run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_size < 0)
		fail("KVM_GET_VCPU_MMAP_SIZE");
	vm.run_size = (size_t)run_size;
	vm.run = mmap(NULL, vm.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm.vcpu, 0);
	if (vm.run == MAP_FAILED)
		fail("mmap kvm_run");
	set_registers(vm.vcpu);
	return vm;
}

static void destroy_vm(const struct vm *vm)
{
	munmap(vm->run, vm->run_size);
	close(vm->vcpu);
	close(vm->fd);
	munmap(vm->snapshot, SNAPSHOT_SIZE);
	munmap(vm->scratch, SCRATCH_SIZE);
	if (vm->data)
		munmap(vm->data, vm->data_size);
}

static void create(int kvm)
{
	uint64_t *times = room_for(options.create);

	for (size_t i = 0; i < options.create; i++) {
		const uint64_t start = now_ns();
		const struct vm vm = make_vm(kvm);
		destroy_vm(&vm);
		times[i] = now_ns() - start;
	}
	print_median(times, options.create);
}

int main(int argc, char **argv)
{
	(void)argc;
	parse(argv);
	const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		fail("/dev/kvm");
	if (options.create) {
		create(kvm);
		return 0;
	}
	const struct vm vm = make_vm(kvm);
	if (options.first) {
		print_first(&vm);
		return 0;
	}
	run_to_halt(vm.vcpu, vm.run);
	if (options.loop)
		loop(&vm);
	return 0;
}
