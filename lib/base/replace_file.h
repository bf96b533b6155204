/* Replacing a file whole: the new one is written beside it without a name, and takes the old one's place in one step.
 *
 *     if (nub_replace_begin(&file, path, err) < 0) …
 *     write to file.fd
 *     nub_replace_commit(&file, err)      or      nub_replace_abandon(&file)
 *
 * Until commit returns 0 the old file is as it was, whatever ends the process. Symbolic links are followed and stay. After
 * a power cut, too, there is the old file or the new one, whole. What has no name is gone with the process; only where there is
 * an old one has the new one another name for an instant, between two system calls, and keeps it if that is when it all ends.
 */
#ifndef NUB_REPLACE_FILE_H
#define NUB_REPLACE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "nub/error.h"

struct nub_replacement {
	int fd;        /* where to write */
	char *target;  /* owned; the file to replace */
	char *name;    /* owned; the name that the new file has meanwhile, NULL while it has none */
	bool replaces; /* there is an old file, with this mode */
	mode_t mode;
	bool name_may_wait; /* the caller's, after begin: commit need not wait until a power cut leaves the new file */
};

int nub_replace_begin(struct nub_replacement *file, const char *path, struct nub_error *err);
int nub_replace_commit(struct nub_replacement *file, struct nub_error *err);
void nub_replace_abandon(struct nub_replacement *file);

#endif
