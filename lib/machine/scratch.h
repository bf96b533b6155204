/* What the host writes into scratch before a guest runs: rings, CPU tables, monitor, bookkeeping (R7 to R9). Pure.
 *
 * `scratch` is the host's view of the region, layout->scratch_size bytes, zeroed. Where each thing goes is layout.h's
 * business, what it means to the guest abi/nub_abi.h's.
 */
#ifndef NUB_SCRATCH_H
#define NUB_SCRATCH_H

#include <stdint.h>

#include "cpu/cpu.h"
#include "layout/layout.h"

/* The two rings, empty. */
void nub_scratch_reset_rings(const struct nub_layout *layout, uint8_t *scratch);
uint8_t *nub_scratch_input(const struct nub_layout *layout, uint8_t *scratch);
uint8_t *nub_scratch_output(const struct nub_layout *layout, uint8_t *scratch);

/* GDT, IDT and TSS with the I/O bitmap that opens the ABI's ports, and the monitor's code. What the CPU must be told
 * about them goes to *tables (cr3 included). */
void nub_scratch_write_cpu(const struct nub_layout *layout, uint8_t *scratch, struct nub_cpu_tables *tables);

/* Have the monitor store `value` in the page-table entry at entry_gva, and invalidate gva, before it returns to the
 * guest; entry_gva 0 takes that back. */
void nub_scratch_set_patch(const struct nub_layout *layout, uint8_t *scratch, uint64_t entry_gva, uint64_t value,
                           uint64_t gva);

/* The u64s at the top of scratch (R8). */
void nub_scratch_write_metadata(const struct nub_layout *layout, uint8_t *scratch, uint64_t generation, uint64_t seed);

/* The allocator's word: gpa of the first free page, as the guest sees it, and may have written it. */
uint64_t nub_scratch_allocator(const struct nub_layout *layout, const uint8_t *scratch);
void nub_scratch_set_allocator(const struct nub_layout *layout, uint8_t *scratch, uint64_t gpa);

#endif
