/* Snapshots of the guests of kvm_guest.h: taken into files without a name, and sandboxes from them. */
#ifndef SNAPSHOT_GUEST_H
#define SNAPSHOT_GUEST_H

#include "kvm_guest.h"

#include <fcntl.h>
#include <sys/mman.h>

/* Take a snapshot of a guest as it stands, and open it. */
static inline struct nub_snapshot *guest_snapshot(struct guest *guest)
{
	const struct nub_snapshot_options options = { 0 };
	const int fd = temporary_file();
	struct nub_snapshot *snapshot;

	assert_true(fd >= 0);
	if (nub_snapshot_write(guest->sandbox, &options, fd, &guest->err) < 0)
		fail_msg("snapshot: %s", guest->err.message);
	snapshot = nub_snapshot_open(fd, "test.snap", NULL, &guest->err);
	if (!snapshot)
		fail_msg("snapshot: %s", guest->err.message);
	close(fd);
	return snapshot;
}

/* A guest that stops at its checkpoints. */
static inline void guest_open_stopping(struct guest *guest, const char *name, enum nub_cow cow)
{
	guest_load(guest, name);
	guest->config.cow = cow;
	guest->config.stop_at_checkpoint = true;
	guest_create(guest);
}

/* A sandbox from a snapshot, in `guest`, which has no image: its configuration may be changed between the two. */
static inline void guest_begin(struct guest *guest)
{
	memset(guest, 0, sizeof(*guest));
	guest->config = nub_config_default();
	guest->config.engine = engine_of_tests();
	guest->config.ops.context = guest;
	guest->config.ops.output = keep_output;
}

static inline void guest_thaw(struct guest *guest, const struct nub_snapshot *snapshot)
{
	guest->sandbox = nub_sandbox_restore(&guest->config, snapshot, &guest->err);
	if (!guest->sandbox)
		fail_msg("restore: %s", guest->err.message);
}

static inline void guest_restore(struct guest *guest, const struct nub_snapshot *snapshot)
{
	guest_begin(guest);
	guest_thaw(guest, snapshot);
}

static inline void guest_reset(struct guest *guest, const struct nub_snapshot *snapshot)
{
	guest->text_size = 0;
	memset(guest->text, 0, sizeof(guest->text));
	if (nub_sandbox_reset(guest->sandbox, snapshot, &guest->err) < 0)
		fail_msg("reset: %s", guest->err.message);
}

static inline void guest_resume(struct guest *guest, enum nub_outcome_kind expected)
{
	if (nub_sandbox_resume(guest->sandbox, &guest->outcome, &guest->err) < 0)
		fail_msg("resume: %s", guest->err.message);
	assert_int_equal(guest->outcome.kind, expected);
}

#endif
