/* Working sets: what a restored guest touches is found, kept in its snapshot, and ready for the next one. */
#include "snapshot_guest.h"

#include <unistd.h>

#include "memory/pagemap.h"
#include "sandbox/sandbox.h"
#include "snapshot/file/snapshot.h"

enum { WARMED = 64, REWRITTEN = 20 };

static void call(struct guest *guest, const char *name, uint64_t value)
{
	const struct nub_value argument = { .type = NUB_TYPE_U64, .u64 = value };

	guest_call(guest, name, &argument, 1, NUB_OUTCOME_RETURNED);
}

static struct nub_snapshot *warm_snapshot(uint64_t pages)
{
	struct guest guest;

	guest_load(&guest, "empty.elf");
	guest.config.heap_size = (pages + 64) * NUB_PAGE_SIZE;
	guest_create(&guest);
	call(&guest, "warm", pages * NUB_PAGE_SIZE);
	struct nub_snapshot *snapshot = guest_snapshot(&guest);
	guest_close(&guest);
	return snapshot;
}

static void learn(const struct nub_snapshot *snapshot, struct nub_working_set *set)
{
	struct guest guest;

	guest_begin(&guest);
	guest.config.learn = true;
	guest_thaw(&guest, snapshot);
	call(&guest, "rewrite", REWRITTEN);
	if (nub_sandbox_working_set(guest.sandbox, set, &guest.err) < 0)
		fail_msg("%s", guest.err.message);
	guest_close(&guest);
}

static struct nub_snapshot *with_set(const struct nub_snapshot *snapshot, const struct nub_working_set *set)
{
	const struct nub_snapshot_options options = { .working_set = set };
	struct nub_error err = { 0 };
	const int fd = temporary_file();

	if (nub_snapshot_flatten_write(snapshot, &options, fd, &err) < 0)
		fail_msg("%s", err.message);
	struct nub_snapshot *learned = nub_snapshot_open(fd, "learned.snap", NULL, &err);
	if (!learned)
		fail_msg("%s", err.message);
	close(fd);
	return learned;
}

/* Is the page the guest's own before it has run? */
static bool is_ready(const struct guest *guest, uint64_t gpa)
{
	const struct nub_memory *memory = &guest->sandbox->machine.memory;
	const int fd = nub_pagemap_open();
	uint64_t entry = 0;

	assert_true(fd >= 0);
	const bool known = nub_pagemap_read(fd, memory->snapshot.host + (gpa - memory->snapshot.gpa), &entry, 1);
	close(fd);
	assert_true(known);
	return memory->shared.on ? nub_memory_is_owned(memory, gpa) : nub_pagemap_own(entry);
}

static void what_was_written_is_ready(void **state)
{
	struct nub_snapshot *snapshot = warm_snapshot(WARMED), *learned;
	struct nub_working_set set;
	struct nub_error err = { 0 };
	struct guest guest;
	uint64_t pages = 0, written = 0;

	(void)state;
	learn(snapshot, &set);
	assert_int_equal(set.reads, engine_of_tests() == NUB_ENGINE_KVM);
	for (uint32_t i = 0; i < set.count; i++) {
		pages += set.runs[i].pages;
		written += set.runs[i].written ? set.runs[i].pages : 0;
	}
	/* Those, and a few of its stack and variables. */
	assert_in_range(written, REWRITTEN, REWRITTEN + 20);
	assert_int_equal(nub_snapshot_info(snapshot)->working_pages, 0);

	learned = with_set(snapshot, &set);
	assert_int_equal(nub_snapshot_info(learned)->working_pages, pages);
	assert_int_equal(nub_snapshot_info(learned)->written_pages, written);
	assert_memory_equal(nub_snapshot_info(learned)->hash, nub_snapshot_info(snapshot)->hash, 16);
	assert_int_equal(nub_snapshot_verify(learned, &err), 0);
	guest_restore(&guest, learned);
	for (uint32_t i = 0; i < set.count; i++)
		for (uint32_t page = 0; set.runs[i].written && page < set.runs[i].pages; page++)
			assert_true(is_ready(&guest, set.runs[i].gpa + page * NUB_PAGE_SIZE));
	call(&guest, "rewrite", WARMED);
	guest_close(&guest);
	/* It stays when layers are made one file, and goes when another is given. */
	struct nub_snapshot *again = with_set(learned, NULL);
	assert_int_equal(nub_snapshot_info(again)->working_pages, pages);
	nub_snapshot_free(again);
	again = with_set(learned, &(struct nub_working_set){ 0 });
	assert_int_equal(nub_snapshot_info(again)->working_pages, 0);
	nub_snapshot_free(again);
	nub_working_set_release(&set);
	nub_snapshot_free(learned);
	nub_snapshot_free(snapshot);
}

/* How many of the first pages are ready, where a set has every `stride`th of them. */
static uint64_t count_ready(const struct nub_snapshot *snapshot, uint64_t pages, uint64_t stride)
{
	struct nub_working_run *runs = calloc(pages / stride + 1, sizeof(*runs));
	struct nub_working_set set = { .runs = runs };
	uint64_t count = 0;
	struct guest guest;

	assert_non_null(runs);
	for (uint64_t page = 0; page < pages; page += stride)
		runs[set.count++] = (struct nub_working_run){ NUB_BASE_ADDRESS + page * NUB_PAGE_SIZE, 1, true };
	struct nub_snapshot *forged = with_set(snapshot, &set);
	guest_restore(&guest, forged);
	for (uint64_t page = 0; page < pages; page++)
		count += is_ready(&guest, NUB_BASE_ADDRESS + page * NUB_PAGE_SIZE);
	call(&guest, "rewrite", pages);
	guest_close(&guest);
	nub_snapshot_free(forged);
	free(runs);
	return count;
}

/* No list makes a restore copy more than 32 MiB, whatever lies between its parts. */
static void a_set_has_bounds(void **state)
{
	enum { PAGES = 10000, MOST = 8192 };
	struct nub_snapshot *snapshot = warm_snapshot(PAGES);

	(void)state;
	assert_in_range(count_ready(snapshot, PAGES, 1), MOST, MOST + 64);
	/* Gaps of four pages are copied, too; larger ones not. */
	assert_in_range(count_ready(snapshot, PAGES, 5), MOST - 64, MOST + 64);
	assert_in_range(count_ready(snapshot, PAGES, 10), PAGES / 10, PAGES / 10 + 64);
	nub_snapshot_free(snapshot);
}

static void whoever_did_not_learn_knows_nothing(void **state)
{
	struct nub_snapshot *snapshot = warm_snapshot(WARMED);
	struct nub_working_set set;
	struct guest guest;

	(void)state;
	guest_restore(&guest, snapshot);
	assert_int_equal(nub_sandbox_working_set(guest.sandbox, &set, &guest.err), -1);
	assert_int_equal(guest.err.kind, NUB_E_STATE);
	assert_int_equal(set.count, 0);
	guest_close(&guest);
	nub_snapshot_free(snapshot);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(what_was_written_is_ready),
		KVM_TEST(a_set_has_bounds),
		KVM_TEST(whoever_did_not_learn_knows_nothing),
	};

	return run_kvm_tests("working sets", tests);
}
