/* One side of a conversation with gdb: bytes in, bytes out, and what the target is to do next. Pure but for the target.
 *
 *     while ((action = nub_gdb_session_take(&session, byte)) == NUB_GDB_WAIT) … send session.out, get another byte …
 *     CONTINUE or STEP: let the target run, then nub_gdb_session_stopped or _exited
 *
 * Nothing that a client says is trusted: what is not understood gets the protocol's empty answer or an error, and what is
 * not the protocol at all ends the conversation. When memory runs out it ends, too.
 */
#ifndef NUB_GDB_SESSION_H
#define NUB_GDB_SESSION_H

#include "gdb/gdb_packet.h"
#include "gdb/gdb_points.h"
#include "gdb/gdb_registers.h"

/* Signals as gdb numbers them (include/gdb/signals.def). */
enum {
	NUB_GDB_SIGINT = 2,
	NUB_GDB_SIGILL = 4,
	NUB_GDB_SIGTRAP = 5,
	NUB_GDB_SIGABRT = 6,
	NUB_GDB_SIGFPE = 8,
	NUB_GDB_SIGBUS = 10,
	NUB_GDB_SIGSEGV = 11,
	NUB_GDB_SIGTERM = 15,
};

enum nub_gdb_stop_kind {
	NUB_GDB_STOP_PLAIN,
	NUB_GDB_STOP_SWBREAK, /* an int3 of ours */
	NUB_GDB_STOP_HWBREAK,
	NUB_GDB_STOP_WATCH,  /* what was written has a watchpoint for writing, in hardware or by steps */
	NUB_GDB_STOP_AWATCH, /* what was read or written has one for both */
};

/* Why the target stopped. */
struct nub_gdb_stop {
	unsigned signal;
	enum nub_gdb_stop_kind kind;
	uint64_t gva; /* of the watchpoint */
};

/* What is debugged. Functions that give bool are false where it can't be done. */
struct nub_gdb_target {
	void *context;
	uint64_t entry, image_base;
	bool (*read_cpu)(void *context, struct nub_cpu *cpu);
	bool (*write_cpu)(void *context, const struct nub_cpu *cpu);
	/* Copy from gva as far as there is memory: how many bytes, up to `size`. */
	size_t (*read_memory)(void *context, uint64_t gva, uint8_t *bytes, size_t size);
	bool (*write_memory)(void *context, uint64_t gva, const uint8_t *bytes, size_t size);
	bool (*add_breakpoint)(void *context, uint64_t gva);
	void (*remove_breakpoint)(void *context, uint64_t gva);
	/* Are there any of this kind, in hardware or as if they were? The other two are called where there are. */
	bool (*has_hardware)(void *context, enum nub_gdb_hardware_kind kind);
	bool (*add_hardware)(void *context, enum nub_gdb_hardware_kind kind, uint64_t gva, uint64_t size);
	void (*remove_hardware)(void *context, enum nub_gdb_hardware_kind kind, uint64_t gva, uint64_t size);
	/* gdb's `monitor` command: append what is to be shown. */
	int (*monitor)(void *context, const char *command, struct nub_buffer *text, struct nub_error *err);
};

enum nub_gdb_action {
	NUB_GDB_WAIT,     /* for more bytes */
	NUB_GDB_CONTINUE, /* run */
	NUB_GDB_STEP,     /* one instruction, and on while rip is in [range_start, range_end) */
	NUB_GDB_STOP,     /* running: interrupt it */
	NUB_GDB_KILL,     /* end it */
	NUB_GDB_DETACH,   /* run, nobody listens any more: gdb said so, or what came was not gdb */
};

struct nub_gdb_session {
	const struct nub_gdb_target *target;
	bool running;
	unsigned while_running;   /* bytes that came meanwhile */
	bool no_ack;              /* both sides rely on the socket */
	bool swbreak, hwbreak;    /* gdb wants to be told that a stop is a breakpoint */
	struct nub_gdb_stop stop; /* the last one */
	uint64_t range_start, range_end;
	struct nub_buffer out;   /* to be sent; the caller empties it by size = 0 */
	struct nub_buffer reply; /* the packet that is being put together */
	struct nub_buffer last;  /* the last packet as it was sent */
	struct nub_buffer text;  /* a document to be read in parts */
	struct nub_gdb_decoder decoder;
};

/* A stopped target, which the client will ask about. Zeroed before. */
void nub_gdb_session_init(struct nub_gdb_session *session, const struct nub_gdb_target *target);
void nub_gdb_session_release(struct nub_gdb_session *session);

enum nub_gdb_action nub_gdb_session_take(struct nub_gdb_session *session, uint8_t byte);

/* The target ran, and stopped; or ended: the code is that of its exit, or the signal. Errors: NO_MEMORY. */
int nub_gdb_session_stopped(struct nub_gdb_session *session, const struct nub_gdb_stop *stop, struct nub_error *err);
int nub_gdb_session_exited(struct nub_gdb_session *session, uint8_t code, struct nub_error *err);
int nub_gdb_session_signalled(struct nub_gdb_session *session, unsigned signal, struct nub_error *err);

/* ---- gdb_commands.c: registers, memory, breakpoints; after the command's letter. 0, or -1 when memory runs out ---- */

int nub_gdb_put_register(struct nub_gdb_session *session, const struct nub_cpu *cpu, unsigned number,
                         struct nub_error *err);
int nub_gdb_read_all(struct nub_gdb_session *session, struct nub_error *err);
int nub_gdb_write_all(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err);
int nub_gdb_read_one(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err);
int nub_gdb_write_one(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err);
int nub_gdb_read_memory(struct nub_gdb_session *session, struct nub_gdb_text *packet, bool binary,
                        struct nub_error *err);
int nub_gdb_write_memory(struct nub_gdb_session *session, struct nub_gdb_text *packet, bool binary,
                         struct nub_error *err);
int nub_gdb_change_breakpoint(struct nub_gdb_session *session, struct nub_gdb_text *packet, bool add,
                              struct nub_error *err);

/* ---- gdb_commands.c: the q and Q packets. 0, or -1 when memory runs out ---- */

int nub_gdb_query(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err);

#endif
