/* Regular files and directories of the host, below grants. */
#ifndef NUB_LINUX_HOST_FILE_H
#define NUB_LINUX_HOST_FILE_H

#include <stdint.h>

#include "personality/linux/file.h"
#include "personality/linux/path.h"

extern const struct nub_linux_file_ops nub_linux_host_file_ops, nub_linux_host_directory_ops;

/* Open what the place is, or, where it is `missing`, make it there (flags with O_CREAT). `flags` are open(2)'s. *file gets one
 * ref. 0 or -errno; anything but regular files and directories is -EACCES, as are files of /proc, wherever they hang. */
int nub_linux_host_file_open(struct nub_linux_files *files, const struct nub_linux_place *place, uint32_t flags,
                             uint32_t mode, struct nub_linux_file **file);

/* What open(2) keeps in a description's flags. */
#define NUB_LINUX_KEPT_FLAGS (~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC))

/* Take the guest's umask from what was just made on the host, where it takes less than the host's own. */
void nub_linux_host_fix_mode(const struct nub_linux_files *files, int fd, uint32_t mode);

#endif
