/* Locks of files, seals, socket options, vectors of buffers, scheduling and prctl, held against the host's. */
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "linux_cases.h"

static void test_locks(void **state)
{
	static const struct flock read_lock = { .l_type = F_RDLCK }, write_lock = { .l_type = F_WRLCK },
				  part = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -1, .l_len = 1 },
				  unlock = { .l_type = F_UNLCK }, no_type = { .l_type = 9 },
				  no_whence = { .l_type = F_RDLCK, .l_whence = 9 },
				  others = { .l_type = F_WRLCK, .l_pid = 1 };
	static const struct cases_step steps[] = {
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR), V(0644) } }, /* 3 */
		{ SYS_openat, { CWD, S("f"), V(O_RDONLY) } },                  /* 4 */
		{ SYS_openat, { CWD, S("f"), V(O_WRONLY) } },                  /* 5 */
		{ SYS_pipe, { OUT(8) } },                                      /* 6, 7 */
		{ SYS_write, { V(3), IN("text"), V(4) } },
		{ SYS_fcntl, { V(3), V(F_GETLK), DATA_OF(write_lock) } },
		{ SYS_fcntl, { V(3), V(F_SETLK), DATA_OF(write_lock) } },
		{ SYS_fcntl, { V(3), V(F_SETLKW), DATA_OF(part) } },
		{ SYS_fcntl, { V(3), V(F_SETLK), DATA_OF(unlock) } },
		{ SYS_fcntl, { V(4), V(F_SETLK), DATA_OF(read_lock) } },
		{ SYS_fcntl, { V(4), V(F_SETLK), DATA_OF(write_lock) } },
		{ SYS_fcntl, { V(4), V(F_SETLK), DATA_OF(unlock) } },
		{ SYS_fcntl, { V(5), V(F_SETLK), DATA_OF(read_lock) } },
		{ SYS_fcntl, { V(3), V(F_SETLK), DATA_OF(no_type) } },
		{ SYS_fcntl, { V(3), V(F_SETLK), DATA_OF(no_whence) } },
		{ SYS_fcntl, { V(3), V(F_GETLK), DATA_OF(unlock) } },
		{ SYS_fcntl, { V(3), V(F_SETLK), NOWHERE } },
		{ SYS_fcntl, { V(99), V(F_SETLK), DATA_OF(read_lock) } },
		{ SYS_fcntl, { V(3), V(F_OFD_SETLK), DATA_OF(others) } },
		{ SYS_fcntl, { V(3), V(F_OFD_SETLK), DATA_OF(write_lock) } },
		{ SYS_fcntl, { V(3), V(F_OFD_GETLK), DATA_OF(write_lock) } },
		{ SYS_fcntl, { V(3), V(F_OFD_SETLKW), DATA_OF(unlock) } },
		{ SYS_flock, { V(3), V(LOCK_SH) } },
		{ SYS_flock, { V(4), V(LOCK_SH | LOCK_NB) } },
		{ SYS_flock, { V(5), V(LOCK_EX | LOCK_NB) } },
		{ SYS_flock, { V(4), V(LOCK_UN) } },
		{ SYS_flock, { V(3), V(LOCK_EX | LOCK_NB) } },
		{ SYS_flock, { V(3), V(0) } },
		{ SYS_flock, { V(99), V(LOCK_SH) } },
		{ SYS_flock, { V(6), V(LOCK_SH) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

/* The host knows the lock as nubrun's, of whose pid a program is not told. */
static void a_lock_is_the_programs(void **state)
{
	static const struct flock lock = { .l_type = F_WRLCK };
	char folder[] = "/tmp/nub-locks-XXXXXX", path[sizeof(folder) + 2];
	static const struct cases_step open_file = { SYS_openat,
		                                     { CWD, S("/granted/f"), V(O_CREAT | O_RDWR), V(0644) } };
	static const struct cases_step set = { SYS_fcntl, { V(3), V(F_SETLK), DATA_OF(lock) } };
	static const struct cases_step look = { SYS_fcntl, { V(3), V(F_OFD_GETLK), DATA_OF(lock) } };
	const struct nub_linux_grant grant = {
		.kind = NUB_LINUX_GRANT_DIR, .host = mkdtemp(folder), .guest = "/granted", .writable = true
	};
	struct nub_linux_config config = fake_config();
	struct cases_result *result = malloc(sizeof(*result));
	struct alone alone;
	struct flock found;

	(void)state;
	config.grants = &grant;
	config.grant_count = 1;
	program_init(&alone, &config);
	cases_guest_step(&alone, &open_file, result);
	assert_int_equal(result->result, 3);
	cases_guest_step(&alone, &set, result);
	assert_int_equal(result->result, 0);
	cases_guest_step(&alone, &look, result);
	assert_int_equal(result->result, 0);
	memcpy(&found, result->memory + 2 * SLOT, sizeof(found));
	assert_int_equal(found.l_type, F_WRLCK);
	assert_int_equal(found.l_pid, alone.linux->pid);
	assert_int_not_equal(found.l_pid, getpid());
	alone_release(&alone);
	free(result);
	snprintf(path, sizeof(path), "%s/f", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void test_seals(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_memfd_create, { S("m"), V(MFD_ALLOW_SEALING) } }, /* 3 */
		{ SYS_pipe, { OUT(8) } },                               /* 4, 5 */
		{ SYS_fcntl, { V(3), V(F_GET_SEALS) } },
		{ SYS_fcntl, { V(3), V(F_ADD_SEALS), V(1 << 20) } },
		{ SYS_fcntl, { V(3), V(F_ADD_SEALS), V(F_SEAL_GROW | F_SEAL_SEAL) } },
		{ SYS_fcntl, { V(3), V(F_ADD_SEALS), V(F_SEAL_WRITE) } },
		{ SYS_write, { V(3), IN("x"), V(1) } },
		{ SYS_fcntl, { V(3), V(F_GET_SEALS) } },
		{ SYS_fcntl, { V(4), V(F_GET_SEALS) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_socket_options(void **state)
{
	static const int32_t four = 4, none = 0, negative = -1, twelve = 12, sixteen = 16;
	static const struct cases_step steps[] = {
		{ SYS_socketpair, { V(AF_UNIX), V(SOCK_DGRAM), V(0), OUT(8) } }, /* 3, 4 */
		{ SYS_pipe, { OUT(8) } },                                        /* 5, 6 */
		{ SYS_getsockname, { V(3), OUT(16), DATA_OF(sixteen) } },
		{ SYS_getsockname, { V(3), OUT(16), DATA_OF(none) } },
		{ SYS_getpeername, { V(4), OUT(16), DATA_OF(sixteen) } },
		{ SYS_getsockname, { V(3), OUT(16), DATA_OF(negative) } },
		{ SYS_getsockname, { V(3), OUT(16), NOWHERE } },
		{ SYS_getsockname, { V(5), OUT(16), DATA_OF(sixteen) } },
		{ SYS_getsockname, { V(99), OUT(16), DATA_OF(sixteen) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_TYPE), OUT(4), DATA_OF(four) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_DOMAIN), OUT(4), DATA_OF(twelve) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_PROTOCOL), OUT(4), DATA_OF(four) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_ERROR), OUT(4), DATA_OF(four) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_SNDBUF), OUT(4), DATA_OF(four) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_RCVBUF), OUT(4), DATA_OF(none) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_PEERCRED), IGNORED, DATA_OF(twelve) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(9999), OUT(4), DATA_OF(four) } },
		{ SYS_getsockopt, { V(3), V(IPPROTO_TCP), V(1), OUT(4), DATA_OF(four) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_TYPE), NOWHERE, DATA_OF(four) } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_TYPE), OUT(4), NOWHERE } },
		{ SYS_getsockopt, { V(3), V(SOL_SOCKET), V(SO_TYPE), OUT(4), DATA_OF(negative) } },
		{ SYS_getsockopt, { V(5), V(SOL_SOCKET), V(SO_TYPE), OUT(4), DATA_OF(four) } },
		{ SYS_setsockopt, { V(3), V(SOL_SOCKET), V(SO_REUSEADDR), DATA_OF(four), V(4) } },
		{ SYS_setsockopt, { V(3), V(SOL_SOCKET), V(SO_REUSEADDR), DATA_OF(four), V(3) } },
		{ SYS_setsockopt, { V(3), V(SOL_SOCKET), V(SO_REUSEADDR), NOWHERE, V(4) } },
		{ SYS_setsockopt, { V(3), V(SOL_SOCKET), V(9999), DATA_OF(four), V(4) } },
		{ SYS_setsockopt, { V(3), V(IPPROTO_TCP), V(1), DATA_OF(four), V(4) } },
		{ SYS_setsockopt, { V(5), V(SOL_SOCKET), V(SO_REUSEADDR), DATA_OF(four), V(4) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_vectors(void **state)
{
	static const struct iovec nothing[] = { { NULL, 0 }, { NULL, 0 } }, nowhere[] = { { (void *)4096, 1 } },
				  huge[] = { { NULL, SSIZE_MAX }, { NULL, 1 } };
	static const struct cases_step steps[] = {
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR), V(0644) } }, /* 3 */
		{ SYS_openat, { CWD, S("f"), V(O_RDONLY) } },                  /* 4 */
		{ SYS_pipe, { OUT(8) } },                                      /* 5, 6 */
		{ SYS_write, { V(3), IN("text"), V(4) } },
		{ SYS_readv, { V(4), DATA_OF(nothing), V(2) } },
		{ SYS_readv, { V(4), DATA_OF(nowhere), V(1) } },
		{ SYS_readv, { V(4), DATA_OF(huge), V(2) } },
		{ SYS_readv, { V(4), DATA_OF(nothing), V(-1) } },
		{ SYS_readv, { V(4), DATA_OF(nothing), V(IOV_MAX + 1) } },
		{ SYS_readv, { V(4), NOWHERE, V(1) } },
		{ SYS_readv, { V(4), NOWHERE, V(0) } },
		{ SYS_readv, { V(99), DATA_OF(nothing), V(1) } },
		{ SYS_readv, { V(6), DATA_OF(nothing), V(1) } },
		{ SYS_writev, { V(3), DATA_OF(nothing), V(2) } },
		{ SYS_writev, { V(3), DATA_OF(nowhere), V(1) } },
		{ SYS_writev, { V(4), DATA_OF(nothing), V(1) } },
		{ SYS_preadv, { V(4), DATA_OF(nothing), V(2), V(-1) } },
		{ SYS_preadv, { V(4), DATA_OF(nothing), V(2), V(2) } },
		{ SYS_preadv, { V(5), DATA_OF(nothing), V(2), V(2) } },
		{ SYS_pwritev, { V(3), DATA_OF(nothing), V(2), V(-1) } },
		{ SYS_pwritev, { V(3), DATA_OF(nowhere), V(1), V(INT64_MAX) } },
		{ SYS_preadv2, { V(4), DATA_OF(nothing), V(2), V(-1), V(0), V(0) } },
		{ SYS_preadv2, { V(4), DATA_OF(nothing), V(2), V(-2), V(0), V(0) } },
		{ SYS_preadv2, { V(4), DATA_OF(nowhere), V(1), V(0), V(0), V(1 << 20) } },
		{ SYS_preadv2, { V(99), DATA_OF(nothing), V(2), V(0), V(0), V(1 << 20) } },
		{ SYS_pwritev2, { V(3), DATA_OF(nothing), V(2), V(0), V(0), V(RWF_DSYNC) } },
		{ SYS_pwritev2, { V(3), DATA_OF(nothing), V(2), V(-1), V(0), V(RWF_APPEND) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_scheduling(void **state)
{
	static const int32_t zero = 0, one = 1, hundred = 100;
	static const uint64_t first = 1, nobody = 0;
	static const struct cases_step steps[] = {
		{ SYS_sched_getscheduler, { V(0) } },
		{ SYS_sched_getscheduler, { V(-1) } },
		{ SYS_sched_getparam, { V(0), OUT(4) } },
		{ SYS_sched_getparam, { V(0), V(0) } },
		{ SYS_sched_getparam, { V(-1), OUT(4) } },
		{ SYS_sched_getparam, { V(0), NOWHERE } },
		{ SYS_sched_setscheduler, { V(0), V(SCHED_OTHER), DATA_OF(zero) } },
		{ SYS_sched_setscheduler, { V(0), V(SCHED_OTHER), DATA_OF(one) } },
		{ SYS_sched_setscheduler, { V(0), V(SCHED_BATCH), DATA_OF(zero) } },
		{ SYS_sched_setscheduler, { V(0), V(SCHED_FIFO), DATA_OF(zero) } },
		{ SYS_sched_setscheduler, { V(0), V(SCHED_RR), DATA_OF(hundred) } },
		{ SYS_sched_setscheduler, { V(0), V(99), DATA_OF(zero) } },
		{ SYS_sched_setscheduler, { V(0), V(SCHED_OTHER), V(0) } },
		{ SYS_sched_setscheduler, { V(0), V(SCHED_OTHER), NOWHERE } },
		{ SYS_sched_setscheduler, { V(-1), V(SCHED_OTHER), DATA_OF(zero) } },
		{ SYS_sched_setscheduler, { V(0x7ffffff0), V(SCHED_OTHER), DATA_OF(zero) } },
		{ SYS_sched_setparam, { V(0), DATA_OF(zero) } },
		{ SYS_sched_setparam, { V(0), DATA_OF(one) } },
		{ SYS_sched_get_priority_max, { V(SCHED_FIFO) } },
		{ SYS_sched_get_priority_min, { V(SCHED_RR) } },
		{ SYS_sched_get_priority_max, { V(SCHED_IDLE) } },
		{ SYS_sched_get_priority_min, { V(99) } },
		{ SYS_sched_setaffinity, { V(0), V(8), DATA_OF(first) } },
		{ SYS_sched_setaffinity, { V(0), V(8), DATA_OF(nobody) } },
		{ SYS_sched_setaffinity, { V(0), V(8), NOWHERE } },
		{ SYS_sched_setaffinity, { V(0x7ffffff0), V(8), DATA_OF(first) } },
		{ SYS_getpriority, { V(99), V(0) } },
		{ SYS_setpriority, { V(99), V(0), V(0) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_prctl(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_prctl, { V(PR_SET_NAME), S("a name of more than sixteen") } },
		{ SYS_prctl, { V(PR_GET_NAME), OUT(16) } },
		{ SYS_prctl, { V(PR_SET_NAME), NOWHERE } },
		{ SYS_prctl, { V(PR_GET_NAME), NOWHERE } },
		{ SYS_prctl, { V(PR_GET_PDEATHSIG), OUT(4) } },
		{ SYS_prctl, { V(PR_GET_PDEATHSIG), NOWHERE } },
		{ SYS_prctl, { V(PR_SET_PDEATHSIG), V(65) } },
		{ SYS_prctl, { V(PR_SET_PDEATHSIG), V(0) } },
		{ SYS_prctl, { V(PR_GET_DUMPABLE) } },
		{ SYS_prctl, { V(PR_SET_DUMPABLE), V(1) } },
		{ SYS_prctl, { V(PR_SET_DUMPABLE), V(2) } },
		{ SYS_prctl, { V(PR_SET_NO_NEW_PRIVS), V(0) } },
		{ SYS_prctl, { V(PR_SET_NO_NEW_PRIVS), V(1), V(0), V(0), V(0) } },
		{ SYS_prctl, { V(PR_SET_NO_NEW_PRIVS), V(1), V(1), V(0), V(0) } },
		{ SYS_prctl, { V(PR_GET_NO_NEW_PRIVS), V(0), V(0), V(0), V(0) } },
		{ SYS_prctl, { V(PR_GET_TIMERSLACK) } },
		{ SYS_prctl, { V(PR_CAPBSET_READ), V(1000) } },
		{ SYS_prctl, { V(12345) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

/* A file system may have attributes; where nothing is, all say the same. */
static void test_attributes_of_nothing(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_getxattr, { S("gone"), S("user.x"), OUT(8), V(8) } },
		{ SYS_lgetxattr, { S("gone"), S("user.x"), OUT(8), V(8) } },
		{ SYS_fgetxattr, { V(99), S("user.x"), OUT(8), V(8) } },
		{ SYS_setxattr, { S("gone"), S("user.x"), IN("v"), V(1), V(0) } },
		{ SYS_removexattr, { S("gone"), S("user.x") } },
		{ SYS_lremovexattr, { S("gone"), S("user.x") } },
		{ SYS_fremovexattr, { V(99), S("user.x") } },
		{ SYS_listxattr, { S("gone"), OUT(8), V(8) } },
		{ SYS_llistxattr, { S("gone"), OUT(8), V(8) } },
		{ SYS_flistxattr, { V(99), OUT(8), V(8) } },
		{ SYS_listxattr, { NOWHERE, OUT(8), V(8) } },
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR), V(0644) } }, /* 3 */
		{ SYS_listxattr, { S("f"), OUT(8), V(8) } },
		{ SYS_llistxattr, { S("f"), OUT(8), V(8) } },
		{ SYS_flistxattr, { V(3), OUT(8), V(8) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locks),   cmocka_unit_test(a_lock_is_the_programs),
		cmocka_unit_test(test_seals),   cmocka_unit_test(test_socket_options),
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_scheduling),
		cmocka_unit_test(test_prctl),   cmocka_unit_test(test_attributes_of_nothing),
	};

	return cmocka_run_group_tests_name("locks, options and scheduling of Linux programs", tests, NULL, NULL);
}
