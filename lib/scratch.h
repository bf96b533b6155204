/* What the host writes into scratch before a guest runs: rings, CPU tables, monitor, bookkeeping (R7 to R9). Pure.
 *
 * `scratch` is the host's view of the region, layout->scratch_size bytes, zeroed. Where each thing goes is layout.h's
 * business, what it means to the guest abi/nub_abi.h's.
 */
#ifndef NUB_SCRATCH_H
#define NUB_SCRATCH_H

#include "cpu.h"
#include "layout.h"
#include "nub.h"

/* The two rings, empty. */
void nub_scratch_reset_rings(const struct nub_layout *layout, uint8_t *scratch);
uint8_t *nub_scratch_input(const struct nub_layout *layout, uint8_t *scratch);
uint8_t *nub_scratch_output(const struct nub_layout *layout, uint8_t *scratch);

/* GDT, IDT and TSS with the I/O bitmap that opens the ABI's ports, and the monitor's code. What the CPU must be told
 * about them goes to *tables (cr3 included). */
void nub_scratch_write_cpu(const struct nub_layout *layout, uint8_t *scratch, struct nub_cpu_tables *tables);

/* The u64s at the top of scratch (R8). */
void nub_scratch_write_metadata(const struct nub_layout *layout, uint8_t *scratch, uint64_t generation, uint64_t seed);

#endif
