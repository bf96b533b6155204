/* Call frame information: how to find the caller's registers, by DWARF (version 5, section 6.4). Pure.
 *
 * Read from a guest's .debug_frame, or else .eh_frame. What is understood is what compilers write for C and C++ on
 * x86-64: a CFA of register plus offset, registers saved at the CFA plus offset. Rows that need expressions are refused,
 * as is all that is malformed: who asks has frame pointers to fall back on.
 */
#ifndef NUB_CFI_H
#define NUB_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/image.h"

/* DWARF's numbers of the registers (System V psABI, table 3.36). */
enum {
	NUB_DWARF_RBP = 6,
	NUB_DWARF_RSP = 7,
	NUB_DWARF_RIP = 16, /* the return address */
	NUB_DWARF_REGISTERS = 17,
};

enum nub_cfi_rule {
	NUB_CFI_SAME, /* as in this frame; for rip: there is no caller */
	NUB_CFI_UNDEFINED,
	NUB_CFI_SAVED, /* at the CFA + offset */
	NUB_CFI_VALUE, /* is the CFA + offset */
};

struct nub_cfi_row {
	unsigned cfa_register;
	int64_t cfa_offset;
	struct {
		enum nub_cfi_rule rule;
		int64_t offset;
	} registers[NUB_DWARF_REGISTERS];
};

/* One section's bytes. vaddr is where it is in the file's own terms, for the addresses in an .eh_frame. */
struct nub_cfi_section {
	const uint8_t *bytes;
	size_t size;
	uint64_t vaddr;
	bool eh;
};

/* The row for the instruction at vaddr, out of this section. */
bool nub_cfi_search(const struct nub_cfi_section *section, uint64_t vaddr, struct nub_cfi_row *row);

/* The row for the instruction at gva. False when there is none, or none that is understood. */
bool nub_cfi_find(const struct nub_image *image, uint64_t gva, struct nub_cfi_row *row);

#endif
