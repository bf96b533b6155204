/* Sending signals, as a call: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo. There is one process. */
#include <errno.h>

#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

static siginfo_t make_info(const struct nub_linux *linux, int signal, int code)
{
	siginfo_t info = { .si_signo = signal, .si_code = code };

	info.si_pid = linux->pid;
	info.si_uid = NUB_LINUX_UID;
	return info;
}

/* 0 asks only whether it would go. */
static int64_t send(struct nub_linux *linux, struct nub_linux_thread *target, int signal, const siginfo_t *info)
{
	if (signal < 0 || signal > NUB_LINUX_SIGNALS)
		return -EINVAL;
	return signal == 0 ? 0 : nub_linux_signal_send(linux, target, info);
}

/* Its own number, its group's, or one of its threads'. */
static bool is_us(const struct nub_linux *linux, int32_t pid)
{
	if (pid == 0 || pid == linux->pid || pid == -linux->pid)
		return true;
	return pid > 0 && nub_linux_thread_find(linux, pid);
}

int64_t nub_linux_serve_kill(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int signal = (int)args[1];
	const siginfo_t info = make_info(linux, signal, SI_USER);

	(void)thread;
	/* -1 is everyone else. */
	if (!is_us(linux, (int32_t)args[0]))
		return -ESRCH;
	return send(linux, NULL, signal, &info);
}

static int64_t send_to_thread(struct nub_linux *linux, int32_t tid, int signal, const siginfo_t *info)
{
	struct nub_linux_thread *target = nub_linux_thread_find(linux, tid);

	return target ? send(linux, target, signal, info) : -ESRCH;
}

int64_t nub_linux_serve_tkill(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int signal = (int)args[1];
	const siginfo_t info = make_info(linux, signal, SI_TKILL);

	(void)thread;
	if ((int32_t)args[0] <= 0)
		return -EINVAL;
	return send_to_thread(linux, (int32_t)args[0], signal, &info);
}

int64_t nub_linux_serve_tgkill(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int signal = (int)args[2];
	const siginfo_t info = make_info(linux, signal, SI_TKILL);

	(void)thread;
	if ((int32_t)args[0] <= 0 || (int32_t)args[1] <= 0)
		return -EINVAL;
	if ((int32_t)args[0] != linux->pid)
		return -ESRCH;
	return send_to_thread(linux, (int32_t)args[1], signal, &info);
}

/* A program may tell itself what it likes, and others only what they can know to come from a program. */
static int64_t read_info(struct nub_linux *linux, uint64_t gva, int signal, bool to_itself, siginfo_t *info)
{
	if (nub_linux_read(linux, gva, info, sizeof(*info)) < 0)
		return -EFAULT;
	info->si_signo = signal;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && !to_itself)
		return -EPERM;
	return 0;
}

int64_t nub_linux_serve_rt_sigqueueinfo(struct nub_linux *linux, struct nub_linux_thread *thread,
                                        const uint64_t args[6])
{
	const int32_t pid = (int32_t)args[0];
	const int signal = (int)args[1];
	siginfo_t info;
	const int64_t bad = read_info(linux, args[2], signal, pid == thread->tid || pid == linux->pid, &info);

	if (bad < 0)
		return bad;
	return pid > 0 && is_us(linux, pid) ? send(linux, NULL, signal, &info) : -ESRCH;
}

int64_t nub_linux_serve_rt_tgsigqueueinfo(struct nub_linux *linux, struct nub_linux_thread *thread,
                                          const uint64_t args[6])
{
	const int32_t pid = (int32_t)args[0], tid = (int32_t)args[1];
	const int signal = (int)args[2];
	siginfo_t info;
	int64_t bad;

	(void)thread;
	if (pid <= 0 || tid <= 0)
		return -EINVAL;
	bad = read_info(linux, args[3], signal, pid == linux->pid, &info);
	if (bad < 0)
		return bad;
	return pid == linux->pid ? send_to_thread(linux, tid, signal, &info) : -ESRCH;
}
