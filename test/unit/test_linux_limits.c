/* What grants for reading keep, and how much a program may take. */
#include <sys/epoll.h>

#include "linux_jail.h"

static void test_read_only(void **state)
{
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;

	alone_release(alone);
	jail->grants[0].writable = false;
	program_init(alone, &jail->config);
	assert_int_equal(with_path(alone, SYS_openat, "/granted/mine", O_RDWR, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_openat, "/granted/mine", O_RDONLY | O_TRUNC, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_openat, "/granted/new", O_CREAT | O_WRONLY, 0644, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_openat, "/granted/mine", O_CREAT | O_EXCL, 0644, 0), -EEXIST);
	assert_int_equal(with_path(alone, SYS_openat, "/granted", O_TMPFILE | O_RDWR, 0644, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_mkdir, "/granted/new", 0755, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_mkdir, "/granted/mine", 0755, 0, 0), -EEXIST);
	assert_int_equal(with_path(alone, SYS_unlink, "/granted/mine", 0, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_rmdir, "/granted/outside", 0, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_truncate, "/granted/mine", 0, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_chmod, "/granted/mine", 0600, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_utimes, "/granted/mine", 0, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_access, "/granted/mine", W_OK, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_access, "/granted/mine", R_OK, 0, 0), 0);
	put(alone, DATA + 4096, "/granted/x", 11);
	assert_int_equal(with_path(alone, SYS_rename, "/granted/mine", DATA + 4096, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_link, "/granted/mine", DATA + 4096, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_symlink, "x", DATA + 4096, 0, 0), -EROFS);
	/* A grant's own name, and what we make, are nobody's to take. */
	assert_int_equal(with_path(alone, SYS_rmdir, "/granted", 0, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_unlink, "/dev/null", 0, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_openat, "/etc/passwd", O_RDWR, 0, 0), -EROFS);
	assert_int_equal(with_path(alone, SYS_mkdir, "/new", 0755, 0, 0), -EROFS);
}

/* A host's file can't become one that runs as its owner. */
static void test_set_user_id(void **state)
{
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;
	struct stat stat_now;
	char path[256];

	assert_int_equal(with_path(alone, SYS_chmod, "/granted/mine", 04755, 0, 0), -EPERM);
	assert_int_equal(with_path(alone, SYS_chmod, "/granted/mine", 02755, 0, 0), -EPERM);
	assert_int_equal(with_path(alone, SYS_chmod, "/granted/mine", 0755, 0, 0), 0);
	assert_int_equal(with_path(alone, SYS_openat, "/granted/new", O_CREAT | O_RDWR, 06755, 0), 3);
	snprintf(path, sizeof(path), "%s/new", jail->granted);
	assert_int_equal(stat(path, &stat_now), 0);
	assert_int_equal(stat_now.st_mode & 07000, 0);
	assert_int_equal(with_path(alone, SYS_chown, "/granted/mine", 12345, 12345, 0), -EPERM);
}

static void test_limits(void **state)
{
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;
	char name[64];
	int64_t result = 0;

	alone_release(alone);
	jail->config.max_fds = 20;
	jail->grants[1] = (struct nub_linux_grant){ .kind = NUB_LINUX_GRANT_TMPFS, .guest = "/mem", .size = 65536 };
	jail->config.grant_count = 2;
	program_init(alone, &jail->config);
	for (int fd = 3; fd < 20; fd++)
		assert_int_equal(with_path(alone, SYS_openat, "/granted/mine", O_RDONLY, 0, 0), fd);
	assert_int_equal(with_path(alone, SYS_openat, "/granted/new", O_CREAT | O_RDWR, 0644, 0), -EMFILE);
	assert_int_equal(with_path(alone, SYS_access, "/granted/new", F_OK, 0, 0), -ENOENT);
	assert_int_equal(call(alone, SYS_dup, 3, 0, 0, 0, 0, 0), -EMFILE);
	assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), -EMFILE);
	assert_int_equal(call(alone, SYS_close, 3, 0, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), -EMFILE);
	assert_int_equal(call(alone, SYS_dup2, 4, 20, 0, 0, 0, 0), -EBADF);

	assert_int_equal(with_path(alone, SYS_openat, "/mem/full", O_CREAT | O_RDWR, 0644, 0), 3);
	for (int i = 0; i < 16; i++)
		assert_int_equal(call(alone, SYS_write, 3, STACK, 4096, 0, 0, 0), 4096);
	assert_int_equal(call(alone, SYS_write, 3, STACK, 4096, 0, 0, 0), -ENOSPC);
	assert_int_equal(call(alone, SYS_fallocate, 3, 0, 0, UINT64_C(1) << 40, 0, 0), -ENOSPC);
	assert_int_equal(call(alone, SYS_ftruncate, 3, UINT64_C(1) << 40, 0, 0, 0, 0), 0);
	for (int i = 0; i < 10000 && result == 0; i++) {
		snprintf(name, sizeof(name), "/mem/%d", i);
		result = with_path(alone, SYS_mkdir, name, 0755, 0, 0);
	}
	assert_int_equal(result, -ENOSPC);
}

/* Instances of epoll in instances: many ways through them would be many looks. */
static void test_nested_epolls(void **state)
{
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;
	const struct epoll_event in = { .events = EPOLLIN };
	int64_t result = 0;
	unsigned nested = 0;

	put(alone, DATA, &in, sizeof(in));
	for (uint64_t fd = 3; fd < 43; fd++)
		assert_int_equal(call(alone, SYS_epoll_create1, 0, 0, 0, 0, 0, 0), fd);
	for (uint64_t fd = 4; fd < 43 && result == 0; fd++) {
		result = call(alone, SYS_epoll_ctl, 3, EPOLL_CTL_ADD, fd, DATA, 0, 0);
		nested += result == 0;
	}
	assert_int_equal(result, -EINVAL);
	assert_int_equal(nested, 16);
	assert_int_equal(call(alone, SYS_epoll_ctl, 3, EPOLL_CTL_DEL, 4, 0, 0, 0), 0);
	for (uint64_t fd = 5; fd < 9; fd++)
		assert_int_equal(call(alone, SYS_epoll_ctl, 3, EPOLL_CTL_DEL, fd, 0, 0, 0), 0);
	for (uint64_t fd = 3; fd < 8; fd++) /* a chain */
		result = call(alone, SYS_epoll_ctl, fd, EPOLL_CTL_ADD, fd + 1, DATA, 0, 0);
	assert_int_equal(result, -ELOOP);
	assert_int_equal(call(alone, SYS_epoll_wait, 3, DATA, 1, 0, 0, 0), 0);
}

/* What instances watch is counted in all: a thousand of them, that watch a thousand each, are more than they look. */
static void test_watches(void **state)
{
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;
	const struct epoll_event event = { .events = EPOLLIN };
	size_t *watches = &alone->linux->files->watches;

	put(alone, DATA, &event, sizeof(event));
	assert_int_equal(call(alone, SYS_epoll_create1, 0, 0, 0, 0, 0, 0), 3);
	for (uint64_t fd = 4; fd < 7; fd++)
		assert_int_equal(call(alone, SYS_eventfd2, 0, 0, 0, 0, 0, 0), fd);
	*watches = NUB_LINUX_WATCHES_MAX - 2;
	assert_int_equal(call(alone, SYS_epoll_ctl, 3, EPOLL_CTL_ADD, 4, DATA, 0, 0), 0);
	assert_int_equal(call(alone, SYS_epoll_ctl, 3, EPOLL_CTL_ADD, 5, DATA, 0, 0), 0);
	assert_int_equal(call(alone, SYS_epoll_ctl, 3, EPOLL_CTL_ADD, 6, DATA, 0, 0), -ENOSPC);
	assert_int_equal(call(alone, SYS_epoll_ctl, 3, EPOLL_CTL_DEL, 4, 0, 0, 0), 0);
	assert_int_equal(call(alone, SYS_epoll_ctl, 3, EPOLL_CTL_ADD, 6, DATA, 0, 0), 0);
	assert_int_equal(call(alone, SYS_close, 5, 0, 0, 0, 0, 0), 0);
	assert_int_equal(*watches, NUB_LINUX_WATCHES_MAX - 1);
	assert_int_equal(call(alone, SYS_close, 3, 0, 0, 0, 0, 0), 0);
	assert_int_equal(*watches, NUB_LINUX_WATCHES_MAX - 2);
	*watches = 0;
}

static int64_t with_paths(struct alone *alone, unsigned number, const char *path, const char *other)
{
	put(alone, DATA + 4096, other, strlen(other) + 1);
	return with_path(alone, number, path, DATA + 4096, 0, 0);
}

/* Names of one file are counted like files. */
static void test_names(void **state)
{
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;
	char name[32];
	int64_t result = 0;
	unsigned names = 0;

	assert_int_equal(with_path(alone, SYS_mknod, "/tmp/file", S_IFREG | 0600, 0, 0), 0);
	for (; result == 0 && names < 1u << 20; names += result == 0) {
		snprintf(name, sizeof(name), "/tmp/%u", names);
		result = with_paths(alone, SYS_link, "/tmp/file", name);
	}
	assert_int_equal(result, -ENOSPC);
	assert_int_equal(with_path(alone, SYS_mkdir, "/tmp/folder", 0700, 0, 0), -ENOSPC);
	assert_int_equal(with_paths(alone, SYS_rename, "/tmp/0", "/tmp/renamed"), 0);
	assert_int_equal(with_paths(alone, SYS_link, "/tmp/file", "/tmp/0"), -ENOSPC);
	assert_int_equal(with_path(alone, SYS_unlink, "/tmp/renamed", 0, 0, 0), 0);
	assert_int_equal(with_paths(alone, SYS_link, "/tmp/file", "/tmp/0"), 0);
	assert_int_equal(with_paths(alone, SYS_link, "/tmp/file", "/tmp/1x"), -ENOSPC);
	assert_int_equal(with_path(alone, SYS_unlink, "/tmp/file", 0, 0, 0), 0);
	for (unsigned i = 0; i < names; i++) {
		snprintf(name, sizeof(name), "/tmp/%u", i);
		assert_int_equal(with_path(alone, SYS_unlink, name, 0, 0, 0), 0);
	}
	assert_int_equal(with_path(alone, SYS_mkdir, "/tmp/folder", 0700, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_JAIL(test_read_only),     IN_JAIL(test_set_user_id), IN_JAIL(test_limits),
		IN_JAIL(test_nested_epolls), IN_JAIL(test_watches),     IN_JAIL(test_names),
	};

	return cmocka_run_group_tests_name("limits of Linux programs' files", tests, NULL, NULL);
}
