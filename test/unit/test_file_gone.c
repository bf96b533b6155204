/* The file that a sandbox runs from becomes shorter, or is written over: each thing done next is an error, and the process
 * lives. Real KVM, both policies.
 */
#include "pages_guest.h"

#include <sys/stat.h>

#include "sandbox/sandbox.h"
#include "snapshot/file/snapshot.h"

#define MIB (UINT64_C(1) << 20)

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

/* What happens to the file, and when: beforehand, or when the guest calls. */
struct victim {
	struct guest guest;
	struct nub_snapshot *snapshot;
	int fd;
	off_t size; /* what is left; -1: all, but not as it was */
};

static void spoil(struct victim *victim)
{
	static const uint8_t junk[4096] = { 1, 2, 3 };

	if (victim->size >= 0)
		assert_int_equal(ftruncate(victim->fd, victim->size), 0);
	else
		for (off_t at = 0; at < 16 * 4096; at += 4096)
			assert_int_equal(pwrite(victim->fd, junk, sizeof(junk), at), sizeof(junk));
}

static int spoil_meanwhile(void *context, const char *name, const struct nub_value *args, unsigned arg_count,
                           enum nub_type result_type, struct nub_value *result, struct nub_error *err)
{
	(void)name;
	(void)args;
	(void)arg_count;
	(void)err;
	spoil(context);
	*result = (struct nub_value){ .type = result_type };
	return 0;
}

static void open_victim(struct victim *victim, enum nub_cow cow, off_t size)
{
	const struct nub_snapshot_options options = { 0 };
	struct guest maker;

	memset(victim, 0, sizeof(*victim));
	victim->fd = temporary_file();
	victim->size = size;
	assert_true(victim->fd >= 0);
	guest_load(&maker, "pages.elf");
	maker.config.cow = cow;
	maker.config.heap_size = 3 * MIB;
	guest_create(&maker);
	pages_prepare(&maker, 400, 9);
	assert_int_equal(nub_snapshot_write(maker.sandbox, &options, victim->fd, &maker.err), 0);
	guest_close(&maker);
	victim->snapshot = nub_snapshot_open(victim->fd, "victim.snap", NULL, &victim->guest.err);
	assert_non_null(victim->snapshot);
	guest_begin(&victim->guest);
	victim->guest.config.ops.context = victim;
	victim->guest.config.ops.output = NULL;
	victim->guest.config.ops.call = spoil_meanwhile;
	guest_thaw(&victim->guest, victim->snapshot);
}

static void close_victim(struct victim *victim)
{
	guest_close(&victim->guest);
	nub_snapshot_free(victim->snapshot);
	close(victim->fd);
}

static const off_t sizes[] = { 0, 4096, 1 << 20, -1 };

#define EACH_VICTIM(victim)                                                                                            \
	for (unsigned i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++)                                            \
		for (bool once = (open_victim(victim, policies[i % 2], sizes[i / 2]), true); once;                     \
		     once = (close_victim(victim), false))

static void expect_io(const struct nub_error *err)
{
	assert_string_equal(nub_error_name(err->kind), "io");
	assert_non_null(strstr(err->message, "victim.snap"));
}

/* During a run: the guest touches what is gone. */
static void a_run_ends(void **state)
{
	static struct victim victim;
	const struct nub_value salt = u64_value(9);

	(void)state;
	EACH_VICTIM(&victim)
	{
		struct guest *guest = &victim.guest;
		assert_int_equal(
		    nub_sandbox_call(guest->sandbox, "damaged_meanwhile", &salt, 1, &guest->outcome, &guest->err), -1);
		expect_io(&guest->err);
	}
}

/* During a run: the guest crashes, and the host looks at its stack, code and tables to say where. */
static void a_crash_ends(void **state)
{
	static struct victim victim;

	(void)state;
	EACH_VICTIM(&victim)
	{
		struct guest *guest = &victim.guest;
		assert_int_equal(
		    nub_sandbox_call(guest->sandbox, "crash_meanwhile", NULL, 0, &guest->outcome, &guest->err), -1);
		expect_io(&guest->err);
	}
}

/* Between runs: the host reads, freezes, puts back; written pages are gone with the file, too. */
static void the_host_looks(void **state)
{
	const struct nub_snapshot_options options = { 0 };
	static struct victim victim;
	static uint8_t bytes[2 * MIB];

	(void)state;
	EACH_VICTIM(&victim)
	{
		struct guest *guest = &victim.guest;
		const int fd = temporary_file();
		const uint64_t heap = guest->sandbox->machine.plan.regions.items[2].gva;
		pages_scribble(guest, 0, 50);
		guest_reset(guest, victim.snapshot);
		pages_scribble(guest, 0, 50);
		spoil(&victim);
		/* Over what is written junk can be read; what it reads must not matter, only that it comes back. */
		if (nub_sandbox_read(guest->sandbox, heap, bytes, sizeof(bytes), &guest->err) < 0)
			assert_int_not_equal(guest->err.kind, NUB_E_NONE);
		assert_int_equal(nub_snapshot_write(guest->sandbox, &options, fd, &guest->err), -1);
		expect_io(&guest->err);
		assert_int_equal(nub_sandbox_reset(guest->sandbox, victim.snapshot, &guest->err), -1);
		expect_io(&guest->err);
		assert_null(nub_sandbox_restore(&guest->config, victim.snapshot, &guest->err));
		assert_string_equal(nub_error_name(guest->err.kind), victim.size >= 0 ? "snapshot-truncated" : "io");
		close(fd);
	}
}

/* A file that was mapped with the guest: nobody watches its size. */
static void a_mapped_file(void **state)
{
	const struct nub_snapshot_options options = { 0 };
	const uint64_t gva = 0x10000000000;
	const int fd = temporary_file();
	const int out = temporary_file();
	const struct nub_file_map map = { .fd = fd, .size = 16 * 4096, .gva = gva, .label = "file" };
	uint8_t bytes[5 * 4096];
	struct guest guest;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)map.size), 0);
	guest_load(&guest, "pages.elf");
	guest.config.maps = &map;
	guest.config.map_count = 1;
	guest_create(&guest);
	pages_prepare(&guest, 4, 1);
	assert_int_equal(nub_sandbox_read(guest.sandbox, gva + 4096, bytes, sizeof(bytes), &guest.err), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(nub_sandbox_read(guest.sandbox, gva, bytes, 4096, &guest.err), 0);
	assert_int_equal(nub_sandbox_read(guest.sandbox, gva, bytes, sizeof(bytes), &guest.err), -1);
	assert_string_equal(nub_error_name(guest.err.kind), "io");
	assert_int_equal(nub_snapshot_write(guest.sandbox, &options, out, &guest.err), -1);
	assert_string_equal(nub_error_name(guest.err.kind), "io");
	/* The guest goes on for as long as it does not look. */
	assert_int_equal(pages_damaged(&guest, 1), 0);
	guest_close(&guest);
	close(fd);
	close(out);
}

/* The page tables themselves: a walk finds nothing where they were. */
static void tables_are_gone(void **state)
{
	static struct victim victim;
	uint8_t byte;

	(void)state;
	open_victim(&victim, NUB_COW_HOST, 4096);
	const uint64_t stack = nub_layout_stack_top_gva(&victim.guest.sandbox->machine.plan.layout) - 8;
	assert_int_equal(nub_sandbox_read(victim.guest.sandbox, stack, &byte, 1, &victim.guest.err), 0);
	spoil(&victim);
	assert_int_equal(nub_sandbox_read(victim.guest.sandbox, stack, &byte, 1, &victim.guest.err), -1);
	assert_string_equal(nub_error_name(victim.guest.err.kind), "gva-unmapped");
	close_victim(&victim);
}

/* Before anything has run from it, a file that was cut is as one that was cut before it was opened: not acceptable. */
static void nothing_has_run(void **state)
{
	static struct victim victim;
	struct nub_error err = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		open_victim(&victim, policies[i], 8192);
		spoil(&victim);
		assert_null(nub_sandbox_restore(&victim.guest.config, victim.snapshot, &err));
		assert_string_equal(nub_error_name(err.kind), "snapshot-truncated");
		assert_int_equal(nub_error_class_of(err.kind), NUB_CLASS_INPUT);
		close_victim(&victim);
		/* Where it was only written over, that is the host's doing. */
		open_victim(&victim, policies[i], -1);
		spoil(&victim);
		assert_null(nub_sandbox_restore(&victim.guest.config, victim.snapshot, &err));
		assert_string_equal(nub_error_name(err.kind), "io");
		close_victim(&victim);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(a_run_ends),    KVM_TEST(a_crash_ends),    KVM_TEST(the_host_looks),
		KVM_TEST(a_mapped_file), KVM_TEST(tables_are_gone), KVM_TEST(nothing_has_run),
	};

	return run_kvm_tests("file gone", tests);
}
