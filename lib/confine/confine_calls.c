/* Which system calls a process needs that runs a guest, by what it still has to do. */
#include "confine/confine_calls.h"

#include <string.h>
#include <sys/syscall.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What none of it can do without. Of files there is only what is open. */
static const uint16_t always[] = {
	/* memory */
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_memfd_create,
	SYS_ftruncate,
	SYS_fallocate,
	/* open files */
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_pread64,
	SYS_pwrite64,
	SYS_preadv,
	SYS_pwritev,
	SYS_lseek,
	SYS_close,
	SYS_fstat,
	SYS_newfstatat,
	SYS_fcntl,
	SYS_fsync,
	SYS_fdatasync,
	SYS_sync_file_range,
	SYS_fchmod,
	SYS_poll,
	SYS_ppoll,
	/* signals, time, waiting */
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_rt_sigpending,
	SYS_rt_sigtimedwait,
	SYS_sigaltstack,
	SYS_restart_syscall,
	SYS_timer_create,
	SYS_timer_settime,
	SYS_timer_gettime,
	SYS_timer_delete,
	SYS_clock_gettime,
	SYS_clock_getres,
	SYS_clock_nanosleep,
	SYS_nanosleep,
	SYS_futex,
	/* itself */
	SYS_getpid,
	SYS_gettid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getrandom,
	SYS_getrusage,
	SYS_sysinfo,
	SYS_exit,
	SYS_exit_group,
};

/* By their arguments: memory that is not executable, requests of few kinds, this process and no other. */
static const uint16_t always_checked[] = { SYS_mmap,   SYS_mprotect,         SYS_ioctl,
	                                   SYS_tgkill, SYS_process_vm_readv, SYS_process_vm_writev };

/* What the C library may try and can do without. */
static const uint16_t tried[] = { SYS_open, SYS_openat, SYS_access, SYS_readlink, SYS_getcwd };

/* To open what Landlock lets through, to make files and to replace them. */
static const uint16_t opening[] = {
	SYS_open,     SYS_openat,    SYS_access,   SYS_faccessat,  SYS_faccessat2, SYS_stat,
	SYS_lstat,    SYS_statfs,    SYS_readlink, SYS_readlinkat, SYS_getcwd,     SYS_rename,
	SYS_renameat, SYS_renameat2, SYS_linkat,   SYS_unlink,     SYS_unlinkat,
};

/* The box is another process. */
static const uint16_t process[] = { SYS_wait4, SYS_waitid, SYS_sched_setaffinity };
static const uint16_t process_checked[] = { SYS_kill };

/* To make a box, which has the guest's code, and what it calls itself until it has a filter of its own. */
static const uint16_t process_anew[] = { SYS_getppid, SYS_rseq, SYS_close_range, SYS_mmap, SYS_mprotect, SYS_fstatfs };
static const uint16_t process_anew_checked[] = { SYS_clone, SYS_prctl, SYS_prlimit64, SYS_seccomp };

static const uint16_t debugger[] = { SYS_recvfrom, SYS_sendto, SYS_shutdown };

static const uint16_t sending[] = { SYS_sendmsg,   SYS_sendto, SYS_recvfrom, SYS_pipe2,
	                            SYS_signalfd4, SYS_wait4,  SYS_waitid };

/* Younger than some headers. */
enum { CALL_FCHMODAT2 = 452 };

/* Files of Linux programs, which are found by a folder's descriptor. */
static const uint16_t program[] = {
	SYS_openat2,   SYS_getdents64, SYS_statx,    SYS_fstatfs,    SYS_mkdirat, SYS_symlinkat,
	SYS_utimensat, SYS_flock,      SYS_fchmodat, CALL_FCHMODAT2, SYS_getcpu,  SYS_pwritev2,
};

static void mark(uint8_t verdicts[NUB_CONFINE_NUMBERS], const uint16_t *list, size_t count,
                 enum nub_confine_call verdict)
{
	for (size_t i = 0; i < count; i++)
		verdicts[list[i]] = verdict;
}

static bool opens(const struct nub_confine_config *config)
{
	return config->path_count > 0 || config->resets || config->looks_back || config->program;
}

static bool boxes_anew(const struct nub_confine_config *config)
{
	return config->engine == NUB_ENGINE_PROCESS && config->resets;
}

void nub_confine_verdicts(const struct nub_confine_config *config, uint8_t verdicts[NUB_CONFINE_NUMBERS])
{
#define MARK(wanted, list, verdict)                                                                                    \
	if (wanted)                                                                                                    \
	mark(verdicts, list, COUNT(list), verdict)
	memset(verdicts, NUB_CONFINE_FORBIDDEN, NUB_CONFINE_NUMBERS);
	MARK(true, always, NUB_CONFINE_ALLOWED);
	MARK(true, always_checked, NUB_CONFINE_CHECKED);
	MARK(true, tried, NUB_CONFINE_REFUSED);
	MARK(opens(config), opening, NUB_CONFINE_ALLOWED);
	MARK(config->engine == NUB_ENGINE_PROCESS, process, NUB_CONFINE_ALLOWED);
	MARK(config->engine == NUB_ENGINE_PROCESS, process_checked, NUB_CONFINE_CHECKED);
	MARK(boxes_anew(config), process_anew, NUB_CONFINE_ALLOWED);
	MARK(boxes_anew(config), process_anew_checked, NUB_CONFINE_CHECKED);
	MARK(config->debugger, debugger, NUB_CONFINE_ALLOWED);
	MARK(config->sends_files, sending, NUB_CONFINE_ALLOWED);
	MARK(config->program, program, NUB_CONFINE_ALLOWED);
#undef MARK
}
