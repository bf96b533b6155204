/* What the files behind start.h share: a file that was loaded, and what the stack is made of. Private. */
#ifndef NUB_LINUX_START_PARTS_H
#define NUB_LINUX_START_PARTS_H

#include "elf/elf_program.h"
#include "personality/linux/start.h"

extern const uint8_t nub_vdso_start[], nub_vdso_end[];

/* An ELF file in the guest's memory: its headers, and gva - vaddr. */
struct nub_linux_loaded {
	struct nub_elf_program elf;
	uint64_t bias;
};

/* ---- load.c ---- */

/* Map the segments of a file; a relocatable one at `base`, or with base 0 where there is room. Errors: ELF_*, ELF_WX,
 * MEMORY_TOO_SMALL, IO. */
int nub_linux_load(struct nub_linux *linux, struct nub_linux_backing *backing, const char *name, uint64_t base,
                   struct nub_linux_loaded *loaded, struct nub_error *err);

/* ---- stack.c ---- */

/* Map the stack under memory->stack_top, fill it, and give the stack pointer; fills linux->program's arguments and auxv. Errors:
 * USAGE (they take too much), NO_MEMORY, MEMORY_TOO_SMALL. */
int nub_linux_make_stack(struct nub_linux *linux, const struct nub_linux_loaded *program, uint64_t interpreter_base,
                         uint64_t *rsp, struct nub_error *err);

/* ---- vdso_page.c ---- */

/* Map the vdso and its page of parameters. Error: MEMORY_TOO_SMALL. */
int nub_linux_map_vdso(struct nub_linux *linux, struct nub_error *err);

#endif
