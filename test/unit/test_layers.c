/* Snapshots that stand on others: what they restore, what they lack, how many there may be. Real KVM. */
#include "pages_guest.h"

#include "folder.h"
#include "snapshot/file/snapshot.h"

#define MIB (UINT64_C(1) << 20)

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

static void name_in(const struct folder *folder, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", folder->path, name);
}

/* Without the sync that nub_snapshot_save ends with. */
static int save(struct guest *guest, const struct folder *folder, const char *name, const struct nub_snapshot *base)
{
	const struct nub_snapshot_options options = { .base = base };
	char path[128];

	name_in(folder, name, path);
	unlink(path);
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	const int result = nub_snapshot_write(guest->sandbox, &options, fd, &guest->err);
	close(fd);
	return result;
}

static struct nub_snapshot *try_open(const struct folder *folder, const char *name, const char *base,
                                     struct nub_error *err)
{
	struct nub_snapshot *snapshot;
	char path[128];

	name_in(folder, name, path);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(err, 0, sizeof(*err));
	snapshot = nub_snapshot_open(fd, path, base, err);
	close(fd);
	return snapshot;
}

static struct nub_snapshot *must_open(const struct folder *folder, const char *name)
{
	struct nub_error err;
	struct nub_snapshot *snapshot = try_open(folder, name, NULL, &err);

	if (!snapshot)
		fail_msg("%s", err.message);
	return snapshot;
}

static void must_save(struct guest *guest, const struct folder *folder, const char *name,
                      const struct nub_snapshot *base)
{
	if (save(guest, folder, name, base) < 0)
		fail_msg("%s", guest->err.message);
}

/* A guest with pages of this salt, saved as `name`. */
static void save_base(const struct folder *folder, const char *name, enum nub_cow cow, uint64_t salt)
{
	struct guest guest;

	guest_load(&guest, "pages.elf");
	guest.config.cow = cow;
	guest.config.heap_size = 3 * MIB;
	guest_create(&guest);
	pages_prepare(&guest, 600, salt);
	must_save(&guest, folder, name, NULL);
	guest_close(&guest);
}

static void wipe(struct guest *guest, uint32_t first, uint32_t pages)
{
	const struct nub_value args[] = { u32_value(first), u32_value(pages) };

	guest_call(guest, "wipe", args, 2, NUB_OUTCOME_RETURNED);
}

/* Every page is what the layers above the base made of it. */
static void expect_pages(struct guest *guest, uint64_t salt)
{
	for (uint32_t page = 0; page < 600; page += 7) {
		const struct nub_value arg = u32_value(page);
		const uint64_t first = page % 2 ? 0 : salt + page;
		guest_call(guest, "word", &arg, 1, NUB_OUTCOME_RETURNED);
		const uint64_t expected = page >= 100 && page < 120 ? 0 : page >= 50 && page < 150 ? ~first : first;
		assert_int_equal(guest->outcome.result.u64, expected);
	}
}

static uint64_t stored_in(const struct nub_snapshot *snapshot)
{
	return nub_snapshot_info(snapshot)->stored_size;
}

/* A base, a layer that writes, and one that makes pages zero which were not: together as one file of all. */
static void layers_add_up(void **state)
{
	const struct folder *folder = *state;

	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *base, *layer, *top, *flat;
		struct nub_error err = { 0 };
		struct guest guest;
		char path[128];

		save_base(folder, "base", policies[i], 0x1000);
		base = must_open(folder, "base");
		guest_restore(&guest, base);
		pages_scribble(&guest, 50, 100);
		must_save(&guest, folder, "layer", base);
		guest_close(&guest);

		layer = must_open(folder, "layer");
		assert_int_equal(nub_snapshot_info(layer)->depth, 1);
		assert_string_equal(nub_snapshot_info(layer)->base_name, "base");
		assert_memory_equal(nub_snapshot_info(layer)->base_hash, nub_snapshot_info(base)->hash, 16);
		guest_restore(&guest, layer);
		assert_int_equal(pages_damaged(&guest, 0x1000), 100);
		wipe(&guest, 100, 20);
		must_save(&guest, folder, "top", layer);
		must_save(&guest, folder, "alone", NULL);
		guest_close(&guest);

		top = must_open(folder, "top");
		assert_int_equal(nub_snapshot_info(top)->depth, 2);
		assert_true(stored_in(layer) < stored_in(base) && stored_in(top) < stored_in(base));
		assert_int_equal(nub_snapshot_verify(top, &err), 0);
		guest_restore(&guest, top);
		expect_pages(&guest, 0x1000);
		/* In place: from layers to a single file and back. */
		flat = must_open(folder, "alone");
		assert_memory_equal(nub_snapshot_info(flat)->hash, nub_snapshot_info(top)->hash, 16);
		guest_reset(&guest, flat);
		expect_pages(&guest, 0x1000);
		guest_reset(&guest, top);
		pages_scribble(&guest, 0, 600);
		guest_reset(&guest, top);
		expect_pages(&guest, 0x1000);
		guest_close(&guest);
		nub_snapshot_free(flat);

		const struct nub_snapshot_options options = { 0 };
		name_in(folder, "flat", path);
		assert_int_equal(nub_snapshot_flatten(top, &options, path, &err), 0);
		flat = must_open(folder, "flat");
		assert_int_equal(nub_snapshot_info(flat)->depth, 0);
		assert_memory_equal(nub_snapshot_info(flat)->hash, nub_snapshot_info(top)->hash, 16);
		assert_int_equal(nub_snapshot_verify(flat, &err), 0);
		guest_restore(&guest, flat);
		expect_pages(&guest, 0x1000);
		guest_close(&guest);
		nub_snapshot_free(flat);
		nub_snapshot_free(top);
		nub_snapshot_free(layer);
		nub_snapshot_free(base);
	}
}

static void expect_no_base(const struct folder *folder, const char *name, const char *base)
{
	struct nub_error err;

	assert_null(try_open(folder, name, base, &err));
	assert_string_equal(nub_error_name(err.kind), "snapshot-base");
	assert_string_equal(err.parameter, "base_path");
}

/* The base is found beside the layer, or where the caller says; it must be the right one. */
static void a_base_that_is_not_there(void **state)
{
	const struct folder *folder = *state;
	char base_path[128], moved_path[128], other_path[128];
	struct nub_snapshot *base, *layer;
	struct nub_error err;
	struct guest guest;

	save_base(folder, "base", NUB_COW_HOST, 1);
	save_base(folder, "other", NUB_COW_HOST, 2);
	base = must_open(folder, "base");
	guest_restore(&guest, base);
	pages_scribble(&guest, 0, 4);
	must_save(&guest, folder, "layer", base);
	guest_close(&guest);
	nub_snapshot_free(base);
	name_in(folder, "base", base_path);
	name_in(folder, "moved", moved_path);
	name_in(folder, "other", other_path);

	assert_int_equal(rename(base_path, moved_path), 0);
	expect_no_base(folder, "layer", NULL);
	expect_no_base(folder, "layer", other_path);
	layer = try_open(folder, "layer", moved_path, &err);
	assert_non_null(layer);
	guest_restore(&guest, layer);
	assert_int_equal(pages_damaged(&guest, 1), 4);
	guest_close(&guest);
	nub_snapshot_free(layer);
	/* Another snapshot by the right name. */
	assert_int_equal(rename(other_path, base_path), 0);
	expect_no_base(folder, "layer", NULL);
}

/* A layer by the name of its own base: there is no end to what it stands on. */
static void layers_in_a_ring(void **state)
{
	const struct folder *folder = *state;
	char base_path[128], layer_path[128];
	struct nub_snapshot *base;
	struct nub_error err;
	struct guest guest;

	save_base(folder, "base", NUB_COW_HOST, 1);
	base = must_open(folder, "base");
	guest_restore(&guest, base);
	must_save(&guest, folder, "layer", base);
	/* Saving over what it stands on is refused. */
	const struct nub_snapshot_options options = { .base = base };
	name_in(folder, "base", base_path);
	name_in(folder, "layer", layer_path);
	assert_int_equal(nub_snapshot_save(guest.sandbox, &options, base_path, &guest.err), -1);
	assert_string_equal(nub_error_name(guest.err.kind), "usage");
	guest_close(&guest);
	nub_snapshot_free(base);
	assert_int_equal(rename(layer_path, base_path), 0);
	assert_null(try_open(folder, "base", NULL, &err));
	assert_string_equal(nub_error_name(err.kind), "snapshot-layers");
}

/* 16 layers on a base, each with a page of its own; the 17th is refused. */
static void sixteen_layers(void **state)
{
	const struct folder *folder = *state;
	struct nub_snapshot *below;
	struct guest guest;
	char name[16];

	save_base(folder, "0", NUB_COW_HOST, 1);
	below = must_open(folder, "0");
	for (unsigned depth = 1; depth <= 16; depth++) {
		guest_restore(&guest, below);
		pages_scribble(&guest, 10 * depth, 1);
		snprintf(name, sizeof(name), "%u", depth);
		must_save(&guest, folder, name, below);
		guest_close(&guest);
		nub_snapshot_free(below);
		below = must_open(folder, name);
		assert_int_equal(nub_snapshot_info(below)->depth, depth);
	}
	guest_restore(&guest, below);
	assert_int_equal(pages_damaged(&guest, 1), 16);
	pages_scribble(&guest, 0, 600);
	guest_reset(&guest, below);
	assert_int_equal(pages_damaged(&guest, 1), 16);
	assert_int_equal(save(&guest, folder, "17", below), -1);
	assert_string_equal(nub_error_name(guest.err.kind), "snapshot-layers");
	assert_string_equal(guest.err.parameter, "base");
	guest_close(&guest);
	nub_snapshot_free(below);
}

/* A base that was written to is as bad as the file itself. */
static void a_base_that_changed(void **state)
{
	const struct folder *folder = *state;
	struct nub_snapshot *base, *layer;
	struct guest guest;
	char path[128];

	save_base(folder, "base", NUB_COW_HOST, 1);
	base = must_open(folder, "base");
	guest_restore(&guest, base);
	must_save(&guest, folder, "layer", base);
	guest_close(&guest);
	nub_snapshot_free(base);
	layer = must_open(folder, "layer");
	guest_restore(&guest, layer);
	name_in(folder, "base", path);
	assert_int_equal(truncate(path, 4096), 0);
	const struct nub_value salt = u64_value(1);
	assert_int_equal(nub_sandbox_call(guest.sandbox, "damaged", &salt, 1, &guest.outcome, &guest.err), -1);
	assert_string_equal(nub_error_name(guest.err.kind), "io");
	assert_non_null(strstr(guest.err.message, "/base"));
	guest_close(&guest);
	nub_snapshot_free(layer);
}

#define FOLDER_TEST(function)                                                                                          \
	{                                                                                                              \
		"kvm: " #function, function, set_up, tear_down, NULL                                                   \
	}

int main(void)
{
	struct CMUnitTest tests[] = {
		FOLDER_TEST(layers_add_up),  FOLDER_TEST(a_base_that_is_not_there), FOLDER_TEST(layers_in_a_ring),
		FOLDER_TEST(sixteen_layers), FOLDER_TEST(a_base_that_changed),
	};

	return run_kvm_tests("layers", tests);
}
