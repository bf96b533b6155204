/* Descriptions of inodes in memory. */
#ifndef NUB_LINUX_MEMORY_FILE_H
#define NUB_LINUX_MEMORY_FILE_H

#include <stdint.h>

#include "personality/linux/file.h"
#include "personality/linux/inode.h"

extern const struct nub_linux_file_ops nub_linux_memory_file_ops, nub_linux_memory_directory_ops,
    nub_linux_text_file_ops;

/* Open the inode (not a symbolic link); `flags` are open(2)'s. *file gets one ref. 0 or -errno. */
int nub_linux_inode_open(struct nub_linux_files *files, struct nub_linux_mount *mount, struct nub_linux_inode *inode,
                         uint32_t flags, struct nub_linux_file **file);

/* A device of /dev, by its number (dev.c). */
int nub_linux_device_open(struct nub_linux_files *files, struct nub_linux_inode *inode, uint32_t flags,
                          struct nub_linux_file **file);

#endif
