/* The socket behind --gdb. */
#include "run/gdb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"
#include "cli/signals.h"

static int refuse_address(const char *address, const char *why, struct nub_error *err)
{
	nub_fail(err, NUB_E_USAGE, 0, "--gdb: '%.200s' %s", address, why);
	return nub_hint(err, "give :PORT, such as :1234, or unix:PATH");
}

static int fail_listen(const char *address, struct nub_error *err)
{
	const bool taken = errno == EADDRINUSE;

	cmd_fail_errno(err, "--gdb: %.200s", address);
	err->kind = NUB_E_IO;
	return nub_hint(err, taken ? "give another one; with :0 the system chooses a free port"
	                           : "give :PORT with a port above 1023, or unix:PATH in a folder of yours");
}

static int listen_tcp(struct cmd_gdb_socket *gdb, const char *address, struct nub_error *err)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(at);
	const int on = 1;
	char *end;

	const unsigned long port = strtoul(address + 1, &end, 10);
	if (address[1] < '0' || address[1] > '9' || *end != '\0' || port > UINT16_MAX)
		return refuse_address(address, "has no port from 0 to 65535", err);
	at.sin_port = htons((uint16_t)port);
	gdb->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (gdb->listening < 0 || setsockopt(gdb->listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(gdb->listening, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(gdb->listening, 1) < 0 ||
	    getsockname(gdb->listening, (struct sockaddr *)&at, &size) < 0)
		return fail_listen(address, err);
	snprintf(gdb->name, sizeof(gdb->name), "127.0.0.1:%u", ntohs(at.sin_port));
	return 0;
}

/* What a nubrun that was killed has left: a socket that nobody listens at. */
static void remove_stale(const struct sockaddr_un *at)
{
	struct stat status;
	/* Of another type, so that one that is in use is told apart without being connected to: EPROTOTYPE. */
	NUB_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && lstat(at->sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
	    connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 && errno == ECONNREFUSED)
		unlink(at->sun_path);
}

static int listen_unix(struct cmd_gdb_socket *gdb, const char *address, const char *path, struct nub_error *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (*path == '\0' || strlen(path) >= sizeof(at.sun_path))
		return refuse_address(address, "has no path of 1 to 107 bytes", err);
	memcpy(at.sun_path, path, strlen(path) + 1);
	remove_stale(&at);
	gdb->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (gdb->listening < 0)
		return fail_listen(address, err);
	/* For its owner alone, from the first moment. */
	const mode_t before = umask(0177);
	const int bound = bind(gdb->listening, (const struct sockaddr *)&at, sizeof(at));
	umask(before);
	if (bound < 0)
		return fail_listen(address, err);
	gdb->path = path;
	gdb->is_owners = true;
	if (listen(gdb->listening, 1) < 0)
		return fail_listen(address, err);
	snprintf(gdb->name, sizeof(gdb->name), "%s", path);
	return 0;
}

int cmd_gdb_listen(struct cmd_gdb_socket *gdb, const char *address, struct nub_error *err)
{
	static const char prefix[] = "unix:";

	if (address[0] == ':')
		return listen_tcp(gdb, address, err);
	if (strncmp(address, prefix, strlen(prefix)) == 0)
		return listen_unix(gdb, address, address + strlen(prefix), err);
	return refuse_address(address, "is no address to wait at", err);
}

/* There is one client: the address is free again as soon as it has come. */
static void stop_listening(struct cmd_gdb_socket *gdb)
{
	nub_close_fd(&gdb->listening);
	gdb->listening = -1;
	if (gdb->path)
		unlink(gdb->path);
	gdb->path = NULL;
}

/* Accept a client; -1 with EINTR when a signal came that ends us. Signals come only while it waits: none is missed. */
static int accept_client(int listening)
{
	struct pollfd fd = { .fd = listening, .events = POLLIN };
	sigset_t held, before;
	int client = -1;

	cmd_hold_signals(&held, &before);
	while (client < 0) {
		fd.revents = 0;
		errno = EINTR;
		if (cmd_signals_taken() > 0 || (ppoll(&fd, 1, NULL, &before) < 0 && errno != EINTR))
			break;
		if (fd.revents != 0)
			client = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0 && errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
			break;
	}
	const int reason = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = reason;
	return client;
}

static int wait_for_client(struct cmd_gdb_socket *gdb, bool quiet, struct nub_error *err)
{
	const int on = 1;

	if (!quiet)
		fprintf(stderr, "nubrun: waits for gdb: target remote %s\n", gdb->name);
	gdb->client = accept_client(gdb->listening);
	if (gdb->client < 0 && errno == EINTR) {
		nub_fail(err, NUB_E_IO, 0, "nobody had come to %s yet", gdb->name);
		err->sys_errno = EINTR;
		return -1;
	}
	if (gdb->client < 0)
		return cmd_fail_errno(err, "--gdb: %s", gdb->name);
	stop_listening(gdb);
	/* Packets are small and wait for each other. It fails for Unix sockets, which don't need it. */
	setsockopt(gdb->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return 0;
}

int cmd_gdb_attach(struct cmd_gdb_socket *gdb, struct nub_sandbox *sandbox, const char *guest_path,
                   const struct cmd_host_fn *functions, size_t function_count, bool quiet, struct nub_error *err)
{
	const struct nub_snapshot_options snapshot = {
		.guest_path = guest_path,
		.host_functions = gdb->functions,
		.host_function_count = function_count,
	};

	for (size_t i = 0; i < function_count; i++)
		gdb->functions[i] = functions[i].name;
	if (wait_for_client(gdb, quiet, err) < 0)
		return -1;
	return nub_sandbox_attach_debugger(sandbox, gdb->client, gdb->is_owners ? &snapshot : NULL, err);
}

void cmd_gdb_close(struct cmd_gdb_socket *gdb)
{
	stop_listening(gdb);
	nub_close_fd(&gdb->client);
	gdb->client = -1;
}
