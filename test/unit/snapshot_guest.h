/* Snapshots of the guests of kvm_guest.h: taken into a file without a name, or one below a folder of the test's own. */
#ifndef SNAPSHOT_GUEST_H
#define SNAPSHOT_GUEST_H

#include "kvm_guest.h"

#include <fcntl.h>
#include <sys/mman.h>

static inline const char *cow_name(enum nub_cow cow)
{
	return cow == NUB_COW_HOST ? "cow=host" : "cow=guest";
}

/* Take a snapshot of a guest as it stands, and open it. */
static inline struct nub_snapshot *guest_snapshot(struct guest *guest)
{
	const struct nub_snapshot_options options = { 0 };
	const int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct nub_snapshot *snapshot;

	assert_true(fd >= 0);
	if (nub_snapshot_write(guest->sandbox, &options, fd, &guest->err) != 0)
		fail_msg("snapshot: %s", guest->err.message);
	snapshot = nub_snapshot_open(fd, "test.snap", NULL, &guest->err);
	if (!snapshot)
		fail_msg("snapshot: %s", guest->err.message);
	close(fd);
	return snapshot;
}

/* A snapshot of a guest that was initialised, and of nothing else. */
static inline struct nub_snapshot *ready_snapshot(const char *name, const struct nub_config *config)
{
	struct guest guest;
	struct nub_snapshot *snapshot;

	guest_load(&guest, name);
	if (config) {
		const struct nub_host_ops ops = guest.config.ops;
		guest.config = *config;
		guest.config.ops = ops;
	}
	guest_create(&guest);
	assert_int_equal(nub_sandbox_initialise(guest.sandbox, &guest.outcome, &guest.err), 0);
	assert_int_equal(guest.outcome.kind, NUB_OUTCOME_READY);
	snapshot = guest_snapshot(&guest);
	guest_close(&guest);
	return snapshot;
}

/* A sandbox from a snapshot, in `guest`, which has no image. */
static inline void guest_restore(struct guest *guest, const struct nub_snapshot *snapshot)
{
	memset(guest, 0, sizeof(*guest));
	guest->config = nub_config_default();
	guest->config.ops.context = guest;
	guest->config.ops.output = keep_output;
	guest->sandbox = nub_sandbox_restore(&guest->config, snapshot, &guest->err);
	if (!guest->sandbox)
		fail_msg("restore: %s", guest->err.message);
}

static inline void guest_reset(struct guest *guest, const struct nub_snapshot *snapshot)
{
	guest->text_size = 0;
	memset(guest->text, 0, sizeof(guest->text));
	if (nub_sandbox_reset(guest->sandbox, snapshot, &guest->err) != 0)
		fail_msg("reset: %s", guest->err.message);
}

static inline void guest_resume(struct guest *guest, enum nub_outcome_kind expected)
{
	if (nub_sandbox_resume(guest->sandbox, &guest->outcome, &guest->err) != 0)
		fail_msg("resume: %s", guest->err.message);
	assert_int_equal(guest->outcome.kind, expected);
}

#endif
