/* Epoll instances: what they watch, and what of it is ready. */
#include "personality/linux/epoll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "personality/linux/epoll_look.h"
#include "personality/linux/files.h"
#include "personality/linux/linux.h"

enum {
	NESTED_MAX = 4,    /* instances in instances, as in Linux */
	NESTINGS_MAX = 16, /* so many in all: else looking at one could take for ever */
};

/* What of an item is to be reported; 0: nothing. Does not change the item. */
static uint32_t look_at(struct nub_linux *linux, const struct nub_linux_epoll_item *item, struct nub_linux_wait *wait)
{
	if (item->disabled)
		return 0;
	const short events = nub_linux_file_poll(linux, item->file, wait);
	const uint32_t ready = (uint32_t)(unsigned short)events & (item->events | EPOLLERR | EPOLLHUP);
	const struct nub_linux_edges *edges = &item->file->edges;
	const uint32_t in = EPOLLIN | EPOLLRDNORM | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
	const uint32_t out = EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR;

	if (!(item->events & EPOLLET) || item->fresh)
		return ready;
	return (ready & in && edges->in != item->seen.in) || (ready & out && edges->out != item->seen.out) ? ready : 0;
}

size_t nub_linux_epoll_look(struct nub_linux *linux, struct nub_linux_epoll *epoll, struct epoll_event *events,
                            size_t most)
{
	const size_t count = epoll->count, first = count ? epoll->next % count : 0;
	size_t found = 0;

	for (size_t i = 0; i < count && found < most; i++) {
		const size_t at = (first + i) % count;
		struct nub_linux_epoll_item *item = &epoll->items[at];
		const uint32_t ready = look_at(linux, item, NULL);

		if (!ready)
			continue;
		events[found].events = ready;
		events[found++].data.u64 = item->data;
		item->fresh = false;
		item->seen = item->file->edges;
		item->disabled = item->events & EPOLLONESHOT;
		epoll->next = at + 1;
	}
	return found;
}

void nub_linux_epoll_await(struct nub_linux *linux, const struct nub_linux_epoll *epoll, struct nub_linux_wait *wait)
{
	nub_linux_wait_object(wait, epoll); /* another thread may add to it meanwhile */
	for (size_t i = 0; i < epoll->count; i++) {
		if (!epoll->items[i].disabled)
			nub_linux_file_poll(linux, epoll->items[i].file, wait);
	}
}

static short poll_epoll(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait)
{
	const struct nub_linux_epoll *epoll = file->object;
	short events = 0;

	if (wait)
		nub_linux_epoll_await(linux, epoll, wait);
	file->edges = (struct nub_linux_edges){ 0 };
	for (size_t i = 0; i < epoll->count; i++) {
		if (look_at(linux, &epoll->items[i], NULL))
			events = POLLIN | POLLRDNORM;
		file->edges.in += epoll->items[i].file->edges.in + epoll->items[i].file->edges.out;
	}
	return events;
}

static void release_epoll(struct nub_linux *linux, struct nub_linux_file *file)
{
	struct nub_linux_epoll *epoll = file->object;

	linux->files->watches -= epoll->count;
	free(epoll->items);
	free(epoll);
}

const struct nub_linux_file_ops nub_linux_epoll_ops = {
	.name = "anon_inode:[eventpoll]",
	.poll = poll_epoll,
	.seek = nub_linux_seek_nowhere,
	.release = release_epoll,
	.pollable = true,
};

struct nub_linux_file *nub_linux_epoll_open(struct nub_linux_files *files)
{
	struct nub_linux_epoll *epoll = calloc(1, sizeof(*epoll));
	struct nub_linux_file *file = epoll ? nub_linux_file_new(files, &nub_linux_epoll_ops, O_RDWR) : NULL;

	if (!file) {
		free(epoll);
		return NULL;
	}
	file->object = epoll;
	return file;
}

static int add(struct nub_linux_epoll *epoll, const struct nub_linux_epoll_item *item)
{
	if (epoll->count == epoll->capacity) {
		const size_t capacity = epoll->capacity ? 2 * epoll->capacity : 8;
		void *grown = reallocarray(epoll->items, capacity, sizeof(*epoll->items));

		if (!grown)
			return -ENOMEM;
		epoll->items = grown;
		epoll->capacity = capacity;
	}
	epoll->items[epoll->count++] = *item;
	return 0;
}

void nub_linux_epoll_forget(struct nub_linux_files *files, const struct nub_linux_file *file)
{
	if (!file->watched)
		return;
	for (struct nub_linux_file *other = files->all; other; other = other->next) {
		struct nub_linux_epoll *epoll = other->object;
		size_t kept = 0;

		if (other->ops != &nub_linux_epoll_ops)
			continue;
		for (size_t i = 0; i < epoll->count; i++) {
			if (epoll->items[i].file != file)
				epoll->items[kept++] = epoll->items[i];
		}
		files->watches -= epoll->count - kept;
		epoll->count = kept;
	}
}

/* How deep instances are nested from this one down; more than NESTED_MAX is as bad as a ring. */
static unsigned depth(const struct nub_linux_file *file, const struct nub_linux_file *never, unsigned above)
{
	const struct nub_linux_epoll *epoll = file->object;
	unsigned deepest = above;

	if (file == never || above > NESTED_MAX)
		return NESTED_MAX + 1;
	for (size_t i = 0; i < epoll->count; i++) {
		if (epoll->items[i].file->ops != &nub_linux_epoll_ops)
			continue;
		const unsigned below = depth(epoll->items[i].file, never, above + 1);

		deepest = below > deepest ? below : deepest;
	}
	return deepest;
}

/* How many instances `file` hangs below. */
static unsigned height(const struct nub_linux_files *files, const struct nub_linux_file *file, unsigned below)
{
	unsigned highest = below;

	if (below > NESTED_MAX || !file->watched)
		return below;
	for (const struct nub_linux_file *other = files->all; other; other = other->next) {
		const struct nub_linux_epoll *epoll = other->object;

		if (other->ops != &nub_linux_epoll_ops)
			continue;
		for (size_t i = 0; i < epoll->count; i++) {
			if (epoll->items[i].file == file) {
				const unsigned above = height(files, other, below + 1);

				highest = above > highest ? above : highest;
				break;
			}
		}
	}
	return highest;
}

static unsigned count_nestings(const struct nub_linux_files *files)
{
	unsigned count = 0;

	for (const struct nub_linux_file *file = files->all; file; file = file->next) {
		const struct nub_linux_epoll *epoll = file->object;

		for (size_t i = 0; file->ops == &nub_linux_epoll_ops && i < epoll->count; i++)
			count += epoll->items[i].file->ops == &nub_linux_epoll_ops;
	}
	return count;
}

static int check_nesting(const struct nub_linux_files *files, const struct nub_linux_file *watcher,
                         const struct nub_linux_file *inner)
{
	if (count_nestings(files) >= NESTINGS_MAX)
		return -EINVAL;
	return depth(inner, watcher, 1) + height(files, watcher, 0) > NESTED_MAX ? -ELOOP : 0;
}

int nub_linux_epoll_watch(struct nub_linux_files *files, struct nub_linux_file *watcher,
                          const struct nub_linux_epoll_item *item)
{
	if (item->file == watcher)
		return -EINVAL;
	if (files->watches >= NUB_LINUX_WATCHES_MAX)
		return -ENOSPC;
	int error = item->file->ops == &nub_linux_epoll_ops ? check_nesting(files, watcher, item->file) : 0;

	if (error == 0)
		error = add(watcher->object, item);
	files->watches += error == 0;
	item->file->watched = item->file->watched || error == 0;
	return error;
}
