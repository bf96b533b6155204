/* A granted folder with links that would lead out of it. Outside of it lies a file whose text nothing in the guest may show. */
#ifndef LINUX_JAIL_H
#define LINUX_JAIL_H

#include "linux_cases.h"
#include "personality/linux/files.h"

#define SECRET "the text of the file outside"
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define IN_JAIL(test) cmocka_unit_test_setup_teardown(test, set_up_jail, tear_down_jail)

struct jail {
	char folder[64], granted[96];
	struct nub_linux_grant grants[2];
	struct nub_linux_config config;
	struct alone alone;
};

static inline void write_file(const char *folder, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline void link_to(const struct jail *jail, const char *target, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", jail->granted, name);
	assert_int_equal(symlink(target, path), 0);
}

static inline int64_t with_path(struct alone *alone, unsigned number, const char *path, uint64_t b, uint64_t c,
                                uint64_t d)
{
	put(alone, DATA, path, strlen(path) + 1);
	const int64_t result = number == SYS_openat ? call(alone, number, (uint64_t)AT_FDCWD, DATA, b, c, d, 0)
	                                            : call(alone, number, DATA, b, c, d, 0, 0);

	assert_true(result != NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	return result;
}

static inline int set_up_jail(void **state)
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

static inline int tear_down_jail(void **state)
{
	struct jail *jail = *state;

	alone_release(&jail->alone);
	nftw(jail->folder, cases_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(jail);
	return 0;
}

#endif
