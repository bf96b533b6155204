/* Can these registers have been a guest's? General, segment and control registers.
 *
 * A guest at CPL 3 can't have changed most of it: it must be as nub_cpu_initial_sregs sets it up, so that no file starts
 * code at CPL 0, or opens a way there, for what it calls a guest at CPL 3. A guest at CPL 0 may have changed all of it;
 * there the checks keep to what long mode needs and KVM takes.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/field.h"
#include "base/util.h"
#include "cpu/cpu.h"

/* RFLAGS (SDM vol. 1, 3.4.3): bit 1 is always set. */
#define RFLAGS_FIXED UINT64_C(0x2)
#define RFLAGS_IOPL UINT64_C(0x3000)
#define RFLAGS_ALLOWED                                                                                                 \
	(RFLAGS_FIXED | UINT64_C(0xfd5) /* CF PF AF ZF SF TF IF DF OF */ | UINT64_C(0x250000) /* RF AC ID */)

/* Control registers of guests at CPL 0 (SDM vol. 3A, 2.5; vol. 4, IA32_EFER). */
#define CR0_REQUIRED UINT64_C(0x80000001) /* PE PG */
#define CR0_ALLOWED UINT64_C(0x8005003f)  /* and MP EM TS ET NE WP AM */
#define CR4_REQUIRED UINT64_C(0x20)       /* PAE */
#define CR4_ALLOWED UINT64_C(0x507fc)     /* and TSD DE PSE MCE PGE PCE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE */
#define EFER_REQUIRED UINT64_C(0x500)     /* LME LMA */
#define EFER_ALLOWED UINT64_C(0xd01)      /* and SCE NXE */

/* ---- General registers ---- */

static int check_regs(const struct nub_registers *regs, unsigned privilege_level, bool resumed, struct nub_error *err)
{
	static const struct nub_registers none;
	const bool user = privilege_level == 3;

	if (!resumed) {
		if (memcmp(regs, &none, sizeof(none)) != 0)
			return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
			                "cpu.regs are not all 0, they must be unless next.action is 2 (resume)");
		return 0;
	}
	if (!nub_canonical(regs->rip) || (user && (regs->rip == 0 || regs->rip >= NUB_USER_GVA_END)))
		return nub_field_fail(err, "cpu.rip", regs->rip, "%s",
		                      user ? "in the lower half, for a guest at CPL 3" : "canonical");
	const uint64_t allowed = user ? RFLAGS_ALLOWED : RFLAGS_ALLOWED | RFLAGS_IOPL;
	if ((regs->rflags & ~allowed) || !(regs->rflags & RFLAGS_FIXED))
		return nub_field_fail(err, "cpu.rflags", regs->rflags,
		                      "of the bits 0x%" PRIx64 " with bit 1, for a guest at CPL %u", allowed,
		                      privilege_level);
	return 0;
}

/* ---- Segments ---- */

static int segment_fail(const char *name, const struct nub_segment *segment, const char *member, uint64_t value,
                        const char *allowed, struct nub_error *err)
{
	return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0, "%s.%s is 0x%" PRIx64 " (selector 0x%x), it must be %s", name,
	                member, value, segment->selector, allowed);
}

static int check_segment(const char *name, const struct nub_segment *segment, struct nub_error *err)
{
	const struct {
		const char *member;
		uint8_t value, most;
	} bits[] = {
		{ "type", segment->type, 15 },
		{ "present", segment->present, 1 },
		{ "dpl", segment->dpl, 3 },
		{ "db", segment->db, 1 },
		{ "s", segment->s, 1 },
		{ "l", segment->l, 1 },
		{ "g", segment->g, 1 },
		{ "avl", segment->avl, 1 },
		{ "unusable", segment->unusable, 1 },
	};

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (bits[i].value > bits[i].most)
			return segment_fail(name, segment, bits[i].member, bits[i].value,
			                    bits[i].most == 1   ? "at most 1"
			                    : bits[i].most == 3 ? "at most 3"
			                                        : "at most 15",
			                    err);
	if (!nub_canonical(segment->base))
		return segment_fail(name, segment, "base", segment->base, "canonical", err);
	return 0;
}

/* What code at CPL 3 can load into DS, ES, FS and GS from the host's GDT: nothing, its data or its code segment. Only
 * FS and GS have a base, by wrfsbase and wrgsbase. */
static int check_user_segment(const char *name, const struct nub_segment *segment, const struct nub_sregs *sregs,
                              const struct nub_sregs *initial, struct nub_error *err)
{
	const bool based = segment == &sregs->fs || segment == &sregs->gs;
	const uint16_t descriptor = segment->selector & ~3u;
	struct nub_segment expected = initial->ds;

	if (!based && segment->base != 0)
		return segment_fail(name, segment, "base", segment->base, "0, for a guest at CPL 3", err);
	if (descriptor == 0 && segment->unusable)
		return 0;
	if (descriptor == (NUB_SELECTOR_USER_CODE & ~3))
		expected = initial->cs;
	expected.selector = descriptor | (segment->selector & 3);
	expected.base = segment->base;
	if ((descriptor == (NUB_SELECTOR_USER_CODE & ~3) || descriptor == (NUB_SELECTOR_USER_DATA & ~3)) &&
	    nub_segment_equal(segment, &expected))
		return 0;
	return segment_fail(name, segment, "dpl", segment->dpl,
	                    "3, with the rest of a flat user segment, for a guest at CPL 3", err);
}

static int check_user_sregs(const struct nub_sregs *sregs, struct nub_error *err)
{
	static const struct nub_cpu_tables no_tables;
	static const struct nub_segment no_segment;
	struct nub_sregs initial;
	nub_cpu_initial_sregs(&initial, &no_tables, 3);
	const struct {
		const char *name;
		uint64_t value, expected;
	} registers[] = {
		{ "cpu.cr0", sregs->cr0, initial.cr0 },
		{ "cpu.cr4", sregs->cr4, initial.cr4 },
		{ "cpu.cr8", sregs->cr8, initial.cr8 },
		{ "cpu.efer", sregs->efer, initial.efer },
	};

	if (!nub_segment_equal(&sregs->cs, &initial.cs))
		return segment_fail("cpu.cs", &sregs->cs, "dpl", sregs->cs.dpl,
		                    "3, with the rest of the user code segment, for a guest at CPL 3", err);
	if (!nub_segment_equal(&sregs->ss, &initial.ss))
		return segment_fail("cpu.ss", &sregs->ss, "dpl", sregs->ss.dpl,
		                    "3, with the rest of the user data segment, for a guest at CPL 3", err);
	if (check_user_segment("cpu.ds", &sregs->ds, sregs, &initial, err) < 0 ||
	    check_user_segment("cpu.es", &sregs->es, sregs, &initial, err) < 0 ||
	    check_user_segment("cpu.fs", &sregs->fs, sregs, &initial, err) < 0 ||
	    check_user_segment("cpu.gs", &sregs->gs, sregs, &initial, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		if (registers[i].value != registers[i].expected)
			return nub_field_fail(err, registers[i].name, registers[i].value,
			                      "0x%" PRIx64 " for a guest at CPL 3", registers[i].expected);
	if (!nub_segment_equal(&sregs->tr, &no_segment) || !nub_segment_equal(&sregs->ldt, &no_segment))
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
		                "cpu.tr or cpu.ldt is not all 0, it must be for a guest at CPL 3");
	if (sregs->gdt.base != 0 || sregs->gdt.limit != 0 || sregs->idt.base != 0 || sregs->idt.limit != 0)
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
		                "cpu.gdt or cpu.idt is not all 0, it must be for a guest at CPL 3");
	return 0;
}

static int check_bits(const char *name, uint64_t value, uint64_t required, uint64_t allowed, struct nub_error *err)
{
	if ((value & ~allowed) == 0 && (value & required) == required)
		return 0;
	return nub_field_fail(err, name, value, "of the bits 0x%" PRIx64 " with all of 0x%" PRIx64, allowed, required);
}

static int check_kernel_sregs(const struct nub_sregs *sregs, struct nub_error *err)
{
	const struct nub_segment *cs = &sregs->cs;

	if (cs->unusable || !cs->present || !cs->s || !(cs->type & 8) || (cs->l && cs->db))
		return segment_fail("cpu.cs", cs, "type", cs->type, "that of a usable code segment", err);
	if (!nub_canonical(sregs->gdt.base) || !nub_canonical(sregs->idt.base))
		return nub_field_fail(err, nub_canonical(sregs->gdt.base) ? "cpu.idt.base" : "cpu.gdt.base",
		                      nub_canonical(sregs->gdt.base) ? sregs->idt.base : sregs->gdt.base, "canonical");
	if (sregs->cr8 > 15)
		return nub_field_fail(err, "cpu.cr8", sregs->cr8, "at most 15");
	if (check_bits("cpu.cr0", sregs->cr0, CR0_REQUIRED, CR0_ALLOWED, err) < 0 ||
	    check_bits("cpu.cr4", sregs->cr4, CR4_REQUIRED, CR4_ALLOWED, err) < 0)
		return -1;
	return check_bits("cpu.efer", sregs->efer, EFER_REQUIRED, EFER_ALLOWED, err);
}

static int check_sregs(const struct nub_sregs *sregs, unsigned privilege_level, struct nub_error *err)
{
	if (check_segment("cpu.cs", &sregs->cs, err) < 0 || check_segment("cpu.ds", &sregs->ds, err) < 0 ||
	    check_segment("cpu.es", &sregs->es, err) < 0 || check_segment("cpu.fs", &sregs->fs, err) < 0 ||
	    check_segment("cpu.gs", &sregs->gs, err) < 0 || check_segment("cpu.ss", &sregs->ss, err) < 0 ||
	    check_segment("cpu.tr", &sregs->tr, err) < 0 || check_segment("cpu.ldt", &sregs->ldt, err) < 0)
		return -1;
	return privilege_level == 3 ? check_user_sregs(sregs, err) : check_kernel_sregs(sregs, err);
}

int nub_cpu_check(const struct nub_cpu *cpu, unsigned privilege_level, bool resumed, struct nub_error *err)
{
	if (check_regs(&cpu->regs, privilege_level, resumed, err) < 0 ||
	    check_sregs(&cpu->sregs, privilege_level, err) < 0)
		return -1;
	return nub_cpu_check_rest(cpu, privilege_level, err);
}
