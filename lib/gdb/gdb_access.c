/* The commands that read and write registers, memory and breakpoints. */
#include "gdb/gdb_session.h"

/* Bytes of memory in one reply, two digits each. */
enum { MAX_READ = NUB_GDB_PACKET_SIZE / 2 - 16 };

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
