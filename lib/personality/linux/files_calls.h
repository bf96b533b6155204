/* The families of calls that are about files, for the row in table.c. The first makes and releases what all use. */
#ifndef NUB_LINUX_FILES_CALLS_H
#define NUB_LINUX_FILES_CALLS_H

#include "personality/linux/call.h"

extern const struct nub_linux_family nub_linux_files_family, nub_linux_rw_family;

#endif
