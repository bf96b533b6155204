/* The processes of an emulated machine: the emulator and virtiofsd, their sockets, their last words, their end. */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { EXIT_MACHINE = 125 };

static int write_text(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	const ssize_t size = fd >= 0 ? write(fd, text, strlen(text)) : -1;

	if (fd >= 0)
		close(fd);
	return size < 0 ? -1 : 0;
}

/* virtiofsd drops its supplementary groups, which can't be done in our user namespace. They are this user's own: let it believe
 * that they are gone.
 */
static int pretend_setgroups(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setgroups, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* virtiofsd needs to chroot, and to be who it is: in a user namespace of its own, where this user is who he is, with all
 * capabilities of the namespace kept over exec. Other users' files are nobody's there, and are opened as this user.
 */
static int enter_user_namespace(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];
	char map[64];
	const uid_t uid = geteuid();
	const gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER) < 0 || write_text("/proc/self/setgroups", "deny") < 0)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (write_text("/proc/self/uid_map", map) < 0)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	if (write_text("/proc/self/gid_map", map) < 0 || syscall(SYS_capget, &header, sets) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		sets[i].inheritable = sets[i].permitted;
	if (syscall(SYS_capset, &header, sets) < 0)
		return -1;
	for (unsigned long capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (sets[capability / 32].permitted >> capability % 32 & 1)
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
	return pretend_setgroups();
}

/* What a program has of its own. */
enum apart { APART_NOT, APART_USER, APART_NETWORK };

/* Start a program in a process group of its own, so that a terminal's signals reach only us. Its descriptors from 3 on are
 * `fds`, -1 for none; stdin is empty, stdout and stderr are the console.
 */
static pid_t launch(const char *const argv[], const int fds[2], int console, enum apart apart)
{
	const pid_t parent = getpid(), pid = fork();
	sigset_t none;

	if (pid != 0)
		return pid;
	setpgid(0, 0);
	for (int i = 0; i < 2; i++) {
		/* dup2 onto itself would keep FD_CLOEXEC: out of the way first. */
		const int spare = fds[i] >= 0 ? fcntl(fds[i], F_DUPFD_CLOEXEC, 10) : -1;

		if (spare >= 0)
			dup2(spare, 3 + i);
	}
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	dup2(console, 1);
	dup2(console, 2);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Bochs' screen is a network service: to nobody. */
	if (apart == APART_NETWORK)
		unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET);
	if (apart == APART_USER && enter_user_namespace() < 0) {
		fprintf(stderr, "no user namespace, by which a user who is not root shares his files: %s\n",
		        strerror(errno));
		_exit(EXIT_MACHINE);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_MACHINE);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(EXIT_MACHINE);
}

void machine_stop(struct machine *machine)
{
	pid_t *const processes[] = { &machine->emulator, &machine->share };

	for (size_t i = 0; i < sizeof(processes) / sizeof(processes[0]); i++) {
		if (*processes[i] > 0 && kill(*processes[i], SIGKILL) == 0)
			waitpid(*processes[i], NULL, 0);
		*processes[i] = 0;
	}
}

void machine_keep_shown(struct machine *machine)
{
	char bytes[1024];
	const ssize_t size = read(machine->console, bytes, sizeof(bytes));

	if (size <= 0) {
		close(machine->console);
		machine->console = -1;
		return;
	}
	const size_t room = sizeof(machine->shown) - machine->shown_size;
	if ((size_t)size > room) {
		const size_t drop = (size_t)size - room;

		machine->shown_size -= drop;
		memmove(machine->shown, machine->shown + drop, machine->shown_size);
	}
	memcpy(machine->shown + machine->shown_size, bytes, (size_t)size);
	machine->shown_size += (size_t)size;
}

void machine_fail(struct machine *machine, const char *format, ...)
{
	va_list values;

	machine_stop(machine);
	for (struct pollfd polled = { .fd = machine->console, .events = POLLIN };
	     machine->console >= 0 && poll(&polled, 1, 0) == 1;)
		machine_keep_shown(machine);
	fprintf(stderr, "with-kvm: ");
	va_start(values, format);
	vfprintf(stderr, format, values);
	va_end(values);
	fprintf(stderr, "\n");
	if (machine->shown_size > 0)
		fprintf(stderr, "with-kvm: the machine's last words:\n%.*s\n", (int)machine->shown_size,
		        machine->shown);
	exit(EXIT_MACHINE);
}

/* virtiofsd with the whole tree, and a socket that is connected to it. It keeps a descriptor for each file that the machine
 * knows: as many as we may have. cache=always: the machine asks once for what a file is, which makes the most of its speed.
 */
static int share_files(struct machine *machine, const char *virtiofsd, int console)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address.sun_family);
	const int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct rlimit files;

	/* Bound with no name at all, it gets one that is in no folder. */
	if (listening < 0 || connected < 0 || bind(listening, (struct sockaddr *)&address, size) < 0 ||
	    listen(listening, 1) < 0 ||
	    getsockname(listening, (struct sockaddr *)&address, (size = sizeof(address), &size)) < 0 ||
	    connect(connected, (struct sockaddr *)&address, size) < 0)
		machine_fail(machine, "can't make a socket: %s", strerror(errno));
	getrlimit(RLIMIT_NOFILE, &files);
	if (geteuid() != 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	const char *const argv[] = { virtiofsd, "-f",
		                     "--fd=3",  geteuid() == 0 ? "--rlimit-nofile=1000000" : "--rlimit-nofile=0",
		                     "-o",      "source=/,sandbox=chroot,cache=always,log_level=err",
		                     NULL };
	machine->share = launch(argv, (int[2]){ listening, -1 }, console, geteuid() != 0 ? APART_USER : APART_NOT);
	close(listening);
	return connected;
}

/* Both ends of a serial line: an emulator without sockets opens the second as a terminal, /proc/self/fd/3. */
static int open_serial(int ends[2])
{
	struct termios raw;

	ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[0] < 0 || grantpt(ends[0]) < 0 || unlockpt(ends[0]) < 0)
		return -1;
	ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[1] < 0 || tcgetattr(ends[1], &raw) < 0)
		return -1;
	cfmakeraw(&raw);
	return tcsetattr(ends[1], TCSANOW, &raw);
}

void machine_start(struct machine *machine, char *const emulator[], const char *virtiofsd)
{
	int ports[2], consoles[2];

	machine->console = -1;
	if ((virtiofsd ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ports) : open_serial(ports)) != 0 ||
	    pipe2(consoles, O_CLOEXEC) < 0)
		machine_fail(machine, "can't make a socket: %s", strerror(errno));
	machine->port = ports[0];
	machine->console = consoles[0];
	const int files = virtiofsd ? share_files(machine, virtiofsd, consoles[1]) : -1;
	machine->emulator = launch((const char *const *)emulator, (int[2]){ ports[1], files }, consoles[1],
	                           virtiofsd ? APART_NOT : APART_NETWORK);
	if (machine->emulator < 0 || machine->share < 0)
		machine_fail(machine, "can't fork: %s", strerror(errno));
	close(ports[1]);
	close(consoles[1]);
	if (files >= 0)
		close(files);
}
