/* Reading a file at an offset, and writing to it, until all is there that is asked for. */
#ifndef NUB_READ_AT_H
#define NUB_READ_AT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As pread(2), but as many of the bytes as the file has, whatever interrupts it and however little comes at a time: fewer than
 * `size` only at its end; -1 and errno. */
ssize_t nub_read_at(int fd, void *bytes, size_t size, uint64_t offset);

/* As pwrite(2), but all of the bytes: 0, or -1 and errno. */
int nub_write_at(int fd, const void *bytes, size_t size, uint64_t offset);

#endif
