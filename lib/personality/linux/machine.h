/* What the Linux personality needs of whatever executes the guest: memory, mappings, the vCPU's registers, clocks, output.
 * An engine and a sandbox stand behind it when a program runs, and a few arrays in tests.
 *
 * All calls are made between two of the guest's instructions, from one thread. Functions that can fail return 0, or -1 and
 * fill *err and the run ends (nub_linux_fail): the host is at fault, but for PAGE_LIMIT, where the program has spread its memory
 * over more page tables than it has. gva and gpa are page-aligned, sizes are multiples of pages, and everything has been checked by
 * the caller.
 */
#ifndef NUB_LINUX_MACHINE_H
#define NUB_LINUX_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/config.h"
#include "nub/error.h"
#include "nub/outcome.h"

/* What a vCPU holds of a thread beyond its general registers. XSAVE in the standard format (SDM vol. 1, 13.4): with x87, SSE and
 * AVX 832 bytes of it are used, with AVX-512 all. */
enum { NUB_LINUX_XSAVE_SIZE = 2688, NUB_LINUX_XSAVE_AVX_SIZE = 832 };
struct nub_linux_vcpu {
	struct nub_registers regs;
	uint64_t fs_base, gs_base;
	_Alignas(64) uint8_t xsave[NUB_LINUX_XSAVE_SIZE];
};

enum nub_linux_rights {
	NUB_LINUX_READ = 1,
	NUB_LINUX_WRITE = 2, /* with READ */
	NUB_LINUX_EXECUTE = 4,
};

struct nub_linux_machine_ops {
	/* The guest's memory: `size` bytes, a multiple of 2 MiB, from gpa `base`, as one host mapping that stays where it is.
	 * Untouched pages are zero and cost nothing; but behind the first *from_file bytes a file is, until they are discarded. */
	uint8_t *(*memory)(void *context, uint64_t *base, uint64_t *size, uint64_t *from_file);
	/* Copy bytes of one page, and store there, with an error where touching them could be a signal: what a saved program's
	 * file is behind. */
	int (*copy)(void *context, uint64_t gpa, void *bytes, size_t size, struct nub_error *err);
	int (*store)(void *context, uint64_t gpa, const void *bytes, size_t size, struct nub_error *err);
	/* All of [gpa, gpa + size) is about to be written, by the caller or by the program: to have its pages at once may cost less
	 * than one after the other. What can't be had now is had when it is touched. */
	void (*expect)(void *context, uint64_t gpa, uint64_t size, bool by_program);
	/* [gpa, gpa + size), whole 2 MiB, may be large pages of the host's. */
	void (*expect_large)(void *context, uint64_t gpa, uint64_t size);
	/* The gpa at which [offset, offset + size) of the program's file is already, for whoever maps it first; 0: nowhere. */
	uint64_t (*shown)(void *context, uint64_t offset, uint64_t size);
	/* Zero [gpa, gpa + size) by giving the host's pages back. */
	int (*discard)(void *context, uint64_t gpa, uint64_t size, struct nub_error *err);

	/* The guest's address space. map: nothing is mapped there yet. protect: all of it is mapped; rights 0 keep the pages and
	 * let no access through. unmap: what is mapped of it. */
	int (*map)(void *context, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights, struct nub_error *err);
	int (*protect)(void *context, uint64_t gva, uint64_t size, unsigned rights, struct nub_error *err);
	int (*unmap)(void *context, uint64_t gva, uint64_t size, struct nub_error *err);

	/* The general registers: after a system call, rip is past the `syscall`, rcx and r11 as the CPU left them; after a
	 * fault, all are as they were at the instruction. */
	void (*get_regs)(void *context, struct nub_registers *regs);
	void (*set_regs)(void *context, const struct nub_registers *regs);
	/* All of it: for switching threads, signal frames, arch_prctl, snapshots. Values are canonical and valid. */
	int (*get_vcpu)(void *context, struct nub_linux_vcpu *vcpu, struct nub_error *err);
	int (*set_vcpu)(void *context, const struct nub_linux_vcpu *vcpu, struct nub_error *err);

	/* The host's clock: CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME or CLOCK_PROCESS_CPUTIME_ID, in ns. */
	uint64_t (*now_ns)(void *context, int clock);
	/* The time-stamp counter as the guest reads it, and its rate; 0 when that is not known (then the vdso makes system
	 * calls). */
	uint64_t (*tsc)(void *context);
	uint64_t (*tsc_khz)(void *context);
	/* Random bytes of the kernel's, or by the seed when one was given. */
	int (*random)(void *context, void *bytes, size_t size, struct nub_error *err);
	/* What the guest prints: all of it, or an error. */
	int (*output)(void *context, enum nub_stream stream, const void *bytes, size_t size, struct nub_error *err);
};

/* Programs have nothing in here: engines keep it for themselves. Page-aligned. */
#define NUB_LINUX_KEPT_GVA UINT64_C(0x6ff000000000)
#define NUB_LINUX_KEPT_SIZE UINT64_C(0x10000)

struct nub_linux_machine {
	const struct nub_linux_machine_ops *ops;
	void *context;
	uint64_t xcr0; /* what of XSAVE's programs can use: 7, or with AVX-512 0xe7 */
};

static inline uint32_t nub_linux_xsave_size(const struct nub_linux_machine *machine)
{
	return machine->xcr0 >> 3 ? NUB_LINUX_XSAVE_SIZE : NUB_LINUX_XSAVE_AVX_SIZE;
}

#endif
