/* Running the instructions of call frame information: a row is what they leave behind. */
#include "unwind/cfi_parts.h"

/* Instructions; the upper two bits are the first three. */
enum {
	CFA_ADVANCE = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE1 = 0x02,
	CFA_ADVANCE2 = 0x03,
	CFA_ADVANCE4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REMEMBER = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF = 0x0c,
	CFA_DEF_REGISTER = 0x0d,
	CFA_DEF_OFFSET = 0x0e,
	CFA_OFFSET_SF = 0x11,
	CFA_DEF_SF = 0x12,
	CFA_DEF_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_GNU_ARGS_SIZE = 0x2e,
};

enum { MAX_REMEMBERED = 16 };

struct nub_cursor nub_cfi_cursor(const uint8_t *bytes, size_t size)
{
	return (
	    struct nub_cursor){ .bytes = bytes, .size = size, .whole = "call frame information", .kind = NUB_E_VALUE };
}

uint64_t nub_take_uleb(struct nub_cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		const uint8_t byte = nub_cursor_u8(cursor, "a number");
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return value;
	}
}

int64_t nub_take_sleb(struct nub_cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		const uint8_t byte = nub_cursor_u8(cursor, "a number");
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if ((byte & 0x40) && shift + 7 < 64)
			value |= UINT64_MAX << (shift + 7);
		return (int64_t)value;
	}
}

struct machine {
	const struct nub_cie *cie;
	struct nub_cfi_row row, initial;
	struct nub_cfi_row remembered[MAX_REMEMBERED];
	unsigned depth;
	uint64_t location, target;
};

static void set_rule(struct nub_cursor *cursor, struct machine *machine, uint64_t number, enum nub_cfi_rule rule,
                     uint64_t factor)
{
	/* Vector registers are nobody's to restore here. */
	if (number >= NUB_DWARF_REGISTERS || cursor->failed)
		return;
	machine->row.registers[number].rule = rule;
	machine->row.registers[number].offset = (int64_t)(factor * (uint64_t)machine->cie->data_align);
}

static void set_cfa(struct nub_cursor *cursor, struct machine *machine, uint64_t number, int64_t offset)
{
	if (number >= NUB_DWARF_RIP)
		cursor->failed = true;
	machine->row.cfa_register = (unsigned)number;
	machine->row.cfa_offset = offset;
}

static void restore(struct machine *machine, uint64_t number)
{
	if (number < NUB_DWARF_REGISTERS)
		machine->row.registers[number] = machine->initial.registers[number];
}

static void advance(struct machine *machine, uint64_t delta)
{
	uint64_t step;

	if (__builtin_mul_overflow(delta, machine->cie->code_align, &step) ||
	    __builtin_add_overflow(machine->location, step, &machine->location))
		machine->location = UINT64_MAX;
}

static void remember(struct nub_cursor *cursor, struct machine *machine)
{
	if (machine->depth == MAX_REMEMBERED)
		cursor->failed = true;
	else
		machine->remembered[machine->depth++] = machine->row;
}

static void recall(struct nub_cursor *cursor, struct machine *machine)
{
	if (machine->depth == 0)
		cursor->failed = true;
	else
		machine->row = machine->remembered[--machine->depth];
}

static void step_extended(struct nub_cursor *cursor, struct machine *machine, unsigned code)
{
	const int64_t align = machine->cie->data_align;
	uint64_t number;

	switch (code) {
	case CFA_NOP:
		break;
	case CFA_ADVANCE1:
		advance(machine, nub_cursor_u8(cursor, "a delta"));
		break;
	case CFA_ADVANCE2:
		advance(machine, nub_cursor_uint(cursor, "a delta", 2));
		break;
	case CFA_ADVANCE4:
		advance(machine, nub_cursor_u32(cursor, "a delta"));
		break;
	case CFA_OFFSET_EXTENDED:
		number = nub_take_uleb(cursor);
		set_rule(cursor, machine, number, NUB_CFI_SAVED, nub_take_uleb(cursor));
		break;
	case CFA_OFFSET_SF:
		number = nub_take_uleb(cursor);
		set_rule(cursor, machine, number, NUB_CFI_SAVED, (uint64_t)nub_take_sleb(cursor));
		break;
	case CFA_VAL_OFFSET:
		number = nub_take_uleb(cursor);
		set_rule(cursor, machine, number, NUB_CFI_VALUE, nub_take_uleb(cursor));
		break;
	case CFA_RESTORE_EXTENDED:
		restore(machine, nub_take_uleb(cursor));
		break;
	case CFA_UNDEFINED:
		set_rule(cursor, machine, nub_take_uleb(cursor), NUB_CFI_UNDEFINED, 0);
		break;
	case CFA_SAME_VALUE:
		set_rule(cursor, machine, nub_take_uleb(cursor), NUB_CFI_SAME, 0);
		break;
	case CFA_REMEMBER:
		remember(cursor, machine);
		break;
	case CFA_RESTORE_STATE:
		recall(cursor, machine);
		break;
	case CFA_DEF:
		number = nub_take_uleb(cursor);
		set_cfa(cursor, machine, number, (int64_t)nub_take_uleb(cursor));
		break;
	case CFA_DEF_SF:
		number = nub_take_uleb(cursor);
		set_cfa(cursor, machine, number, (int64_t)((uint64_t)nub_take_sleb(cursor) * (uint64_t)align));
		break;
	case CFA_DEF_REGISTER:
		set_cfa(cursor, machine, nub_take_uleb(cursor), machine->row.cfa_offset);
		break;
	case CFA_DEF_OFFSET:
		machine->row.cfa_offset = (int64_t)nub_take_uleb(cursor);
		break;
	case CFA_DEF_OFFSET_SF:
		machine->row.cfa_offset = (int64_t)((uint64_t)nub_take_sleb(cursor) * (uint64_t)align);
		break;
	case CFA_GNU_ARGS_SIZE:
		nub_take_uleb(cursor);
		break;
	default:
		/* Expressions, and what is not known. */
		cursor->failed = true;
	}
}

/* Run instructions until one would leave the target behind. */
static bool run(struct machine *machine, const uint8_t *bytes, size_t size)
{
	struct nub_cursor cursor = nub_cfi_cursor(bytes, size);

	while (cursor.offset < size && !cursor.failed) {
		const struct nub_cfi_row before = machine->row;
		const unsigned code = nub_cursor_u8(&cursor, "an instruction"), low = code & 0x3f;
		switch (code & 0xc0) {
		case CFA_ADVANCE:
			advance(machine, low);
			break;
		case CFA_OFFSET:
			set_rule(&cursor, machine, low, NUB_CFI_SAVED, nub_take_uleb(&cursor));
			break;
		case CFA_RESTORE:
			restore(machine, low);
			break;
		default:
			step_extended(&cursor, machine, code);
		}
		if (machine->location > machine->target) {
			machine->row = before;
			break;
		}
	}
	return !cursor.failed;
}

bool nub_cfi_build_row(const struct nub_cie *cie, const uint8_t *instructions, size_t size, uint64_t start,
                       uint64_t vaddr, struct nub_cfi_row *row)
{
	struct machine machine = { .cie = cie, .location = start, .target = vaddr };

	/* Registers keep their values where a row does not say otherwise; but rsp, by the ABI, is the CFA. */
	machine.row.registers[NUB_DWARF_RIP].rule = NUB_CFI_UNDEFINED;
	machine.row.registers[NUB_DWARF_RSP].rule = NUB_CFI_VALUE;
	if (!run(&machine, cie->instructions, cie->size))
		return false;
	machine.initial = machine.row;
	if (!run(&machine, instructions, size))
		return false;
	*row = machine.row;
	return true;
}
