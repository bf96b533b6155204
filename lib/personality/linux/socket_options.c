/* Names and options of sockets: getsockname(2), getsockopt(2) and their like. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/socket.h>

#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/socket.h"

NUB_LINUX_ARG_SHORT_NAMES;

/* Both ends have no name but their family. */
static int64_t serve_name(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const sa_family_t family = AF_UNIX;
	int32_t room;
	int64_t error;
	const struct nub_linux_file *file = nub_linux_socket_of(linux, args[0], &error);

	(void)thread;
	if (!file)
		return error;
	if (nub_linux_read(linux, args[2], &room, sizeof(room)) < 0)
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	const int32_t size = sizeof(family);

	if (nub_linux_write(linux, args[1], &family, room < size ? (size_t)room : sizeof(family)) < 0 ||
	    nub_linux_write(linux, args[2], &size, sizeof(size)) < 0)
		return -EFAULT;
	return 0;
}

/* An option's value, and its size; -ENOPROTOOPT. */
static int option(const struct nub_linux *linux, struct nub_linux_socket *socket, int name, int32_t value[3])
{
	switch (name) {
	case SO_TYPE:
		value[0] = socket->type;
		break;
	case SO_DOMAIN:
		value[0] = AF_UNIX;
		break;
	case SO_ERROR:
		value[0] = socket->error;
		socket->error = 0;
		break;
	case SO_SNDBUF:
	case SO_RCVBUF:
		value[0] = NUB_LINUX_SOCKET_ROOM;
		break;
	case SO_PROTOCOL:
	case SO_ACCEPTCONN:
	case SO_PASSCRED:
	case SO_KEEPALIVE:
	case SO_REUSEADDR:
		value[0] = 0;
		break;
	case SO_PEERCRED:
		value[0] = linux->pid;
		value[1] = (int32_t)linux->files->uid;
		value[2] = (int32_t)linux->files->gid;
		return 3 * sizeof(int32_t);
	default:
		return -ENOPROTOOPT;
	}
	return sizeof(int32_t);
}

static int64_t serve_getsockopt(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	int32_t room, value[3];
	int64_t error;
	const struct nub_linux_file *file = nub_linux_socket_of(linux, args[0], &error);

	(void)thread;
	if (!file)
		return error;
	if (nub_linux_read(linux, args[4], &room, sizeof(room)) < 0)
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if ((int)args[1] != SOL_SOCKET)
		return -EOPNOTSUPP;
	int32_t size = option(linux, file->object, (int)args[2], value);

	if (size < 0)
		return size;
	size = room < size ? room : size;
	if (nub_linux_write(linux, args[3], value, (size_t)size) < 0 ||
	    nub_linux_write(linux, args[4], &size, sizeof(size)) < 0)
		return -EFAULT;
	return 0;
}

/* What may be wished for, and stays as it is: sizes of buffers, and what means nothing to sockets of AF_UNIX. */
static bool is_wish(int name)
{
	return name == SO_SNDBUF || name == SO_RCVBUF || name == SO_REUSEADDR || name == SO_KEEPALIVE;
}

static int64_t serve_setsockopt(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	int32_t value;
	int64_t error;

	if (!nub_linux_socket_of(linux, args[0], &error))
		return error;
	if ((int)args[1] != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (!is_wish((int)args[2]))
		return nub_linux_unsupported(linux, thread, -ENOPROTOOPT);
	if ((int)args[4] < (int)sizeof(value))
		return -EINVAL;
	return nub_linux_read(linux, args[3], &value, sizeof(value));
}

static const struct nub_linux_call calls[] = {
	{ __NR_getsockname, "getsockname", serve_name, { FD, POINTER, POINTER }, false },
	{ __NR_getpeername, "getpeername", serve_name, { FD, POINTER, POINTER }, false },
	{ __NR_getsockopt, "getsockopt", serve_getsockopt, { FD, INT, INT, POINTER, POINTER }, false },
	{ __NR_setsockopt, "setsockopt", serve_setsockopt, { FD, INT, INT, IN, SIZE }, false },
};

const struct nub_linux_family nub_linux_socket_option_family = {
	.name = "socket options",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
