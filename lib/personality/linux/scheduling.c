/* How a program's threads share CPUs: there is one, which they have in turn, and all are SCHED_OTHER. What can't be had otherwise is
 * refused as Linux refuses it; a nice value is taken, and makes no difference. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

#include "personality/linux/call.h"
#include "personality/linux/threads.h"

NUB_LINUX_ARG_SHORT_NAMES;

static bool is_there(const struct nub_linux *linux, uint64_t id)
{
	return id == 0 || ((int32_t)id > 0 && nub_linux_thread_find(linux, (int32_t)id));
}

/* What calls that ask for one thread say of its number. */
static int64_t check_thread(const struct nub_linux *linux, uint64_t id)
{
	if ((int32_t)id < 0)
		return -EINVAL;
	return is_there(linux, id) ? 0 : -ESRCH;
}

static int64_t serve_sched_getaffinity(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t mask = 1;

	(void)thread;
	if (args[1] < sizeof(mask) || args[1] % sizeof(mask) != 0)
		return -EINVAL;
	if (!is_there(linux, args[0]))
		return -ESRCH;
	return nub_linux_write(linux, args[2], &mask, sizeof(mask)) < 0 ? -EFAULT : (int64_t)sizeof(mask);
}

static int64_t serve_sched_setaffinity(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	uint64_t mask = 0;

	(void)thread;
	if (nub_linux_read(linux, args[2], &mask, args[1] < sizeof(mask) ? args[1] : sizeof(mask)) < 0)
		return -EFAULT;
	if (!is_there(linux, args[0]))
		return -ESRCH;
	return mask & 1 ? 0 : -EINVAL;
}

static int64_t serve_sched_getscheduler(struct nub_linux *linux, struct nub_linux_thread *thread,
                                        const uint64_t args[6])
{
	const int64_t error = check_thread(linux, args[0]);

	(void)thread;
	return error < 0 ? error : SCHED_OTHER;
}

static int64_t serve_sched_getparam(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int64_t error = args[1] == 0 ? -EINVAL : check_thread(linux, args[0]);
	const int32_t priority = 0;

	(void)thread;
	return error < 0 ? error : nub_linux_write(linux, args[1], &priority, sizeof(priority));
}

/* SCHED_OTHER, and those that mean the same to one CPU that is shared in turn. */
static int64_t serve_sched_setscheduler(struct nub_linux *linux, struct nub_linux_thread *thread,
                                        const uint64_t args[6])
{
	int64_t error = args[2] == 0 || (int32_t)args[0] < 0 ? -EINVAL : 0;
	int32_t priority;

	(void)thread;
	if (error == 0 && nub_linux_read(linux, args[2], &priority, sizeof(priority)) < 0)
		error = -EFAULT;
	if (error == 0)
		error = check_thread(linux, args[0]);
	if (error < 0)
		return error;
	switch ((int32_t)args[1]) {
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return priority == 0 ? 0 : -EINVAL;
	case SCHED_FIFO:
	case SCHED_RR:
		return priority < 1 || priority > 99 ? -EINVAL : -EPERM;
	default:
		return -EINVAL;
	}
}

static int64_t serve_sched_setparam(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t same[6] = { args[0], SCHED_OTHER, args[1] };

	return serve_sched_setscheduler(linux, thread, same);
}

static int64_t serve_sched_priority(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	switch ((int32_t)args[0]) {
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return 0;
	case SCHED_FIFO:
	case SCHED_RR:
		return thread->call == __NR_sched_get_priority_max ? 99 : 1;
	default:
		return -EINVAL;
	}
}

/* SCHED_OTHER has no fixed turn: Linux says what it would be now, which may be 0. */
static int64_t serve_sched_rr_get_interval(struct nub_linux *linux, struct nub_linux_thread *thread,
                                           const uint64_t args[6])
{
	const int64_t interval[2] = { 0, 0 }, error = check_thread(linux, args[0]);

	(void)thread;
	return error < 0 ? error : nub_linux_write(linux, args[1], interval, sizeof(interval));
}

/* getpriority(2): the system call gives 20 less the nice value. */
static int64_t serve_getpriority(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	return args[0] > PRIO_USER ? -EINVAL : 20;
}

static int64_t serve_setpriority(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	return args[0] > PRIO_USER ? -EINVAL : (int32_t)args[2] < 0 ? -EACCES : 0;
}

static const struct nub_linux_call calls[] = {
	{ __NR_sched_getaffinity, "sched_getaffinity", serve_sched_getaffinity, { INT, SIZE, POINTER }, false },
	{ __NR_sched_setaffinity, "sched_setaffinity", serve_sched_setaffinity, { INT, SIZE, POINTER }, false },
	{ __NR_sched_getscheduler, "sched_getscheduler", serve_sched_getscheduler, { INT }, false },
	{ __NR_sched_setscheduler, "sched_setscheduler", serve_sched_setscheduler, { INT, INT, POINTER }, false },
	{ __NR_sched_getparam, "sched_getparam", serve_sched_getparam, { INT, POINTER }, false },
	{ __NR_sched_setparam, "sched_setparam", serve_sched_setparam, { INT, POINTER }, false },
	{ __NR_sched_get_priority_max, "sched_get_priority_max", serve_sched_priority, { INT }, false },
	{ __NR_sched_get_priority_min, "sched_get_priority_min", serve_sched_priority, { INT }, false },
	{ __NR_sched_rr_get_interval, "sched_rr_get_interval", serve_sched_rr_get_interval, { INT, POINTER }, false },
	{ __NR_getpriority, "getpriority", serve_getpriority, { INT, INT }, false },
	{ __NR_setpriority, "setpriority", serve_setpriority, { INT, INT, INT }, false },
};

const struct nub_linux_family nub_linux_sched_family = {
	.name = "scheduling",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
