/* Who a Linux program is: the root of a namespace that has nobody else, without any capability; and its limits. */
#include <errno.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include "linux_program.h"

enum { AT = 512, NOWHERE = 4096 };

/* A call, and what it gives. */
struct said {
	unsigned number;
	uint64_t args[3];
	int64_t result;
};

static void check(struct alone *alone, const struct said *said, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const int64_t result =
		    call(alone, said[i].number, said[i].args[0], said[i].args[1], said[i].args[2], 0, 0, 0);

		if (result != said[i].result)
			print_error("step %zu, call %u\n", i, said[i].number);
		assert_int_equal(result, said[i].result);
	}
}

#define CHECK(alone, steps) check(alone, steps, sizeof(steps) / sizeof(*(steps)))

static void there_is_one_process(void **state)
{
	struct alone *alone = *state;
	const uint64_t self = (uint64_t)alone->linux->pid, none = UINT64_MAX;
	const struct said steps[] = {
		{ __NR_getpid, { 0 }, alone->linux->pid },
		{ __NR_getppid, { 0 }, 0 },
		{ __NR_getpgrp, { 0 }, alone->linux->pid },
		{ __NR_getpgid, { 0 }, alone->linux->pid },
		{ __NR_getpgid, { self }, alone->linux->pid },
		{ __NR_getsid, { self + 5 }, -ESRCH },
		{ __NR_setpgid, { 0, 0 }, 0 },
		{ __NR_setpgid, { self, self }, 0 },
		{ __NR_setpgid, { 0, none }, -EINVAL },
		{ __NR_setpgid, { self + 5, 0 }, -ESRCH },
		{ __NR_setpgid, { 0, self + 5 }, -EPERM },
		{ __NR_setsid, { 0 }, -EPERM },
	};

	CHECK(alone, steps);
}

static void there_is_one_user(void **state)
{
	struct alone *alone = *state;
	const uint64_t same = UINT64_MAX;
	const struct said steps[] = {
		{ __NR_getuid, { 0 }, 0 },
		{ __NR_getegid, { 0 }, 0 },
		{ __NR_setuid, { 0 }, 0 },
		{ __NR_setuid, { 1 }, -EPERM },
		{ __NR_setgid, { same }, -EINVAL },
		{ __NR_setreuid, { same, 0 }, 0 },
		{ __NR_setregid, { 0, 7 }, -EPERM },
		{ __NR_setresuid, { same, same, 0 }, 0 },
		{ __NR_setresgid, { 0, 0, 1 }, -EPERM },
		{ __NR_setgroups, { 0, 0 }, -EPERM },
		{ __NR_getgroups, { 0, 0 }, 0 },
		{ __NR_getresuid, { DATA, DATA + 4, DATA + 8 }, 0 },
		{ __NR_getresgid, { DATA, DATA + 4, NOWHERE }, -EFAULT },
	};

	for (uint64_t at = 0; at < 12; at += 4)
		put32(alone, DATA + at, 7);
	CHECK(alone, steps);
	for (uint64_t at = 0; at < 12; at += 4)
		assert_int_equal(get32(alone, DATA + at), 0);
}

static void put_header(struct alone *alone, uint32_t version, int pid)
{
	const struct __user_cap_header_struct header = { version, pid };

	put(alone, DATA, &header, sizeof(header));
}

static void it_has_no_capability(void **state)
{
	struct alone *alone = *state;
	const struct said get_all[] = { { __NR_capget, { DATA, DATA + AT }, 0 } };
	const struct said is_invalid[] = { { __NR_capget, { DATA, DATA + AT }, -EINVAL } };
	const struct said version[] = { { __NR_capget, { DATA, 0 }, 0 } };
	const struct said is_gone[] = { { __NR_capget, { DATA, 0 }, -ESRCH } };
	const struct said set[] = { { __NR_capset, { DATA, DATA + AT }, 0 } };
	const struct said wrong[] = { { __NR_capset, { DATA, NOWHERE }, -EFAULT },
		                      { __NR_capget, { NOWHERE, 0 }, -EFAULT } };
	const struct said more[] = { { __NR_capset, { DATA, DATA + AT }, -EPERM } };

	put_header(alone, _LINUX_CAPABILITY_VERSION_3, 0);
	for (uint64_t at = 0; at < 24; at += 4)
		put32(alone, DATA + AT + at, UINT32_MAX);
	CHECK(alone, get_all);
	for (uint64_t at = 0; at < 24; at += 4)
		assert_int_equal(get32(alone, DATA + AT + at), 0);
	CHECK(alone, set);
	put32(alone, DATA + AT, 1);
	CHECK(alone, more);
	CHECK(alone, wrong);
	put_header(alone, _LINUX_CAPABILITY_VERSION_3, -1);
	CHECK(alone, is_invalid);
	put_header(alone, _LINUX_CAPABILITY_VERSION_3, 12345);
	CHECK(alone, is_gone);

	/* The first version has one set of three. */
	put_header(alone, _LINUX_CAPABILITY_VERSION_1, 0);
	put32(alone, DATA + AT + 12, 9);
	CHECK(alone, get_all);
	assert_int_equal(get32(alone, DATA + AT + 12), 9);

	/* Of an unknown one, it is told which is known. */
	put_header(alone, 1, 0);
	CHECK(alone, version);
	assert_int_equal(get32(alone, DATA), _LINUX_CAPABILITY_VERSION_3);
	put_header(alone, 1, 0);
	CHECK(alone, is_invalid);
}

static void put_limit(struct alone *alone, uint64_t soft, uint64_t hard)
{
	const struct rlimit limit = { soft, hard };

	put(alone, DATA, &limit, sizeof(limit));
}

static void limits_go_down(void **state)
{
	struct alone *alone = *state;
	struct rlimit found;
	const struct said steps[] = {
		{ __NR_setrlimit, { RLIMIT_NOFILE, DATA }, 0 },
		{ __NR_getrlimit, { RLIMIT_NOFILE, DATA + AT }, 0 },
		{ __NR_getrlimit, { RLIM_NLIMITS, DATA + AT }, -EINVAL },
		{ __NR_setrlimit, { RLIM_NLIMITS, DATA }, -EINVAL },
		{ __NR_setrlimit, { RLIMIT_NOFILE, NOWHERE }, -EFAULT },
		{ __NR_getrlimit, { RLIMIT_NOFILE, NOWHERE }, -EFAULT },
		{ __NR_prlimit64, { 0, RLIM_NLIMITS, DATA }, -EINVAL },
		{ __NR_prlimit64, { 0, RLIMIT_NOFILE, NOWHERE }, -EFAULT },
		{ __NR_prlimit64, { 12345, RLIMIT_NOFILE, DATA }, -ESRCH },
	};
	const struct said up[] = { { __NR_setrlimit, { RLIMIT_NOFILE, DATA }, -EPERM },
		                   { __NR_prlimit64, { 0, RLIMIT_NOFILE, DATA }, -EPERM } };
	const struct said over[] = { { __NR_setrlimit, { RLIMIT_NOFILE, DATA }, -EINVAL } };

	put_limit(alone, 10, 20);
	CHECK(alone, steps);
	get(alone, DATA + AT, &found, sizeof(found));
	assert_int_equal(found.rlim_cur, 10);
	assert_int_equal(found.rlim_max, 20);
	put_limit(alone, 10, 21);
	CHECK(alone, up);
	put_limit(alone, 11, 10);
	CHECK(alone, over);
}

/* How nice nubrun is, is nobody's business. */
static void it_is_as_nice_as_any(void **state)
{
	struct alone *alone = *state;
	const struct said steps[] = {
		{ __NR_getpriority, { PRIO_PROCESS, 0 }, 20 },
		{ __NR_setpriority, { PRIO_PROCESS, 0, 5 }, 0 },
		{ __NR_setpriority, { PRIO_PROCESS, 0, UINT64_MAX }, -EACCES },
	};

	CHECK(alone, steps);
}

static void usage_is_its_own(void **state)
{
	struct alone *alone = *state;
	struct rusage self, children;
	const struct said steps[] = {
		{ __NR_getrusage, { RUSAGE_SELF, DATA }, 0 },
		{ __NR_getrusage, { (uint64_t)RUSAGE_CHILDREN, DATA + AT }, 0 },
		{ __NR_getrusage, { 9, DATA }, -EINVAL },
		{ __NR_getrusage, { RUSAGE_SELF, NOWHERE }, -EFAULT },
	};

	put32(alone, DATA + AT, 7);
	CHECK(alone, steps);
	get(alone, DATA, &self, sizeof(self));
	get(alone, DATA + AT, &children, sizeof(children));
	assert_true(self.ru_maxrss > 0);
	assert_int_equal(children.ru_maxrss, 0);
	assert_int_equal(children.ru_utime.tv_sec, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_is_one_process, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(there_is_one_user, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(it_has_no_capability, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(limits_go_down, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(it_is_as_nice_as_any, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(usage_is_its_own, program_setup, program_teardown),
	};

	return cmocka_run_group_tests_name("who a Linux program is", tests, NULL, NULL);
}
