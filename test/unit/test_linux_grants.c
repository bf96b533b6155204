/* What a program finds where: grants and what they refuse, /proc, /dev, /etc, standard input and output; and threads that wait for one
 * another's bytes.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "linux_cases.h"
#include "personality/linux/files.h"
#include "personality/linux/mm.h"
#include "personality/linux/start.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static int64_t with_path(struct alone *alone, unsigned number, const char *path, uint64_t b, uint64_t c)
{
	put(alone, DATA, path, strlen(path) + 1);
	const int64_t result = number == SYS_openat ? call(alone, number, (uint64_t)AT_FDCWD, DATA, b, c, 0, 0)
	                                            : call(alone, number, DATA, b, c, 0, 0, 0);

	if (result != NUB_LINUX_WAIT)
		assert_int_equal(next(alone), NUB_LINUX_RUN);
	return result;
}

/* What is in the file, as far as it fits; NULL: it can't be opened. */
static const char *text_of(struct alone *alone, const char *path)
{
	static char text[16384];
	const int64_t fd = with_path(alone, SYS_openat, path, O_RDONLY, 0);
	int64_t size = 0, got = 0;

	if (fd < 0)
		return NULL;
	while ((got = call(alone, SYS_read, (uint64_t)fd, DATA, sizeof(text) - 1 - (size_t)size, 0, 0, 0)) > 0) {
		get(alone, DATA, text + size, (size_t)got);
		size += got;
	}
	assert_int_equal(got, 0);
	text[size] = '\0';
	assert_int_equal(call(alone, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0), 0);
	return text;
}

static void expect_text(struct alone *alone, const char *path, const char *part)
{
	const char *text = text_of(alone, path);

	if (!text || !strstr(text, part))
		fail_msg("%s says '%.200s', not '%s'", path, text ? text : "nothing", part);
}

static void expect_link(struct alone *alone, const char *path, const char *target)
{
	char text[256] = "";
	const int64_t length = with_path(alone, SYS_readlink, path, DATA + 4096, sizeof(text));

	assert_true(length > 0);
	get(alone, DATA + 4096, text, (size_t)length);
	assert_string_equal(text, target);
}

static bool lists(struct alone *alone, const char *folder, const char *name)
{
	const int64_t fd = with_path(alone, SYS_openat, folder, O_RDONLY | O_DIRECTORY, 0);
	uint8_t entries[8192];
	bool found = false;

	assert_true(fd >= 0);
	const int64_t size = call(alone, SYS_getdents64, (uint64_t)fd, DATA, sizeof(entries), 0, 0, 0);

	assert_true(size > 0);
	get(alone, DATA, entries, (size_t)size);
	for (int64_t at = 0; at < size;) {
		const struct dirent64 *entry = (const void *)(entries + at);

		found = found || strcmp(entry->d_name, name) == 0;
		at += entry->d_reclen;
	}
	assert_int_equal(call(alone, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0), 0);
	return found;
}

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

struct tree {
	char folder[64];
	struct nub_linux_grant grants[3];
	struct nub_linux_config config;
	struct alone alone;
};

static void make_file(const struct tree *tree, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", tree->folder, name);
	const int fd = open(path, O_CREAT | O_WRONLY, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int set_up_tree(void **state)
{
	static const char *const folders[] = { "root", "root/bin", "root/etc", "root/data", "other", "other/inner" };
	struct tree *tree = calloc(1, sizeof(*tree));
	char path[256], other[256], file[256];

	assert_non_null(tree);
	strcpy(tree->folder, "/tmp/nub-grants-XXXXXX");
	assert_non_null(mkdtemp(tree->folder));
	for (size_t i = 0; i < LENGTH(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", tree->folder, folders[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	make_file(tree, "root/etc/hosts", "the root's own");
	make_file(tree, "root/data/hidden", "hidden");
	make_file(tree, "root/bin/tool", "a tool");
	make_file(tree, "other/shown", "shown");
	make_file(tree, "file", "0123456789");
	snprintf(path, sizeof(path), "%s/root/link", tree->folder);
	assert_int_equal(symlink("/bin/tool", path), 0);
	snprintf(path, sizeof(path), "%s/root", tree->folder);
	snprintf(other, sizeof(other), "%s/other", tree->folder);
	snprintf(file, sizeof(file), "%s/file", tree->folder);
	tree->grants[0] = (struct nub_linux_grant){ .kind = NUB_LINUX_GRANT_ROOT, .host = path, .writable = true };
	tree->grants[1] = (struct nub_linux_grant){ .kind = NUB_LINUX_GRANT_DIR, .host = other, .guest = "/data" };
	tree->grants[2] = (struct nub_linux_grant){
		.kind = NUB_LINUX_GRANT_FILE, .host = file, .guest = "/mnt/deep/file", .writable = true
	};
	tree->config = fake_config();
	tree->config.grants = tree->grants;
	tree->config.grant_count = 3;
	program_init(&tree->alone, &tree->config);
	*state = tree;
	return 0;
}

static int tear_down_tree(void **state)
{
	struct tree *tree = *state;

	alone_release(&tree->alone);
	nftw(tree->folder, cases_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(tree);
	return 0;
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

static void test_output(void **state)
{
	struct tree *tree = *state;
	struct alone *alone = &tree->alone;

	put(alone, DATA, "to the host", 11);
	assert_int_equal(call(alone, SYS_write, 1, DATA, 11, 0, 0, 0), 11);
	assert_int_equal(with_path(alone, SYS_openat, "/dev/stdout", O_WRONLY, 0), 3);
	put(alone, DATA, ", twice", 7);
	assert_int_equal(call(alone, SYS_write, 3, DATA, 7, 0, 0, 0), 7);
	assert_string_equal(alone->fake.printed, "to the host, twice");
	assert_int_equal(with_path(alone, SYS_openat, "/dev/stdout", O_RDONLY, 0), -EACCES);
	assert_int_equal(call(alone, SYS_ioctl, 1, TIOCGWINSZ, DATA, 0, 0, 0), -ENOTTY);
	assert_int_equal(call(alone, SYS_read, 1, DATA, 1, 0, 0, 0), -EBADF);
	assert_int_equal(call(alone, SYS_write, 1, UNMAPPED, 1, 0, 0, 0), -EFAULT);
	assert_int_equal(call(alone, SYS_read, 0, DATA, 1, 0, 0, 0), 0); /* there is none */
	alone->fake.output_fails = true;
	call(alone, SYS_write, 1, DATA, 1, 0, 0, 0);
	assert_int_equal(alone->linux->end.kind, NUB_LINUX_FAILED);
}

/* Input from a pipe of the host: nothing is there yet, then something, then its end. */
static void test_input(void **state)
{
	struct nub_linux_config config = fake_config();
	struct nub_linux_idle idle;
	struct alone alone;
	char text[8] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	config.stdin_fd = ends[0];
	program_init(&alone, &config);
	assert_int_equal(call(&alone, SYS_read, 0, DATA, 8, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(nub_linux_next(alone.linux, &idle), NUB_LINUX_IDLE);
	assert_int_equal(idle.poll_count, 1);
	assert_int_equal(idle.polls[0].fd, ends[0]);
	assert_int_equal(write(ends[1], "hello", 5), 5);
	assert_int_equal(next(&alone), NUB_LINUX_RUN);
	assert_int_equal(alone.linux->current->vcpu.regs.rax, 5);
	get(&alone, DATA, text, 5);
	assert_string_equal(text, "hello");
	assert_int_equal(call(&alone, SYS_ioctl, 0, FIONBIO, DATA, 0, 0, 0), 0);
	assert_int_equal(call(&alone, SYS_read, 0, DATA, 8, 0, 0, 0), -EAGAIN);
	close(ends[1]);
	assert_int_equal(call(&alone, SYS_read, 0, DATA, 8, 0, 0, 0), 0);
	alone_release(&alone);
	close(ends[0]);
}

/* A regular file as input has offsets, and can be mapped. */
static void test_regular_input(void **state)
{
	struct tree *tree = *state;
	struct nub_linux_config config = fake_config();
	struct alone alone;
	char path[128], text[16] = "";
	int64_t error;

	snprintf(path, sizeof(path), "%s/file", tree->folder);
	config.stdin_fd = open(path, O_RDONLY);
	assert_int_equal(lseek(config.stdin_fd, 2, SEEK_SET), 2);
	program_init(&alone, &config);
	assert_int_equal(call(&alone, SYS_read, 0, DATA, 3, 0, 0, 0), 3);
	get(&alone, DATA, text, 3);
	assert_string_equal(text, "234");
	assert_int_equal(call(&alone, SYS_lseek, 0, 0, SEEK_CUR, 0, 0, 0), 5);
	assert_int_equal(call(&alone, SYS_pread64, 0, DATA, 3, 0, 0, 0), 3);
	struct nub_linux_backing *backing = alone.linux->open_backing(alone.linux, 0, PROT_READ, MAP_PRIVATE, &error);

	assert_non_null(backing);
	memset(text, 'x', sizeof(text));
	assert_int_equal(backing->ops->read(backing, 7, text, 8), 3);
	assert_memory_equal(text, "789", 3);
	nub_linux_backing_drop(backing);
	assert_null(alone.linux->open_backing(alone.linux, 0, PROT_READ | PROT_WRITE, MAP_SHARED, &error));
	assert_int_equal(error, -EACCES);
	assert_null(alone.linux->open_backing(alone.linux, 1, PROT_READ, MAP_PRIVATE, &error));
	assert_int_equal(error, -EACCES);
	assert_null(alone.linux->open_backing(alone.linux, 99, PROT_READ, MAP_PRIVATE, &error));
	assert_int_equal(error, -EBADF);
	assert_null(alone.linux->open_program(alone.linux, "/none", &error));
	assert_int_equal(error, -ENOENT);
	assert_null(alone.linux->open_program(alone.linux, "/dev", &error));
	assert_int_equal(error, -EACCES);
	alone_release(&alone);
	close(config.stdin_fd);
}

/* What is written into a shared mapping of a file in memory is in the file. */
static void test_shared_mapping(void **state)
{
	struct tree *tree = *state;
	struct alone *alone = &tree->alone;
	char text[8] = "";

	assert_int_equal(with_path(alone, SYS_memfd_create, "m", 0, 0), 3);
	assert_int_equal(call(alone, SYS_ftruncate, 3, 4096, 0, 0, 0, 0), 0);
	const uint64_t gva = (uint64_t)call(alone, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);

	put(alone, gva + 100, "mapped", 6);
	assert_int_equal(call(alone, SYS_dup, 3, 0, 0, 0, 0, 0), 4);
	assert_int_equal(call(alone, SYS_close, 3, 0, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, SYS_msync, gva, 4096, MS_SYNC, 0, 0, 0), 0);
	assert_int_equal(call(alone, SYS_pread64, 4, DATA, 6, 100, 0, 0), 6);
	get(alone, DATA, text, 6);
	assert_string_equal(text, "mapped");
	assert_int_equal(call(alone, SYS_close, 4, 0, 0, 0, 0, 0), 0); /* the mapping keeps the file */
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	get(alone, gva + 100, text, 6);
	assert_string_equal(text, "mapped");
	assert_int_equal(call(alone, SYS_munmap, gva, 4096, 0, 0, 0, 0), 0);
}

/* One thread waits for what another writes; the last one's write waits for room, and goes on in its middle. */
static void test_waiting_threads(void **state)
{
	struct alone *alone = *state;
	int32_t ends[2];
	char text[8] = "";

	assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), 0);
	get(alone, DATA, ends, sizeof(ends));
	const int64_t reader = alone->linux->current->tid, writer = spawn(alone);

	assert_int_equal(call(alone, SYS_read, (uint64_t)ends[0], DATA, 8, 0, 0, 0), NUB_LINUX_WAIT);
	run(alone, writer);
	put(alone, DATA + 4096, "bytes", 5);
	assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], DATA + 4096, 5, 0, 0, 0), 5);
	run(alone, reader);
	assert_int_equal(result_of(alone, reader), 5);
	get(alone, DATA, text, 5);
	assert_string_equal(text, "bytes");

	/* 65536 bytes fit. */
	run(alone, writer);
	for (int i = 0; i < 15; i++)
		assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], STACK, 4096, 0, 0, 0), 4096);
	assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], STACK, 12288, 0, 0, 0), NUB_LINUX_WAIT);
	run(alone, reader);
	assert_int_equal(call(alone, SYS_read, (uint64_t)ends[0], STACK + 16384, 4096, 0, 0, 0), 4096);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_true(waits(alone, writer));
	for (int i = 0; i < 15; i++)
		assert_int_equal(call(alone, SYS_read, (uint64_t)ends[0], STACK + 16384, 4096, 0, 0, 0), 4096);
	run(alone, writer);
	assert_int_equal(result_of(alone, writer), 12288);
}

/* A poll that waits for a pipe and a time; and epoll for what another thread adds meanwhile. */
static void test_waiting_polls(void **state)
{
	struct alone *alone = *state;
	const struct epoll_event in = { EPOLLIN, { .u64 = 5 } };
	struct pollfd poll_fd = { .events = POLLIN };
	int32_t ends[2];

	assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), 0);
	get(alone, DATA, ends, sizeof(ends));
	const int64_t waiter = alone->linux->current->tid, other = spawn(alone);

	poll_fd.fd = ends[0];
	put(alone, DATA, &poll_fd, sizeof(poll_fd));
	assert_int_equal(call(alone, SYS_poll, DATA, 1, 50, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	alone->fake.monotonic_ns += UINT64_C(51000000);
	run(alone, waiter);
	assert_int_equal(result_of(alone, waiter), 0);

	assert_int_equal(call(alone, SYS_poll, DATA, 1, UINT64_MAX, 0, 0, 0), NUB_LINUX_WAIT);
	run(alone, other);
	assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], STACK, 1, 0, 0, 0), 1);
	run(alone, waiter);
	assert_int_equal(result_of(alone, waiter), 1);
	get(alone, DATA, &poll_fd, sizeof(poll_fd));
	assert_int_equal(poll_fd.revents, POLLIN);

	const int64_t epoll = call(alone, SYS_epoll_create1, 0, 0, 0, 0, 0, 0);

	assert_int_equal(call(alone, SYS_epoll_wait, (uint64_t)epoll, DATA, 1, UINT64_MAX, 0, 0), NUB_LINUX_WAIT);
	run(alone, other);
	put(alone, DATA + 4096, &in, sizeof(in));
	assert_int_equal(
	    call(alone, SYS_epoll_ctl, (uint64_t)epoll, EPOLL_CTL_ADD, (uint64_t)ends[0], DATA + 4096, 0, 0), 0);
	run(alone, waiter);
	assert_int_equal(result_of(alone, waiter), 1);
}

/* A signal in the middle of a write: the call gives what was written so far. */
static void test_interrupted_write(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_sigaction action = { .handler = CODE, .flags = NUB_LINUX_SA_RESTORER, .restorer = CODE };
	int32_t ends[2];

	assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), 0);
	get(alone, DATA, ends, sizeof(ends));
	put(alone, DATA, &action, sizeof(action));
	assert_int_equal(call(alone, SYS_rt_sigaction, SIGUSR1, DATA, 0, 8, 0, 0), 0);
	const int64_t writer = alone->linux->current->tid, other = spawn(alone);

	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
	for (int i = 0; i < 15; i++)
		assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], STACK, 4096, 0, 0, 0), 4096);
	alone->fake.vcpu.regs.rsp = STACK_TOP;
	const struct nub_registers regs = {
		.rax = SYS_write, .rdi = (uint64_t)ends[1], .rsi = STACK, .rdx = 12288, .rip = CODE, .rsp = STACK_TOP
	};

	alone->fake.vcpu.regs = regs;
	nub_linux_syscall(alone->linux);
	assert_true(alone->linux->current->wait.waiting);
	run(alone, other);
	assert_int_equal(call(alone, SYS_tgkill, NUB_LINUX_PID, (uint64_t)writer, SIGUSR1, 0, 0, 0), 0);
	run(alone, writer);
	/* It is in the handler, whose frame has what the call gave. */
	const struct nub_linux_thread *thread = thread_of(alone, writer);
	uint64_t rax;

	assert_int_equal(thread->vcpu.regs.rip, CODE);
	get(alone, thread->vcpu.regs.rdx + 40 + 13 * 8, &rax, sizeof(rax)); /* ucontext: uc_mcontext.gregs[REG_RAX] */
	assert_int_equal(rax, 4096);
}

int main(void)
{
#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, set_up_tree, tear_down_tree)
#define ALONE(test) cmocka_unit_test_setup_teardown(test, program_setup, program_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_grants),
		IN_TREE(test_tree),
		IN_TREE(test_mounts_apart),
		IN_TREE(test_proc),
		IN_TREE(test_dev),
		IN_TREE(test_output),
		cmocka_unit_test(test_input),
		IN_TREE(test_regular_input),
		IN_TREE(test_shared_mapping),
		ALONE(test_waiting_threads),
		ALONE(test_waiting_polls),
		ALONE(test_interrupted_write),
	};

	return cmocka_run_group_tests_name("grants of Linux programs", tests, NULL, NULL);
}
