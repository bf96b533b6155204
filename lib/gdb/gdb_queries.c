/* What gdb asks about the target as a whole: what the stub can do, where things are, which threads there are. */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "gdb/gdb_protocol.h"

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
	                   "hwbreak+;vContSupported+;binary-upload+%s%s",
	                   NUB_GDB_PACKET_SIZE,
	                   session->target->program ? ";qXfer:threads:read+;qXfer:siginfo:read+;QPassSignals+" : "",
	                   session->target->path ? ";qXfer:exec-file:read+" : "");
}

/* A part of session->text, as qXfer asks for it: OFFSET,LENGTH. */
static int put_part(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const struct nub_buffer *text = &session->text;
	uint64_t offset, size;

	if (!nub_gdb_take_range(packet, &offset, &size) || offset > text->size)
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
	const struct nub_gdb_target *target = session->target;
	size_t size = 0;
	const uint8_t *own = target->auxv(target->context, &size);
	const Elf64_auxv_t auxv[] = {
		{ .a_type = AT_PAGESZ, .a_un.a_val = NUB_PAGE_SIZE },
		{ .a_type = AT_BASE, .a_un.a_val = 0 },
		{ .a_type = AT_ENTRY, .a_un.a_val = target->entry },
		{ .a_type = AT_NULL, .a_un.a_val = 0 },
	};

	return own ? nub_buffer_append(&session->text, own, size, err)
	           : nub_buffer_append(&session->text, auxv, sizeof(auxv), err);
}

/* exec-file:read:[PID]: */
static bool take_exec_file(struct nub_gdb_text *packet)
{
	uint64_t pid;

	if (!nub_gdb_take_word(packet, "exec-file:read:"))
		return false;
	nub_gdb_take_number(packet, &pid);
	return nub_gdb_take_word(packet, ":");
}

static int build_siginfo(struct nub_gdb_session *session, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	siginfo_t info;

	if (!target->siginfo(target->context, &info))
		return 0;
	return nub_buffer_append(&session->text, &info, sizeof(info), err);
}

static int query_transfer(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const char *path = session->target->path;
	int result;

	session->text.size = 0;
	if (nub_gdb_take_word(packet, "features:read:target.xml:"))
		result = nub_gdb_describe(&session->text, session->target->program, err);
	else if (nub_gdb_take_word(packet, "auxv:read::"))
		result = build_auxv(session, err);
	else if (nub_gdb_take_word(packet, "threads:read::"))
		result = nub_gdb_describe_threads(session, err);
	else if (nub_gdb_take_word(packet, "siginfo:read::"))
		result = build_siginfo(session, err);
	else if (path && take_exec_file(packet))
		result = nub_buffer_append(&session->text, path, strlen(path), err);
	else
		return 0;
	if (result == 0 && session->text.size == 0)
		return nub_gdb_put_error(session, NUB_GDB_ERROR_STATE, err);
	return result < 0 ? -1 : put_part(session, packet, err);
}

/* qRcmd,HEX: its answer is text in hexadecimal, too. */
static int query_command(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	const size_t size = (size_t)(packet->end - packet->at) / 2;
	char command[MAX_COMMAND + 1];

	if (size > MAX_COMMAND || !nub_gdb_take_bytes(packet, (uint8_t *)command, size))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
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

/* QPassSignals:SIGNAL;SIGNAL…: gdb need not see these. */
static int pass_signals(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	uint64_t signal;

	session->passed_signals = 0;
	while (nub_gdb_take_number(packet, &signal)) {
		const int number = nub_gdb_signal_to_linux(signal);
		if (number > 0)
			session->passed_signals |= UINT64_C(1) << (number - 1);
		nub_gdb_take_word(packet, ";");
	}
	return nub_gdb_put(&session->reply, err, "OK");
}

static int query_threads(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	if (nub_gdb_take_word(packet, "qfThreadInfo"))
		return nub_gdb_list_threads(session, true, err);
	if (nub_gdb_take_word(packet, "qsThreadInfo"))
		return nub_gdb_list_threads(session, false, err);
	if (nub_gdb_take_word(packet, "qGetTLSAddr:"))
		return nub_gdb_find_tls(session, packet, err);
	if (nub_gdb_take_word(packet, "qC"))
		return nub_gdb_put(&session->reply, err, "QC%" PRIx32, session->tid);
	return 0;
}

/* How far the file was moved. Of a Linux program the auxiliary vector says it. */
static int put_offsets(struct nub_gdb_session *session, struct nub_error *err)
{
	if (session->target->program)
		return 0;
	return nub_gdb_put(&session->reply, err, "TextSeg=%" PRIx64, session->target->image_base);
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
		return put_offsets(session, err);
	/* Started, not found running: when gdb goes, it kills the guest. */
	if (nub_gdb_take_word(packet, "qAttached"))
		return nub_gdb_put(reply, err, "0");
	if (session->target->program && nub_gdb_take_word(packet, "QPassSignals:"))
		return pass_signals(session, packet, err);
	if (session->target->program && nub_gdb_take_word(packet, "qSymbol:"))
		return nub_gdb_learn_symbol(session, packet, err);
	return query_threads(session, packet, err);
}
