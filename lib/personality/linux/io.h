/* What the calls that move bytes have in common. */
#ifndef NUB_LINUX_IO_H
#define NUB_LINUX_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "personality/linux/file.h"
#include "personality/linux/linux.h"

/* An operation gave -EAGAIN: wait for the file, and give what the handler returns. */
int64_t nub_linux_io_wait(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file);

/* What a write to a pipe or socket that nobody reads sends the thread. */
void nub_linux_io_sigpipe(struct nub_linux *linux, struct nub_linux_thread *thread);

/* Is [gva, gva + size) where a program can have memory at all? Linux looks at no more before it begins. */
bool nub_linux_is_user(uint64_t gva, uint64_t size);

/* Read or write at the file's offset, which moves, or at *position. As read(2) and write(2): the file's mode is checked, a
 * broken pipe sends SIGPIPE; -EAGAIN where there is nothing to do yet. */
int64_t nub_linux_io_read(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                          const uint64_t *position);
int64_t nub_linux_io_write(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file,
                           struct nub_linux_user *from, const uint64_t *position);

#endif
