/* The CPU that guests start on: segment and control registers for both privilege levels, and the CPUID that they see. */
#include "unit.h"

#include <cpuid.h>

#include "cpu/cpu.h"

static const struct nub_cpu_tables tables = {
	.gdt = 0xffffffffffff8000,
	.idt = 0xffffffffffff8038,
	.tss = 0xffffffffffff8238,
	.idt_limit = 0x1ff,
	.tss_limit = 0x76,
	.cr3 = 0x123000,
};

/* Whatever was there before. */
static struct nub_sregs sregs_for(unsigned privilege_level)
{
	struct nub_sregs sregs;

	memset(&sregs, 0xa5, sizeof(sregs));
	nub_cpu_initial_sregs(&sregs, &tables, privilege_level);
	return sregs;
}

static void check_flat(const struct nub_segment *segment, unsigned selector, unsigned type, unsigned dpl)
{
	assert_int_equal(segment->selector, selector);
	assert_int_equal(segment->type, type);
	assert_int_equal(segment->dpl, dpl);
	assert_int_equal(segment->base, 0);
	assert_int_equal(segment->limit, 0xffffffff);
	assert_int_equal(segment->present, 1);
	assert_int_equal(segment->s, 1);
	assert_int_equal(segment->g, 1);
	assert_int_equal(segment->l, type == 11);
	assert_int_equal(segment->db, type != 11);
	assert_int_equal(segment->unusable, 0);
}

static void check_segments(unsigned privilege_level, unsigned code, unsigned data)
{
	const struct nub_sregs sregs = sregs_for(privilege_level);
	const struct nub_segment *const data_segments[] = { &sregs.ss, &sregs.ds, &sregs.es, &sregs.fs, &sregs.gs };

	check_flat(&sregs.cs, code, 11, privilege_level);
	for (size_t i = 0; i < sizeof(data_segments) / sizeof(data_segments[0]); i++)
		check_flat(data_segments[i], data, 3, privilege_level);
	assert_int_equal(sregs.ldt.unusable, 1);
	assert_int_equal(sregs.tr.selector, 0x18);
	assert_int_equal(sregs.tr.base, tables.tss);
	assert_int_equal(sregs.tr.limit, tables.tss_limit);
	assert_int_equal(sregs.tr.type, 11); /* busy: VM entry demands it */
	assert_int_equal(sregs.tr.present, 1);
	assert_int_equal(sregs.tr.s, 0);
	assert_int_equal(sregs.tr.unusable, 0);
	assert_int_equal(sregs.gdt.base, tables.gdt);
	assert_int_equal(sregs.gdt.limit, 0x37);
	assert_int_equal(sregs.idt.base, tables.idt);
	assert_int_equal(sregs.idt.limit, tables.idt_limit);
}

static void segments_for_cpl_3(void **state)
{
	(void)state;
	check_segments(3, 0x33, 0x2b);
}

static void segments_for_cpl_0(void **state)
{
	(void)state;
	check_segments(0, 0x08, 0x10);
}

/* All bits, so that none is on by accident: no SCE (syscall), TSD, PCE, PVI, SMEP, SMAP, PKE. */
static void control_registers(void **state)
{
	(void)state;
	for (unsigned level = 0; level <= 3; level += 3) {
		const struct nub_sregs sregs = sregs_for(level);

		/* PG 31, AM 18, WP 16, NE 5, ET 4, MP 1, PE 0 */
		assert_int_equal(sregs.cr0, 1u << 31 | 1u << 18 | 1u << 16 | 1u << 5 | 1u << 4 | 1u << 1 | 1u);
		/* OSXSAVE 18, FSGSBASE 16, OSXMMEXCPT 10, OSFXSR 9, PAE 5 */
		assert_int_equal(sregs.cr4, 1u << 18 | 1u << 16 | 1u << 10 | 1u << 9 | 1u << 5);
		/* NXE 11, LMA 10, LME 8 */
		assert_int_equal(sregs.efer, 1u << 11 | 1u << 10 | 1u << 8);
		assert_int_equal(sregs.cr2, 0);
		assert_int_equal(sregs.cr3, tables.cr3);
		assert_int_equal(sregs.cr8, 0);
	}
}

static const struct nub_cpuid_leaf *leaf(const struct nub_cpuid *cpuid, uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < cpuid->count; i++)
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	fail_msg("no CPUID leaf 0x%x.%u", function, index);
	return NULL;
}

static void host_leaf_at(uint32_t function, uint32_t index, uint32_t found[4])
{
	__cpuid_count(function, index, found[0], found[1], found[2], found[3]);
}

static void host_leaf(uint32_t function, uint32_t found[4])
{
	host_leaf_at(function, 0, found);
}

/* A guest that believes in a feature which the CPU lacks dies of #UD. */
static void cpuid_is_a_subset_of_the_hosts(void **state)
{
	struct nub_cpuid cpuid;
	uint32_t host[4];

	(void)state;
	nub_cpu_fill_cpuid(&cpuid);
	host_leaf(1, host);
	assert_int_equal(leaf(&cpuid, 1, 0)->eax, host[0]);
	assert_int_equal(leaf(&cpuid, 1, 0)->ecx & ~host[2] & ~(1u << 31), 0);
	assert_int_equal(leaf(&cpuid, 1, 0)->edx & ~host[3], 0);
	host_leaf(7, host);
	assert_int_equal(leaf(&cpuid, 7, 0)->ebx & ~host[1], 0);
	assert_int_equal(leaf(&cpuid, 7, 0)->ecx & ~host[2], 0);
	assert_int_equal(leaf(&cpuid, 7, 0)->edx & ~host[3], 0);
	host_leaf(0x80000001, host);
	assert_int_equal(leaf(&cpuid, 0x80000001, 0)->ecx & ~host[2], 0);
	assert_int_equal(leaf(&cpuid, 0x80000001, 0)->edx & ~host[3], 0);
	host_leaf(0x80000008, host);
	assert_int_equal(leaf(&cpuid, 0x80000008, 0)->eax, host[0] & 0xffff);
	host_leaf(0, host);
	assert_int_equal(leaf(&cpuid, 0, 0)->ebx, host[1]);
	assert_int_equal(leaf(&cpuid, 0, 0)->ecx, host[2]);
	assert_int_equal(leaf(&cpuid, 0, 0)->edx, host[3]);
}

/* What needs a kernel's help, wider XSAVE state, or shows which of the host's CPUs this is. */
static void cpuid_hides_what_guests_may_not_use(void **state)
{
	struct nub_cpuid cpuid;
	const struct nub_cpuid_leaf *found;

	(void)state;
	nub_cpu_fill_cpuid(&cpuid);
	found = leaf(&cpuid, 1, 0);
	/* MONITOR, VMX, x2APIC, TSC-deadline; OSXSAVE follows CR4 */
	assert_int_equal(found->ecx & (1u << 3 | 1u << 5 | 1u << 21 | 1u << 24 | 1u << 27), 0);
	assert_int_equal(found->ecx >> 31, 1); /* it says that it is a guest */
	/* APIC, SEP, MTRR, MCA, MCE, DS, ACPI, HTT */
	assert_int_equal(
	    found->edx & (1u << 9 | 1u << 11 | 1u << 12 | 1u << 14 | 1u << 7 | 1u << 21 | 1u << 22 | 1u << 28), 0);
	assert_int_equal(found->ebx >> 16, 0); /* APIC 0, no siblings */
	found = leaf(&cpuid, 7, 0);
	/* SGX, SMEP, INVPCID, RTM, MPX, AVX-512 F DQ IFMA PF ER CD BW VL, SMAP, PT */
	assert_int_equal(found->ebx &
	                     (1u << 2 | 1u << 7 | 1u << 10 | 1u << 11 | 1u << 14 | 1u << 16 | 1u << 17 | 1u << 20 |
	                      1u << 21 | 1u << 25 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31),
	                 0);
	/* AVX-512 VBMI, PKU, OSPKE, LA57, RDPID */
	assert_int_equal(found->ecx & (1u << 1 | 1u << 3 | 1u << 4 | 1u << 16 | 1u << 22), 0);
	/* UINTR, AMX, IBRS, ARCH_CAPABILITIES */
	assert_int_equal(found->edx & (1u << 5 | 1u << 22 | 1u << 24 | 1u << 25 | 1u << 26 | 1u << 29), 0);
	found = leaf(&cpuid, 0x80000001, 0);
	assert_int_equal(found->ecx & 1u << 2, 0);               /* SVM */
	assert_int_equal(found->edx & (1u << 11 | 1u << 27), 0); /* SYSCALL, RDTSCP */
}

/* The leaves of XSAVE describe x87, SSE and AVX, whatever the host has beyond it. */
static void cpuid_limits(void **state)
{
	struct nub_cpuid cpuid;

	(void)state;
	nub_cpu_fill_cpuid(&cpuid);
	assert_int_equal(leaf(&cpuid, 0, 0)->eax, 0xd);
	assert_int_equal(leaf(&cpuid, 7, 0)->eax, 0);
	assert_int_equal(leaf(&cpuid, 0xd, 0)->eax, 7);
	assert_int_equal(leaf(&cpuid, 0xd, 0)->ebx, 832);
	assert_int_equal(leaf(&cpuid, 0xd, 0)->ecx, 832);
	assert_int_equal(leaf(&cpuid, 0xd, 0)->edx, 0);
	assert_int_equal(leaf(&cpuid, 0xd, 2)->eax, 256);
	assert_int_equal(leaf(&cpuid, 0xd, 2)->ebx, 576);
	assert_int_equal(leaf(&cpuid, 0x80000000, 0)->eax, 0x80000008);
	assert_in_range(cpuid.count, 1, NUB_CPUID_ENTRIES);
	for (unsigned i = 0; i < cpuid.count; i++)
		assert_ptr_equal(leaf(&cpuid, cpuid.entries[i].function, cpuid.entries[i].index), &cpuid.entries[i]);
}

enum { XSAVEC = 1 << 1 };

/* What a program is shown beside it: XSAVEC as the host has it, and sizes by which the C library (2.36 and later) makes room for
 * AVX-512's state, as large as this CPU's own, without a word of it where a program would look whether it is there. */
static void cpuid_of_programs(void **state)
{
	struct nub_cpuid guests, shown;
	uint32_t host[4], size = 576;

	(void)state;
	nub_cpu_fill_cpuid(&guests);
	nub_cpu_fill_program_cpuid(&shown);
	assert_int_equal(leaf(&shown, 0xd, 0)->ecx, NUB_XSAVE_WIDE_SIZE);
	shown.entries[leaf(&shown, 0xd, 0) - shown.entries].ecx = leaf(&guests, 0xd, 0)->ecx;
	for (unsigned i = 0; i < guests.count; i++)
		assert_memory_equal(leaf(&shown, guests.entries[i].function, guests.entries[i].index),
		                    &guests.entries[i], sizeof(guests.entries[i]));
	host_leaf_at(0xd, 1, host);
	assert_int_equal(leaf(&shown, 0xd, 1)->eax, host[0] & XSAVEC);
	assert_int_equal(leaf(&shown, 0xd, 1)->ebx, NUB_XSAVE_SIZE);
	assert_int_equal(leaf(&shown, 0xd, 1)->ecx | leaf(&shown, 0xd, 1)->edx, 0);
	for (unsigned index = 2; index <= 7; index++) {
		if (index == 4)
			continue;
		const struct nub_cpuid_leaf *found = leaf(&shown, 0xd, index);
		assert_int_equal(found->flags, NUB_CPUID_INDEXED);
		assert_int_equal(found->ecx | found->edx, 0);
		host_leaf_at(0xd, index, host);
		if (host[0] != 0) {
			assert_int_equal(found->eax, host[0]);
			assert_int_equal(found->ebx, host[1]);
		}
		size += found->eax;
	}
	assert_int_equal(size, 2496);
	assert_in_range(shown.count, 1, NUB_CPUID_ENTRIES);
	for (unsigned i = 0; i < shown.count; i++)
		assert_ptr_equal(leaf(&shown, shown.entries[i].function, shown.entries[i].index), &shown.entries[i]);
}

/* Descriptors, so that leaf 4 need not be asked; the same sizes where AMD has them. */
static void caches_of_programs(void **state)
{
	struct nub_cpuid shown;

	(void)state;
	nub_cpu_fill_program_cpuid(&shown);
	assert_int_equal(leaf(&shown, 2, 0)->eax, 0x302c01);
	assert_int_equal(leaf(&shown, 2, 0)->edx, 0xe47d);
	assert_int_equal(leaf(&shown, 0x80000005, 0)->ecx >> 24, 32);
	assert_int_equal(leaf(&shown, 0x80000006, 0)->ecx >> 16, 2048);
	assert_int_equal((leaf(&shown, 0x80000006, 0)->edx >> 18) * 512, 8192);
}

/* A program that stores its registers by XSAVEC needs a CPU with it, whoever froze it; one that was shown none needs none, and
 * may have found it once nothing hid it any more. */
static void programs_need_xsavec_where_they_were_shown_it(void **state)
{
	struct nub_cpuid guests, shown, host;
	struct nub_error err = { 0 };

	(void)state;
	nub_cpu_fill_cpuid(&guests);
	nub_cpu_fill_program_cpuid(&shown);
	nub_cpu_fill_native_cpuid(&host);
	shown.entries[leaf(&shown, 0xd, 1) - shown.entries].eax |= XSAVEC;
	host.entries[leaf(&host, 0xd, 1) - host.entries].eax |= XSAVEC;
	assert_int_equal(nub_cpu_check_features(&shown, NUB_XCR0, &host, &err), 0);
	assert_int_equal(nub_cpu_check_features(&guests, NUB_XCR0, &host, &err), 0);
	nub_cpuid_add(&guests, &host);
	assert_int_equal(leaf(&guests, 0xd, 1)->eax, XSAVEC);
	assert_int_equal(nub_cpu_check_features(&host, NUB_XCR0, &guests, &err), 0);
	host.entries[leaf(&host, 0xd, 1) - host.entries].eax = 0;
	assert_int_equal(nub_cpu_check_features(&shown, NUB_XCR0, &host, &err), -1);
	assert_int_equal(err.kind, NUB_E_SNAPSHOT_CPU);
	assert_non_null(strstr(err.message, "this CPU has no XSAVEC (CPUID leaf 0xd index 1 EAX bit 1)"));
	nub_cpu_fill_cpuid(&guests);
	assert_int_equal(nub_cpu_check_features(&guests, NUB_XCR0, &host, &err), 0);
}

/* What was stored in another place can't be loaded from there. */
static void states_in_other_places(void **state)
{
	const uint64_t wide = NUB_XCR0 | NUB_XCR0_AVX512;
	struct nub_error err = { 0 };
	struct nub_cpuid shown, host;

	(void)state;
	nub_cpu_fill_program_cpuid(&shown);
	shown.entries[leaf(&shown, 0xd, 0) - shown.entries].eax |= NUB_XCR0_AVX512;
	host = shown;
	assert_int_equal(nub_cpu_check_features(&shown, wide, &host, &err), 0);
	host.entries[leaf(&host, 0xd, 6) - host.entries].ebx = 4000;
	/* Nobody has stored it. */
	assert_int_equal(nub_cpu_check_features(&shown, NUB_XCR0, &host, &err), 0);
	assert_int_equal(nub_cpu_check_features(&shown, wide, &host, &err), -1);
	assert_int_equal(err.kind, NUB_E_SNAPSHOT_CPU);
	assert_non_null(strstr(err.message, "AVX-512 state (ZMM_Hi256) at byte 4000 of"));
}

/* However many leaves a file has. */
static void adding_to_a_full_cpuid(void **state)
{
	struct nub_cpuid full = { .count = NUB_CPUID_ENTRIES }, host;

	(void)state;
	for (unsigned i = 0; i < NUB_CPUID_ENTRIES; i++)
		full.entries[i] = (struct nub_cpuid_leaf){ .function = 0x1000 + i };
	const struct nub_cpuid before = full;
	nub_cpu_fill_native_cpuid(&host);
	nub_cpuid_add(&full, &host);
	assert_memory_equal(&full, &before, sizeof(full));
}

/* Here, AVX-512 or nothing of it. */
static void state_of_the_host(void **state)
{
	struct nub_cpuid native;
	const uint64_t xcr0 = nub_cpu_host_xcr0();

	(void)state;
	assert_true(xcr0 == NUB_XCR0 || xcr0 == (NUB_XCR0 | NUB_XCR0_AVX512));
	nub_cpu_fill_native_cpuid(&native);
	assert_int_equal(leaf(&native, 0xd, 0)->eax, xcr0);
}

/* What code finds that nobody hides anything from: all that guests are shown, AVX-512 where it is, nothing that is not. */
static void native_cpuid(void **state)
{
	struct nub_cpuid shown, native, sum;
	struct nub_error err = { 0 };
	uint32_t host[4];

	(void)state;
	nub_cpu_fill_cpuid(&shown);
	nub_cpu_fill_native_cpuid(&native);
	assert_int_equal(nub_cpu_check_features(&shown, NUB_XCR0, &native, &err), 0);
	host_leaf(7, host);
	assert_int_equal(leaf(&native, 7, 0)->ebx & ~host[1], 0);
	assert_int_equal(leaf(&native, 7, 0)->ecx & ~host[2], 0);
	assert_int_equal(leaf(&native, 7, 0)->edx & ~host[3], 0);
	assert_int_equal(leaf(&native, 7, 0)->ebx & 1u << 16, host[1] & 1u << 16);
	sum = shown;
	nub_cpuid_add(&sum, &native);
	assert_int_equal(nub_cpu_check_features(&native, NUB_XCR0, &sum, &err), 0);
	assert_int_equal(nub_cpu_check_features(&sum, NUB_XCR0, &native, &err), 0);
	/* A CPU that has it not. */
	sum.entries[leaf(&sum, 7, 0) - sum.entries].ebx |= 1u << 16;
	native.entries[leaf(&native, 7, 0) - native.entries].ebx &= ~(1u << 16);
	assert_int_equal(nub_cpu_check_features(&sum, NUB_XCR0, &native, &err), -1);
	assert_int_equal(err.kind, NUB_E_SNAPSHOT_CPU);
	assert_non_null(strstr(err.message, "AVX512F"));
}

/* Each promise that the host does not keep is named. */
static void missing_features_are_named(void **state)
{
	static const struct {
		uint32_t function;
		size_t reg;
		unsigned bit;
		const char *name;
	} needed[] = {
		{ 1, offsetof(struct nub_cpuid_leaf, ecx), 26, "XSAVE" },
		{ 1, offsetof(struct nub_cpuid_leaf, ecx), 28, "AVX" },
		{ 7, offsetof(struct nub_cpuid_leaf, ebx), 0, "FSGSBASE" },
		{ 0x80000001, offsetof(struct nub_cpuid_leaf, edx), 20, "NX" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		struct nub_error err = { 0 };
		struct nub_cpuid cpuid = { 0 };

		/* A host that has it all. */
		for (size_t k = 0; k < 3; k++)
			cpuid.entries[k] = (struct nub_cpuid_leaf){ .function = k == 2   ? 0x80000001
				                                                : k == 1 ? 7
				                                                         : 1,
				                                    .ebx = ~0u,
				                                    .ecx = ~0u,
				                                    .edx = ~0u };
		cpuid.count = 3;
		assert_int_equal(nub_cpu_check_host(&cpuid, &err), 0);
		for (unsigned k = 0; k < 3; k++) {
			uint8_t *entry = (uint8_t *)&cpuid.entries[k];
			if (cpuid.entries[k].function == needed[i].function)
				*(uint32_t *)(void *)(entry + needed[i].reg) &= ~(1u << needed[i].bit);
		}
		assert_int_equal(nub_cpu_check_host(&cpuid, &err), -1);
		assert_int_equal(err.kind, NUB_E_KVM);
		assert_non_null(strstr(err.message, needed[i].name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_for_cpl_3),
		cmocka_unit_test(segments_for_cpl_0),
		cmocka_unit_test(control_registers),
		cmocka_unit_test(cpuid_is_a_subset_of_the_hosts),
		cmocka_unit_test(cpuid_hides_what_guests_may_not_use),
		cmocka_unit_test(cpuid_limits),
		cmocka_unit_test(cpuid_of_programs),
		cmocka_unit_test(caches_of_programs),
		cmocka_unit_test(programs_need_xsavec_where_they_were_shown_it),
		cmocka_unit_test(states_in_other_places),
		cmocka_unit_test(adding_to_a_full_cpuid),
		cmocka_unit_test(state_of_the_host),
		cmocka_unit_test(native_cpuid),
		cmocka_unit_test(missing_features_are_named),
	};

	return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
