/* The first process of the emulated machine: makes it look like the host, runs one command, passes its streams on (wire.h).
 *
 * The initramfs holds it as /init, beside /modules/ORDER (a line each: file, parameters) and the modules themselves.
 */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "wire.h"

static int port = -1;

/* Say why on the console and, when it is there, on the port; the machine ends. */
static _Noreturn void give_up(const char *what, const char *which)
{
	char text[512];
	const int size = snprintf(text, sizeof(text), "%s %s: %s", what, which, strerror(errno));

	fprintf(stderr, "%s\n", text);
	if (port >= 0)
		wire_send(port, WIRE_FAILED, text, (size_t)size);
	sleep(1);
	reboot(RB_AUTOBOOT);
	abort();
}

static void mount_at(const char *source, const char *target, const char *type, const char *options)
{
	mkdir(target, 0755);
	if (mount(source, target, type, 0, options) < 0)
		give_up("can't mount", target);
}

/* One line of /modules/ORDER: the module's file, then its parameters. */
static void insert_module(char *line)
{
	char path[sizeof("/modules/") + 256];
	const char *parameters = "";
	char *space = strchr(line, ' ');

	if (space) {
		*space = '\0';
		parameters = space + 1;
	}
	snprintf(path, sizeof(path), "/modules/%s", line);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, parameters, 0) < 0)
		give_up("can't insert", path);
	close(fd);
}

static void insert_modules(void)
{
	char line[256];
	FILE *order = fopen("/modules/ORDER", "re");

	if (!order)
		give_up("can't open", "/modules/ORDER");
	while (fgets(line, sizeof(line), order)) {
		line[strcspn(line, "\n")] = '\0';
		insert_module(line);
	}
	fclose(order);
}

/* The host's tree, or what was copied of it, with the kernel's own folders of this machine in it. */
static void enter_tree(bool copied)
{
	if (!copied)
		mount_at("root", "/root", "virtiofs", NULL);
	mount_at("proc", "/root/proc", "proc", NULL);
	mount_at("sys", "/root/sys", "sysfs", NULL);
	mount_at("dev", "/root/dev", "devtmpfs", "mode=0755");
	mount_at("devpts", "/root/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount_at("shm", "/root/dev/shm", "tmpfs", "mode=1777,size=75%");
	if (chroot("/root") < 0 || chdir("/") < 0)
		give_up("can't enter", "/root");
	unlink("/dev/ptmx");
	if (symlink("pts/ptmx", "/dev/ptmx") < 0 || symlink("/proc/self/fd", "/dev/fd") < 0 ||
	    symlink("/proc/self/fd/0", "/dev/stdin") < 0 || symlink("/proc/self/fd/1", "/dev/stdout") < 0 ||
	    symlink("/proc/self/fd/2", "/dev/stderr") < 0)
		give_up("can't fill", "/dev");
	if (chmod("/dev/kvm", 0666) < 0)
		give_up("can't use", "/dev/kvm");
}

/* The byte stream to outside.c: a virtio port, or the second serial line, as it is. */
static void open_port(bool serial)
{
	struct termios raw;

	port = open(serial ? "/dev/ttyS1" : "/dev/vport0p1", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (port < 0)
		give_up("can't open", "the port");
	if (serial) {
		if (tcgetattr(port, &raw) < 0)
			give_up("can't set up", "the port");
		cfmakeraw(&raw);
		cfsetspeed(&raw, B115200);
		raw.c_cflag |= CLOCAL | CREAD;
		if (tcsetattr(port, TCSANOW, &raw) < 0)
			give_up("can't set up", "the port");
	}
}

static void bring_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		give_up("can't bring up", "lo");
	close(fd);
}

/* What outside.c sent to be run; the strings are in `bytes`, freed never: there is one. */
struct command {
	char *bytes, *next, *end;
	long seconds, nanoseconds, uid, gid, mask, closed, group_count;
	gid_t groups[256];
	char *folder, *host;
	char **argv, **env;
};

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

static struct command read_command(void)
{
	struct command command = { 0 };
	struct wire_head head;

	if (!wire_read(port, &head, sizeof(head)) || head.type != WIRE_START || head.size > WIRE_START_MAX)
		give_up("can't read", "the command");
	command.bytes = malloc(head.size);
	if (!command.bytes || !wire_read(port, command.bytes, head.size))
		give_up("can't read", "the command");
	command.next = command.bytes;
	command.end = command.bytes + head.size;
	long *const numbers[] = { &command.seconds, &command.nanoseconds, &command.uid,        &command.gid,
		                  &command.mask,    &command.closed,      &command.group_count };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		*numbers[i] = strtol(next_string(&command), NULL, 10);
	for (long i = 0; i < command.group_count; i++) {
		const gid_t group = (gid_t)strtol(next_string(&command), NULL, 10);

		if (i < 256)
			command.groups[i] = group;
	}
	if (command.group_count > 256)
		command.group_count = 256;
	command.folder = next_string(&command);
	command.host = next_string(&command);
	command.argv = next_list(&command);
	command.env = next_list(&command);
	return command;
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
	if (running->pipes[0] >= 0 && !running->input_ended && !wire_send(port, WIRE_WANT, NULL, 0))
		give_up("can't write to", "the port");
}

/* One frame from outside. */
static void obey(struct running *running)
{
	struct wire_head head;
	unsigned char byte;

	if (!wire_read(port, &head, sizeof(head)) || head.size > WIRE_ROOM)
		give_up("can't read from", "the port");
	if (head.type == WIRE_STDIN) {
		if (!wire_read(port, running->input, head.size))
			give_up("can't read from", "the port");
		running->input_size = head.size;
		running->input_done = 0;
		running->input_ended = head.size == 0;
		if (running->input_ended)
			close_pipe(running, 0);
	} else if (head.size != 1 || !wire_read(port, &byte, 1)) {
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
	if (!wire_send(port, fd == 1 ? WIRE_STDOUT : WIRE_STDERR, bytes, (size_t)size))
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
			{ .fd = port, .events = POLLIN },
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

int main(void)
{
	struct running running = { 0 };
	sigset_t child;

	mount_at("proc", "/proc", "proc", NULL);
	insert_modules();
	/* An initramfs that has the tree is of a machine that shares no files, and has no virtio. */
	const bool copied = access("/root/etc", F_OK) == 0;
	enter_tree(copied);
	bring_loopback_up();
	open_port(copied);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
	running.signals = signalfd(-1, &child, SFD_CLOEXEC);
	if (running.signals < 0 || !wire_send(port, WIRE_READY, NULL, 0))
		give_up("can't write to", "the port");

	const struct command command = read_command();
	/* Files have the host's times: what is made later must not seem older. */
	const struct timespec now = { .tv_sec = command.seconds, .tv_nsec = command.nanoseconds };
	if (clock_settime(CLOCK_REALTIME, &now) < 0 || sethostname(command.host, strlen(command.host)) < 0)
		give_up("can't set", "the time and the host's name");
	start(&running, &command);
	want_input(&running);
	const int status = serve(&running);
	for (int fd = 1; fd < 3; fd++)
		while (drain(&running, fd))
			continue;
	sync();
	wire_send(port, WIRE_EXIT, &status, sizeof(status));
	for (;;)
		pause();
}
