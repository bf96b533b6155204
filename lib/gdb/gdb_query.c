/* The queries that gdb sends: what the stub can do, where the guest is, what there is to read about it. */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "gdb/gdb_session.h"

/* The longest `monitor` command: a path and a word. */
enum { MAX_COMMAND = 4096 + 32 };

static int query_supported(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	/* What gdb can do is separated by semicolons. */
	while (packet->at < packet->end) {
		if (nub_gdb_take_word(packet, "swbreak+"))
			session->swbreak = true;
		else if (nub_gdb_take_word(packet, "hwbreak+"))
			session->hwbreak = true;
		else
			packet->at++;
	}
	return nub_gdb_put(&session->reply, err,
	                   "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:auxv:read+;swbreak+;"
	                   "hwbreak+;vContSupported+;binary-upload+",
	                   NUB_GDB_PACKET_SIZE);
}

/* A part of session->text, as qXfer asks for it: OFFSET,LENGTH. */
static int put_part(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const struct nub_buffer *text = &session->text;
	uint64_t offset, size;

	if (!nub_gdb_take_number(packet, &offset) || !nub_gdb_take_word(packet, ",") ||
	    !nub_gdb_take_number(packet, &size) || offset > text->size)
		return nub_gdb_put(&session->reply, err, "E00");
	const uint64_t left = text->size - offset;
	/* Escapes can double what is sent. */
	if (size > NUB_GDB_PACKET_SIZE / 2)
		size = NUB_GDB_PACKET_SIZE / 2;
	if (nub_gdb_put(&session->reply, err, "%c", size < left ? 'm' : 'l') < 0)
		return -1;
	return nub_buffer_append(&session->reply, text->bytes + offset, size < left ? size : left, err);
}

/* With the entry point, gdb finds out how far a position-independent guest was moved. */
static int build_auxv(struct nub_gdb_session *session, struct nub_error *err)
{
	const Elf64_auxv_t auxv[] = {
		{ .a_type = AT_PAGESZ, .a_un.a_val = NUB_PAGE_SIZE },
		{ .a_type = AT_BASE, .a_un.a_val = 0 },
		{ .a_type = AT_ENTRY, .a_un.a_val = session->target->entry },
		{ .a_type = AT_NULL, .a_un.a_val = 0 },
	};

	return nub_buffer_append(&session->text, auxv, sizeof(auxv), err);
}

static int query_transfer(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	int result;

	session->text.size = 0;
	if (nub_gdb_take_word(packet, "features:read:target.xml:"))
		result = nub_gdb_describe(&session->text, err);
	else if (nub_gdb_take_word(packet, "auxv:read::"))
		result = build_auxv(session, err);
	else
		return 0;
	return result < 0 ? -1 : put_part(session, packet, err);
}

/* qRcmd,HEX: its answer is text in hexadecimal, too. */
static int query_command(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	const size_t size = (size_t)(packet->end - packet->at) / 2;
	char command[MAX_COMMAND + 1];

	if (size > MAX_COMMAND || !nub_gdb_take_bytes(packet, (uint8_t *)command, size))
		return nub_gdb_put(&session->reply, err, "E16");
	command[size] = '\0';
	session->text.size = 0;
	if (target->monitor(target->context, command, &session->text, err) < 0)
		return -1;
	/* gdb takes no longer packet than we do. */
	const size_t shown =
	    session->text.size < NUB_GDB_PACKET_SIZE / 2 - 1 ? session->text.size : NUB_GDB_PACKET_SIZE / 2 - 1;
	if (shown == 0)
		return nub_gdb_put(&session->reply, err, "OK");
	return nub_gdb_put_bytes(&session->reply, session->text.bytes, shown, err);
}

int nub_gdb_query(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	struct nub_buffer *reply = &session->reply;

	if (nub_gdb_take_word(packet, "qSupported"))
		return query_supported(session, packet, err);
	if (nub_gdb_take_word(packet, "QStartNoAckMode")) {
		session->no_ack = true;
		return nub_gdb_put(reply, err, "OK");
	}
	if (nub_gdb_take_word(packet, "qXfer:"))
		return query_transfer(session, packet, err);
	if (nub_gdb_take_word(packet, "qRcmd,"))
		return query_command(session, packet, err);
	if (nub_gdb_take_word(packet, "qOffsets"))
		return nub_gdb_put(reply, err, "TextSeg=%" PRIx64, session->target->image_base);
	/* Started, not found running: when gdb goes, it kills the guest. */
	if (nub_gdb_take_word(packet, "qAttached"))
		return nub_gdb_put(reply, err, "0");
	if (nub_gdb_take_word(packet, "qfThreadInfo"))
		return nub_gdb_put(reply, err, "m1");
	if (nub_gdb_take_word(packet, "qsThreadInfo"))
		return nub_gdb_put(reply, err, "l");
	if (nub_gdb_take_word(packet, "qC"))
		return nub_gdb_put(reply, err, "QC1");
	return 0;
}
