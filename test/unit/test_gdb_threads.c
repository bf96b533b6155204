/* What a session says and is told of a Linux program: threads, signals, how each goes on. */
#include <signal.h>

#include "gdb_talk.h"

static int set_up_program(void **state)
{
	const int result = set_up(state);
	struct talk *talk = *state;

	fake_become_program(&talk->fake, 3);
	talk->session.stop.tid = talk->session.tid = FAKE_TID;
	return result;
}

static void numbers_of_signals_are_translated(void **state)
{
	(void)state;
	assert_int_equal(nub_gdb_signal_from_linux(SIGSEGV), 11);
	assert_int_equal(nub_gdb_signal_from_linux(SIGBUS), 10);
	assert_int_equal(nub_gdb_signal_from_linux(SIGUSR1), 30);
	assert_int_equal(nub_gdb_signal_from_linux(32), 77);
	assert_int_equal(nub_gdb_signal_from_linux(33), 45);
	assert_int_equal(nub_gdb_signal_from_linux(63), 75);
	assert_int_equal(nub_gdb_signal_from_linux(64), 78);
	assert_int_equal(nub_gdb_signal_from_linux(0), 0);
	assert_int_equal(nub_gdb_signal_from_linux(65), 143);
	assert_int_equal(nub_gdb_signal_from_linux(-1), 143);
	/* There and back, but for SIGSTKFLT, which gdb has no number for. */
	for (int i = 1; i <= 64; i++)
		assert_int_equal(nub_gdb_signal_to_linux(nub_gdb_signal_from_linux(i)), i == SIGSTKFLT ? 0 : i);
	assert_int_equal(nub_gdb_signal_to_linux(0), 0);
	assert_int_equal(nub_gdb_signal_to_linux(7), 0);
	assert_int_equal(nub_gdb_signal_to_linux(143), 0);
	assert_int_equal(nub_gdb_signal_to_linux(UINT64_MAX), 0);
}

static void it_says_that_it_is_a_program(void **state)
{
	struct talk *talk = *state;

	assert_int_equal(say(talk, "qSupported:"), NUB_GDB_WAIT);
	assert_non_null(
	    strstr(answer(talk), ";qXfer:threads:read+;qXfer:siginfo:read+;QPassSignals+;qXfer:exec-file:read+"));
	expect(talk, "qOffsets", "");
	expect(talk, "qXfer:auxv:read::0,10", "lauxv");
	expect(talk, "qXfer:exec-file:read:3e8:0,10", "l/bin/true");
	expect(talk, "qXfer:exec-file:read::5,10", "ltrue");
	expect(talk, "qXfer:siginfo:read::0,80", "E01");
	talk->fake.info.si_signo = SIGUSR2;
	assert_int_equal(say(talk, "qXfer:siginfo:read::0,80"), NUB_GDB_WAIT);
	answer(talk);
	assert_int_equal(talk->decoder.size, 1 + sizeof(siginfo_t));
	assert_int_equal(talk->decoder.data[1], SIGUSR2);
}

static void threads_are_listed(void **state)
{
	struct talk *talk = *state;

	expect(talk, "qfThreadInfo", "m3e8,3e9,3ea");
	expect(talk, "qsThreadInfo", "l");
	expect(talk, "qC", "QC3e8");
	expect(talk, "T3ea", "OK");
	expect(talk, "T3eb", "E01");
	expect(talk, "T", "E01");
	expect(talk, "qXfer:threads:read::0,1000",
	       "l<?xml version=\"1.0\"?>\n<threads>\n<thread id=\"3e8\"/>\n"
	       "<thread id=\"3e9\" name=\"a&#60;b?sixteen long\"/>\n<thread id=\"3ea\"/>\n</threads>\n");
	/* As many as there can be take several packets, and each is told once. */
	talk->fake.thread_count = 4096;
	unsigned packets = 0, told = 0;
	say(talk, "qfThreadInfo");
	for (const char *reply = answer(talk); *reply == 'm'; reply = answer(talk)) {
		for (const char *at = reply; at; at = strchr(at + 1, ','))
			told++;
		packets++;
		say(talk, "qsThreadInfo");
	}
	assert_int_equal(told, 4096);
	assert_in_range(packets, 2, 8);
}

static void registers_are_those_of_the_chosen_thread(void **state)
{
	struct talk *talk = *state;
	char all[2 * 1024];

	expect(talk, "Hg3ea", "OK");
	assert_int_equal(talk->session.tid, 0x3ea);
	expect(talk, "qC", "QC3ea");
	expect(talk, "p0", "8877665544332211");
	expect(talk, "Hg3eb", "E01");
	expect(talk, "Hgx", "E16");
	expect(talk, "Hg0", "OK");
	assert_int_equal(talk->session.tid, FAKE_TID);
	expect(talk, "Hc-1", "OK");
	/* orig_rax, which no CPU has. */
	expect(talk, "p4b", "ffffffffffffffff");
	talk->fake.call = 230;
	expect(talk, "p4b", "e600000000000000");
	expect(talk, "P4b=ffffffffffffffff", "OK");
	assert_int_equal(talk->fake.call, -1);
	expect(talk, "p4c", "E16");
	assert_int_equal(say(talk, "g"), NUB_GDB_WAIT);
	all[0] = 'G';
	copy_answer(talk, all + 1, sizeof(all) - 1);
	memcpy(all + strlen(all) - 16, "2200000000000000", 16);
	expect(talk, all, "OK");
	assert_int_equal(talk->fake.call, 0x22);
	/* A stop chooses its own thread. */
	const struct nub_gdb_stop why = { .signal = NUB_GDB_SIGSEGV, .tid = 0x3e9 };
	talk->session.out.size = 0;
	assert_int_equal(nub_gdb_session_stopped(&talk->session, &why, NULL), 0);
	assert_non_null(strstr(answer(talk), "thread:3e9;"));
	assert_int_equal(talk->session.tid, 0x3e9);
}

static void thread_local_storage_is_found(void **state)
{
	struct talk *talk = *state;

	expect(talk, "qGetTLSAddr:3e9,8,0", "703f1");
	expect(talk, "qGetTLSAddr:3e9,8,7fff0000", "E0e");
	expect(talk, "qGetTLSAddr:1,8,0", "E0e");
	expect(talk, "qGetTLSAddr:3e9,8", "E16");
	expect(talk, "qGetTLSAddr:1000003e9,8,0", "E16");
	/* What gdb is asked for that of libraries, whenever it has new symbols. */
	expect(talk, "qSymbol::", "qSymbol:5f7468726561645f64625f6c696e6b5f6d61705f6c5f746c735f6d6f646964");
	expect(talk, "qSymbol::5f7468726561645f64625f6c696e6b5f6d61705f6c5f746c735f6d6f646964", "OK");
	expect(talk, "qGetTLSAddr:3e9,8,7fff0000", "E0e");
	expect(talk, "qSymbol:100000:5f74", "OK");
	expect(talk, "qGetTLSAddr:3e9,8,7fff0000", "E0e");
	expect(talk, "qSymbol:100000:5f7468726561645f64625f6c696e6b5f6d61705f6c5f746c735f6d6f646964", "OK");
	expect(talk, "qGetTLSAddr:3e9,8,7fff0000", "1703f1");
	expect(talk, "qSymbol", "");
	expect(talk, "qSymbol:x", "E16");
}

static void each_thread_goes_on_as_it_is_told(void **state)
{
	static const struct {
		const char *packet;
		enum nub_gdb_action action;
		struct nub_gdb_resume resume;
	} cases[] = {
		{ "c", NUB_GDB_CONTINUE, { 0 } },
		{ "vCont;c", NUB_GDB_CONTINUE, { 0 } },
		{ "vCont;c:-1", NUB_GDB_CONTINUE, { 0 } },
		{ "vCont;c:3ea", NUB_GDB_CONTINUE, { .only_tid = 0x3ea } },
		{ "vCont;s:3e9", NUB_GDB_STEP, { .step_tid = 0x3e9, .only_tid = 0x3e9 } },
		{ "vCont;s:3e9;c", NUB_GDB_STEP, { .step_tid = 0x3e9 } },
		{ "vCont;s:0;c", NUB_GDB_STEP, { .step_tid = FAKE_TID } },
		{ "vCont;s", NUB_GDB_STEP, { .step_tid = FAKE_TID } },
		{ "vCont;r10,20:3e9;c:-1", NUB_GDB_STEP, { 0x10, 0x20, 0x3e9, 0, 0, 0 } },
		{ "vCont;C0b:3ea;c", NUB_GDB_CONTINUE, { .signal_tid = 0x3ea, .signal = SIGSEGV } },
		{ "vCont;S1e:3ea", NUB_GDB_STEP, { 0, 0, 0x3ea, 0x3ea, 0x3ea, SIGUSR1 } },
		{ "vCont;c:3e9;c:3ea", NUB_GDB_CONTINUE, { 0 } },
		{ "C1e", NUB_GDB_CONTINUE, { .signal_tid = FAKE_TID, .signal = SIGUSR1 } },
		{ "S8f", NUB_GDB_STEP, { .step_tid = FAKE_TID, .signal_tid = FAKE_TID } },
	};
	const struct nub_gdb_stop trap = { .signal = NUB_GDB_SIGTRAP, .tid = FAKE_TID };
	struct talk *talk = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (say(talk, cases[i].packet) != cases[i].action)
			fail_msg("%s: another action", cases[i].packet);
		assert_memory_equal(&talk->session.resume, &cases[i].resume, sizeof(cases[i].resume));
		assert_int_equal(nub_gdb_session_stopped(&talk->session, &trap, NULL), 0);
	}
	expect(talk, "vCont;C", "E16");
	expect(talk, "vCont;s:", "E16");
	expect(talk, "vCont;s:3e9;x", "E16");
	expect(talk, "vCont;s:100000000", "E16");
}

static void gdb_says_which_signals_it_need_not_see(void **state)
{
	struct talk *talk = *state;

	expect(talk, "QPassSignals:e;1e;8f;4b", "OK");
	assert_int_equal(talk->session.passed_signals, 1ul << (SIGALRM - 1) | 1ul << (SIGUSR1 - 1) | 1ul << (63 - 1));
	expect(talk, "QPassSignals:", "OK");
	assert_int_equal(talk->session.passed_signals, 0);
}

/* However much is asked for at once, with escapes it is no more than a packet. */
static void documents_come_in_packets(void **state)
{
	struct talk *talk = *state;

	talk->fake.thread_count = 1000;
	assert_int_equal(say(talk, "qXfer:threads:read::0,ffffffffffffffff"), NUB_GDB_WAIT);
	assert_int_equal(*answer(talk), 'm');
	assert_int_equal(talk->decoder.size, 1 + NUB_GDB_PACKET_SIZE / 2);
	assert_int_equal(say(talk, "qXfer:threads:read::2000,ffffffff"), NUB_GDB_WAIT);
	assert_int_equal(*answer(talk), 'm');
	assert_int_equal(say(talk, "qXfer:threads:read::7fffffffffffffff,2"), NUB_GDB_WAIT);
	assert_string_equal(answer(talk), "E00");
}

static void text_is_shown(void **state)
{
	struct talk *talk = *state;

	assert_int_equal(nub_gdb_session_tell(&talk->session, "hi\n", NULL), 0);
	assert_string_equal(answer(talk), "O68690a");
}

#define TEST_PROGRAM(function) cmocka_unit_test_setup_teardown(function, set_up_program, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_signals_are_translated),
		TEST_PROGRAM(it_says_that_it_is_a_program),
		TEST_PROGRAM(threads_are_listed),
		TEST_PROGRAM(registers_are_those_of_the_chosen_thread),
		TEST_PROGRAM(thread_local_storage_is_found),
		TEST_PROGRAM(each_thread_goes_on_as_it_is_told),
		TEST_PROGRAM(gdb_says_which_signals_it_need_not_see),
		TEST_PROGRAM(documents_come_in_packets),
		TEST(text_is_shown),
	};

	return cmocka_run_group_tests_name("gdb_threads", tests, NULL, NULL);
}
