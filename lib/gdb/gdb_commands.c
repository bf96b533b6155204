/* What gdb asks and commands of a stopped guest: registers, memory, breakpoints; what the stub can do, where things are. */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "gdb/gdb_protocol.h"

/* Bytes of memory in one reply, two digits each. */
enum { MAX_READ = NUB_GDB_PACKET_SIZE / 2 - 16 };

/* The longest `monitor` command: a path and a word. */
enum { MAX_COMMAND = 4096 + 32 };

/* errno values, as the protocol's errors have them. */
enum { ERROR_STATE = 1, ERROR_ADDRESS = 14, ERROR_ARGUMENT = 22 };

static int put_error(struct nub_gdb_session *session, unsigned code, struct nub_error *err)
{
	session->reply.size = 0;
	return nub_gdb_put(&session->reply, err, "E%02x", code);
}

static int put_done(struct nub_gdb_session *session, bool done, unsigned code, struct nub_error *err)
{
	return done ? nub_gdb_put(&session->reply, err, "OK") : put_error(session, code, err);
}

/* ---- Registers ---- */

int nub_gdb_put_register(struct nub_gdb_session *session, const struct nub_cpu *cpu, unsigned number,
                         struct nub_error *err)
{
	uint8_t value[NUB_GDB_REGISTER_MAX];

	nub_gdb_register_get(cpu, number, value);
	return nub_gdb_put_bytes(&session->reply, value, nub_gdb_register_size(number), err);
}

int nub_gdb_read_all(struct nub_gdb_session *session, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	struct nub_cpu cpu;

	if (!target->read_cpu(target->context, &cpu))
		return put_error(session, ERROR_STATE, err);
	for (unsigned i = 0; i < NUB_GDB_REGISTER_COUNT; i++)
		if (nub_gdb_put_register(session, &cpu, i, err) < 0)
			return -1;
	return 0;
}

/* gdb writes all to change some: what can't be changed stays. */
int nub_gdb_write_all(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	uint8_t value[NUB_GDB_REGISTER_MAX];
	struct nub_cpu cpu;

	if (!target->read_cpu(target->context, &cpu))
		return put_error(session, ERROR_STATE, err);
	for (unsigned i = 0; i < NUB_GDB_REGISTER_COUNT; i++) {
		if (!nub_gdb_take_bytes(packet, value, nub_gdb_register_size(i)))
			return put_error(session, ERROR_ARGUMENT, err);
		nub_gdb_register_set(&cpu, i, value);
	}
	return put_done(session, target->write_cpu(target->context, &cpu), ERROR_STATE, err);
}

int nub_gdb_read_one(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	struct nub_cpu cpu;
	uint64_t number;

	if (!nub_gdb_take_number(packet, &number) || number >= NUB_GDB_REGISTER_COUNT)
		return put_error(session, ERROR_ARGUMENT, err);
	if (!target->read_cpu(target->context, &cpu))
		return put_error(session, ERROR_STATE, err);
	return nub_gdb_put_register(session, &cpu, (unsigned)number, err);
}

int nub_gdb_write_one(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	uint8_t value[NUB_GDB_REGISTER_MAX];
	struct nub_cpu cpu;
	uint64_t number;

	if (!nub_gdb_take_number(packet, &number) || number >= NUB_GDB_REGISTER_COUNT ||
	    !nub_gdb_take_word(packet, "=") ||
	    !nub_gdb_take_bytes(packet, value, nub_gdb_register_size((unsigned)number)))
		return put_error(session, ERROR_ARGUMENT, err);
	if (!target->read_cpu(target->context, &cpu))
		return put_error(session, ERROR_STATE, err);
	if (!nub_gdb_register_set(&cpu, (unsigned)number, value))
		return put_error(session, ERROR_ARGUMENT, err);
	return put_done(session, target->write_cpu(target->context, &cpu), ERROR_STATE, err);
}

/* ---- Memory ---- */

int nub_gdb_read_memory(struct nub_gdb_session *session, struct nub_gdb_text *packet, bool binary,
                        struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	uint8_t bytes[MAX_READ];
	uint64_t gva, size;

	if (!nub_gdb_take_range(packet, &gva, &size))
		return put_error(session, ERROR_ARGUMENT, err);
	const size_t wanted = size < MAX_READ ? size : MAX_READ;
	const size_t got = target->read_memory(target->context, gva, bytes, wanted);
	if (got == 0 && wanted > 0)
		return put_error(session, ERROR_ADDRESS, err);
	if (!binary)
		return nub_gdb_put_bytes(&session->reply, bytes, got, err);
	return nub_gdb_put(&session->reply, err, "b") < 0 ? -1 : nub_buffer_append(&session->reply, bytes, got, err);
}

int nub_gdb_write_memory(struct nub_gdb_session *session, struct nub_gdb_text *packet, bool binary,
                         struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	uint8_t decoded[NUB_GDB_PACKET_SIZE / 2];
	const uint8_t *bytes = decoded;
	uint64_t gva, size;

	if (!nub_gdb_take_range(packet, &gva, &size) || !nub_gdb_take_word(packet, ":"))
		return put_error(session, ERROR_ARGUMENT, err);
	if (binary && size == (uint64_t)(packet->end - packet->at))
		bytes = packet->at;
	else if (binary || size > sizeof(decoded) || !nub_gdb_take_bytes(packet, decoded, size))
		return put_error(session, ERROR_ARGUMENT, err);
	return put_done(session, target->write_memory(target->context, gva, bytes, size), ERROR_ADDRESS, err);
}

/* ---- Breakpoints ---- */

/* Z1, Z2 and Z4; what there is none of (Z3, on this architecture) gets the empty reply. */
static int change_hardware(struct nub_gdb_session *session, struct nub_gdb_text *packet, uint64_t type, uint64_t gva,
                           bool add, struct nub_error *err)
{
	static const struct {
		bool there;
		enum nub_gdb_hardware_kind kind;
	} types[] = { [1] = { true, NUB_GDB_EXECUTE }, [2] = { true, NUB_GDB_WRITE }, [4] = { true, NUB_GDB_ACCESS } };
	const struct nub_gdb_target *target = session->target;
	uint64_t size;

	if (type >= sizeof(types) / sizeof(types[0]) || !types[type].there ||
	    !target->has_hardware(target->context, types[type].kind))
		return 0;
	if (!nub_gdb_take_word(packet, ",") || !nub_gdb_take_number(packet, &size))
		return put_error(session, ERROR_ARGUMENT, err);
	if (add)
		return put_done(session, target->add_hardware(target->context, types[type].kind, gva, size),
		                ERROR_ARGUMENT, err);
	target->remove_hardware(target->context, types[type].kind, gva, size);
	return nub_gdb_put(&session->reply, err, "OK");
}

/* Z and z; type 0 are software breakpoints. */
int nub_gdb_change_breakpoint(struct nub_gdb_session *session, struct nub_gdb_text *packet, bool add,
                              struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	uint64_t type, gva;

	if (!nub_gdb_take_number(packet, &type) || !nub_gdb_take_word(packet, ",") ||
	    !nub_gdb_take_number(packet, &gva))
		return put_error(session, ERROR_ARGUMENT, err);
	if (type != 0)
		return change_hardware(session, packet, type, gva, add, err);
	if (add)
		return put_done(session, target->add_breakpoint(target->context, gva), ERROR_ADDRESS, err);
	target->remove_breakpoint(target->context, gva);
	return nub_gdb_put(&session->reply, err, "OK");
}

/* ---- Queries ---- */

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
		return put_error(session, ERROR_ARGUMENT, err);
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
