/* Limits, and the signal of the one that is a timer's. */
#include "run/limits.h"

#include <signal.h>

#include "cli/fail.h"
#include "cli/signals.h"

/* For the handler, which gets no context. */
static const char *volatile reached;

const char *cmd_limits_reached(void)
{
	return reached;
}

static void reach(const char *limit)
{
	if (!reached)
		reached = limit;
	cmd_signals_stop_running();
}

static void on_cpu_time(int signal)
{
	(void)signal;
	reach("cpu-limit");
}

int cmd_limits_start(struct cmd_limits *limits, struct nub_error *err)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGXCPU };
	struct sigaction action = { .sa_handler = on_cpu_time };
	const struct itimerspec at = {
		.it_value = { .tv_sec = (time_t)(limits->cpu_ns / 1000000000),
		              .tv_nsec = (long)(limits->cpu_ns % 1000000000) },
	};

	if (limits->cpu_ns == 0)
		return 0;
	sigemptyset(&action.sa_mask);
	sigaction(SIGXCPU, &action, NULL);
	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &limits->timer) < 0)
		return cmd_fail_errno(err, "--cpu-limit");
	limits->has_timer = true;
	return timer_settime(limits->timer, 0, &at, NULL) < 0 ? cmd_fail_errno(err, "--cpu-limit") : 0;
}

size_t cmd_limits_room(const struct cmd_limits *limits, size_t size)
{
	const uint64_t room = limits->output - limits->printed;

	return limits->output == 0 || size <= room ? size : (size_t)room;
}

void cmd_limits_note_output(struct cmd_limits *limits, size_t size, size_t written)
{
	limits->printed += written;
	if (written < size)
		reach("output-limit");
}

void cmd_limits_stop(struct cmd_limits *limits)
{
	if (limits->has_timer)
		timer_delete(limits->timer);
	limits->has_timer = false;
}
