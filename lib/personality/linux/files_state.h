/* A program's files as bytes, for snapshots, and back: what the parts of it have between them.
 *
 *     mounts      what was granted must be granted again
 *     volumes     tmpfs and memfds: every inode, its content, then the names
 *     objects     pipes, sockets
 *     files       every open description, by its kind; host files by path, size and time of change
 *     descriptors, working directory, umask
 *
 * Things are called by their numbers in these lists, from 1; 0 is none. What is read is hostile: errors are SNAPSHOT_FIELD, but for
 * what is not granted any more (SNAPSHOT_GRANT), and files that are gone or have changed (SNAPSHOT_FILE).
 */
#ifndef NUB_LINUX_FILES_STATE_H
#define NUB_LINUX_FILES_STATE_H

#include "personality/linux/codec.h"
#include "personality/linux/files.h"
#include "personality/linux/pipe.h"
#include "personality/linux/socket.h"

struct nub_linux_files_state {
	struct nub_linux_codec codec;
	struct nub_linux *linux;
	struct nub_linux_files *files;
	struct nub_linux_inode **inodes; /* owned list; by number less 1; one ref each when loading */
	size_t inode_count, inode_capacity;
	struct nub_linux_pipe **pipes; /* likewise */
	size_t pipe_count;
};

/* Room for one more in a list of pointers, which begins with `least`. False: no memory, and the state has failed. */
bool nub_linux_state_room(struct nub_linux_files_state *state, void *list, size_t count, size_t *capacity);

/* The size of a list: at most what the rest can hold of records of `least` bytes. */
size_t nub_linux_state_count(struct nub_linux_files_state *state, size_t count, size_t least, const char *what);

/* files_state_tree.c */
void nub_linux_state_trees(struct nub_linux_files_state *state);
bool nub_linux_state_keeps(const struct nub_linux_files *files, const struct nub_linux_inode *inode);

/* files_state_file.c: one description. Loading adds it to the program's. */
void nub_linux_state_file_save(struct nub_linux_files_state *state, struct nub_linux_file *file);
void nub_linux_state_file_load(struct nub_linux_files_state *state);

/* files_state_reopen.c: what is found by its path again, pipes, and the ends of socket pairs. NULL: the state has failed. */
struct nub_linux_file *nub_linux_state_reopen(struct nub_linux_files_state *state, const char *path, uint32_t flags);
void nub_linux_state_pipe_save(struct nub_linux_files_state *state, struct nub_linux_pipe *pipe);
struct nub_linux_pipe *nub_linux_state_pipe_load(struct nub_linux_files_state *state);
void nub_linux_state_socket_save(struct nub_linux_files_state *state, struct nub_linux_socket *socket);
struct nub_linux_file *nub_linux_state_socket_load(struct nub_linux_files_state *state, uint32_t flags);

/* The description of this number; NULL: none. */
struct nub_linux_file *nub_linux_state_file(const struct nub_linux_files *files, uint64_t number);

#endif
