/* Files of /proc and /dev whose content is made when it is asked for. Each has what its kind of inode needs. 0 or -errno. */
#ifndef NUB_LINUX_GENERATOR_H
#define NUB_LINUX_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "personality/linux/inode.h"
#include "personality/linux/listing.h"

struct nub_linux;
struct nub_linux_file;

struct nub_linux_generator {
	/* a regular file: its text as it is now */
	int (*text)(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text);
	/* a symbolic link: what it says, its length; and the open file that it leads to (borrowed), NULL: it is walked as text */
	int (*link)(struct nub_linux *linux, const struct nub_linux_inode *inode, char *text, size_t capacity);
	struct nub_linux_file *(*follow)(struct nub_linux *linux, const struct nub_linux_inode *inode);
	/* a directory: an entry, which the caller gets one ref of; and all of them */
	int (*find)(struct nub_linux *linux, const struct nub_linux_inode *inode, const char *name, size_t length,
	            struct nub_linux_inode **found);
	int (*list)(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_linux_listing *listing);
};

/* An entry of the directory, also of a generated one: one ref for the caller. -ENOENT. */
int nub_linux_lookup(struct nub_linux *linux, const struct nub_linux_inode *directory, const char *name, size_t length,
                     struct nub_linux_inode **found);

#endif
