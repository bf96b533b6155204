/* The registers as gdb numbers and sees them, and the XML that tells it so (features core, sse, avx, segments). Pure.
 *
 * Reference: the gdb manual, "i386 Features"; the XSAVE area in standard form, SDM vol. 1, 10.5.1 and 13.4.
 */
#ifndef NUB_GDB_REGISTERS_H
#define NUB_GDB_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "cpu/cpu.h"
#include "nub/error.h"

enum {
	NUB_GDB_RBP = 6,
	NUB_GDB_RSP = 7,
	NUB_GDB_RIP = 16,
	NUB_GDB_EFLAGS = 17,
	NUB_GDB_REGISTER_COUNT = 75,
	NUB_GDB_REGISTER_MAX = 16, /* bytes of the largest */
};

/* Bytes of register `number`; 0 when there is none. */
size_t nub_gdb_register_size(unsigned number);

/* Its value, little-endian, in out[0..size). */
void nub_gdb_register_get(const struct nub_cpu *cpu, unsigned number, uint8_t out[NUB_GDB_REGISTER_MAX]);

/* Set it from in[0..size). Bits that can't be set keep their values. False, and nothing set, where the value as a whole
 * can't be: a selector that is not the one there is, an address that is not canonical. */
bool nub_gdb_register_set(struct nub_cpu *cpu, unsigned number, const uint8_t *in);

/* Append the target description. Error: NO_MEMORY. */
int nub_gdb_describe(struct nub_buffer *xml, struct nub_error *err);

#endif
