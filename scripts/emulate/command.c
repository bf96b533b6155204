/* The one command that an emulated machine runs: as outside.c describes it, with its streams passed on (wire.h). */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "wire.h"

static char *next_string(struct command *command)
{
	char *string = command->next;
	char *nul = memchr(string, 0, (size_t)(command->end - string));

	errno = EPROTO;
	if (!nul)
		give_up("can't read", "the command");
	command->next = nul + 1;
	return string;
}

static char **next_list(struct command *command)
{
	const unsigned long count = strtoul(next_string(command), NULL, 10);
	char **list = calloc(count + 1, sizeof(*list));

	if (!list)
		give_up("no memory for", "the command");
	for (unsigned long i = 0; i < count; i++)
		list[i] = next_string(command);
	return list;
}

void command_read(struct command *command, int port)
{
	struct wire_head head;

	memset(command, 0, sizeof(*command));
	if (!wire_read(port, &head, sizeof(head)) || head.type != WIRE_START || head.size > WIRE_START_MAX)
		give_up("can't read", "the command");
	command->bytes = malloc(head.size);
	if (!command->bytes || !wire_read(port, command->bytes, head.size))
		give_up("can't read", "the command");
	command->next = command->bytes;
	command->end = command->bytes + head.size;
	long *const numbers[] = { &command->seconds, &command->nanoseconds, &command->uid,        &command->gid,
		                  &command->mask,    &command->closed,      &command->group_count };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		*numbers[i] = strtol(next_string(command), NULL, 10);
	for (long i = 0; i < command->group_count; i++) {
		const gid_t group = (gid_t)strtol(next_string(command), NULL, 10);

		if (i < 256)
			command->groups[i] = group;
	}
	if (command->group_count > 256)
		command->group_count = 256;
	command->folder = next_string(command);
	command->host = next_string(command);
	command->argv = next_list(command);
	command->env = next_list(command);
}

/* Become the command. The streams are in place; what can't be done is told where the command's own errors go. */
static _Noreturn void run(const struct command *command)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	for (int fd = 0; fd < 3; fd++)
		if (command->closed >> fd & 1)
			close(fd);
	setsid();
	umask((mode_t)command->mask);
	if (setgroups((size_t)command->group_count, command->groups) < 0 || setgid((gid_t)command->gid) < 0 ||
	    setuid((uid_t)command->uid) < 0 || chdir(command->folder) < 0) {
		fprintf(stderr, "with-kvm: can't enter %s: %s\n", command->folder, strerror(errno));
		_exit(125);
	}
	environ = command->env;
	execvp(command->argv[0], command->argv);
	fprintf(stderr, "with-kvm: %s: %s\n", command->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* The command while it runs: our ends of its three pipes, -1 once closed, and the part of stdin that waits for room. */
struct running {
	pid_t pid;
	int port;
	int pipes[3];
	int signals;
	char input[WIRE_ROOM];
	size_t input_size, input_done;
	bool input_ended;
};

static void start(struct running *running, const struct command *command)
{
	int ends[3][2];

	for (int fd = 0; fd < 3; fd++)
		if (pipe2(ends[fd], O_CLOEXEC) < 0)
			give_up("can't make", "a pipe");
	running->pid = fork();
	if (running->pid < 0)
		give_up("can't fork for", command->argv[0]);
	if (running->pid == 0) {
		for (int fd = 0; fd < 3; fd++)
			dup2(ends[fd][fd == 0 ? 0 : 1], fd);
		run(command);
	}
	for (int fd = 0; fd < 3; fd++) {
		close(ends[fd][fd == 0 ? 0 : 1]);
		running->pipes[fd] = ends[fd][fd == 0 ? 1 : 0];
		fcntl(running->pipes[fd], F_SETFL, O_NONBLOCK);
	}
}

static void close_pipe(struct running *running, int fd)
{
	if (running->pipes[fd] >= 0)
		close(running->pipes[fd]);
	running->pipes[fd] = -1;
}

static void want_input(struct running *running)
{
	running->input_size = running->input_done = 0;
	if (running->pipes[0] >= 0 && !running->input_ended && !wire_send(running->port, WIRE_WANT, NULL, 0))
		give_up("can't write to", "the port");
}

/* One frame from outside. */
static void obey(struct running *running)
{
	struct wire_head head;
	unsigned char byte;

	if (!wire_read(running->port, &head, sizeof(head)) || head.size > WIRE_ROOM)
		give_up("can't read from", "the port");
	if (head.type == WIRE_STDIN) {
		if (!wire_read(running->port, running->input, head.size))
			give_up("can't read from", "the port");
		running->input_size = head.size;
		running->input_done = 0;
		running->input_ended = head.size == 0;
		if (running->input_ended)
			close_pipe(running, 0);
	} else if (head.size != 1 || !wire_read(running->port, &byte, 1)) {
		give_up("can't read from", "the port");
	} else if (head.type == WIRE_SIGNAL) {
		kill(-running->pid, byte);
	} else if (head.type == WIRE_CLOSED && byte < 3) {
		close_pipe(running, byte);
	}
}

static void feed(struct running *running)
{
	const size_t left = running->input_size - running->input_done;
	const ssize_t part = write(running->pipes[0], running->input + running->input_done, left);

	if (part < 0 && errno != EAGAIN && errno != EINTR) {
		close_pipe(running, 0);
		return;
	}
	running->input_done += part > 0 ? (size_t)part : 0;
	if (running->input_done == running->input_size)
		want_input(running);
}

/* Pass on what the command wrote; false when there is nothing more at present. */
static bool drain(struct running *running, int fd)
{
	static char bytes[WIRE_ROOM];
	const ssize_t size = running->pipes[fd] >= 0 ? read(running->pipes[fd], bytes, sizeof(bytes)) : -1;

	if (size == 0)
		close_pipe(running, fd);
	if (size <= 0)
		return false;
	if (!wire_send(running->port, fd == 1 ? WIRE_STDOUT : WIRE_STDERR, bytes, (size_t)size))
		give_up("can't write to", "the port");
	return true;
}

/* Wait for whoever ended; true when it was the command. */
static bool reap(struct running *running, int *status)
{
	struct signalfd_siginfo info;
	bool ended = false;
	int one;

	if (read(running->signals, &info, sizeof(info)) < 0)
		return false;
	for (pid_t pid; (pid = waitpid(-1, &one, WNOHANG)) > 0;) {
		if (pid == running->pid) {
			*status = one;
			ended = true;
		}
	}
	return ended;
}

static int serve(struct running *running)
{
	int status = 0;

	for (;;) {
		const bool feeding = running->input_done < running->input_size;
		struct pollfd polled[] = {
			{ .fd = running->signals, .events = POLLIN },
			{ .fd = running->port, .events = POLLIN },
			{ .fd = feeding ? running->pipes[0] : -1, .events = POLLOUT },
			{ .fd = running->pipes[1], .events = POLLIN },
			{ .fd = running->pipes[2], .events = POLLIN },
		};

		if (poll(polled, sizeof(polled) / sizeof(polled[0]), -1) < 0)
			continue;
		if (polled[1].revents & POLLIN)
			obey(running);
		if (polled[2].revents && running->pipes[0] >= 0)
			feed(running);
		for (int fd = 1; fd < 3; fd++)
			if (polled[fd + 2].revents)
				drain(running, fd);
		if (polled[0].revents && reap(running, &status))
			return status;
	}
}

int command_run(const struct command *command, int port, int signals)
{
	static struct running running;

	running.port = port;
	running.signals = signals;
	start(&running, command);
	want_input(&running);
	const int status = serve(&running);
	for (int fd = 1; fd < 3; fd++)
		while (drain(&running, fd))
			continue;
	return status;
}
