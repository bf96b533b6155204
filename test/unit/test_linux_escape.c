/* Attempts to get out of a grant, to block nubrun, and to take more than was given. Outside of the granted folder lies a file whose
 * text nothing in the guest may ever show.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "linux_cases.h"
#include "personality/linux/files.h"

#define SECRET "the text of the file outside"
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

struct jail {
	char folder[64], granted[96];
	struct nub_linux_grant grants[2];
	struct nub_linux_config config;
	struct alone alone;
};

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void link_to(const struct jail *jail, const char *target, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", jail->granted, name);
	assert_int_equal(symlink(target, path), 0);
}

static int64_t with_path(struct alone *alone, unsigned number, const char *path, uint64_t b, uint64_t c, uint64_t d)
{
	put(alone, DATA, path, strlen(path) + 1);
	const int64_t result = number == SYS_openat ? call(alone, number, (uint64_t)AT_FDCWD, DATA, b, c, d, 0)
	                                            : call(alone, number, DATA, b, c, d, 0, 0);

	assert_true(result != NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	return result;
}

static int set_up_jail(void **state)
{
	struct jail *jail = calloc(1, sizeof(*jail));
	char outside[128], path[256];

	assert_non_null(jail);
	strcpy(jail->folder, "/tmp/nub-escape-XXXXXX");
	assert_non_null(mkdtemp(jail->folder));
	snprintf(jail->granted, sizeof(jail->granted), "%s/granted", jail->folder);
	snprintf(outside, sizeof(outside), "%s/outside", jail->folder);
	snprintf(path, sizeof(path), "%s/outside", jail->granted);
	assert_int_equal(mkdir(jail->granted, 0755) | mkdir(outside, 0755) | mkdir(path, 0755), 0);
	write_file(jail->folder, "secret", SECRET);
	write_file(outside, "secret", SECRET);
	write_file(jail->granted, "mine", "mine");
	link_to(jail, "../secret", "relative");
	link_to(jail, "..", "up");
	link_to(jail, "/", "root");
	link_to(jail, "outside/../../secret", "winding");
	link_to(jail, "up/up/up/secret", "chain");
	link_to(jail, "/proc/self/root", "magic");
	snprintf(path, sizeof(path), "%s/secret", jail->folder);
	link_to(jail, path, "absolute");
	link_to(jail, jail->folder, "absolute-folder");
	jail->grants[0] = (struct nub_linux_grant){
		.kind = NUB_LINUX_GRANT_DIR, .host = jail->granted, .guest = "/granted", .writable = true
	};
	jail->config = fake_config();
	jail->config.grants = jail->grants;
	jail->config.grant_count = 1;
	program_init(&jail->alone, &jail->config);
	*state = jail;
	return 0;
}

static int tear_down_jail(void **state)
{
	struct jail *jail = *state;

	alone_release(&jail->alone);
	nftw(jail->folder, cases_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(jail);
	return 0;
}

/* Nothing of it may be the file outside. Gives the descriptor's fate: opened or not. */
static bool expect_no_secret(struct alone *alone, int64_t fd)
{
	char text[64] = "";

	if (fd < 0)
		return false;
	const int64_t size = call(alone, SYS_pread64, (uint64_t)fd, DATA, sizeof(text) - 1, 0, 0, 0);

	assert_int_equal(next(alone), NUB_LINUX_RUN);
	if (size > 0) {
		get(alone, DATA, text, (size_t)size);
		assert_null(strstr(text, SECRET));
	}
	assert_int_equal(call(alone, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0), 0);
	return true;
}

static void test_paths(void **state)
{
	static const char *const paths[] = {
		"/granted/../secret",
		"/granted/relative",
		"/granted/absolute",
		"/granted/winding",
		"/granted/chain",
		"/granted/up/secret",
		"/granted/up/up/up/up/secret",
		"/granted/outside/../../secret",
		"/granted/outside/../../../secret",
		"/granted/absolute-folder/secret",
		"/granted/root/secret",
		"/granted/magic/secret",
		"/granted/magic/granted/../secret",
		"/proc/self/root/../secret",
		"/proc/self/cwd/../secret",
		"/proc/self/cwd/../../secret",
		"/proc/self/fd/3/../secret",
		"/proc/self/fd/3/../../secret",
		"/proc/self/fd/3/relative",
		"/proc/1/root/secret",
		"/proc/1/cwd/secret",
		"/dev/fd/3/../secret",
		"../secret",
		"../../../../../../../../secret",
		"relative",
		"absolute",
		"outside/../../secret",
	};
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;
	char absolute[128];

	assert_int_equal(with_path(alone, SYS_chdir, "/granted", 0, 0, 0), 0);
	assert_int_equal(with_path(alone, SYS_openat, ".", O_RDONLY | O_DIRECTORY, 0, 0), 3);
	for (size_t i = 0; i < LENGTH(paths); i++) {
		expect_no_secret(alone, with_path(alone, SYS_openat, paths[i], O_RDONLY, 0, 0));
		expect_no_secret(alone, with_path(alone, SYS_openat, paths[i], O_RDONLY | O_NOFOLLOW, 0, 0));
		assert_true(with_path(alone, SYS_truncate, paths[i], 0, 0, 0) < 0);
		assert_true(with_path(alone, SYS_chmod, paths[i], 0777, 0, 0) < 0);
	}
	snprintf(absolute, sizeof(absolute), "%s/secret", jail->folder);
	assert_int_equal(with_path(alone, SYS_openat, absolute, O_RDONLY, 0, 0), -ENOENT);
	/* A link may well say so; it leads to the guest's own. */
	assert_true(
	    expect_no_secret(alone, with_path(alone, SYS_openat, "/granted/magic/granted/mine", O_RDONLY, 0, 0)));
}

/* The host moves the directory that the guest stands in: what is beside its new place is not the guest's. */
static void test_moved_away(void **state)
{
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;
	char from[256], to[256];

	snprintf(from, sizeof(from), "%s/inner", jail->granted);
	snprintf(to, sizeof(to), "%s/outside/moved", jail->folder);
	assert_int_equal(mkdir(from, 0755), 0);
	assert_int_equal(with_path(alone, SYS_chdir, "/granted/inner", 0, 0, 0), 0);
	assert_int_equal(with_path(alone, SYS_openat, ".", O_RDONLY | O_DIRECTORY, 0, 0), 3);
	assert_int_equal(rename(from, to), 0);
	static const char *const paths[] = { "../secret", "../../secret", "../outside/secret",
		                             "/proc/self/fd/3/../secret", "/proc/self/cwd/../secret" };

	for (size_t i = 0; i < LENGTH(paths); i++) {
		put(alone, DATA, paths[i], strlen(paths[i]) + 1);
		assert_false(expect_no_secret(alone, call(alone, SYS_openat, 3, DATA, O_RDONLY, 0, 0, 0)));
		assert_false(expect_no_secret(alone, with_path(alone, SYS_openat, paths[i], O_RDONLY, 0, 0)));
	}
}

struct swapper {
	char one[256], other[256];
	atomic_bool done;
};

static void *swap(void *argument)
{
	struct swapper *swapper = argument;

	while (!swapper->done)
		renameat2(AT_FDCWD, swapper->one, AT_FDCWD, swapper->other, RENAME_EXCHANGE);
	return NULL;
}

/* Somebody outside turns a directory into a link that leads out, and back, all the time. */
static void test_race(void **state)
{
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;
	struct swapper swapper = { .done = false };
	unsigned opened = 0;
	pthread_t thread;

	link_to(jail, "../outside", "link");
	write_file(jail->granted, "outside/secret", "another text");
	snprintf(swapper.one, sizeof(swapper.one), "%s/outside", jail->granted);
	snprintf(swapper.other, sizeof(swapper.other), "%s/link", jail->granted);
	assert_int_equal(pthread_create(&thread, NULL, swap, &swapper), 0);
	for (unsigned i = 0; i < 3000; i++) {
		opened +=
		    expect_no_secret(alone, with_path(alone, SYS_openat, "/granted/outside/secret", O_RDONLY, 0, 0));
		expect_no_secret(alone, with_path(alone, SYS_openat, "/granted/link/secret", O_RDWR, 0, 0));
		with_path(alone, SYS_openat, "/granted/link/made", O_CREAT | O_RDWR, 0644, 0);
		with_path(alone, SYS_unlink, "/granted/link/secret-not", 0, 0, 0);
		call(alone, SYS_close_range, 3, UINT32_MAX, 0, 0, 0, 0);
	}
	swapper.done = true;
	pthread_join(thread, NULL);
	assert_true(opened > 0);
	char path[256];

	snprintf(path, sizeof(path), "%s/outside/made", jail->folder);
	assert_int_equal(access(path, F_OK), -1);
}

/* Anything but files and folders is not even opened. */
static void test_special_files(void **state)
{
	struct jail *jail = *state;
	struct alone *alone = &jail->alone;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char path[256];

	snprintf(path, sizeof(path), "%s/fifo", jail->granted);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_int_equal(with_path(alone, SYS_openat, "/granted/fifo", O_RDONLY, 0, 0), -EACCES);
	assert_int_equal(with_path(alone, SYS_openat, "/granted/fifo", O_WRONLY, 0, 0), -EACCES);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", jail->granted);
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(with_path(alone, SYS_openat, "/granted/socket", O_RDWR, 0, 0), -ENXIO);
	close(fd);
	snprintf(path, sizeof(path), "%s/device", jail->granted);
	if (mknod(path, S_IFCHR | 0666, 1 << 8 | 5) == 0)
		assert_int_equal(with_path(alone, SYS_openat, "/granted/device", O_RDONLY, 0, 0), -EACCES);
}

/* The host's /proc, granted: its files are of the process that runs the guest. */
static void test_host_proc(void **state)
{
	static const struct nub_linux_grant grant = {
		.kind = NUB_LINUX_GRANT_DIR, .host = "/proc", .guest = "/host", .writable = true
	};
	const int fd = open("/proc/self/status", O_RDONLY);
	struct nub_linux_config config = fake_config();
	struct alone alone;
	char name[64];

	(void)state;
	config.grants = &grant;
	config.grant_count = 1;
	program_init(&alone, &config);
	assert_int_equal(with_path(&alone, SYS_openat, "/host/self/mem", O_RDWR, 0, 0), -EACCES);
	assert_int_equal(with_path(&alone, SYS_openat, "/host/self/environ", O_RDONLY, 0, 0), -EACCES);
	assert_int_equal(with_path(&alone, SYS_openat, "/host/thread-self/maps", O_RDONLY, 0, 0), -EACCES);
	assert_int_equal(with_path(&alone, SYS_openat, "/host/self/root/etc/hostname", O_RDONLY, 0, 0), -ENOENT);
	assert_int_equal(with_path(&alone, SYS_openat, "/host/self/exe", O_RDONLY, 0, 0), -ENOENT);
	snprintf(name, sizeof(name), "/host/self/fd/%d", fd);
	assert_int_equal(with_path(&alone, SYS_openat, name, O_RDONLY, 0, 0), -ENOENT);
	close(fd);
	alone_release(&alone);
}

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

int main(void)
{
#define IN_JAIL(test) cmocka_unit_test_setup_teardown(test, set_up_jail, tear_down_jail)
	const struct CMUnitTest tests[] = {
		IN_JAIL(test_paths),
		IN_JAIL(test_moved_away),
		IN_JAIL(test_race),
		IN_JAIL(test_special_files),
		cmocka_unit_test(test_host_proc),
		IN_JAIL(test_read_only),
		IN_JAIL(test_set_user_id),
		IN_JAIL(test_limits),
	};

	return cmocka_run_group_tests_name("escape attempts of Linux programs", tests, NULL, NULL);
}
