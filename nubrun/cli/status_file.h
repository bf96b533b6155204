/* Where --status and --svg put what they write: a file that is replaced whole, or something that is just written to.
 * `option` is for messages, without dashes. */
#ifndef CMD_STATUS_FILE_H
#define CMD_STATUS_FILE_H

#include "nub.h"

/* Try whether `path` can be written, without changing what is there. */
int cmd_status_file_check(const char *option, const char *path, struct nub_error *err);

/* Write it. A regular file is written beside `path` and renamed: who reads `path` finds the old one or the new one.
 * /dev/fd/N is the descriptor as it was inherited, - is stdout. Pipes and devices are written to as they are. */
int cmd_status_file_write(const char *option, const char *path, const void *bytes, size_t size, struct nub_error *err);

#endif
