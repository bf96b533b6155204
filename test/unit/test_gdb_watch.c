/* Watchpoints for writing, packet by packet, on real KVM: by debug registers where the host has them, by steps elsewhere. */
#include "gdb_client.h"

#include "gdb/gdb_points.h"

enum { RIP = 16, RFLAGS = 17, FLAG_TF = 0x100 };

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

static const char *watch(struct debugged *d, char how, uint64_t gva, uint64_t size)
{
	char packet[60];

	snprintf(packet, sizeof(packet), "%c2,%" PRIx64 ",%" PRIx64, how, gva, size);
	return ask(d, packet);
}

static void expect_watch(struct debugged *d, const char *packet, uint64_t gva)
{
	char reason[40];
	const char *reply = ask(d, packet);

	snprintf(reason, sizeof(reason), "watch:%" PRIx64 ";", gva);
	if (strncmp(reply, "T05", 3) != 0 || !strstr(reply, reason))
		fail_msg("%s: got %.80s, without %s", packet, reply, reason);
	assert_int_equal(ask_register(d, RFLAGS) & FLAG_TF, 0);
}

static uint64_t ask_number(struct debugged *d, uint64_t gva)
{
	struct nub_gdb_text text;
	uint64_t value = 0;
	char packet[40];

	snprintf(packet, sizeof(packet), "m%" PRIx64 ",4", gva);
	const char *reply = ask(d, packet);
	text = (struct nub_gdb_text){ (const uint8_t *)reply, (const uint8_t *)reply + strlen(reply) };
	assert_true(nub_gdb_take_bytes(&text, (uint8_t *)&value, 4));
	return value;
}

/* It stops behind each write; breakpoints, steps and ranges of steps are what they are without it. */
static void writes_stop(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct debugged d;
		char range[60];

		debug_open(&d, "debug.elf", policies[i]);
		debug_start(&d);
		const uint64_t calls = address_of(&d, "calls"), watched = address_of(&d, "watched");
		const uint64_t square = address_of(&d, "square");
		assert_string_equal(watch(&d, 'Z', calls, 4), "OK");
		assert_string_equal(watch(&d, 'Z', watched, 4), "OK");
		expect_watch(&d, "c", calls);
		assert_int_equal(ask_number(&d, calls), 1);
		set_breakpoint(&d, square);
		assert_null(strstr(ask(&d, "c"), "watch"));
		assert_int_equal(ask_register(&d, RIP), square);
		clear_breakpoint(&d, square);
		snprintf(range, sizeof(range), "vCont;r%" PRIx64 ",%" PRIx64 ":1", square, square + 0x40);
		expect_watch(&d, range, calls);
		/* What the client writes is no write of the guest's. */
		snprintf(range, sizeof(range), "M%" PRIx64 ",4:09000000", calls);
		expect(&d, range, "OK");
		assert_null(strstr(ask(&d, "s"), "watch"));
		assert_string_equal(watch(&d, 'z', calls, 4), "OK");
		expect_watch(&d, "c", watched);
		assert_int_equal(ask_number(&d, watched), 1);
		assert_string_equal(watch(&d, 'z', watched, 4), "OK");
		expect(&d, "c", "W07");
		debug_join(&d);
		assert_int_equal(d.guest.outcome.exit_code, 7);
		assert_string_equal(d.guest.text, "sum 55, calls 12, secret 42, vector 8\n");
		debug_close(&d);
	}
}

static int answer(void *context, const char *name, const struct nub_value *args, unsigned arg_count,
                  enum nub_type result_type, struct nub_value *result, struct nub_error *err)
{
	(void)context;
	(void)name;
	(void)args;
	(void)arg_count;
	(void)result_type;
	(void)err;
	*result = string_value("hello");
	return 0;
}

/* What the host writes into a ring, in the middle of a step over `out`, is seen right there. By debug registers it can't
 * be. */
static void the_hosts_writes_stop(void **state)
{
	struct nub_memory_info info;
	bool behind_out = false;
	struct debugged d;
	unsigned stops = 0;

	(void)state;
	debug_open(&d, "callback.elf", NUB_COW_HOST);
	nub_sandbox_free(d.guest.sandbox);
	d.guest.config.ops.call = answer;
	guest_create(&d.guest);
	nub_sandbox_memory_info(d.guest.sandbox, &info);
	debug_start(&d);
	if (strcmp(ask(&d, "Z4,1,1"), "") != 0) {
		expect(&d, "D", "OK");
		debug_join(&d);
		debug_close(&d);
		return;
	}
	/* The input ring's stack pointer. */
	assert_string_equal(watch(&d, 'Z', NUB_SCRATCH_TOP_GVA + 1 - info.scratch_size, 8), "OK");
	while (strncmp(ask(&d, "c"), "T05", 3) == 0) {
		char packet[40];
		snprintf(packet, sizeof(packet), "m%" PRIx64 ",2", ask_register(&d, RIP) - 2);
		const char *code = ask(&d, packet);
		behind_out |= strncmp(code, "e6", 2) == 0 || strcmp(code + 2, "ee") == 0 ||
		              strcmp(code + 2, "ef") == 0 || strncmp(code, "e7", 2) == 0;
		stops++;
	}
	debug_join(&d);
	assert_true(stops >= 2);
	assert_true(behind_out);
	assert_string_equal(d.guest.text, "hello\n");
	debug_close(&d);
}

/* Ctrl-C and time-outs come through, and TF does not stay with the guest. */
static void a_guest_that_writes_nothing(void **state)
{
	struct debugged d;

	(void)state;
	debug_open(&d, "spin.elf", NUB_COW_HOST);
	d.guest.config.timeout_ns = slow(300 * MS);
	nub_sandbox_free(d.guest.sandbox);
	guest_create(&d.guest);
	debug_start(&d);
	const uint64_t rsp = ask_register(&d, 7);
	assert_string_equal(watch(&d, 'Z', rsp - 4096, 8), "OK");
	send_packet(&d, "c");
	usleep(50000);
	send_bytes(&d, "\3", 1);
	if (strncmp(receive(&d), "T02", 3) != 0)
		fail_msg("got %.80s", (const char *)d.decoder.data);
	assert_int_equal(ask_register(&d, RFLAGS) & FLAG_TF, 0);
	expect(&d, "c", "W7c");
	debug_join(&d);
	assert_int_equal(d.guest.outcome.kind, NUB_OUTCOME_TIMED_OUT);
	debug_close(&d);
}

/* A client that goes away takes its watchpoints along. */
static void a_client_that_leaves(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct debugged d;

		debug_open(&d, "debug.elf", policies[i]);
		debug_start(&d);
		assert_string_equal(watch(&d, 'Z', address_of(&d, "calls"), 4), "OK");
		expect(&d, "c", "T05");
		if (i == 0)
			expect(&d, "D", "OK");
		else
			hang_up(&d);
		debug_join(&d);
		assert_int_equal(d.guest.outcome.exit_code, 7);
		debug_close(&d);
	}
}

/* As many as there may be, by steps: sizes, addresses, one too many. */
static void there_is_a_limit(void **state)
{
	struct debugged d;

	(void)state;
	debug_open(&d, "debug.elf", NUB_COW_HOST);
	debug_start(&d);
	const uint64_t base = nub_image_info(d.guest.image)->image_base;
	assert_string_equal(watch(&d, 'Z', base, 0), "E16");
	assert_string_equal(watch(&d, 'Z', base, NUB_GDB_MAX_WATCHED + 1), "E16");
	assert_string_equal(watch(&d, 'Z', base, UINT64_MAX), "E16");
	assert_string_equal(watch(&d, 'Z', 0, 4), "E16");
	assert_string_equal(watch(&d, 'Z', UINT64_C(1) << 63, 4), "E16");
	if (strcmp(ask(&d, "Z4,1,1"), "") == 0) {
		/* Up to where nothing is mapped, and over the end of the address space. */
		assert_string_equal(watch(&d, 'Z', UINT64_C(0xffffffffffffeff0), NUB_GDB_MAX_WATCHED), "E16");
		for (unsigned i = 0; i < NUB_GDB_MAX_WATCHES; i++)
			assert_string_equal(watch(&d, 'Z', base + 3 * i, i == 0 ? NUB_GDB_MAX_WATCHED : 3), "OK");
		assert_string_equal(watch(&d, 'Z', base, NUB_GDB_MAX_WATCHED), "OK");
		assert_string_equal(watch(&d, 'Z', base, 5), "E16");
		assert_string_equal(watch(&d, 'z', base + 3, 3), "OK");
		assert_string_equal(watch(&d, 'z', base + 3, 3), "OK");
		assert_string_equal(watch(&d, 'Z', base, 5), "OK");
	}
	expect(&d, "D", "OK");
	debug_join(&d);
	assert_int_equal(d.guest.outcome.exit_code, 7);
	debug_close(&d);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(writes_stop),          KVM_TEST(the_hosts_writes_stop), KVM_TEST(a_guest_that_writes_nothing),
		KVM_TEST(a_client_that_leaves), KVM_TEST(there_is_a_limit),
	};

	return run_kvm_tests("gdb_watch", tests);
}
