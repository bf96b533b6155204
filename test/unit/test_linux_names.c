/* Calls on names of files, held against the host's. The cases are the manual pages'. */
#include <linux/fs.h>

#include "linux_cases.h"

#define LONG_NAME                                                                                                      \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"         \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"         \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_make_and_remove(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_mkdir, { S("d"), V(0777) } },
		{ SYS_mkdir, { S("d"), V(0777) } },
		{ SYS_mkdir, { S("d/"), V(0777) } },
		{ SYS_mkdir, { S("."), V(0777) } },
		{ SYS_mkdir, { S("/"), V(0777) } },
		{ SYS_mkdir, { S(""), V(0777) } },
		{ SYS_mkdir, { S("none/x"), V(0777) } },
		{ SYS_mkdir, { S("d/e/"), V(0700) } },
		{ SYS_mkdir, { NOWHERE, V(0700) } },
		{ SYS_mkdir, { S(LONG_NAME), V(0700) } },
		{ SYS_mkdir, { S(LONG_NAME "x"), V(0700) } },
		{ SYS_rmdir, { S(LONG_NAME) } },
		{ SYS_stat, { S("d"), STAT } },
		{ SYS_stat, { S("d/e"), STAT } },
		{ SYS_openat, { CWD, S("d/f"), V(O_CREAT | O_RDWR), V(0600) } }, /* 3 */
		{ SYS_mkdir, { S("d/f"), V(0777) } },
		{ SYS_mkdir, { S("d/f/x"), V(0777) } },
		{ SYS_mkdirat, { V(3), S("x"), V(0777) } },
		{ SYS_mkdirat, { V(99), S("x"), V(0777) } },
		{ SYS_rmdir, { S("d") } },
		{ SYS_rmdir, { S("d/f") } },
		{ SYS_rmdir, { S("none") } },
		{ SYS_rmdir, { S("d/e/.") } },
		{ SYS_rmdir, { S("d/e/..") } },
		{ SYS_rmdir, { S("/") } },
		{ SYS_unlink, { S("d") } },
		{ SYS_unlink, { S("d/") } },
		{ SYS_unlink, { S("d/f/") } },
		{ SYS_unlink, { S("d/none") } },
		{ SYS_unlink, { S("d/none/") } },
		{ SYS_unlink, { S("d/.") } },
		{ SYS_unlink, { S("/") } },
		{ SYS_unlinkat, { CWD, S("d/f"), V(1) } },
		{ SYS_link, { S("d/f"), S("g") } },
		{ SYS_link, { S("d/f"), S("g") } },
		{ SYS_link, { S("d"), S("h") } },
		{ SYS_link, { S("none"), S("h") } },
		{ SYS_link, { S("d/f"), S("h/") } },
		{ SYS_link, { S("d/f"), S("none/h") } },
		{ SYS_link, { S("d/f"), S("") } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_unlink, { S("d/f") } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_write, { V(3), IN("still there"), V(11) } },
		{ SYS_unlink, { S("g") } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_pread64, { V(3), OUT(11), V(11), V(0) } },
		{ SYS_linkat, { CWD, S("d/none"), CWD, S("x"), V(0x10000) } },
		{ SYS_unlinkat, { CWD, S("d/e/"), V(AT_REMOVEDIR) } },
		{ SYS_rmdir, { S("d/") } },
		{ SYS_stat, { S("d"), STAT } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_links(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_symlink, { S("target"), S("link") } },
		{ SYS_symlink, { S("target"), S("link") } },
		{ SYS_symlink, { S(""), S("empty") } },
		{ SYS_symlink, { S("x"), S("") } },
		{ SYS_symlink, { S("x"), S("y/") } },
		{ SYS_symlink, { S("x"), S("none/y") } },
		{ SYS_symlink, { NOWHERE, S("y") } },
		{ SYS_readlink, { S("link"), OUT(64), V(64) } },
		{ SYS_readlink, { S("link"), OUT(64), V(3) } },
		{ SYS_readlink, { S("link"), OUT(64), V(0) } },
		{ SYS_readlink, { S("link"), OUT(64), V(-1) } },
		{ SYS_readlink, { S("link"), NOWHERE, V(64) } },
		{ SYS_readlink, { S("none"), OUT(64), V(64) } },
		{ SYS_readlink, { S("."), OUT(64), V(64) } },
		{ SYS_readlink, { S(""), OUT(64), V(64) } },
		{ SYS_stat, { S("link"), STAT } },
		{ SYS_lstat, { S("link"), STAT } },
		{ SYS_openat, { CWD, S("link"), V(O_RDONLY) } },
		{ SYS_openat, { CWD, S("link"), V(O_RDONLY | O_NOFOLLOW) } },
		{ SYS_openat, { CWD, S("link"), V(O_RDONLY | O_NOFOLLOW | O_DIRECTORY) } },
		{ SYS_openat, { CWD, S("link"), V(O_CREAT | O_EXCL | O_RDWR), V(0644) } },
		{ SYS_openat, { CWD, S("link"), V(O_PATH | O_NOFOLLOW) } }, /* 3 */
		{ SYS_readlinkat, { V(3), S(""), OUT(64), V(64) } },
		{ SYS_fstat, { V(3), STAT } },
		{ SYS_openat, { CWD, S("link"), V(O_CREAT | O_RDWR), V(0644) } }, /* 4: makes the target */
		{ SYS_stat, { S("target"), STAT } },
		{ SYS_readlinkat, { V(4), S(""), OUT(64), V(64) } },
		{ SYS_lstat, { S("link/"), STAT } },
		{ SYS_unlink, { S("link/") } },
		{ SYS_mkdir, { S("d"), V(0755) } },
		{ SYS_mkdir, { S("d/e"), V(0755) } },
		{ SYS_symlink, { S("d"), S("dir") } },
		{ SYS_lstat, { S("dir"), STAT } },
		{ SYS_lstat, { S("dir/"), STAT } },
		{ SYS_lstat, { S("dir/e/.."), STAT } },
		{ SYS_openat, { CWD, S("dir/e/../f"), V(O_CREAT | O_RDWR), V(0644) } }, /* 5 */
		{ SYS_stat, { S("d/f"), STAT } },
		{ SYS_rmdir, { S("dir") } },
		{ SYS_rmdir, { S("dir/") } },
		{ SYS_mkdir, { S("dir"), V(0755) } },
		{ SYS_symlink, { S("self"), S("self") } },
		{ SYS_stat, { S("self"), STAT } },
		{ SYS_openat, { CWD, S("self/x"), V(O_RDONLY) } },
		{ SYS_lstat, { S("self"), STAT } },
		{ SYS_symlink, { S("b"), S("a") } },
		{ SYS_symlink, { S("a"), S("b") } },
		{ SYS_stat, { S("a"), STAT } },
		{ SYS_linkat, { CWD, S("link"), CWD, S("hard"), V(0) } },
		{ SYS_lstat, { S("hard"), STAT } },
		{ SYS_linkat, { CWD, S("link"), CWD, S("followed"), V(AT_SYMLINK_FOLLOW) } },
		{ SYS_lstat, { S("followed"), STAT } },
		{ SYS_symlink, { S("d/../dir/./e/../../target"), S("winding") } },
		{ SYS_stat, { S("winding"), STAT } },
		{ SYS_unlink, { S("winding") } },
		{ SYS_stat, { S("target"), STAT } },
		{ SYS_readlinkat, { V(99), S("x"), OUT(8), V(8) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_rename(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_mkdir, { S("d"), V(0755) } },
		{ SYS_mkdir, { S("d/e"), V(0755) } },
		{ SYS_mkdir, { S("empty"), V(0755) } },
		{ SYS_openat, { CWD, S("f"), V(O_CREAT | O_RDWR), V(0644) } },   /* 3 */
		{ SYS_openat, { CWD, S("d/g"), V(O_CREAT | O_RDWR), V(0644) } }, /* 4 */
		{ SYS_write, { V(3), IN("f"), V(1) } },
		{ SYS_rename, { S("none"), S("x") } },
		{ SYS_rename, { S("f"), S("none/x") } },
		{ SYS_rename, { S("f"), S("d") } },
		{ SYS_rename, { S("d"), S("f") } },
		{ SYS_rename, { S("empty"), S("d") } },
		{ SYS_rename, { S("d"), S("d/e/x") } },
		{ SYS_rename, { S("d"), S("d/e") } },
		{ SYS_rename, { S("d/e"), S("d") } },
		{ SYS_rename, { S("f"), S("x/") } },
		{ SYS_rename, { S("f/"), S("x") } },
		{ SYS_rename, { S("."), S("x") } },
		{ SYS_rename, { S("f"), S(".") } },
		{ SYS_rename, { S("f"), S("..") } },
		{ SYS_rename, { S("f"), S("") } },
		{ SYS_rename, { S("f"), S("f") } },
		{ SYS_rename, { S("f"), S("d/g") } },
		{ SYS_stat, { S("f"), STAT } },
		{ SYS_fstat, { V(4), STAT } },
		{ SYS_stat, { S("d/g"), STAT } },
		{ SYS_rename, { S("d/e"), S("empty") } },
		{ SYS_stat, { S("d/e"), STAT } },
		{ SYS_rename, { S("empty/"), S("new/") } },
		{ SYS_stat, { S("new"), STAT } },
		{ SYS_link, { S("d/g"), S("h") } },
		{ SYS_rename, { S("h"), S("d/g") } },
		{ SYS_stat, { S("h"), STAT } },
		{ SYS_renameat2, { CWD, S("h"), CWD, S("d/g"), V(RENAME_NOREPLACE) } },
		{ SYS_renameat2, { CWD, S("h"), CWD, S("i"), V(RENAME_NOREPLACE) } },
		{ SYS_renameat2, { CWD, S("i"), CWD, S("none"), V(RENAME_EXCHANGE) } },
		{ SYS_renameat2, { CWD, S("i"), CWD, S("d"), V(RENAME_EXCHANGE) } },
		{ SYS_stat, { S("i"), STAT } },
		{ SYS_stat, { S("i/g"), STAT } },
		{ SYS_stat, { S("d"), STAT } },
		{ SYS_renameat2, { CWD, S("i"), CWD, S("i/x"), V(RENAME_EXCHANGE) } },
		{ SYS_renameat2, { CWD, S("i"), CWD, S("d"), V(3) } },
		{ SYS_renameat2, { CWD, S("i"), CWD, S("d"), V(8) } },
		{ SYS_renameat, { V(99), S("i"), CWD, S("x") } },
		{ SYS_renameat, { CWD, NOWHERE, CWD, S("x") } },
		{ SYS_openat, { CWD, S("i"), V(O_RDONLY | O_DIRECTORY) } }, /* 5 */
		{ SYS_rename, { S("i"), S("moved") } },
		{ SYS_newfstatat, { V(5), S("g"), STAT, V(0) } },
		{ SYS_openat, { V(5), S("made"), V(O_CREAT | O_RDWR), V(0644) } }, /* 6 */
		{ SYS_stat, { S("moved/made"), STAT } },
		{ SYS_symlink, { S("moved"), S("link") } },
		{ SYS_rename, { S("link"), S("renamed") } },
		{ SYS_lstat, { S("renamed"), STAT } },
		{ SYS_rename, { S("renamed/"), S("x") } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

static void test_directories(void **state)
{
	static const struct cases_step steps[] = {
		{ SYS_mkdir, { S("d"), V(0755) } },
		{ SYS_mkdir, { S("d/sub"), V(0755) } },
		{ SYS_symlink, { S("x"), S("d/link") } },
		{ SYS_openat, { CWD, S("d/file"), V(O_CREAT | O_RDWR), V(0644) } }, /* 3 */
		{ SYS_openat, { CWD, S("d"), V(O_RDONLY | O_DIRECTORY) } },         /* 4 */
		{ SYS_getdents64, { V(4), ENTRIES, V(4096) } },
		{ SYS_getdents64, { V(4), ENTRIES, V(4096) } },
		{ SYS_lseek, { V(4), V(0), V(SEEK_SET) } },
		{ SYS_unlink, { S("d/link") } },
		{ SYS_getdents64, { V(4), ENTRIES, V(4096) } },
		{ SYS_lseek, { V(4), V(0), V(SEEK_SET) } },
		{ SYS_getdents64, { V(4), ENTRIES, V(10) } },
		{ SYS_getdents64, { V(4), NOWHERE, V(4096) } },
		{ SYS_getdents64, { V(3), ENTRIES, V(4096) } },
		{ SYS_getdents64, { V(99), ENTRIES, V(4096) } },
		{ SYS_chdir, { S("none") } },
		{ SYS_chdir, { S("d/file") } },
		{ SYS_chdir, { S("") } },
		{ SYS_chdir, { S("d") } },
		{ SYS_stat, { S("file"), STAT } },
		{ SYS_fchdir, { V(3) } },
		{ SYS_fchdir, { V(99) } },
		{ SYS_chdir, { S("sub/../..") } },
		{ SYS_stat, { S("d/file"), STAT } },
		{ SYS_fchdir, { V(4) } },
		{ SYS_stat, { S("file"), STAT } },
		{ SYS_stat, { S("../d/file"), STAT } },
		{ SYS_getcwd, { IGNORED, V(1) } },
		{ SYS_getcwd, { NOWHERE, V(4096) } },
		{ SYS_chdir, { S("sub") } },
		{ SYS_rmdir, { S("../sub") } },
		{ SYS_stat, { S("."), STAT } },
		{ SYS_stat, { S("x"), STAT } },
		{ SYS_openat, { CWD, S("x"), V(O_CREAT | O_RDWR), V(0644) } },
		{ SYS_mkdir, { S("x"), V(0755) } },
		{ SYS_getcwd, { IGNORED, V(4096) } },
	};

	(void)state;
	CASES_COMPARE(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make_and_remove),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_directories),
	};

	return cmocka_run_group_tests_name("names of Linux programs' files", tests, NULL, NULL);
}
