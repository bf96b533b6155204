/* Packets of the remote protocol, byte by byte. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "gdb/gdb_protocol.h"

/* gdb over a socket sends no junk and no damage, but a few of each are forgiven: not to a client from which no packet has come. It
 * may be a browser, in whose request somebody else has put packets. */
enum { MAX_JUNK = 4096, DAMAGE = 256, INTERRUPT = 3, ESCAPE_XOR = 0x20 };

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum nub_gdb_event count_junk(struct nub_gdb_decoder *decoder, unsigned amount, enum nub_gdb_event event)
{
	decoder->junk += amount;
	return decoder->junk > MAX_JUNK ? NUB_GDB_BROKEN : event;
}

static enum nub_gdb_event between(struct nub_gdb_decoder *decoder, uint8_t byte)
{
	switch (byte) {
	case '$':
		decoder->state = NUB_GDB_IN_DATA;
		decoder->size = 0;
		decoder->sum = 0;
		return NUB_GDB_NOTHING;
	case '+':
		return NUB_GDB_NOTHING;
	case '-':
		return count_junk(decoder, DAMAGE, NUB_GDB_RESEND);
	case INTERRUPT:
		return NUB_GDB_INTERRUPT;
	default:
		return count_junk(decoder, decoder->met ? 1 : MAX_JUNK + 1, NUB_GDB_NOTHING);
	}
}

static enum nub_gdb_event add(struct nub_gdb_decoder *decoder, uint8_t byte)
{
	if (decoder->size == NUB_GDB_PACKET_SIZE)
		return NUB_GDB_BROKEN;
	decoder->data[decoder->size++] = byte;
	return NUB_GDB_NOTHING;
}

static enum nub_gdb_event in_data(struct nub_gdb_decoder *decoder, uint8_t byte)
{
	if (byte == '#') {
		decoder->state = NUB_GDB_IN_SUM_HIGH;
		return NUB_GDB_NOTHING;
	}
	/* Never part of a packet: the one before was cut off. */
	if (byte == '$') {
		decoder->state = NUB_GDB_BETWEEN;
		const enum nub_gdb_event event = count_junk(decoder, DAMAGE, NUB_GDB_NOTHING);
		return event == NUB_GDB_BROKEN ? event : between(decoder, byte);
	}
	decoder->sum += byte;
	if (byte == '}') {
		decoder->state = NUB_GDB_IN_ESCAPE;
		return NUB_GDB_NOTHING;
	}
	return add(decoder, byte);
}

static enum nub_gdb_event end_packet(struct nub_gdb_decoder *decoder)
{
	decoder->state = NUB_GDB_BETWEEN;
	decoder->data[decoder->size] = 0;
	if (decoder->bad_sum || decoder->expected != decoder->sum)
		return count_junk(decoder, DAMAGE, NUB_GDB_DAMAGED);
	decoder->junk = 0;
	decoder->met = true;
	return NUB_GDB_PACKET;
}

enum nub_gdb_event nub_gdb_decode(struct nub_gdb_decoder *decoder, uint8_t byte)
{
	const int digit = hex_digit(byte);

	switch (decoder->state) {
	case NUB_GDB_BETWEEN:
		return between(decoder, byte);
	case NUB_GDB_IN_DATA:
		return in_data(decoder, byte);
	case NUB_GDB_IN_ESCAPE:
		decoder->sum += byte;
		decoder->state = NUB_GDB_IN_DATA;
		return add(decoder, byte ^ ESCAPE_XOR);
	case NUB_GDB_IN_SUM_HIGH:
		decoder->bad_sum = digit < 0;
		decoder->expected = (uint8_t)((unsigned)digit << 4);
		decoder->state = NUB_GDB_IN_SUM_LOW;
		return NUB_GDB_NOTHING;
	case NUB_GDB_IN_SUM_LOW:
		decoder->bad_sum = decoder->bad_sum || digit < 0;
		decoder->expected |= (uint8_t)(digit & 0xf);
		return end_packet(decoder);
	}
	return NUB_GDB_BROKEN;
}

/* What a packet can't hold as it is; an asterisk would be taken for a repetition. */
static bool is_special(uint8_t byte)
{
	return byte == '$' || byte == '#' || byte == '}' || byte == '*';
}

int nub_gdb_frame(struct nub_buffer *out, const void *data, size_t size, struct nub_error *err)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	if (nub_buffer_append(out, "$", 1, err) < 0)
		return -1;
	for (size_t i = 0; i < size; i++) {
		const bool special = is_special(bytes[i]);
		const uint8_t coded[2] = { special ? '}' : bytes[i], bytes[i] ^ ESCAPE_XOR };
		if (nub_buffer_append(out, coded, special ? 2 : 1, err) < 0)
			return -1;
		sum += (uint8_t)(coded[0] + (special ? coded[1] : 0));
	}
	return nub_gdb_put(out, err, "#%02x", sum);
}

bool nub_gdb_take_word(struct nub_gdb_text *text, const char *word)
{
	const size_t size = strlen(word);

	if ((size_t)(text->end - text->at) < size || memcmp(text->at, word, size) != 0)
		return false;
	text->at += size;
	return true;
}

bool nub_gdb_take_number(struct nub_gdb_text *text, uint64_t *number)
{
	const uint8_t *at = text->at;
	uint64_t value = 0;

	while (at < text->end && hex_digit(*at) >= 0)
		value = value << 4 | (uint64_t)hex_digit(*at++);
	if (at == text->at || at - text->at > 16)
		return false;
	text->at = at;
	*number = value;
	return true;
}

bool nub_gdb_take_range(struct nub_gdb_text *text, uint64_t *first, uint64_t *second)
{
	return nub_gdb_take_number(text, first) && nub_gdb_take_word(text, ",") && nub_gdb_take_number(text, second);
}

bool nub_gdb_take_bytes(struct nub_gdb_text *text, uint8_t *bytes, size_t size)
{
	if ((size_t)(text->end - text->at) / 2 < size)
		return false;
	for (size_t i = 0; i < size; i++) {
		const int high = hex_digit(text->at[2 * i]), low = hex_digit(text->at[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	text->at += 2 * size;
	return true;
}

int nub_gdb_put(struct nub_buffer *out, struct nub_error *err, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	const int size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (size < 0 || (size_t)size >= sizeof(text))
		return nub_fail(err, NUB_E_INTERNAL, 0, "a line for gdb takes %d bytes, at most %zu are kept", size,
		                sizeof(text) - 1);
	return nub_buffer_append(out, text, (size_t)size, err);
}

int nub_gdb_put_bytes(struct nub_buffer *out, const void *bytes, size_t size, struct nub_error *err)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < size; i++) {
		const char text[2] = { digits[byte[i] >> 4], digits[byte[i] & 0xf] };
		if (nub_buffer_append(out, text, sizeof(text), err) < 0)
			return -1;
	}
	return 0;
}
