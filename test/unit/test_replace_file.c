/* Replacing files: whole or not at all, modes, links, and nothing left behind. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/replace_file.h"

/* In the place of the C library's: a file system that has no O_TMPFILE, when the test asks for one. */
static bool without_tmpfile;
int open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	const unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, unsigned) : 0;
	va_end(args);
	if (without_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* In the place of the C library's: the mask is the whole process's, and other threads make files, too. */
static unsigned mask_changes;
mode_t umask(mode_t mask)
{
	mask_changes++;
	return (mode_t)syscall(SYS_umask, mask);
}

static mode_t set_mask(mode_t mask)
{
	return (mode_t)syscall(SYS_umask, mask);
}

struct folder {
	char path[64];
	int start; /* where the test began */
};

static int set_up(void **state)
{
	static struct folder folder;

	strcpy(folder.path, "/tmp/nub-replace-XXXXXX");
	folder.start = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder.start < 0 || !mkdtemp(folder.path) || chdir(folder.path) < 0)
		return -1;
	*state = &folder;
	return 0;
}

static int set_up_without_tmpfile(void **state)
{
	without_tmpfile = true;
	return set_up(state);
}

static int tear_down(void **state)
{
	const struct folder *folder = *state;
	DIR *entries = opendir(".");

	without_tmpfile = false;
	for (struct dirent *entry; entries && (entry = readdir(entries));)
		if (unlink(entry->d_name) < 0 && errno == EISDIR)
			rmdir(entry->d_name);
	closedir(entries);
	if (fchdir(folder->start) < 0)
		return -1;
	close(folder->start);
	return rmdir(folder->path);
}

static void put(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void expect(const char *path, const char *text)
{
	char bytes[64] = "";
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, bytes, sizeof(bytes) - 1) >= 0);
	close(fd);
	assert_string_equal(bytes, text);
}

static unsigned entries(void)
{
	DIR *folder = opendir(".");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 2;
}

static mode_t mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 07777;
}

static void replace(const char *path, const char *text)
{
	struct nub_replacement file;
	struct nub_error err = { 0 };

	assert_int_equal(nub_replace_begin(&file, path, &err), 0);
	assert_int_equal(write(file.fd, text, strlen(text)), strlen(text));
	if (nub_replace_commit(&file, &err) < 0)
		fail_msg("%s", err.message);
}

static void a_new_file(void **state)
{
	const mode_t old = set_mask(027);

	(void)state;
	mask_changes = 0;
	replace("new", "contents");
	set_mask(old);
	assert_int_equal(mask_changes, 0);
	expect("new", "contents");
	assert_int_equal(mode_of("new"), 0640);
	assert_int_equal(entries(), 1);
}

static void an_old_file_keeps_its_mode(void **state)
{
	(void)state;
	put("old", "before");
	assert_int_equal(chmod("old", 0604), 0);
	replace("old", "after");
	expect("old", "after");
	assert_int_equal(mode_of("old"), 0604);
	assert_int_equal(entries(), 1);
}

/* Until the end the old file is there, whole; and when it is given up, too. */
static void the_old_file_stays_until_the_end(void **state)
{
	struct nub_replacement file;
	struct nub_error err = { 0 };

	(void)state;
	put("old", "before");
	assert_int_equal(nub_replace_begin(&file, "old", &err), 0);
	assert_int_equal(write(file.fd, "half", 4), 4);
	expect("old", "before");
	nub_replace_abandon(&file);
	expect("old", "before");
	assert_int_equal(entries(), 1);
	assert_int_equal(nub_replace_begin(&file, "absent", &err), 0);
	nub_replace_abandon(&file);
	assert_int_equal(entries(), 1);
	/* Twice does no harm. */
	nub_replace_abandon(&file);
}

/* An open reader keeps what it has: the file is another, not the same one written over. */
static void a_reader_keeps_the_old_one(void **state)
{
	char bytes[16] = "";

	(void)state;
	put("old", "before");
	const int fd = open("old", O_RDONLY | O_CLOEXEC);
	replace("old", "after!");
	assert_int_equal(pread(fd, bytes, sizeof(bytes) - 1, 0), 6);
	assert_string_equal(bytes, "before");
	close(fd);
}

static void links_are_followed_and_stay(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(mkdir("folder", 0755), 0);
	put("folder/target", "before");
	assert_int_equal(symlink("folder/target", "link"), 0);
	replace("link", "after");
	assert_int_equal(lstat("link", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	expect("folder/target", "after");
	assert_int_equal(entries(), 2);
	unlink("folder/target");
}

/* Also where there is nothing at their end yet. */
static void links_to_nothing_stay(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(symlink("folder/second", "first"), 0);
	assert_int_equal(symlink("target", "folder/second"), 0);
	replace("first", "contents");
	assert_int_equal(lstat("first", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(lstat("folder/second", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	expect("folder/target", "contents");
	unlink("folder/target");
	unlink("folder/second");
}

static void expect_refusal(const char *path)
{
	struct nub_replacement file;
	struct nub_error err = { 0 };

	assert_int_equal(nub_replace_begin(&file, path, &err), -1);
	assert_string_equal(nub_error_name(err.kind), "io");
	assert_non_null(strstr(err.message, path));
	assert_string_not_equal(err.hint, "");
	assert_int_equal(file.fd, -1);
}

/* What is no file is not replaced by one. */
static void other_things_are_refused(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	expect_refusal("folder");
	expect_refusal("pipe");
	expect_refusal("/dev/null");
	expect_refusal("absent/file");
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));
	assert_int_equal(stat("pipe", &status), 0);
	assert_true(S_ISFIFO(status.st_mode));
	assert_int_equal(entries(), 2);
}

/* The folder goes away before the end, as it can when nothing in it has a name: an error, and no file anywhere. */
static void a_failure_at_the_end(void **state)
{
	struct nub_replacement file;
	struct nub_error err = { 0 };

	(void)state;
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(nub_replace_begin(&file, "folder/new", &err), 0);
	assert_int_equal(rmdir("folder"), 0);
	assert_int_equal(nub_replace_commit(&file, &err), -1);
	assert_string_equal(nub_error_name(err.kind), "io");
	assert_int_equal(file.fd, -1);
	assert_int_equal(entries(), 0);
}

/* A target that turned into a folder: rename refuses, the temporary name goes, too. */
static void a_rename_that_fails(void **state)
{
	struct nub_replacement file;
	struct nub_error err = { 0 };

	(void)state;
	assert_int_equal(nub_replace_begin(&file, "new", &err), 0);
	assert_int_equal(mkdir("new", 0755), 0);
	assert_int_equal(nub_replace_commit(&file, &err), -1);
	assert_int_equal(entries(), 1);
}

/* A name as long as names can be. */
static void a_long_name(void **state)
{
	char name[NAME_MAX + 1];

	(void)state;
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	replace(name, "long");
	expect(name, "long");
	assert_int_equal(entries(), 1);
}

#define FOLDER_TEST(function)                                                                                          \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down),                                                  \
	{                                                                                                              \
#function " without O_TMPFILE", function, set_up_without_tmpfile, tear_down, NULL                      \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(a_new_file),
		FOLDER_TEST(an_old_file_keeps_its_mode),
		FOLDER_TEST(the_old_file_stays_until_the_end),
		FOLDER_TEST(a_reader_keeps_the_old_one),
		FOLDER_TEST(links_are_followed_and_stay),
		FOLDER_TEST(links_to_nothing_stay),
		FOLDER_TEST(other_things_are_refused),
		cmocka_unit_test_setup_teardown(a_failure_at_the_end, set_up, tear_down),
		FOLDER_TEST(a_rename_that_fails),
		FOLDER_TEST(a_long_name),
	};

	return cmocka_run_group_tests_name("replace_file", tests, NULL, NULL);
}
