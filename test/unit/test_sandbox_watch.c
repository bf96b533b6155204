/* What an embedder can watch of a guest: its exits, its trace records (R37), the pages that it touches. Real KVM. */
#include "kvm_guest.h"

#include <sys/mman.h>

struct watcher {
	struct guest guest; /* first: keep_output takes the same context */
	unsigned exits;
	struct nub_exit_report last;
	char last_call[64];
	bool in_order;
	uint64_t last_ns;
	unsigned records[NUB_TRACE_FREE + 1];
	bool refuse;
};

static void take_exit(void *context, const struct nub_exit_report *exit)
{
	struct watcher *watcher = context;

	watcher->in_order = watcher->in_order && exit->entered_ns >= watcher->last_ns &&
	                    exit->left_ns >= exit->entered_ns && exit->served_ns >= exit->left_ns;
	watcher->last_ns = exit->served_ns;
	watcher->last = *exit;
	if (exit->call)
		snprintf(watcher->last_call, sizeof(watcher->last_call), "%s", exit->call);
	watcher->exits++;
}

static int take_record(void *context, const struct nub_trace_record *record, struct nub_error *err)
{
	struct watcher *watcher = context;

	watcher->records[record->kind]++;
	if (!watcher->refuse)
		return 0;
	/* As an embedder may have it from somewhere: of a kind that is a guest's when it is the library's. */
	err->kind = NUB_E_RING_FULL;
	snprintf(err->message, sizeof(err->message), "the tape is full");
	return -1;
}

static void watcher_open(struct watcher *watcher, const char *name, bool tracing)
{
	memset(watcher, 0, sizeof(*watcher));
	guest_load(&watcher->guest, name);
	watcher->in_order = true;
	watcher->guest.config.ops.context = watcher;
	watcher->guest.config.ops.exit = take_exit;
	watcher->guest.config.ops.trace = tracing ? take_record : NULL;
	guest_create(&watcher->guest);
}

static void each_exit_is_told_with_its_times(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_open(&watcher, "callback.elf", false);
	guest_call(&watcher.guest, "clock_and_dice", NULL, 0, NUB_OUTCOME_RETURNED);
	assert_int_equal(watcher.exits, nub_sandbox_exit_counts(watcher.guest.sandbox)->total);
	assert_true(watcher.in_order);
	assert_string_equal(watcher.last.kind, "halt");
	assert_int_equal(watcher.last.port, NUB_PORT_HALT);
	assert_string_equal(watcher.last_call, NUB_CALL_TIME);
	guest_close(&watcher.guest);
}

static void an_exit_without_a_port_has_a_name_too(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_open(&watcher, "spin.elf", false);
	nub_sandbox_free(watcher.guest.sandbox);
	watcher.guest.config.timeout_ns = 20 * MS;
	guest_create(&watcher.guest);
	guest_main(&watcher.guest, NULL, NUB_OUTCOME_TIMED_OUT);
	assert_string_equal(watcher.last.kind, "interrupted");
	assert_false(watcher.last.has_port);
	assert_true(watcher.last.left_ns - watcher.last.entered_ns >= 5 * MS);
	guest_close(&watcher.guest);
}

/* R37 */
static void records_come_when_asked_for(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_open(&watcher, "trace.elf", true);
	guest_main(&watcher.guest, NULL, NUB_OUTCOME_EXITED);
	/* main, sort, print and 11 words, of which 8 differ. */
	assert_int_equal(watcher.records[NUB_TRACE_BEGIN], 14);
	assert_int_equal(watcher.records[NUB_TRACE_END], 14);
	assert_int_equal(watcher.records[NUB_TRACE_ALLOC], 8);
	assert_int_equal(watcher.records[NUB_TRACE_FREE], 8);
	guest_close(&watcher.guest);
	watcher_open(&watcher, "trace.elf", false);
	guest_main(&watcher.guest, NULL, NUB_OUTCOME_EXITED);
	assert_int_equal(nub_sandbox_exit_counts(watcher.guest.sandbox)->trace, 0);
	guest_close(&watcher.guest);
}

/* R37 */
static void a_watcher_can_end_the_run(void **state)
{
	const char *const argv[] = { "trace.elf" };
	struct watcher watcher;

	(void)state;
	watcher_open(&watcher, "trace.elf", true);
	watcher.refuse = true;
	assert_int_equal(
	    nub_sandbox_run_main(watcher.guest.sandbox, 1, argv, &watcher.guest.outcome, &watcher.guest.err), -1);
	assert_int_equal(watcher.guest.err.kind, NUB_E_RING_FULL);
	assert_string_equal(watcher.guest.err.message, "the tape is full");
	guest_close(&watcher.guest);
}

/* A snapshot of the sandbox as it stands. */
static struct nub_snapshot *snapshot_of(struct nub_sandbox *sandbox)
{
	const struct nub_snapshot_options options = { 0 };
	struct nub_error err = { 0 };
	const int fd = memfd_create("snapshot", MFD_CLOEXEC);

	assert_true(fd >= 0);
	if (nub_snapshot_write(sandbox, &options, fd, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	struct nub_snapshot *snapshot = nub_snapshot_open(fd, "memfd", NULL, &err);
	if (!snapshot)
		fail_msg("%s", err.message);
	close(fd);
	return snapshot;
}

/* R37: whether a restored guest is traced is for those to say who restore it. `tracing` is of the first run. */
static void restore_at_checkpoint(bool tracing)
{
	struct watcher watcher;

	watcher_open(&watcher, "checkpoint.elf", tracing);
	nub_sandbox_free(watcher.guest.sandbox);
	watcher.guest.config.stop_at_checkpoint = true;
	guest_create(&watcher.guest);
	guest_main(&watcher.guest, NULL, NUB_OUTCOME_CHECKPOINT);
	struct nub_snapshot *snapshot = snapshot_of(watcher.guest.sandbox);
	nub_sandbox_free(watcher.guest.sandbox);
	watcher.guest.config.stop_at_checkpoint = false;
	watcher.guest.config.ops.trace = tracing ? NULL : take_record;
	memset(watcher.records, 0, sizeof(watcher.records));
	watcher.guest.sandbox = nub_sandbox_restore(&watcher.guest.config, snapshot, &watcher.guest.err);
	assert_non_null(watcher.guest.sandbox);
	assert_int_equal(nub_sandbox_resume(watcher.guest.sandbox, &watcher.guest.outcome, &watcher.guest.err), 0);
	assert_int_equal(watcher.guest.outcome.kind, NUB_OUTCOME_EXITED);
	assert_int_equal(watcher.guest.outcome.exit_code, 0);
	const uint64_t batches = nub_sandbox_exit_counts(watcher.guest.sandbox)->trace;
	if (tracing)
		assert_int_equal(batches, 0);
	else
		assert_true(batches > 0 && watcher.records[NUB_TRACE_FREE] > 0);
	guest_close(&watcher.guest);
	nub_snapshot_free(snapshot);
}

static void tracing_begins_with_a_restore(void **state)
{
	(void)state;
	restore_at_checkpoint(false);
}

static void tracing_ends_with_a_restore(void **state)
{
	(void)state;
	restore_at_checkpoint(true);
}

static const struct nub_page_use *find_page(const struct nub_page_use *pages, size_t count, uint64_t gpa)
{
	for (size_t i = 0; i < count; i++)
		if (pages[i].gpa == gpa)
			return &pages[i];
	return NULL;
}

static size_t count_changed(const struct nub_page_use *pages, size_t count)
{
	size_t changed = 0;

	for (size_t i = 0; i < count; i++)
		changed += pages[i].changed;
	return changed;
}

static void touched_pages_are_known(void **state)
{
	struct guest guest;
	size_t count, region_count;
	uint64_t heap = 0;

	(void)state;
	guest_open(&guest, "echo.elf");
	struct nub_region *regions = nub_plan_regions(&guest.config, guest.image, &region_count, &guest.err);
	for (size_t i = 0; i < region_count; i++)
		if (regions[i].type == NUB_REGION_HEAP)
			heap = regions[i].gpa;
	struct nub_page_use *pages = nub_sandbox_pages(guest.sandbox, &count, &guest.err);
	assert_non_null(pages);
	assert_non_null(find_page(pages, count, NUB_BASE_ADDRESS));
	assert_null(find_page(pages, count, heap));
	free(pages);
	const struct nub_value size = { .type = NUB_TYPE_U32, .u32 = 3 * 4096 };
	guest_call(&guest, "make_bytes", &size, 1, NUB_OUTCOME_RETURNED);
	pages = nub_sandbox_pages(guest.sandbox, &count, &guest.err);
	assert_non_null(pages);
	for (size_t i = 0; i < 3; i++)
		assert_non_null(find_page(pages, count, heap + i * NUB_PAGE_SIZE));
	assert_null(find_page(pages, count, heap + 4 * NUB_PAGE_SIZE));
	for (size_t i = 1; i < count; i++)
		assert_true(pages[i - 1].gpa < pages[i].gpa);
	assert_int_equal(count_changed(pages, count), 0);
	free(pages);
	free(regions);
	guest_close(&guest);
}

static void changed_pages_are_told_from_touched_ones(void **state)
{
	struct guest guest;
	size_t count, changed;

	(void)state;
	guest_open(&guest, "echo.elf");
	assert_int_equal(nub_sandbox_initialise(guest.sandbox, &guest.outcome, &guest.err), 0);
	struct nub_snapshot *snapshot = snapshot_of(guest.sandbox);
	nub_sandbox_free(guest.sandbox);
	guest.sandbox = nub_sandbox_restore(&guest.config, snapshot, &guest.err);
	assert_non_null(guest.sandbox);
	struct nub_page_use *pages = nub_sandbox_pages(guest.sandbox, &count, &guest.err);
	assert_non_null(pages);
	assert_int_equal(count_changed(pages, count), 0);
	free(pages);
	const struct nub_value size = { .type = NUB_TYPE_U32, .u32 = 3 * 4096 };
	guest_call(&guest, "make_bytes", &size, 1, NUB_OUTCOME_RETURNED);
	pages = nub_sandbox_pages(guest.sandbox, &count, &guest.err);
	assert_non_null(pages);
	changed = count_changed(pages, count);
	/* Three pages of heap, some of stack and variables; not the code, and not all that was read. */
	assert_true(changed >= 5 && changed < 20 && count > changed + 4);
	free(pages);
	guest_close(&guest);
	nub_snapshot_free(snapshot);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(each_exit_is_told_with_its_times), KVM_TEST(an_exit_without_a_port_has_a_name_too),
		KVM_TEST(records_come_when_asked_for),      KVM_TEST(a_watcher_can_end_the_run),
		KVM_TEST(tracing_begins_with_a_restore),    KVM_TEST(tracing_ends_with_a_restore),
		KVM_TEST(touched_pages_are_known),          KVM_TEST(changed_pages_are_told_from_touched_ones),
	};
	return run_kvm_tests("watch", tests);
}
