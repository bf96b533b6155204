/* A file system of one folder, on which the calls of an strace are played; it keeps apart what is synced and what is not yet. */
#ifndef POWERLOSS_H
#define POWERLOSS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INODES = 16, MAX_WRITES = 4096, MAX_CHANGES = 32, MAX_FDS = 1024, NAME_SIZE = 256 };

struct bytes {
	uint8_t *at;
	size_t size;
};

/* ftruncate is a write of nothing at that size. */
struct write {
	struct bytes bytes;
	uint64_t offset;
	bool cuts;
};

struct inode {
	struct bytes durable;
	struct write writes[MAX_WRITES]; /* since it was synced */
	unsigned write_count;
	uint64_t position;
};

/* A name that leads to an inode from now on; NULL: to none. */
struct change {
	char name[NAME_SIZE];
	struct inode *inode;
};

struct disk {
	struct inode *inodes[MAX_INODES];
	unsigned inode_count;
	struct change changes[MAX_CHANGES];
	unsigned change_count, synced; /* so many of them are on the disk */
	struct inode *fds[MAX_FDS];
	bool folders[MAX_FDS];
	unsigned played;
};

static inline void powerloss_die(const char *what)
{
	fprintf(stderr, "powerloss: %s: %s\n", what, strerror(errno));
	exit(2);
}

static inline void *powerloss_room(void *at, size_t size)
{
	void *room = realloc(at, size ? size : 1);

	if (!room)
		powerloss_die("memory");
	return room;
}

static inline void bytes_release(struct bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct bytes){ 0 };
}

static inline void bytes_copy(struct bytes *to, const struct bytes *from)
{
	to->at = powerloss_room(NULL, from->size);
	to->size = from->size;
	if (from->size > 0)
		memcpy(to->at, from->at, from->size);
}

static inline void bytes_resize(struct bytes *bytes, size_t size)
{
	bytes->at = powerloss_room(bytes->at, size);
	if (size > bytes->size)
		memset(bytes->at + bytes->size, 0, size - bytes->size);
	bytes->size = size;
}

static inline void bytes_write(struct bytes *bytes, const struct write *write)
{
	const size_t end = write->offset + write->bytes.size;

	if (write->cuts || end > bytes->size)
		bytes_resize(bytes, end);
	if (write->bytes.size > 0)
		memcpy(bytes->at + write->offset, write->bytes.at, write->bytes.size);
}

/* ---- The folder ---- */

static inline struct inode *disk_find(const struct disk *disk, const char *name, unsigned changes)
{
	for (unsigned i = changes; i > 0; i--)
		if (strcmp(disk->changes[i - 1].name, name) == 0)
			return disk->changes[i - 1].inode;
	return NULL;
}

/* Does another name lead to anything? */
static inline bool disk_has_others(const struct disk *disk, const char *name)
{
	for (unsigned i = 0; i < disk->change_count; i++)
		if (strcmp(disk->changes[i].name, name) != 0 &&
		    disk_find(disk, disk->changes[i].name, disk->change_count))
			return true;
	return false;
}

static inline void disk_change(struct disk *disk, const char *name, struct inode *inode)
{
	if (disk->change_count == MAX_CHANGES)
		powerloss_die("changes of names");
	struct change *change = &disk->changes[disk->change_count++];

	snprintf(change->name, sizeof(change->name), "%s", name);
	change->inode = inode;
}

static inline struct inode *disk_new(struct disk *disk)
{
	if (disk->inode_count == MAX_INODES)
		powerloss_die("files");
	struct inode *inode = powerloss_room(NULL, sizeof(*inode));

	*inode = (struct inode){ 0 };
	disk->inodes[disk->inode_count++] = inode;
	return inode;
}

static inline void disk_add(struct disk *disk, const char *name, const struct bytes *bytes)
{
	struct inode *inode = disk_new(disk);

	bytes_copy(&inode->durable, bytes);
	disk_change(disk, name, inode);
	disk->synced = disk->change_count;
}

static inline void disk_write(struct inode *inode, struct bytes *bytes, uint64_t offset, bool cuts)
{
	if (inode->write_count == MAX_WRITES)
		powerloss_die("writes");
	inode->writes[inode->write_count++] = (struct write){ *bytes, offset, cuts };
	*bytes = (struct bytes){ 0 };
}

static inline void disk_sync(struct inode *inode)
{
	for (unsigned i = 0; i < inode->write_count; i++) {
		bytes_write(&inode->durable, &inode->writes[i]);
		bytes_release(&inode->writes[i].bytes);
	}
	inode->write_count = 0;
}

static inline void disk_release(struct disk *disk)
{
	for (unsigned i = 0; i < disk->inode_count; i++) {
		disk_sync(disk->inodes[i]);
		bytes_release(&disk->inodes[i]->durable);
		free(disk->inodes[i]);
	}
}

/* ---- A line of the record: `name(arguments) = result` ---- */

/* The string in quotes that begins at or behind `*at`, in \xNN alone (strace -xx); *at goes behind it. */
static inline struct bytes line_string(const char **at)
{
	const char *start = strchr(*at, '"'), *end = start ? strchr(start + 1, '"') : NULL;
	struct bytes bytes = { 0 };

	if (!end || strncmp(end, "\"...", 4) == 0)
		powerloss_die("a string that is not there or cut short");
	bytes.at = powerloss_room(NULL, (size_t)(end - start) / 4 + 1);
	for (const char *byte = start + 1; byte + 4 <= end; byte += 4)
		bytes.at[bytes.size++] = (uint8_t)strtoul((char[]){ byte[2], byte[3], '\0' }, NULL, 16);
	bytes.at[bytes.size] = '\0';
	*at = end + 1;
	return bytes;
}

/* The last part of the path that comes next. */
static inline void line_name(const char **at, char name[NAME_SIZE])
{
	struct bytes path = line_string(at);
	const char *slash = strrchr((const char *)path.at, '/');

	snprintf(name, NAME_SIZE, "%s", slash ? slash + 1 : (const char *)path.at);
	bytes_release(&path);
}

static inline int64_t line_result(const char *line)
{
	const char *last = NULL;

	for (const char *at = line; (at = strstr(at, ") = ")); at++)
		last = at;
	if (!last)
		for (const char *at = line; (at = strstr(at, " = ")); at++)
			last = at - 1;
	return last ? strtoll(last + 4, NULL, 0) : -1;
}

static inline bool line_is(const char *line, const char *call)
{
	const size_t size = strlen(call);

	return strncmp(line, call, size) == 0 && line[size] == '(';
}

static inline bool play_open(struct disk *disk, const char *line, int64_t fd)
{
	const char *at = line;
	char name[NAME_SIZE];

	if (fd < 0 || fd >= MAX_FDS)
		return false;
	disk->fds[fd] = NULL;
	disk->folders[fd] = strstr(line, "O_DIRECTORY") && !strstr(line, "O_TMPFILE");
	if (strstr(line, "O_TMPFILE")) {
		disk->fds[fd] = disk_new(disk);
	} else if (strstr(line, "O_CREAT") && strstr(line, "O_EXCL")) {
		line_name(&at, name);
		disk->fds[fd] = disk_new(disk);
		disk_change(disk, name, disk->fds[fd]);
		return true;
	}
	return false;
}

static inline bool play_file(struct inode *inode, const char *line, int64_t result)
{
	const char *at = line;
	struct bytes bytes = { 0 };

	if (line_is(line, "pwrite64")) {
		bytes = line_string(&at);
		bytes.size = (size_t)result;
		at = strchr(at + 1, ',');
		disk_write(inode, &bytes, strtoull(strchr(at + 1, ',') ? strchr(at + 1, ',') + 1 : at + 1, NULL, 0),
		           false);
	} else if (line_is(line, "write")) {
		bytes = line_string(&at);
		bytes.size = (size_t)result;
		disk_write(inode, &bytes, inode->position, false);
		inode->position += (uint64_t)result;
	} else if (line_is(line, "ftruncate")) {
		disk_write(inode, &bytes, strtoull(strchr(line, ',') + 1, NULL, 0), true);
	} else if (line_is(line, "fsync") || line_is(line, "fdatasync")) {
		disk_sync(inode);
	} else if (line_is(line, "lseek")) {
		inode->position = (uint64_t)result;
		return false;
	} else if (line_is(line, "copy_file_range") || line_is(line, "fallocate") || line_is(line, "writev") ||
	           line_is(line, "pwritev") || line_is(line, "sendfile")) {
		errno = ENOSYS;
		powerloss_die(line);
	} else {
		return false;
	}
	return true;
}

static inline bool play_names(struct disk *disk, const char *line)
{
	const char *at = line;
	char from[NAME_SIZE], to[NAME_SIZE];

	if (line_is(line, "linkat")) {
		line_name(&at, from);
		line_name(&at, to);
		disk_change(disk, to, disk->fds[strtoul(from, NULL, 10) % MAX_FDS]);
	} else if (line_is(line, "rename") || line_is(line, "renameat") || line_is(line, "renameat2")) {
		line_name(&at, from);
		line_name(&at, to);
		disk_change(disk, to, disk_find(disk, from, disk->change_count));
		disk_change(disk, from, NULL);
	} else if (line_is(line, "unlink") || line_is(line, "unlinkat")) {
		line_name(&at, from);
		disk_change(disk, from, NULL);
	} else {
		return false;
	}
	return true;
}

/* True when it changed what is, or may be, on the disk. */
static inline bool disk_play(struct disk *disk, const char *line)
{
	const int64_t result = line_result(line);
	const char *first = strchr(line, '(');
	bool changed;

	if (result < 0 || !first)
		return false;
	const unsigned long fd = strtoul(first + 1, NULL, 10) % MAX_FDS;
	const bool has_fd = first[1] >= '0' && first[1] <= '9';

	if (line_is(line, "openat") || line_is(line, "open"))
		changed = play_open(disk, line, result);
	else if (line_is(line, "fsync") && disk->folders[fd])
		changed = (disk->synced = disk->change_count, true);
	else if (has_fd && disk->fds[fd])
		changed = play_file(disk->fds[fd], line, result);
	else
		changed = play_names(disk, line);
	if (line_is(line, "close")) {
		disk->fds[fd] = NULL;
		disk->folders[fd] = false;
	}
	disk->played += changed;
	return changed;
}

#endif
