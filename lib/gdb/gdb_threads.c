/* Threads of the target: which there are, which one gdb is about, and how they go on. */
#include <inttypes.h>
#include <string.h>

#include "gdb/gdb_protocol.h"

/* So many numbers fit into a packet. */
enum { THREADS_A_PACKET = 1024 };

static bool exists(const struct nub_gdb_session *session, uint64_t tid)
{
	const struct nub_gdb_target *target = session->target;
	char name[NUB_GDB_THREAD_NAME];
	uint32_t at;

	for (size_t i = 0; target->thread(target->context, i, &at, name); i++)
		if (at == tid)
			return true;
	return false;
}

/* A thread's number; -1 for all of them, 0 for any, which is the one that stopped. */
static bool take_thread(struct nub_gdb_session *session, struct nub_gdb_text *text, uint32_t *tid, bool *all)
{
	uint64_t number;

	*all = nub_gdb_take_word(text, "-1");
	*tid = session->stop.tid;
	if (*all)
		return true;
	if (!nub_gdb_take_number(text, &number) || number > UINT32_MAX)
		return false;
	if (number != 0)
		*tid = (uint32_t)number;
	return true;
}

int nub_gdb_choose_thread(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const bool general = nub_gdb_take_word(packet, "g");
	uint32_t tid;
	bool all;

	/* Who goes on is said by vCont. */
	if (!general)
		return nub_gdb_put(&session->reply, err, "OK");
	if (!take_thread(session, packet, &tid, &all))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	if (!exists(session, tid))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_STATE, err);
	session->tid = tid;
	return nub_gdb_put(&session->reply, err, "OK");
}

int nub_gdb_is_alive(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	uint64_t tid;

	if (!nub_gdb_take_number(packet, &tid) || !exists(session, tid))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_STATE, err);
	return nub_gdb_put(&session->reply, err, "OK");
}

int nub_gdb_list_threads(struct nub_gdb_session *session, bool first, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	char name[NUB_GDB_THREAD_NAME];
	uint32_t tid;

	if (first)
		session->thread_index = 0;
	for (unsigned count = 0; count < THREADS_A_PACKET; count++) {
		if (!target->thread(target->context, session->thread_index, &tid, name))
			return count == 0 ? nub_gdb_put(&session->reply, err, "l") : 0;
		if (nub_gdb_put(&session->reply, err, "%c%" PRIx32, count == 0 ? 'm' : ',', tid) < 0)
			return -1;
		session->thread_index++;
	}
	return 0;
}

/* A program names its threads as it likes. */
static int put_name(struct nub_buffer *text, const char *name, struct nub_error *err)
{
	for (size_t i = 0; i < NUB_GDB_THREAD_NAME && name[i] != '\0'; i++) {
		const char at = name[i];
		const bool printable = at >= ' ' && at <= '~';
		if (nub_gdb_put(text, err, printable && strchr("<>&\"'", at) ? "&#%d;" : "%c", printable ? at : '?') <
		    0)
			return -1;
	}
	return 0;
}

int nub_gdb_describe_threads(struct nub_gdb_session *session, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	struct nub_buffer *text = &session->text;
	char name[NUB_GDB_THREAD_NAME];
	uint32_t tid;

	if (nub_gdb_put(text, err, "<?xml version=\"1.0\"?>\n<threads>\n") < 0)
		return -1;
	for (size_t i = 0; target->thread(target->context, i, &tid, name); i++)
		if (nub_gdb_put(text, err, "<thread id=\"%" PRIx32 "\"", tid) < 0 ||
		    (name[0] != '\0' && (nub_gdb_put(text, err, " name=\"") < 0 || put_name(text, name, err) < 0 ||
		                         nub_gdb_put(text, err, "\"") < 0)) ||
		    nub_gdb_put(text, err, "/>\n") < 0)
			return -1;
	return nub_gdb_put(text, err, "</threads>\n");
}

int nub_gdb_learn_symbol(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	static const char name[] = "_thread_db_link_map_l_tls_modid";
	uint8_t told[sizeof(name) - 1];
	uint64_t value = 0;

	const bool has_value = nub_gdb_take_number(packet, &value);
	if (!nub_gdb_take_word(packet, ":"))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	/* There are new ones: is ours among them? */
	if (packet->at == packet->end) {
		if (nub_gdb_put(&session->reply, err, "qSymbol:") < 0)
			return -1;
		return nub_gdb_put_bytes(&session->reply, name, strlen(name), err);
	}
	if (has_value && nub_gdb_take_bytes(packet, told, sizeof(told)) && memcmp(told, name, sizeof(told)) == 0)
		session->tls_numbers = value;
	return nub_gdb_put(&session->reply, err, "OK");
}

int nub_gdb_find_tls(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	uint64_t tid, offset, module, gva;

	if (!nub_gdb_take_range(packet, &tid, &offset) || !nub_gdb_take_word(packet, ",") ||
	    !nub_gdb_take_number(packet, &module) || tid > UINT32_MAX)
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	if (!target->tls(target->context, (uint32_t)tid, offset, module, session->tls_numbers, &gva))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ADDRESS, err);
	return nub_gdb_put(&session->reply, err, "%" PRIx64, gva);
}

/* ---- Going on ---- */

static void note_signal(struct nub_gdb_session *session, uint64_t signal, uint32_t tid)
{
	session->resume.signal = nub_gdb_signal_to_linux(signal);
	session->resume.signal_tid = tid;
}

enum nub_gdb_action nub_gdb_resume_one(struct nub_gdb_session *session, struct nub_gdb_text *packet, char command)
{
	uint64_t signal;

	session->resume = (struct nub_gdb_resume){ 0 };
	if ((command == 'C' || command == 'S') && nub_gdb_take_number(packet, &signal))
		note_signal(session, signal, session->stop.tid);
	if (command == 'c' || command == 'C')
		return NUB_GDB_CONTINUE;
	session->resume.step_tid = session->stop.tid;
	return NUB_GDB_STEP;
}

/* What one action of vCont says. */
struct wish {
	bool step, has_signal, all;
	uint64_t start, end, signal;
	uint32_t tid;
};

static bool take_wish(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct wish *wish)
{
	*wish = (struct wish){ .all = true, .tid = session->stop.tid };
	if (nub_gdb_take_word(packet, ";C")) {
		wish->has_signal = true;
	} else if (nub_gdb_take_word(packet, ";S")) {
		wish->has_signal = wish->step = true;
	} else if (nub_gdb_take_word(packet, ";r")) {
		wish->step = true;
		if (!nub_gdb_take_range(packet, &wish->start, &wish->end))
			return false;
	} else if (nub_gdb_take_word(packet, ";s")) {
		wish->step = true;
	} else if (!nub_gdb_take_word(packet, ";c")) {
		return false;
	}
	if (wish->has_signal && !nub_gdb_take_number(packet, &wish->signal))
		return false;
	return !nub_gdb_take_word(packet, ":") || take_thread(session, packet, &wish->tid, &wish->all);
}

/* vCont;ACTION[:THREAD]…: of those that fit a thread the first is for it; a thread that none fits does not run. Here one steps,
 * one gets a signal, and either one runs or all: gdb wants no more of a target that stops as a whole. */
enum nub_gdb_action nub_gdb_resume_by(struct nub_gdb_session *session, struct nub_gdb_text *packet)
{
	struct nub_gdb_resume resume = { 0 };
	bool all = false, step = false;
	unsigned named = 0;
	struct wish wish;

	do {
		if (!take_wish(session, packet, &wish))
			return NUB_GDB_WAIT;
		all = all || wish.all;
		named += !wish.all;
		if (!wish.all)
			resume.only_tid = wish.tid;
		if (wish.step && !step) {
			step = true;
			resume.step_tid = wish.tid;
			resume.range_start = wish.start;
			resume.range_end = wish.end;
		}
		if (wish.has_signal && resume.signal == 0) {
			resume.signal = nub_gdb_signal_to_linux(wish.signal);
			resume.signal_tid = wish.tid;
		}
	} while (packet->at < packet->end);
	if (all || named != 1)
		resume.only_tid = 0;
	session->resume = resume;
	return step ? NUB_GDB_STEP : NUB_GDB_CONTINUE;
}
