/* What a program finds where: grants and what they refuse, /proc, /dev, /etc. */
#include "linux_tree.h"

static void expect_refused(const struct nub_linux_grant *grants, size_t count, enum nub_error_kind kind,
                           const char *what)
{
	struct nub_linux_config config = fake_config();
	struct nub_error err = { 0 };
	struct fake fake;
	const struct nub_linux_machine machine = fake_init(&fake, UINT64_C(4) << 20);

	config.grants = grants;
	config.grant_count = count;
	assert_null(nub_linux_make(&config, &machine, &err));
	assert_int_equal(err.kind, kind);
	if (!strstr(err.message, what))
		fail_msg("%s, where '%s' was expected", err.message, what);
	fake_release(&fake);
}

static void test_refused_grants(void **state)
{
	const struct nub_linux_grant none = { .kind = NUB_LINUX_GRANT_DIR, .host = "/tmp/none-such", .guest = "/x" };
	const struct nub_linux_grant file = { .kind = NUB_LINUX_GRANT_DIR, .host = "/proc/self/status", .guest = "/x" };
	const struct nub_linux_grant relative = { .kind = NUB_LINUX_GRANT_DIR, .host = "/tmp", .guest = "x" };
	const struct nub_linux_grant root = { .kind = NUB_LINUX_GRANT_FILE, .host = "/etc/passwd", .guest = "/." };
	const struct nub_linux_grant device = { .kind = NUB_LINUX_GRANT_FILE, .host = "/dev/null", .guest = "/x" };
	const struct nub_linux_grant twice[] = { { .kind = NUB_LINUX_GRANT_TMPFS, .guest = "/x/../y/" },
		                                 { .kind = NUB_LINUX_GRANT_TMPFS, .guest = "/y" } };
	const struct nub_linux_grant above[] = { { .kind = NUB_LINUX_GRANT_FILE, .host = "/etc/passwd", .guest = "/x" },
		                                 { .kind = NUB_LINUX_GRANT_TMPFS, .guest = "/x/y" } };
	struct nub_linux_grant many[NUB_LINUX_MOUNTS_MAX + 1];
	char names[LENGTH(many)][16];

	(void)state;
	const int descriptors = open_descriptors();

	for (size_t i = 0; i < LENGTH(many); i++) {
		snprintf(names[i], sizeof(names[i]), "/%zu", i);
		many[i] = (struct nub_linux_grant){ .kind = NUB_LINUX_GRANT_TMPFS, .guest = names[i] };
	}
	expect_refused(&none, 1, NUB_E_NOT_FOUND, "/tmp/none-such");
	expect_refused(&file, 1, NUB_E_IO, "/proc/self/status");
	expect_refused(&relative, 1, NUB_E_USAGE, "x: a path of the guest begins with /");
	expect_refused(&root, 1, NUB_E_USAGE, "can't be the guest's root");
	expect_refused(&device, 1, NUB_E_USAGE, "no regular file");
	expect_refused(twice, 2, NUB_E_USAGE, "/y is granted twice");
	expect_refused(above, 2, NUB_E_USAGE, "/x/y can't be granted");
	expect_refused(many, LENGTH(many), NUB_E_USAGE, "more than 64 grants");
	assert_int_equal(open_descriptors(), descriptors);
}

/* A root, a directory over one of its own, and a file where it has no name at all. */
static void test_tree(void **state)
{
	struct tree *tree = *state;
	struct alone *alone = &tree->alone;

	expect_text(alone, "/link", "a tool");
	expect_text(alone, "/etc/hosts", "the root's own");
	expect_text(alone, "/etc/passwd", "root:x:0:0:");
	expect_text(alone, "/data/shown", "shown");
	assert_null(text_of(alone, "/data/hidden"));
	expect_text(alone, "/mnt/deep/file", "0123456789");
	expect_text(alone, "/mnt/../mnt/deep/../deep/./file", "0123456789");
	assert_true(lists(alone, "/", "mnt") && lists(alone, "/", "bin") && lists(alone, "/", "proc"));
	assert_true(lists(alone, "/mnt", "deep") && lists(alone, "/mnt/deep", "file"));
	assert_true(lists(alone, "/etc", "hosts") && lists(alone, "/etc", "passwd"));
	assert_false(lists(alone, "/", "hidden"));
	assert_int_equal(with_path(alone, SYS_openat, "/bin/new", O_CREAT | O_RDWR, 0644), -EROFS);
	assert_int_equal(with_path(alone, SYS_openat, "/data/new", O_CREAT | O_RDWR, 0644), -EROFS);
	assert_int_equal(with_path(alone, SYS_openat, "/mnt/deep/file/x", O_RDONLY, 0), -ENOTDIR);
	assert_int_equal(with_path(alone, SYS_unlink, "/mnt/deep/file", 0, 0), -EROFS);

	/* Two descriptions of the granted file have offsets of their own. */
	const int64_t one = with_path(alone, SYS_openat, "/mnt/deep/file", O_RDWR, 0);
	const int64_t other = with_path(alone, SYS_openat, "/mnt/deep/file", O_RDONLY, 0);

	assert_int_equal(call(alone, SYS_lseek, (uint64_t)one, 8, SEEK_SET, 0, 0, 0), 8);
	assert_int_equal(call(alone, SYS_read, (uint64_t)other, DATA, 4, 0, 0, 0), 4);
	assert_int_equal(call(alone, SYS_write, (uint64_t)one, DATA, 4, 0, 0, 0), 4);
	expect_text(alone, "/mnt/deep/file", "012345670123");
	assert_int_equal(call(alone, SYS_write, (uint64_t)other, DATA, 4, 0, 0, 0), -EBADF);
}

/* Of what is granted to be read, nothing changes: by its name, through a descriptor, or by a mapping. */
static void test_read_only(void **state)
{
	static const char *const files[] = { "/data/shown", "/bin/tool" }, *const others[] = { "/data/new",
		                                                                               "/bin/new" };
	const uint64_t name = DATA + 4096, none = (uint64_t)-1, page = 4096;
	struct tree *tree = *state;
	struct alone *alone = &tree->alone;

	for (size_t i = 0; i < LENGTH(files); i++) {
		const char *file = files[i];
		char before[64], link[32];

		snprintf(before, sizeof(before), "%s", text_of(alone, file));
		put(alone, name, others[i], strlen(others[i]) + 1);
		assert_int_equal(with_path(alone, SYS_openat, file, O_WRONLY, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_openat, file, O_RDWR, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_openat, file, O_RDONLY | O_TRUNC, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_openat, file, O_WRONLY | O_APPEND | O_CREAT, 0644), -EROFS);
		assert_int_equal(with_path(alone, SYS_openat, "/data", O_TMPFILE | O_RDWR, 0644), -EROFS);
		assert_int_equal(with_path(alone, SYS_truncate, file, 0, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_chmod, file, 0777, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_chown, file, none, none), -EROFS);
		assert_int_equal(with_path(alone, SYS_utimes, file, 0, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_unlink, file, 0, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_rename, file, name, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_link, file, name, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_mkdir, others[i], 0755, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_mknod, others[i], S_IFREG | 0644, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_symlink, "/data/shown", name, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_rmdir, "/data/inner", 0, 0), -EROFS);
		assert_int_equal(with_path(alone, SYS_access, file, W_OK, 0), -EROFS);

		const int64_t fd = with_path(alone, SYS_openat, file, O_RDONLY, 0);
		const uint64_t at = UINT64_C(0x40000000);
		assert_true(fd >= 0);
		assert_int_equal(call(alone, SYS_write, (uint64_t)fd, name, 4, 0, 0, 0), -EBADF);
		assert_int_equal(call(alone, SYS_pwrite64, (uint64_t)fd, name, 4, 0, 0, 0), -EBADF);
		assert_int_equal(call(alone, SYS_ftruncate, (uint64_t)fd, 0, 0, 0, 0, 0), -EINVAL);
		assert_int_equal(call(alone, SYS_fallocate, (uint64_t)fd, 0, 0, 9999, 0, 0), -EBADF);
		assert_int_equal(call(alone, SYS_fchmod, (uint64_t)fd, 0777, 0, 0, 0, 0), -EROFS);
		assert_int_equal(call(alone, SYS_utimensat, (uint64_t)fd, 0, 0, 0, 0, 0), -EROFS);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", (int)fd);
		assert_true(with_path(alone, SYS_openat, link, O_RDWR, 0) < 0);
		assert_true(with_path(alone, SYS_openat, link, O_WRONLY | O_TRUNC, 0) < 0);
		assert_int_equal(with_path(alone, SYS_truncate, link, 0, 0), -EROFS);
		assert_int_equal(
		    call(alone, SYS_mmap, at, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, (uint64_t)fd, 0),
		    -EACCES);
		assert_int_equal(call(alone, SYS_mmap, at, page, PROT_READ, MAP_SHARED | MAP_FIXED, (uint64_t)fd, 0),
		                 at);
		assert_int_equal(call(alone, SYS_mprotect, at, page, PROT_READ | PROT_WRITE, 0, 0, 0), -EACCES);
		assert_int_equal(call(alone, SYS_munmap, at, page, 0, 0, 0, 0), 0);
		assert_int_equal(call(alone, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0), 0);
		assert_string_equal(text_of(alone, file), before);
	}
}

/* Renames and links don't cross mounts, and mounts keep their names. */
static void test_mounts_apart(void **state)
{
	struct tree *tree = *state;
	struct alone *alone = &tree->alone;

	assert_int_equal(with_path(alone, SYS_openat, "/tmp/x", O_CREAT | O_RDWR, 0644), 3);
	put(alone, DATA + 4096, "/data/x", 8);
	assert_int_equal(with_path(alone, SYS_rename, "/tmp/x", DATA + 4096, 0), -EXDEV);
	assert_int_equal(with_path(alone, SYS_link, "/tmp/x", DATA + 4096, 0), -EROFS);
	put(alone, DATA + 4096, "/dev/shm/x", 11);
	assert_int_equal(with_path(alone, SYS_rename, "/tmp/x", DATA + 4096, 0), -EXDEV);
	assert_int_equal(with_path(alone, SYS_link, "/tmp/x", DATA + 4096, 0), -EXDEV);
	assert_int_equal(with_path(alone, SYS_rmdir, "/dev/shm", 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_mkdir, "/tmp/d", 0755, 0), 0);
	assert_int_equal(with_path(alone, SYS_rmdir, "/tmp", 0, 0), -EROFS);
}

static void test_proc(void **state)
{
	struct tree *tree = *state;
	struct alone *alone = &tree->alone;
	char own[64];

	expect_link(alone, "/proc/self", "1000");
	expect_link(alone, "/proc/self/exe", "/bin/program");
	expect_link(alone, "/proc/self/cwd", "/");
	expect_link(alone, "/proc/self/fd/0", "/dev/console");
	expect_text(alone, "/proc/cpuinfo", "processor\t: 0");
	expect_text(alone, "/proc/meminfo", "MemTotal:           4096 kB");
	expect_text(alone, "/proc/stat", "cpu0 ");
	expect_text(alone, "/proc/loadavg", "1000\n");
	expect_text(alone, "/proc/sys/vm/overcommit_memory", "1\n");
	expect_text(alone, "/proc/mounts", "grant /data none ro 0 0\n");
	expect_text(alone, "/proc/self/status", "Pid:\t1000\n");
	expect_text(alone, "/proc/1000/status", "Umask:\t");
	expect_text(alone, "/proc/self/stat", "1000 (program) R ");
	expect_text(alone, "/proc/self/maps", "10000000-10010000 rw-p ");
	assert_true(lists(alone, "/proc", "1000") && lists(alone, "/proc/self", "maps"));
	assert_false(lists(alone, "/proc", "1"));
	assert_true(lists(alone, "/proc/self/fd", "2"));
	assert_int_equal(with_path(alone, SYS_openat, "/proc/1/status", O_RDONLY, 0), -ENOENT);
	assert_int_equal(with_path(alone, SYS_openat, "/proc/self/fd/77", O_RDONLY, 0), -ENOENT);
	assert_int_equal(with_path(alone, SYS_openat, "/proc/self/status", O_RDWR, 0), -EACCES);
	assert_int_equal(with_path(alone, SYS_unlink, "/proc/self/status", 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_chdir, "/data/inner", 0, 0), 0);
	expect_link(alone, "/proc/self/cwd", "/data/inner");
	expect_text(alone, "/proc/self/cwd/../shown", "shown");
	assert_int_equal(with_path(alone, SYS_openat, "shown", O_RDONLY, 0), -ENOENT);
	assert_int_equal(with_path(alone, SYS_openat, "../shown", O_RDONLY, 0), 3);
	expect_link(alone, "/proc/self/fd/3", "/data/shown");
	expect_text(alone, "/proc/self/fdinfo/3", "pos:\t0\nflags:\t0");
	snprintf(own, sizeof(own), "/proc/%d/fd/3", NUB_LINUX_PID);
	expect_text(alone, own, "shown");
	assert_null(strstr(text_of(alone, "/proc/self/maps"), "\t"));
}

static void test_dev(void **state)
{
	struct tree *tree = *state;
	struct alone *alone = &tree->alone;
	uint8_t bytes[32], zeros[32] = { 0 };

	assert_int_equal(with_path(alone, SYS_openat, "/dev/null", O_RDWR, 0), 3);
	assert_int_equal(call(alone, SYS_read, 3, DATA, 32, 0, 0, 0), 0);
	assert_int_equal(call(alone, SYS_write, 3, UNMAPPED, 32, 0, 0, 0), 32);
	assert_int_equal(with_path(alone, SYS_openat, "/dev/zero", O_RDWR, 0), 4);
	put(alone, DATA, "xxxxxxxx", 8);
	assert_int_equal(call(alone, SYS_read, 4, DATA, 32, 0, 0, 0), 32);
	get(alone, DATA, bytes, 32);
	assert_memory_equal(bytes, zeros, 32);
	assert_int_equal(with_path(alone, SYS_openat, "/dev/full", O_RDWR, 0), 5);
	assert_int_equal(call(alone, SYS_write, 5, DATA, 1, 0, 0, 0), -ENOSPC);
	assert_int_equal(with_path(alone, SYS_openat, "/dev/urandom", O_RDONLY, 0), 6);
	assert_int_equal(call(alone, SYS_read, 6, DATA, 32, 0, 0, 0), 32);
	get(alone, DATA, bytes, 32);
	assert_memory_not_equal(bytes, zeros, 32);
	assert_int_equal(call(alone, SYS_read, 6, UNMAPPED, 32, 0, 0, 0), -EFAULT);
	assert_int_equal(with_path(alone, SYS_openat, "/dev/tty", O_RDWR, 0), -ENXIO);
	assert_int_equal(with_path(alone, SYS_openat, "/dev/shm/x", O_CREAT | O_RDWR, 0600), 7);
	assert_int_equal(with_path(alone, SYS_openat, "/dev/new", O_CREAT | O_RDWR, 0600), -EROFS);
	assert_int_equal(with_path(alone, SYS_openat, "/dev/fd/3", O_RDWR, 0), 8);
	expect_link(alone, "/dev/fd/8", "/dev/null");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_grants),
		IN_TREE(test_tree),
		IN_TREE(test_read_only),
		IN_TREE(test_mounts_apart),
		IN_TREE(test_proc),
		IN_TREE(test_dev),
	};

	return cmocka_run_group_tests_name("grants of Linux programs", tests, NULL, NULL);
}
