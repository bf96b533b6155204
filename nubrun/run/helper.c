/* Both sides of the helper: messages of one int each, over a socket that keeps them apart. */
#include "run/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"

/* To the helper: the number of a command, with its stdin and stdout; KILL before or after its end is told, or LEAVE after. From
 * it: an errno value when it has started one, and how that has ended. */
enum { KILL = -1, LEAVE = -2 };

union descriptors {
	struct cmsghdr header;
	char space[CMSG_SPACE(2 * sizeof(int))];
};

static bool send_int(int socket, int number)
{
	return send(socket, &number, sizeof(number), MSG_NOSIGNAL) == (ssize_t)sizeof(number);
}

static bool receive_int(int socket, int *number)
{
	ssize_t got;

	do
		got = recv(socket, number, sizeof(*number), 0);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)sizeof(*number);
}

/* ---- In the helper ---- */

struct shell {
	const char *command;
	int in, out;
	pid_t parent;
	int error; /* why there is no shell */
};

/* Runs in the helper's memory, on a stack of its own, while the helper waits: system calls only. */
static int become_shell(void *context)
{
	struct shell *shell = context;
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)(uintptr_t)shell->command, NULL };
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t none;

	setpgid(0, 0);
	/* However the helper ends, its commands don't outlive it. It may have ended already. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != shell->parent)
		return 127;
	sigemptyset(&none);
	sigaction(SIGPIPE, &by_default, NULL);
	sigaction(SIGXFSZ, &by_default, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(shell->in, STDIN_FILENO) >= 0 && dup2(shell->out, STDOUT_FILENO) >= 0)
		execve("/bin/sh", argv, environ);
	shell->error = errno;
	return 127;
}

/* As posix_spawn, which can't ask for a signal at our death. Gives an errno value. */
static int spawn(const char *command, const int fds[2], pid_t *pid)
{
	enum { STACK_SIZE = 64 << 10 };
	struct shell shell = { .command = command, .in = fds[0], .out = fds[1], .parent = getpid() };
	/* Not on this stack: frames that are never left, since the child becomes the shell in them, would mark it. */
	NUB_AUTO_FREE char *stack = aligned_alloc(16, STACK_SIZE);

	if (!stack)
		return ENOMEM;
	*pid = clone(become_shell, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, &shell);
	if (*pid < 0)
		return errno;
	if (shell.error != 0)
		waitpid(*pid, NULL, 0);
	return shell.error;
}

/* How the shell ended, which stays a zombie: so its group keeps its number. */
static int end_of(pid_t pid)
{
	siginfo_t info = { 0 };

	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		continue;
	return info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
}

/* Until the shell has ended, or nubrun says that it shall, or is gone. False when nobody is there to be told. */
static bool watch(int socket, pid_t pid)
{
	NUB_AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
	struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN }, { .fd = socket, .events = POLLIN } };
	int word = KILL;
	bool there = true;

	while (pidfd >= 0 && poll(fds, 2, -1) < 0 && errno == EINTR)
		continue;
	const bool ended = fds[0].revents != 0;
	if (ended)
		there = send_int(socket, end_of(pid));
	if (!receive_int(socket, &word)) {
		there = false;
		word = KILL;
	}
	if (word == KILL)
		kill(-pid, SIGKILL);
	if (!ended && there)
		there = send_int(socket, end_of(pid));
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return there;
}

/* A command and its descriptors. False when nubrun is gone. */
static bool receive_command(int socket, int *index, int fds[2])
{
	union descriptors control;
	struct iovec bytes = { .iov_base = index, .iov_len = sizeof(*index) };
	struct msghdr message = { .msg_iov = &bytes,
		                  .msg_iovlen = 1,
		                  .msg_control = control.space,
		                  .msg_controllen = sizeof(control.space) };

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(*index))
		return false;
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(header), 2 * sizeof(int));
	return true;
}

__attribute__((noreturn)) static void serve(int socket, const struct cmd_host_fn *functions, size_t count)
{
	const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	int index, fds[2];

	/* A reader of nubrun's stdout waits for the last who has it. */
	dup2(nothing, STDIN_FILENO);
	dup2(nothing, STDOUT_FILENO);
	/* Where nubrun's parent has it ignored, the kernel would reap the shell before waitpid. */
	signal(SIGCHLD, SIG_DFL);
	while (receive_command(socket, &index, fds)) {
		pid_t pid = -1;
		const int error =
		    index >= 0 && (size_t)index < count ? spawn(functions[index].command, fds, &pid) : EINVAL;
		nub_close_fd(&fds[0]);
		nub_close_fd(&fds[1]);
		if (!send_int(socket, error) && error != 0)
			break;
		if (error == 0 && !watch(socket, pid))
			break;
	}
	_exit(0);
}

/* ---- In nubrun ---- */

int cmd_helper_start(struct cmd_helper *helper, const struct cmd_host_fn *functions, size_t count,
                     struct nub_error *err)
{
	int sockets[2];
	sigset_t all, before;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return cmd_fail_errno(err, "--host-fn: socketpair");
	/* It outlives signals that end nubrun, if only to see that nubrun has ended. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	helper->pid = fork();
	if (helper->pid == 0) {
		nub_close_fd(&sockets[0]);
		serve(sockets[1], functions, count);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	nub_close_fd(&sockets[1]);
	helper->socket = sockets[0];
	return helper->pid < 0 ? cmd_fail_errno(err, "--host-fn: a process for its commands") : 0;
}

static int refuse_gone(struct nub_error *err)
{
	return nub_fail(err, NUB_E_IO, 0, "the process that runs the commands of host functions is gone");
}

int cmd_helper_run(struct cmd_helper *helper, size_t index, int in, int out, struct nub_error *err)
{
	const int fds[2] = { in, out };
	union descriptors control = {
		.header = { .cmsg_len = CMSG_LEN(sizeof(fds)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS }
	};
	int number = (int)index, error;
	struct iovec bytes = { .iov_base = &number, .iov_len = sizeof(number) };
	const struct msghdr message = { .msg_iov = &bytes,
		                        .msg_iovlen = 1,
		                        .msg_control = control.space,
		                        .msg_controllen = sizeof(control.space) };

	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	if (sendmsg(helper->socket, &message, MSG_NOSIGNAL) < 0 || !receive_int(helper->socket, &error))
		return refuse_gone(err);
	errno = error;
	return error == 0 ? 0 : cmd_fail_errno(err, "can't start /bin/sh");
}

bool cmd_helper_ended(struct cmd_helper *helper, int *wait_status)
{
	return receive_int(helper->socket, wait_status);
}

void cmd_helper_kill(struct cmd_helper *helper, int *wait_status)
{
	send_int(helper->socket, KILL);
	if (wait_status)
		receive_int(helper->socket, wait_status);
}

void cmd_helper_leave(struct cmd_helper *helper)
{
	send_int(helper->socket, LEAVE);
}

void cmd_helper_end(struct cmd_helper *helper)
{
	nub_close_fd(&helper->socket);
	helper->socket = -1;
	if (helper->pid > 0)
		while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	helper->pid = 0;
}
