/* Finding the entry for an address and running its instructions. Everything is read through a cursor with a sticky error. */
#include "cfi.h"

#include <string.h>

#include "cursor.h"
#include "elf_parts.h"
#include "util.h"

/* How addresses are written in .eh_frame (LSB, 10.5). */
enum { PE_ABSOLUTE = 0x00, PE_UDATA4 = 0x03, PE_UDATA8 = 0x04, PE_SDATA4 = 0x0b, PE_SDATA8 = 0x0c, PE_FORMAT = 0x0f };
enum { PE_PCREL = 0x10, PE_APPLICATION = 0x70, PE_INDIRECT = 0x80 };

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

struct section {
	const uint8_t *bytes;
	size_t size;
	uint64_t vaddr; /* of an .eh_frame */
	bool eh;
};

struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_register;
	unsigned encoding;
	bool augmented; /* entries have augmentation data */
	const uint8_t *instructions;
	size_t size;
};

static struct nub_cursor cursor_at(const uint8_t *bytes, size_t size)
{
	return (
	    struct nub_cursor){ .bytes = bytes, .size = size, .whole = "call frame information", .kind = NUB_E_VALUE };
}

static uint64_t take_uleb(struct nub_cursor *cursor)
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

static int64_t take_sleb(struct nub_cursor *cursor)
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

/* An address in the file's own terms, not relocated. `base` is the vaddr of the cursor's byte 0. */
static uint64_t take_address(struct nub_cursor *cursor, unsigned encoding, uint64_t base)
{
	const uint64_t here = base + cursor->offset;
	uint64_t value;

	switch (encoding & PE_FORMAT) {
	case PE_UDATA4:
		value = nub_cursor_u32(cursor, "an address");
		break;
	case PE_SDATA4:
		value = (uint64_t)(int64_t)(int32_t)nub_cursor_u32(cursor, "an address");
		break;
	case PE_ABSOLUTE:
	case PE_UDATA8:
	case PE_SDATA8:
		value = nub_cursor_u64(cursor, "an address");
		break;
	default:
		cursor->failed = true;
		return 0;
	}
	if ((encoding & PE_APPLICATION) == PE_PCREL)
		return here + value;
	if ((encoding & PE_APPLICATION) != 0 || (encoding & PE_INDIRECT))
		cursor->failed = true;
	return value;
}

/* ---- Entries ---- */

/* The entry at *offset of the section: its bytes behind the length and, in *id_offset, where its id stands. Steps
 * *offset over it. False at the end. */
static bool next_entry(const struct section *section, size_t *offset, struct nub_cursor *entry, size_t *id_offset)
{
	struct nub_cursor cursor = cursor_at(section->bytes, section->size);

	cursor.offset = *offset;
	const uint32_t size = nub_cursor_u32(&cursor, "a length");
	/* 0 ends an .eh_frame; 0xffffffff is the 64-bit form, which no compiler writes for programs this small. */
	if (cursor.failed || size < 4 || !nub_range_in(cursor.offset, size, section->size))
		return false;
	*id_offset = cursor.offset;
	*entry = cursor_at(section->bytes, cursor.offset + size);
	entry->offset = cursor.offset;
	*offset = cursor.offset + size;
	return true;
}

/* The letters that say what augmentation data there is, and the data. */
static void read_augmentation(struct nub_cursor *cursor, const char *letters, uint64_t base, struct cie *cie)
{
	if (*letters == '\0')
		return;
	if (*letters != 'z') {
		cursor->failed = true;
		return;
	}
	cie->augmented = true;
	const uint64_t size = take_uleb(cursor);
	const size_t end = cursor->offset + size;
	if (cursor->failed || !nub_range_in(cursor->offset, size, cursor->size)) {
		cursor->failed = true;
		return;
	}
	while (*++letters != '\0' && !cursor->failed) {
		if (*letters == 'R')
			cie->encoding = nub_cursor_u8(cursor, "an encoding");
		else if (*letters == 'P')
			take_address(cursor, nub_cursor_u8(cursor, "an encoding") & ~PE_INDIRECT, base);
		else if (*letters == 'L')
			nub_cursor_u8(cursor, "an encoding");
		else if (*letters != 'S')
			cursor->failed = true;
	}
	cursor->offset = end;
}

static bool read_cie(const struct section *section, size_t offset, struct cie *cie)
{
	struct nub_cursor cursor;
	size_t id_offset;

	*cie = (struct cie){ 0 };
	if (offset >= section->size || !next_entry(section, &offset, &cursor, &id_offset))
		return false;
	const uint32_t id = nub_cursor_u32(&cursor, "an id");
	if (id != (section->eh ? 0 : UINT32_MAX))
		return false;
	const unsigned version = nub_cursor_u8(&cursor, "a version");
	const char *letters = (const char *)cursor.bytes + cursor.offset;
	while (nub_cursor_u8(&cursor, "an augmentation") != 0)
		continue;
	if (version == 4 &&
	    (nub_cursor_u8(&cursor, "an address size") != 8 || nub_cursor_u8(&cursor, "a segment size")))
		return false;
	cie->code_align = take_uleb(&cursor);
	cie->data_align = take_sleb(&cursor);
	cie->return_register = version == 1 ? nub_cursor_u8(&cursor, "a register") : take_uleb(&cursor);
	if (cursor.failed || (version != 1 && version != 3 && version != 4))
		return false;
	read_augmentation(&cursor, letters, section->vaddr, cie);
	cie->instructions = cursor.bytes + cursor.offset;
	cie->size = cursor.size - cursor.offset;
	return !cursor.failed && cie->return_register == NUB_DWARF_RIP;
}

/* ---- Rows ---- */

struct machine {
	const struct cie *cie;
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
		number = take_uleb(cursor);
		set_rule(cursor, machine, number, NUB_CFI_SAVED, take_uleb(cursor));
		break;
	case CFA_OFFSET_SF:
		number = take_uleb(cursor);
		set_rule(cursor, machine, number, NUB_CFI_SAVED, (uint64_t)take_sleb(cursor));
		break;
	case CFA_VAL_OFFSET:
		number = take_uleb(cursor);
		set_rule(cursor, machine, number, NUB_CFI_VALUE, take_uleb(cursor));
		break;
	case CFA_RESTORE_EXTENDED:
		restore(machine, take_uleb(cursor));
		break;
	case CFA_UNDEFINED:
		set_rule(cursor, machine, take_uleb(cursor), NUB_CFI_UNDEFINED, 0);
		break;
	case CFA_SAME_VALUE:
		set_rule(cursor, machine, take_uleb(cursor), NUB_CFI_SAME, 0);
		break;
	case CFA_REMEMBER:
		remember(cursor, machine);
		break;
	case CFA_RESTORE_STATE:
		recall(cursor, machine);
		break;
	case CFA_DEF:
		number = take_uleb(cursor);
		set_cfa(cursor, machine, number, (int64_t)take_uleb(cursor));
		break;
	case CFA_DEF_SF:
		number = take_uleb(cursor);
		set_cfa(cursor, machine, number, (int64_t)((uint64_t)take_sleb(cursor) * (uint64_t)align));
		break;
	case CFA_DEF_REGISTER:
		set_cfa(cursor, machine, take_uleb(cursor), machine->row.cfa_offset);
		break;
	case CFA_DEF_OFFSET:
		machine->row.cfa_offset = (int64_t)take_uleb(cursor);
		break;
	case CFA_DEF_OFFSET_SF:
		machine->row.cfa_offset = (int64_t)((uint64_t)take_sleb(cursor) * (uint64_t)align);
		break;
	case CFA_GNU_ARGS_SIZE:
		take_uleb(cursor);
		break;
	default:
		/* Expressions, and what is not known. */
		cursor->failed = true;
	}
}

/* Run instructions until one would leave the target behind. */
static bool run(struct machine *machine, const uint8_t *bytes, size_t size)
{
	struct nub_cursor cursor = cursor_at(bytes, size);

	while (cursor.offset < size && !cursor.failed) {
		const struct nub_cfi_row before = machine->row;
		const unsigned code = nub_cursor_u8(&cursor, "an instruction"), low = code & 0x3f;
		switch (code & 0xc0) {
		case CFA_ADVANCE:
			advance(machine, low);
			break;
		case CFA_OFFSET:
			set_rule(&cursor, machine, low, NUB_CFI_SAVED, take_uleb(&cursor));
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

static bool build_row(const struct cie *cie, struct nub_cursor *fde, uint64_t start, uint64_t vaddr,
                      struct nub_cfi_row *row)
{
	struct machine machine = { .cie = cie, .location = start, .target = vaddr };

	/* The callee-saved registers keep their values; a row says otherwise where it must. */
	machine.row.registers[NUB_DWARF_RIP].rule = NUB_CFI_UNDEFINED;
	machine.row.registers[NUB_DWARF_RSP] = (__typeof__(machine.row.registers[0])){ NUB_CFI_VALUE, 0 };
	if (!run(&machine, cie->instructions, cie->size))
		return false;
	machine.initial = machine.row;
	if (cie->augmented) {
		const uint64_t size = take_uleb(fde);
		if (fde->failed || !nub_range_in(fde->offset, size, fde->size))
			return false;
		fde->offset += size;
	}
	if (!run(&machine, fde->bytes + fde->offset, fde->size - fde->offset))
		return false;
	*row = machine.row;
	return true;
}

/* Does this entry describe vaddr? Then fill the row. */
static bool try_entry(const struct section *section, struct nub_cursor *entry, size_t id_offset, uint64_t vaddr,
                      struct nub_cfi_row *row, bool *found)
{
	const uint32_t id = nub_cursor_u32(entry, "an id");
	struct cie cie;

	if (id == (section->eh ? 0 : UINT32_MAX))
		return true;
	if (section->eh && id > id_offset)
		return false;
	if (!read_cie(section, section->eh ? id_offset - id : id, &cie))
		return true;
	const uint64_t start = take_address(entry, cie.encoding, section->vaddr);
	const uint64_t length = take_address(entry, cie.encoding & PE_FORMAT, 0);
	if (entry->failed || vaddr < start || vaddr - start >= length)
		return true;
	*found = build_row(&cie, entry, start, vaddr, row);
	return false;
}

static bool search(const struct section *section, uint64_t vaddr, struct nub_cfi_row *row)
{
	struct nub_cursor entry;
	size_t offset = 0, id_offset;
	bool found = false;

	while (next_entry(section, &offset, &entry, &id_offset))
		if (!try_entry(section, &entry, id_offset, vaddr, row, &found))
			break;
	return found;
}

/* ---- Sections ---- */

static bool is_named(const struct nub_elf_file *file, const GElf_Shdr *section, const char *name)
{
	const size_t size = strlen(name) + 1;

	return nub_range_in(section->sh_name, size, file->names_size) &&
	       memcmp(file->bytes + file->names_offset + section->sh_name, name, size) == 0;
}

static bool find_section(const struct nub_elf_file *file, const char *name, struct section *found)
{
	for (size_t i = 1; i < file->section_count; i++) {
		GElf_Shdr section;
		if (nub_elf_section_header(file, i, &section, NULL) != 0)
			return false;
		if (!is_named(file, &section, name) || section.sh_type == SHT_NOBITS ||
		    (section.sh_flags & SHF_COMPRESSED) ||
		    !nub_range_in(section.sh_offset, section.sh_size, file->size))
			continue;
		*found = (struct section){ file->bytes + section.sh_offset, section.sh_size, section.sh_addr, false };
		return true;
	}
	return false;
}

bool nub_cfi_find(const struct nub_image *image, uint64_t gva, struct nub_cfi_row *row)
{
	const uint64_t vaddr = gva - image->bias;
	struct nub_elf_file file;
	struct section section;
	bool found = false;

	if (nub_elf_open(&file, image->bytes, image->size, image->name, NULL) == 0) {
		if (find_section(&file, ".debug_frame", &section))
			found = search(&section, vaddr, row);
		if (!found && find_section(&file, ".eh_frame", &section)) {
			section.eh = true;
			found = search(&section, vaddr, row);
		}
	}
	nub_elf_close(&file);
	return found;
}
