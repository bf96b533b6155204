/* The system that a program finds itself on: its name, memory, the one CPU, random bytes. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "personality/linux/call.h"
#include "personality/linux/mm.h"

NUB_LINUX_ARG_SHORT_NAMES;

_Static_assert(sizeof(struct sysinfo) == 112 && sizeof(struct utsname) == 390, "as in Linux's x86-64 ABI");

static int64_t serve_sysinfo(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_memory_use use = nub_linux_memory_use(linux);
	struct sysinfo info;

	(void)thread;
	memset(&info, 0, sizeof(info));
	info.uptime = (long)(nub_linux_monotonic(linux) / 1000000000);
	info.totalram = use.limit;
	info.freeram = use.limit - use.resident;
	info.procs = 1;
	info.mem_unit = 1;
	return nub_linux_write(linux, args[0], &info, sizeof(info));
}

static int64_t serve_uname(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	static const struct utsname name = { .sysname = "Linux",
		                             .nodename = "nubrun",
		                             .release = "6.1.0",
		                             .version = "#1 nubrun",
		                             .machine = "x86_64",
		                             .domainname = "(none)" };

	(void)thread;
	return nub_linux_write(linux, args[0], &name, sizeof(name));
}

static int64_t serve_getcpu(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t zero = 0;

	(void)thread;
	for (unsigned i = 0; i < 2; i++)
		if (args[i] != 0 && nub_linux_write(linux, args[i], &zero, sizeof(zero)) < 0)
			return -EFAULT;
	return 0;
}

static int64_t serve_personality(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)thread;
	return args[0] == 0xffffffff || args[0] == 0 ? 0 : -EINVAL;
}

static int64_t serve_getrandom(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t size = args[1] < NUB_LINUX_MAX_RW ? args[1] : NUB_LINUX_MAX_RW;
	struct nub_error err = { 0 };
	uint64_t done = 0;
	uint8_t bytes[4096];

	(void)thread;
	if ((args[2] & ~(uint64_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) ||
	    (args[2] & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	while (done < size) {
		const size_t step = size - done < sizeof(bytes) ? size - done : sizeof(bytes);
		if (linux->machine.ops->random(linux->machine.context, bytes, step, &err) < 0)
			return nub_linux_fail(linux, &err);
		const int64_t written = nub_linux_write_some(linux, args[0] + done, bytes, step);
		if (written < 0)
			break;
		done += (uint64_t)written;
		if ((size_t)written < step)
			break;
	}
	return done > 0 || size == 0 ? (int64_t)done : -EFAULT;
}

static const struct nub_linux_call calls[] = {
	{ __NR_sysinfo, "sysinfo", serve_sysinfo, { POINTER }, false },
	{ __NR_uname, "uname", serve_uname, { POINTER }, false },
	{ __NR_getcpu, "getcpu", serve_getcpu, { POINTER, POINTER, POINTER }, false },
	{ __NR_personality, "personality", serve_personality, { HEX }, false },
	{ __NR_getrandom, "getrandom", serve_getrandom, { OUT_RESULT, SIZE, HEX }, false },
};

const struct nub_linux_family nub_linux_system_family = {
	.name = "system",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
