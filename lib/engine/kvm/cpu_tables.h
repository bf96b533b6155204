/* What a virtual CPU finds in scratch before its guest runs: GDT, IDT, TSS, the monitor (R9). Pure.
 *
 * `scratch` is the host's view of the region, layout->scratch_size bytes. Where each thing goes is layout.h's business.
 */
#ifndef NUB_CPU_TABLES_H
#define NUB_CPU_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "memory/layout.h"

/* GDT, IDT, and TSS with the I/O bitmap that opens these ports, and the monitor's code. What the CPU must be told about them
 * goes to *tables; cr3 is the first page tables'. */
void nub_cpu_tables_write(const struct nub_layout *layout, uint8_t *scratch, const uint8_t *ports, size_t port_count,
                          struct nub_cpu_tables *tables);

/* Have the monitor store `value` in the page-table entry at entry_gva, and invalidate gva, before it returns to the
 * guest; entry_gva 0 takes that back. */
void nub_cpu_tables_set_patch(const struct nub_layout *layout, uint8_t *scratch, uint64_t entry_gva, uint64_t value,
                              uint64_t gva);

#endif
