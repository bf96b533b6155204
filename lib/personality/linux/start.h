/* Starting a program: its file and its interpreter's in memory, the stack as Linux lays it out, the first registers.
 *
 * Linux, fs/binfmt_elf.c and Documentation/arch/x86/elf_auxvec.rst; System V ABI for x86-64, 3.4.
 */
#ifndef NUB_LINUX_START_H
#define NUB_LINUX_START_H

#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"
#include "personality/linux/mm.h"

/* What is known of the running program, for /proc/self and for a thaw. */
struct nub_linux_program {
	char *path;         /* AT_EXECFN */
	uint8_t *arguments; /* argv's strings, each with its NUL, as they were at the start */
	size_t arguments_size;
	uint8_t *environment; /* likewise */
	size_t environment_size;
	uint8_t *auxv; /* pairs of u64, AT_NULL included */
	size_t auxv_size;
	uint64_t bias;                     /* from the file's addresses to the program's; 0 in a thaw */
	uint64_t code_start, code_end;     /* gva: of the program's own executable segments */
	uint64_t arguments_gva;            /* where the strings are, one after another, environment included */
	uint64_t random_gva;               /* the 16 bytes of AT_RANDOM */
	uint64_t vdso_gva;                 /* AT_SYSINFO_EHDR; the page before it is the clock's parameters */
	struct nub_linux_backing *backing; /* the program's file; a reference of its own */
};

/* Load the program from `backing` (a reference is taken) and its interpreter by linux->open_program, make the stack, and have
 * the current thread begin. Errors: ELF_*, USAGE (arguments too long), MEMORY_TOO_SMALL, NOT_FOUND (the interpreter, with the
 * grant that would give it), IO. */
int nub_linux_start(struct nub_linux *linux, struct nub_linux_backing *backing, struct nub_error *err);

void nub_linux_program_release(struct nub_linux *linux);

/* A backing over a host file, read by pread and never written. Takes over `fd`. NULL and NO_MEMORY or IO. */
struct nub_linux_backing *nub_linux_host_backing(int fd, const char *path, struct nub_error *err);

#endif
