/* Conversations with gdb, packet by packet, about a target that is no machine. */
#include "unit.h"

#include "gdb_talk.h"

static void packets_are_acknowledged_until_both_agree(void **state)
{
	struct talk *talk = *state;

	assert_int_equal(take(talk, "$QStartNoAckMode#b0", 19), NUB_GDB_WAIT);
	assert_int_equal(talk->session.out.size, 7);
	assert_memory_equal(talk->session.out.bytes, "+$OK#9a", 7);
	talk->session.out.size = 0;
	assert_int_equal(take(talk, "+$qC#b4", 7), NUB_GDB_WAIT);
	assert_memory_equal(talk->session.out.bytes, "$QC1#c5", 7);
}

static void damage_is_asked_for_again(void **state)
{
	struct talk *talk = *state;

	take(talk, "$qC#00", 6);
	assert_int_equal(talk->session.out.size, 1);
	assert_int_equal(talk->session.out.bytes[0], '-');
	expect(talk, "qC", "QC1");
	talk->session.out.size = 0;
	take(talk, "-", 1);
	assert_string_equal(answer(talk), "QC1");
}

static void unknown_packets_get_the_empty_answer(void **state)
{
	static const char *const packets[] = { "",
		                               "!",
		                               "vMustReplyEmpty",
		                               "qSymbol::",
		                               "QNonStop:1",
		                               "Z1,1000,1",
		                               "Z2,1000,4",
		                               "z3,1000,4",
		                               "z1,1000,1",
		                               "Z4,1000,4",
		                               "Z5,1000,1",
		                               "Zffffffffffffffff,0,1",
		                               "vFile:open:2f,0,0",
		                               "qXfer:memory-map:read::0,100",
		                               "\xff" };

	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
		expect(*state, packets[i], "");
}

static void it_says_what_it_can(void **state)
{
	struct talk *talk = *state;

	assert_int_equal(say(talk, "qSupported:multiprocess+;swbreak+;hwbreak+"), NUB_GDB_WAIT);
	const char *reply = answer(talk);
	assert_non_null(strstr(reply, "PacketSize=4000;"));
	assert_non_null(strstr(reply, "qXfer:features:read+"));
	expect(talk, "vCont?", "vCont;c;C;s;S;r");
	expect(talk, "qAttached", "0");
	expect(talk, "qOffsets", "TextSeg=500140000000");
	expect(talk, "qfThreadInfo", "m1");
	expect(talk, "qsThreadInfo", "l");
	expect(talk, "Hg0", "OK");
	expect(talk, "T1", "OK");
}

/* The stop reply has these ends. */
static void expect_stop(struct talk *talk, struct nub_gdb_stop why, const char *begin, const char *end)
{
	talk->session.out.size = 0;
	assert_int_equal(nub_gdb_session_stopped(&talk->session, &why, NULL), 0);
	const char *reply = answer(talk);
	assert_memory_equal(reply, begin, strlen(begin));
	assert_true(strlen(reply) > strlen(end));
	const char *before = strstr(reply, "thread:1;");
	assert_non_null(before);
	if (strcmp(end, "thread:1;") != 0)
		before += strlen("thread:1;");
	assert_string_equal(before, end);
}

static void it_says_why_it_stopped(void **state)
{
	struct talk *talk = *state;

	expect(talk, "?", "T0506:0000000000000000;07:f02f000000000000;10:0010000000000000;thread:1;");
	expect_stop(talk, (struct nub_gdb_stop){ .signal = 5, .kind = NUB_GDB_STOP_SWBREAK }, "T05", "thread:1;");
	expect_stop(talk, (struct nub_gdb_stop){ .signal = 5, .kind = NUB_GDB_STOP_HWBREAK }, "T05", "thread:1;");
	say(talk, "qSupported:swbreak+;hwbreak+");
	assert_non_null(strstr(answer(talk), ";swbreak+;hwbreak+;"));
	expect_stop(talk, (struct nub_gdb_stop){ .signal = 5, .kind = NUB_GDB_STOP_HWBREAK }, "T05", "hwbreak:;");
	expect_stop(talk, (struct nub_gdb_stop){ .signal = 5, .kind = NUB_GDB_STOP_SWBREAK }, "T05", "swbreak:;");
	expect(talk, "?", "T0506:0000000000000000;07:f02f000000000000;10:0010000000000000;thread:1;swbreak:;");
	expect_stop(talk, (struct nub_gdb_stop){ .signal = 5, .kind = NUB_GDB_STOP_WATCH, .gva = 0x500140001008 },
	            "T05", "watch:500140001008;");
	expect_stop(talk, (struct nub_gdb_stop){ .signal = 5, .kind = NUB_GDB_STOP_AWATCH, .gva = UINT64_MAX - 7 },
	            "T05", "awatch:fffffffffffffff8;");
	expect_stop(talk, (struct nub_gdb_stop){ .signal = NUB_GDB_SIGSEGV }, "T0b", "thread:1;");
}

static void registers_are_read_and_written(void **state)
{
	struct talk *talk = *state;
	char all[2 * 1024];

	expect(talk, "p0", "8877665544332211");
	expect(talk, "P0=0100000000000000", "OK");
	assert_int_equal(talk->fake.cpu.regs.rax, 1);
	expect(talk, "P12=08000000", "E16"); /* cs */
	expect(talk, "P0=01", "E16");
	expect(talk, "p4b", "E16");
	expect(talk, "p", "E16");
	expect(talk, "Pffffffffffffffff=00", "E16");
	/* All at once: what was read can be written, with a change. */
	assert_int_equal(say(talk, "g"), NUB_GDB_WAIT);
	all[0] = 'G';
	copy_answer(talk, all + 1, sizeof(all) - 1);
	memcpy(all + 1, "ef", 2);
	expect(talk, all, "OK");
	assert_int_equal(talk->fake.cpu.regs.rax, 0xef);
	all[100] = '\0';
	expect(talk, all, "E16");
	talk->fake.frozen = true;
	expect(talk, "P0=0100000000000000", "E01");
}

static void memory_is_read_and_written(void **state)
{
	struct talk *talk = *state;

	expect(talk, "m1010,4", "10111213");
	expect(talk, "x1010,2", "b\x10\x11");
	expect(talk, "m2ffe,10", "feff"); /* as far as there is any */
	expect(talk, "m3000,1", "E0e");
	expect(talk, "m1000,0", "");
	expect(talk, "mffffffffffffffff,ffffffffffffffff", "E0e");
	expect(talk, "m1000", "E16");
	expect(talk, "M1010,2:aabb", "OK");
	expect(talk, "m1010,3", "aabb12");
	expect(talk, "M1010,3:aabb", "E16");
	expect(talk, "M1010,ffffffffffffffff:aabb", "E16");
	expect(talk, "M2000,1:aa", "E0e");
	expect(talk, "X1010,0:", "OK");
	assert_int_equal(say_bytes(talk, "X1010,3:}#\0", 11), NUB_GDB_WAIT);
	assert_string_equal(answer(talk), "OK");
	assert_memory_equal(talk->fake.memory + 0x10, "}#\0", 3);
	expect(talk, "X1010,4:abc", "E16");
	/* A long answer is cut to what a packet holds. */
	assert_int_equal(say(talk, "m1000,2000"), NUB_GDB_WAIT);
	assert_in_range(strlen(answer(talk)), NUB_GDB_PACKET_SIZE - 64, NUB_GDB_PACKET_SIZE);
}

static void breakpoints_are_kept(void **state)
{
	struct talk *talk = *state;

	expect(talk, "Z0,1004,1", "OK");
	assert_int_equal(talk->fake.breakpoints[0], 0x1004);
	expect(talk, "z0,1004,1", "OK");
	assert_int_equal(talk->fake.breakpoint_count, 0);
	expect(talk, "Z0,10,1", "E0e");
	expect(talk, "Z0", "E16");
}

static void hardware_breakpoints_are_kept(void **state)
{
	struct talk *talk = *state;
	const struct nub_gdb_hardware_slot *slots = talk->fake.hardware.slots;

	talk->fake.has_hardware = true;
	expect(talk, "Z1,1003,1", "OK");
	assert_int_equal(slots[0].kind, NUB_GDB_EXECUTE);
	assert_int_equal(slots[0].gva, 0x1003);
	expect(talk, "Z2,1008,8", "OK");
	assert_int_equal(slots[1].kind, NUB_GDB_WRITE);
	assert_int_equal(slots[1].size, 8);
	expect(talk, "Z4,1010,4", "OK");
	assert_int_equal(slots[2].kind, NUB_GDB_ACCESS);
	expect(talk, "Z3,1010,4", ""); /* there is no such thing */
	expect(talk, "z3,1010,4", "");
	expect(talk, "Z0,1004,1", "OK");
	expect(talk, "Z1,1003,2", "E16");
	expect(talk, "Z2,1009,8", "E16");
	expect(talk, "Z2,1008", "E16");
	expect(talk, "Z2,1008,x", "E16");
	expect(talk, "Z2,1020,2", "OK");
	expect(talk, "Z2,1030,2", "E16"); /* the fifth */
	expect(talk, "z2,1008,8", "OK");
	assert_int_equal(slots[1].size, 0);
	expect(talk, "Z2,1030,2", "OK");
}

static void it_goes_on_in_every_way(void **state)
{
	static const struct {
		const char *packet;
		enum nub_gdb_action action;
	} cases[] = {
		{ "c", NUB_GDB_CONTINUE },
		{ "C0b", NUB_GDB_CONTINUE },
		{ "s", NUB_GDB_STEP },
		{ "S05", NUB_GDB_STEP },
		{ "vCont;c", NUB_GDB_CONTINUE },
		{ "vCont;s:1;c", NUB_GDB_STEP },
		{ "vCont;C0b:1", NUB_GDB_CONTINUE },
		{ "vCont;r1000,1010:1", NUB_GDB_STEP },
	};
	const struct nub_gdb_stop trap = { .signal = NUB_GDB_SIGTRAP };
	struct talk *talk = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(say(talk, cases[i].packet), cases[i].action);
		/* Acknowledged; the answer comes when it stops. */
		assert_int_equal(talk->session.out.size, 1);
		talk->session.out.size = 0;
		assert_int_equal(nub_gdb_session_stopped(&talk->session, &trap, NULL), 0);
		assert_memory_equal(answer(talk), "T05", 3);
	}
	assert_int_equal(talk->session.resume.range_start, 0x1000);
	assert_int_equal(talk->session.resume.range_end, 0x1010);
	expect(talk, "vCont", "E16");
	expect(talk, "vCont;t", "E16");
	expect(talk, "vCont;r1000", "E16");
	/* A plain step has no range, also after one that had. */
	assert_int_equal(say(talk, "s"), NUB_GDB_STEP);
	assert_int_equal(talk->session.resume.range_end, 0);
}

static void it_ends_in_every_way(void **state)
{
	struct talk *talk = *state;

	assert_int_equal(say(talk, "D"), NUB_GDB_DETACH);
	assert_string_equal(answer(talk), "OK");
	assert_int_equal(say(talk, "vKill;1"), NUB_GDB_KILL);
	assert_string_equal(answer(talk), "OK");
	assert_int_equal(say(talk, "k"), NUB_GDB_KILL);
	talk->session.out.size = 0;
	assert_int_equal(nub_gdb_session_exited(&talk->session, 7, NULL), 0);
	assert_string_equal(answer(talk), "W07");
	talk->session.out.size = 0;
	assert_int_equal(nub_gdb_session_signalled(&talk->session, NUB_GDB_SIGSEGV, NULL), 0);
	assert_string_equal(answer(talk), "X0b");
}

static void a_running_target_listens_for_little(void **state)
{
	struct talk *talk = *state;
	unsigned count = 0;

	assert_int_equal(take(talk, "\3", 1), NUB_GDB_WAIT); /* it stands */
	assert_int_equal(say(talk, "c"), NUB_GDB_CONTINUE);
	assert_int_equal(say(talk, "g"), NUB_GDB_WAIT);
	assert_int_equal(talk->session.out.size, 1);
	assert_int_equal(take(talk, "\3", 1), NUB_GDB_STOP);
	assert_int_equal(say(talk, "k"), NUB_GDB_KILL);
	/* A flood ends the conversation, even of what is no junk. */
	while (take(talk, "+", 1) == NUB_GDB_WAIT && count < 10000)
		count++;
	assert_in_range(count, 4000, 4096);
}

static void nonsense_ends_it(void **state)
{
	static const char junk[8192] = "GET / HTTP/1.1\r\n";

	assert_int_equal(take(*state, junk, sizeof(junk)), NUB_GDB_DETACH);
}

static void documents_are_read_in_parts(void **state)
{
	struct talk *talk = *state;
	char first[16];

	assert_int_equal(say(talk, "qXfer:features:read:target.xml:0,8"), NUB_GDB_WAIT);
	copy_answer(talk, first, sizeof(first));
	assert_string_equal(first, "m<?xml ve");
	expect(talk, "qXfer:features:read:target.xml:3,4", "mml v");
	expect(talk, "qXfer:features:read:target.xml:ffffff,8", "E00");
	expect(talk, "qXfer:features:read:target.xml:0", "E00");
	expect(talk, "qXfer:features:read:other.xml:0,8", "");
	/* AT_ENTRY, by which gdb knows where a PIE is. */
	assert_int_equal(say(talk, "qXfer:auxv:read::0,1000"), NUB_GDB_WAIT);
	assert_int_equal(*answer(talk), 'l');
	assert_int_equal(talk->decoder.size, 1 + 4 * 16);
	assert_memory_equal(talk->decoder.data + 1 + 2 * 16, "\x9\0\0\0\0\0\0\0\x34\x12\0\x40\x01\x50\0\0", 16);
}

static void monitor_commands_are_text(void **state)
{
	struct talk *talk = *state;

	expect(talk, "qRcmd,6869", "6869");
	expect(talk, "qRcmd,", "OK");
	expect(talk, "qRcmd,6x", "E16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets_are_acknowledged_until_both_agree),
		TEST(damage_is_asked_for_again),
		TEST(unknown_packets_get_the_empty_answer),
		TEST(it_says_what_it_can),
		TEST(it_says_why_it_stopped),
		TEST(registers_are_read_and_written),
		TEST(memory_is_read_and_written),
		TEST(breakpoints_are_kept),
		TEST(hardware_breakpoints_are_kept),
		TEST(it_goes_on_in_every_way),
		TEST(it_ends_in_every_way),
		TEST(a_running_target_listens_for_little),
		TEST(nonsense_ends_it),
		TEST(documents_are_read_in_parts),
		TEST(monitor_commands_are_text),
	};

	return cmocka_run_group_tests_name("gdb_session", tests, NULL, NULL);
}
