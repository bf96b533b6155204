/* Walking a path of the guest, name by name; below a host directory, many names in one step where no link is among them. */
#include "personality/linux/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "personality/linux/files.h"
#include "personality/linux/path_place.h"

enum { LINKS_MAX = 40, TEXT_SIZE = 2 * PATH_MAX };

struct walk {
	struct nub_linux_files *files;
	struct nub_linux_place *place;
	unsigned flags, links;
	size_t base;      /* length of the path that BENEATH and IN_ROOT don't leave */
	const char *rest; /* what is still to be walked, in texts[text]; a link makes the other one of it */
	unsigned text;
	char texts[2][TEXT_SIZE];
};

static int go_to_root(struct walk *walk)
{
	if (walk->flags & NUB_LINUX_WALK_BENEATH)
		return -EXDEV;
	walk->place->length = walk->flags & NUB_LINUX_WALK_IN_ROOT ? walk->base : 0;
	walk->place->path[walk->place->length] = '\0';
	return nub_linux_place_be_directory(walk->files, walk->place);
}

static int go_to_file(struct walk *walk, const struct nub_linux_file *file)
{
	struct nub_linux_place *place = walk->place;

	place->length = strlen(file->path);
	memcpy(place->path, file->path, place->length + 1);
	if (file->inode) {
		nub_linux_place_be_inode(place, file->mount, nub_linux_inode_ref(file->inode));
		return 0;
	}
	if (!file->removed)
		return nub_linux_place_be_directory(walk->files, place);
	return nub_linux_place_be_removed(place, file);
}

static int start(struct walk *walk, const struct nub_linux_file *base)
{
	if (!base)
		base = walk->files->cwd;
	if (walk->flags & (NUB_LINUX_WALK_BENEATH | NUB_LINUX_WALK_IN_ROOT)) {
		walk->base = strlen(base->path);
		memcpy(walk->place->path, base->path, walk->base);
	}
	return *walk->rest == '/' ? go_to_root(walk) : go_to_file(walk, base);
}

static int go_up(struct walk *walk)
{
	struct nub_linux_place *place = walk->place;
	const struct nub_linux_mount *before = place->mount;
	const bool scoped = walk->flags & (NUB_LINUX_WALK_BENEATH | NUB_LINUX_WALK_IN_ROOT);

	if (!S_ISDIR(place->mode))
		return -ENOTDIR;
	if (place->length == (scoped ? walk->base : 0))
		return walk->flags & NUB_LINUX_WALK_BENEATH ? -EXDEV : 0;
	nub_linux_place_cut(place);
	const int error = nub_linux_place_be_directory(walk->files, place);

	return error == 0 && walk->flags & NUB_LINUX_WALK_NO_XDEV && place->mount != before ? -EXDEV : error;
}

/* The walk goes on with `target` before what is left. */
static int put_before(struct walk *walk, const char *target, size_t length)
{
	char *text = walk->texts[walk->text ^ 1];
	const size_t rest = strlen(walk->rest);

	if (length == 0)
		return -ENOENT;
	if (length + 1 + rest >= TEXT_SIZE)
		return -ENAMETOOLONG;
	memcpy(text, target, length);
	memcpy(text + length, walk->rest, rest + 1);
	walk->text ^= 1;
	walk->rest = text;
	return 0;
}

/* A link that leads to an open file of the guest itself. */
static int follow_magic(struct walk *walk, struct nub_linux_file *file, bool last)
{
	if (walk->flags & (NUB_LINUX_WALK_BENEATH | NUB_LINUX_WALK_IN_ROOT))
		return -EXDEV;
	if (walk->flags & NUB_LINUX_WALK_NO_MAGICLINKS)
		return -ELOOP;
	if (file->path && file->mount && (!file->removed || file->inode)) {
		const int error = go_to_file(walk, file);

		return error < 0 || file->inode ? error : nub_linux_place_look(walk->files, walk->place);
	}
	if (!last)
		return -ENOTDIR;
	nub_linux_place_be_file(walk->place, file);
	return 0;
}

static int follow(struct walk *walk, bool last)
{
	struct nub_linux_place *place = walk->place;
	struct nub_linux_file *file = nub_linux_place_magic(walk->files, place);
	char target[PATH_MAX];
	int error;

	if (walk->flags & NUB_LINUX_WALK_NO_SYMLINKS || ++walk->links > LINKS_MAX)
		return -ELOOP;
	if (file)
		return follow_magic(walk, file, last);
	const int length = nub_linux_place_readlink(walk->files, place, target, sizeof(target));

	if (length < 0)
		return length;
	error = put_before(walk, target, (size_t)length);
	if (error < 0)
		return error;
	if (target[0] == '/')
		return go_to_root(walk);
	nub_linux_place_cut(place);
	return nub_linux_place_be_directory(walk->files, place);
}

static const char *after_slashes(const char *text)
{
	while (*text == '/')
		text++;
	return text;
}

static bool is_dots(const char *name, size_t length)
{
	return name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'));
}

/* Add to the path the names after the first that the host may be asked for together with it: up to a dot name, a mount, or
 * the last name where that is asked for apart. Gives the rest. */
static const char *add_names(const struct walk *walk)
{
	struct nub_linux_place *place = walk->place;
	const char *rest = walk->rest;

	for (;;) {
		const char *name = after_slashes(rest);
		const size_t length = strcspn(name, "/");
		const size_t before = place->length;

		if (length == 0 || is_dots(name, length))
			return rest;
		if (walk->flags & (NUB_LINUX_WALK_PARENT | NUB_LINUX_WALK_MISSING) &&
		    *after_slashes(name + length) == '\0')
			return rest;
		if (nub_linux_place_append(place, name, length) < 0)
			return rest;
		if (nub_linux_mount_at(walk->files, place->path, place->length)) {
			place->length = before;
			place->path[before] = '\0';
			return rest;
		}
		rest = name + length;
	}
}

/* The path has one name more, which is to be found on the host. */
static int host_names(struct walk *walk)
{
	struct nub_linux_place *place = walk->place;
	const size_t single = place->length;
	const char *rest = add_names(walk);

	if (place->length > single) {
		const int error = nub_linux_place_be_host(place, place->mount);

		if (error == 0) {
			walk->rest = rest;
			return 0;
		}
		/* Nothing is there, nor was a link on the way; and the skeleton has no name to offer. */
		if (error == -ENOENT && !nub_linux_skeleton_has(walk->files, place->path, single))
			return error;
		place->length = single;
		place->path[single] = '\0';
	}
	return nub_linux_place_look(walk->files, place);
}

static int find_name(struct walk *walk, const char *name, size_t length)
{
	struct nub_linux_place *place = walk->place;
	int error = place->removed ? -ENOENT : nub_linux_place_searchable(walk->files, place);

	if (error == 0)
		error = nub_linux_place_append(place, name, length);
	if (error < 0)
		return error;
	struct nub_linux_mount *mount = nub_linux_mount_at(walk->files, place->path, place->length);

	if (mount)
		return walk->flags & NUB_LINUX_WALK_NO_XDEV ? -EXDEV : nub_linux_place_look(walk->files, place);
	if (place->mount->kind != NUB_LINUX_MOUNT_MEMORY)
		return host_names(walk);
	return nub_linux_place_be_entry(walk->files, place, name, length);
}

/* The last name was not found: the place is the directory that it would be in. */
static int be_missing(struct walk *walk, const char *name, size_t length)
{
	struct nub_linux_place *place = walk->place;

	nub_linux_place_cut(place);
	memcpy(place->last, name, length);
	place->last[length] = '\0';
	place->last_kind = NUB_LINUX_LAST_NAME;
	place->missing = true;
	return place->inode ? 0 : nub_linux_place_be_directory(walk->files, place);
}

static int step(struct walk *walk, const char *name, size_t length, bool last)
{
	struct nub_linux_place *place = walk->place;

	if (is_dots(name, length))
		return length == 2 ? go_up(walk) : (S_ISDIR(place->mode) ? 0 : -ENOTDIR);
	int error = find_name(walk, name, length);

	if (error == -ENOENT && last && walk->flags & NUB_LINUX_WALK_MISSING && !place->removed)
		return be_missing(walk, name, length);
	if (error < 0)
		return error;
	last = *after_slashes(walk->rest) == '\0'; /* other names may have been found with it */
	place->slash = last && *walk->rest == '/';
	if (S_ISLNK(place->mode) && (!last || place->slash || walk->flags & NUB_LINUX_WALK_FOLLOW))
		error = follow(walk, last);
	return error;
}

static int stop_before(struct walk *walk, const char *name, size_t length)
{
	struct nub_linux_place *place = walk->place;
	const int error = place->removed ? -ENOENT : nub_linux_place_searchable(walk->files, place);

	if (error < 0)
		return error;
	if (length > NUB_LINUX_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(place->last, name, length);
	place->last[length] = '\0';
	place->last_kind = NUB_LINUX_LAST_NAME;
	if (is_dots(name, length))
		place->last_kind = length == 1 ? NUB_LINUX_LAST_DOT : NUB_LINUX_LAST_DOTDOT;
	return 0;
}

static int walk_all(struct walk *walk)
{
	struct nub_linux_place *place = walk->place;
	int error = 0;

	place->last_kind = NUB_LINUX_LAST_ROOT;
	while (error == 0 && !place->file && !place->missing) {
		const char *name = after_slashes(walk->rest);
		const size_t length = strcspn(name, "/");
		const bool last = *after_slashes(name + length) == '\0';

		if (length == 0)
			break;
		walk->rest = name + length;
		place->slash = last && name[length] == '/';
		if (last && walk->flags & NUB_LINUX_WALK_PARENT) {
			error = stop_before(walk, name, length);
			break;
		}
		error = step(walk, name, length, last);
	}
	if (error == 0 && !place->file)
		error = nub_linux_place_complete(walk->files, place);
	if (error == 0 && place->slash && !place->missing && !(walk->flags & NUB_LINUX_WALK_PARENT) &&
	    (place->file || !S_ISDIR(place->mode)))
		error = -ENOTDIR;
	return error;
}

int nub_linux_walk(struct nub_linux_files *files, const struct nub_linux_file *base, const char *path, unsigned flags,
                   struct nub_linux_place *place)
{
	struct walk walk = { .files = files, .place = place, .flags = flags };
	const size_t length = strlen(path);

	memset(place, 0, offsetof(struct nub_linux_place, path));
	place->fd = -1;
	place->path[0] = '\0';
	if (length == 0)
		return -ENOENT;
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(walk.texts[0], path, length + 1);
	walk.rest = walk.texts[0];
	int error = start(&walk, base);

	if (error == 0)
		error = walk_all(&walk);
	if (error < 0)
		nub_linux_place_release(place);
	return error;
}
