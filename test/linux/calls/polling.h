/* Rows about pipes, waiting for descriptors, events, and sockets without a network. */
#ifndef POLLING_H
#define POLLING_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "row.h"

static char bytes[PAGE];
static int pair[2];
static const struct timespec at_once = { 0, 0 }, never_valid = { 0, -1 };
static struct timeval no_time = { 0, 0 }, bad_time = { -1, 0 };
static struct pollfd polled[3] = { { 3, POLLIN, 0 }, { 4, POLLOUT, 0 }, { 99, POLLIN, 0 } };
static struct epoll_event event = { EPOLLIN, { .u64 = 7 } }, got[4];
static fd_set set;
static const struct itimerspec soon = { { 0, 0 }, { 100, 0 } }, wrong = { { 0, 0 }, { 0, 1000000000 } };
static struct itimerspec timer_left;
static int value = 1, length = sizeof(int);
static struct sockaddr_un address = { AF_UNIX, "none" };
static struct iovec part = { bytes, 8 };
static struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
static const unsigned long no_signals;

static const struct row pipes[] = {
	GIVES(pipe, pair, 8, P(pair)),
	CALL(pipe, NOWHERE),
	CALL(pipe2, P(pair), V(O_NONBLOCK | O_CLOEXEC)),
	CALL(pipe2, P(pair), V(1)),
	CALL(fcntl, V(5), V(F_GETFL)),
	CALL(read, V(5), P(bytes), V(1)),
	CALL(write, V(6), P("abc"), V(3)),
	GIVES(ioctl, &count_of, 4, V(5), V(FIONREAD), P(&count_of)),
	CALL(ioctl, V(5), V(FIONREAD), NOWHERE),
	CALL(read, V(5), NOWHERE, V(3)),
	GIVES(read, bytes, 2, V(5), P(bytes), V(2)),
	CALL(read, V(6), P(bytes), V(1)),
	CALL(write, V(5), P(bytes), V(1)),
	CALL(lseek, V(5), V(0), V(SEEK_SET)),
	CALL(pread64, V(5), P(bytes), V(1), V(0)),
	CALL(write, V(6), P(bytes), V(PAGE)),
	CALL(fcntl, V(5), V(1031)),
	CALL(fcntl, V(5), V(1032), V(8 * PAGE)),
	CALL(fcntl, V(5), V(1031)),
	CALL(close, V(6)),
	CALL(read, V(5), P(bytes), V(PAGE)),
	CALL(read, V(5), P(bytes), V(PAGE)),
	CALL(ftruncate, V(5), V(0)),
	CALL(fsync, V(5)),
	CALL(close, V(5)),
};

static const struct row polls[] = {
	CALL(pipe, P(pair)),
	GIVES(poll, polled, sizeof(polled), P(polled), V(3), V(0)),
	CALL(poll, P(polled), V(0), V(0)),
	CALL(poll, NOWHERE, V(1), V(0)),
	CALL(poll, P(polled), V(-1), V(0)),
	CALL(write, V(4), P("x"), V(1)),
	GIVES(ppoll, polled, sizeof(polled), P(polled), V(3), P(&at_once), V(0), V(8)),
	CALL(ppoll, P(polled), V(1), P(&never_valid), V(0), V(8)),
	CALL(ppoll, P(polled), V(1), P(&at_once), P(&no_signals), V(4)),
	PUT(&set, "\30"),
	GIVES(select, &set, 8, V(5), P(&set), V(0), V(0), P(&no_time)),
	CALL(select, V(-1), V(0), V(0), V(0), P(&no_time)),
	CALL(select, V(5), NOWHERE, V(0), V(0), P(&no_time)),
	CALL(select, V(0), V(0), V(0), V(0), P(&bad_time)),
	PUT(&set, "\0\2"),
	CALL(select, V(10), P(&set), V(0), V(0), P(&no_time)),
	PUT(&set, "\20\0"),
	GIVES(pselect6, &set, 8, V(5), V(0), P(&set), V(0), P(&at_once), V(0)),
	CALL(pselect6, V(5), V(0), P(&set), V(0), P(&never_valid), V(0)),
	CALL(epoll_create, V(1)),
	CALL(epoll_create, V(0)),
	CALL(epoll_create1, V(EPOLL_CLOEXEC)),
	CALL(epoll_create1, V(1)),
	CALL(epoll_ctl, V(5), V(EPOLL_CTL_ADD), V(3), P(&event)),
	CALL(epoll_ctl, V(5), V(EPOLL_CTL_ADD), V(3), P(&event)),
	CALL(epoll_ctl, V(5), V(EPOLL_CTL_MOD), V(4), P(&event)),
	CALL(epoll_ctl, V(5), V(EPOLL_CTL_ADD), V(5), P(&event)),
	CALL(epoll_ctl, V(3), V(EPOLL_CTL_ADD), V(4), P(&event)),
	CALL(epoll_ctl, V(5), V(EPOLL_CTL_ADD), V(4), NOWHERE),
	CALL(epoll_ctl, V(5), V(99), V(3), P(&event)),
	CALL(epoll_ctl, V(99), V(EPOLL_CTL_ADD), V(3), P(&event)),
	GIVES(epoll_wait, got, 12, V(5), P(got), V(4), V(0)),
	CALL(epoll_wait, V(5), P(got), V(0), V(0)),
	CALL(epoll_wait, V(5), NOWHERE, V(4), V(0)),
	CALL(epoll_wait, V(3), P(got), V(4), V(0)),
	CALL(epoll_pwait, V(5), P(got), V(4), V(0), V(0), V(8)),
	CALL(epoll_pwait2, V(5), P(got), V(4), P(&at_once), V(0), V(8)),
	CALL(epoll_pwait2, V(5), P(got), V(4), P(&never_valid), V(0), V(8)),
	CALL(epoll_ctl, V(5), V(EPOLL_CTL_DEL), V(3), V(0)),
	CALL(epoll_ctl, V(5), V(EPOLL_CTL_DEL), V(3), V(0)),
	CALL(eventfd, V(3)),
	CALL(eventfd2, V(0), V(EFD_NONBLOCK | EFD_SEMAPHORE)),
	CALL(eventfd2, V(0), V(99)),
	GIVES(read, bytes, 8, V(7), P(bytes), V(8)),
	CALL(read, V(8), P(bytes), V(8)),
	CALL(read, V(7), P(bytes), V(4)),
	CALL(write, V(8), P("\2\0\0\0\0\0\0\0"), V(8)),
	GIVES(read, bytes, 8, V(8), P(bytes), V(8)),
	CALL(write, V(8), P("\377\377\377\377\377\377\377\377"), V(8)),
	CALL(timerfd_create, V(CLOCK_MONOTONIC), V(TFD_NONBLOCK)),
	CALL(timerfd_create, V(99), V(0)),
	CALL(timerfd_create, V(CLOCK_MONOTONIC), V(1)),
	CALL(timerfd_settime, V(9), V(0), P(&soon), V(0)),
	CALL(timerfd_settime, V(9), V(0), P(&wrong), V(0)),
	CALL(timerfd_settime, V(9), V(99), P(&soon), V(0)),
	CALL(timerfd_settime, V(3), V(0), P(&soon), V(0)),
	CALL(timerfd_settime, V(9), V(0), NOWHERE, V(0)),
	CALL(read, V(9), P(bytes), V(8)),
	CALL(timerfd_gettime, V(9), P(&timer_left)),
	CALL(timerfd_gettime, V(3), P(&timer_left)),
	CALL(timerfd_gettime, V(9), NOWHERE),
};

static const struct row sockets[] = {
	GIVES(socketpair, pair, 8, V(AF_UNIX), V(SOCK_STREAM | SOCK_NONBLOCK), V(0), P(pair)),
	CALL(socketpair, V(AF_UNIX), V(99), V(0), P(pair)),
	CALL(socketpair, V(AF_UNIX), V(SOCK_STREAM), V(0), NOWHERE),
	CALL(sendto, V(3), P("hello"), V(5), V(0), V(0), V(0)),
	CALL(sendto, V(3), NOWHERE, V(5), V(0), V(0), V(0)),
	CALL(sendto, V(99), P("hello"), V(5), V(0), V(0), V(0)),
	GIVES(recvfrom, bytes, 2, V(4), P(bytes), V(2), V(MSG_PEEK), V(0), V(0)),
	GIVES(recvfrom, bytes, 5, V(4), P(bytes), V(100), V(0), V(0), V(0)),
	CALL(recvfrom, V(4), P(bytes), V(100), V(0), V(0), V(0)),
	CALL(sendmsg, V(4), P(&message), V(0)),
	CALL(sendmsg, V(4), NOWHERE, V(0)),
	CALL(recvmsg, V(3), P(&message), V(0)),
	CALL(recvmsg, V(3), P(&message), V(0)),
	CALL(recvmsg, V(99), P(&message), V(0)),
	GIVES(getsockopt, &value, 4, V(3), V(SOL_SOCKET), V(SO_TYPE), P(&value), P(&length)),
	CALL(getsockopt, V(99), V(SOL_SOCKET), V(SO_TYPE), P(&value), P(&length)),
	CALL(setsockopt, V(99), V(SOL_SOCKET), V(SO_REUSEADDR), P(&value), V(4)),
	PUT(&length, "\4\0\0\0"),
	CALL(getsockname, V(3), P(bytes), P(&length)),
	CALL(getsockname, V(99), P(bytes), P(&length)),
	CALL(getpeername, V(3), P(bytes), P(&length)),
	CALL(getpeername, V(99), P(bytes), P(&length)),
	CALL(connect, V(99), P(&address), V(sizeof(address))),
	CALL(bind, V(99), P(&address), V(sizeof(address))),
	CALL(shutdown, V(3), V(SHUT_WR)),
	CALL(shutdown, V(3), V(99)),
	CALL(shutdown, V(99), V(SHUT_WR)),
	CALL(read, V(4), P(bytes), V(1)),
	CALL(socket, V(AF_UNIX), V(SOCK_STREAM), V(0)),
	CALL(socket, V(AF_UNIX), V(99), V(0)),
	CALL(connect, V(5), P(&address), V(sizeof(address))),
};

#endif
