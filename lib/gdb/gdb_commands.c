/* What gdb asks and commands of a stopped guest: registers, memory, breakpoints. */
#include <string.h>

#include "gdb/gdb_protocol.h"

/* Bytes of memory in one reply, two digits each. */
enum { MAX_READ = NUB_GDB_PACKET_SIZE / 2 - 16 };

int nub_gdb_put_error(struct nub_gdb_session *session, unsigned code, struct nub_error *err)
{
	session->reply.size = 0;
	return nub_gdb_put(&session->reply, err, "E%02x", code);
}

static int put_done(struct nub_gdb_session *session, bool done, unsigned code, struct nub_error *err)
{
	return done ? nub_gdb_put(&session->reply, err, "OK") : nub_gdb_put_error(session, code, err);
}

/* ---- Registers ---- */

static unsigned register_count(const struct nub_gdb_session *session)
{
	return session->target->program ? NUB_GDB_ORIG_RAX + 1 : NUB_GDB_REGISTER_COUNT;
}

static size_t register_size(unsigned number)
{
	return number == NUB_GDB_ORIG_RAX ? sizeof(int64_t) : nub_gdb_register_size(number);
}

static bool set_register(struct nub_gdb_registers *registers, unsigned number, const uint8_t *in)
{
	if (number != NUB_GDB_ORIG_RAX)
		return nub_gdb_register_set(&registers->cpu, number, in);
	memcpy(&registers->call, in, sizeof(registers->call));
	return true;
}

static bool read_registers(const struct nub_gdb_session *session, struct nub_gdb_registers *registers)
{
	return session->target->read_registers(session->target->context, session->tid, registers);
}

static bool write_registers(const struct nub_gdb_session *session, const struct nub_gdb_registers *registers)
{
	return session->target->write_registers(session->target->context, session->tid, registers);
}

int nub_gdb_put_register(struct nub_gdb_session *session, const struct nub_gdb_registers *registers, unsigned number,
                         struct nub_error *err)
{
	uint8_t value[NUB_GDB_REGISTER_MAX];

	if (number == NUB_GDB_ORIG_RAX)
		return nub_gdb_put_bytes(&session->reply, &registers->call, sizeof(registers->call), err);
	nub_gdb_register_get(&registers->cpu, number, value);
	return nub_gdb_put_bytes(&session->reply, value, nub_gdb_register_size(number), err);
}

int nub_gdb_read_all(struct nub_gdb_session *session, struct nub_error *err)
{
	struct nub_gdb_registers registers;

	if (!read_registers(session, &registers))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_STATE, err);
	for (unsigned i = 0; i < register_count(session); i++)
		if (nub_gdb_put_register(session, &registers, i, err) < 0)
			return -1;
	return 0;
}

/* gdb writes all to change some: what can't be changed stays. */
int nub_gdb_write_all(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	struct nub_gdb_registers registers;
	uint8_t value[NUB_GDB_REGISTER_MAX];

	if (!read_registers(session, &registers))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_STATE, err);
	for (unsigned i = 0; i < register_count(session); i++) {
		if (!nub_gdb_take_bytes(packet, value, register_size(i)))
			return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
		set_register(&registers, i, value);
	}
	return put_done(session, write_registers(session, &registers), NUB_GDB_ERROR_STATE, err);
}

int nub_gdb_read_one(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	struct nub_gdb_registers registers;
	uint64_t number;

	if (!nub_gdb_take_number(packet, &number) || number >= register_count(session))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	if (!read_registers(session, &registers))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_STATE, err);
	return nub_gdb_put_register(session, &registers, (unsigned)number, err);
}

int nub_gdb_write_one(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err)
{
	struct nub_gdb_registers registers;
	uint8_t value[NUB_GDB_REGISTER_MAX];
	uint64_t number;

	if (!nub_gdb_take_number(packet, &number) || number >= register_count(session) ||
	    !nub_gdb_take_word(packet, "=") || !nub_gdb_take_bytes(packet, value, register_size((unsigned)number)))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	if (!read_registers(session, &registers))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_STATE, err);
	if (!set_register(&registers, (unsigned)number, value))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	return put_done(session, write_registers(session, &registers), NUB_GDB_ERROR_STATE, err);
}

/* ---- Memory ---- */

int nub_gdb_read_memory(struct nub_gdb_session *session, struct nub_gdb_text *packet, bool binary,
                        struct nub_error *err)
{
	const struct nub_gdb_target *target = session->target;
	uint8_t bytes[MAX_READ];
	uint64_t gva, size;

	if (!nub_gdb_take_range(packet, &gva, &size))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	const size_t wanted = size < MAX_READ ? size : MAX_READ;
	const size_t got = target->read_memory(target->context, gva, bytes, wanted);
	if (got == 0 && wanted > 0)
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ADDRESS, err);
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
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	if (binary && size == (uint64_t)(packet->end - packet->at))
		bytes = packet->at;
	else if (binary || size > sizeof(decoded) || !nub_gdb_take_bytes(packet, decoded, size))
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	return put_done(session, target->write_memory(target->context, gva, bytes, size), NUB_GDB_ERROR_ADDRESS, err);
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
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	if (add)
		return put_done(session, target->add_hardware(target->context, types[type].kind, gva, size),
		                NUB_GDB_ERROR_ARGUMENT, err);
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
		return nub_gdb_put_error(session, NUB_GDB_ERROR_ARGUMENT, err);
	if (type != 0)
		return change_hardware(session, packet, type, gva, add, err);
	if (add)
		return put_done(session, target->add_breakpoint(target->context, gva), NUB_GDB_ERROR_ADDRESS, err);
	target->remove_breakpoint(target->context, gva);
	return nub_gdb_put(&session->reply, err, "OK");
}
