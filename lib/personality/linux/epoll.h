/* Epoll instances: epoll(7). */
#ifndef NUB_LINUX_EPOLL_H
#define NUB_LINUX_EPOLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "personality/linux/file.h"

/* One descriptor that is watched. */
struct nub_linux_epoll_item {
	struct nub_linux_file *file; /* weak: it leaves all sets when its last descriptor is closed */
	int32_t fd;
	uint32_t events; /* EPOLL* */
	uint64_t data;
	struct nub_linux_edges seen; /* EPOLLET: what was reported */
	bool fresh;                  /* added or changed since it was looked at */
	bool disabled;               /* EPOLLONESHOT: reported */
	bool exclusive;              /* EPOLLEXCLUSIVE was said: then it stays as it is */
};

struct nub_linux_epoll {
	struct nub_linux_epoll_item *items; /* owned */
	size_t count, capacity;
	size_t next; /* where the next look begins, so that all have their turn */
};

extern const struct nub_linux_file_ops nub_linux_epoll_ops;

/* A new instance: one ref, or NULL. */
struct nub_linux_file *nub_linux_epoll_open(struct nub_linux_files *files);

/* Have `watcher`, an instance, watch one more. 0, -EINVAL (itself, or too many instances in instances), -ELOOP (a ring of
 * instances, or a chain of more than five), -ENOSPC (NUB_LINUX_WATCHES_MAX), or -ENOMEM. */
int nub_linux_epoll_watch(struct nub_linux_files *files, struct nub_linux_file *watcher,
                          const struct nub_linux_epoll_item *item);

/* The last descriptor of this description is gone: no instance watches it any more. */
void nub_linux_epoll_forget(struct nub_linux_files *files, const struct nub_linux_file *file);

#endif
