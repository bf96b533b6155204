/* A shell command with a pipe to its stdin and one from its stdout, polled together so that neither side can block. */
#include "run/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"
#include "cli/signals.h"
#include "cli/stream.h"

/* Our ends; -1 when closed. */
struct channel {
	int in, out;
	bool running; /* its end is not known yet */
	int signals;  /* readable when a signal waits that would end us */
	size_t sent, capacity;
};

static void close_end(int *fd)
{
	nub_close_fd(fd);
	*fd = -1;
}

/* Start the command. Its ends of the pipes are closed here again, so that its end shows as their end. */
static int start(const struct cmd_subprocess *process, struct channel *channel, struct nub_error *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	int failed = 0;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || fcntl(in[1], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(out[0], F_SETFL, O_NONBLOCK) < 0)
		failed = cmd_fail_errno(err, "pipes for a command");
	else
		failed = cmd_helper_run(process->helper, process->index, in[0], out[1], err);
	nub_close_fd(&in[0]);
	nub_close_fd(&out[1]);
	channel->in = in[1];
	channel->out = out[0];
	channel->running = failed == 0;
	return failed;
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
	while (channel->out >= 0 || channel->running) {
		struct pollfd fds[] = {
			{ .fd = channel->in, .events = POLLOUT },
			{ .fd = channel->out, .events = POLLIN },
			{ .fd = channel->running ? process->helper->socket : -1, .events = POLLIN },
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
		if (fds[2].revents != 0) {
			channel->running = false;
			if (!cmd_helper_ended(process->helper, &process->wait_status)) {
				nub_fail(err, NUB_E_IO, 0, "the process that runs the command is gone");
				return CMD_SUBPROCESS_FAILED;
			}
		}
	}
	return CMD_SUBPROCESS_ENDED;
}

/* What the command has started and left behind stays when all went well. */
static void finish(struct cmd_subprocess *process, const struct channel *channel, bool well)
{
	if (!well)
		cmd_helper_kill(process->helper, channel->running ? &process->wait_status : NULL);
	else
		cmd_helper_leave(process->helper);
}

enum cmd_subprocess_result cmd_subprocess_run(struct cmd_subprocess *process, struct nub_error *err)
{
	struct channel channel = { .in = -1, .out = -1, .signals = -1 };
	enum cmd_subprocess_result result = CMD_SUBPROCESS_FAILED;
	sigset_t held, before;

	process->output = NULL;
	process->output_size = 0;
	cmd_hold_signals(&held, &before);
	channel.signals = signalfd(-1, &held, SFD_CLOEXEC);
	if (channel.signals < 0)
		cmd_fail_errno(err, "signalfd");
	else if (start(process, &channel, err) == 0) {
		result = exchange(process, &channel, err);
		finish(process, &channel, result == CMD_SUBPROCESS_ENDED);
	}
	nub_close_fd(&channel.in);
	nub_close_fd(&channel.out);
	nub_close_fd(&channel.signals);
	/* One that was held back ends us here, or the run, with nothing left running. */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result == CMD_SUBPROCESS_FAILED && cmd_signals_taken() > 0 ? CMD_SUBPROCESS_GIVEN_UP : result;
}
