/* The framing of gdb's remote serial protocol: packets out of a stream of bytes, and into one; hexadecimal text. Pure.
 *
 * Reference: the gdb manual, appendix "GDB Remote Serial Protocol". A packet is $DATA#CC, CC the sum of the bytes of DATA
 * in hexadecimal; in DATA, } makes the next byte itself xor 0x20. Each is answered by + or -, until both sides agree not to.
 */
#ifndef NUB_GDB_PACKET_H
#define NUB_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "nub/error.h"

/* The longest DATA that is taken, escapes undone; gdb is told. */
enum { NUB_GDB_PACKET_SIZE = 16384 };

enum nub_gdb_event {
	NUB_GDB_NOTHING,   /* more bytes are needed */
	NUB_GDB_PACKET,    /* decoder->data[0..size), a NUL after it */
	NUB_GDB_INTERRUPT, /* Ctrl-C: 0x03 between packets */
	NUB_GDB_RESEND,    /* the other side wants the last packet again */
	NUB_GDB_DAMAGED,   /* a packet whose sum is wrong: it is to be sent again */
	NUB_GDB_BROKEN,    /* too much that is not the protocol, or too long a packet: there is no use in going on */
};

enum nub_gdb_decoder_state {
	NUB_GDB_BETWEEN,
	NUB_GDB_IN_DATA,
	NUB_GDB_IN_ESCAPE,
	NUB_GDB_IN_SUM_HIGH,
	NUB_GDB_IN_SUM_LOW,
};

/* Zeroed at first. */
struct nub_gdb_decoder {
	enum nub_gdb_decoder_state state;
	uint8_t sum, expected;
	bool bad_sum;  /* no hexadecimal digits */
	unsigned junk; /* what came since the last whole packet and was none */
	size_t size;
	uint8_t data[NUB_GDB_PACKET_SIZE + 1];
};

enum nub_gdb_event nub_gdb_decode(struct nub_gdb_decoder *decoder, uint8_t byte);

/* Append data[0..size) as a packet. Error: NO_MEMORY. */
int nub_gdb_frame(struct nub_buffer *out, const void *data, size_t size, struct nub_error *err);

/* ---- Taking a packet apart: each steps over what it took, and takes nothing when it gives false ---- */

struct nub_gdb_text {
	const uint8_t *at, *end;
};

bool nub_gdb_take_word(struct nub_gdb_text *text, const char *word);

/* 1 to 16 hexadecimal digits. */
bool nub_gdb_take_number(struct nub_gdb_text *text, uint64_t *number);

/* Two numbers, separated by a comma. */
bool nub_gdb_take_range(struct nub_gdb_text *text, uint64_t *first, uint64_t *second);

/* 2 * size hexadecimal digits. */
bool nub_gdb_take_bytes(struct nub_gdb_text *text, uint8_t *bytes, size_t size);

/* ---- Putting one together. Error: NO_MEMORY ---- */

int nub_gdb_put(struct nub_buffer *out, struct nub_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int nub_gdb_put_bytes(struct nub_buffer *out, const void *bytes, size_t size, struct nub_error *err);

#endif
