/* Framing of gdb's remote protocol: what is a packet, what is damage, what is neither. */
#include "unit.h"

#include "gdb/gdb_protocol.h"

/* Feed text; the event of its last byte, all before it being NOTHING. */
static enum nub_gdb_event feed(struct nub_gdb_decoder *decoder, const char *text, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++)
		assert_int_equal(nub_gdb_decode(decoder, (uint8_t)text[i]), NUB_GDB_NOTHING);
	return nub_gdb_decode(decoder, (uint8_t)text[size - 1]);
}

#define FEED(decoder, text) feed(decoder, text, sizeof(text) - 1)

static void packets_come_out_of_a_stream(void **state)
{
	struct nub_gdb_decoder decoder = { 0 };

	(void)state;
	assert_int_equal(FEED(&decoder, "+$g#67"), NUB_GDB_PACKET);
	assert_string_equal((const char *)decoder.data, "g");
	assert_int_equal(decoder.size, 1);
	assert_int_equal(FEED(&decoder, "++$#00"), NUB_GDB_PACKET);
	assert_int_equal(decoder.size, 0);
	assert_int_equal(FEED(&decoder, "$m1000,4#8E"), NUB_GDB_PACKET);
	assert_string_equal((const char *)decoder.data, "m1000,4");
	assert_int_equal(FEED(&decoder, "\3"), NUB_GDB_INTERRUPT);
	assert_int_equal(FEED(&decoder, "-"), NUB_GDB_RESEND);
}

static void escapes_are_undone(void **state)
{
	/* } # $ and 0x03, as data */
	static const char packet[] = "$X}]}\3}\4\3#36";
	struct nub_gdb_decoder decoder = { 0 };

	(void)state;
	assert_int_equal(FEED(&decoder, packet), NUB_GDB_PACKET);
	assert_int_equal(decoder.size, 5);
	assert_memory_equal(decoder.data, "X}#$\3", 5);
}

static void damage_is_seen(void **state)
{
	struct nub_gdb_decoder decoder = { 0 };

	(void)state;
	assert_int_equal(FEED(&decoder, "$g#68"), NUB_GDB_DAMAGED);
	assert_int_equal(FEED(&decoder, "$g#6x"), NUB_GDB_DAMAGED);
	assert_int_equal(FEED(&decoder, "$g#x7"), NUB_GDB_DAMAGED);
	assert_int_equal(FEED(&decoder, "$cut of$g#67"), NUB_GDB_PACKET);
	assert_string_equal((const char *)decoder.data, "g");
}

static void nonsense_is_given_up(void **state)
{
	struct nub_gdb_decoder decoder = { 0 };
	unsigned bytes = 0, damaged = 0;

	(void)state;
	/* Packets in what is for somebody else are none. */
	assert_int_equal(FEED(&decoder, "P"), NUB_GDB_BROKEN);
	memset(&decoder, 0, sizeof(decoder));
	assert_int_equal(FEED(&decoder, "+$g#67"), NUB_GDB_PACKET);
	while (nub_gdb_decode(&decoder, 'x') == NUB_GDB_NOTHING)
		bytes++;
	assert_int_equal(bytes, 4096);
	memset(&decoder, 0, sizeof(decoder));
	while (FEED(&decoder, "$g#00") == NUB_GDB_DAMAGED)
		damaged++;
	assert_int_equal(damaged, 16);
	/* A packet makes up for what was before. */
	memset(&decoder, 0, sizeof(decoder));
	assert_int_equal(FEED(&decoder, "$g#67"), NUB_GDB_PACKET);
	for (int i = 0; i < 4000; i++)
		nub_gdb_decode(&decoder, 'x');
	assert_int_equal(FEED(&decoder, "$g#67"), NUB_GDB_PACKET);
	assert_int_equal(FEED(&decoder,
	                      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	                      "xxxxxxxxxxxxxxxxxxxxxxxxxx$g#67"),
	                 NUB_GDB_PACKET);
}

static void a_packet_can_be_too_long(void **state)
{
	struct nub_gdb_decoder *decoder = calloc(1, sizeof(*decoder));
	unsigned size = 0;

	(void)state;
	assert_non_null(decoder);
	nub_gdb_decode(decoder, '$');
	while (nub_gdb_decode(decoder, 'm') == NUB_GDB_NOTHING)
		size++;
	assert_int_equal(size, NUB_GDB_PACKET_SIZE);
	free(decoder);
}

/* Every byte arrives as it was sent. */
static void frames_are_read_back(void **state)
{
	struct nub_gdb_decoder decoder = { 0 };
	struct nub_buffer out = { 0 };
	uint8_t all[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	assert_int_equal(nub_gdb_frame(&out, all, sizeof(all), NULL), 0);
	assert_int_equal(out.size, 1 + 256 + 4 + 3);
	assert_int_equal(feed(&decoder, (const char *)out.bytes, out.size), NUB_GDB_PACKET);
	assert_int_equal(decoder.size, sizeof(all));
	assert_memory_equal(decoder.data, all, sizeof(all));
	nub_buffer_release(&out);
}

static struct nub_gdb_text text_of(const char *string)
{
	return (struct nub_gdb_text){ (const uint8_t *)string, (const uint8_t *)string + strlen(string) };
}

static void numbers_are_taken_whole(void **state)
{
	struct nub_gdb_text text = text_of("1f,FFFFFFFFFFFFFFFF:x");
	uint64_t first, second;

	(void)state;
	assert_true(nub_gdb_take_range(&text, &first, &second));
	assert_int_equal(first, 0x1f);
	assert_true(second == UINT64_MAX);
	assert_false(nub_gdb_take_number(&text, &first));
	assert_true(nub_gdb_take_word(&text, ":x"));
	assert_false(nub_gdb_take_word(&text, "x"));
	text = text_of("10000000000000000");
	assert_false(nub_gdb_take_number(&text, &first));
	assert_int_equal(text.end - text.at, 17);
	text = text_of("");
	assert_false(nub_gdb_take_number(&text, &first));
}

static void bytes_are_taken_whole(void **state)
{
	struct nub_gdb_text text = text_of("00ffAb1");
	uint8_t bytes[4] = { 0 };

	(void)state;
	assert_false(nub_gdb_take_bytes(&text, bytes, 4));
	assert_true(nub_gdb_take_bytes(&text, bytes, 3));
	assert_memory_equal(bytes, "\x00\xff\xab", 3);
	assert_true(nub_gdb_take_bytes(&text, bytes, 0));
	text = text_of("0g");
	assert_false(nub_gdb_take_bytes(&text, bytes, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_come_out_of_a_stream),
		cmocka_unit_test(escapes_are_undone),
		cmocka_unit_test(damage_is_seen),
		cmocka_unit_test(nonsense_is_given_up),
		cmocka_unit_test(a_packet_can_be_too_long),
		cmocka_unit_test(frames_are_read_back),
		cmocka_unit_test(numbers_are_taken_whole),
		cmocka_unit_test(bytes_are_taken_whole),
	};

	return cmocka_run_group_tests_name("gdb_packet", tests, NULL, NULL);
}
