/* The life of a sandbox, through lib/nub.h and real KVM: made, initialised, called, ended, poisoned (R36), freed; many at
 * once. */
#include "kvm_guest.h"

#include <pthread.h>

/* Nothing runs, nothing stays. */
static void creating_and_freeing(void **state)
{
	struct guest guest;
	struct nub_memory_info info;
	const int fds = open_descriptors();

	(void)state;
	guest_load(&guest, "hello.elf");
	for (int i = 0; i < 3; i++) {
		guest_create(&guest);
		assert_int_equal(nub_sandbox_exit_counts(guest.sandbox)->total, 0);
		nub_sandbox_memory_info(guest.sandbox, &info);
		assert_true(info.snapshot_size > NUB_DEFAULT_HEAP_SIZE + NUB_DEFAULT_STACK_SIZE + info.page_table_size);
		assert_int_equal(info.snapshot_size % NUB_PAGE_SIZE, 0);
		assert_int_equal(info.scratch_size, NUB_DEFAULT_SCRATCH_SIZE);
		assert_true(info.page_table_size >= 4 * NUB_PAGE_SIZE);
		assert_int_equal(info.page_table_size % NUB_PAGE_SIZE, 0);
		assert_int_equal(info.mapped_size, 0);
		nub_sandbox_free(guest.sandbox);
		guest.sandbox = NULL;
		assert_int_equal(open_descriptors(), fds);
	}
	nub_sandbox_free(NULL);
	assert_int_equal(guest.text_size, 0);
	guest_close(&guest);
}

static void expect_no_sandbox(struct guest *guest, enum nub_error_kind kind)
{
	struct nub_error err = { 0 };
	const int fds = open_descriptors();

	assert_null(nub_sandbox_create(&guest->config, guest->image, &err));
	assert_string_equal(nub_error_name(err.kind), nub_error_name(kind));
	assert_true(err.message[0] != '\0');
	assert_int_equal(open_descriptors(), fds);
}

/* What can't be is refused by its kind; what was made until then goes away (R2, R5, R11, R14). */
static void refused_configurations(void **state)
{
	const struct nub_file_map over_code = { .fd = -1, .size = 1, .gva = 0x400000 };
	const struct nub_file_map no_file = { .fd = -1, .size = 1, .gva = 0x10000000 };
	struct guest guest;

	(void)state;
	guest_load(&guest, "hello.elf");
	guest.config.heap_size = UINT64_C(17) << 30;
	expect_no_sandbox(&guest, NUB_E_MEMORY_TOO_BIG);
	guest.config.heap_size = 0;
	expect_no_sandbox(&guest, NUB_E_SIZE);
	guest.config = nub_config_default();
	guest.config.scratch_size = NUB_PAGE_SIZE;
	expect_no_sandbox(&guest, NUB_E_MEMORY_TOO_SMALL);
	guest.config = nub_config_default();
	guest.config.maps = &over_code;
	guest.config.map_count = 1;
	expect_no_sandbox(&guest, NUB_E_MAP_ADDRESS);
	guest.config.maps = &no_file;
	expect_no_sandbox(&guest, NUB_E_IO);
	guest_close(&guest);
	guest_load(&guest, "wx.elf");
	expect_no_sandbox(&guest, NUB_E_ELF_WX);
	guest.config.allow_wx = true;
	guest_create(&guest);
	guest_main(&guest, NULL, NUB_OUTCOME_EXITED);
	assert_string_equal(guest.text, "41\n");
	guest_close(&guest);
}

/* ET_EXEC and static PIE, from the first instruction to the exit code (R24). */
static void a_program_runs_to_its_end(void **state)
{
	static const char *const names[] = { "args.elf", "args.pie.elf" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct nub_exit_counts *exits;
		struct guest guest;

		guest_open(&guest, names[i]);
		guest_main(&guest, "one", NUB_OUTCOME_EXITED);
		assert_int_equal(guest.outcome.exit_code, 1);
		assert_string_equal(guest.text, "argc = 2\nargv[0] = \"guest\"\nargv[1] = \"one\"\n");
		exits = nub_sandbox_exit_counts(guest.sandbox);
		assert_int_equal(exits->print, 1);
		assert_int_equal(exits->halt, 1);
		assert_int_equal(exits->total, 2);
		guest_close(&guest);
	}
}

static void initialising_then_calling(void **state)
{
	const struct nub_value args[] = { i64_value(INT64_MAX), i64_value(-1) };
	struct guest guest;

	(void)state;
	guest_open(&guest, "calc.elf");
	assert_int_equal(nub_sandbox_initialise(guest.sandbox, &guest.outcome, &guest.err), 0);
	assert_int_equal(guest.outcome.kind, NUB_OUTCOME_READY);
	assert_int_equal(nub_sandbox_exit_counts(guest.sandbox)->halt, 1);
	/* Once is enough. */
	assert_int_equal(nub_sandbox_initialise(guest.sandbox, &guest.outcome, &guest.err), 0);
	assert_int_equal(guest.outcome.kind, NUB_OUTCOME_READY);
	assert_int_equal(nub_sandbox_exit_counts(guest.sandbox)->total, 1);
	for (int i = 0; i < 200; i++) {
		guest_call(&guest, "add", args, 2, NUB_OUTCOME_RETURNED);
		assert_int_equal(guest.outcome.result.type, NUB_TYPE_I64);
		assert_int_equal(guest.outcome.result.i64, INT64_MAX - 1);
	}
	assert_int_equal(nub_sandbox_exit_counts(guest.sandbox)->total, 201);
	guest_close(&guest);
}

/* A fresh sandbox can be called at once; it remembers from one call to the next; then its main can run. */
static void calling_a_fresh_sandbox(void **state)
{
	struct guest guest;

	(void)state;
	guest_open(&guest, "echo.pie.elf");
	for (int i = 0; i < 50; i++) {
		guest_call(&guest, "echo_void", NULL, 0, NUB_OUTCOME_RETURNED);
		assert_int_equal(guest.outcome.result.type, NUB_TYPE_VOID);
	}
	guest_call(&guest, "count", NULL, 0, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest.outcome.result.u32, 50);
	guest_main(&guest, "spoken", NUB_OUTCOME_EXITED);
	assert_string_equal(guest.text, "spoken\n");
	guest_close(&guest);
}

/* As many arguments as there can be, every type among them. */
static void every_type_of_argument(void **state)
{
	const uint8_t bytes[5] = { 0, 1, 2, 0xff, 0 };
	const struct nub_value args[] = {
		{ .type = NUB_TYPE_I32, .i32 = -1 },
		{ .type = NUB_TYPE_U32, .u32 = 2 },
		i64_value(-3),
		{ .type = NUB_TYPE_U64, .u64 = 1000 },
		{ .type = NUB_TYPE_F32, .f32 = 0.5f },
		{ .type = NUB_TYPE_F64, .f64 = 0.25 },
		{ .type = NUB_TYPE_BOOL, .boolean = true },
		string_value("four"),
		{ .type = NUB_TYPE_BYTES, .bytes = { bytes, sizeof(bytes) } },
		{ .type = NUB_TYPE_I32, .i32 = 100 },
	};
	struct guest guest;

	(void)state;
	guest_open(&guest, "calc.elf");
	guest_call(&guest, "sum_ten", args, 10, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest.outcome.result.type, NUB_TYPE_F64);
	assert_true(guest.outcome.result.f64 == 1108.75);
	guest_call(&guest, "reverse", &args[8], 1, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest.outcome.result.bytes.size, 5);
	assert_memory_equal(guest.outcome.result.bytes.data, "\x00\xff\x02\x01\x00", 5);
	guest_call(&guest, "concat", (struct nub_value[]){ args[7], string_value("") }, 2, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest.outcome.result.bytes.size, 4);
	assert_memory_equal(guest.outcome.result.bytes.data, "four", 4);
	guest_close(&guest);
}

/* Refused before the guest is entered, and nothing is spoilt by it. */
static void wrong_calls(void **state)
{
	const struct nub_value args[] = { i64_value(1), i64_value(2), i64_value(3) };
	const struct nub_value wrong[] = { i64_value(1), { .type = NUB_TYPE_U64, .u64 = 2 } };
	struct guest guest;

	(void)state;
	guest_open(&guest, "calc.elf");
	guest_refuses(&guest, "no_such_function", args, 2, NUB_E_FUNCTION_UNKNOWN);
	guest_refuses(&guest, "", args, 2, NUB_E_FUNCTION_UNKNOWN);
	guest_refuses(&guest, "add", args, 1, NUB_E_ARGUMENTS);
	guest_refuses(&guest, "add", args, 3, NUB_E_ARGUMENTS);
	guest_refuses(&guest, "add", NULL, 0, NUB_E_ARGUMENTS);
	guest_refuses(&guest, "add", wrong, 2, NUB_E_ARGUMENTS);
	guest_call(&guest, "add", args, 2, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest.outcome.result.i64, 3);
	guest_refuses(&guest, "add", wrong, 2, NUB_E_ARGUMENTS);
	guest_call(&guest, "sub", args, 2, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest.outcome.result.i64, -1);
	guest_close(&guest);
}

/* A request that the input ring can't hold is the caller's mistake: the guest lives on (R9). */
static void requests_that_do_not_fit(void **state)
{
	static char text[NUB_DEFAULT_RING_SIZE];
	struct guest guest;
	struct nub_value value;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	value = string_value(text);
	guest_open(&guest, "echo.elf");
	guest_refuses(&guest, "echo_string", &value, 1, NUB_E_RING_FULL);
	value = string_value("fits");
	guest_call(&guest, "echo_string", &value, 1, NUB_OUTCOME_RETURNED);
	value = string_value(text);
	guest_refuses(&guest, "echo_string", &value, 1, NUB_E_RING_FULL);
	guest_call(&guest, "count", NULL, 0, NUB_OUTCOME_RETURNED);
	guest_close(&guest);
}

static void errors_of_the_guests_own(void **state)
{
	const struct nub_value args[] = { i64_value(7), i64_value(0) };
	struct guest guest;

	(void)state;
	guest_open(&guest, "calc.elf");
	guest_call(&guest, "div", args, 2, NUB_OUTCOME_FAILED);
	assert_int_equal(guest.outcome.exit_code, 1);
	assert_string_equal(guest.outcome.message, "division of 7 by zero");
	/* It failed; the guest did not. */
	guest_call(&guest, "div", (struct nub_value[]){ args[0], args[0] }, 2, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest.outcome.result.i64, 1);
	guest_close(&guest);
}

static void expect_refused_for_good(struct guest *guest, enum nub_error_kind kind)
{
	const char *const argv[] = { "guest", NULL };
	struct nub_error err = { 0 };

	guest_refuses(guest, "echo_void", NULL, 0, kind);
	assert_int_equal(nub_sandbox_run_main(guest->sandbox, 1, argv, &guest->outcome, &err), -1);
	assert_int_equal(err.kind, kind);
	assert_int_equal(nub_sandbox_initialise(guest->sandbox, &guest->outcome, &err), -1);
	assert_int_equal(err.kind, kind);
}

static void nothing_runs_after_the_end(void **state)
{
	struct guest guest;

	(void)state;
	guest_open(&guest, "echo.elf");
	guest_main(&guest, NULL, NUB_OUTCOME_EXITED);
	expect_refused_for_good(&guest, NUB_E_STATE);
	guest_close(&guest);
}

static uint64_t read_u64(struct guest *guest, uint64_t gva)
{
	uint64_t value = 0;

	assert_int_equal(nub_sandbox_read(guest->sandbox, gva, &value, sizeof(value), &guest->err), 0);
	return value;
}

static void expect_empty_rings(struct guest *guest)
{
	struct nub_memory_info info;

	nub_sandbox_memory_info(guest->sandbox, &info);
	const uint64_t input = NUB_SCRATCH_TOP_GVA + 1 - info.scratch_size;
	assert_int_equal(read_u64(guest, input), NUB_RING_START);
	assert_int_equal(read_u64(guest, input + guest->config.input_size), NUB_RING_START);
}

/* R36: whatever the crash left in the rings is gone, and nothing runs any more. */
static void a_crash_poisons(void **state)
{
	static const char *const ways[] = { "sp-huge", "sp-zero", "back-inside" };
	struct guest guest;

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const struct nub_value way = string_value(ways[i]);

		guest_open(&guest, "corrupt-ring.elf");
		guest_call(&guest, "corrupt_call", &way, 1, NUB_OUTCOME_CRASHED);
		assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_ABI);
		expect_empty_rings(&guest);
		guest_refuses(&guest, "corrupt_call", &way, 1, NUB_E_POISONED);
		guest_close(&guest);
	}
	/* A result of another type than the function's is seen after the run. */
	const struct nub_value other_type = string_value("reply-other-type");
	guest_open(&guest, "bad-value.elf");
	guest_call(&guest, "send", &other_type, 1, NUB_OUTCOME_CRASHED);
	assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_ABI);
	guest_refuses(&guest, "send", &other_type, 1, NUB_E_POISONED);
	guest_close(&guest);
	guest_open(&guest, "crash.elf");
	guest_main(&guest, "ud2", NUB_OUTCOME_CRASHED);
	expect_empty_rings(&guest);
	guest_refuses(&guest, "crash_call", (struct nub_value[]){ string_value("ud2") }, 1, NUB_E_POISONED);
	guest_close(&guest);
}

/* What a call left for the next one is the guest's doing, not the caller's. */
static void the_next_request_finds_a_corrupt_ring(void **state)
{
	static const uint64_t stack_pointers[] = { 0, 7, UINT64_MAX };
	struct guest guest;

	(void)state;
	for (size_t i = 0; i < sizeof(stack_pointers) / sizeof(stack_pointers[0]); i++) {
		const struct nub_value arg = { .type = NUB_TYPE_U64, .u64 = stack_pointers[i] };

		guest_open(&guest, "corrupt-ring.elf");
		guest_call(&guest, "corrupt_input", &arg, 1, NUB_OUTCOME_RETURNED);
		guest_call(&guest, "corrupt_input", &arg, 1, NUB_OUTCOME_CRASHED);
		assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_ABI);
		assert_non_null(strstr(guest.outcome.crash.abort_message, "input ring: the ring's stack pointer is"));
		expect_empty_rings(&guest);
		guest_refuses(&guest, "corrupt_input", &arg, 1, NUB_E_POISONED);
		guest_close(&guest);
	}
}

/* R36: time is up before the guest takes its request, which must not stay on the input ring. */
static void a_timeout_poisons(void **state)
{
	struct guest guest;

	(void)state;
	guest_load(&guest, "echo.elf");
	guest.config.timeout_ns = 1;
	guest_create(&guest);
	guest_call(&guest, "echo_void", NULL, 0, NUB_OUTCOME_TIMED_OUT);
	expect_empty_rings(&guest);
	expect_refused_for_good(&guest, NUB_E_POISONED);
	guest_close(&guest);
}

/* A guest can be entered while others stand half way; each has its own memory and registers. */
static void many_sandboxes_at_once(void **state)
{
	enum { COUNT = 12 };
	static struct guest guests[COUNT];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		guest_open(&guests[i], i % 2 ? "echo.elf" : "echo.pie.elf");
	for (unsigned round = 0; round < COUNT; round++)
		for (unsigned i = round; i < COUNT; i++)
			guest_call(&guests[i], "echo_void", NULL, 0, NUB_OUTCOME_RETURNED);
	for (unsigned i = 0; i < COUNT; i++) {
		guest_call(&guests[i], "count", NULL, 0, NUB_OUTCOME_RETURNED);
		assert_int_equal(guests[i].outcome.result.u32, i + 1);
	}
	/* Out of order. */
	for (unsigned i = 0; i < COUNT; i += 2)
		guest_close(&guests[i]);
	guest_call(&guests[1], "count", NULL, 0, NUB_OUTCOME_RETURNED);
	for (unsigned i = 1; i < COUNT; i += 2)
		guest_close(&guests[i]);
}

/* What a thread does: NULL, or what went wrong. cmocka's checks belong to the main thread. */
struct worker {
	pthread_t thread;
	struct guest *calc, *spin; /* images to run */
	int64_t number;
	const char *wrong;
};

static const char *calls_and_timeout(const struct worker *worker)
{
	const struct nub_value args[] = { i64_value(worker->number), i64_value(1000) };
	struct nub_config config = nub_config_default();
	struct nub_error err = { 0 };
	struct nub_outcome outcome;
	const char *wrong = NULL;

	config.timeout_ns = slow(10000 * MS);
	struct nub_sandbox *sandbox = nub_sandbox_create(&config, worker->calc->image, &err);
	if (!sandbox)
		return "no sandbox for calls";
	for (int i = 0; i < 50 && !wrong; i++)
		if (nub_sandbox_call(sandbox, "mul", args, 2, &outcome, &err) < 0 ||
		    outcome.kind != NUB_OUTCOME_RETURNED || outcome.result.i64 != worker->number * 1000)
			wrong = "a call went wrong";
	nub_sandbox_free(sandbox);
	config.timeout_ns = 20 * MS;
	sandbox = nub_sandbox_create(&config, worker->spin->image, &err);
	if (!sandbox)
		return "no sandbox for the timeout";
	const char *const argv[] = { "spin", NULL };
	if (!wrong &&
	    (nub_sandbox_run_main(sandbox, 1, argv, &outcome, &err) < 0 || outcome.kind != NUB_OUTCOME_TIMED_OUT))
		wrong = "no timeout";
	nub_sandbox_free(sandbox);
	return wrong;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (int round = 0; round < 4 && !worker->wrong; round++)
		worker->wrong = calls_and_timeout(worker);
	return NULL;
}

/* Two threads, each with sandboxes of its own; images may be shared. */
static void sandboxes_in_two_threads(void **state)
{
	struct worker workers[2] = { { .number = 12345 }, { .number = -777 } };
	struct guest calc, spin;

	(void)state;
	guest_load(&calc, "calc.elf");
	guest_load(&spin, "spin.elf");
	for (int i = 0; i < 2; i++) {
		workers[i].calc = &calc;
		workers[i].spin = &spin;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	for (int i = 0; i < 2; i++)
		if (workers[i].wrong)
			fail_msg("thread %d: %s", i, workers[i].wrong);
	guest_close(&calc);
	guest_close(&spin);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(creating_and_freeing),
		KVM_TEST(refused_configurations),
		KVM_TEST(a_program_runs_to_its_end),
		KVM_TEST(initialising_then_calling),
		KVM_TEST(calling_a_fresh_sandbox),
		KVM_TEST(every_type_of_argument),
		KVM_TEST(wrong_calls),
		KVM_TEST(requests_that_do_not_fit),
		KVM_TEST(errors_of_the_guests_own),
		KVM_TEST(nothing_runs_after_the_end),
		KVM_TEST(a_crash_poisons),
		KVM_TEST(the_next_request_finds_a_corrupt_ring),
		KVM_TEST(a_timeout_poisons),
		KVM_TEST(many_sandboxes_at_once),
		KVM_TEST(sandboxes_in_two_threads),
	};

	return run_kvm_tests("sandbox", tests);
}
