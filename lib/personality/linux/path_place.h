/* What a walk has come to, and its steps: for path.c. 0 or -errno; after an error the place may be nothing at all. */
#ifndef NUB_LINUX_PATH_PLACE_H
#define NUB_LINUX_PATH_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "personality/linux/path.h"

struct nub_linux_place;

/* The text of its path: one name more, the last name less. */
int nub_linux_place_append(struct nub_linux_place *place, const char *name, size_t length);
void nub_linux_place_cut(struct nub_linux_place *place);

/* Have the place be an inode of a mount in memory (takes the caller's ref), an open file, or what the host has at its path. */
void nub_linux_place_be_inode(struct nub_linux_place *place, struct nub_linux_mount *mount,
                              struct nub_linux_inode *inode);
void nub_linux_place_be_file(struct nub_linux_place *place, struct nub_linux_file *file);
int nub_linux_place_be_removed(struct nub_linux_place *place, const struct nub_linux_file *directory);
int nub_linux_place_be_host(struct nub_linux_place *place, struct nub_linux_mount *mount);

/* The entry of the directory in memory that the place is. */
int nub_linux_place_be_entry(struct nub_linux_files *files, struct nub_linux_place *place, const char *name,
                             size_t length);

/* What is at the place's path, without walking links: a mount, what the host has, what the skeleton has. */
int nub_linux_place_look(struct nub_linux_files *files, struct nub_linux_place *place);

/* The same where a directory was seen before: the host is not asked until nub_linux_place_complete. */
int nub_linux_place_be_directory(struct nub_linux_files *files, struct nub_linux_place *place);
int nub_linux_place_complete(struct nub_linux_files *files, struct nub_linux_place *place);

/* -ENOTDIR, or -EACCES, where no name may be looked for in it. */
int nub_linux_place_searchable(const struct nub_linux_files *files, const struct nub_linux_place *place);

/* The open file that this link leads to (borrowed), or NULL. */
struct nub_linux_file *nub_linux_place_magic(const struct nub_linux_files *files, const struct nub_linux_place *place);

/* Has the skeleton a name at path[0..length)? */
bool nub_linux_skeleton_has(const struct nub_linux_files *files, const char *path, size_t length);

#endif
