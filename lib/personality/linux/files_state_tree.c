/* Inodes in memory as bytes: all that tmpfs and memfds hold, and the names in them. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "personality/linux/files_state.h"

bool nub_linux_state_keeps(const struct nub_linux_files *files, const struct nub_linux_inode *inode)
{
	if (inode->volume == &files->anonymous)
		return true;
	for (size_t i = 0; i < files->mount_count; i++) {
		if (&files->mounts[i]->volume == inode->volume)
			return files->mounts[i]->writable;
	}
	return false;
}

/* The volume of this number: 0 is memfds', then the tmpfs in the order of the mount table. */
static struct nub_linux_mount *volume_mount(const struct nub_linux_files *files, uint32_t number)
{
	for (size_t i = 0; i < files->mount_count; i++) {
		struct nub_linux_mount *mount = files->mounts[i];

		if (mount->kind == NUB_LINUX_MOUNT_MEMORY && mount->writable && --number == 0)
			return mount;
	}
	return NULL;
}

static uint32_t volume_number(const struct nub_linux_files *files, const struct nub_linux_volume *volume)
{
	struct nub_linux_mount *mount;

	for (uint32_t number = 1; (mount = volume_mount(files, number)); number++) {
		if (&mount->volume == volume)
			return number;
	}
	return 0;
}

static void keep(struct nub_linux_files_state *state, struct nub_linux_inode *inode)
{
	if (inode->mark || !nub_linux_state_room(state, &state->inodes, state->inode_count, &state->inode_capacity))
		return;
	state->inodes[state->inode_count++] = inode;
	inode->mark = (uint32_t)state->inode_count;
}

/* Roots first, then what is below them, level by level: so a directory's number is below its entries'. */
static void collect(struct nub_linux_files_state *state)
{
	struct nub_linux_mount *mount;

	for (uint32_t number = 1; (mount = volume_mount(state->files, number)); number++)
		keep(state, mount->root);
	for (struct nub_linux_file *file = state->files->all; file; file = file->next) {
		if (file->inode && file->inode->links == 0 && nub_linux_state_keeps(state->files, file->inode))
			keep(state, file->inode);
	}
	for (size_t i = 0; i < state->inode_count; i++) {
		const struct nub_linux_inode *inode = state->inodes[i];

		for (size_t j = 0; j < inode->slot_count; j++)
			keep(state, inode->slots[j].inode);
	}
	for (struct nub_linux_file *file = state->files->all; file; file = file->next) {
		if (file->inode && nub_linux_state_keeps(state->files, file->inode))
			keep(state, file->inode);
	}
}

static void code_time(struct nub_linux_codec *codec, struct timespec *time)
{
	uint64_t seconds = (uint64_t)time->tv_sec;
	uint32_t nanoseconds = (uint32_t)time->tv_nsec;

	nub_linux_code_u64(codec, &seconds, "a time of a file in memory");
	nub_linux_code_u32(codec, &nanoseconds, "a time of a file in memory");
	if (nanoseconds >= 1000000000)
		nub_linux_code_fail(
		    codec, "a time of a file in memory has %" PRIu32 " ns, it must be less than a second", nanoseconds);
	*time = (struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds };
}

static void save_pages(struct nub_linux_files_state *state, const struct nub_linux_inode *inode)
{
	const struct nub_linux_store *store = inode->volume->store;

	nub_writer_uint(state->codec.writer, sizeof(uint64_t), inode->page_count);
	for (size_t i = 0; i < inode->page_count; i++) {
		nub_writer_uint(state->codec.writer, sizeof(uint64_t), inode->pages[i].index);
		nub_writer_bytes(state->codec.writer, store->bytes(store->context, inode->pages[i].handle),
		                 NUB_PAGE_SIZE);
	}
}

static void load_pages(struct nub_linux_files_state *state, struct nub_linux_inode *inode)
{
	const struct nub_linux_store *store = inode->volume->store;
	const uint64_t count = nub_cursor_u64(state->codec.cursor, "the pages of a file in memory");

	for (uint64_t i = 0; i < count && !state->codec.cursor->failed; i++) {
		const uint64_t index = nub_cursor_u64(state->codec.cursor, "a page of a file in memory");
		const uint8_t *bytes =
		    nub_cursor_take(state->codec.cursor, "a page of a file in memory", NUB_PAGE_SIZE);

		if (!bytes)
			return;
		if (index > NUB_LINUX_FILE_MAX / NUB_PAGE_SIZE) {
			nub_linux_code_fail(&state->codec,
			                    "a page of a file in memory has number %" PRIu64 ", the last is %" PRIu64,
			                    index, (uint64_t)(NUB_LINUX_FILE_MAX / NUB_PAGE_SIZE));
			return;
		}
		const uint64_t handle = nub_linux_inode_page(inode, index, true);

		if (handle == NUB_LINUX_NO_PAGE)
			nub_linux_code_fail(
			    &state->codec, "the files in memory do not fit into %" PRIu64 " pages; give a larger tmpfs",
			    inode->volume->page_limit);
		else
			memcpy(store->bytes(store->context, handle), bytes, NUB_PAGE_SIZE);
	}
}

static void code_attributes(struct nub_linux_codec *codec, struct nub_linux_inode *inode)
{
	nub_linux_code_u64(codec, &inode->number, "the number of a file in memory");
	nub_linux_code_u32(codec, &inode->uid, "the owner of a file in memory");
	nub_linux_code_u32(codec, &inode->gid, "the group of a file in memory");
	nub_linux_code_u32(codec, &inode->seals, "the seals of a file in memory");
	nub_linux_code_u64(codec, &inode->size, "the size of a file in memory");
	code_time(codec, &inode->btime);
	if (inode->size > NUB_LINUX_FILE_MAX)
		nub_linux_code_fail(codec, "a file in memory has %" PRIu64 " bytes, the limit is %" PRIu64, inode->size,
		                    (uint64_t)NUB_LINUX_FILE_MAX);
}

static void save_inode(struct nub_linux_files_state *state, struct nub_linux_inode *inode)
{
	uint32_t volume = volume_number(state->files, inode->volume);

	nub_linux_code_u32(&state->codec, &volume, "");
	nub_linux_code_u32(&state->codec, &inode->mode, "");
	code_attributes(&state->codec, inode);
	if (S_ISLNK(inode->mode))
		nub_linux_code_text(&state->codec, &inode->target, PATH_MAX - 1, false, "");
	else if (S_ISREG(inode->mode))
		save_pages(state, inode);
}

/* A new inode, or a volume's root, which is there already. */
static struct nub_linux_inode *make_inode(struct nub_linux_files_state *state, uint32_t volume, uint32_t mode)
{
	const uint32_t type = mode & S_IFMT;
	struct nub_linux_mount *mount = volume_mount(state->files, volume);
	struct nub_linux_inode *inode;

	if (volume != 0 && !mount) {
		nub_linux_code_fail(&state->codec, "a file in memory is of tmpfs %" PRIu32 ", which there is none of",
		                    volume);
		return NULL;
	}
	if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK) {
		nub_linux_code_fail(&state->codec, "a file in memory has mode 0%" PRIo32 ", which is of no known type",
		                    mode);
		return NULL;
	}
	if (mount && volume == state->inode_count + 1 && type == S_IFDIR) {
		mount->root->mode = mode;
		return nub_linux_inode_ref(mount->root);
	}
	const int error = nub_linux_inode_new(mount ? &mount->volume : &state->files->anonymous, mode, &inode);

	if (error == 0)
		return inode;
	nub_linux_code_fail(&state->codec, "there are too many files in memory: %s", strerrordesc_np(-error));
	return NULL;
}

static void load_inode(struct nub_linux_files_state *state)
{
	uint32_t volume = 0, mode = 0;

	nub_linux_code_u32(&state->codec, &volume, "the volume of a file in memory");
	nub_linux_code_u32(&state->codec, &mode, "the mode of a file in memory");
	if (nub_linux_code_failed(&state->codec) ||
	    !nub_linux_state_room(state, &state->inodes, state->inode_count, &state->inode_capacity))
		return;
	struct nub_linux_inode *inode = make_inode(state, volume, mode & (S_IFMT | 07777));

	if (!inode)
		return;
	state->inodes[state->inode_count++] = inode;
	code_attributes(&state->codec, inode);
	if (inode->number >= inode->volume->next_number && inode->number < UINT64_MAX)
		inode->volume->next_number = inode->number + 1;
	if (S_ISLNK(mode)) {
		char *target = NULL;

		nub_linux_code_text(&state->codec, &target, PATH_MAX - 1, false, "a link in memory");
		if (!target || nub_linux_inode_set_target(inode, target) < 0)
			nub_linux_code_fail(&state->codec, "the links in memory do not fit; give a larger tmpfs");
	} else if (S_ISREG(mode)) {
		load_pages(state, inode);
	}
}

static void save_names(struct nub_linux_files_state *state, const struct nub_linux_inode *inode)
{
	nub_writer_uint(state->codec.writer, sizeof(uint64_t), inode->slot_count);
	for (size_t i = 0; i < inode->slot_count; i++) {
		nub_linux_code_text(&state->codec, &inode->slots[i].name, NUB_LINUX_NAME_MAX, false, "");
		nub_linux_code_u32(&state->codec, &inode->slots[i].inode->mark, "");
	}
}

static bool is_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* A name can't lead up: a directory's entries come after it, and a directory has one name. */
static bool may_link(struct nub_linux_files_state *state, const struct nub_linux_inode *directory, size_t number,
                     const char *name, uint32_t child)
{
	if (child == 0 || child > state->inode_count)
		return nub_linux_code_fail(&state->codec, "a name is of file %" PRIu32 " in memory, the last is %zu",
		                           child, state->inode_count) == 0;
	const struct nub_linux_inode *inode = state->inodes[child - 1];

	if (!is_name(name))
		return nub_linux_code_fail(&state->codec, "a file in memory has a name that none can have") == 0;
	if (inode->volume != directory->volume)
		return nub_linux_code_fail(&state->codec, "%s in memory is of another tmpfs than its directory",
		                           name) == 0;
	if (S_ISDIR(inode->mode) && (child <= number || inode->parent))
		return nub_linux_code_fail(&state->codec, "the directory %s in memory has two names", name) == 0;
	return true;
}

static void load_names(struct nub_linux_files_state *state, size_t number)
{
	struct nub_linux_inode *directory = state->inodes[number - 1];
	const uint64_t count = nub_cursor_u64(state->codec.cursor, "the names in a directory in memory");

	for (uint64_t i = 0; i < count && !state->codec.cursor->failed; i++) {
		char *name = NULL;
		uint32_t child = 0;

		nub_linux_code_text(&state->codec, &name, NUB_LINUX_NAME_MAX, false, "a name in memory");
		nub_linux_code_u32(&state->codec, &child, "the file of a name in memory");
		if (name && !nub_linux_code_failed(&state->codec) && may_link(state, directory, number, name, child)) {
			const int error = nub_linux_inode_link(directory, name, state->inodes[child - 1]);

			if (error < 0)
				nub_linux_code_fail(&state->codec, "%s in memory: %s", name, strerrordesc_np(-error));
		}
		free(name);
	}
}

void nub_linux_state_trees(struct nub_linux_files_state *state)
{
	struct nub_linux_codec *codec = &state->codec;

	if (codec->writer)
		collect(state);
	const size_t count = nub_linux_state_count(state, state->inode_count, 48, "the files in memory");

	for (size_t i = 0; i < count && !nub_linux_code_failed(codec); i++) {
		if (codec->writer)
			save_inode(state, state->inodes[i]);
		else
			load_inode(state);
	}
	for (size_t i = 0; i < count && !nub_linux_code_failed(codec); i++) {
		if (!S_ISDIR(state->inodes[i]->mode))
			continue;
		if (codec->writer)
			save_names(state, state->inodes[i]);
		else
			load_names(state, i + 1);
	}
	/* Last, since making names changes them. */
	for (size_t i = 0; i < count && !nub_linux_code_failed(codec); i++) {
		code_time(codec, &state->inodes[i]->atime);
		code_time(codec, &state->inodes[i]->mtime);
		code_time(codec, &state->inodes[i]->ctime);
	}
}
