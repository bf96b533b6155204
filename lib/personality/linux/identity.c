/* Who a program is and what it may have: its pid, users, capabilities, limits. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/error.h"
#include "personality/linux/call.h"
#include "personality/linux/mm.h"

NUB_LINUX_ARG_SHORT_NAMES;

struct nub_linux_identity {
	struct rlimit limits[RLIM_NLIMITS];
};

_Static_assert(sizeof(struct rlimit) == 16 && sizeof(struct rusage) == 144, "as in Linux's x86-64 ABI");

/* ---- Processes and users: one of each ---- */

static int64_t serve_getpid(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	(void)args;
	return linux->pid;
}

/* The parent is outside: as in a pid namespace's first process. */
static int64_t serve_zero(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	(void)args;
	return 0;
}

static bool is_self(const struct nub_linux *linux, const struct nub_linux_thread *thread, uint64_t pid)
{
	return (int32_t)pid == 0 || (int32_t)pid == linux->pid || (int32_t)pid == thread->tid;
}

static int64_t serve_getpgid(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return is_self(linux, thread, args[0]) ? linux->pid : -ESRCH;
}

static int64_t serve_setpgid(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	if ((int32_t)(args[1] ? args[1] : args[0]) < 0)
		return -EINVAL;
	if (!is_self(linux, thread, args[0]))
		return -ESRCH;
	return is_self(linux, thread, args[1]) ? 0 : -EPERM;
}

/* It leads its session already. */
static int64_t serve_setsid(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	(void)args;
	return -EPERM;
}

/* To user or group 0, or to none at all (-1). */
static int64_t serve_setids(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	static const uint8_t counts[NUB_LINUX_MAX_CALL] = {
		[__NR_setuid] = 1,   [__NR_setgid] = 1,    [__NR_setreuid] = 2,
		[__NR_setregid] = 2, [__NR_setresuid] = 3, [__NR_setresgid] = 3
	};

	(void)linux;
	for (unsigned i = 0; i < counts[thread->call]; i++)
		if ((int32_t)args[i] != 0 && ((int32_t)args[i] != -1 || counts[thread->call] == 1))
			return (int32_t)args[i] == -1 ? -EINVAL : -EPERM;
	return 0;
}

static int64_t serve_getresids(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t root = 0;

	(void)thread;
	for (unsigned i = 0; i < 3; i++)
		if (nub_linux_write(linux, args[i], &root, sizeof(root)) < 0)
			return -EFAULT;
	return 0;
}

static int64_t serve_setgroups(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	(void)args;
	return -EPERM;
}

static int64_t serve_capget(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	static const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_header_struct header;
	size_t count = _LINUX_CAPABILITY_U32S_3;

	if (nub_linux_read(linux, args[0], &header, sizeof(header)) < 0)
		return -EFAULT;
	if (header.version == _LINUX_CAPABILITY_VERSION_1)
		count = _LINUX_CAPABILITY_U32S_1;
	else if (header.version != _LINUX_CAPABILITY_VERSION_2 && header.version != _LINUX_CAPABILITY_VERSION_3) {
		header.version = _LINUX_CAPABILITY_VERSION_3;
		if (nub_linux_write(linux, args[0], &header, sizeof(header)) < 0)
			return -EFAULT;
		return args[1] == 0 ? 0 : -EINVAL;
	}
	if (header.pid < 0)
		return -EINVAL;
	if (!is_self(linux, thread, (uint64_t)header.pid))
		return -ESRCH;
	return args[1] == 0 ? 0 : nub_linux_write(linux, args[1], none, count * sizeof(*none));
}

static int64_t serve_capset(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	static const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_data_struct wanted[_LINUX_CAPABILITY_U32S_3];

	(void)thread;
	if (nub_linux_read(linux, args[1], wanted, sizeof(wanted)) < 0)
		return -EFAULT;
	return memcmp(wanted, none, sizeof(none)) == 0 ? 0 : -EPERM;
}

/* ---- Limits ---- */

static bool set_limit(struct rlimit *limit, const struct rlimit *wanted, int64_t *error)
{
	*error = wanted->rlim_cur > wanted->rlim_max ? -EINVAL : wanted->rlim_max > limit->rlim_max ? -EPERM : 0;
	if (*error == 0)
		*limit = *wanted;
	return *error == 0;
}

static int64_t serve_prlimit64(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct rlimit *limit, old, wanted;
	int64_t error;

	if (args[1] >= RLIM_NLIMITS)
		return -EINVAL;
	if (args[2] != 0 && nub_linux_read(linux, args[2], &wanted, sizeof(wanted)) < 0)
		return -EFAULT;
	if (!is_self(linux, thread, args[0]))
		return -ESRCH;
	limit = &linux->identity->limits[args[1]];
	old = *limit;
	if (args[2] != 0 && !set_limit(limit, &wanted, &error))
		return error;
	return args[3] == 0 ? 0 : nub_linux_write(linux, args[3], &old, sizeof(old));
}

static int64_t serve_getrlimit(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	if (args[0] >= RLIM_NLIMITS)
		return -EINVAL;
	return nub_linux_write(linux, args[1], &linux->identity->limits[args[0]], sizeof(struct rlimit));
}

static int64_t serve_setrlimit(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct rlimit wanted;
	int64_t error;

	(void)thread;
	if (args[0] >= RLIM_NLIMITS)
		return -EINVAL;
	if (nub_linux_read(linux, args[1], &wanted, sizeof(wanted)) < 0)
		return -EFAULT;
	set_limit(&linux->identity->limits[args[0]], &wanted, &error);
	return error;
}

static int64_t serve_getrusage(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct rusage usage;
	uint64_t ns;

	(void)thread;
	if ((int32_t)args[0] != RUSAGE_SELF && (int32_t)args[0] != RUSAGE_CHILDREN && (int32_t)args[0] != RUSAGE_THREAD)
		return -EINVAL;
	memset(&usage, 0, sizeof(usage));
	if ((int32_t)args[0] != RUSAGE_CHILDREN && nub_linux_now(linux, CLOCK_PROCESS_CPUTIME_ID, &ns) == 0) {
		usage.ru_utime.tv_sec = (time_t)(ns / 1000000000);
		usage.ru_utime.tv_usec = (suseconds_t)(ns % 1000000000 / 1000);
		usage.ru_maxrss = (long)(nub_linux_memory_use(linux).resident / 1024);
	}
	return nub_linux_write(linux, args[1], &usage, sizeof(usage));
}

/* It is in none. */
static int64_t serve_getgroups(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	return (int32_t)args[0] < 0 ? -EINVAL : 0;
}

static const struct nub_linux_call calls[] = {
	{ __NR_getpid, "getpid", serve_getpid, { NONE }, false },
	{ __NR_getppid, "getppid", serve_zero, { NONE }, false },
	{ __NR_getpgrp, "getpgrp", serve_getpid, { NONE }, false },
	{ __NR_getpgid, "getpgid", serve_getpgid, { INT }, false },
	{ __NR_getsid, "getsid", serve_getpgid, { INT }, false },
	{ __NR_setpgid, "setpgid", serve_setpgid, { INT, INT }, false },
	{ __NR_setsid, "setsid", serve_setsid, { NONE }, false },
	{ __NR_getuid, "getuid", serve_zero, { NONE }, false },
	{ __NR_geteuid, "geteuid", serve_zero, { NONE }, false },
	{ __NR_getgid, "getgid", serve_zero, { NONE }, false },
	{ __NR_getegid, "getegid", serve_zero, { NONE }, false },
	{ __NR_getresuid, "getresuid", serve_getresids, { POINTER, POINTER, POINTER }, false },
	{ __NR_getresgid, "getresgid", serve_getresids, { POINTER, POINTER, POINTER }, false },
	{ __NR_setuid, "setuid", serve_setids, { INT }, false },
	{ __NR_setgid, "setgid", serve_setids, { INT }, false },
	{ __NR_setreuid, "setreuid", serve_setids, { INT, INT }, false },
	{ __NR_setregid, "setregid", serve_setids, { INT, INT }, false },
	{ __NR_setresuid, "setresuid", serve_setids, { INT, INT, INT }, false },
	{ __NR_setresgid, "setresgid", serve_setids, { INT, INT, INT }, false },
	{ __NR_getgroups, "getgroups", serve_getgroups, { INT, POINTER }, false },
	{ __NR_setgroups, "setgroups", serve_setgroups, { INT, POINTER }, false },
	{ __NR_capget, "capget", serve_capget, { POINTER, POINTER }, false },
	{ __NR_capset, "capset", serve_capset, { POINTER, POINTER }, false },
	{ __NR_prlimit64, "prlimit64", serve_prlimit64, { INT, INT, POINTER, POINTER }, false },
	{ __NR_getrlimit, "getrlimit", serve_getrlimit, { INT, POINTER }, false },
	{ __NR_setrlimit, "setrlimit", serve_setrlimit, { INT, POINTER }, false },
	{ __NR_getrusage, "getrusage", serve_getrusage, { INT, POINTER }, false },
};

static int make(struct nub_linux *linux, struct nub_error *err)
{
	struct nub_linux_identity *identity = linux->identity = calloc(1, sizeof(*identity));

	if (!identity)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the limits of a Linux program");
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		identity->limits[i] = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	identity->limits[RLIMIT_NOFILE] = (struct rlimit){ linux->config.max_fds, linux->config.max_fds };
	identity->limits[RLIMIT_STACK].rlim_cur = linux->config.stack_size;
	identity->limits[RLIMIT_NPROC] = (struct rlimit){ linux->config.max_threads, linux->config.max_threads };
	identity->limits[RLIMIT_CORE].rlim_cur = 0;
	identity->limits[RLIMIT_NICE] = identity->limits[RLIMIT_RTPRIO] = (struct rlimit){ 0, 0 };
	return 0;
}

static void release(struct nub_linux *linux)
{
	free(linux->identity);
	linux->identity = NULL;
}

const struct nub_linux_family nub_linux_identity_family = {
	.name = "identity",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
	.make = make,
	.release = release,
};
