/* Files as mmap(2) and the loader see them. */
#ifndef NUB_LINUX_MAPPED_H
#define NUB_LINUX_MAPPED_H

#include <stdint.h>

struct nub_cursor;
struct nub_linux;
struct nub_linux_backing;

/* What linux->open_backing and linux->open_program are. */
struct nub_linux_backing *nub_linux_open_backing(struct nub_linux *linux, int fd, unsigned prot, unsigned flags,
                                                 int64_t *error);
struct nub_linux_backing *nub_linux_open_program(struct nub_linux *linux, const char *path, int64_t *error);

/* What a backing's `save` wrote, after the files were loaded: a reference, or NULL when the cursor has failed. */
struct nub_linux_backing *nub_linux_backing_load(struct nub_linux *linux, struct nub_cursor *cursor);

#endif
