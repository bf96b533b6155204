/* The floor that nubrun is measured against: the bare KVM ioctls that a run of a small guest can't do without.
 *
 *     floor            make a VM with nubrun's two memslots, start its vCPU at CPL 3, take one `out`, exit
 *     floor --loop N   then go on: N round trips of KVM_RUN to the next `out`; prints the median in ns
 *     floor --no-apic  without a local APIC: dearer, as the kernel patches its own code for such a vCPU
 *
 * It loads no file, checks nothing that it need not check, sets no CPUID and writes no status. Standalone on purpose:
 * nothing of lib/ is in here.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define SNAPSHOT_GPA UINT64_C(0x1000)
#define SNAPSHOT_SIZE UINT64_C(0x160000) /* a default guest's: code, PEB, 1 MiB heap, 256 KiB stack, tables */
#define SCRATCH_SIZE UINT64_C(0x80000)
#define SCRATCH_GPA (UINT64_C(0x1000000000) - SCRATCH_SIZE)
#define CODE_GVA UINT64_C(0x400000)
#define HALT_PORT 108

/* Page offsets in the snapshot region. */
enum { CODE = 0x0, PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000, GDT = 0x5000, TSS = 0x5800 };

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

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
	/* 1: out %al, $HALT_PORT; jmp 1b */
	static const uint8_t code[] = { 0xe6, HALT_PORT, 0xeb, 0xfc };
	static const uint64_t table = 0x27; /* A, US, RW, P */

	memcpy(memory + CODE, code, sizeof(code));
	put64(memory, PML4, (SNAPSHOT_GPA + PDPT) | table);
	put64(memory, PDPT, (SNAPSHOT_GPA + PD) | table);
	put64(memory, PD + 8 * (CODE_GVA >> 21), (SNAPSHOT_GPA + PT) | table);
	put64(memory, PT, (SNAPSHOT_GPA + CODE) | 0x65); /* D, A, US, P */
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
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != HALT_PORT) {
		fprintf(stderr, "floor: exit reason %u\n", run->exit_reason);
		exit(1);
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void loop(int vcpu, const struct kvm_run *run, size_t count)
{
	uint64_t *times = calloc(count, sizeof(*times));

	if (!times)
		fail("calloc");
	for (size_t i = 0; i < count; i++) {
		uint64_t start = now_ns();
		run_to_halt(vcpu, run);
		times[i] = now_ns() - start;
	}
	qsort(times, count, sizeof(*times), compare);
	printf("%llu\n", (unsigned long long)times[count / 2]);
	free(times);
}

int main(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		fail("/dev/kvm");
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		fail("KVM_CREATE_VM");
	uint8_t *snapshot = map(SNAPSHOT_SIZE), *scratch = map(SCRATCH_SIZE);
	fill(snapshot);
	const struct kvm_userspace_memory_region slots[2] = {
		{ .slot = 0,
		  .guest_phys_addr = SNAPSHOT_GPA,
		  .memory_size = SNAPSHOT_SIZE,
		  .userspace_addr = (uintptr_t)snapshot },
		{ .slot = 1,
		  .guest_phys_addr = SCRATCH_GPA,
		  .memory_size = SCRATCH_SIZE,
		  .userspace_addr = (uintptr_t)scratch },
	};
	for (int i = 0; i < 2; i++)
		if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slots[i]) < 0)
			fail("KVM_SET_USER_MEMORY_REGION");
	const struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP };
	if (!(argc == 2 && strcmp(argv[1], "--no-apic") == 0) && ioctl(vm, KVM_ENABLE_CAP, &split) < 0)
		fail("KVM_CAP_SPLIT_IRQCHIP");
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		fail("KVM_CREATE_VCPU");
	int run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_size < 0)
		fail("KVM_GET_VCPU_MMAP_SIZE");
	struct kvm_run *run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		fail("mmap kvm_run");
	set_registers(vcpu);
	run_to_halt(vcpu, run);
	if (argc == 3 && strcmp(argv[1], "--loop") == 0)
		loop(vcpu, run, strtoul(argv[2], NULL, 10));
	return 0;
}
