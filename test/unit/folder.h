/* A folder of a test's own, as its state: made before it, emptied and removed after it. */
#ifndef FOLDER_H
#define FOLDER_H

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
	char path[64];
};

static inline int set_up(void **state)
{
	static struct folder folder;

	strcpy(folder.path, "/tmp/nub-layers-XXXXXX");
	*state = &folder;
	return mkdtemp(folder.path) ? 0 : -1;
}

static inline int tear_down(void **state)
{
	const struct folder *folder = *state;
	DIR *entries = opendir(folder->path);

	for (struct dirent *entry; entries && (entry = readdir(entries));)
		unlinkat(dirfd(entries), entry->d_name, 0);
	closedir(entries);
	return rmdir(folder->path);
}

#endif
