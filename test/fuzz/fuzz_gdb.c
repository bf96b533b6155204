/* Fuzz target: any bytes from a gdb client, in a whole session about a target that is no machine.
 *
 * An input that begins with r is what the socket gives. In any other, each line is the inside of a packet, so that a change
 * need not hit its sum as well.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/gdb_fake.h"
#include "fuzz.h"

/* All that is sent is the protocol: acknowledgements and packets that are whole and of a size that was announced. */
static void check_output(struct nub_gdb_session *session)
{
	static struct nub_gdb_decoder decoder;

	memset(&decoder, 0, offsetof(struct nub_gdb_decoder, data));
	for (size_t i = 0; i < session->out.size; i++) {
		const uint8_t byte = session->out.bytes[i];
		const enum nub_gdb_event event = nub_gdb_decode(&decoder, byte);
		FUZZ_CHECK(event == NUB_GDB_NOTHING || event == NUB_GDB_PACKET ||
		           (event == NUB_GDB_RESEND && byte == '-'));
		FUZZ_CHECK(decoder.state != NUB_GDB_BETWEEN || event != NUB_GDB_NOTHING || byte == '+');
	}
	FUZZ_CHECK(decoder.state == NUB_GDB_BETWEEN);
	session->out.size = 0;
}

/* What the session may never let a client do. */
static void check_target(const struct fake *fake)
{
	FUZZ_CHECK(fake->cpu.sregs.cs.selector == 0x33);
	FUZZ_CHECK((fake->cpu.regs.rflags & ~(NUB_RFLAGS_USER | 2)) == 0);
	FUZZ_CHECK(fake->cpu.regs.rip < UINT64_C(1) << 47 || fake->cpu.regs.rip >= -(UINT64_C(1) << 47));
	for (size_t i = FAKE_WRITABLE; i < FAKE_SIZE; i++)
		FUZZ_CHECK(fake->memory[i] == (uint8_t)i);
}

/* The target stops as soon as it was let go, in turn for every reason. */
static void stop(struct nub_gdb_session *session, unsigned turn)
{
	const struct nub_gdb_stop why = { .signal = 2 + turn % 10, .kind = turn % 5, .gva = UINT64_MAX / (turn + 1) };

	FUZZ_CHECK(session->running);
	FUZZ_CHECK(nub_gdb_session_stopped(session, &why, NULL) == 0);
	FUZZ_CHECK(!session->running);
}

/* Up to the end, of the bytes or of the session. */
static void feed(struct nub_gdb_session *session, const uint8_t *bytes, size_t size)
{
	unsigned turn = 0;

	for (size_t i = 0; i < size; i++) {
		const enum nub_gdb_action action = nub_gdb_session_take(session, bytes[i]);
		check_output(session);
		if (action == NUB_GDB_DETACH || action == NUB_GDB_KILL)
			return;
		if (action != NUB_GDB_WAIT)
			stop(session, turn++);
	}
}

/* The lines of text as packets. */
static void frame_lines(const uint8_t *text, size_t size, struct nub_buffer *out)
{
	const uint8_t *at = text, *const end = text + size;

	while (at < end) {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
		const size_t length = (size_t)((newline ? newline : end) - at);
		FUZZ_CHECK(nub_gdb_frame(out, at, length, NULL) == 0);
		at += length + (newline ? 1 : 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake fake;
	static struct nub_gdb_session session;
	struct nub_buffer stream = { 0 };

	fake_init(&fake);
	fake.has_hardware = size % 2 == 0;
	if (size % 4 > 1)
		fake_become_program(&fake, 3);
	memset(&session, 0, sizeof(session));
	nub_gdb_session_init(&session, &fake.target);
	if (size > 0 && data[0] == 'r')
		FUZZ_CHECK(nub_buffer_append(&stream, data + 1, size - 1, NULL) == 0);
	else
		frame_lines(data, size, &stream);
	feed(&session, stream.bytes, stream.size);
	check_target(&fake);
	if (!session.running)
		FUZZ_CHECK(nub_gdb_session_exited(&session, 1, NULL) == 0);
	check_output(&session);
	nub_gdb_session_release(&session);
	nub_buffer_release(&stream);
	return 0;
}

/* ---- Seeds: each as lines, then as a stream ---- */

static const char *const seeds[] = {
	"qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386\nQStartNoAckMode\nqXfer:features:read:target.xml:"
	"0,ffb\n"
	"qAttached\nqOffsets\n?\nqfThreadInfo\nqsThreadInfo\nqC\ng\nm1000,40\nZ0,1010,1\nZ1,1010,1\nZ2,1018,8\nZ4,1020,"
	"4\nvCont?\nvCont;c\nz0,1010,1\nz2,1018,8\nD",
	"p0\np10\nP0=8877665544332211\nP10=0010000000000000\nP11=ffffffff\nP12=33000000\nP49=0000000000000080\nP22="
	"ffff0000\n"
	"P28=000102030405060708090a0b0c0d0e0f\np39\nvCont;s:1\nS05\nvCont;r1000,1020:1\nk",
	"m1000,10\nm2ff0,100\nx1000,20\nM1000,4:deadbeef\nX1010,3:abc\nX1010,0:\nM2000,1:00\nm0,1\nmffffffffffffffff,"
	"10\nc",
	"qSupported:swbreak+\nqfThreadInfo\nqsThreadInfo\nqXfer:threads:read::0,400\nqXfer:siginfo:read::0,"
	"80\nQPassSignals:e;10;"
	"1e\nHg3e9\ng\np4b\nP4b=ffffffffffffffff\nqGetTLSAddr:3ea,10,0\nT3eb\nvCont;r1000,1010:3e8;c\nvCont;C1e:3e9;"
	"C0b:3ea\n"
	"vCont;s:3e9\nvCont;S0e\nqC\nD",
	"qRcmd,726567696f6e73\nqRcmd,68656c70\nqXfer:auxv:read::0,40\nqXfer:features:read:target.xml:1000,"
	"100\nHg0\nT1\nvKill;1",
};

enum { SEED_COUNT = sizeof(seeds) / sizeof(seeds[0]) };

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	const bool raw = index >= SEED_COUNT;
	struct nub_buffer text = { 0 };

	if (index >= 2 * SEED_COUNT)
		return 0;
	const char *lines = seeds[index % SEED_COUNT];
	if (raw) {
		FUZZ_CHECK(nub_buffer_append(&text, "r", 1, NULL) == 0);
		frame_lines((const uint8_t *)lines, strlen(lines), &text);
	} else {
		FUZZ_CHECK(nub_buffer_append(&text, lines, strlen(lines), NULL) == 0);
	}
	const size_t size = text.size < capacity ? text.size : capacity;
	memcpy(out, text.bytes, size);
	nub_buffer_release(&text);
	return size;
}
