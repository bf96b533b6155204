/* Rows about memory: areas at an address of their own, and what is refused. */
#ifndef MEMORY_H
#define MEMORY_H

#include <sys/mman.h>

#include "row.h"

#define BASE 0x10000000L
enum { ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

static unsigned char present[16];

static const struct row memory[] = {
	CALL(memfd_create, P("m"), V(0)),
	CALL(memfd_create, P("m"), V(1 << 20)),
	CALL(memfd_create, NOWHERE, V(0)),
	CALL(ftruncate, V(3), V(2 * PAGE)),
	CALL(mmap, V(BASE), V(8 * PAGE), V(RW), V(ANONYMOUS | MAP_FIXED), V(-1), V(0)),
	CALL(mmap, V(BASE), V(PAGE), V(RW), V(ANONYMOUS | MAP_FIXED_NOREPLACE), V(-1), V(0)),
	CALL(mmap, V(BASE + 1), V(PAGE), V(RW), V(ANONYMOUS | MAP_FIXED), V(-1), V(0)),
	CALL(mmap, V(0), V(0), V(RW), V(ANONYMOUS), V(-1), V(0)),
	CALL(mmap, V(0), V(-1), V(RW), V(ANONYMOUS), V(-1), V(0)),
	CALL(mmap, V(0), V(PAGE), V(RW), V(MAP_ANONYMOUS), V(-1), V(0)),
	CALL(mmap, V(0), V(PAGE), V(RW), V(MAP_SHARED), V(99), V(0)),
	CALL(mmap, V(0), V(PAGE), V(RW), V(MAP_SHARED), V(3), V(1)),
	CALL(mmap, V(BASE + 0x100000), V(2 * PAGE), V(RW), V(MAP_SHARED | MAP_FIXED), V(3), V(0)),
	CALL(mmap, V(1L << 62), V(PAGE), V(RW), V(ANONYMOUS | MAP_FIXED), V(-1), V(0)),
	MADE(mmap, V(0), V(PAGE), V(RW), V(ANONYMOUS), V(-1), V(0)),
	CALL(write, V(3), P((void *)BASE), V(16)),
	CALL(mprotect, V(BASE + PAGE), V(PAGE), V(PROT_READ)),
	CALL(mprotect, V(BASE + 1), V(PAGE), V(PROT_READ)),
	CALL(mprotect, V(BASE + PAGE), V(PAGE), V(1 << 20)),
	CALL(mprotect, V(BASE + 0x40000), V(PAGE), V(PROT_READ)),
	CALL(mprotect, V(BASE), V(0), V(PROT_READ)),
	CALL(read, V(0), P((void *)(BASE + PAGE)), V(1)),
	CALL(mprotect, V(BASE + PAGE), V(PAGE), V(PROT_NONE)),
	CALL(write, V(3), P((void *)(BASE + PAGE)), V(1)),
	CALL(mprotect, V(BASE + PAGE), V(PAGE), V(RW)),
	GIVES(mincore, present, 1, V(BASE), V(PAGE), P(present)),
	CALL(mincore, V(BASE + 1), V(PAGE), P(present)),
	CALL(mincore, V(BASE + 0x40000), V(PAGE), P(present)),
	CALL(mincore, V(BASE), V(PAGE), NOWHERE),
	CALL(madvise, V(BASE), V(PAGE), V(MADV_DONTNEED)),
	CALL(madvise, V(BASE), V(PAGE), V(MADV_WIPEONFORK)),
	CALL(madvise, V(BASE), V(PAGE), V(99)),
	CALL(madvise, V(BASE + 1), V(PAGE), V(MADV_DONTNEED)),
	CALL(madvise, V(BASE + 0x40000), V(PAGE), V(MADV_DONTNEED)),
	CALL(madvise, V(BASE), V(0), V(MADV_DONTNEED)),
	CALL(msync, V(BASE + 0x100000), V(PAGE), V(MS_SYNC)),
	CALL(msync, V(BASE + 0x100000), V(PAGE), V(MS_SYNC | MS_ASYNC)),
	CALL(msync, V(BASE + 0x40000), V(PAGE), V(MS_SYNC)),
	CALL(msync, V(BASE + 1), V(PAGE), V(MS_SYNC)),
	CALL(mlock, V(BASE), V(PAGE)),
	CALL(mlock, V(BASE + 0x40000), V(PAGE)),
	CALL(mlock2, V(BASE), V(PAGE), V(0)),
	CALL(mlock2, V(BASE), V(PAGE), V(99)),
	CALL(munlock, V(BASE), V(PAGE)),
	CALL(munlock, V(BASE + 0x40000), V(PAGE)),
	CALL(mlockall, V(0)),
	CALL(munlockall, V(0)),
	CALL(mremap, V(BASE), V(8 * PAGE), V(4 * PAGE), V(0)),
	CALL(mremap, V(BASE), V(4 * PAGE), V(0), V(0)),
	CALL(mremap, V(BASE + 1), V(4 * PAGE), V(PAGE), V(0)),
	CALL(mremap, V(BASE + 0x40000), V(PAGE), V(2 * PAGE), V(MREMAP_MAYMOVE)),
	CALL(mremap, V(BASE), V(PAGE), V(PAGE), V(99)),
	CALL(mremap, V(BASE), V(PAGE), V(PAGE), V(MREMAP_MAYMOVE | MREMAP_FIXED), V(BASE + 0x200000)),
	CALL(mremap, V(BASE + 0x200000), V(PAGE), V(PAGE), V(MREMAP_FIXED), V(BASE + 0x300000)),
	CALL(munmap, V(BASE), V(8 * PAGE)),
	CALL(munmap, V(BASE), V(8 * PAGE)),
	CALL(munmap, V(BASE + 1), V(PAGE)),
	CALL(munmap, V(BASE), V(0)),
	CALL(munmap, V(1L << 62), V(PAGE)),
	MADE(brk, V(0)),
	MADE(brk, V(1)),
	MADE(brk, V(-1)),
};

#endif
