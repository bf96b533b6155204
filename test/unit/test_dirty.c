/* R29, R30: every page that was written is put back by a reset, however many, whoever wrote them, in whatever order; and
 * going back a thousand times costs no memory and no file descriptors. Real KVM.
 */
#include "pages_guest.h"

#include <pthread.h>

#include "sandbox/sandbox.h"

#define MIB (UINT64_C(1) << 20)

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

/* Over the number of pages that the library copies back one by one, in small and in large leaves. */
static void many_pages(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const uint32_t pages = 2600;
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], 16 * MIB, pages, 0x1000);
		struct guest guest;

		guest_restore(&guest, snapshot);
		for (uint32_t count = 1; count <= pages;
		     count = count * 4 > pages && count < pages ? pages : count * 4) {
			pages_scribble(&guest, pages - count, count);
			assert_int_equal(pages_damaged(&guest, 0x1000), count);
			guest_reset(&guest, snapshot);
			assert_int_equal(pages_damaged(&guest, 0x1000), 0);
		}
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

/* More ranges of pages than become anonymous memory, then so many pages that all are dropped, and the same again. */
static void scattered_pages(void **state)
{
	const uint32_t pages = 2600, step = 3, ranges = NUB_DIRTY_RANGES + 40;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		size_t anonymous =
		    0; /* of memory that another process has, too, and of pages that the monitor copies: none */
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], 16 * MIB, pages, 0x1000);
		struct guest guest;

		guest_restore(&guest, snapshot);
		if (policies[i] == NUB_COW_HOST && !guest.sandbox->machine.memory.shared.on)
			anonymous = NUB_DIRTY_RANGES;
		for (unsigned round = 0; round < 6; round++) {
			for (uint32_t range = 0; range < ranges; range++)
				pages_scribble(&guest, range * step, 1 + range % 2);
			assert_int_equal(pages_damaged(&guest, 0x1000), ranges + ranges / 2);
			guest_reset(&guest, snapshot);
			assert_int_equal(pages_damaged(&guest, 0x1000), 0);
			assert_int_equal(guest.sandbox->dirty.anonymous_count, anonymous);
			if (round != 2)
				continue;
			pages_scribble(&guest, 0, pages);
			guest_reset(&guest, snapshot);
			assert_int_equal(guest.sandbox->dirty.anonymous_count, 0);
			assert_int_equal(pages_damaged(&guest, 0x1000), 0);
		}
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

/* A page's first write after many calls that wrote others only. */
static void late_pages(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], 6 * MIB, 600, 0x2000);
		struct guest guest;

		guest_restore(&guest, snapshot);
		for (uint32_t late = 0; late < 8; late++) {
			for (unsigned round = 0; round < 10; round++) {
				pages_scribble(&guest, 10, 4);
				guest_reset(&guest, snapshot);
			}
			pages_scribble(&guest, 100 + 61 * late, 1);
			assert_int_equal(pages_damaged(&guest, 0x2000), 1);
			guest_reset(&guest, snapshot);
			assert_int_equal(pages_damaged(&guest, 0x2000), 0);
			/* Twice without a run between. */
			guest_reset(&guest, snapshot);
		}
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

/* What only the host wrote, in pages that the guest did not touch: in the rings, as a long request would. */
static void host_writes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], MIB, 8, 0x3000);
		struct guest guest;

		guest_restore(&guest, snapshot);
		for (unsigned round = 0; round < 12; round++) {
			const struct nub_layout *layout = &guest.sandbox->machine.plan.layout;
			uint8_t *ring = guest.sandbox->machine.memory.scratch.host;
			const uint64_t size = layout->input_size + layout->output_size;
			if (round % 4 == 3)
				memset(ring + 20000 + 4096 * round, 0x5a, 10000);
			else
				pages_scribble(&guest, 0, 1);
			guest_reset(&guest, snapshot);
			assert_null(memchr(ring, 0x5a, size));
			assert_int_equal(pages_damaged(&guest, 0x3000), 0);
		}
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

/* A fixed page of scratch (NUB_SCRATCH_PAGE_). */
static const uint8_t *fixed_page(const struct guest *guest, unsigned page)
{
	const struct nub_memory_map *scratch = &guest->sandbox->machine.memory.scratch;

	return scratch->host + scratch->size - page * NUB_PAGE_SIZE;
}

/* All of scratch but the monitor's stacks is what a new sandbox has: what no guest at CPL 3 can reach, too. */
static void scratch_is_as_in_a_new_one(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], MIB, 8, 0x3000);
		struct guest used, fresh;

		guest_begin(&used);
		used.config.has_seed = true;
		fresh = used;
		guest_thaw(&used, snapshot);
		guest_thaw(&fresh, snapshot);
		const uint8_t *metadata = fixed_page(&used, 0) - NUB_SCRATCH_OFF_EXCEPTION_STACK;
		const uint64_t size =
		    used.sandbox->machine.plan.layout.scratch_size - NUB_SCRATCH_FIXED_PAGES * NUB_PAGE_SIZE;
		pages_scribble(&used, 0, 8);
		memset(used.sandbox->machine.memory.scratch.host, 0x5a, size);
		guest_reset(&used, snapshot);
		assert_memory_equal(used.sandbox->machine.memory.scratch.host,
		                    fresh.sandbox->machine.memory.scratch.host, size);
		for (unsigned page = NUB_SCRATCH_PAGE_CPU_TABLES; page <= NUB_SCRATCH_PAGE_MONITOR; page++)
			assert_memory_equal(fixed_page(&used, page), fixed_page(&fresh, page), NUB_PAGE_SIZE);
		assert_memory_equal(metadata, fixed_page(&fresh, 0) - NUB_SCRATCH_OFF_EXCEPTION_STACK,
		                    NUB_SCRATCH_OFF_EXCEPTION_STACK);
		assert_int_equal(pages_damaged(&used, 0x3000), 0);
		guest_close(&used);
		guest_close(&fresh);
		nub_snapshot_free(snapshot);
	}
}

/* Zeroing all of a large scratch at every reset would be the dearest part of it: what nobody touched stays so. */
static void untouched_scratch_stays_so(void **state)
{
	static unsigned char resident[64 * MIB / NUB_PAGE_SIZE];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot;
		struct guest guest;
		size_t count = 0;

		guest_load(&guest, "pages.elf");
		guest.config.cow = policies[i];
		guest.config.scratch_size = 64 * MIB;
		guest_create(&guest);
		pages_prepare(&guest, 8, 0x3000);
		snapshot = guest_snapshot(&guest);
		guest_close(&guest);
		guest_restore(&guest, snapshot);
		for (unsigned round = 0; round < 3; round++) {
			pages_scribble(&guest, 0, 8);
			guest_reset(&guest, snapshot);
		}
		const struct nub_memory_map *scratch = &guest.sandbox->machine.memory.scratch;
		assert_int_equal(scratch->size, 64 * MIB);
		assert_int_equal(mincore(scratch->host, scratch->size, resident), 0);
		for (size_t page = 0; page < sizeof(resident); page++)
			count += resident[page] & 1;
		assert_in_range(count, 1, 200);
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

/* Resident memory and mappings, in KiB and pieces. */
static void memory_use(unsigned long *resident, unsigned *mappings)
{
	FILE *statm = fopen("/proc/self/statm", "r"), *maps = fopen("/proc/self/maps", "r");
	int byte;

	assert_non_null(statm);
	assert_non_null(maps);
	assert_int_equal(fscanf(statm, "%*u %lu", resident), 1);
	*resident *= 4;
	*mappings = 0;
	while ((byte = fgetc(maps)) != EOF)
		*mappings += byte == '\n';
	fclose(statm);
	fclose(maps);
}

/* Back and forth between two snapshots that map other pages at the same addresses (a KVM that shadows page tables sees no
 * store of the host's to them), a thousand times. */
static void a_thousand_times(void **state)
{
	unsigned long resident_before = 0, resident_after;
	unsigned mappings_before = 0, mappings_after, files_before = 0;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *a = pages_snapshot(policies[i], MIB, 40, 0x4000);
		struct nub_snapshot *b = pages_snapshot(policies[i], 3 * MIB, 70, 0x5000);
		struct guest guest;

		guest_restore(&guest, a);
		for (unsigned round = 0; round < 1000; round++) {
			guest_reset(&guest, round % 2 ? a : b);
			assert_int_equal(pages_damaged(&guest, round % 2 ? 0x4000 : 0x5000), 0);
			pages_scribble(&guest, round % 32, 3);
			if (round % 5 == 0)
				guest_reset(&guest, round % 2 ? a : b);
			assert_int_equal(pages_damaged(&guest, round % 2 ? 0x4000 : 0x5000), round % 5 ? 3 : 0);
			if (round == 50) {
				files_before = open_descriptors();
				memory_use(&resident_before, &mappings_before);
			}
		}
		memory_use(&resident_after, &mappings_after);
		assert_int_equal(open_descriptors(), files_before);
		assert_in_range(mappings_after, 0, mappings_before + 2);
#ifndef __SANITIZE_ADDRESS__ /* which keeps freed memory for a while */
		assert_in_range(resident_after, 0, resident_before + 4096);
#endif
		guest_close(&guest);
		nub_snapshot_free(a);
		nub_snapshot_free(b);
	}
}

/* In place, many times, other pages each time: with cow=guest entries move in tables that are in scratch. */
static void in_place_many_times(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], 5 * MIB, 300, 0x6000);
		struct guest guest;

		guest_restore(&guest, snapshot);
		for (uint32_t round = 0; round < 250; round++) {
			const uint32_t first = round * 37 % 290;
			pages_scribble(&guest, first, 1 + round % 10);
			assert_int_equal(pages_damaged(&guest, 0x6000), 1 + round % 10);
			guest_reset(&guest, snapshot);
			assert_int_equal(pages_damaged(&guest, 0x6000), 0);
		}
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

/* ---- Two sandboxes of one snapshot at once ---- */

struct worker {
	const struct nub_snapshot *snapshot;
	uint32_t first;
	unsigned wrong;
};

static bool call(struct nub_sandbox *sandbox, const char *name, const struct nub_value *args, unsigned count,
                 struct nub_outcome *outcome)
{
	struct nub_error err = { 0 };

	return nub_sandbox_call(sandbox, name, args, count, outcome, &err) == 0 &&
	       outcome->kind == NUB_OUTCOME_RETURNED;
}

/* cmocka's assertions are for the main thread. */
static void *work(void *context)
{
	struct worker *worker = context;
	struct nub_config config = nub_config_default();
	struct nub_error err = { 0 };
	static _Thread_local struct nub_outcome outcome;
	const struct nub_value salt = u64_value(0x7000);

	config.engine = engine_of_tests();
	struct nub_sandbox *sandbox = nub_sandbox_restore(&config, worker->snapshot, &err);
	worker->wrong = !sandbox;
	for (unsigned round = 0; sandbox && round < 100; round++) {
		const struct nub_value args[] = { u32_value(worker->first + round % 20), u32_value(5) };
		worker->wrong += !call(sandbox, "scribble", args, 2, &outcome);
		worker->wrong += !call(sandbox, "damaged", &salt, 1, &outcome) || outcome.result.u32 != 5;
		worker->wrong += nub_sandbox_reset(sandbox, worker->snapshot, &err) < 0;
		worker->wrong += !call(sandbox, "damaged", &salt, 1, &outcome) || outcome.result.u32 != 0;
	}
	nub_sandbox_free(sandbox);
	return NULL;
}

static void two_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], MIB, 64, 0x7000);
		struct worker workers[] = { { snapshot, 0, 0 }, { snapshot, 12, 0 } };
		pthread_t threads[2];

		for (unsigned j = 0; j < 2; j++)
			assert_int_equal(pthread_create(&threads[j], NULL, work, &workers[j]), 0);
		for (unsigned j = 0; j < 2; j++)
			pthread_join(threads[j], NULL);
		assert_int_equal(workers[0].wrong, 0);
		assert_int_equal(workers[1].wrong, 0);
		nub_snapshot_free(snapshot);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(many_pages),
		KVM_TEST(scattered_pages),
		KVM_TEST(late_pages),
		KVM_TEST(host_writes),
		KVM_TEST(a_thousand_times),
		KVM_TEST(in_place_many_times),
		KVM_TEST(two_at_once),
		KVM_TEST(scratch_is_as_in_a_new_one),
		KVM_TEST(untouched_scratch_stays_so),
	};

	return run_kvm_tests("dirty", tests);
}
