/* Finding the entry for an address. Everything is read through a cursor with a sticky error. */
#include <string.h>

#include "base/util.h"
#include "elf/elf_parts.h"
#include "unwind/cfi_parts.h"

/* How addresses are written in .eh_frame (LSB, 10.5). */
enum { PE_ABSOLUTE = 0x00, PE_UDATA4 = 0x03, PE_UDATA8 = 0x04, PE_SDATA4 = 0x0b, PE_SDATA8 = 0x0c, PE_FORMAT = 0x0f };
enum { PE_PCREL = 0x10, PE_APPLICATION = 0x70, PE_INDIRECT = 0x80 };

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
static bool next_entry(const struct nub_cfi_section *section, size_t *offset, struct nub_cursor *entry,
                       size_t *id_offset)
{
	struct nub_cursor cursor = nub_cfi_cursor(section->bytes, section->size);

	cursor.offset = *offset;
	const uint32_t size = nub_cursor_u32(&cursor, "a length");
	/* 0 ends an .eh_frame; 0xffffffff is the 64-bit form, which no compiler writes for programs this small. */
	if (cursor.failed || size < 4 || !nub_range_in(cursor.offset, size, section->size))
		return false;
	*id_offset = cursor.offset;
	*entry = nub_cfi_cursor(section->bytes, cursor.offset + size);
	entry->offset = cursor.offset;
	*offset = cursor.offset + size;
	return true;
}

/* The letters that say what augmentation data there is, and the data. */
static void read_augmentation(struct nub_cursor *cursor, const char *letters, uint64_t base, struct nub_cie *cie)
{
	if (*letters == '\0')
		return;
	if (*letters != 'z') {
		cursor->failed = true;
		return;
	}
	cie->augmented = true;
	const uint64_t size = nub_take_uleb(cursor);
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

static bool read_cie(const struct nub_cfi_section *section, size_t offset, struct nub_cie *cie)
{
	struct nub_cursor cursor;
	size_t id_offset;

	*cie = (struct nub_cie){ 0 };
	if (offset >= section->size || !next_entry(section, &offset, &cursor, &id_offset))
		return false;
	const uint32_t id = nub_cursor_u32(&cursor, "an id");
	if (id != (section->eh ? 0 : UINT32_MAX))
		return false;
	const unsigned version = nub_cursor_u8(&cursor, "a version");
	const char *letters = (const char *)cursor.bytes + cursor.offset;
	while (nub_cursor_u8(&cursor, "an augmentation") > 0)
		continue;
	if (version == 4 &&
	    (nub_cursor_u8(&cursor, "an address size") != 8 || nub_cursor_u8(&cursor, "a segment size")))
		return false;
	cie->code_align = nub_take_uleb(&cursor);
	cie->data_align = nub_take_sleb(&cursor);
	cie->return_register = version == 1 ? nub_cursor_u8(&cursor, "a register") : nub_take_uleb(&cursor);
	if (cursor.failed || (version != 1 && version != 3 && version != 4))
		return false;
	read_augmentation(&cursor, letters, section->vaddr, cie);
	cie->instructions = cursor.bytes + cursor.offset;
	cie->size = cursor.size - cursor.offset;
	return !cursor.failed && cie->return_register == NUB_DWARF_RIP;
}

static void skip_augmentation(struct nub_cursor *entry, const struct nub_cie *cie)
{
	const uint64_t size = cie->augmented ? nub_take_uleb(entry) : 0;

	if (entry->failed || !nub_range_in(entry->offset, size, entry->size))
		entry->failed = true;
	else
		entry->offset += size;
}

/* Does this entry describe vaddr? Then fill the row. */
static bool try_entry(const struct nub_cfi_section *section, struct nub_cursor *entry, size_t id_offset, uint64_t vaddr,
                      struct nub_cfi_row *row, bool *found)
{
	const uint32_t id = nub_cursor_u32(entry, "an id");
	struct nub_cie cie;

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
	skip_augmentation(entry, &cie);
	*found = !entry->failed &&
	         nub_cfi_build_row(&cie, entry->bytes + entry->offset, entry->size - entry->offset, start, vaddr, row);
	return false;
}

bool nub_cfi_search(const struct nub_cfi_section *section, uint64_t vaddr, struct nub_cfi_row *row)
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

static bool find_section(const struct nub_elf_file *file, const char *name, struct nub_cfi_section *found)
{
	for (size_t i = 1; i < file->section_count; i++) {
		GElf_Shdr section;
		if (nub_elf_section_header(file, i, &section, NULL) < 0)
			return false;
		if (!nub_elf_section_is(file, &section, name) || section.sh_type == SHT_NOBITS ||
		    (section.sh_flags & SHF_COMPRESSED) ||
		    !nub_range_in(section.sh_offset, section.sh_size, file->size))
			continue;
		*found = (struct nub_cfi_section){ file->bytes + section.sh_offset, section.sh_size, section.sh_addr,
			                           false };
		return true;
	}
	return false;
}

bool nub_cfi_find(const struct nub_image *whole, uint64_t gva, struct nub_cfi_row *row)
{
	const struct nub_image *image = nub_image_part(whole, gva);
	const uint64_t vaddr = gva - image->bias;
	struct nub_elf_file file;
	struct nub_cfi_section section;
	bool found = false;

	if (nub_elf_open(&file, image->bytes, image->size, image->name, NULL) == 0) {
		if (find_section(&file, ".debug_frame", &section))
			found = nub_cfi_search(&section, vaddr, row);
		if (!found && find_section(&file, ".eh_frame", &section)) {
			section.eh = true;
			found = nub_cfi_search(&section, vaddr, row);
		}
	}
	nub_elf_close(&file);
	return found;
}
