/* Trace batches (R37): every record, times on the host's clock, and each thing that a hostile batch can get wrong. */
#include "unit.h"

#include "wire/trace.h"

#define KHZ 2000000 /* two ticks a nanosecond */
#define ARRIVED UINT64_C(5000000)

struct batch {
	uint8_t bytes[512];
	size_t size;
};

static void put(struct batch *batch, uint64_t value, size_t size)
{
	assert_true(batch->size + size <= sizeof(batch->bytes));
	memcpy(batch->bytes + batch->size, &value, size);
	batch->size += size;
}

static void put_begin(struct batch *batch, uint64_t tsc, const char *name, size_t length)
{
	put(batch, NUB_TRACE_BEGIN, 1);
	put(batch, tsc, 8);
	put(batch, length, 4);
	for (size_t i = 0; i < length; i++)
		put(batch, (uint8_t)name[i], 1);
}

static void put_end(struct batch *batch, uint64_t tsc)
{
	put(batch, NUB_TRACE_END, 1);
	put(batch, tsc, 8);
}

static struct batch sent_at(uint64_t tsc)
{
	struct batch batch = { .size = 0 };
	put(&batch, tsc, 8);
	return batch;
}

static const struct nub_trace_clock usual = { .arrived_ns = ARRIVED, .not_before = 1000, .tsc_khz = KHZ };

static void open_batch(struct nub_trace_reader *reader, const struct batch *batch, const struct nub_trace_clock *clock)
{
	struct nub_error err = { 0 };
	assert_int_equal(nub_trace_reader_init(reader, batch->bytes, batch->size, clock, &err), 0);
}

static struct nub_trace_record next(struct nub_trace_reader *reader)
{
	struct nub_error err = { 0 };
	struct nub_trace_record record;
	assert_int_equal(nub_trace_reader_next(reader, &record, &err), 1);
	return record;
}

static void expect_time(struct nub_trace_reader *reader, uint64_t time_ns)
{
	const struct nub_trace_record record = next(reader);
	assert_true(record.time_ns == time_ns);
}

static void expect_refused(const struct batch *batch, const char *message)
{
	struct nub_trace_reader reader;
	struct nub_trace_record record;
	struct nub_error err = { 0 };
	int more = nub_trace_reader_init(&reader, batch->bytes, batch->size, &usual, &err);
	for (int limit = 100; more >= 0 && limit > 0; limit--) {
		more = nub_trace_reader_next(&reader, &record, &err);
		assert_int_not_equal(more, 0);
	}
	assert_int_equal(more, -1);
	assert_int_equal(err.kind, NUB_E_VALUE);
	assert_string_equal(err.message, message);
}

/* R37 */
static void test_records(void **state)
{
	(void)state;
	struct nub_trace_reader reader;
	struct nub_trace_record record;
	struct nub_error err = { 0 };
	struct batch batch = sent_at(10000);
	put_begin(&batch, 8000, "parse", 5);
	put(&batch, NUB_TRACE_ALLOC, 1);
	put(&batch, 8200, 8);
	put(&batch, 0x600000001000, 8);
	put(&batch, 20, 8);
	put(&batch, 48, 8);
	put(&batch, NUB_TRACE_FREE, 1);
	put(&batch, 8400, 8);
	put(&batch, 0x600000001000, 8);
	put(&batch, 48, 8);
	put_end(&batch, 10000);

	open_batch(&reader, &batch, &usual);
	record = next(&reader);
	assert_int_equal(record.kind, NUB_TRACE_BEGIN);
	assert_string_equal(record.name, "parse");
	assert_true(record.time_ns == ARRIVED - 1000);
	record = next(&reader);
	assert_int_equal(record.kind, NUB_TRACE_ALLOC);
	assert_true(record.address == 0x600000001000 && record.asked == 20 && record.size == 48);
	assert_true(record.time_ns == ARRIVED - 900);
	record = next(&reader);
	assert_int_equal(record.kind, NUB_TRACE_FREE);
	assert_true(record.address == 0x600000001000 && record.size == 48);
	record = next(&reader);
	assert_int_equal(record.kind, NUB_TRACE_END);
	assert_true(record.time_ns == ARRIVED);
	assert_int_equal(nub_trace_reader_next(&reader, &record, &err), 0);
	assert_int_equal(nub_trace_reader_next(&reader, &record, &err), 0);
}

/* R37 */
static void test_empty_batch(void **state)
{
	(void)state;
	struct nub_trace_reader reader;
	struct nub_trace_record record;
	struct batch batch = sent_at(1);
	open_batch(&reader, &batch, &usual);
	assert_int_equal(nub_trace_reader_next(&reader, &record, NULL), 0);
}

/* R37: whatever the guest's counters say, times stay in order and between the last batch and this one. */
static void test_times_are_kept_in_order(void **state)
{
	(void)state;
	struct nub_trace_reader reader;
	struct batch batch = sent_at(UINT64_MAX);
	put_end(&batch, 0);              /* ages ago */
	put_end(&batch, UINT64_MAX - 4); /* 2 ns */
	put_end(&batch, UINT64_MAX - 8); /* backwards */
	put_end(&batch, UINT64_MAX);
	open_batch(&reader, &batch, &usual);
	expect_time(&reader, 1000);
	expect_time(&reader, ARRIVED - 2);
	expect_time(&reader, ARRIVED - 2);
	expect_time(&reader, ARRIVED);

	batch = sent_at(5);
	put_end(&batch, UINT64_MAX); /* later than the batch */
	put_end(&batch, 0);
	open_batch(&reader, &batch, &usual);
	expect_time(&reader, ARRIVED);
	expect_time(&reader, ARRIVED);
}

/* R37: without a known rate, the whole batch is at the exit that brought it. */
static void test_unknown_rate(void **state)
{
	(void)state;
	struct nub_trace_reader reader;
	struct nub_trace_clock clock = usual;
	struct batch batch = sent_at(10000);
	clock.tsc_khz = 0;
	put_end(&batch, 1);
	open_batch(&reader, &batch, &clock);
	expect_time(&reader, ARRIVED);
}

/* R37: a name is text whatever its bytes are. */
static void test_names(void **state)
{
	(void)state;
	char longest[NUB_TRACE_NAME_MAX + 1];
	struct nub_trace_reader reader;
	struct batch batch = sent_at(0);
	memset(longest, 0xff, sizeof(longest));
	put_begin(&batch, 0, "", 0);
	put_begin(&batch, 0, "a\0b\xff", 4);
	put_begin(&batch, 0, longest, NUB_TRACE_NAME_MAX);
	open_batch(&reader, &batch, &usual);
	assert_string_equal(next(&reader).name, "");
	assert_string_equal(next(&reader).name, "a\xef\xbf\xbd"
	                                        "b\xef\xbf\xbd");
	assert_int_equal(strlen(next(&reader).name), 3 * NUB_TRACE_NAME_MAX);

	batch = sent_at(0);
	put_begin(&batch, 0, longest, sizeof(longest));
	expect_refused(&batch, "the span's name at offset 17 has 64 bytes, the limit is 63");
}

/* R37 */
static void test_unknown_kinds(void **state)
{
	(void)state;
	struct batch batch = sent_at(0);
	put_end(&batch, 0);
	put(&batch, 0, 1);
	put(&batch, 0, 8);
	expect_refused(&batch, "the trace record at offset 17 is 0, it must be 1 to 4");
	batch.bytes[17] = 5;
	expect_refused(&batch, "the trace record at offset 17 is 5, it must be 1 to 4");
}

/* R37: cut anywhere but between two records, a batch is refused for what is missing. */
static void test_cut_short(void **state)
{
	(void)state;
	struct batch whole = sent_at(0);
	size_t ends[4];
	put_begin(&whole, 0, "name", 4);
	ends[0] = whole.size;
	put_end(&whole, 0);
	ends[1] = whole.size;
	put(&whole, NUB_TRACE_ALLOC, 1);
	for (int i = 0; i < 4; i++)
		put(&whole, 0, 8);
	ends[2] = whole.size;
	put(&whole, NUB_TRACE_FREE, 1);
	for (int i = 0; i < 3; i++)
		put(&whole, 0, 8);
	ends[3] = whole.size;
	for (size_t size = 0; size <= whole.size; size++) {
		struct nub_trace_reader reader;
		struct nub_trace_record record;
		struct nub_error err = { 0 };
		/* A copy of this size, so that a sanitizer sees a read behind it. */
		uint8_t *bytes = malloc(size + 1);
		memcpy(bytes, whole.bytes, size);
		int more = nub_trace_reader_init(&reader, bytes, size, &usual, &err) == 0 ? 1 : -1;
		while (more > 0)
			more = nub_trace_reader_next(&reader, &record, &err);
		bool whole_records = size == 8;
		for (size_t i = 0; i < 4; i++)
			whole_records |= size == ends[i];
		assert_int_equal(more, whole_records ? 0 : -1);
		assert_int_equal(err.kind, whole_records ? NUB_E_NONE : NUB_E_VALUE);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_empty_batch),
		cmocka_unit_test(test_times_are_kept_in_order),
		cmocka_unit_test(test_unknown_rate),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unknown_kinds),
		cmocka_unit_test(test_cut_short),
	};
	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
