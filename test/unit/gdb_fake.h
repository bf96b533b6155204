/* A target for gdb sessions that is no machine: registers in a struct, 8 KiB of memory at 0x1000, of which half can be
 * written. For tests and fuzzing. */
#ifndef GDB_FAKE_H
#define GDB_FAKE_H

#include <string.h>

#include "gdb/gdb_points.h"

enum { FAKE_BASE = 0x1000, FAKE_SIZE = 0x2000, FAKE_WRITABLE = 0x1000, FAKE_MAX_BREAKPOINTS = 4 };

struct fake {
	struct nub_gdb_target target;
	struct nub_cpu cpu;
	uint8_t memory[FAKE_SIZE];
	uint64_t breakpoints[FAKE_MAX_BREAKPOINTS];
	unsigned breakpoint_count;
	bool has_hardware;
	struct nub_gdb_hardware hardware;
	bool frozen; /* nothing can be changed, as after a crash */
};

static inline bool fake_read_cpu(void *context, struct nub_cpu *cpu)
{
	*cpu = ((struct fake *)context)->cpu;
	return true;
}

static inline bool fake_write_cpu(void *context, const struct nub_cpu *cpu)
{
	struct fake *fake = context;

	if (!fake->frozen)
		fake->cpu = *cpu;
	return !fake->frozen;
}

static inline size_t fake_read_memory(void *context, uint64_t gva, uint8_t *bytes, size_t size)
{
	struct fake *fake = context;

	if (gva < FAKE_BASE || gva - FAKE_BASE >= FAKE_SIZE)
		return 0;
	const size_t offset = gva - FAKE_BASE, left = FAKE_SIZE - offset;
	const size_t got = size < left ? size : left;
	memcpy(bytes, fake->memory + offset, got);
	return got;
}

static inline bool fake_write_memory(void *context, uint64_t gva, const uint8_t *bytes, size_t size)
{
	struct fake *fake = context;

	if (fake->frozen || gva < FAKE_BASE || gva - FAKE_BASE > FAKE_WRITABLE ||
	    size > FAKE_WRITABLE - (gva - FAKE_BASE))
		return false;
	memcpy(fake->memory + (gva - FAKE_BASE), bytes, size);
	return true;
}

static inline bool fake_add_breakpoint(void *context, uint64_t gva)
{
	struct fake *fake = context;

	if (gva < FAKE_BASE || fake->breakpoint_count == FAKE_MAX_BREAKPOINTS)
		return false;
	fake->breakpoints[fake->breakpoint_count++] = gva;
	return true;
}

static inline void fake_remove_breakpoint(void *context, uint64_t gva)
{
	struct fake *fake = context;

	if (fake->breakpoint_count > 0 && fake->breakpoints[fake->breakpoint_count - 1] == gva)
		fake->breakpoint_count--;
}

static inline bool fake_has_hardware(void *context, enum nub_gdb_hardware_kind kind)
{
	(void)kind;
	return ((struct fake *)context)->has_hardware;
}

static inline bool fake_add_hardware(void *context, enum nub_gdb_hardware_kind kind, uint64_t gva, uint64_t size)
{
	return nub_gdb_hardware_add(&((struct fake *)context)->hardware, kind, gva, size);
}

static inline void fake_remove_hardware(void *context, enum nub_gdb_hardware_kind kind, uint64_t gva, uint64_t size)
{
	nub_gdb_hardware_remove(&((struct fake *)context)->hardware, kind, gva, size);
}

/* Says the command back. */
static inline int fake_monitor(void *context, const char *command, struct nub_buffer *text, struct nub_error *err)
{
	(void)context;
	return nub_buffer_append(text, command, strlen(command), err);
}

static inline void fake_init(struct fake *fake)
{
	*fake = (struct fake){
		.target = {
			.context = fake,
			.entry = 0x500140001234,
			.image_base = 0x500140000000,
			.read_cpu = fake_read_cpu,
			.write_cpu = fake_write_cpu,
			.read_memory = fake_read_memory,
			.write_memory = fake_write_memory,
			.add_breakpoint = fake_add_breakpoint,
			.remove_breakpoint = fake_remove_breakpoint,
			.has_hardware = fake_has_hardware,
			.add_hardware = fake_add_hardware,
			.remove_hardware = fake_remove_hardware,
			.monitor = fake_monitor,
		},
		.cpu = { .regs = { .rax = 0x1122334455667788, .rip = 0x1000, .rsp = 0x2ff0 }, .sregs = { .cs.selector = 0x33 } },
	};
	for (size_t i = 0; i < sizeof(fake->memory); i++)
		fake->memory[i] = (uint8_t)i;
}

#endif
