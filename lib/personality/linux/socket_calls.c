/* socketpair(2), and the calls on its ends. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/io.h"
#include "personality/linux/path.h"
#include "personality/linux/socket.h"

NUB_LINUX_ARG_SHORT_NAMES;

_Static_assert(sizeof(struct msghdr) == 56, "struct msghdr is Linux's for x86-64: recvmsg(2)");

static int check_unix(int type, int protocol)
{
	if (type < 0 || type > SOCK_PACKET)
		return -EINVAL;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	return protocol != 0 && protocol != AF_UNIX ? -EPROTONOSUPPORT : 0;
}

static int64_t serve_socketpair(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int type = (int)args[1] & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
	const uint32_t flags = args[1] & SOCK_NONBLOCK ? O_NONBLOCK : 0;

	if ((int)args[0] != AF_UNIX)
		return nub_linux_unsupported(linux, thread, -EPERM);
	const int error = check_unix(type, (int)args[2]);

	if (error < 0)
		return error;
	struct nub_linux_file *one = nub_linux_socket_open(linux->files, type, flags);
	struct nub_linux_file *other = one ? nub_linux_socket_open(linux->files, type, flags) : NULL;

	if (!other) {
		nub_linux_file_unref(linux->files, one);
		return -ENOMEM;
	}
	nub_linux_socket_join(one->object, other->object);
	return nub_linux_fd_pair(linux, one, other, args[1] & SOCK_CLOEXEC, args[3]);
}

/* A socket that nobody is at the other end of: there is no network, and no names to bind. */
static int64_t serve_socket(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int type = (int)args[1] & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);

	if ((int)args[0] != AF_UNIX)
		return nub_linux_unsupported(linux, thread, -EPERM);
	const int error = check_unix(type, (int)args[2]);

	if (error < 0)
		return error;
	struct nub_linux_file *file =
	    nub_linux_socket_open(linux->files, type, args[1] & SOCK_NONBLOCK ? O_NONBLOCK : 0);

	if (!file)
		return -ENOMEM;
	((struct nub_linux_socket *)file->object)->alone = true;
	return nub_linux_fd_install(linux->files, file, 0, args[1] & SOCK_CLOEXEC);
}

struct nub_linux_file *nub_linux_socket_of(const struct nub_linux *linux, uint64_t fd, int64_t *error)
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, fd);

	*error = !file ? -EBADF : file->ops != &nub_linux_socket_ops ? -ENOTSOCK : 0;
	return *error == 0 ? file : NULL;
}

static int64_t do_send(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file,
                       struct nub_linux_user *user, uint32_t flags)
{
	const bool waits = !(file->flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT);
	uint64_t *done = &thread->wait.state[0];

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	nub_linux_user_skip(user, *done);
	const int64_t put = nub_linux_socket_send(linux, file->object, user);

	*done += put > 0 ? (uint64_t)put : 0;
	if (waits && (put == -EAGAIN || (put > 0 && user->left > 0 && !user->fault))) {
		thread->wait.partial = (int64_t)*done;
		return nub_linux_io_wait(linux, thread, file);
	}
	if (put == -EPIPE && !(flags & MSG_NOSIGNAL) && *done == 0)
		nub_linux_io_sigpipe(linux, thread);
	return put < 0 && *done == 0 ? put : (int64_t)*done;
}

static int64_t do_receive(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file,
                          struct nub_linux_user *user, uint32_t flags, uint64_t *whole)
{
	const struct nub_linux_socket *socket = file->object;
	const bool waits = !(file->flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT);
	const bool all = flags & MSG_WAITALL && !(flags & MSG_PEEK) && socket->type == SOCK_STREAM;
	uint64_t *done = &thread->wait.state[0];

	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		return flags & MSG_OOB ? -EOPNOTSUPP : -EAGAIN;
	nub_linux_user_skip(user, *done);
	const int64_t got = nub_linux_socket_receive(linux, file->object, user, flags, whole);

	*done += got > 0 ? (uint64_t)got : 0;
	if (waits && (got == -EAGAIN || (all && got > 0 && user->left > 0 && !user->fault))) {
		thread->wait.partial = (int64_t)*done;
		return nub_linux_io_wait(linux, thread, file);
	}
	return got < 0 && *done == 0 ? got : (int64_t)*done;
}

static int64_t serve_sendto(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_user user;
	int64_t error;
	struct nub_linux_file *file = nub_linux_socket_of(linux, args[0], &error);

	if (!file)
		return error;
	if (!nub_linux_is_user(args[1], args[2]))
		return -EFAULT;
	if (args[4])
		return -EISCONN;
	nub_linux_user_buffer(&user, linux, args[1], args[2]);
	return do_send(linux, thread, file, &user, (uint32_t)args[3]);
}

static int64_t serve_recvfrom(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t no_name = 0;
	struct nub_linux_user user;
	uint64_t whole = 0;
	int64_t result;
	struct nub_linux_file *file = nub_linux_socket_of(linux, args[0], &result);

	if (!file)
		return result;
	if (!nub_linux_is_user(args[1], args[2]))
		return -EFAULT;
	nub_linux_user_buffer(&user, linux, args[1], args[2]);
	result = do_receive(linux, thread, file, &user, (uint32_t)args[3], &whole);
	if (result >= 0 && args[4] && nub_linux_write(linux, args[5], &no_name, sizeof(no_name)) < 0)
		return -EFAULT;
	return result >= 0 && args[3] & MSG_TRUNC ? (int64_t)whole : result;
}

static int64_t read_message(struct nub_linux *linux, uint64_t gva, struct msghdr *message, struct nub_linux_user *user)
{
	const int64_t error = nub_linux_read(linux, gva, message, sizeof(*message));

	if (error < 0)
		return error;
	if (message->msg_iovlen > NUB_LINUX_IOV_MAX)
		return -EMSGSIZE;
	return nub_linux_user_vector(user, linux, (uint64_t)(uintptr_t)message->msg_iov, message->msg_iovlen);
}

static int64_t serve_sendmsg(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_user user;
	struct msghdr message;
	int64_t result;
	struct nub_linux_file *file = nub_linux_socket_of(linux, args[0], &result);

	if (!file)
		return result;
	result = read_message(linux, args[1], &message, &user);
	if (result < 0)
		return result;
	if (message.msg_controllen > 0) /* descriptors and credentials */
		return nub_linux_unsupported(linux, thread, -EOPNOTSUPP);
	return message.msg_namelen > 0 ? -EISCONN : do_send(linux, thread, file, &user, (uint32_t)args[2]);
}

static int64_t serve_recvmsg(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_user user;
	struct msghdr message;
	uint64_t whole = 0;
	int64_t result;
	struct nub_linux_file *file = nub_linux_socket_of(linux, args[0], &result);

	if (!file)
		return result;
	result = read_message(linux, args[1], &message, &user);
	if (result < 0)
		return result;
	result = do_receive(linux, thread, file, &user, (uint32_t)args[2], &whole);
	if (result < 0)
		return result;
	message.msg_flags = whole > (uint64_t)result ? MSG_TRUNC : 0;
	message.msg_namelen = 0;
	message.msg_controllen = 0;
	if (nub_linux_write(linux, args[1], &message, sizeof(message)) < 0)
		return -EFAULT;
	return args[2] & MSG_TRUNC ? (int64_t)whole : result;
}

static int64_t serve_shutdown(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	int64_t error;
	const struct nub_linux_file *file = nub_linux_socket_of(linux, args[0], &error);
	const int how = (int)args[1];

	(void)thread;
	if (!file)
		return error;
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	nub_linux_socket_shut(linux, file->object, how != SHUT_WR, how != SHUT_RD);
	return 0;
}

/* Is something at the path of an address? 0 or -errno. */
static int64_t look_for(struct nub_linux *linux, uint64_t gva, uint64_t size)
{
	struct sockaddr_un address = { 0 };
	struct nub_linux_place place;

	if (size < sizeof(address.sun_family) || size > sizeof(address))
		return -EINVAL;
	if (nub_linux_read(linux, gva, &address, size) < 0)
		return -EFAULT;
	if (address.sun_family != AF_UNIX)
		return -EINVAL;
	char path[sizeof(address.sun_path) + 1] = "";
	memcpy(path, address.sun_path, sizeof(address.sun_path));
	/* A name without a file. */
	if (path[0] == '\0')
		return 0;
	const int error = nub_linux_walk(linux->files, NULL, path, NUB_LINUX_WALK_FOLLOW, &place);
	if (error == 0)
		nub_linux_place_release(&place);
	return error;
}

static int64_t serve_connect(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	int64_t error;

	if (!nub_linux_socket_of(linux, args[0], &error))
		return error;
	error = look_for(linux, args[1], args[2]);
	return nub_linux_unsupported(linux, thread, error < 0 ? error : -ECONNREFUSED);
}

static int64_t serve_bind(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	int64_t error;

	return nub_linux_socket_of(linux, args[0], &error) ? nub_linux_unsupported(linux, thread, -EPERM) : error;
}

static const struct nub_linux_call calls[] = {
	{ __NR_socket, "socket", serve_socket, { INT, HEX, INT }, false },
	{ __NR_connect, "connect", serve_connect, { FD, IN, SIZE }, false },
	{ __NR_bind, "bind", serve_bind, { FD, IN, SIZE }, false },
	{ __NR_socketpair, "socketpair", serve_socketpair, { INT, HEX, INT, POINTER }, false },
	{ __NR_sendto, "sendto", serve_sendto, { FD, IN, SIZE, HEX, POINTER, SIZE }, false },
	{ __NR_recvfrom, "recvfrom", serve_recvfrom, { FD, OUT_RESULT, SIZE, HEX, POINTER, POINTER }, false },
	{ __NR_sendmsg, "sendmsg", serve_sendmsg, { FD, POINTER, HEX }, false },
	{ __NR_recvmsg, "recvmsg", serve_recvmsg, { FD, POINTER, HEX }, false },
	{ __NR_shutdown, "shutdown", serve_shutdown, { FD, INT }, false },
};

const struct nub_linux_family nub_linux_socket_family = {
	.name = "sockets",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
