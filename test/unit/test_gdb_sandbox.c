/* Debugging guests on real KVM, packet by packet: what gdb itself does not show (test/cli/gdb.bats has gdb). */
#include "gdb_client.h"

#include <fcntl.h>
#include <time.h>

#include "engine/kvm/quirks.h"

enum { RIP = 16, RFLAGS = 17 };

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };
static const char *const debug_guests[] = { "debug.elf", "debug.pie.elf" };

static void ended_with(struct debugged *debugged, int code)
{
	debug_join(debugged);
	assert_int_equal(debugged->result, 0);
	assert_int_equal(debugged->guest.outcome.kind, NUB_OUTCOME_EXITED);
	assert_int_equal(debugged->guest.outcome.exit_code, code);
}

static void breakpoints_show_original_bytes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct debugged d;
		char read[40], before[80];

		debug_open(&d, debug_guests[i % 2], policies[i / 2]);
		debug_start(&d);
		const uint64_t square = address_of(&d, "square");
		snprintf(read, sizeof(read), "m%" PRIx64 ",10", square);
		snprintf(before, sizeof(before), "%.40s", ask(&d, read));
		assert_int_equal(ask_register(&d, RIP), nub_image_info(d.guest.image)->entry);
		set_breakpoint(&d, square);
		for (int hit = 0; hit < 5; hit++) {
			expect(&d, "c", "T05");
			assert_int_equal(ask_register(&d, RIP), square);
			assert_string_equal(ask(&d, read), before);
			/* Over it, as gdb does. */
			clear_breakpoint(&d, square);
			expect(&d, "s", "T05");
			set_breakpoint(&d, square);
		}
		expect(&d, "c", "W07");
		ended_with(&d, 7);
		assert_string_equal(d.guest.text, "sum 55, calls 5, secret 42, vector 8\n");
		debug_close(&d);
	}
}

/* Every instruction from the entry to the end, faults of copy on write and `out`s among them. */
static void every_instruction_can_be_stepped(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct debugged d;
		unsigned steps = 0;

		debug_open(&d, "debug.elf", policies[i]);
		debug_start(&d);
		while (strncmp(ask(&d, "vCont;s:1"), "T05", 3) == 0)
			steps++;
		assert_string_equal((const char *)d.decoder.data, "W07");
		assert_in_range(steps, 1000, 100000);
		ended_with(&d, 7);
		assert_string_equal(d.guest.text, "sum 55, calls 5, secret 42, vector 8\n");
		debug_close(&d);
	}
}

static void a_range_is_stepped_at_once(void **state)
{
	struct debugged d;
	char packet[60];

	(void)state;
	debug_open(&d, "debug.elf", NUB_COW_HOST);
	debug_start(&d);
	const uint64_t sum = address_of(&d, "sum_of_squares"), square = address_of(&d, "square");
	set_breakpoint(&d, sum);
	expect(&d, "c", "T05");
	clear_breakpoint(&d, sum);
	snprintf(packet, sizeof(packet), "vCont;r%" PRIx64 ",%" PRIx64 ":1", sum, sum + 0x100);
	expect(&d, packet, "T05");
	assert_int_equal(ask_register(&d, RIP), square);
	/* A breakpoint in the middle of a range is one. */
	snprintf(packet, sizeof(packet), "vCont;r0,%" PRIx64 ":1", (uint64_t)INT64_MAX);
	set_breakpoint(&d, sum);
	set_breakpoint(&d, address_of(&d, "main"));
	set_breakpoint(&d, address_of(&d, "fill_vector"));
	expect(&d, packet, "T05");
	assert_int_equal(ask_register(&d, RIP), address_of(&d, "fill_vector"));
	expect(&d, "D", "OK");
	ended_with(&d, 7);
	debug_close(&d);
}

static void memory_can_be_written_where_the_guest_cannot(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct debugged d;
		char packet[60];

		debug_open(&d, "debug.elf", policies[i]);
		debug_start(&d);
		/* secret = 7, before the guest has a copy of its page */
		snprintf(packet, sizeof(packet), "M%" PRIx64 ",4:07000000", address_of(&d, "secret"));
		expect(&d, packet, "OK");
		/* square: mov $2, %eax; ret */
		snprintf(packet, sizeof(packet), "M%" PRIx64 ",6:b802000000c3", address_of(&d, "square"));
		expect(&d, packet, "OK");
		expect(&d, "M1000,1:00", "E0e");
		expect(&d, "Z0,0,1", "E0e");
		/* The monitor's page is the supervisor's. */
		snprintf(packet, sizeof(packet), "Z0,%" PRIx64 ",1",
		         (uint64_t)(NUB_SCRATCH_TOP_GVA + 1 - 8 * NUB_PAGE_SIZE));
		expect(&d, packet, "E0e");
		expect(&d, "c", "W07");
		ended_with(&d, 7);
		assert_string_equal(d.guest.text, "sum 10, calls 0, secret 7, vector 8\n");
		debug_close(&d);
	}
}

static void a_running_guest_is_interrupted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct debugged d;

		debug_open(&d, "spin.elf", policies[i]);
		debug_start(&d);
		send_packet(&d, "c");
		send_bytes(&d, "\3", 1);
		assert_memory_equal(receive(&d), "T02", 3);
		/* While it steps, too. */
		for (int turn = 0; turn < 20; turn++) {
			send_packet(&d, "vCont;r0,7fffffffffffffff:1");
			usleep(1000);
			send_bytes(&d, "\3", 1);
			assert_memory_equal(receive(&d), "T02", 3);
			assert_int_equal(ask_register(&d, 17) & 0x100, 0);
		}
		expect(&d, "s", "T05");
		send_packet(&d, "k");
		debug_join(&d);
		assert_int_equal(d.result, -1);
		assert_string_equal(nub_error_name(d.err.kind), "debugger");
		debug_close(&d);
	}
}

/* A crash is shown, can't be changed, and is told as without a debugger; also when it was stepped into. */
static void a_crash_is_the_same_crash(void **state)
{
	static const char *const ways[] = { "null", "div0", "ud2", "int3", "gp", "bad-port", "exit-port", "abort" };
	static const char *const signals[] = { "0b", "08", "04", "05", "0b", "04", "04", "06" };

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(ways) / sizeof(ways[0]); i++) {
		const char *way = ways[i / 2], *signal = signals[i / 2];
		struct debugged plain, d;
		char stop[4] = "T", end[4] = "X";

		debug_open(&plain, "crash.elf", NUB_COW_HOST);
		plain.argument = way;
		assert_int_equal(run_main(&plain), 0);
		debug_open(&d, "crash.elf", NUB_COW_HOST);
		d.argument = way;
		debug_start(&d);
		strcat(stop, signal);
		strcat(end, signal);
		if (i % 2)
			expect(&d, "vCont;r0,7fffffffffffffff:1", stop);
		else
			expect(&d, "c", stop);
		assert_int_equal(ask_register(&d, RIP), plain.guest.outcome.crash.regs.rip);
		expect(&d, "P0=0000000000000000", "E01");
		expect(&d, "s", end);
		debug_join(&d);
		assert_int_equal(d.guest.outcome.kind, NUB_OUTCOME_CRASHED);
		assert_int_equal(d.guest.outcome.crash.kind, plain.guest.outcome.crash.kind);
		assert_int_equal(d.guest.outcome.crash.vector, plain.guest.outcome.crash.vector);
		assert_int_equal(d.guest.outcome.crash.regs.rip, plain.guest.outcome.crash.regs.rip);
		assert_int_equal(d.guest.outcome.crash.regs.rflags, plain.guest.outcome.crash.regs.rflags);
		guest_close(&plain.guest);
		debug_close(&d);
	}
}

/* Whatever a client does that goes away, the guest comes to its own end. */
static void a_guest_outlives_its_client(void **state)
{
	static const char *const last_words[] = { "",      "$m1000",      "$m1000,4#",         "\3",
		                                  "$c#63", "$vCont;s#b8", "GET / HTTP/1.1\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(last_words) / sizeof(last_words[0]); i++) {
		struct debugged d;

		debug_open(&d, "debug.elf", NUB_COW_HOST);
		debug_start(&d);
		set_breakpoint(&d, address_of(&d, "square"));
		send_bytes(&d, last_words[i], strlen(last_words[i]));
		hang_up(&d);
		ended_with(&d, 7);
		assert_string_equal(d.guest.text, "sum 55, calls 5, secret 42, vector 8\n");
		debug_close(&d);
	}
}

/* Also when it never stops talking. */
static void a_flood_is_cut_off(void **state)
{
	static char flood[1 << 16];
	struct debugged d;

	(void)state;
	memset(flood, 'x', sizeof(flood));
	debug_open(&d, "debug.elf", NUB_COW_HOST);
	debug_start(&d);
	send(d.client, flood, sizeof(flood), MSG_NOSIGNAL);
	ended_with(&d, 7);
	debug_close(&d);
}

/* Ask for so much that no socket holds the answers. */
static void ask_without_reading(struct debugged *debugged)
{
	char packet[40];

	snprintf(packet, sizeof(packet), "m%" PRIx64 ",2000", address_of(debugged, "main") & ~UINT64_C(0xfff));
	for (int i = 0; i < 100; i++)
		send_packet(debugged, packet);
}

/* Nor does one hold it up that never reads; and it can be ended meanwhile. */
static void who_does_not_read_is_left(void **state)
{
	struct timespec before, after;
	struct debugged d;

	(void)state;
	debug_open(&d, "debug.elf", NUB_COW_HOST);
	debug_start(&d);
	ask_without_reading(&d);
	ended_with(&d, 7);
	debug_close(&d);

	debug_open(&d, "spin.elf", NUB_COW_HOST);
	debug_start(&d);
	ask_without_reading(&d);
	usleep((useconds_t)slow(200000));
	clock_gettime(CLOCK_MONOTONIC, &before);
	nub_sandbox_stop(d.guest.sandbox);
	debug_join(&d);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_int_equal(d.guest.outcome.kind, NUB_OUTCOME_INTERRUPTED);
	assert_true(after.tv_sec - before.tv_sec < (time_t)slow(2));
	debug_close(&d);
}

static void time_stands_still_while_stopped(void **state)
{
	struct debugged d;

	(void)state;
	debug_open(&d, "debug.elf", NUB_COW_HOST);
	d.guest.config.timeout_ns = slow(100 * MS);
	nub_sandbox_free(d.guest.sandbox);
	guest_create(&d.guest);
	debug_start(&d);
	set_breakpoint(&d, address_of(&d, "main"));
	usleep((useconds_t)slow(150000));
	expect(&d, "c", "T05");
	usleep((useconds_t)slow(150000));
	clear_breakpoint(&d, address_of(&d, "main"));
	expect(&d, "c", "W07");
	ended_with(&d, 7);
	debug_close(&d);

	/* And goes on afterwards. */
	debug_open(&d, "spin.elf", NUB_COW_HOST);
	d.guest.config.timeout_ns = slow(100 * MS);
	nub_sandbox_free(d.guest.sandbox);
	guest_create(&d.guest);
	debug_start(&d);
	usleep((useconds_t)slow(150000));
	expect(&d, "c", "W7c");
	debug_join(&d);
	assert_int_equal(d.guest.outcome.kind, NUB_OUTCOME_TIMED_OUT);
	debug_close(&d);
}

static int call_add(struct debugged *debugged)
{
	const struct nub_value args[] = { i64_value(2), i64_value(40) };

	return nub_sandbox_call(debugged->guest.sandbox, "add", args, 2, &debugged->guest.outcome, &debugged->err);
}

static int call_twice(struct debugged *debugged)
{
	return call_add(debugged) < 0 ? -1 : call_add(debugged);
}

/* To the client, calls into the same sandbox are one run; it ends with the sandbox. */
static void breakpoints_stay_from_call_to_call(void **state)
{
	struct debugged d;

	(void)state;
	debug_open(&d, "calc.elf", NUB_COW_HOST);
	d.run = call_twice;
	debug_start(&d);
	const uint64_t add = address_of(&d, "nub_wrapper_add");
	set_breakpoint(&d, add);
	for (int i = 0; i < 2; i++) {
		expect(&d, "c", "T05");
		assert_int_equal(ask_register(&d, RIP), add);
		clear_breakpoint(&d, add);
		expect(&d, "s", "T05");
		set_breakpoint(&d, add);
	}
	send_packet(&d, "c");
	debug_join(&d);
	assert_int_equal(d.guest.outcome.kind, NUB_OUTCOME_RETURNED);
	assert_int_equal(d.guest.outcome.result.i64, 42);
	nub_sandbox_free(d.guest.sandbox);
	d.guest.sandbox = NULL;
	assert_string_equal(receive(&d), "W00");
	debug_close(&d);
}

/* Open what `monitor snapshot` has saved, go on there, and give its output. */
static void resume_saved(const char *path, struct guest *guest)
{
	struct nub_error err = { 0 };
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	struct nub_snapshot *snapshot = nub_snapshot_open(fd, path, NULL, &err);
	if (!snapshot)
		fail_msg("%s", err.message);
	assert_string_equal(nub_snapshot_info(snapshot)->next, "resume");
	memset(guest, 0, sizeof(*guest));
	guest->config = nub_config_default();
	guest->config.ops.context = guest;
	guest->config.ops.output = keep_output;
	struct nub_sandbox *sandbox = nub_sandbox_restore(&guest->config, snapshot, &err);
	if (!sandbox || nub_sandbox_resume(sandbox, &guest->outcome, &err) < 0)
		fail_msg("%s", err.message);
	nub_sandbox_free(sandbox);
	nub_snapshot_free(snapshot);
	close(fd);
}

/* R31: it goes on at that instruction with all registers as they were, rax too, and without int3s (R23). */
static void a_snapshot_can_be_taken_anywhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char path[] = "/tmp/nub-gdb-XXXXXX", command[64], packet[160] = "qRcmd,";
		struct debugged d;
		struct guest restored;

		debug_open(&d, "debug.elf", policies[i]);
		debug_start(&d);
		const uint64_t square = address_of(&d, "square");
		close(mkstemp(path));
		snprintf(command, sizeof(command), "snapshot %s", path);
		for (size_t j = 0; j < strlen(command); j++)
			snprintf(packet + strlen(packet), 3, "%02x", command[j]);
		/* At the entry, the arguments are still to be read. */
		expect(&d, packet, "74686520677565737420686173206e6f74");
		set_breakpoint(&d, square);
		expect(&d, "c", "T05");
		clear_breakpoint(&d, square);
		for (int steps = 0; steps < 7; steps++)
			expect(&d, "s", "T05");
		set_breakpoint(&d, square);
		expect(&d, packet, "73617665643b");
		resume_saved(path, &restored);
		assert_int_equal(restored.outcome.kind, NUB_OUTCOME_EXITED);
		assert_int_equal(restored.outcome.exit_code, 7);
		assert_string_equal(restored.text, "sum 55, calls 5, secret 42, vector 8\n");
		expect(&d, "D", "OK");
		ended_with(&d, 7);
		assert_string_equal(d.guest.text, restored.text);
		unlink(path);
		debug_close(&d);
	}
}

/* Who may not write files has none written, whatever path it says. */
static void a_snapshot_can_be_forbidden(void **state)
{
	/* snapshot /tmp/nub-gdb-forbidden */
	static const char packet[] = "qRcmd,736e617073686f74202f746d702f6e75622d6764622d666f7262696464656e";
	struct debugged d;

	(void)state;
	unlink("/tmp/nub-gdb-forbidden");
	debug_open(&d, "debug.elf", NUB_COW_HOST);
	d.saves_nothing = true;
	debug_start(&d);
	set_breakpoint(&d, address_of(&d, "square"));
	expect(&d, "c", "T05");
	/* "who comes" */
	expect(&d, packet, "77686f20636f6d6573");
	assert_int_equal(access("/tmp/nub-gdb-forbidden", F_OK), -1);
	expect(&d, "D", "OK");
	ended_with(&d, 7);
	debug_close(&d);
}

/* A guest at CPL 0 without an interrupt table of its own. */
static void a_kernel_is_debugged_too(void **state)
{
	struct debugged d, plain;

	(void)state;
	debug_open(&plain, "two-spaces.elf", NUB_COW_HOST);
	assert_int_equal(run_main(&plain), 0);
	assert_int_equal(plain.guest.outcome.kind, NUB_OUTCOME_EXITED);
	debug_open(&d, "two-spaces.elf", NUB_COW_HOST);
	debug_start(&d);
	const uint64_t entry = address_of(&d, "two_spaces");
	set_breakpoint(&d, entry);
	expect(&d, "c", "T05");
	assert_int_equal(ask_register(&d, RIP), entry);
	assert_memory_equal(ask(&d, "p12"), "08000000", 8);
	clear_breakpoint(&d, entry);
	for (int i = 0; i < 50; i++)
		expect(&d, "s", "T05");
	expect(&d, "c", "W");
	ended_with(&d, plain.guest.outcome.exit_code);
	assert_string_equal(d.guest.text, plain.guest.text);
	guest_close(&plain.guest);
	debug_close(&d);
}

static int run_initialise(struct debugged *d)
{
	return nub_sandbox_initialise(d->guest.sandbox, &d->guest.outcome, &d->err);
}

/* Off its checkpoint, rdi and rsi of a guest at CPL 0 are its own, and name no page-table roots (R25). */
static void a_snapshot_of_a_kernel_can_be_taken_anywhere(void **state)
{
	char path[] = "/tmp/nub-gdb-XXXXXX", command[64], packet[160] = "qRcmd,";
	struct debugged d;
	struct guest restored;

	(void)state;
	close(mkstemp(path));
	snprintf(command, sizeof(command), "snapshot %s", path);
	for (size_t j = 0; j < strlen(command); j++)
		snprintf(packet + strlen(packet), 3, "%02x", command[j]);
	debug_open(&d, "two-spaces.elf", NUB_COW_HOST);
	/* Without a request: it takes none, and what waits in a ring can't be saved. */
	d.run = run_initialise;
	debug_start(&d);
	set_breakpoint(&d, address_of(&d, "two_spaces"));
	expect(&d, "c", "T05");
	clear_breakpoint(&d, address_of(&d, "two_spaces"));
	expect(&d, packet, "73617665643b");
	resume_saved(path, &restored);
	assert_int_equal(restored.outcome.kind, NUB_OUTCOME_EXITED);
	expect(&d, "D", "OK");
	ended_with(&d, restored.outcome.exit_code);
	assert_string_equal(d.guest.text, restored.text);
	unlink(path);
	debug_close(&d);
}

static const char *ask_about(struct debugged *d, const char *command, const char *symbol, unsigned size)
{
	char packet[40];

	snprintf(packet, sizeof(packet), "%s,%" PRIx64 ",%x", command, address_of(d, symbol), size);
	return ask(d, packet);
}

static const char *ask_read(struct debugged *d, const char *symbol)
{
	char packet[40];

	snprintf(packet, sizeof(packet), "m%" PRIx64 ",4", address_of(d, symbol));
	return ask(d, packet);
}

/* They stop at the instruction, and right behind the one that wrote or read. */
static void stop_by_hardware(struct debugged *d)
{
	char watch[40], awatch[40];

	snprintf(watch, sizeof(watch), "watch:%" PRIx64 ";", address_of(d, "watched"));
	snprintf(awatch, sizeof(awatch), "awatch:%" PRIx64 ";", address_of(d, "secret"));
	assert_string_equal(ask_about(d, "Z2", "watched", 4), "OK");
	assert_string_equal(ask_about(d, "Z4", "secret", 4), "OK");
	assert_non_null(strstr(ask(d, "c"), "hwbreak:;"));
	assert_int_equal(ask_register(d, RIP), address_of(d, "square"));
	assert_string_equal(ask_about(d, "z1", "square", 1), "OK");
	for (int i = 0; i < 10; i++)
		expect(d, "vCont;s:1", "T05");
	for (unsigned value = 1; value <= 2; value++) {
		char bytes[16];
		assert_non_null(strstr(ask(d, "c"), watch));
		snprintf(bytes, sizeof(bytes), "%02x000000", value);
		assert_string_equal(ask_read(d, "watched"), bytes);
	}
	assert_non_null(strstr(ask(d, "c"), awatch));
	assert_string_equal(ask_about(d, "z4", "secret", 4), "OK");
	assert_string_equal(ask_about(d, "z2", "watched", 4), "OK");
}

/* Where the host's KVM does as debug registers say; elsewhere gdb is told, also the second time, that there are none. */
static void hardware_breakpoints_are_those_of_the_host(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct debugged d;

		debug_open(&d, debug_guests[i % 2], policies[i / 2]);
		debug_start(&d);
		expect(&d, "qSupported:swbreak+;hwbreak+", "PacketSize");
		if (strcmp(ask_about(&d, "Z1", "square", 1), "OK") == 0) {
			stop_by_hardware(&d);
		} else {
			/* But what is written, which shows by steps. */
			assert_string_equal(ask_about(&d, "Z1", "square", 1), "");
			assert_string_equal(ask_about(&d, "Z3", "square", 1), "");
			assert_string_equal(ask_about(&d, "Z4", "square", 1), "");
			assert_string_equal(ask_about(&d, "z1", "square", 1), "");
		}
		expect(&d, "c", "W07");
		ended_with(&d, 7);
		assert_string_equal(d.guest.text, "sum 55, calls 5, secret 42, vector 8\n");
		debug_close(&d);
	}
}

/* With hardware breakpoints that never stop it, a guest is debugged as if there were none. */
static void run_without_hardware(struct debugged *d)
{
	for (int i = 0; i < 2; i++)
		assert_string_equal(ask_about(d, "Z1", "two_spaces", 1), "");
	assert_string_equal(ask_about(d, "z1", "two_spaces", 1), "");
	expect(d, "c", "W");
}

static void stop_kernel_by_hardware(struct debugged *d, bool by_range)
{
	const uint64_t entry = address_of(d, "two_spaces");
	char packet[40];

	assert_string_equal(ask_about(d, "Z1", "two_spaces", 1), "OK");
	/* A range that leads to it, and the whole way. */
	snprintf(packet, sizeof(packet), "vCont;r%" PRIx64 ",%" PRIx64 ":1", (uint64_t)0, entry + 1);
	assert_non_null(strstr(ask(d, by_range ? packet : "c"), "hwbreak:;"));
	assert_int_equal(ask_register(d, RIP), entry);
	assert_int_equal(ask_register(d, RFLAGS) & 0x100, 0);
	/* Steps go on in its presence, over it in its absence. */
	assert_string_equal(ask_about(d, "z1", "two_spaces", 1), "OK");
	expect(d, "vCont;s:1", "T05");
	assert_string_equal(ask_about(d, "Z1", "two_spaces", 1), "OK");
	for (int step = 0; step < 10; step++) {
		const uint64_t before = ask_register(d, RIP);
		assert_null(strstr(ask(d, "vCont;s:1"), "hwbreak"));
		assert_int_not_equal(ask_register(d, RIP), before);
	}
	expect(d, "Z1,0,1", "E16");
	expect(d, "c", "W");
}

/* At CPL 0 breakpoints for code work everywhere, as whoever interprets instructions minds them, too; but for TCG, which
 * forgets a guest's when it enters it. */
static void a_kernel_stops_by_hardware(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct debugged d;

		debug_open(&d, "two-spaces.elf", policies[i]);
		debug_start(&d);
		expect(&d, "qSupported:hwbreak+", "PacketSize");
		if (nub_quirk_tcg())
			run_without_hardware(&d);
		else
			stop_kernel_by_hardware(&d, i == 0);
		debug_join(&d);
		assert_int_equal(d.guest.outcome.kind, NUB_OUTCOME_EXITED);
		debug_close(&d);
	}
}

static void there_is_one_debugger(void **state)
{
	struct debugged d;

	(void)state;
	debug_open(&d, "hello.elf", NUB_COW_HOST);
	debug_start(&d);
	expect(&d, "D", "OK");
	debug_join(&d);
	assert_int_equal(nub_sandbox_attach_debugger(d.guest.sandbox, d.server, NULL, &d.guest.err), -1);
	assert_string_equal(nub_error_name(d.guest.err.kind), "state");
	debug_close(&d);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(breakpoints_show_original_bytes),
		KVM_TEST(every_instruction_can_be_stepped),
		KVM_TEST(a_range_is_stepped_at_once),
		KVM_TEST(memory_can_be_written_where_the_guest_cannot),
		KVM_TEST(a_running_guest_is_interrupted),
		KVM_TEST(a_crash_is_the_same_crash),
		KVM_TEST(a_guest_outlives_its_client),
		KVM_TEST(a_flood_is_cut_off),
		KVM_TEST(who_does_not_read_is_left),
		KVM_TEST(time_stands_still_while_stopped),
		KVM_TEST(breakpoints_stay_from_call_to_call),
		KVM_TEST(a_snapshot_can_be_taken_anywhere),
		KVM_TEST(a_snapshot_can_be_forbidden),
		KVM_TEST(a_kernel_is_debugged_too),
		KVM_TEST(a_snapshot_of_a_kernel_can_be_taken_anywhere),
		KVM_TEST(hardware_breakpoints_are_those_of_the_host),
		KVM_TEST(a_kernel_stops_by_hardware),
		KVM_TEST(there_is_one_debugger),
	};

	return run_kvm_tests("gdb_sandbox", tests);
}
