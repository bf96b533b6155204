/* Calls on modes, times and copies of files, held against the host's. The cases are the manual pages'. */
#include <sys/time.h>

#include "linux_cases.h"

static void test_attributes(void **state)
{
	static const struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } },
				     omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	static const struct timespec bad[2] = { { 0, 1000000000 }, { 0, 0 } },
				     one[2] = { { 3000, 1 }, { 0, UTIME_OMIT } };
	static const struct timeval micro[2] = { { 10, 20 }, { 30, 40 } }, bad_micro[2] = { { 10, 1000000 }, { 0, 0 } };
	static const struct cases_step steps[] = {
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR), V(0600) } }, /* 3 */
		{ SYS_chmod, { S("f"), V(0754) } },
		{ SYS_stat, { S("f"), STAT } },
		{ SYS_fchmod, { V(3), V(01640) } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_chmod, { S("none"), V(0644) } },
		{ SYS_fchmod, { V(99), V(0644) } },
		{ SYS_fchmodat, { CWD, S("f"), V(0444) } },
		{ SYS_access, { S("f"), V(X_OK) } },
		{ SYS_access, { S("f"), V(R_OK) } },
		{ SYS_access, { S("f"), V(F_OK) } },
		{ SYS_access, { S("f"), V(8) } },
		{ SYS_access, { S("none"), V(F_OK) } },
		{ SYS_access, { S("f/x"), V(F_OK) } },
		{ SYS_access, { S("."), V(R_OK | W_OK | X_OK) } },
		{ SYS_faccessat, { V(99), S("f"), V(R_OK) } },
		{ SYS_faccessat2, { CWD, S("f"), V(R_OK), V(AT_EACCESS) } },
		{ SYS_faccessat2, { CWD, S("f"), V(R_OK), V(1) } },
		{ SYS_faccessat2, { V(3), S(""), V(R_OK), V(AT_EMPTY_PATH) } },
		{ SYS_umask, { V(077) } },
		{ SYS_umask, { V(01777) } },
		{ SYS_umask, { V(0) } },
		{ SYS_openat, { CWD, S("wide"), V(O_CREAT | O_RDWR), V(0666) } }, /* 4 */
		{ SYS_fstat, { V(4), STAT } },
		{ SYS_mkdir, { S("open"), V(0777) } },
		{ SYS_stat, { S("open"), STAT } },
		{ SYS_utimensat, { CWD, S("f"), DATA_OF(times), V(0) } },
		{ SYS_statx, { CWD, S("f"), V(0), V(STATX_ATIME | STATX_MTIME), IGNORED } },
		{ SYS_utimensat, { V(3), V(0), DATA_OF(one), V(0) } },
		{ SYS_utimensat, { CWD, S("f"), V(0), V(0) } },
		{ SYS_utimensat, { CWD, S("none"), DATA_OF(omit), V(0) } },
		{ SYS_utimensat, { CWD, S("none"), DATA_OF(times), V(0) } },
		{ SYS_utimensat, { CWD, S("f"), DATA_OF(bad), V(0) } },
		{ SYS_utimensat, { CWD, S("f"), DATA_OF(times), V(1) } },
		{ SYS_utimensat, { CWD, V(0), DATA_OF(times), V(0) } },
		{ SYS_utimensat, { V(99), V(0), DATA_OF(times), V(0) } },
		{ SYS_utimensat, { CWD, S("f"), NOWHERE, V(0) } },
		{ SYS_utimes, { S("f"), DATA_OF(micro) } },
		{ SYS_utimes, { S("f"), DATA_OF(bad_micro) } },
		{ SYS_chown, { S("f"), V(-1), V(-1) } },
		{ SYS_fchown, { V(99), V(-1), V(-1) } },
		{ SYS_fchownat, { CWD, S("f"), V(-1), V(-1), V(1) } },
		{ SYS_statx, { CWD, S("f"), V(1), V(0), IGNORED } },
		{ SYS_statx, { CWD, S("f"), V(0), V(0x80000000), IGNORED } },
		{ SYS_statx, { V(3), S(""), V(AT_EMPTY_PATH), V(0), IGNORED } },
		{ SYS_statx, { CWD, S("f"), V(0), V(0), NOWHERE } },
		{ SYS_newfstatat, { V(3), S(""), STAT, V(0) } },
		{ SYS_newfstatat, { V(3), S(""), STAT, V(AT_EMPTY_PATH) } },
		{ SYS_newfstatat, { CWD, S("f"), STAT, V(1) } },
		{ SYS_stat, { S("f"), NOWHERE } },
		{ SYS_fstat, { V(99), STAT } },
		{ SYS_statfs, { S("none"), IGNORED } },
		{ SYS_statfs, { S("f"), IGNORED } },
		{ SYS_fstatfs, { V(99), IGNORED } },
		{ SYS_fstatfs, { V(3), NOWHERE } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_copies(void **state)
{
	static const int64_t zero[1] = { 0 }, two[1] = { 2 }, negative[1] = { -1 };
	static const struct cases_step steps[] = {
		{ SYS_openat, { CWD, S("from"), V(O_CREAT | O_RDWR), V(0600) } }, /* 3 */
		{ SYS_write, { V(3), IN("0123456789"), V(10) } },
		{ SYS_openat, { CWD, S("to"), V(O_CREAT | O_RDWR), V(0600) } }, /* 4 */
		{ SYS_sendfile, { V(4), V(3), V(0), V(5) } },
		{ SYS_lseek, { V(3), V(1), V(SEEK_SET) } },
		{ SYS_sendfile, { V(4), V(3), V(0), V(5) } },
		{ SYS_lseek, { V(3), V(0), V(SEEK_CUR) } },
		{ SYS_lseek, { V(4), V(0), V(SEEK_CUR) } },
		{ SYS_sendfile, { V(4), V(3), DATA_OF(two), V(100) } },
		{ SYS_sendfile, { V(4), V(3), DATA_OF(negative), V(100) } },
		{ SYS_sendfile, { V(4), V(3), NOWHERE, V(100) } },
		{ SYS_sendfile, { V(4), V(99), V(0), V(100) } },
		{ SYS_pread64, { V(4), OUT(64), V(64), V(0) } },
		{ SYS_copy_file_range, { V(3), DATA_OF(zero), V(4), DATA_OF(two), V(4), V(0) } },
		{ SYS_copy_file_range, { V(3), V(0), V(4), V(0), V(100), V(0) } },
		{ SYS_lseek, { V(3), V(0), V(SEEK_CUR) } },
		{ SYS_copy_file_range, { V(3), V(0), V(4), V(0), V(100), V(0) } },
		{ SYS_copy_file_range, { V(3), DATA_OF(zero), V(3), DATA_OF(two), V(4), V(0) } },
		{ SYS_copy_file_range, { V(3), DATA_OF(zero), V(3), DATA_OF(two), V(2), V(0) } },
		{ SYS_copy_file_range, { V(3), DATA_OF(zero), V(4), DATA_OF(two), V(4), V(1) } },
		{ SYS_copy_file_range, { V(3), DATA_OF(negative), V(4), DATA_OF(two), V(4), V(0) } },
		{ SYS_copy_file_range, { V(99), V(0), V(4), V(0), V(4), V(0) } },
		{ SYS_pread64, { V(4), OUT(64), V(64), V(0) } },
		{ SYS_pread64, { V(3), OUT(64), V(64), V(0) } },
		{ SYS_openat, { CWD, S("from"), V(O_RDONLY) } }, /* 5 */
		{ SYS_copy_file_range, { V(3), V(0), V(5), V(0), V(4), V(0) } },
		{ SYS_openat, { CWD, S("."), V(O_RDONLY) } }, /* 6 */
		{ SYS_copy_file_range, { V(6), V(0), V(4), V(0), V(4), V(0) } },
		{ SYS_openat, { CWD, S("to"), V(O_RDWR | O_APPEND) } }, /* 7 */
		{ SYS_copy_file_range, { V(3), V(0), V(7), V(0), V(4), V(0) } },
		{ SYS_sendfile, { V(7), V(3), V(0), V(4) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests_name("attributes of Linux programs' files", tests, NULL, NULL);
}
