/* Reading the files that are named on the command line. */
#ifndef CMD_FILE_H
#define CMD_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "nub.h"

/* Open a file to be read, of at most `limit` bytes when it is a regular one. *fd is the caller's to close, also after an
 * error; -1 when it was not opened. Errors: NOT_FOUND, IO; `too_big`. */
int cmd_file_open(const char *path, uint64_t limit, enum nub_error_kind too_big, int *fd, struct stat *st,
                  struct nub_error *err);

/* Read a file (or pipe) of at most `limit` bytes into *bytes, malloc'd, never NULL. A copy, so that nobody changes it
 * between its check and its use. Errors: NOT_FOUND, IO, NO_MEMORY; `too_big` when it is over the limit. */
int cmd_file_read(const char *path, uint64_t limit, enum nub_error_kind too_big, uint8_t **bytes, size_t *size,
                  struct nub_error *err);

/* The same of a file that is open, at its start. */
int cmd_file_read_open(int fd, const struct stat *st, const char *path, uint64_t limit, enum nub_error_kind too_big,
                       uint8_t **bytes, size_t *size, struct nub_error *err);

#endif
