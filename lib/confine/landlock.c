/* Landlock's rules, made and applied. */
#include "confine/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"

/* linux/landlock.h, which may be older than the kernel. */
enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SYM (UINT64_C(1) << 12)
#define FS_REFER (UINT64_C(1) << 13)    /* since version 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14) /* since version 3 */
#define FS_OF_VERSION_1 ((UINT64_C(1) << 13) - 1)
#define NET_TCP (UINT64_C(3))               /* bind and connect; since version 4 */
#define SCOPE_ABSTRACT_SOCKET (UINT64_C(1)) /* since version 6 */

#define FS_OF_FILES (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)
#define FS_READING (FS_READ_FILE | FS_READ_DIR)
/* Folders and links are for Linux programs. */
#define FS_WRITING                                                                                                     \
	(FS_READING | FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_REMOVE_FILE | FS_REFER | FS_MAKE_DIR |            \
	 FS_REMOVE_DIR | FS_MAKE_SYM)

struct ruleset_attributes {
	uint64_t fs, net, scoped;
};

struct __attribute__((packed)) path_attributes {
	uint64_t allowed;
	int32_t fd;
};

struct ruleset {
	int fd;
	uint64_t fs; /* what the kernel knows */
	bool *foreign;
};

/* How many bytes of the attributes a kernel of this version knows. */
static size_t attributes_size(long version)
{
	return version < 4 ? 8 : version < 6 ? 16 : sizeof(struct ruleset_attributes);
}

/* What is not there needs no rule, and what can't be looked at could not be opened either. */
static int add(const struct ruleset *ruleset, const struct nub_confine_path *path, struct nub_error *err)
{
	NUB_AUTO_CLOSE int fd = open(path->path, O_PATH | O_CLOEXEC);
	struct path_attributes rule = { .fd = fd };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	rule.allowed = (path->access == NUB_CONFINE_WRITE ? FS_WRITING : FS_READING) & ruleset->fs;
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= FS_OF_FILES;
	if (path->access == NUB_CONFINE_WRITE && st.st_uid != geteuid())
		*ruleset->foreign = true;
	if (syscall(SYS_landlock_add_rule, ruleset->fd, RULE_PATH_BENEATH, &rule, 0) < 0)
		return nub_fail_errno(err, NUB_E_PROCESS, "%s: landlock_add_rule", path->path);
	return 0;
}

static int add_all(const struct ruleset *ruleset, const struct nub_confine_config *config, struct nub_error *err)
{
	const struct {
		bool wanted;
		struct nub_confine_path path;
	} own[] = {
		{ config->looks_back, { "/proc/self/pagemap", NUB_CONFINE_READ } },
		{ config->looks_back, { "/proc/self/mem", NUB_CONFINE_READ } },
		{ config->resets && config->engine == NUB_ENGINE_KVM, { "/dev/kvm", NUB_CONFINE_WRITE } },
#if defined(__SANITIZE_ADDRESS__)
		{ true, { "/proc", NUB_CONFINE_READ } },
#endif
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (own[i].wanted && add(ruleset, &own[i].path, err) < 0)
			return -1;
	for (size_t i = 0; i < config->path_count; i++)
		if (add(ruleset, &config->paths[i], err) < 0)
			return -1;
	return 0;
}

int nub_landlock_apply(const struct nub_confine_config *config, bool *foreign, struct nub_error *err)
{
	const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
	const struct ruleset_attributes attributes = {
		.fs = FS_OF_VERSION_1 | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0),
		.net = version >= 4 ? NET_TCP : 0,
		.scoped = version >= 6 ? SCOPE_ABSTRACT_SOCKET : 0,
	};

	*foreign = false;
	/* Not built in, switched off, or hidden by a container. */
	if (version < 0)
		return 0;
	NUB_AUTO_CLOSE int fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, attributes_size(version), 0);
	if (fd < 0)
		return nub_fail_errno(err, NUB_E_PROCESS, "landlock_create_ruleset");
	const struct ruleset ruleset = { .fd = fd, .fs = attributes.fs, .foreign = foreign };
	if (add_all(&ruleset, config, err) < 0)
		return -1;
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return nub_fail_errno(err, NUB_E_PROCESS, "landlock_restrict_self");
	return 1;
}
