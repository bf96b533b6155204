/* The state of a virtual CPU, whoever runs it: what a guest can change, what it starts with, what may come from a file.
 *
 * Everybody who has to do with registers has these structs; an engine makes its own of them and back. Segments and control
 * registers are as the SDM has them (vol. 3A, 2.5, 3.4), hidden parts included. Pure but for reading the host's CPUID.
 *
 * Guests start straight at their privilege level in long mode, with SSE and AVX on.
 */
#ifndef NUB_CPU_H
#define NUB_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "nub/error.h"
#include "nub/outcome.h"

/* GDT selectors. The TSS descriptor takes two entries. */
enum {
	NUB_SELECTOR_KERNEL_CODE = 0x08,
	NUB_SELECTOR_KERNEL_DATA = 0x10,
	NUB_SELECTOR_TSS = 0x18,
	NUB_SELECTOR_USER_DATA = 0x28 | 3,
	NUB_SELECTOR_USER_CODE = 0x30 | 3,
	NUB_GDT_SIZE = 0x38,
};

/* RFLAGS (SDM vol. 1, 3.4.3): what code at CPL 3 has of them, status flags, TF, DF, NT, RF, AC, ID; and TF. */
#define NUB_RFLAGS_USER UINT64_C(0x254dd5)
#define NUB_RFLAGS_TF UINT64_C(0x100)

/* x87, SSE, AVX. Wider state stays off: snapshots are then the same size everywhere. */
#define NUB_XCR0 UINT64_C(7)

/* Bytes of the XSAVE area that these take, in the standard form (SDM vol. 1, 13.4). */
#define NUB_XSAVE_SIZE 832u

/* With AVX-512: what Linux programs may be shown, and use in any case where guest code is held at the host's ring 3. */
#define NUB_XCR0_AVX512 UINT64_C(0xe0)
#define NUB_XSAVE_WIDE_SIZE 2688u

/* Where things are in it: bytes that belong to the host's software (SDM vol. 1, 10.5.1), and the header. */
enum {
	NUB_XSAVE_MXCSR = 24,
	NUB_XSAVE_SOFTWARE = 464,
	NUB_XSAVE_SOFTWARE_SIZE = 48,
	NUB_XSAVE_STATE_BV = 512,
	NUB_XSAVE_COMP_BV = 520,
	NUB_XSAVE_END_HEADER = 576,
};

struct nub_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint8_t type, present, dpl, db, s, l, g, avl;
	uint8_t unusable;
};

struct nub_dtable {
	uint64_t base;
	uint16_t limit;
};

/* Segment and control registers. */
struct nub_sregs {
	struct nub_segment cs, ss, ds, es, fs, gs, tr, ldt;
	struct nub_dtable gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
};

bool nub_segment_equal(const struct nub_segment *a, const struct nub_segment *b);
bool nub_sregs_equal(const struct nub_sregs *a, const struct nub_sregs *b);

struct nub_debugregs {
	uint64_t dr[4], dr6, dr7;
};

struct nub_msr {
	uint32_t index;
	uint64_t value;
};
#define NUB_CPU_MAX_MSRS 32u

/* ---- CPUID ---- */

#define NUB_CPUID_INDEXED 1u /* in `flags`: the index matters */
struct nub_cpuid_leaf {
	uint32_t function, index, flags;
	uint32_t eax, ebx, ecx, edx;
};

/* The CPUID that guests see: a fixed set of user-level features, as far as this host has them. */
enum { NUB_CPUID_ENTRIES = 16 };
struct nub_cpuid {
	uint32_t count;
	struct nub_cpuid_leaf entries[NUB_CPUID_ENTRIES];
};
void nub_cpu_fill_cpuid(struct nub_cpuid *cpuid);

/* The same without the vendor's name, which is no feature, and which the C library doesn't know (see below). */
void nub_cpu_fill_features(struct nub_cpuid *cpuid);

/* Put the vendor's name in, if it was left out. */
void nub_cpu_fill_vendor(struct nub_cpuid *cpuid);

/* What CPUID says on the host. Where the C library knows it, it is not asked again. */
struct nub_cpuid_leaf nub_cpu_host_leaf(uint32_t function, uint32_t index);
bool nub_cpuid_equal(const struct nub_cpuid *a, const struct nub_cpuid *b);

/* NULL if there is none. */
const struct nub_cpuid_leaf *nub_cpuid_find(const struct nub_cpuid *cpuid, uint32_t function, uint32_t index);

/* Registers of 0. There must be room. */
struct nub_cpuid_leaf *nub_cpuid_append(struct nub_cpuid *cpuid, uint32_t function, uint32_t index, bool indexed);

/* ---- cpuid_program.c: that of Linux programs ---- */

/* What one is shown: as guests are, and XSAVEC where the host has it, with the sizes of states that are not shown, so that there
 * is room for them where it is thawed (SDM vol. 1, 13.4; vol. 2A, CPUID); and caches of a usual size. */
void nub_cpu_fill_program_cpuid(struct nub_cpuid *cpuid);
/* The same leaves with what code finds that runs on this host's CPU itself, AVX-512 included: no less than is shown. */
void nub_cpu_fill_native_cpuid(struct nub_cpuid *cpuid);
/* That without the vendor's name, as nub_cpu_fill_features. */
void nub_cpu_fill_native_features(struct nub_cpuid *cpuid);
/* The states are where the vendor's CPUs have them. */
void nub_cpuid_place_states(struct nub_cpuid *cpuid);
/* Have `cpuid` promise what `more` does, too. */
void nub_cpuid_add(struct nub_cpuid *cpuid, const struct nub_cpuid *more);

/* What of XSAVE's states the host has, as far as those of programs are kept: NUB_XCR0, and NUB_XCR0_AVX512 or nothing of it. */
uint64_t nub_cpu_host_xcr0(void);

/* Does the host's CPU have what guests are promised (XSAVE, AVX, NX)? Error: KVM, naming what is missing. */
int nub_cpu_check_host(const struct nub_cpuid *cpuid, struct nub_error *err);

/* Has a CPU that shows `host` every feature that `cpuid` promises, and xcr0, with its states where XSAVE stored them? Error:
 * SNAPSHOT_CPU, naming the first that is missing. */
int nub_cpu_check_features(const struct nub_cpuid *cpuid, uint64_t xcr0, const struct nub_cpuid *host,
                           struct nub_error *err);

/* ---- All of it ---- */

/* All that a guest can change (R31). */
struct nub_cpu {
	struct nub_registers regs;
	struct nub_sregs sregs;
	struct nub_debugregs debugregs;
	uint64_t xcr0;
	uint32_t xsave_size; /* NUB_XSAVE_SIZE */
	uint8_t xsave[NUB_XSAVE_SIZE];
	uint32_t msr_count;
	struct nub_msr msrs[NUB_CPU_MAX_MSRS];
	struct nub_cpuid cpuid; /* what the guest was shown, so what a CPU must have to run it */
};

/* ---- Where a guest starts, and where one goes on ---- */

/* Where the CPU finds its tables (gva) and its root page table (gpa). */
struct nub_cpu_tables {
	uint64_t gdt, idt, tss;
	uint16_t idt_limit, tss_limit;
	uint64_t cr3;
};

/* Segment and control registers with which code of this level starts. */
void nub_cpu_initial_sregs(struct nub_sregs *sregs, const struct nub_cpu_tables *tables, unsigned privilege_level);

/* Those with which a guest goes on that was saved with these: completed by what is the host's, and at CPL 3 its tables. */
void nub_cpu_resumed_sregs(struct nub_sregs *sregs, const struct nub_sregs *saved, const struct nub_cpu_tables *tables,
                           unsigned privilege_level);

/* The XSAVE area of a CPU that has just been reset (SDM vol. 3A, table 10-1), with which a guest starts. */
void nub_cpu_initial_xsave(uint8_t xsave[NUB_XSAVE_SIZE]);

/* ---- What came from a file ----
 *
 * A guest at CPL 3 can't have changed most of it: it must be as nub_cpu_initial_sregs has it, so that no file starts code at
 * CPL 0, or opens a way there, for what it calls a guest at CPL 3. A guest at CPL 0 may have changed all of it; there the
 * checks keep to what long mode needs and engines take. Errors: SNAPSHOT_FIELD (base/field.h). */

/* All but the CPUID. Unless `resumed`, the general registers are all 0. */
int nub_cpu_check(const struct nub_cpu *cpu, unsigned privilege_level, bool resumed, struct nub_error *err);
int nub_cpu_check_cpuid(const struct nub_cpuid *cpuid, struct nub_error *err);

/* ---- cpu_check_rest.c: debug registers, XSAVE, MSRs; a part of nub_cpu_check ---- */

int nub_cpu_check_rest(const struct nub_cpu *cpu, unsigned privilege_level, struct nub_error *err);

#endif
