/* Where each register is, and what gdb calls it. */
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "gdb/gdb_protocol.h"

/* Offsets in the XSAVE area, and bits of its XSTATE_BV. */
enum {
	XSAVE_FCW = 0,
	XSAVE_FSW = 2,
	XSAVE_FTW = 4,
	XSAVE_FOP = 6,
	XSAVE_FIP = 8,
	XSAVE_FDP = 16,
	XSAVE_MXCSR = 24,
	XSAVE_ST = 32,
	XSAVE_XMM = 160,
	XSAVE_STATE_BV = 512,
	XSAVE_YMM_HIGH = 576,
	STATE_X87 = 1,
	STATE_SSE = 2,
	STATE_AVX = 4,
};

enum kind { GENERAL, FLAGS, SEGMENT, ADDRESS, X87_TAGS, STATE };

/* Runs of registers in gdb's order. `place` is an offset in the struct, or in the XSAVE area where there is a
 * `state`, with `stride` from one to the next; `bytes` of a register are there, the rest up to `size` is zero. */
static const struct run {
	const char *feature; /* that begins here */
	const char *names;   /* separated by spaces; with a % in it, one name for all */
	const char *type, *group;
	uint8_t first, count, size, bytes, kind, state;
	uint16_t place, stride;
} runs[] = {
	{ "core", "rax rbx rcx rdx rsi rdi", "int64", NULL, 0, 6, 8, 8, GENERAL, 0, offsetof(struct nub_cpu, regs.rax),
	  8 },
	{ NULL, "rbp", "data_ptr", NULL, 6, 1, 8, 8, GENERAL, 0, offsetof(struct nub_cpu, regs.rbp), 8 },
	{ NULL, "rsp", "data_ptr", NULL, 7, 1, 8, 8, GENERAL, 0, offsetof(struct nub_cpu, regs.rsp), 8 },
	{ NULL, "r8 r9 r10 r11 r12 r13 r14 r15", "int64", NULL, 8, 8, 8, 8, GENERAL, 0,
	  offsetof(struct nub_cpu, regs.r8), 8 },
	{ NULL, "rip", "code_ptr", NULL, 16, 1, 8, 8, ADDRESS, 0, offsetof(struct nub_cpu, regs.rip), 8 },
	{ NULL, "eflags", "i386_eflags", NULL, 17, 1, 4, 4, FLAGS, 0, 0, 0 },
	{ NULL, "cs ss ds es fs gs", "int32", NULL, 18, 6, 4, 2, SEGMENT, 0,
	  offsetof(struct nub_cpu, sregs.cs.selector), sizeof(struct nub_segment) },
	{ NULL, "st0 st1 st2 st3 st4 st5 st6 st7", "i387_ext", NULL, 24, 8, 10, 10, STATE, STATE_X87, XSAVE_ST, 16 },
	{ NULL, "fctrl", "int", "float", 32, 1, 4, 2, STATE, STATE_X87, XSAVE_FCW, 0 },
	{ NULL, "fstat", "int", "float", 33, 1, 4, 2, STATE, STATE_X87, XSAVE_FSW, 0 },
	{ NULL, "ftag", "int", "float", 34, 1, 4, 2, X87_TAGS, STATE_X87, XSAVE_FTW, 0 },
	{ NULL, "fiseg", "int", "float", 35, 1, 4, 2, STATE, STATE_X87, XSAVE_FIP + 4, 0 },
	{ NULL, "fioff", "int", "float", 36, 1, 4, 4, STATE, STATE_X87, XSAVE_FIP, 0 },
	{ NULL, "foseg", "int", "float", 37, 1, 4, 2, STATE, STATE_X87, XSAVE_FDP + 4, 0 },
	{ NULL, "fooff", "int", "float", 38, 1, 4, 4, STATE, STATE_X87, XSAVE_FDP, 0 },
	{ NULL, "fop", "int", "float", 39, 1, 4, 2, STATE, STATE_X87, XSAVE_FOP, 0 },
	{ "sse", "xmm%u", "vec128", NULL, 40, 16, 16, 16, STATE, STATE_SSE, XSAVE_XMM, 16 },
	{ NULL, "mxcsr", "i386_mxcsr", "vector", 56, 1, 4, 2, STATE, STATE_SSE, XSAVE_MXCSR, 0 },
	{ "avx", "ymm%uh", "uint128", NULL, 57, 16, 16, 16, STATE, STATE_AVX, XSAVE_YMM_HIGH, 16 },
	{ "segments", "fs_base gs_base", "int", NULL, 73, 2, 8, 8, ADDRESS, 0, offsetof(struct nub_cpu, sregs.fs.base),
	  sizeof(struct nub_segment) },
};
_Static_assert(offsetof(struct nub_sregs, gs) == offsetof(struct nub_sregs, cs) + 5 * sizeof(struct nub_segment),
               "one run");
_Static_assert(offsetof(struct nub_registers, rdi) == offsetof(struct nub_registers, rax) + 40, "one run");

/* The types that the features use and gdb has not built in; and where in which feature they belong. */
static const char core_types[] =
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"\" start=\"22\" end=\"31\"/><field name=\"CF\" start=\"0\" end=\"0\"/>"
    "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
    "<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
    "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
    "<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
    "<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
    "<field name=\"AC\" start=\"18\" end=\"18\"/><field name=\"ID\" start=\"21\" end=\"21\"/></flags>\n";
static const char sse_types[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
    "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
    "<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
    "<field name=\"uint128\" type=\"uint128\"/></union>\n"
    "<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/>"
    "<field name=\"DE\" start=\"1\" end=\"1\"/><field name=\"ZE\" start=\"2\" end=\"2\"/>"
    "<field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/>"
    "<field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/>"
    "<field name=\"IM\" start=\"7\" end=\"7\"/><field name=\"DM\" start=\"8\" end=\"8\"/>"
    "<field name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/>"
    "<field name=\"UM\" start=\"11\" end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/>"
    "<field name=\"FZ\" start=\"15\" end=\"15\"/></flags>\n";

static const struct run *find_run(unsigned number)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if (number >= runs[i].first && number - runs[i].first < runs[i].count)
			return &runs[i];
	return NULL;
}

size_t nub_gdb_register_size(unsigned number)
{
	const struct run *run = find_run(number);

	return run ? run->size : 0;
}

/* Where a register is in the struct. */
static size_t offset_of(const struct run *run, unsigned number)
{
	const size_t base = run->state ? offsetof(struct nub_cpu, xsave) : 0;

	return base + run->place + (size_t)run->stride * (number - run->first);
}

/* ---- x87 tags: two bits a register in gdb, one in the XSAVE area (SDM vol. 1, 8.1.7 and 10.5.1.1) ---- */

enum { TAG_VALID = 0, TAG_ZERO = 1, TAG_SPECIAL = 2, TAG_EMPTY = 3 };

static unsigned classify(const uint8_t st[10])
{
	uint64_t fraction;
	uint16_t exponent;

	memcpy(&fraction, st, sizeof(fraction));
	memcpy(&exponent, st + 8, sizeof(exponent));
	exponent &= 0x7fff;
	if (exponent == 0 && fraction == 0)
		return TAG_ZERO;
	return exponent != 0 && exponent != 0x7fff && fraction >> 63 ? TAG_VALID : TAG_SPECIAL;
}

/* Tags are by physical register; the area has the stack, whose top FSW names. */
static uint16_t full_tags(const uint8_t *xsave)
{
	const unsigned top = xsave[XSAVE_FSW + 1] >> 3 & 7;
	uint16_t tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		const unsigned in_use = xsave[XSAVE_FTW] >> i & 1;
		const unsigned tag =
		    in_use ? classify(xsave + XSAVE_ST + (size_t)16 * ((i - top) & 7)) : (unsigned)TAG_EMPTY;
		tags |= (uint16_t)(tag << 2 * i);
	}
	return tags;
}

static uint8_t short_tags(uint16_t tags)
{
	uint8_t in_use = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((tags >> 2 * i & 3) != TAG_EMPTY)
			in_use |= (uint8_t)(1u << i);
	return in_use;
}

void nub_gdb_register_get(const struct nub_cpu *cpu, unsigned number, uint8_t out[NUB_GDB_REGISTER_MAX])
{
	const struct run *run = find_run(number);

	memset(out, 0, NUB_GDB_REGISTER_MAX);
	if (!run)
		return;
	if (run->kind == FLAGS) {
		memcpy(out, &cpu->regs.rflags, run->size);
	} else if (run->kind == X87_TAGS) {
		const uint16_t tags = full_tags(cpu->xsave);
		memcpy(out, &tags, sizeof(tags));
	} else {
		memcpy(out, (const uint8_t *)cpu + offset_of(run, number), run->bytes);
	}
}

static bool set_flags(struct nub_cpu *cpu, const uint8_t *in)
{
	uint32_t value;

	memcpy(&value, in, sizeof(value));
	cpu->regs.rflags = (cpu->regs.rflags & ~NUB_RFLAGS_USER) | (value & NUB_RFLAGS_USER);
	return true;
}

bool nub_gdb_register_set(struct nub_cpu *cpu, unsigned number, const uint8_t *in)
{
	const struct run *run = find_run(number);
	uint64_t address;
	uint16_t tags;

	if (!run)
		return false;
	uint8_t *at = (uint8_t *)cpu + offset_of(run, number);
	switch (run->kind) {
	case FLAGS:
		return set_flags(cpu, in);
	case SEGMENT:
		return memcmp(at, in, run->bytes) == 0;
	case ADDRESS:
		memcpy(&address, in, sizeof(address));
		if (!nub_canonical(address))
			return false;
		memcpy(at, in, run->bytes);
		return true;
	case X87_TAGS:
		memcpy(&tags, in, sizeof(tags));
		*at = short_tags(tags);
		break;
	default:
		memcpy(at, in, run->bytes);
	}
	cpu->xsave[XSAVE_STATE_BV] |= run->state;
	return true;
}

/* ---- The description ---- */

static int describe_register(struct nub_buffer *xml, const struct run *run, const char *name, int name_size,
                             struct nub_error *err)
{
	return nub_gdb_put(xml, err, "<reg name=\"%.*s\" bitsize=\"%d\" type=\"%s\"%s%s%s/>\n", name_size, name,
	                   run->size * 8, run->type, run->group ? " group=\"" : "", run->group ? run->group : "",
	                   run->group ? "\"" : "");
}

static int describe_run(struct nub_buffer *xml, const struct run *run, struct nub_error *err)
{
	const char *name = run->names;
	const char *percent = strchr(name, '%');

	for (unsigned i = 0; i < run->count; i++) {
		char numbered[16];
		int size = (int)strcspn(name, " ");
		if (percent) {
			/* "xmm%u", "ymm%uh" */
			size = snprintf(numbered, sizeof(numbered), "%.*s%u%s", (int)(percent - name), name, i,
			                percent + 2);
			if (describe_register(xml, run, numbered, size, err) < 0)
				return -1;
			continue;
		}
		if (describe_register(xml, run, name, size, err) < 0)
			return -1;
		name += size + (name[size] == ' ');
	}
	return 0;
}

static int describe_feature(struct nub_buffer *xml, const char *feature, bool first, struct nub_error *err)
{
	const char *types = strcmp(feature, "core") == 0 ? core_types : strcmp(feature, "sse") == 0 ? sse_types : "";

	if (nub_gdb_put(xml, err, "%s<feature name=\"org.gnu.gdb.i386.%s\">\n", first ? "" : "</feature>\n", feature) <
	    0)
		return -1;
	return nub_buffer_append(xml, types, strlen(types), err);
}

int nub_gdb_describe(struct nub_buffer *xml, bool program, struct nub_error *err)
{
	if (nub_gdb_put(xml, err,
	                "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n"
	                "<architecture>i386:x86-64</architecture>\n%s",
	                program ? "<osabi>GNU/Linux</osabi>\n" : "") < 0)
		return -1;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if ((runs[i].feature && describe_feature(xml, runs[i].feature, i == 0, err) < 0) ||
		    describe_run(xml, &runs[i], err) < 0)
			return -1;
	return nub_gdb_put(xml, err, "</feature>\n%s</target>\n",
	                   program ? "<feature name=\"org.gnu.gdb.i386.linux\">\n<reg name=\"orig_rax\" bitsize=\"64\" "
	                             "type=\"int\" group=\"system\"/>\n</feature>\n"
	                           : "");
}
