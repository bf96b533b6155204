/* Can they have been a guest's? Debug registers, XSAVE, MSRs, and the CPUID that was shown. */
#include <inttypes.h>

#include "base/error.h"
#include "base/field.h"
#include "base/util.h"
#include "cpu/cpu.h"

#define MXCSR_ALLOWED UINT64_C(0xffff)

#define DR7_FIXED UINT64_C(0x400)

/* ---- Debug registers ---- */

/* A guest at CPL 3 can't set breakpoints. */
static int check_debugregs(const struct nub_debugregs *debugregs, unsigned privilege_level, struct nub_error *err)
{
	if (debugregs->dr6 > UINT32_MAX)
		return nub_field_fail(err, "cpu.dr6", debugregs->dr6, "at most 0xffffffff");
	if (debugregs->dr7 > UINT32_MAX)
		return nub_field_fail(err, "cpu.dr7", debugregs->dr7, "at most 0xffffffff");
	if (privilege_level == 3 && (debugregs->dr7 & ~DR7_FIXED))
		return nub_field_fail(err, "cpu.dr7", debugregs->dr7, "0 or 0x400 for a guest at CPL 3");
	return 0;
}

/* ---- XSAVE ---- */

static uint64_t load(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

static int check_zeros(const uint8_t *xsave, unsigned start, unsigned end, struct nub_error *err)
{
	for (unsigned i = start; i < end; i++)
		if (xsave[i] != 0)
			return nub_field_fail(err, "cpu.xsave", xsave[i], "0 in reserved byte %u", i);
	return 0;
}

/* The CPU itself would fault on it, and KVM refuse it with no more than EINVAL. */
static int check_xsave(const struct nub_cpu *cpu, struct nub_error *err)
{
	const uint64_t mxcsr = load(cpu->xsave + NUB_XSAVE_MXCSR, 4),
		       state_bv = load(cpu->xsave + NUB_XSAVE_STATE_BV, 8);

	if (cpu->xcr0 != NUB_XCR0)
		return nub_field_fail(err, "cpu.xcr0", cpu->xcr0, "0x%" PRIx64, NUB_XCR0);
	if (cpu->xsave_size != NUB_XSAVE_SIZE)
		return nub_field_fail(err, "cpu.xsave_size", cpu->xsave_size, "0x%x", NUB_XSAVE_SIZE);
	if (mxcsr & ~MXCSR_ALLOWED)
		return nub_field_fail(err, "cpu.xsave MXCSR", mxcsr, "of the bits 0x%" PRIx64, MXCSR_ALLOWED);
	if (state_bv & ~cpu->xcr0)
		return nub_field_fail(err, "cpu.xsave XSTATE_BV", state_bv, "within xcr0, 0x%" PRIx64, cpu->xcr0);
	if (check_zeros(cpu->xsave, NUB_XSAVE_SOFTWARE, NUB_XSAVE_STATE_BV, err) < 0)
		return -1;
	return check_zeros(cpu->xsave, NUB_XSAVE_COMP_BV, NUB_XSAVE_END_HEADER, err);
}

/* ---- Model-specific registers ---- */

enum msr_kind {
	MSR_ADDRESS,
	MSR_32_BITS,
	MSR_ANY,
	MSR_PAT,
};

/* Every MSR that may occur. Those that name an entry to CPL 0 are 0 for a guest at CPL 3: it can't have written them, and
 * sysenter would go where a file says. */
static const struct msr {
	uint32_t index;
	enum msr_kind kind;
	bool entry;
} msrs[] = {
	{ 0x174, MSR_32_BITS, true },       /* SYSENTER_CS */
	{ 0x175, MSR_ADDRESS, true },       /* SYSENTER_ESP */
	{ 0x176, MSR_ADDRESS, true },       /* SYSENTER_EIP */
	{ 0x277, MSR_PAT, false },          /* PAT */
	{ 0xc0000081, MSR_ANY, true },      /* STAR */
	{ 0xc0000082, MSR_ADDRESS, true },  /* LSTAR */
	{ 0xc0000083, MSR_ADDRESS, true },  /* CSTAR */
	{ 0xc0000084, MSR_32_BITS, true },  /* SFMASK */
	{ 0xc0000102, MSR_ADDRESS, false }, /* KERNEL_GS_BASE */
	{ 0xc0000103, MSR_32_BITS, false }, /* TSC_AUX */
};

static const struct msr *find_msr(uint32_t index)
{
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		if (msrs[i].index == index)
			return &msrs[i];
	return NULL;
}

/* Eight memory types of a byte each: UC, WC, WT, WP, WB, UC- (SDM vol. 3A, 11.12.2). */
static bool valid_pat(uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		const unsigned type = value >> 8 * i & 0xff;
		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static int check_msr(const struct nub_cpu *cpu, unsigned privilege_level, uint32_t i, struct nub_error *err)
{
	const struct nub_msr *entry = &cpu->msrs[i];
	const struct msr *msr = find_msr(entry->index);

	if (!msr)
		return nub_item_fail(err, "cpu.msrs", i, "index", entry->index,
		                     "an MSR that snapshots keep (nub-snapshot(5))");
	for (uint32_t j = 0; j < i; j++)
		if (cpu->msrs[j].index == entry->index)
			return nub_item_fail(err, "cpu.msrs", i, "index", entry->index, "another than those before it");
	if (msr->entry && privilege_level == 3 && entry->value != 0)
		return nub_item_fail(err, "cpu.msrs", i, "value", entry->value, "0 for a guest at CPL 3");
	if (msr->kind == MSR_ADDRESS && !nub_canonical(entry->value))
		return nub_item_fail(err, "cpu.msrs", i, "value", entry->value, "canonical");
	if (msr->kind == MSR_32_BITS && entry->value > UINT32_MAX)
		return nub_item_fail(err, "cpu.msrs", i, "value", entry->value, "at most 0xffffffff");
	if (msr->kind == MSR_PAT && !valid_pat(entry->value))
		return nub_item_fail(err, "cpu.msrs", i, "value", entry->value, "8 memory types: 0, 1, 4, 5, 6 or 7");
	return 0;
}

int nub_cpu_check_rest(const struct nub_cpu *cpu, unsigned privilege_level, struct nub_error *err)
{
	if (check_debugregs(&cpu->debugregs, privilege_level, err) < 0 || check_xsave(cpu, err) < 0)
		return -1;
	if (cpu->msr_count > NUB_CPU_MAX_MSRS)
		return nub_field_fail(err, "cpu.msr_count", cpu->msr_count, "at most 0x%x", NUB_CPU_MAX_MSRS);
	for (uint32_t i = 0; i < cpu->msr_count; i++)
		if (check_msr(cpu, privilege_level, i, err) < 0)
			return -1;
	return 0;
}

/* ---- CPUID ---- */

int nub_cpu_check_cpuid(const struct nub_cpuid *cpuid, struct nub_error *err)
{
	if (cpuid->count == 0 || cpuid->count > NUB_CPUID_ENTRIES)
		return nub_field_fail(err, "cpuid.count", cpuid->count, "1 to 0x%x", NUB_CPUID_ENTRIES);
	for (uint32_t i = 0; i < cpuid->count; i++) {
		const struct nub_cpuid_leaf *entry = &cpuid->entries[i];
		if (entry->flags > NUB_CPUID_INDEXED)
			return nub_item_fail(err, "cpuid", i, "flags", entry->flags, "0 or 1");
		if (entry->flags == 0 && entry->index != 0)
			return nub_item_fail(err, "cpuid", i, "index", entry->index, "0 where it does not matter");
		for (uint32_t j = 0; j < i; j++)
			if (cpuid->entries[j].function == entry->function && cpuid->entries[j].index == entry->index)
				return nub_item_fail(err, "cpuid", i, "function", entry->function,
				                     "another than those before it");
	}
	return 0;
}
