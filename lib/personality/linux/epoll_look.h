/* Epoll instances as epoll_wait(2) and epoll_ctl(2) need them. */
#ifndef NUB_LINUX_EPOLL_LOOK_H
#define NUB_LINUX_EPOLL_LOOK_H

#include <sys/epoll.h>

#include "personality/linux/epoll.h"

/* Take up to `most` events that are to be reported now: how many. */
size_t nub_linux_epoll_look(struct nub_linux *linux, struct nub_linux_epoll *epoll, struct epoll_event *events,
                            size_t most);

/* Add all that may give it an event to what is waited for. */
void nub_linux_epoll_await(struct nub_linux *linux, const struct nub_linux_epoll *epoll, struct nub_linux_wait *wait);

#endif
