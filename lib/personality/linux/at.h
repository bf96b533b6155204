/* The `at` of openat(2) and its like: a directory's descriptor and a path in guest memory, or the descriptor itself. */
#ifndef NUB_LINUX_AT_H
#define NUB_LINUX_AT_H

#include <stdint.h>

#include "personality/linux/linux.h"
#include "personality/linux/path.h"

/* Read the path and walk it from `dirfd`; `walk` is NUB_LINUX_WALK_*. 0 or -errno. */
int nub_linux_at(struct nub_linux *linux, uint64_t dirfd, uint64_t gva, unsigned walk, struct nub_linux_place *place);

/* As that, with a call's AT_* flags: AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW (when `follows` is not the rule), and AT_EMPTY_PATH,
 * which makes the place the open file itself. Flags are checked before. */
int nub_linux_at_flags(struct nub_linux *linux, uint64_t dirfd, uint64_t gva, uint32_t flags, bool follows,
                       struct nub_linux_place *place);

/* For calls that make a name: the directory that it will be in. Names that are there already are -EEXIST, read-only mounts
 * -EROFS. `slash`: the name may end in one. */
int nub_linux_at_new(struct nub_linux *linux, uint64_t dirfd, uint64_t gva, bool slash, struct nub_linux_place *parent);

/* What a place is. */
int nub_linux_place_stat(struct nub_linux *linux, const struct nub_linux_place *place, struct statx *stat);

/* May entries be made and removed in it? -EROFS, -EACCES; the host has its own say later. */
int nub_linux_place_changeable(const struct nub_linux_files *files, const struct nub_linux_place *directory);

/* What is mounted there, or below it, holds its name. */
bool nub_linux_place_busy(const struct nub_linux_files *files, const char *path);

#endif
