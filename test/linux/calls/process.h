/* Rows about the process itself: who it is, its limits, its threads, how it is scheduled, the system. */
#ifndef PROCESS_H
#define PROCESS_H

#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "row.h"

static unsigned ids[3], groups[64], word = 5;
static struct rlimit limit, more_than_most = { 10, 5 };
static struct rusage usage;
static struct sysinfo info;
static struct utsname name;
static struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 }, odd_header = { 1, 0 };
static struct __user_cap_data_struct capabilities[2];
static unsigned long mask[16] = { 1 };
static struct sched_param priority, high_priority = { 99 };
static struct timespec interval;
static char thread_name[16];
static void *robust;
static unsigned long robust_size;
static unsigned cpu;
static const struct timespec no_wait = { 0, 1 }, no_such_time = { 0, -1 };

static const struct row process[] = {
	MADE(getpid),
	MADE(gettid),
	MADE(getppid),
	MADE(getpgrp),
	MADE(getpgid, V(0)),
	CALL(getpgid, V(-5)),
	MADE(getsid, V(0)),
	CALL(getsid, V(-5)),
	CALL(setpgid, V(-5), V(0)),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	GIVES(getresuid, ids, 12, P(ids), AT(ids, 4), AT(ids, 8)),
	CALL(getresuid, P(ids), NOWHERE, P(ids)),
	GIVES(getresgid, ids, 12, P(ids), AT(ids, 4), AT(ids, 8)),
	CALL(getresgid, NOWHERE, P(ids), P(ids)),
	CALL(setuid, V(0)),
	CALL(setgid, V(0)),
	CALL(setreuid, V(-1), V(-1)),
	CALL(setregid, V(-1), V(-1)),
	CALL(setresuid, V(-1), V(-1), V(-1)),
	CALL(setresgid, V(-1), V(-1), V(-1)),
	CALL(getgroups, V(-1), P(groups)),
	MADE(getgroups, V(64), P(groups)),
	CALL(capget, P(&odd_header), P(capabilities)),
	PUT(&odd_header, "\1\0\0\0"),
	CALL(capget, P(&odd_header), V(0)),
	CALL(capget, P(&header), P(capabilities)),
	CALL(capget, NOWHERE, P(capabilities)),
	CALL(capset, P(&header), NOWHERE),
	CALL(getrlimit, V(RLIMIT_NOFILE), P(&limit)),
	CALL(getrlimit, V(99), P(&limit)),
	CALL(getrlimit, V(RLIMIT_NOFILE), NOWHERE),
	CALL(setrlimit, V(RLIMIT_NOFILE), P(&more_than_most)),
	CALL(setrlimit, V(99), P(&limit)),
	CALL(prlimit64, V(0), V(RLIMIT_STACK), V(0), P(&limit)),
	CALL(prlimit64, V(0), V(99), V(0), P(&limit)),
	CALL(prlimit64, V(0), V(RLIMIT_STACK), NOWHERE, V(0)),
	CALL(getrusage, V(RUSAGE_SELF), P(&usage)),
	CALL(getrusage, V(99), P(&usage)),
	CALL(getrusage, V(RUSAGE_SELF), NOWHERE),
	CALL(sysinfo, P(&info)),
	CALL(sysinfo, NOWHERE),
	GIVES(uname, name.sysname, 6, P(&name)),
	CALL(uname, NOWHERE),
	CALL(getcpu, P(&cpu), V(0), V(0)),
	CALL(getcpu, NOWHERE, V(0), V(0)),
	CALL(personality, V(0xffffffff)),
	CALL(getrandom, P(ids), V(12), V(0)),
	CALL(getrandom, P(ids), V(12), V(99)),
	CALL(getrandom, NOWHERE, V(12), V(0)),
	CALL(getrandom, EDGE(4), V(0), V(0)),
	CALL(prctl, V(PR_SET_NAME), P("a name that is too long")),
	GIVES(prctl, thread_name, 16, V(PR_GET_NAME), P(thread_name)),
	CALL(prctl, V(PR_SET_NAME), NOWHERE),
	CALL(prctl, V(PR_GET_DUMPABLE)),
	CALL(prctl, V(PR_SET_DUMPABLE), V(9)),
	CALL(prctl, V(PR_SET_PDEATHSIG), V(999)),
	CALL(prctl, V(99999)),
	CALL(arch_prctl, V(ARCH_GET_FS), NOWHERE),
	CALL(arch_prctl, V(0xdead), V(0)),
	CALL(arch_prctl, V(ARCH_SET_GS), V(-1)),
	MADE(set_tid_address, P(&word)),
	CALL(set_robust_list, P(&robust), V(23)),
	CALL(get_robust_list, V(0), P(&robust), P(&robust_size)),
	CALL(get_robust_list, V(-5), P(&robust), P(&robust_size)),
	CALL(get_robust_list, V(0), NOWHERE, P(&robust_size)),
	CALL(futex, P(&word), V(FUTEX_WAIT), V(4), P(&no_wait)),
	CALL(futex, P(&word), V(FUTEX_WAIT), V(5), P(&no_wait)),
	CALL(futex, P(&word), V(FUTEX_WAIT), V(5), P(&no_such_time)),
	CALL(futex, AT(&word, 1), V(FUTEX_WAIT), V(5), P(&no_wait)),
	CALL(futex, NOWHERE, V(FUTEX_WAIT), V(5), P(&no_wait)),
	CALL(futex, P(&word), V(FUTEX_WAKE), V(1)),
	CALL(futex, NOWHERE, V(FUTEX_WAKE | FUTEX_PRIVATE_FLAG), V(1)),
	CALL(futex, P(&word), V(FUTEX_WAIT_BITSET), V(5), P(&no_wait), V(0), V(0)),
	CALL(futex, P(&word), V(FUTEX_CMP_REQUEUE), V(1), V(1), AT(ids, 0), V(4)),
	CALL(futex, P(&word), V(99), V(1)),
	CALL(sched_yield),
	CALL(wait4, V(-1), V(0), V(1), V(0)),
	CALL(waitid, V(99), V(0), V(0), V(4)),
	CALL(waitid, V(0), V(0), V(0), V(0)),
};

static const struct row scheduling[] = {
	MADE(sched_getaffinity, V(0), V(sizeof(mask)), P(mask)),
	CALL(sched_getaffinity, V(0), V(1), P(mask)),
	CALL(sched_getaffinity, V(0), V(sizeof(mask)), NOWHERE),
	CALL(sched_setaffinity, V(0), V(sizeof(mask)), P(mask)),
	CALL(sched_setaffinity, V(0), V(sizeof(mask)), NOWHERE),
	CALL(sched_getscheduler, V(0)),
	CALL(sched_getscheduler, V(-1)),
	CALL(sched_setscheduler, V(0), V(SCHED_OTHER), P(&priority)),
	CALL(sched_setscheduler, V(0), V(99), P(&priority)),
	CALL(sched_setscheduler, V(0), V(SCHED_OTHER), P(&high_priority)),
	GIVES(sched_getparam, &priority, 4, V(0), P(&priority)),
	CALL(sched_getparam, V(0), V(0)),
	CALL(sched_setparam, V(0), P(&priority)),
	CALL(sched_setparam, V(0), P(&high_priority)),
	CALL(sched_get_priority_max, V(SCHED_FIFO)),
	CALL(sched_get_priority_max, V(99)),
	CALL(sched_get_priority_min, V(SCHED_FIFO)),
	CALL(sched_get_priority_min, V(99)),
	CALL(sched_rr_get_interval, V(0), P(&interval)),
	CALL(sched_rr_get_interval, V(-1), P(&interval)),
	MADE(getpriority, V(PRIO_PROCESS), V(0)),
	CALL(getpriority, V(99), V(0)),
	CALL(setpriority, V(PRIO_PROCESS), V(0), V(19)),
	CALL(setpriority, V(99), V(0), V(0)),
};

#endif
