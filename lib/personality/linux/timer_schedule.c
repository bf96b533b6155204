/* When a timer is due: arithmetic that all kinds of timers share. */
#include "personality/linux/clocks.h"

uint64_t nub_linux_schedule_advance(struct nub_linux_schedule *schedule, uint64_t now_ns)
{
	uint64_t times = 1;

	if (schedule->due_ns == 0 || now_ns < schedule->due_ns)
		return 0;
	if (schedule->interval_ns == 0) {
		schedule->due_ns = 0;
		return 1;
	}
	times += (now_ns - schedule->due_ns) / schedule->interval_ns;
	schedule->due_ns =
	    nub_linux_add_ns(schedule->due_ns + (times - 1) * schedule->interval_ns, schedule->interval_ns);
	return times;
}

/* One that is armed always has something left: 0 says that it is not. */
uint64_t nub_linux_schedule_left(const struct nub_linux_schedule *schedule, uint64_t now_ns)
{
	if (schedule->due_ns == 0)
		return 0;
	return schedule->due_ns > now_ns ? schedule->due_ns - now_ns : 1;
}
