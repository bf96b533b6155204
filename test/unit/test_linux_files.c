/* Calls on files, held against the host's: errors, offsets, what is where afterwards. The cases are the manual pages'. */
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "linux_cases.h"

static void test_open(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_openat, { CWD, S("none"), V(O_RDONLY) } },
		{ SYS_openat, { CWD, S(""), V(O_RDONLY) } },
		{ SYS_openat, { CWD, NOWHERE, V(O_RDONLY) } },
		{ SYS_openat, { CWD, S("none/below"), V(O_CREAT | O_RDWR), V(0644) } },
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_EXCL | O_RDWR), V(0666) } }, /* 3 */
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_EXCL | O_RDWR), V(0666) } },
		{ SYS_openat, { CWD, S("f/"), V(O_RDONLY) } },
		{ SYS_openat, { CWD, S("f/x"), V(O_RDONLY) } },
		{ SYS_openat, { CWD, S("f/.."), V(O_RDONLY) } },
		{ SYS_openat, { CWD, S("f"), V(O_DIRECTORY) } },
		{ SYS_openat, { CWD, S("new/"), V(O_CREAT | O_RDWR), V(0644) } },
		{ SYS_openat, { V(3), S("x"), V(O_RDONLY) } },
		{ SYS_openat, { V(99), S("x"), V(O_RDONLY) } },
		{ SYS_openat, { CWD, S("."), V(O_WRONLY) } },
		{ SYS_openat, { CWD, S("."), V(O_RDWR) } },
		{ SYS_openat, { CWD, S("."), V(O_CREAT) } },
		{ SYS_openat, { CWD, S("."), V(O_TRUNC) } },
		{ SYS_openat, { CWD, S("."), V(O_RDONLY | O_DIRECTORY) } }, /* 4 */
		{ SYS_openat, { V(4), S("f"), V(O_WRONLY | O_APPEND) } },   /* 5 */
		{ SYS_openat, { V(4), S("../nothing-there/x"), V(O_RDONLY) } },
		{ SYS_openat, { CWD, S("f"), V(O_PATH) } }, /* 6 */
		{ SYS_read, { V(6), OUT(8), V(8) } },
		{ SYS_fcntl, { V(6), V(F_GETFL) } },
		{ SYS_fcntl, { V(6), V(F_SETFL), V(O_APPEND) } },
		{ SYS_fcntl, { V(6), V(F_GETFD) } },
		{ SYS_fstat, { V(6), STAT } },
		{ SYS_openat, { V(6), S("x"), V(O_RDONLY) } },
		{ SYS_fcntl, { V(5), V(F_GETFL) } },
		{ SYS_fcntl, { V(4), V(F_GETFL) } },
		{ SYS_openat, { CWD, S("f"), V(O_RDONLY | O_CLOEXEC | O_NONBLOCK) } }, /* 7 */
		{ SYS_fcntl, { V(7), V(F_GETFD) } },
		{ SYS_fcntl, { V(7), V(F_GETFL) } },
		{ SYS_openat, { CWD, S("t"), V(O_TMPFILE), V(0600) } },
		{ SYS_openat, { CWD, S("."), V(O_TMPFILE | O_RDONLY), V(0600) } },
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_DIRECTORY), V(0600) } },
		{ SYS_creat, { S("g"), V(0777) } }, /* 8 */
		{ SYS_fstat, { V(8), STAT } },
		{ SYS_read, { V(8), OUT(1), V(1) } },
		{ SYS_write, { V(7), IN("x"), V(1) } },
		{ SYS_openat, { CWD, S("f"), V(O_ACCMODE) } }, /* 9 */
		{ SYS_read, { V(9), OUT(1), V(1) } },
		{ SYS_write, { V(9), IN("x"), V(1) } },
		{ SYS_close, { V(9) } },
		{ SYS_close, { V(9) } },
		{ SYS_close, { V(-1) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_openat2(void **state)
{
	static const uint64_t plain[4] = { O_RDONLY, 0, 0, 0 }, mode[4] = { O_RDONLY, 0644, 0, 0 };
	static const uint64_t make[4] = { O_CREAT | O_RDWR, 0644, 0, 0 },
			      bad_mode[4] = { O_CREAT | O_RDWR, 010000, 0, 0 };
	static const uint64_t beneath[4] = { O_RDONLY, 0, 8, 0 }, in_root[4] = { O_RDONLY, 0, 16, 0 };
	static const uint64_t both[4] = { O_RDONLY, 0, 24, 0 }, unknown[4] = { O_RDONLY, 0, 64, 0 };
	static const uint64_t no_links[4] = { O_RDONLY, 0, 4, 0 }, more[4] = { O_RDONLY, 0, 0, 1 };
	static const uint64_t bad_flag[4] = { UINT64_C(1) << 40, 0, 0, 0 }, path[4] = { O_PATH | O_RDWR, 0, 0, 0 };
	static const uint64_t no_xdev[4] = { O_RDONLY, 0, 1, 0 };
	static const struct cases_step steps[] = {
		{ SYS_mkdir, { S("d"), V(0755) } },
		{ SYS_mkdir, { S("d/e"), V(0755) } },
		{ SYS_openat2, { CWD, S("d/f"), DATA_OF(make), V(24) } },
		{ SYS_fcntl, { V(3), V(F_GETFL) } },
		{ SYS_close, { V(3) } },
		{ SYS_symlink, { S("f"), S("d/link") } },
		{ SYS_symlink, { S("../.."), S("d/up") } },
		{ SYS_symlink, { S("/f"), S("d/absolute") } },
		{ SYS_openat, { CWD, S("d"), V(O_PATH | O_DIRECTORY) } }, /* 3 */
		{ SYS_openat2, { V(3), S("f"), DATA_OF(plain), V(23) } },
		{ SYS_openat2, { V(3), S("f"), DATA_OF(plain), V(5000) } },
		{ SYS_openat2, { V(3), S("f"), DATA_OF(more), V(32) } },
		{ SYS_openat2, { V(3), S("f"), DATA_OF(mode), V(24) } },
		{ SYS_openat2, { V(3), S("f"), DATA_OF(bad_mode), V(24) } },
		{ SYS_openat2, { V(3), S("f"), DATA_OF(both), V(24) } },
		{ SYS_openat2, { V(3), S("f"), DATA_OF(unknown), V(24) } },
		{ SYS_openat2, { V(3), S("f"), DATA_OF(bad_flag), V(24) } },
		{ SYS_openat2, { V(3), S("f"), DATA_OF(path), V(24) } },
		{ SYS_openat2, { V(3), S("f"), NOWHERE, V(24) } },
		{ SYS_openat2, { V(3), S(".."), DATA_OF(beneath), V(24) } },
		{ SYS_openat2, { V(3), S("e/../.."), DATA_OF(beneath), V(24) } },
		{ SYS_openat2, { V(3), S("up"), DATA_OF(beneath), V(24) } },
		{ SYS_openat2, { V(3), S("absolute"), DATA_OF(beneath), V(24) } },
		{ SYS_openat2, { V(3), S("/f"), DATA_OF(beneath), V(24) } },
		{ SYS_openat2, { V(3), S("link"), DATA_OF(no_links), V(24) } },
		{ SYS_openat2, { V(3), S("e/../link"), DATA_OF(beneath), V(24) } }, /* 4 */
		{ SYS_close, { V(4) } },
		{ SYS_openat2, { V(3), S("absolute"), DATA_OF(in_root), V(24) } }, /* 4 */
		{ SYS_close, { V(4) } },
		{ SYS_openat2, { V(3), S("../../../f"), DATA_OF(in_root), V(24) } }, /* 4 */
		{ SYS_close, { V(4) } },
		{ SYS_openat2, { V(3), S("up/f"), DATA_OF(in_root), V(24) } }, /* 4 */
		{ SYS_close, { V(4) } },
		{ SYS_openat2, { V(3), S("e/../f"), DATA_OF(no_xdev), V(24) } }, /* 4 */
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_read_write(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR), V(0644) } }, /* 3 */
		{ SYS_write, { V(3), IN("hello, world"), V(12) } },
		{ SYS_lseek, { V(3), V(0), V(SEEK_CUR) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_lseek, { V(3), V(7), V(SEEK_SET) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_read, { V(3), NOWHERE, V(8) } },
		{ SYS_pread64, { V(3), NOWHERE, V(8), V(0) } },
		{ SYS_pread64, { V(3), OUT(8), V(5), V(7) } },
		{ SYS_pread64, { V(3), OUT(8), V(5), V(-1) } },
		{ SYS_pread64, { V(3), OUT(8), V(5), V(INT64_MAX) } },
		{ SYS_pread64, { V(3), OUT(8), V(5), V(1000) } },
		{ SYS_pread64, { V(3), OUT(8), V(0), V(0) } },
		{ SYS_read, { V(3), V(UINT64_C(1) << 63), V(8) } },
		{ SYS_read, { V(3), OUT(8), V(-1) } },
		{ SYS_write, { V(3), NOWHERE, V(8) } },
		{ SYS_write, { V(3), NOWHERE, V(0) } },
		{ SYS_pwrite64, { V(3), IN("WORLD"), V(5), V(7) } },
		{ SYS_pwrite64, { V(3), IN("WORLD"), V(5), V(-5) } },
		{ SYS_pwrite64, { V(3), IN("far"), V(3), V(9000) } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_pread64, { V(3), OUT(64), V(64), V(8960) } },
		{ SYS_lseek, { V(3), V(-1), V(SEEK_SET) } },
		{ SYS_lseek, { V(3), V(-10000), V(SEEK_END) } },
		{ SYS_lseek, { V(3), V(INT64_MAX), V(SEEK_END) } },
		{ SYS_lseek, { V(3), V(0), V(9) } },
		{ SYS_lseek, { V(3), V(-3), V(SEEK_END) } },
		{ SYS_read, { V(3), OUT(8), V(8) } },
		{ SYS_lseek, { V(3), V(0), V(SEEK_DATA) } },
		{ SYS_lseek, { V(3), V(9003), V(SEEK_DATA) } },
		{ SYS_lseek, { V(3), V(8999), V(SEEK_HOLE) } },
		{ SYS_lseek, { V(3), V(9003), V(SEEK_HOLE) } },
		{ SYS_lseek, { V(3), V(-1), V(SEEK_HOLE) } },
		{ SYS_lseek, { V(99), V(0), V(SEEK_SET) } },
		{ SYS_ftruncate, { V(3), V(5) } },
		{ SYS_ftruncate, { V(3), V(-1) } },
		{ SYS_ftruncate, { V(99), V(1) } },
		{ SYS_ftruncate, { V(3), V(20) } },
		{ SYS_pread64, { V(3), OUT(32), V(32), V(0) } },
		{ SYS_openat, { CWD, S("f"), V(O_WRONLY | O_APPEND) } }, /* 4 */
		{ SYS_write, { V(4), IN("end"), V(3) } },
		{ SYS_lseek, { V(4), V(0), V(SEEK_CUR) } },
		{ SYS_pwrite64, { V(4), IN("END"), V(3), V(0) } },
		{ SYS_lseek, { V(4), V(0), V(SEEK_CUR) } },
		{ SYS_pread64, { V(3), OUT(32), V(32), V(0) } },
		{ SYS_ftruncate, { V(4), V(0) } },
		{ SYS_openat, { CWD, S("f"), V(O_RDONLY) } }, /* 5 */
		{ SYS_ftruncate, { V(5), V(0) } },
		{ SYS_write, { V(5), IN("x"), V(1) } },
		{ SYS_read, { V(4), OUT(1), V(1) } },
		{ SYS_truncate, { S("f"), V(3) } },
		{ SYS_truncate, { S("f"), V(-3) } },
		{ SYS_truncate, { S("."), V(3) } },
		{ SYS_truncate, { S("none"), V(3) } },
		{ SYS_stat, { S("f"), STAT } },
		{ SYS_fallocate, { V(3), V(0), V(0), V(5000) } },
		{ SYS_fallocate, { V(3), V(1), V(0), V(6000) } },
		{ SYS_fallocate, { V(3), V(3), V(1), V(1) } },
		{ SYS_fallocate, { V(3), V(2), V(1), V(1) } },
		{ SYS_fallocate, { V(3), V(0), V(0), V(0) } },
		{ SYS_fallocate, { V(3), V(0), V(-1), V(1) } },
		{ SYS_fallocate, { V(3), V(0x1000), V(0), V(1) } },
		{ SYS_fallocate, { V(5), V(0), V(0), V(1) } },
		{ SYS_fallocate, { V(3), V(0), V(INT64_MAX), V(1) } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_fsync, { V(3) } },
		{ SYS_fdatasync, { V(99) } },
		{ SYS_fadvise64, { V(3), V(0), V(0), V(4) } },
		{ SYS_fadvise64, { V(3), V(0), V(0), V(9) } },
		{ SYS_openat, { CWD, S("."), V(O_RDONLY) } }, /* 6 */
		{ SYS_read, { V(6), OUT(8), V(8) } },
		{ SYS_pread64, { V(6), OUT(8), V(8), V(0) } },
		{ SYS_write, { V(6), IN("x"), V(1) } },
		{ SYS_ftruncate, { V(6), V(0) } },
		{ SYS_fsync, { V(6) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_descriptors(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR | O_CLOEXEC), V(0644) } }, /* 3 */
		{ SYS_write, { V(3), IN("0123456789"), V(10) } },
		{ SYS_dup, { V(3) } }, /* 4 */
		{ SYS_fcntl, { V(4), V(F_GETFD) } },
		{ SYS_lseek, { V(4), V(3), V(SEEK_SET) } },
		{ SYS_read, { V(3), OUT(4), V(4) } },
		{ SYS_dup, { V(77) } },
		{ SYS_dup2, { V(3), V(3) } },
		{ SYS_dup2, { V(77), V(77) } },
		{ SYS_dup2, { V(77), V(3) } },
		{ SYS_dup2, { V(3), V(10) } },
		{ SYS_dup2, { V(3), V(-1) } },
		{ SYS_dup2, { V(3), V(1 << 30) } },
		{ SYS_dup3, { V(3), V(3), V(0) } },
		{ SYS_dup3, { V(3), V(11), V(O_CLOEXEC) } },
		{ SYS_dup3, { V(3), V(11), V(O_NONBLOCK) } },
		{ SYS_dup3, { V(77), V(11), V(0) } },
		{ SYS_fcntl, { V(11), V(F_GETFD) } },
		{ SYS_fcntl, { V(3), V(F_DUPFD), V(5) } },
		{ SYS_fcntl, { V(3), V(F_DUPFD), V(10) } },
		{ SYS_fcntl, { V(3), V(F_DUPFD_CLOEXEC), V(0) } },
		{ SYS_fcntl, { V(6), V(F_GETFD) } },
		{ SYS_fcntl, { V(3), V(F_DUPFD), V(-1) } },
		{ SYS_fcntl, { V(77), V(F_DUPFD), V(0) } },
		{ SYS_fcntl, { V(3), V(F_SETFD), V(0) } },
		{ SYS_fcntl, { V(3), V(F_GETFD) } },
		{ SYS_fcntl, { V(3), V(F_SETFL), V(O_APPEND | O_NONBLOCK | O_WRONLY | O_CREAT) } },
		{ SYS_fcntl, { V(4), V(F_GETFL) } },
		{ SYS_fcntl, { V(4), V(F_SETFL), V(0) } },
		{ SYS_fcntl, { V(4), V(12345) } },
		{ SYS_fcntl, { V(4), V(F_GETOWN) } },
		{ SYS_fcntl, { V(4), V(F_GETPIPE_SZ) } },
		{ SYS_ioctl, { V(4), V(FIOCLEX) } },
		{ SYS_fcntl, { V(4), V(F_GETFD) } },
		{ SYS_ioctl, { V(4), V(FIONCLEX) } },
		{ SYS_fcntl, { V(4), V(F_GETFD) } },
		{ SYS_ioctl, { V(4), V(FIONREAD), OUT(4) } },
		{ SYS_ioctl, { V(4), V(TCGETS), IGNORED } },
		{ SYS_ioctl, { V(4), V(TIOCGWINSZ), IGNORED } },
		{ SYS_ioctl, { V(77), V(FIONREAD), OUT(4) } },
		{ SYS_close_range, { V(10), V(5), V(0) } },
		{ SYS_close_range, { V(5), V(10), V(1) } },
		{ SYS_close_range, { V(10), V(10), V(4) } },
		{ SYS_fcntl, { V(10), V(F_GETFD) } },
		{ SYS_close_range, { V(5), V(~0u), V(0) } },
		{ SYS_fcntl, { V(10), V(F_GETFD) } },
		{ SYS_dup, { V(3) } }, /* 5 */
		{ SYS_flock, { V(3), V(LOCK_EX | LOCK_NB) } },
		{ SYS_flock, { V(5), V(LOCK_EX | LOCK_NB) } },
		{ SYS_openat, { CWD, S("f"), V(O_RDONLY) } }, /* 6 */
		{ SYS_flock, { V(6), V(LOCK_SH | LOCK_NB) } },
		{ SYS_flock, { V(5), V(LOCK_SH | LOCK_NB) } },
		{ SYS_flock, { V(6), V(LOCK_SH | LOCK_NB) } },
		{ SYS_flock, { V(6), V(LOCK_EX | LOCK_NB) } },
		{ SYS_flock, { V(3), V(LOCK_UN) } },
		{ SYS_flock, { V(6), V(LOCK_EX | LOCK_NB) } },
		{ SYS_flock, { V(6), V(0) } },
		{ SYS_flock, { V(77), V(LOCK_UN) } },
		{ SYS_close, { V(6) } },
		{ SYS_flock, { V(3), V(LOCK_EX | LOCK_NB) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_openat2),
		cmocka_unit_test(test_read_write),
		cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests_name("files of Linux programs", tests, NULL, NULL);
}
