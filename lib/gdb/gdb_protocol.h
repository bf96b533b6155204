/* gdb's remote serial protocol: packets, registers as gdb sees them, and one side of a conversation. Pure but for the target.
 *
 *     while ((action = nub_gdb_session_take(&session, byte)) == NUB_GDB_WAIT) … send session.out, get another byte …
 *     CONTINUE or STEP: let the target run, then nub_gdb_session_stopped or _exited
 *
 * Nothing that a client says is trusted: what is not understood gets the protocol's empty answer or an error, and what is
 * not the protocol at all ends the conversation. When memory runs out it ends, too.
 *
 * Reference: the gdb manual, appendix "GDB Remote Serial Protocol".
 */
#ifndef NUB_GDB_PROTOCOL_H
#define NUB_GDB_PROTOCOL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "cpu/cpu.h"
#include "nub/error.h"

/* ---- gdb_packet.c: packets out of a stream of bytes, and into one; hexadecimal text ----
 *
 * A packet is $DATA#CC, CC the sum of the bytes of DATA in hexadecimal; in DATA, } makes the next byte itself xor 0x20.
 * Each is answered by + or -, until both sides agree not to.
 */

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
	bool met;      /* a whole packet has come */
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

/* ---- gdb_registers.c: the registers as gdb numbers them, and the XML that tells it so ----
 *
 * Features core, sse, avx, segments. Reference: the gdb manual, "i386 Features"; the XSAVE area in standard form, SDM vol. 1,
 * 10.5.1 and 13.4.
 */

enum {
	NUB_GDB_RBP = 6,
	NUB_GDB_RSP = 7,
	NUB_GDB_RIP = 16,
	NUB_GDB_EFLAGS = 17,
	NUB_GDB_REGISTER_COUNT = 75,
	NUB_GDB_ORIG_RAX = 75,     /* of Linux programs: no register of the CPU */
	NUB_GDB_REGISTER_MAX = 16, /* bytes of the largest */
};

/* Bytes of register `number`; 0 when there is none. */
size_t nub_gdb_register_size(unsigned number);

/* Its value, little-endian, in out[0..size). */
void nub_gdb_register_get(const struct nub_cpu *cpu, unsigned number, uint8_t out[NUB_GDB_REGISTER_MAX]);

/* Set it from in[0..size). Bits that can't be set keep their values. False, and nothing set, where the value as a whole
 * can't be: a selector that is not the one there is, an address that is not canonical. */
bool nub_gdb_register_set(struct nub_cpu *cpu, unsigned number, const uint8_t *in);

/* Append the target description; that of a Linux program has NUB_GDB_ORIG_RAX, too. Error: NO_MEMORY. */
int nub_gdb_describe(struct nub_buffer *xml, bool program, struct nub_error *err);

/* ---- gdb_session.c: the conversation ---- */

/* Signals as gdb numbers them (include/gdb/signals.def). */
enum {
	NUB_GDB_SIG0 = 0, /* none: it just stopped */
	NUB_GDB_SIGINT = 2,
	NUB_GDB_SIGILL = 4,
	NUB_GDB_SIGTRAP = 5,
	NUB_GDB_SIGABRT = 6,
	NUB_GDB_SIGFPE = 8,
	NUB_GDB_SIGBUS = 10,
	NUB_GDB_SIGSEGV = 11,
	NUB_GDB_SIGTERM = 15,
};

/* ---- gdb_signals.c: Linux's numbers, and gdb's ---- */

/* For what has no number on the other side: gdb's "unknown", and 0. */
unsigned nub_gdb_signal_from_linux(int signal);
int nub_gdb_signal_to_linux(uint64_t signal);

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
	uint32_t tid; /* the thread; 0: the one that there is */
};

/* The number of the thread of a guest that has but one. */
enum { NUB_GDB_ONLY_THREAD = 1, NUB_GDB_THREAD_NAME = 16 };

/* What gdb knows as the registers of a thread. */
struct nub_gdb_registers {
	struct nub_cpu cpu;
	int64_t call; /* of a Linux program: the system call that it waits in, -1 none */
};

/* Of breakpoints in hardware, numbered as the R/W fields of DR7 have them. There is none for reading only. */
enum nub_gdb_hardware_kind { NUB_GDB_EXECUTE = 0, NUB_GDB_WRITE = 1, NUB_GDB_ACCESS = 3 };

/* What is debugged. Functions that give bool are false where it can't be done. */
struct nub_gdb_target {
	void *context;
	uint64_t entry, image_base;
	bool program;     /* a Linux program: it has signals, and may have threads */
	const char *path; /* of its file, for gdb to open; NULL: unknown */
	/* Its auxiliary vector; NULL where there is none. */
	const uint8_t *(*auxv)(void *context, size_t *size);
	/* The threads by index; false after the last one. The name may be empty. */
	bool (*thread)(void *context, size_t index, uint32_t *tid, char name[NUB_GDB_THREAD_NAME]);
	bool (*read_registers)(void *context, uint32_t tid, struct nub_gdb_registers *registers);
	bool (*write_registers)(void *context, uint32_t tid, const struct nub_gdb_registers *registers);
	/* What Linux tells of the signal for which it stopped; false where there is none. */
	bool (*siginfo)(void *context, siginfo_t *info);
	/* Where the thread has what is at `offset` in the thread-local storage of a module, by its link map: 0 where there are none.
	 * `numbers` is the address of the symbol that says where link maps have their number; 0: gdb knows none. */
	bool (*tls)(void *context, uint32_t tid, uint64_t offset, uint64_t link_map, uint64_t numbers, uint64_t *gva);
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
	NUB_GDB_STEP,     /* one instruction, and on while rip is in resume's [range_start, range_end) */
	NUB_GDB_STOP,     /* running: interrupt it */
	NUB_GDB_KILL,     /* end it */
	NUB_GDB_DETACH,   /* run, nobody listens any more: gdb said so, or what came was not gdb */
};

/* How the target is to go on. */
struct nub_gdb_resume {
	uint64_t range_start, range_end;
	uint32_t step_tid;   /* STEP: the thread that it is about; others run, unless */
	uint32_t only_tid;   /* this one alone is to run; 0: all */
	uint32_t signal_tid; /* the thread that gets a signal */
	int signal;          /* Linux's number; 0 none */
};

struct nub_gdb_session {
	const struct nub_gdb_target *target;
	bool running;
	unsigned while_running;   /* bytes that came meanwhile */
	bool no_ack;              /* both sides rely on the socket */
	bool swbreak, hwbreak;    /* gdb wants to be told that a stop is a breakpoint */
	struct nub_gdb_stop stop; /* the last one */
	uint32_t tid;             /* the thread whose registers gdb asks for */
	size_t thread_index;      /* of the list of threads: what was told already */
	uint64_t tls_numbers;     /* see target->tls */
	uint64_t passed_signals;  /* gdb need not see them: bit n - 1 of Linux's signal n */
	struct nub_gdb_resume resume;
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
/* Text for the client's terminal, while the target runs. */
int nub_gdb_session_tell(struct nub_gdb_session *session, const char *text, struct nub_error *err);
int nub_gdb_session_signalled(struct nub_gdb_session *session, unsigned signal, struct nub_error *err);

/* What is done for a packet: 0, or -1 when memory runs out. */

/* errno values, as the protocol's errors have them. */
enum { NUB_GDB_ERROR_STATE = 1, NUB_GDB_ERROR_ADDRESS = 14, NUB_GDB_ERROR_ARGUMENT = 22 };
int nub_gdb_put_error(struct nub_gdb_session *session, unsigned code, struct nub_error *err);

/* ---- gdb_commands.c: registers, memory, breakpoints, after the command's letter ---- */

int nub_gdb_put_register(struct nub_gdb_session *session, const struct nub_gdb_registers *registers, unsigned number,
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

/* ---- gdb_threads.c ---- */

/* H: the thread that g, p and their like are about. T: is there such a thread? */
int nub_gdb_choose_thread(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err);
int nub_gdb_is_alive(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err);
/* The list of threads, a part a packet; and as a document, with names, into session->text. */
int nub_gdb_list_threads(struct nub_gdb_session *session, bool first, struct nub_error *err);
int nub_gdb_describe_threads(struct nub_gdb_session *session, struct nub_error *err);
/* qSymbol:VALUE:NAME, either of them empty: gdb has symbols, or tells one that it was asked for. */
int nub_gdb_learn_symbol(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err);
/* qGetTLSAddr:TID,OFFSET,LINK-MAP. */
int nub_gdb_find_tls(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err);

/* c, C, s, S and vCont, after their letters: how it goes on, in session->resume. WAIT: it makes no sense. */
enum nub_gdb_action nub_gdb_resume_one(struct nub_gdb_session *session, struct nub_gdb_text *packet, char command);
enum nub_gdb_action nub_gdb_resume_by(struct nub_gdb_session *session, struct nub_gdb_text *packet);

/* ---- gdb_queries.c: the q and Q packets, their letter included ---- */

int nub_gdb_query(struct nub_gdb_session *session, struct nub_gdb_text *packet, struct nub_error *err);

#endif
