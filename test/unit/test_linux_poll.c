/* poll, select and epoll, held against the host's. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "linux_cases.h"

static const struct timespec no_time = { 0, 0 }, bad_time = { 0, 1000000000 };

static void test_poll(void **state)
{
	static const struct pollfd polls[] = {
		{ 3, POLLIN, 0 }, { 4, POLLOUT, 0 }, { -1, POLLIN, 7 }, { 99, POLLIN, 0 }
	};
	static const struct pollfd ends[] = { { 3, POLLIN | POLLOUT | POLLPRI, 0 }, { 4, POLLIN | POLLOUT, 0 } };
	static const struct pollfd other[] = { { 5, POLLIN | POLLOUT, 0 },
		                               { 6, POLLIN | POLLOUT, 0 },
		                               { 7, POLLIN | POLLOUT, 0 } };
	static const uint64_t both = 3 << 3, one = 1 << 3, closed = UINT64_C(1) << 20, many = 0xf8;
	static const struct cases_step steps[] = {
		{ SYS_pipe2, { OUT(8), V(O_NONBLOCK) } }, /* 3, 4 */
		{ SYS_poll, { DATA_OF(polls), V(4), V(0) } },
		{ SYS_write, { V(4), IN("x"), V(1) } },
		{ SYS_poll, { DATA_OF(polls), V(2), V(-1) } },
		{ SYS_poll, { DATA_OF(ends), V(2), V(0) } },
		{ SYS_poll, { NOWHERE, V(2), V(0) } },
		{ SYS_poll, { NOWHERE, V(0), V(0) } },
		{ SYS_ppoll, { DATA_OF(polls), V(2), V(0), V(0), V(0) } },
		{ SYS_ppoll, { DATA_OF(polls), V(2), DATA_OF(bad_time), V(0), V(0) } },
		{ SYS_ppoll, { DATA_OF(polls), V(2), DATA_OF(no_time), NOWHERE, V(8) } },
		{ SYS_ppoll, { DATA_OF(polls), V(2), DATA_OF(no_time), V(0), V(8) } },
		{ SYS_select, { V(5), DATA_OF(both), DATA_OF(both), DATA_OF(both), V(0) } },
		{ SYS_select, { V(5), DATA_OF(one), V(0), V(0), DATA_OF(no_time) } },
		{ SYS_select, { V(-1), DATA_OF(one), V(0), V(0), DATA_OF(no_time) } },
		{ SYS_select, { V(64), DATA_OF(closed), V(0), V(0), DATA_OF(no_time) } },
		{ SYS_select, { V(5), NOWHERE, V(0), V(0), DATA_OF(no_time) } },
		{ SYS_pselect6, { V(5), DATA_OF(one), V(0), V(0), DATA_OF(no_time), V(0) } },
		{ SYS_pselect6, { V(5), DATA_OF(one), V(0), V(0), DATA_OF(bad_time), V(0) } },
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR), V(0644) } },    /* 5 */
		{ SYS_eventfd2, { V(0), V(0) } },                                 /* 6 */
		{ SYS_socketpair, { V(AF_UNIX), V(SOCK_STREAM), V(0), OUT(8) } }, /* 7, 8 */
		{ SYS_poll, { DATA_OF(other), V(3), V(0) } },
		{ SYS_select, { V(8), DATA_OF(many), DATA_OF(many), DATA_OF(many), DATA_OF(no_time) } },
		{ SYS_close, { V(8) } },
		{ SYS_close, { V(4) } },
		{ SYS_poll, { DATA_OF(other), V(3), V(0) } },
		{ SYS_poll, { DATA_OF(ends), V(1), V(0) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_poll, { DATA_OF(ends), V(1), V(0) } },
		{ SYS_pipe, { OUT(8) } }, /* 4, 8 */
		{ SYS_close, { V(4) } },
		{ SYS_dup2, { V(8), V(4) } },
		{ SYS_poll, { DATA_OF(ends), V(2), V(0) } },
		{ SYS_openat, { CWD, S("."), V(O_PATH) } }, /* 9 */
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_epoll(void **state)
{
	static const struct epoll_event in = { EPOLLIN, { .u64 = 11 } }, edge = { EPOLLIN | EPOLLET, { .u64 = 12 } };
	static const struct epoll_event once = { EPOLLIN | EPOLLONESHOT, { .u64 = 13 } },
					out = { EPOLLOUT, { .u64 = 14 } };
	static const struct epoll_event out_edge = { EPOLLOUT | EPOLLET, { .u64 = 15 } };
	static const uint64_t one = 1;
	static const struct cases_step steps[] = {
		{ SYS_epoll_create1, { V(1) } },
		{ SYS_epoll_create, { V(0) } },
		{ SYS_epoll_create1, { V(EPOLL_CLOEXEC) } }, /* 3 */
		{ SYS_pipe2, { OUT(8), V(O_NONBLOCK) } },    /* 4, 5 */
		{ SYS_eventfd2, { V(0), V(EFD_NONBLOCK) } }, /* 6 */
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(0), V(0) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(-1), V(0) } },
		{ SYS_epoll_wait, { V(4), OUT(64), V(1), V(0) } },
		{ SYS_epoll_wait, { V(99), OUT(64), V(1), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_ADD), V(4), DATA_OF(in) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_ADD), V(4), DATA_OF(in) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_MOD), V(6), DATA_OF(in) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_DEL), V(6), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(9), V(4), DATA_OF(in) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_ADD), V(99), DATA_OF(in) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_ADD), V(3), DATA_OF(in) } },
		{ SYS_epoll_ctl, { V(4), V(EPOLL_CTL_ADD), V(6), DATA_OF(in) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_ADD), V(6), NOWHERE } },
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR), V(0644) } }, /* 7 */
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_ADD), V(7), DATA_OF(in) } },
		{ SYS_close, { V(7) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_write, { V(5), IN("x"), V(1) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } }, /* level: again */
		{ SYS_epoll_wait, { V(3), NOWHERE, V(4), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_MOD), V(4), DATA_OF(edge) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } }, /* edge: not again */
		{ SYS_write, { V(5), IN("y"), V(1) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_read, { V(4), OUT(1), V(1) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_MOD), V(4), DATA_OF(once) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_write, { V(5), IN("z"), V(1) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_MOD), V(4), DATA_OF(once) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_ADD), V(5), DATA_OF(out_edge) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_ADD), V(6), DATA_OF(edge) } },
		{ SYS_write, { V(6), DATA_OF(one), V(8) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_write, { V(6), DATA_OF(one), V(8) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_DEL), V(6), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_MOD), V(4), DATA_OF(in) } },
		{ SYS_epoll_create1, { V(0) } }, /* 7 */
		{ SYS_epoll_ctl, { V(7), V(EPOLL_CTL_ADD), V(3), DATA_OF(in) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_ADD), V(7), DATA_OF(in) } },
		{ SYS_epoll_wait, { V(7), OUT(64), V(4), V(0) } },
		{ SYS_epoll_pwait, { V(7), OUT(64), V(4), V(0), V(0), V(0) } },
		{ SYS_epoll_pwait, { V(7), OUT(64), V(4), V(0), NOWHERE, V(8) } },
		{ SYS_epoll_pwait, { V(7), OUT(64), V(4), V(0), DATA_OF(one), V(4) } },
		{ SYS_dup, { V(4) } }, /* 8 */
		{ SYS_close, { V(4) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } }, /* the description is still open */
		{ SYS_close, { V(8) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } },
		{ SYS_epoll_ctl, { V(3), V(EPOLL_CTL_MOD), V(5), DATA_OF(out) } },
		{ SYS_epoll_wait, { V(3), OUT(64), V(4), V(0) } }, /* an error: nobody reads */
	};

	(void)state;
	CASES_COMPARE(steps);
}

static int64_t watch(struct alone *alone, int64_t watcher, int64_t watched)
{
	static const struct epoll_event in = { EPOLLIN, { .u64 = 1 } };
	const struct cases_step add = { SYS_epoll_ctl, { V(watcher), V(EPOLL_CTL_ADD), V(watched), DATA_OF(in) } };
	struct cases_result *result = malloc(sizeof(*result));

	cases_guest_step(alone, &add, result);
	const int64_t value = result->result;
	free(result);
	return value;
}

static int64_t make_instance(struct alone *alone)
{
	return fake_call(alone->linux, SYS_epoll_create1, 0, 0, 0, 0, 0, 0);
}

/* Instances in instances are looked at one in the other: few of them, lest a program keep nubrun busy. */
static void test_nested_instances(void **state)
{
	const struct nub_linux_config config = fake_config();
	struct alone alone;

	(void)state;
	program_init(&alone, &config);
	/* A chain, which is as long as Linux allows, at both ends. */
	int64_t chain[6];
	for (size_t i = 0; i < 6; i++) {
		chain[i] = make_instance(&alone);
		assert_true(chain[i] >= 0);
	}
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(watch(&alone, chain[i - 1], chain[i]), 0);
	assert_int_equal(watch(&alone, chain[4], chain[5]), -ELOOP);
	assert_int_equal(watch(&alone, chain[5], chain[0]), -ELOOP);
	assert_int_equal(watch(&alone, chain[4], chain[0]), -ELOOP);
	/* Pairs: sixteen nestings in all. */
	for (unsigned pairs = 4; pairs < 16; pairs++)
		assert_int_equal(watch(&alone, make_instance(&alone), make_instance(&alone)), 0);
	assert_int_equal(watch(&alone, make_instance(&alone), make_instance(&alone)), -EINVAL);
	alone_release(&alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_epoll),
		cmocka_unit_test(test_nested_instances),
	};

	return cmocka_run_group_tests_name("poll and epoll of Linux programs", tests, NULL, NULL);
}
