/* Files as mmap(2) and the loader see them. */
#ifndef NUB_LINUX_MAPPED_H
#define NUB_LINUX_MAPPED_H

#include <stdint.h>

struct nub_linux;
struct nub_linux_backing;

/* What linux->open_backing and linux->open_program are. */
struct nub_linux_backing *nub_linux_open_backing(struct nub_linux *linux, int fd, unsigned prot, unsigned flags,
                                                 int64_t *error);
struct nub_linux_backing *nub_linux_open_program(struct nub_linux *linux, const char *path, int64_t *error);

#endif
