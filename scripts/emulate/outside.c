/* The host's side of an emulated machine: starts it, passes the streams and signals of one command on (wire.h).
 *
 *     outside [-t SECONDS] [-f VIRTIOFSD] -- EMULATOR [ARG...] -- COMMAND [ARG...]
 *
 * Ends as COMMAND does, also by a signal; with 124 when the time is up; with 125 when the machine fails.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "machine.h"
#include "start.h"
#include "wire.h"

enum { EXIT_TIMEOUT = 124, EXIT_USAGE = 125, GRACE_MS = 2000, NOTICE_MS = 1000, FOREVER = -1 };

struct run {
	struct machine machine;
	int signals;
	bool ready, told;
	/* What goes to `to` (stdout or stderr) and is not yet written. */
	int to;
	char bytes[WIRE_ROOM];
	size_t size, done;
	/* The command has room for some of stdin. */
	bool wanted;
	/* Milliseconds of the monotonic clock: when it began, when something is to end it (0 for never). */
	int64_t began, deadline;
	/* The command has been told to end, by this signal of ours, 0 when its time was up. */
	bool stopping;
	int stopped_by;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* End by the signal that ended the command, or with 128 and its number where that doesn't kill. */
static _Noreturn void end_by_signal(int number)
{
	const struct rlimit no_core = { 0 };
	sigset_t one;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	exit(128 + number);
}

/* Tell the machine what to run. */
static void start_command(struct run *run, char *const command[], long closed)
{
	size_t size = 0;
	char *bytes = start_encode(command, closed, &size);

	if (!bytes)
		machine_fail(&run->machine, "can't tell the machine what to run: %s", strerror(errno));
	if (size > WIRE_START_MAX)
		machine_fail(&run->machine, "arguments and environment have %zu bytes, more than %d", size,
		             WIRE_START_MAX);
	if (!wire_send(run->machine.port, WIRE_START, bytes, size))
		machine_fail(&run->machine, "the machine doesn't listen: %s", strerror(errno));
	free(bytes);
}

static void send_byte(struct run *run, enum wire_type type, int value)
{
	const unsigned char byte = (unsigned char)value;

	if (!wire_send(run->machine.port, type, &byte, 1))
		machine_fail(&run->machine, "the machine doesn't listen: %s", strerror(errno));
}

/* The command gets a signal and a moment to end in, after which all of it ends; nothing of it runs yet, or a second signal: now. */
static void stop_soon(struct run *run, int number, int stopped_by)
{
	run->deadline = now_ms();
	if (run->ready && !run->stopping) {
		send_byte(run, WIRE_SIGNAL, number);
		run->deadline += GRACE_MS;
	}
	run->stopping = true;
	run->stopped_by = stopped_by;
}

static void take_signal(struct run *run)
{
	struct signalfd_siginfo info;

	if (read(run->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGCHLD)
		stop_soon(run, (int)info.ssi_signo, (int)info.ssi_signo);
	else if (info.ssi_pid == (uint32_t)run->machine.emulator)
		machine_fail(&run->machine, "the machine stopped before the command ended");
	else if (info.ssi_pid == (uint32_t)run->machine.share)
		machine_fail(&run->machine, "virtiofsd, which shares the files, stopped");
}

static _Noreturn void finish(struct run *run, int status)
{
	machine_stop(&run->machine);
	if (run->stopping && run->stopped_by == 0)
		exit(EXIT_TIMEOUT);
	if (WIFSIGNALED(status))
		end_by_signal(WTERMSIG(status));
	exit(WEXITSTATUS(status));
}

/* A frame from inside. */
static void take_frame(struct run *run, char *const command[], long closed)
{
	struct wire_head head;
	int status;

	if (!wire_read(run->machine.port, &head, sizeof(head)) || head.size > sizeof(run->bytes) ||
	    !wire_read(run->machine.port, run->bytes, head.size))
		machine_fail(&run->machine, "the machine stopped before the command ended");
	switch (head.type) {
	case WIRE_READY:
		run->ready = true;
		start_command(run, command, closed);
		break;
	case WIRE_WANT:
		run->wanted = true;
		break;
	case WIRE_STDOUT:
	case WIRE_STDERR:
		run->to = head.type == WIRE_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
		run->size = head.size;
		run->done = 0;
		break;
	case WIRE_EXIT:
		memcpy(&status, run->bytes, sizeof(status));
		finish(run, status);
	case WIRE_FAILED:
		machine_fail(&run->machine, "the machine failed: %.*s", (int)head.size, run->bytes);
	default:
		machine_fail(&run->machine, "the machine sent a frame of type %u", head.type);
	}
}

static void send_input(struct run *run)
{
	char bytes[WIRE_ROOM];
	const ssize_t size = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (size < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	run->wanted = false;
	if (!wire_send(run->machine.port, WIRE_STDIN, bytes, size > 0 ? (size_t)size : 0))
		machine_fail(&run->machine, "the machine doesn't listen: %s", strerror(errno));
}

/* No more than a pipe takes without waiting, so that a reader that sleeps doesn't keep us from the signals. */
static void write_output(struct run *run)
{
	const size_t left = run->size - run->done;
	const ssize_t part = write(run->to, run->bytes + run->done, left < PIPE_BUF ? left : PIPE_BUF);

	if (part >= 0) {
		run->done += (size_t)part;
	} else if (errno != EINTR && errno != EAGAIN) {
		run->done = run->size;
		send_byte(run, WIRE_CLOSED, run->to);
	}
}

/* The time is up: for the command, which is told so, or for all that is left after that. */
static void end_in_time(struct run *run)
{
	if (!run->stopping && run->ready) {
		stop_soon(run, SIGTERM, 0);
		return;
	}
	machine_stop(&run->machine);
	if (run->stopped_by > 0)
		end_by_signal(run->stopped_by);
	exit(EXIT_TIMEOUT);
}

/* Milliseconds until something is due. */
static int due(struct run *run)
{
	if (run->deadline && now_ms() >= run->deadline)
		end_in_time(run);
	const int64_t now = now_ms(), notice = run->began + NOTICE_MS;
	int64_t wait = run->deadline ? run->deadline - now : FOREVER;

	if (!run->ready && !run->told && isatty(STDERR_FILENO)) {
		if (now >= notice) {
			fprintf(stderr, "with-kvm: booting an emulated machine\n");
			run->told = true;
		} else if (wait < 0 || notice - now < wait) {
			wait = notice - now;
		}
	}
	return (int)(wait > INT_MAX ? INT_MAX : wait);
}

static _Noreturn void serve(struct run *run, char *const command[], long closed)
{
	for (;;) {
		const bool writing = run->done < run->size;
		struct pollfd polled[] = {
			{ .fd = run->signals, .events = POLLIN },
			{ .fd = run->machine.console, .events = POLLIN },
			{ .fd = writing ? -1 : run->machine.port, .events = POLLIN },
			{ .fd = writing ? run->to : -1, .events = POLLOUT },
			{ .fd = run->wanted ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(polled, sizeof(polled) / sizeof(polled[0]), due(run)) < 0)
			continue;
		if (polled[1].revents)
			machine_keep_shown(&run->machine);
		if (polled[2].revents)
			take_frame(run, command, closed);
		if (polled[3].revents)
			write_output(run);
		if (polled[4].revents)
			send_input(run);
		if (polled[0].revents)
			take_signal(run);
	}
}

/* Descriptors 0 to 2 that are closed, a bit each. They are opened on /dev/null, lest another file gets their number. */
static long find_closed(void)
{
	long closed = 0;

	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0) {
			closed |= 1L << fd;
			open("/dev/null", O_RDWR);
		}
	}
	return closed;
}

static int watch_signals(void)
{
	const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
	struct sigaction old;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		/* What was ignored when we began (nohup) stays so. */
		if (sigaction(numbers[i], NULL, &old) == 0 && (old.sa_handler != SIG_IGN || numbers[i] == SIGCHLD))
			sigaddset(&set, numbers[i]);
	}
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static char **after_separator(char **argv)
{
	while (*argv && strcmp(*argv, "--") != 0)
		argv++;
	if (!*argv)
		return NULL;
	*argv = NULL;
	return argv + 1;
}

int main(int argc, char **argv)
{
	static struct run run;
	const long closed = find_closed();
	const char *virtiofsd = NULL;
	double limit = 0;

	for (int option; (option = getopt(argc, argv, "+t:f:")) != -1;) {
		if (option == 't')
			limit = strtod(optarg, NULL);
		else if (option == 'f')
			virtiofsd = optarg;
		else
			return EXIT_USAGE;
	}
	char **const emulator = argv + optind, **const command = after_separator(emulator);
	if (!command || !*emulator || !*command) {
		fprintf(stderr,
		        "usage: outside [-t SECONDS] [-f VIRTIOFSD] -- EMULATOR [ARG...] -- COMMAND [ARG...]\n");
		return EXIT_USAGE;
	}
	run.began = now_ms();
	if (limit > 0)
		run.deadline = run.began + (int64_t)(limit * 1000);
	run.signals = watch_signals();
	machine_start(&run.machine, emulator, virtiofsd);
	serve(&run, command, closed);
}
