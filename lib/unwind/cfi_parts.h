/* What the modules behind cfi.h share: an entry's common part, and the numbers in it. Private. */
#ifndef NUB_CFI_PARTS_H
#define NUB_CFI_PARTS_H

#include "base/cursor.h"
#include "unwind/cfi.h"

/* A CIE: what several entries have in common. */
struct nub_cie {
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_register;
	unsigned encoding;           /* of addresses (LSB, 10.5) */
	bool augmented;              /* entries have augmentation data */
	const uint8_t *instructions; /* in the section */
	size_t size;
};

struct nub_cursor nub_cfi_cursor(const uint8_t *bytes, size_t size);

/* LEB128 numbers; bits over the 64th are lost. */
uint64_t nub_take_uleb(struct nub_cursor *cursor);
int64_t nub_take_sleb(struct nub_cursor *cursor);

/* The row for vaddr: the common instructions, then the entry's own, which start at `start`, up to the last that applies. */
bool nub_cfi_build_row(const struct nub_cie *cie, const uint8_t *instructions, size_t size, uint64_t start,
                       uint64_t vaddr, struct nub_cfi_row *row);

#endif
