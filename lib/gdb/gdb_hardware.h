/* Hardware breakpoints and watchpoints: four slots, the debug registers that they make, and what a #DB says of them. Pure.
 *
 * Reference: SDM vol. 3B, 17.2. The CPU stops before an instruction that is to be executed, and after one that accessed
 * data.
 */
#ifndef NUB_GDB_HARDWARE_H
#define NUB_GDB_HARDWARE_H

#include <stdbool.h>
#include <stdint.h>

enum { NUB_GDB_HARDWARE_SLOTS = 4, NUB_GDB_DEBUG_REGISTERS = 8 };

/* As the R/W fields of DR7 have them. There is none for reading only. */
enum nub_gdb_hardware_kind { NUB_GDB_EXECUTE = 0, NUB_GDB_WRITE = 1, NUB_GDB_ACCESS = 3 };

struct nub_gdb_hardware_slot {
	uint64_t gva;
	enum nub_gdb_hardware_kind kind;
	uint8_t size; /* 0: free */
};

/* Zeroed at first. */
struct nub_gdb_hardware {
	struct nub_gdb_hardware_slot slots[NUB_GDB_HARDWARE_SLOTS];
};

/* A single step, in DR6. */
#define NUB_GDB_DR6_BS UINT64_C(0x4000)

/* Add one, unless it is there. False when all slots are taken, or when the size is none of 1 (the only one to execute), 2, 4
 * and 8, or gva is no multiple of it. */
bool nub_gdb_hardware_add(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind, uint64_t gva,
                          uint64_t size);
void nub_gdb_hardware_remove(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind, uint64_t gva,
                             uint64_t size);

/* DR0 to DR7. False, and nothing set, when all slots are free. */
bool nub_gdb_hardware_encode(const struct nub_gdb_hardware *hardware, uint64_t registers[NUB_GDB_DEBUG_REGISTERS]);

/* The first slot that a #DB with this DR6 is about; NULL when it is about none of them. */
const struct nub_gdb_hardware_slot *nub_gdb_hardware_hit(const struct nub_gdb_hardware *hardware, uint64_t dr6);

#endif
