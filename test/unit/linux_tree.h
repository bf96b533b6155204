/* A root, a folder and a file of the host, granted to a program; and how it reads them. */
#ifndef LINUX_TREE_H
#define LINUX_TREE_H

#include "linux_cases.h"
#include "personality/linux/files.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, set_up_tree, tear_down_tree)

struct tree {
	char folder[64];
	struct nub_linux_grant grants[3];
	struct nub_linux_config config;
	struct alone alone;
};

static inline int64_t with_path(struct alone *alone, unsigned number, const char *path, uint64_t b, uint64_t c)
{
	put(alone, DATA, path, strlen(path) + 1);
	const int64_t result = number == SYS_openat ? call(alone, number, (uint64_t)AT_FDCWD, DATA, b, c, 0, 0)
	                                            : call(alone, number, DATA, b, c, 0, 0, 0);

	if (result != NUB_LINUX_WAIT)
		assert_int_equal(next(alone), NUB_LINUX_RUN);
	return result;
}

/* What is in the file, as far as it fits; NULL: it can't be opened. */
static inline const char *text_of(struct alone *alone, const char *path)
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

static inline void expect_text(struct alone *alone, const char *path, const char *part)
{
	const char *text = text_of(alone, path);

	if (!text || !strstr(text, part))
		fail_msg("%s says '%.200s', not '%s'", path, text ? text : "nothing", part);
}

static inline void expect_link(struct alone *alone, const char *path, const char *target)
{
	char text[256] = "";
	const int64_t length = with_path(alone, SYS_readlink, path, DATA + 4096, sizeof(text));

	assert_true(length > 0);
	get(alone, DATA + 4096, text, (size_t)length);
	assert_string_equal(text, target);
}

static inline bool lists(struct alone *alone, const char *folder, const char *name)
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

static inline void make_file(const struct tree *tree, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", tree->folder, name);
	const int fd = open(path, O_CREAT | O_WRONLY, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline int set_up_tree(void **state)
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

static inline int tear_down_tree(void **state)
{
	struct tree *tree = *state;

	alone_release(&tree->alone);
	nftw(tree->folder, cases_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(tree);
	return 0;
}

#endif
