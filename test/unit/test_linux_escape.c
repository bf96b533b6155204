/* Attempts to get out of a grant, and to have nubrun wait for what is not the guest's to wait for. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "linux_jail.h"
#include "personality/linux/mount.h"
#include "personality/linux/path.h"

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

/* Below a grant the host itself goes no further, whatever name it were given: up, from the root, through a link. */
static void test_host_side(void **state)
{
	static const struct {
		const char *name;
		int result;
	} names[] = {
		{ "..", -EXDEV },       { "outside/../..", -EXDEV }, { "/", -EXDEV },    { "/etc/passwd", -EXDEV },
		{ "relative", -ELOOP }, { "up/secret", -ELOOP },     { "root", -ELOOP }, { "magic/etc", -ELOOP },
	};
	struct jail *jail = *state;
	struct nub_linux_mount mount = { .fd = open(jail->granted, O_PATH | O_DIRECTORY | O_CLOEXEC) };

	assert_true(mount.fd >= 0);
	for (size_t i = 0; i < LENGTH(names); i++)
		assert_int_equal(nub_linux_host_open(&mount, names[i].name, O_RDONLY, 0), names[i].result);
	const int fd = nub_linux_host_open(&mount, "outside/../mine", O_RDONLY, 0);
	assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	close(mount.fd);
	/* Links that are none: what is behind a descriptor. */
	mount.fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(nub_linux_host_open(&mount, "root", O_RDONLY, 0), -ELOOP);
	assert_int_equal(nub_linux_host_open(&mount, "fd/0", O_RDONLY, 0), -ELOOP);
	close(mount.fd);
}

/* Somebody holds a lease on the file: it is asked for more than once, and not for ever. */
static void test_leased(void **state)
{
	struct jail *jail = *state;
	struct nub_linux_mount mount = { .fd = open(jail->granted, O_PATH | O_DIRECTORY | O_CLOEXEC) };
	const int lease = openat(mount.fd, "mine", O_RDONLY | O_CLOEXEC);

	signal(SIGIO, SIG_IGN);
	assert_true(lease >= 0);
	if (fcntl(lease, F_SETLEASE, F_RDLCK) == 0)
		assert_int_equal(nub_linux_host_open(&mount, "mine", O_WRONLY | O_NONBLOCK, 0), -EAGAIN);
	close(lease);
	close(mount.fd);
	signal(SIGIO, SIG_DFL);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_JAIL(test_paths),
		IN_JAIL(test_host_side),
		IN_JAIL(test_leased),
		IN_JAIL(test_moved_away),
		IN_JAIL(test_race),
		IN_JAIL(test_special_files),
		cmocka_unit_test(test_host_proc),
	};

	return cmocka_run_group_tests_name("escape attempts of Linux programs", tests, NULL, NULL);
}
