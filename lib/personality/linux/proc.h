/* /proc: its two halves, the machine's and the program's, and what they write with. */
#ifndef NUB_LINUX_PROC_H
#define NUB_LINUX_PROC_H

#include "base/buffer.h"
#include "personality/linux/generator.h"

struct nub_linux_files;

/* Append text. 0 or -ENOMEM. */
int nub_linux_proc_put(struct nub_buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Make directory/name with this generator: `mode` has its type. */
int nub_linux_proc_add(struct nub_linux_inode *directory, const char *name, uint32_t mode,
                       const struct nub_linux_generator *generator, struct nub_linux_inode **inode);

/* Fill /proc/PID. */
int nub_linux_proc_self_fill(struct nub_linux_inode *directory);

/* /proc/self/mounts, mountinfo's shorter form. */
int nub_linux_proc_mounts(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text);

extern const struct nub_linux_generator nub_linux_proc_fd_generator, nub_linux_proc_fdinfo_generator;

#endif
