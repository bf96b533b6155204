/* The first process of the emulated machine: makes it look like the host, runs one command, passes its streams on (wire.h).
 *
 * The initramfs holds it as /init, beside /modules/ORDER (a line each: file, parameters) and the modules themselves.
 */
#include <fcntl.h>
#include <net/if.h>
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
#include <termios.h>
#include <time.h>

#include "command.h"
#include "wire.h"

static int port = -1;

/* Say why on the console and, when it is there, on the port; the machine ends. */
void give_up(const char *what, const char *which)
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

int main(void)
{
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
	const int signals = signalfd(-1, &child, SFD_CLOEXEC);
	if (signals < 0 || !wire_send(port, WIRE_READY, NULL, 0))
		give_up("can't write to", "the port");

	struct command command;
	command_read(&command, port);
	/* Files have the host's times: what is made later must not seem older. */
	const struct timespec now = { .tv_sec = command.seconds, .tv_nsec = command.nanoseconds };
	if (clock_settime(CLOCK_REALTIME, &now) < 0 || sethostname(command.host, strlen(command.host)) < 0)
		give_up("can't set", "the time and the host's name");
	const int status = command_run(&command, port, signals);
	sync();
	wire_send(port, WIRE_EXIT, &status, sizeof(status));
	for (;;)
		pause();
}
