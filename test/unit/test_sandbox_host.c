/* What a sandbox asks of its host: functions, output, logs (R35), random numbers; and what the host reads back (R33). Real
 * KVM. */
#include "kvm_guest.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/utsname.h>

/* How the host answers, and what it was asked. */
struct host {
	struct guest guest; /* first: keep_output takes the same context */
	int status;
	struct nub_value result;
	enum nub_error_kind kind;
	const char *message;
	/* The last call. */
	unsigned calls;
	char name[64];
	struct nub_value args[NUB_MAX_PARAMS];
	unsigned arg_count;
	enum nub_type result_type;
	/* Log records by level. */
	unsigned logs[NUB_LOG_TRACE + 2];
	char log_message[256];
	char log_source[256];
	uint32_t log_line;
};

static int answer(void *context, const char *name, const struct nub_value *args, unsigned arg_count,
                  enum nub_type result_type, struct nub_value *result, struct nub_error *err)
{
	struct host *host = context;

	host->calls++;
	snprintf(host->name, sizeof(host->name), "%s", name);
	memcpy(host->args, args, arg_count * sizeof(args[0]));
	host->arg_count = arg_count;
	host->result_type = result_type;
	*result = host->result;
	if (host->status != 0) {
		err->kind = host->kind;
		snprintf(err->message, sizeof(err->message), "%s", host->message);
	}
	return host->status;
}

static void host_open(struct host *host, const char *name)
{
	memset(host, 0, sizeof(*host));
	guest_load(&host->guest, name);
	host->guest.config.ops.context = host;
	host->guest.config.ops.call = answer;
	guest_create(&host->guest);
}

static const struct nub_value *two_numbers(int64_t a, int64_t b)
{
	static struct nub_value args[2];

	args[0] = i64_value(a);
	args[1] = i64_value(b);
	return args;
}

static void functions_of_the_host(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "callback.elf");
	host.result = i64_value(INT64_MIN);
	for (unsigned i = 1; i <= 20; i++) {
		guest_call(&host.guest, "sum_host", two_numbers(INT64_MAX, -2), 2, NUB_OUTCOME_RETURNED);
		assert_int_equal(host.calls, i);
		assert_string_equal(host.name, "host_add");
		assert_int_equal(host.result_type, NUB_TYPE_I64);
		assert_int_equal(host.arg_count, 2);
		assert_int_equal(host.args[0].i64, INT64_MAX);
		assert_int_equal(host.args[1].i64, -2);
		assert_true(host.guest.outcome.result.i64 == INT64_MIN);
	}
	assert_int_equal(nub_sandbox_exit_counts(host.guest.sandbox)->call, 20);
	host.result = string_value("LOUD");
	guest_call(&host.guest, "ask", (struct nub_value[]){ string_value("loud") }, 1, NUB_OUTCOME_RETURNED);
	assert_int_equal(host.guest.outcome.result.bytes.size, 4);
	assert_memory_equal(host.guest.outcome.result.bytes.data, "LOUD", 4);
	guest_close(&host.guest);
}

/* The guest hears of it and answers for itself; the sandbox lives on. */
static void expect_failed_call(struct host *host, const char *part)
{
	guest_call(&host->guest, "sum_host", two_numbers(1, 2), 2, NUB_OUTCOME_FAILED);
	assert_int_equal(host->guest.outcome.exit_code, 1);
	if (!strstr(host->guest.outcome.message, part))
		fail_msg("'%s' does not say '%s'", host->guest.outcome.message, part);
}

static void answers_of_the_wrong_type(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "callback.elf");
	for (unsigned type = 0; type < NUB_TYPE_COUNT; type++) {
		host.result = (struct nub_value){ .type = (enum nub_type)type };
		if (type != NUB_TYPE_I64)
			expect_failed_call(&host, nub_type_name((enum nub_type)type));
	}
	host.result = i64_value(3);
	guest_call(&host.guest, "sum_host", two_numbers(1, 2), 2, NUB_OUTCOME_RETURNED);
	guest_close(&host.guest);
}

static void errors_for_the_guest(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "callback.elf");
	host.status = 1;
	host.kind = NUB_E_IO;
	host.message = "the abacus is broken";
	expect_failed_call(&host, "the abacus is broken");
	host.status = 0;
	host.result = i64_value(3);
	guest_call(&host.guest, "sum_host", two_numbers(1, 2), 2, NUB_OUTCOME_RETURNED);
	guest_close(&host.guest);
}

/* -1 ends the run with that very error, and the sandbox can't be used again (R36). */
static void errors_that_end_the_run(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "callback.elf");
	host.status = -1;
	host.kind = NUB_E_IO;
	host.message = "the abacus is on fire";
	assert_int_equal(nub_sandbox_call(host.guest.sandbox, "sum_host", two_numbers(1, 2), 2, &host.guest.outcome,
	                                  &host.guest.err),
	                 -1);
	assert_int_equal(host.guest.err.kind, NUB_E_IO);
	assert_string_equal(host.guest.err.message, "the abacus is on fire");
	guest_refuses(&host.guest, "sum_host", two_numbers(1, 2), 2, NUB_E_POISONED);
	guest_close(&host.guest);
}

/* A host without functions still tells the time and rolls the dice. */
static void no_functions_are_offered(void **state)
{
	struct guest guest;

	(void)state;
	guest_open(&guest, "callback.elf");
	guest_call(&guest, "sum_host", two_numbers(1, 2), 2, NUB_OUTCOME_FAILED);
	assert_non_null(strstr(guest.outcome.message, "'host_add' is not offered"));
	guest_call(&guest, "clock_and_dice", NULL, 0, NUB_OUTCOME_RETURNED);
	assert_true((guest.outcome.result.u64 & 0xff) < 24);
	guest_close(&guest);
}

/* An answer that the input ring can't hold is an error for the guest, and leaves the ring as it was (R9). */
static void answers_that_do_not_fit(void **state)
{
	static uint8_t large[NUB_DEFAULT_RING_SIZE];
	const struct nub_value loud = string_value("loud");
	struct host host;

	(void)state;
	memset(large, 'x', sizeof(large));
	host_open(&host, "callback.elf");
	for (int i = 0; i < 3; i++) {
		host.result = (struct nub_value){ .type = NUB_TYPE_STRING, .bytes = { large, sizeof(large) } };
		guest_call(&host.guest, "ask", &loud, 1, NUB_OUTCOME_FAILED);
		assert_non_null(strstr(host.guest.outcome.message, "host_upper"));
	}
	host.result.bytes.size = 60000;
	guest_call(&host.guest, "ask", &loud, 1, NUB_OUTCOME_RETURNED);
	assert_int_equal(host.guest.outcome.result.bytes.size, 60000);
	assert_memory_equal(host.guest.outcome.result.bytes.data, large, 60000);
	guest_close(&host.guest);
}

static int no_paper(void *context, enum nub_stream stream, const void *bytes, size_t size, struct nub_error *err)
{
	(void)context;
	(void)stream;
	(void)bytes;
	(void)size;
	err->kind = NUB_E_IO;
	err->sys_errno = ENOSPC;
	snprintf(err->message, sizeof(err->message), "no paper");
	return -1;
}

static void output_that_fails(void **state)
{
	const char *const argv[] = { "hello", NULL };
	struct guest guest;

	(void)state;
	guest_load(&guest, "hello.elf");
	guest.config.ops.output = no_paper;
	guest_create(&guest);
	assert_int_equal(nub_sandbox_run_main(guest.sandbox, 1, argv, &guest.outcome, &guest.err), -1);
	assert_int_equal(guest.err.kind, NUB_E_IO);
	assert_int_equal(guest.err.sys_errno, ENOSPC);
	assert_string_equal(guest.err.message, "no paper");
	assert_int_equal(nub_sandbox_run_main(guest.sandbox, 1, argv, &guest.outcome, &guest.err), -1);
	assert_int_equal(guest.err.kind, NUB_E_POISONED);
	guest_close(&guest);
	/* Nobody listens: that is no failure. */
	guest_load(&guest, "hello.elf");
	guest.config.ops = (struct nub_host_ops){ 0 };
	guest_create(&guest);
	guest_main(&guest, NULL, NUB_OUTCOME_EXITED);
	guest_close(&guest);
}

static int keep_log(void *context, const struct nub_log_record *record, struct nub_error *err)
{
	struct host *host = context;

	(void)err;
	assert_in_range(record->level, NUB_LOG_ERROR, NUB_LOG_TRACE);
	host->logs[record->level]++;
	snprintf(host->log_message, sizeof(host->log_message), "%s", record->message);
	snprintf(host->log_source, sizeof(host->log_source), "%s", record->source);
	host->log_line = record->line;
	return 0;
}

/* R35: a level lets through itself and what is graver; text comes as it is, but for what is not UTF-8, with source and
 * line. */
static void logs_by_level(void **state)
{
	static const char *const last[] = {
		"",
		"error: a \"quoted\" word and a back\\slash",
		"warn: a tab\tand a line\nbreak",
		"info: control \x01 and delete \x7f, and nothing but text: \xc3\xa4",
		"debug: bytes that are not UTF-8: \xef\xbf\xbd\xef\xbf\xbd",
		"trace: number 1",
	};

	(void)state;
	for (unsigned level = 0; level <= NUB_LOG_TRACE; level++) {
		struct host host = { 0 };
		const char *name;

		guest_load(&host.guest, "log.elf");
		host.guest.config.ops = (struct nub_host_ops){ .context = &host, .log = keep_log };
		host.guest.config.log_level = level;
		guest_create(&host.guest);
		guest_main(&host.guest, NULL, NUB_OUTCOME_EXITED);
		for (unsigned i = 1; i <= NUB_LOG_TRACE; i++)
			assert_int_equal(host.logs[i], i <= level);
		assert_int_equal(nub_sandbox_exit_counts(host.guest.sandbox)->log, level);
		assert_string_equal(host.log_message, last[level]);
		if (level > 0) {
			name = strrchr(host.log_source, '/');
			assert_string_equal(name ? name + 1 : host.log_source, "log.c");
			assert_true(host.log_line > 0);
		}
		guest_close(&host.guest);
	}
}

/* R35: a guest that does not keep to the level is not heard above it. */
static void logs_above_the_level(void **state)
{
	(void)state;
	for (unsigned level = 0; level <= NUB_LOG_TRACE; level++) {
		struct host host = { 0 };

		guest_load(&host.guest, "loud-log.elf");
		host.guest.config.ops = (struct nub_host_ops){ .context = &host, .log = keep_log };
		host.guest.config.log_level = level;
		guest_create(&host.guest);
		guest_main(&host.guest, NULL, NUB_OUTCOME_EXITED);
		assert_int_equal(nub_sandbox_exit_counts(host.guest.sandbox)->log, NUB_LOG_TRACE);
		for (unsigned i = 1; i <= NUB_LOG_TRACE; i++)
			assert_int_equal(host.logs[i], i <= level);
		guest_close(&host.guest);
	}
}

static int full_disk(void *context, const struct nub_log_record *record, struct nub_error *err)
{
	(void)context;
	(void)record;
	err->kind = NUB_E_IO;
	snprintf(err->message, sizeof(err->message), "the log is full");
	return -1;
}

static void a_log_that_fails(void **state)
{
	const char *const argv[] = { "log", NULL };
	struct guest guest;

	(void)state;
	guest_load(&guest, "log.elf");
	guest.config.ops.log = full_disk;
	guest_create(&guest);
	assert_int_equal(nub_sandbox_run_main(guest.sandbox, 1, argv, &guest.outcome, &guest.err), -1);
	assert_string_equal(guest.err.message, "the log is full");
	guest_close(&guest);
}

/* Two draws of 7 random bytes: what a seed gives, or the kernel. */
static void draw(bool has_seed, uint64_t seed, uint64_t drawn[2])
{
	struct guest guest;

	guest_load(&guest, "callback.elf");
	guest.config.has_seed = has_seed;
	guest.config.seed = seed;
	guest_create(&guest);
	for (int i = 0; i < 2; i++) {
		guest_call(&guest, "clock_and_dice", NULL, 0, NUB_OUTCOME_RETURNED);
		drawn[i] = guest.outcome.result.u64 >> 8;
	}
	guest_close(&guest);
}

static void seeds(void **state)
{
	uint64_t seven[2], again[2], eight[2], kernel[2], other[2];

	(void)state;
	draw(true, 7, seven);
	draw(true, 7, again);
	draw(true, 8, eight);
	draw(false, 7, kernel);
	draw(false, 7, other);
	assert_memory_equal(seven, again, sizeof(seven));
	assert_int_not_equal(seven[0], seven[1]);
	assert_int_not_equal(seven[0], eight[0]);
	assert_int_not_equal(seven[0], kernel[0]);
	assert_int_not_equal(kernel[0], other[0]);
	assert_int_not_equal(kernel[0], kernel[1]);
}

static uint64_t region_gva(const struct guest *guest, enum nub_region_type type, uint64_t *size)
{
	struct nub_error err = { 0 };
	size_t count = 0;
	struct nub_region *regions = nub_plan_regions(&guest->config, guest->image, &count, &err);
	uint64_t gva = 0;

	assert_non_null(regions);
	for (size_t i = 0; i < count && gva == 0; i++)
		if (regions[i].type == type) {
			gva = regions[i].gva;
			*size = regions[i].size;
		}
	free(regions);
	assert_int_not_equal(gva, 0);
	return gva;
}

static void expect_unreadable(struct guest *guest, uint64_t gva, size_t size, enum nub_error_kind kind)
{
	struct nub_error err = { 0 };
	uint8_t bytes[64];

	assert_true(size <= sizeof(bytes));
	assert_int_equal(nub_sandbox_read(guest->sandbox, gva, bytes, size, &err), -1);
	assert_string_equal(nub_error_name(err.kind), nub_error_name(kind));
}

static uint64_t sum_of_page(struct guest *guest, uint64_t gva)
{
	uint8_t page[NUB_PAGE_SIZE];
	uint64_t sum = 0;

	assert_int_equal(nub_sandbox_read(guest->sandbox, gva, page, sizeof(page), &guest->err), 0);
	for (size_t i = 0; i < sizeof(page); i++)
		sum += page[i];
	return sum;
}

/* R13, R14, R33: PEB, init data, mapped file and stack, before and after the guest ran; and what can't be read. */
static void reading_guest_memory(void **state)
{
	static const char init_data[] = "what the host gave";
	const int fd = memfd_create("nub-test", MFD_CLOEXEC);
	const struct nub_file_map file = { .fd = fd, .size = 4, .gva = 0x10000000, .label = "the file" };
	struct nub_file_mapping entry;
	struct nub_memory_info info;
	struct guest guest;
	struct nub_peb peb;
	char bytes[64];
	uint64_t size;

	(void)state;
	assert_int_equal(write(fd, "file", 4), 4);
	guest_load(&guest, "hello.elf");
	guest.config.init_data = init_data;
	guest.config.init_data_size = sizeof(init_data);
	guest.config.maps = &file;
	guest.config.map_count = 1;
	guest_create(&guest);
	close(fd);
	const uint64_t peb_gva = region_gva(&guest, NUB_REGION_PEB, &size);
	assert_int_equal(nub_sandbox_read(guest.sandbox, peb_gva, &peb, sizeof(peb), &guest.err), 0);
	assert_int_equal(peb.input.size, NUB_DEFAULT_RING_SIZE);
	assert_int_equal(peb.output.gva, peb.input.gva + peb.input.size);
	assert_int_equal(peb.heap.size, NUB_DEFAULT_HEAP_SIZE);
	assert_int_equal(peb.init_data.size, sizeof(init_data));
	assert_int_equal(peb.file_mappings.size, 1);
	assert_int_equal(nub_sandbox_read(guest.sandbox, peb.init_data.gva, bytes, sizeof(init_data), &guest.err), 0);
	assert_string_equal(bytes, init_data);
	assert_int_equal(nub_sandbox_read(guest.sandbox, peb.file_mappings.gva, &entry, sizeof(entry), &guest.err), 0);
	assert_int_equal(entry.gva, 0x10000000);
	assert_int_equal(entry.size, 4);
	assert_string_equal(entry.label, "the file");
	assert_int_equal(nub_sandbox_read(guest.sandbox, entry.gva, bytes, 6, &guest.err), 0);
	assert_memory_equal(bytes, "file\0\0", 6);
	nub_sandbox_memory_info(guest.sandbox, &info);
	assert_int_equal(info.mapped_size, NUB_PAGE_SIZE);

	/* What the guest writes is seen: at the top of its stack there was nothing. */
	const uint64_t guard = region_gva(&guest, NUB_REGION_GUARD, &size);
	const uint64_t stack_end = region_gva(&guest, NUB_REGION_STACK, &size) + size;
	assert_int_equal(sum_of_page(&guest, stack_end - NUB_PAGE_SIZE), 0);
	guest_main(&guest, NULL, NUB_OUTCOME_EXITED);
	assert_int_not_equal(sum_of_page(&guest, stack_end - NUB_PAGE_SIZE), 0);

	expect_unreadable(&guest, 0, 1, NUB_E_GVA_UNMAPPED);
	expect_unreadable(&guest, guard, 8, NUB_E_GVA_UNMAPPED);
	expect_unreadable(&guest, guard - 4, 8, NUB_E_GVA_HOLE);
	expect_unreadable(&guest, stack_end - 4, 8, NUB_E_GVA_HOLE);
	expect_unreadable(&guest, UINT64_C(0x900000000000), 8, NUB_E_PAGE_ARGUMENT);
	expect_unreadable(&guest, UINT64_MAX - 3, 8, NUB_E_PAGE_ARGUMENT);
	guest_close(&guest);
}

/* R33: a small kernel's memory is read through the tables that it made itself. */
static void reading_through_the_guests_own_tables(void **state)
{
	const uint64_t private_gva = UINT64_C(0x700000000000);
	struct guest guest;
	uint64_t value = 0;

	(void)state;
	guest_open(&guest, "two-spaces.elf");
	expect_unreadable(&guest, private_gva, 8, NUB_E_GVA_UNMAPPED);
	guest_main(&guest, NULL, NUB_OUTCOME_EXITED);
	assert_int_equal(guest.outcome.exit_code, 0);
	assert_int_equal(nub_sandbox_read(guest.sandbox, private_gva, &value, sizeof(value), &guest.err), 0);
	assert_int_equal(value, 0x2222);
	guest_close(&guest);
}

static void probing_the_host(void **state)
{
	struct nub_host_info info = { 0 };
	struct nub_error err = { 0 };
	struct utsname name;

	(void)state;
	assert_int_equal(nub_host_probe(&info, &err), 0);
	assert_int_equal(info.api_version, 12);
	assert_true(info.sync_regs && info.immediate_exit && info.readonly_memory && info.xsave && info.avx);
	assert_true(info.round_trip_us > 0.1 && info.round_trip_us < 100000);
	assert_true(info.cpl0_ns_per_instruction > 0.01);
	assert_int_equal(info.cpl0_emulated, info.cpl0_ns_per_instruction > 50);
	assert_int_equal(uname(&name), 0);
	assert_string_equal(info.kernel, name.release);
}

static int compare_numbers(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

enum { PROBES = 5 };

/* The lowest and the highest apart, which a busy host may have made, they are of the same order. */
static void expect_same_order(const char *what, double numbers[PROBES])
{
	qsort(numbers, PROBES, sizeof(numbers[0]), compare_numbers);
	if (numbers[PROBES - 2] > 10 * numbers[1])
		fail_msg("%s: %f, then %f", what, numbers[1], numbers[PROBES - 2]);
}

/* It is the host that is measured, and not what happens beside it. */
static void probing_again(void **state)
{
	double instruction[PROBES], round_trip[PROBES];
	struct nub_error err = { 0 };

	(void)state;
	for (unsigned i = 0; i < PROBES; i++) {
		struct nub_host_info info;
		assert_int_equal(nub_host_probe(&info, &err), 0);
		instruction[i] = info.cpl0_ns_per_instruction;
		round_trip[i] = info.round_trip_us;
	}
	expect_same_order("ns an instruction", instruction);
	expect_same_order("us a round trip", round_trip);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(functions_of_the_host),
		KVM_TEST(answers_of_the_wrong_type),
		KVM_TEST(errors_for_the_guest),
		KVM_TEST(errors_that_end_the_run),
		KVM_TEST(no_functions_are_offered),
		KVM_TEST(answers_that_do_not_fit),
		KVM_TEST(output_that_fails),
		KVM_TEST(logs_by_level),
		KVM_TEST(logs_above_the_level),
		KVM_TEST(a_log_that_fails),
		KVM_TEST(seeds),
		KVM_TEST(reading_guest_memory),
		KVM_TEST(reading_through_the_guests_own_tables),
		KVM_TEST(probing_the_host),
		KVM_TEST(probing_again),
	};

	return run_kvm_tests("sandbox and host", tests);
}
