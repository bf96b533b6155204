/* Confining this process, part after part; the filter last, under which the others could not be made. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "confine/confine_calls.h"
#include "confine/landlock.h"

const char *nub_confined_name(enum nub_confined part)
{
	switch (part) {
	case NUB_CONFINED_NO_NEW_PRIVILEGES:
		return "no-new-privileges";
	case NUB_CONFINED_NO_CORE:
		return "no-core";
	case NUB_CONFINED_LANDLOCK:
		return "landlock";
	case NUB_CONFINED_CAPABILITIES:
		return "capabilities";
	case NUB_CONFINED_SECCOMP:
		return "seccomp";
	default:
		return "";
	}
}

/* No memory goes into a core (core(5)). */
static bool empty_core(void)
{
	NUB_AUTO_CLOSE int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "0", 1) == 1;
}

/* A core pattern that is a pipe does not go by the limit. Where a process is not "dumpable", its /proc/self is root's, and others
 * could not look back. (Nor could a sanitizer, at the end.) */
static bool deny_core(const struct nub_confine_config *config)
{
	const struct rlimit none = { 0 };
	const bool as_root = geteuid() == 0;

#if defined(__SANITIZE_ADDRESS__)
	(void)config;
	(void)as_root;
	return setrlimit(RLIMIT_CORE, &none) == 0 && empty_core();
#else
	return setrlimit(RLIMIT_CORE, &none) == 0 &&
	       (config->looks_back && !as_root ? empty_core() : prctl(PR_SET_DUMPABLE, 0) == 0);
#endif
}

/* `kept` is a set of those below 32. Of more than the process has there can't be any. */
static int drop_capabilities(uint32_t kept, struct nub_error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (kept != 0) {
		if (syscall(SYS_capget, &header, data) < 0)
			return nub_fail_errno(err, NUB_E_PROCESS, "capget");
		kept &= data[0].permitted;
		data[0] = (struct __user_cap_data_struct){ .effective = kept, .permitted = kept };
		data[1] = (struct __user_cap_data_struct){ 0 };
	}
	return syscall(SYS_capset, &header, data) < 0 ? nub_fail_errno(err, NUB_E_PROCESS, "capset") : 0;
}

/* 1: done; 0: this kernel has no filters, or a sanitizer is here, which at the end traces us by a thread of its own. */
static int filter_calls(const struct nub_confine_config *config, struct nub_error *err)
{
#if defined(__SANITIZE_ADDRESS__)
	(void)config;
	(void)err;
	return 0;
#else
	struct sock_filter filter[NUB_CONFINE_FILTER_MAX];
	const struct sock_fprog program = {
		.len = (unsigned short)nub_confine_filter(config, (int32_t)getpid(), filter),
		.filter = filter,
	};

	if (program.len == 0)
		return nub_fail(err, NUB_E_INTERNAL, 0, "the filter of system calls is too long");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0)
		return 1;
	return errno == ENOSYS || errno == EINVAL ? 0 : nub_fail_errno(err, NUB_E_PROCESS, "seccomp");
#endif
}

int nub_confine(const struct nub_confine_config *config, unsigned *held, struct nub_error *err)
{
	bool foreign;

	*held = 0;
	if (deny_core(config))
		*held |= NUB_CONFINED_NO_CORE;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return nub_fail_errno(err, NUB_E_PROCESS, "PR_SET_NO_NEW_PRIVS");
	*held |= NUB_CONFINED_NO_NEW_PRIVILEGES;
	int done = nub_landlock_apply(config, &foreign, err);
	if (done < 0)
		return -1;
	*held |= done ? NUB_CONFINED_LANDLOCK : 0;
	if (drop_capabilities(foreign ? 1U << CAP_DAC_OVERRIDE : 0, err) < 0)
		return -1;
	*held |= NUB_CONFINED_CAPABILITIES;
	done = filter_calls(config, err);
	if (done < 0)
		return -1;
	*held |= done ? NUB_CONFINED_SECCOMP : 0;
	return 0;
}
