/* Pipes, socket pairs, counters, timers and files without names, held against the host's. */
#include <linux/memfd.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "linux_cases.h"
#include "personality/linux/files.h"

static const uint8_t big[8000] = { 1, 2, 3 };

static void test_pipes(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_pipe2, { OUT(8), V(O_NONBLOCK) } }, /* 3, 4 */
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_write, { V(4), IN("hello"), V(5) } },
		{ SYS_ioctl, { V(3), V(FIONREAD), OUT(4) } },
		{ SYS_read, { V(3), OUT(8), V(2) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_read, { V(3), OUT(8), V(0) } },
		{ SYS_write, { V(4), IN(""), V(0) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_write, { V(3), IN("x"), V(1) } },
		{ SYS_pread64, { V(3), OUT(8), V(8), V(0) } },
		{ SYS_lseek, { V(3), V(0), V(SEEK_CUR) } },
		{ SYS_ftruncate, { V(4), V(0) } },
		{ SYS_fallocate, { V(4), V(0), V(0), V(1) } },
		{ SYS_fsync, { V(4) } },
		{ SYS_getdents64, { V(3), IGNORED, V(100) } },
		{ SYS_ioctl, { V(3), V(TCGETS), IGNORED } },
		{ SYS_fcntl, { V(3), V(F_GETFL) } },
		{ SYS_fcntl, { V(4), V(F_GETFL) } },
		{ SYS_fcntl, { V(3), V(F_GETPIPE_SZ) } },
		{ SYS_fcntl, { V(3), V(F_SETPIPE_SZ), V(5000) } },
		{ SYS_fcntl, { V(3), V(F_GETPIPE_SZ) } },
		{ SYS_write, { V(4), DATA_OF(big), V(8000) } },
		{ SYS_write, { V(4), DATA_OF(big), V(4096) } },
		{ SYS_fcntl, { V(3), V(F_SETPIPE_SZ), V(4096) } },
		{ SYS_read, { V(3), OUT(8000), V(8000) } },
		{ SYS_write, { V(4), NOWHERE, V(8) } },
		{ SYS_write, { V(4), IN("x"), V(1) } },
		{ SYS_read, { V(3), NOWHERE, V(8) } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_close, { V(4) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_pipe, { OUT(8) } }, /* 4, 5 */
		{ SYS_close, { V(4) } },
		{ SYS_write, { V(5), IN("x"), V(1) } },
		{ SYS_pipe2, { OUT(8), V(0x10) } },
		{ SYS_pipe2, { NOWHERE, V(0) } },
		{ SYS_dup, { V(3) } }, /* 4 */
	};

	(void)state;
	CASES_COMPARE(steps);
}

/* By its name in /proc: at either end or both, and at neither. What is left is a pipe as long as one has it. */
static void test_pipes_by_name(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_pipe2, { OUT(8), V(O_NONBLOCK) } }, /* 3, 4 */
		{ SYS_openat, { CWD, S("/proc/self/fd/3"), V(O_ACCMODE) } },
		{ SYS_openat, { CWD, S("/proc/self/fd/4"), V(O_ACCMODE | O_NONBLOCK) } },
		{ SYS_openat, { CWD, S("/proc/self/fd/4"), V(O_RDWR) } }, /* 5 */
		{ SYS_close, { V(3) } },
		{ SYS_close, { V(4) } },
		{ SYS_write, { V(5), IN("x"), V(1) } },
		{ SYS_close, { V(5) } },
		{ SYS_fstat, { V(5), STAT } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_sockets(void **state)
{
	static const int32_t four = 4, minus = -1, two = 2;
	static const struct cases_step steps[] = {
		{ SYS_socketpair, { V(AF_UNIX), V(SOCK_STREAM | SOCK_NONBLOCK), V(0), OUT(8) } }, /* 3, 4 */
		{ SYS_write, { V(3), IN("hello"), V(5) } },
		{ SYS_recvfrom, { V(4), OUT(8), V(3), V(MSG_PEEK), V(0), V(0) } },
		{ SYS_recvfrom, { V(4), OUT(8), V(8), V(0), V(0), V(0) } },
		{ SYS_recvfrom, { V(4), OUT(8), V(8), V(0), V(0), V(0) } },
		{ SYS_sendto, { V(4), IN("back"), V(4), V(MSG_NOSIGNAL), V(0), V(0) } },
		{ SYS_ioctl, { V(3), V(FIONREAD), OUT(4) } },
		{ SYS_read, { V(3), OUT(2), V(2) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_fcntl, { V(3), V(F_GETFL) } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_lseek, { V(3), V(0), V(0) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_TYPE), OUT(4), DATA_OF(four) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_DOMAIN), OUT(4), DATA_OF(two) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_ERROR), OUT(4), DATA_OF(four) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_TYPE), OUT(4), DATA_OF(minus) } },
		{ SYS_getsockopt, { V(0), V(SOL_SOCKET), V(SO_TYPE), OUT(4), DATA_OF(four) } },
		{ SYS_getsockopt, { V(99), V(SOL_SOCKET), V(SO_TYPE), OUT(4), DATA_OF(four) } },
		{ SYS_shutdown, { V(3), V(9) } },
		{ SYS_shutdown, { V(3), V(SHUT_WR) } },
		{ SYS_write, { V(3), IN("x"), V(1) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_write, { V(4), IN("y"), V(1) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_write, { V(4), IN("unread"), V(6) } },
		{ SYS_close, { V(3) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_write, { V(4), IN("x"), V(1) } },
		{ SYS_sendto, { V(4), IN("x"), V(1), V(MSG_NOSIGNAL), V(0), V(0) } },
		{ SYS_close, { V(4) } },
		{ SYS_socketpair, { V(AF_UNIX), V(SOCK_DGRAM | SOCK_NONBLOCK), V(0), OUT(8) } }, /* 3, 4 */
		{ SYS_write, { V(3), IN("first"), V(5) } },
		{ SYS_write, { V(3), IN(""), V(0) } },
		{ SYS_write, { V(3), IN("third"), V(5) } },
		{ SYS_read, { V(4), OUT(8), V(2) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_recvfrom, { V(4), OUT(8), V(2), V(MSG_TRUNC), V(0), V(0) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_close, { V(4) } },
		{ SYS_write, { V(3), IN("x"), V(1) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_close, { V(3) } },
		{ SYS_socketpair, { V(AF_UNIX), V(SOCK_SEQPACKET | SOCK_NONBLOCK), V(0), OUT(8) } }, /* 3, 4 */
		{ SYS_write, { V(3), IN("one"), V(3) } },
		{ SYS_write, { V(3), IN("two"), V(3) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_close, { V(3) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_socketpair, { V(AF_UNIX), V(77), V(0), OUT(8) } },
		{ SYS_socketpair, { V(AF_UNIX), V(SOCK_STREAM), V(7), IGNORED } },
		{ SYS_socketpair, { V(AF_UNIX), V(SOCK_STREAM), V(0), NOWHERE } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_events(void **state)
{
	static const uint64_t three = 3, none = 0, most = UINT64_MAX - 1, too_much = UINT64_MAX;
	static const struct cases_step steps[] = {
		{ SYS_eventfd2, { V(2), V(EFD_NONBLOCK) } }, /* 3 */
		{ SYS_write, { V(3), DATA_OF(three), V(8) } },
		{ SYS_read, { V(3), OUT(8), V(7) } },
		{ SYS_read, { V(3), OUT(16), V(16) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_write, { V(3), DATA_OF(three), V(4) } },
		{ SYS_write, { V(3), DATA_OF(too_much), V(8) } },
		{ SYS_write, { V(3), DATA_OF(most), V(8) } },
		{ SYS_write, { V(3), DATA_OF(three), V(8) } },
		{ SYS_write, { V(3), DATA_OF(none), V(8) } },
		{ SYS_write, { V(3), NOWHERE, V(8) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_lseek, { V(3), V(0), V(0) } },
		{ SYS_pread64, { V(3), OUT(8), V(8), V(0) } },
		{ SYS_fcntl, { V(3), V(F_GETFL) } },
		{ SYS_eventfd2, { V(2), V(EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC) } }, /* 4 */
		{ SYS_fcntl, { V(4), V(F_GETFD) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_eventfd2, { V(0), V(0x10) } },
		{ SYS_eventfd, { V(7) } }, /* 5 */
		{ SYS_read, { V(5), OUT(8), V(8) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_timers(void **state)
{
	static const struct itimerspec past = { { 0, 0 }, { 0, 1 } }, later = { { 5, 0 }, { 1000, 0 } }, off = { 0 };
	static const struct itimerspec bad = { { 0, 0 }, { 0, 1000000000 } };
	static const struct cases_step steps[] = {
		{ SYS_timerfd_create, { V(CLOCK_MONOTONIC), V(TFD_NONBLOCK) } }, /* 3 */
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_timerfd_gettime, { V(3), OUT(32) } },
		{ SYS_timerfd_settime, { V(3), V(TFD_TIMER_ABSTIME), DATA_OF(past), OUT(32) } },
		{ SYS_read, { V(3), OUT(8), V(4) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_timerfd_settime, { V(3), V(0), DATA_OF(later), V(0) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_timerfd_settime, { V(3), V(0), DATA_OF(off), IGNORED } },
		{ SYS_timerfd_gettime, { V(3), OUT(32) } },
		{ SYS_timerfd_settime, { V(3), V(0), DATA_OF(bad), V(0) } },
		{ SYS_timerfd_settime, { V(3), V(8), DATA_OF(off), V(0) } },
		{ SYS_timerfd_settime, { V(3), V(0), NOWHERE, V(0) } },
		{ SYS_timerfd_settime, { V(99), V(0), DATA_OF(off), V(0) } },
		{ SYS_timerfd_settime, { V(0), V(0), DATA_OF(off), V(0) } },
		{ SYS_timerfd_gettime, { V(99), OUT(32) } },
		{ SYS_timerfd_create, { V(99), V(0) } },
		{ SYS_timerfd_create, { V(CLOCK_MONOTONIC), V(1) } },
		{ SYS_timerfd_create, { V(CLOCK_REALTIME), V(0) } }, /* 4 */
		{ SYS_write, { V(3), OUT(8), V(8) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_memfd(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_memfd_create, { S("name"), V(MFD_ALLOW_SEALING | MFD_CLOEXEC) } }, /* 3 */
		{ SYS_fcntl, { V(3), V(F_GETFD) } },
		{ SYS_fcntl, { V(3), V(F_GETFL) } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_write, { V(3), IN("0123456789"), V(10) } },
		{ SYS_fcntl, { V(3), V(F_GET_SEALS) } },
		{ SYS_fcntl, { V(3), V(F_ADD_SEALS), V(0x1000) } },
		{ SYS_fcntl, { V(3), V(F_ADD_SEALS), V(F_SEAL_GROW) } },
		{ SYS_write, { V(3), IN("x"), V(1) } },
		{ SYS_ftruncate, { V(3), V(100) } },
		{ SYS_fallocate, { V(3), V(0), V(0), V(100) } },
		{ SYS_ftruncate, { V(3), V(8) } },
		{ SYS_pwrite64, { V(3), IN("y"), V(1), V(0) } },
		{ SYS_fcntl, { V(3), V(F_ADD_SEALS), V(F_SEAL_SHRINK | F_SEAL_WRITE) } },
		{ SYS_ftruncate, { V(3), V(1) } },
		{ SYS_pwrite64, { V(3), IN("y"), V(1), V(0) } },
		{ SYS_fallocate, { V(3), V(3), V(0), V(4) } },
		{ SYS_fcntl, { V(3), V(F_ADD_SEALS), V(F_SEAL_SEAL) } },
		{ SYS_fcntl, { V(3), V(F_ADD_SEALS), V(F_SEAL_GROW) } },
		{ SYS_fcntl, { V(3), V(F_GET_SEALS) } },
		{ SYS_pread64, { V(3), OUT(16), V(16), V(0) } },
		{ SYS_memfd_create, { S(""), V(0) } }, /* 4 */
		{ SYS_fcntl, { V(4), V(F_GET_SEALS) } },
		{ SYS_fcntl, { V(4), V(F_ADD_SEALS), V(F_SEAL_GROW) } },
		{ SYS_memfd_create, { S("x"), V(0x80) } },
		{ SYS_memfd_create, { NOWHERE, V(0) } },
		{ SYS_readlink, { S("/proc/self/fd/4"), OUT(64), V(64) } },
		{ SYS_openat, { CWD, S("/proc/self/fd/4"), V(O_RDWR) } }, /* 5 */
		{ SYS_write, { V(5), IN("shared"), V(6) } },
		{ SYS_read, { V(4), OUT(8), V(8) } },
		{ SYS_pipe2, { OUT(8), V(O_NONBLOCK) } },                                /* 6, 7 */
		{ SYS_openat, { CWD, S("/proc/self/fd/7"), V(O_RDONLY | O_NONBLOCK) } }, /* 8 */
		{ SYS_write, { V(7), IN("again"), V(5) } },
		{ SYS_read, { V(8), OUT(8), V(8) } },
		{ SYS_eventfd2, { V(0), V(0) } }, /* 9 */
		{ SYS_openat, { CWD, S("/proc/self/fd/9"), V(O_RDONLY) } },
		{ SYS_readlink, { S("/proc/self/fd/9"), OUT(64), V(64) } },
		{ SYS_openat, { CWD, S("/dev/fd/99"), V(O_RDONLY) } },
		{ SYS_openat, { CWD, S("/proc/self/fd/04"), V(O_RDONLY) } },
		{ SYS_stat, { S("/proc/self/fd/6"), STAT } },
		{ SYS_lstat, { S("/proc/self/fd/nothing"), STAT } },
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR), V(0644) } }, /* 10 */
		{ SYS_write, { V(10), IN("kept"), V(4) } },
		{ SYS_unlink, { S("f") } },
		{ SYS_openat, { CWD, S("/proc/self/fd/10"), V(O_RDONLY) } }, /* 11 */
		{ SYS_read, { V(11), OUT(8), V(8) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

/* All pipes together hold no more than NUB_LINUX_RINGS_MAX; then those that are made hold a page, and none can be made larger. */
static void test_room_of_all_pipes(void **state)
{
	enum { MIB = 1 << 20, LIMIT = 1000 };
	struct alone *alone = *state;
	int64_t larger = 0, made = 0, got = 0;
	int fds[2];

	for (; made < LIMIT; made++) {
		assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), 0);
		get(alone, DATA, fds, sizeof(fds));
		got = call(alone, SYS_fcntl, (uint64_t)fds[0], F_SETPIPE_SZ, MIB, 0, 0, 0);
		if (got != MIB)
			break;
		larger++;
	}
	assert_int_equal(got, -EPERM);
	assert_in_range(larger, NUB_LINUX_RINGS_MAX / MIB - 2, NUB_LINUX_RINGS_MAX / MIB);
	for (got = 0; got != NUB_PAGE_SIZE && made < LIMIT; made++) {
		assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), 0);
		get(alone, DATA, fds, sizeof(fds));
		got = call(alone, SYS_fcntl, (uint64_t)fds[0], F_GETPIPE_SZ, 0, 0, 0, 0);
	}
	assert_int_equal(got, NUB_PAGE_SIZE);
	assert_true(alone->linux->files->ring_bytes <= (uint64_t)NUB_LINUX_RINGS_MAX + NUB_PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipes),
		cmocka_unit_test(test_pipes_by_name),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_memfd),
		cmocka_unit_test_setup_teardown(test_room_of_all_pipes, program_setup, program_teardown),
	};

	return cmocka_run_group_tests_name("pipes of Linux programs", tests, NULL, NULL);
}
