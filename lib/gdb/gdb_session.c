/* The conversation with gdb, packet by packet. */
#include <inttypes.h>
#include <string.h>

#include "gdb/gdb_protocol.h"

/* While the target runs, gdb sends Ctrl-C and little else. Somebody who floods it would keep it from running. */
enum { MAX_WHILE_RUNNING = 4096 };

void nub_gdb_session_init(struct nub_gdb_session *session, const struct nub_gdb_target *target)
{
	session->target = target;
	session->stop = (struct nub_gdb_stop){ .signal = NUB_GDB_SIGTRAP, .tid = NUB_GDB_ONLY_THREAD };
	session->tid = NUB_GDB_ONLY_THREAD;
}

void nub_gdb_session_release(struct nub_gdb_session *session)
{
	nub_buffer_release(&session->out);
	nub_buffer_release(&session->reply);
	nub_buffer_release(&session->last);
	nub_buffer_release(&session->text);
}

/* ---- Replies ---- */

static int send_reply(struct nub_gdb_session *session, struct nub_error *err)
{
	session->last.size = 0;
	if (nub_gdb_frame(&session->last, session->reply.bytes, session->reply.size, err) < 0)
		return -1;
	return nub_buffer_append(&session->out, session->last.bytes, session->last.size, err);
}

static int put_stop_kind(struct nub_gdb_session *session, struct nub_error *err)
{
	switch (session->stop.kind) {
	case NUB_GDB_STOP_SWBREAK:
		return session->swbreak ? nub_gdb_put(&session->reply, err, "swbreak:;") : 0;
	case NUB_GDB_STOP_HWBREAK:
		return session->hwbreak ? nub_gdb_put(&session->reply, err, "hwbreak:;") : 0;
	case NUB_GDB_STOP_WATCH:
		return nub_gdb_put(&session->reply, err, "watch:%" PRIx64 ";", session->stop.gva);
	case NUB_GDB_STOP_AWATCH:
		return nub_gdb_put(&session->reply, err, "awatch:%" PRIx64 ";", session->stop.gva);
	case NUB_GDB_STOP_PLAIN:
		break;
	}
	return 0;
}

/* Why it stopped, with the registers that gdb asks for first. */
static int put_stop(struct nub_gdb_session *session, struct nub_error *err)
{
	static const uint8_t first[] = { NUB_GDB_RBP, NUB_GDB_RSP, NUB_GDB_RIP };
	const struct nub_gdb_target *target = session->target;
	struct nub_gdb_registers registers;

	if (nub_gdb_put(&session->reply, err, "T%02x", session->stop.signal) < 0)
		return -1;
	if (target->read_registers(target->context, session->stop.tid, &registers))
		for (size_t i = 0; i < sizeof(first); i++)
			if (nub_gdb_put(&session->reply, err, "%02x:", first[i]) < 0 ||
			    nub_gdb_put_register(session, &registers, first[i], err) < 0 ||
			    nub_gdb_put(&session->reply, err, ";") < 0)
				return -1;
	if (nub_gdb_put(&session->reply, err, "thread:%" PRIx32 ";", session->stop.tid) < 0)
		return -1;
	return put_stop_kind(session, err);
}

/* ---- Packets ---- */

/* The packets that begin with v. */
static int serve_v(struct nub_gdb_session *session, struct nub_gdb_text *packet, enum nub_gdb_action *action,
                   struct nub_error *err)
{
	if (nub_gdb_take_word(packet, "Cont?"))
		return nub_gdb_put(&session->reply, err, "vCont;c;C;s;S;r");
	if (nub_gdb_take_word(packet, "Cont")) {
		*action = nub_gdb_resume_by(session, packet);
		return *action == NUB_GDB_WAIT ? nub_gdb_put(&session->reply, err, "E16") : 0;
	}
	if (nub_gdb_take_word(packet, "Kill")) {
		*action = NUB_GDB_KILL;
		return nub_gdb_put(&session->reply, err, "OK");
	}
	return 0;
}

/* One packet: its reply, and whether it sets the target going. */
static int serve(struct nub_gdb_session *session, struct nub_gdb_text *packet, enum nub_gdb_action *action,
                 struct nub_error *err)
{
	const char command = packet->at < packet->end ? (char)*packet->at++ : '\0';

	switch (command) {
	case '?':
		return put_stop(session, err);
	case 'g':
		return nub_gdb_read_all(session, err);
	case 'G':
		return nub_gdb_write_all(session, packet, err);
	case 'p':
		return nub_gdb_read_one(session, packet, err);
	case 'P':
		return nub_gdb_write_one(session, packet, err);
	case 'm':
	case 'x':
		return nub_gdb_read_memory(session, packet, command == 'x', err);
	case 'M':
	case 'X':
		return nub_gdb_write_memory(session, packet, command == 'X', err);
	case 'Z':
	case 'z':
		return nub_gdb_change_breakpoint(session, packet, command == 'Z', err);
	case 'c':
	case 'C':
	case 's':
	case 'S':
		*action = nub_gdb_resume_one(session, packet, command);
		return 0;
	case 'D':
		*action = NUB_GDB_DETACH;
		return nub_gdb_put(&session->reply, err, "OK");
	case 'k':
		*action = NUB_GDB_KILL;
		return 0;
	case 'H':
		return nub_gdb_choose_thread(session, packet, err);
	case 'T':
		return nub_gdb_is_alive(session, packet, err);
	case 'v':
		return serve_v(session, packet, action, err);
	case 'q':
	case 'Q':
		packet->at--;
		return nub_gdb_query(session, packet, err);
	default:
		return 0;
	}
}

static bool says_resume(enum nub_gdb_action action)
{
	return action == NUB_GDB_CONTINUE || action == NUB_GDB_STEP;
}

static enum nub_gdb_action take_packet(struct nub_gdb_session *session)
{
	const struct nub_gdb_decoder *decoder = &session->decoder;
	struct nub_gdb_text packet = { decoder->data, decoder->data + decoder->size };
	enum nub_gdb_action action = NUB_GDB_WAIT;
	const bool killed = packet.at < packet.end && *packet.at == 'k';

	if (!session->no_ack && nub_buffer_append(&session->out, "+", 1, NULL) < 0)
		return NUB_GDB_DETACH;
	/* A target that runs answers when it stops. */
	if (session->running)
		return killed ? NUB_GDB_KILL : NUB_GDB_WAIT;
	session->reply.size = 0;
	if (serve(session, &packet, &action, NULL) < 0)
		return NUB_GDB_DETACH;
	session->running = says_resume(action);
	session->while_running = 0;
	if (!session->running && !killed && send_reply(session, NULL) < 0)
		return NUB_GDB_DETACH;
	return action;
}

enum nub_gdb_action nub_gdb_session_take(struct nub_gdb_session *session, uint8_t byte)
{
	int result = 0;

	if (session->running && ++session->while_running > MAX_WHILE_RUNNING)
		return NUB_GDB_DETACH;
	switch (nub_gdb_decode(&session->decoder, byte)) {
	case NUB_GDB_NOTHING:
		break;
	case NUB_GDB_PACKET:
		return take_packet(session);
	case NUB_GDB_INTERRUPT:
		return session->running ? NUB_GDB_STOP : NUB_GDB_WAIT;
	case NUB_GDB_RESEND:
		result = nub_buffer_append(&session->out, session->last.bytes, session->last.size, NULL);
		break;
	case NUB_GDB_DAMAGED:
		result = session->no_ack ? 0 : nub_buffer_append(&session->out, "-", 1, NULL);
		break;
	case NUB_GDB_BROKEN:
		return NUB_GDB_DETACH;
	}
	return result < 0 ? NUB_GDB_DETACH : NUB_GDB_WAIT;
}

int nub_gdb_session_stopped(struct nub_gdb_session *session, const struct nub_gdb_stop *stop, struct nub_error *err)
{
	session->running = false;
	session->stop = *stop;
	if (session->stop.tid == 0)
		session->stop.tid = NUB_GDB_ONLY_THREAD;
	session->tid = session->stop.tid;
	session->reply.size = 0;
	return put_stop(session, err) < 0 ? -1 : send_reply(session, err);
}

int nub_gdb_session_exited(struct nub_gdb_session *session, uint8_t code, struct nub_error *err)
{
	session->running = false;
	session->reply.size = 0;
	return nub_gdb_put(&session->reply, err, "W%02x", code) < 0 ? -1 : send_reply(session, err);
}

int nub_gdb_session_signalled(struct nub_gdb_session *session, unsigned signal, struct nub_error *err)
{
	session->running = false;
	session->reply.size = 0;
	return nub_gdb_put(&session->reply, err, "X%02x", signal) < 0 ? -1 : send_reply(session, err);
}

int nub_gdb_session_tell(struct nub_gdb_session *session, const char *text, struct nub_error *err)
{
	session->reply.size = 0;
	if (nub_gdb_put(&session->reply, err, "O") < 0 ||
	    nub_gdb_put_bytes(&session->reply, text, strlen(text), err) < 0)
		return -1;
	return send_reply(session, err);
}
