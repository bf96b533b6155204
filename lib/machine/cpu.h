/* What state a guest's CPU starts in: segments, control registers, CPUID, XCR0. Pure but for reading the host's CPUID.
 *
 * Guests start straight at their privilege level in long mode (SDM vol. 3A, 2.5, 3.4.5), with SSE and AVX on. The
 * selectors are those of the GDT that scratch.h writes.
 */
#ifndef NUB_CPU_H
#define NUB_CPU_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "nub/error.h"

/* GDT selectors. The TSS descriptor takes two entries. */
enum {
	NUB_SELECTOR_KERNEL_CODE = 0x08,
	NUB_SELECTOR_KERNEL_DATA = 0x10,
	NUB_SELECTOR_TSS = 0x18,
	NUB_SELECTOR_USER_DATA = 0x28 | 3,
	NUB_SELECTOR_USER_CODE = 0x30 | 3,
	NUB_GDT_SIZE = 0x38,
};

/* x87, SSE, AVX. Wider state stays off: snapshots are then the same size everywhere. */
#define NUB_XCR0 UINT64_C(7)

/* Where the CPU finds its tables (gva) and its root page table (gpa). */
struct nub_cpu_tables {
	uint64_t gdt, idt, tss;
	uint16_t idt_limit, tss_limit;
	uint64_t cr3;
};

/* Overwrite all of *sregs that matters to a guest; the rest (APIC base) stays as KVM had it. */
void nub_cpu_set_sregs(struct kvm_sregs *sregs, const struct nub_cpu_tables *tables, unsigned privilege_level);

/* The CPUID that guests see: a fixed set of user-level features, as far as this host has them. KVM's own list of
 * supported features is not asked for: it takes longer than the rest of a VM's start, and some KVMs leave out features
 * that guests at CPL 3 do have. */
enum { NUB_CPUID_ENTRIES = 10 };
struct nub_cpuid {
	uint32_t nent;
	struct kvm_cpuid_entry2 entries[NUB_CPUID_ENTRIES];
};
void nub_cpu_fill_cpuid(struct nub_cpuid *cpuid);

/* Does the host's CPU have what guests are promised (XSAVE, AVX, NX)? Error: KVM, naming what is missing. */
int nub_cpu_check_host(const struct nub_cpuid *cpuid, struct nub_error *err);

#endif
