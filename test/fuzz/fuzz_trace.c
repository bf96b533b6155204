/* Fuzz target: any bytes as a batch of trace records (R37); the first 24 are the host's clock. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "wire/trace.h"

#define CLOCK_SIZE sizeof(struct nub_trace_clock)

static void check_record(const struct nub_trace_record *record, uint64_t last_ns, uint64_t end_ns)
{
	FUZZ_CHECK(record->kind >= NUB_TRACE_BEGIN && record->kind <= NUB_TRACE_FREE);
	FUZZ_CHECK(record->time_ns >= last_ns && record->time_ns <= end_ns);
	FUZZ_CHECK(!record->name == (record->kind != NUB_TRACE_BEGIN));
	if (!record->name)
		return;
	size_t length = strlen(record->name);
	FUZZ_CHECK(length <= (size_t)NUB_TRACE_NAME_MAX * 3);
	FUZZ_CHECK(nub_utf8_valid_prefix((const uint8_t *)record->name, length) == length);
}

static void read_all(const uint8_t *bytes, size_t size, const struct nub_trace_clock *clock)
{
	struct nub_trace_reader reader;
	struct nub_trace_record record;
	struct nub_error err = { 0 };
	uint64_t last_ns = clock->not_before;
	uint64_t end_ns = clock->arrived_ns > last_ns ? clock->arrived_ns : last_ns;
	size_t records = 0;
	int more = nub_trace_reader_init(&reader, bytes, size, clock, &err) == 0 ? 1 : -1;
	while (more > 0 && (more = nub_trace_reader_next(&reader, &record, &err)) > 0) {
		check_record(&record, last_ns, end_ns);
		last_ns = record.time_ns;
		FUZZ_CHECK(++records <= size / 9);
	}
	FUZZ_CHECK(more == 0 ? err.kind == NUB_E_NONE : err.kind == NUB_E_VALUE && err.message[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nub_trace_clock clock;
	if (size < CLOCK_SIZE)
		return 0;
	memcpy(&clock, data, CLOCK_SIZE);
	/* Its own block, so that a sanitizer sees a read behind the batch. */
	uint8_t *bytes = malloc(size - CLOCK_SIZE + 1);
	FUZZ_CHECK(bytes);
	memcpy(bytes, data + CLOCK_SIZE, size - CLOCK_SIZE);
	read_all(bytes, size - CLOCK_SIZE, &clock);
	free(bytes);
	return 0;
}

static size_t put(uint8_t *out, size_t at, uint64_t value, size_t size)
{
	memcpy(out + at, &value, size);
	return at + size;
}

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	const struct nub_trace_clock clock = { .arrived_ns = 1000000, .not_before = 5, .tsc_khz = 2600000 };
	size_t at = CLOCK_SIZE;
	if (index > 1 || capacity < 256)
		return 0;
	memcpy(out, &clock, CLOCK_SIZE);
	at = put(out, at, 9000, 8);
	if (index == 0)
		return at;
	at = put(out, put(out, put(out, at, NUB_TRACE_BEGIN, 1), 1000, 8), 4, 4);
	memcpy(out + at, "na\xc3\xaf", 4);
	at = put(out, put(out, at + 4, NUB_TRACE_ALLOC, 1), 2000, 8);
	for (uint64_t word = 0; word < 3; word++)
		at = put(out, at, 0x600000000000 + word, 8);
	at = put(out, put(out, at, NUB_TRACE_FREE, 1), 3000, 8);
	at = put(out, put(out, at, 0x600000000000, 8), 48, 8);
	return put(out, put(out, at, NUB_TRACE_END, 1), 9000, 8);
}
