/* The slots of the debug registers. */
#include "gdb/gdb_hardware.h"

#include <string.h>

/* Bit 10 is always 1; GE (bit 9) makes older CPUs tell of the exact instruction. */
#define DR7_FIXED UINT64_C(0x600)
#define DR7_GLOBAL UINT64_C(2)

static struct nub_gdb_hardware_slot *find(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind,
                                          uint64_t gva, uint64_t size)
{
	for (unsigned i = 0; i < NUB_GDB_HARDWARE_SLOTS; i++) {
		struct nub_gdb_hardware_slot *slot = &hardware->slots[i];
		if (slot->size != 0 && slot->size == size && slot->gva == gva && slot->kind == kind)
			return slot;
	}
	return NULL;
}

bool nub_gdb_hardware_add(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind, uint64_t gva,
                          uint64_t size)
{
	const bool sized = size == 1 || (kind != NUB_GDB_EXECUTE && (size == 2 || size == 4 || size == 8));

	if (!sized || gva % size != 0)
		return false;
	if (find(hardware, kind, gva, size))
		return true;
	for (unsigned i = 0; i < NUB_GDB_HARDWARE_SLOTS; i++) {
		struct nub_gdb_hardware_slot *slot = &hardware->slots[i];
		if (slot->size != 0)
			continue;
		*slot = (struct nub_gdb_hardware_slot){ .gva = gva, .kind = kind, .size = (uint8_t)size };
		return true;
	}
	return false;
}

void nub_gdb_hardware_remove(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind, uint64_t gva,
                             uint64_t size)
{
	struct nub_gdb_hardware_slot *slot = find(hardware, kind, gva, size);

	if (slot)
		*slot = (struct nub_gdb_hardware_slot){ 0 };
}

/* The LEN field: 8 bytes came last. */
static uint64_t length_field(unsigned size)
{
	return size == 8 ? 2 : size - 1;
}

bool nub_gdb_hardware_encode(const struct nub_gdb_hardware *hardware, uint64_t registers[NUB_GDB_DEBUG_REGISTERS])
{
	uint64_t dr7 = 0;

	memset(registers, 0, NUB_GDB_DEBUG_REGISTERS * sizeof(registers[0]));
	for (unsigned i = 0; i < NUB_GDB_HARDWARE_SLOTS; i++) {
		const struct nub_gdb_hardware_slot *slot = &hardware->slots[i];
		if (slot->size == 0)
			continue;
		registers[i] = slot->gva;
		dr7 |= DR7_GLOBAL << (2 * i) | (uint64_t)slot->kind << (16 + 4 * i) |
		       length_field(slot->size) << (18 + 4 * i);
	}
	if (dr7 == 0)
		return false;
	registers[7] = dr7 | DR7_FIXED;
	return true;
}

const struct nub_gdb_hardware_slot *nub_gdb_hardware_hit(const struct nub_gdb_hardware *hardware, uint64_t dr6)
{
	for (unsigned i = 0; i < NUB_GDB_HARDWARE_SLOTS; i++)
		/* The CPU may set the bit of a slot that is off, too. */
		if (dr6 >> i & 1 && hardware->slots[i].size != 0)
			return &hardware->slots[i];
	return NULL;
}
