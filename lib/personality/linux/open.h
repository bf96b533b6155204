/* Opening what a path led to. */
#ifndef NUB_LINUX_OPEN_H
#define NUB_LINUX_OPEN_H

#include <stdint.h>

#include "personality/linux/linux.h"
#include "personality/linux/path.h"

/* As open(2) with these flags and mode: *file gets one ref, and no path yet. 0 or -errno. */
int nub_linux_open_place(struct nub_linux *linux, const struct nub_linux_place *place, uint32_t flags, uint32_t mode,
                         struct nub_linux_file **file);

#endif
