/* Limits, and the signal of the one that is a timer's. */
#include "run/limits.h"

#include <signal.h>

#include "cli/fail.h"
#include "cli/signals.h"

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

/* ---- CPU time ---- */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* No clock tells what two processes have used together: each is given an equal part of what is left, until nothing is. For
 * signal handlers, too. */
static void share_out(const struct cmd_limits *limits)
{
	uint64_t used = 0;

	/* A timer may fire between its clock's leaving the list and its end. */
	if (limits->clock_count == 0)
		return;
	for (unsigned i = 0; i < limits->clock_count; i++) {
		const uint64_t now = now_ns(limits->clocks[i].clock), start = limits->clocks[i].start_ns;
		used += now > start ? now - start : 0;
	}
	if (used >= limits->cpu_ns) {
		reach("cpu-limit");
		return;
	}
	const uint64_t part = (limits->cpu_ns - used - 1) / limits->clock_count + 1;
	const struct itimerspec at = {
		.it_value = { .tv_sec = (time_t)(part / 1000000000), .tv_nsec = (long)(part % 1000000000) },
	};
	for (unsigned i = 0; i < limits->clock_count; i++)
		timer_settime(limits->clocks[i].timer, 0, &at, NULL);
}

/* Of a timer of ours, or of a limit that nubrun was started with. */
static void on_cpu_time(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_code == SI_TIMER)
		share_out(info->si_value.sival_ptr);
	else
		reach("cpu-limit");
}

static int add_clock(struct cmd_limits *limits, clockid_t clock, struct nub_error *err)
{
	struct cmd_limits_clock *added = &limits->clocks[limits->clock_count];
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
		                  .sigev_signo = SIGXCPU,
		                  .sigev_value = { .sival_ptr = limits } };

	added->clock = clock;
	added->start_ns = now_ns(clock);
	if (timer_create(clock, &event, &added->timer) < 0)
		return cmd_fail_errno(err, "--cpu-limit");
	limits->clock_count++;
	return 0;
}

int cmd_limits_start(struct cmd_limits *limits, const struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct sigaction action = { .sa_sigaction = on_cpu_time, .sa_flags = SA_SIGINFO };
	clockid_t guest;

	if (limits->cpu_ns == 0)
		return 0;
	sigemptyset(&action.sa_mask);
	sigaction(SIGXCPU, &action, NULL);
	if (add_clock(limits, CLOCK_PROCESS_CPUTIME_ID, err) < 0 ||
	    (nub_sandbox_cpu_clock(sandbox, &guest) && add_clock(limits, guest, err) < 0))
		return -1;
	share_out(limits);
	return 0;
}

void cmd_limits_stop(struct cmd_limits *limits)
{
	while (limits->clock_count > 0)
		timer_delete(limits->clocks[--limits->clock_count].timer);
}

/* ---- Output ---- */

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
