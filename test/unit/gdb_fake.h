/* A target for gdb sessions that is no machine: registers in a struct, 8 KiB of memory at 0x1000, of which half can be
 * written. It may be a program, whose threads have the same registers. For tests and fuzzing. */
#ifndef GDB_FAKE_H
#define GDB_FAKE_H

#include <string.h>

#include "gdb/gdb_points.h"

enum { FAKE_BASE = 0x1000, FAKE_SIZE = 0x2000, FAKE_WRITABLE = 0x1000, FAKE_MAX_BREAKPOINTS = 4, FAKE_TID = 1000 };

struct fake {
	struct nub_gdb_target target;
	struct nub_cpu cpu;
	int64_t call;
	uint32_t thread_count; /* FAKE_TID and those that follow; 0: the guest is no program */
	siginfo_t info;        /* si_signo 0: none */
	uint8_t memory[FAKE_SIZE];
	uint64_t breakpoints[FAKE_MAX_BREAKPOINTS];
	unsigned breakpoint_count;
	bool has_hardware;
	struct nub_gdb_hardware hardware;
	bool frozen; /* nothing can be changed, as after a crash */
};

static inline bool fake_thread(void *context, size_t index, uint32_t *tid, char name[NUB_GDB_THREAD_NAME])
{
	const struct fake *fake = context;

	*tid = fake->thread_count > 0 ? FAKE_TID + (uint32_t)index : NUB_GDB_ONLY_THREAD;
	memset(name, 0, NUB_GDB_THREAD_NAME);
	if (index % 2 == 1)
		memcpy(name, "a<b\nsixteen long", NUB_GDB_THREAD_NAME);
	return index < (fake->thread_count > 0 ? fake->thread_count : 1);
}

static inline bool fake_has_thread(struct fake *fake, uint32_t tid)
{
	if (fake->thread_count == 0)
		return tid == NUB_GDB_ONLY_THREAD;
	return tid >= FAKE_TID && tid - FAKE_TID < fake->thread_count;
}

static inline bool fake_read_registers(void *context, uint32_t tid, struct nub_gdb_registers *registers)
{
	struct fake *fake = context;

	registers->cpu = fake->cpu;
	registers->call = fake->call;
	return fake_has_thread(fake, tid);
}

static inline bool fake_write_registers(void *context, uint32_t tid, const struct nub_gdb_registers *registers)
{
	struct fake *fake = context;

	if (fake->frozen || !fake_has_thread(fake, tid))
		return false;
	fake->cpu = registers->cpu;
	fake->call = registers->call;
	return true;
}

static inline const uint8_t *fake_auxv(void *context, size_t *size)
{
	static const uint8_t vector[] = "auxv";

	*size = sizeof(vector) - 1;
	return ((struct fake *)context)->thread_count > 0 ? vector : NULL;
}

static inline bool fake_siginfo(void *context, siginfo_t *info)
{
	*info = ((struct fake *)context)->info;
	return info->si_signo != 0;
}

static inline bool fake_tls(void *context, uint32_t tid, uint64_t offset, uint64_t link_map, uint64_t numbers,
                            uint64_t *gva)
{
	*gva = 0x70000 + tid + offset + numbers;
	return fake_has_thread(context, tid) && (link_map == 0 || numbers != 0);
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
			.auxv = fake_auxv,
			.thread = fake_thread,
			.read_registers = fake_read_registers,
			.write_registers = fake_write_registers,
			.siginfo = fake_siginfo,
			.tls = fake_tls,
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
		.call = -1,
	};
	for (size_t i = 0; i < sizeof(fake->memory); i++)
		fake->memory[i] = (uint8_t)i;
}

/* It is a program from now on, with so many threads. */
static inline void fake_become_program(struct fake *fake, uint32_t thread_count)
{
	fake->thread_count = thread_count;
	fake->target.program = true;
	fake->target.path = "/bin/true";
}

#endif
