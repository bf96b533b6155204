/* The trees that we make ourselves: what is in them at first. 0 or -errno. */
#ifndef NUB_LINUX_SKELETON_H
#define NUB_LINUX_SKELETON_H

#include <stdint.h>

#include "personality/linux/inode.h"

struct nub_linux_files;

/* Make the path below `root`: directories, and at its end one of type S_IFDIR or S_IFREG. What is there already stays. */
int nub_linux_skeleton_name(struct nub_linux_inode *root, const char *path, uint32_t type);

/* /etc with the least that programs look for: passwd, group, hosts, resolv.conf. */
int nub_linux_skeleton_fill(struct nub_linux_files *files, struct nub_linux_inode *root);
int nub_linux_dev_fill(struct nub_linux_files *files, struct nub_linux_inode *root);  /* dev.c */
int nub_linux_proc_fill(struct nub_linux_files *files, struct nub_linux_inode *root); /* proc.c */

#endif
