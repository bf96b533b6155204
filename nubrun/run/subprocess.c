/* A shell command with a pipe to its stdin and one from its stdout, polled together so that neither side can block. */
#include "run/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"
#include "cli/signals.h"
#include "cli/stream.h"

/* Our ends; -1 when closed. */
struct channel {
	int in, out, pidfd;
	int signals; /* readable when a signal waits that would end us */
	size_t sent, capacity;
};

static void close_end(int *fd)
{
	nub_close_fd(fd);
	*fd = -1;
}

struct shell {
	const char *command;
	int in, out;
	pid_t parent;
	int error; /* why there is no shell */
};

/* Runs in our memory, on a stack of its own, while we wait: system calls only. */
static int become_shell(void *context)
{
	struct shell *shell = context;
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)(uintptr_t)shell->command, NULL };
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t none;

	setpgid(0, 0);
	/* However nubrun ends, its commands don't outlive it. It may have ended already. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != shell->parent)
		return 127;
	cmd_signals_drop();
	sigemptyset(&none);
	sigaction(SIGPIPE, &by_default, NULL);
	sigaction(SIGXFSZ, &by_default, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(shell->in, STDIN_FILENO) >= 0 && dup2(shell->out, STDOUT_FILENO) >= 0)
		execve("/bin/sh", argv, environ);
	shell->error = errno;
	return 127;
}

/* As posix_spawn, which can't ask for a signal at our death. Not fork: that would write-protect the guest's memory.
 * Gives an errno value. */
static int spawn(const char *command, int child_in, int child_out, pid_t *pid)
{
	enum { STACK_SIZE = 64 << 10 };
	struct shell shell = { .command = command, .in = child_in, .out = child_out, .parent = getpid() };
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

/* Start the command. The child's ends of the pipes are closed here again, so that its end shows as their end. */
static int start(const char *command, struct channel *channel, pid_t *pid, struct nub_error *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	bool piped = pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0;
	int error = piped ? spawn(command, in[0], out[1], pid) : errno;

	nub_close_fd(&in[0]);
	nub_close_fd(&out[1]);
	channel->in = in[1];
	channel->out = out[0];
	if (!piped || error != 0) {
		errno = error;
		cmd_fail_errno(err, "can't start /bin/sh");
		return -1;
	}
	channel->pidfd = pidfd_open(*pid, 0);
	if (channel->pidfd < 0 || fcntl(channel->in, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(channel->out, F_SETFL, O_NONBLOCK) < 0) {
		cmd_fail_errno(err, "can't watch /bin/sh");
		kill(-*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
		return -1;
	}
	return 0;
}

static void send_some(struct cmd_subprocess *process, struct channel *channel)
{
	const uint8_t *at = (const uint8_t *)process->input + channel->sent;
	ssize_t sent = write(channel->in, at, process->input_size - channel->sent);

	if (sent > 0)
		channel->sent += (size_t)sent;
	/* A command need not read its input: a closed pipe is no error. */
	if (channel->sent == process->input_size || (sent < 0 && errno != EAGAIN && errno != EINTR))
		close_end(&channel->in);
}

static enum cmd_subprocess_result receive_some(struct cmd_subprocess *process, struct channel *channel,
                                               struct nub_error *err)
{
	if (channel->capacity - process->output_size < 4096) {
		size_t capacity = channel->capacity == 0 ? 16 << 10 : channel->capacity * 2;
		uint8_t *larger = realloc(process->output, capacity);
		if (!larger) {
			cmd_fail_errno(err, "output of a command");
			return CMD_SUBPROCESS_FAILED;
		}
		process->output = larger;
		channel->capacity = capacity;
	}
	ssize_t got =
	    read(channel->out, process->output + process->output_size, channel->capacity - process->output_size);
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		close_end(&channel->out);
	if (got > 0)
		process->output_size += (size_t)got;
	return process->output_size > process->output_limit ? CMD_SUBPROCESS_TOO_MUCH : CMD_SUBPROCESS_ENDED;
}

/* Until stdout is at its end and the shell has ended, as $(...) does it. */
static enum cmd_subprocess_result exchange(struct cmd_subprocess *process, struct channel *channel,
                                           struct nub_error *err)
{
	while (channel->out >= 0 || channel->pidfd >= 0) {
		struct pollfd fds[] = {
			{ .fd = channel->in, .events = POLLOUT },
			{ .fd = channel->out, .events = POLLIN },
			{ .fd = channel->pidfd, .events = POLLIN },
			{ .fd = channel->signals, .events = POLLIN },
		};
		uint64_t ns = process->remaining(process->context);
		if (ns == 0)
			return CMD_SUBPROCESS_GIVEN_UP;
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), cmd_poll_ms(ns)) < 0 && errno != EINTR) {
			cmd_fail_errno(err, "poll");
			return CMD_SUBPROCESS_FAILED;
		}
		if (fds[3].revents != 0) {
			nub_fail(err, NUB_E_IO, 0, "interrupted by a signal");
			return CMD_SUBPROCESS_FAILED;
		}
		if (fds[0].revents != 0)
			send_some(process, channel);
		if (fds[1].revents != 0) {
			enum cmd_subprocess_result result = receive_some(process, channel, err);
			if (result != CMD_SUBPROCESS_ENDED)
				return result;
		}
		if (fds[2].revents != 0)
			close_end(&channel->pidfd);
	}
	return CMD_SUBPROCESS_ENDED;
}

enum cmd_subprocess_result cmd_subprocess_run(struct cmd_subprocess *process, struct nub_error *err)
{
	struct channel channel = { .in = -1, .out = -1, .pidfd = -1, .signals = -1 };
	enum cmd_subprocess_result result = CMD_SUBPROCESS_FAILED;
	sigset_t held, before;
	pid_t pid;

	process->output = NULL;
	process->output_size = 0;
	/* Where a parent has it ignored, the kernel would reap the shell before waitpid. */
	signal(SIGCHLD, SIG_DFL);
	cmd_hold_signals(&held, &before);
	channel.signals = signalfd(-1, &held, SFD_CLOEXEC);
	if (channel.signals < 0)
		cmd_fail_errno(err, "signalfd");
	else if (start(process->command, &channel, &pid, err) == 0) {
		result = exchange(process, &channel, err);
		if (result != CMD_SUBPROCESS_ENDED)
			kill(-pid, SIGKILL);
		while (waitpid(pid, &process->wait_status, 0) < 0 && errno == EINTR)
			continue;
	}
	nub_close_fd(&channel.in);
	nub_close_fd(&channel.out);
	nub_close_fd(&channel.pidfd);
	nub_close_fd(&channel.signals);
	/* One that was held back ends us here, or the run, with nothing left running. */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result == CMD_SUBPROCESS_FAILED && cmd_signals_taken() > 0 ? CMD_SUBPROCESS_GIVEN_UP : result;
}
