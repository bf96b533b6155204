/* The inside of gdb's side of a sandbox, shared by the files that let it run (gdb.c), stop it (gdb_stops.c; of a Linux program
 * gdb_program.c), show it (gdb_target.c) and talk (gdb_socket.c). */
#ifndef NUB_GDB_H
#define NUB_GDB_H

#include "gdb/gdb_points.h"
#include "gdb/gdb_protocol.h"
#include "sandbox/debug.h"
#include "sandbox/sandbox.h"

/* Making a socket end the engine's run when there is something to read, as a deadline does with a timer. */
struct nub_gdb_signal {
	bool armed;
	bool was_blocked; /* SIGIO, before it was armed */
};

/* Of a Linux program. What its threads need for their turn is put in place before each entry and taken away behind it, so that
 * neither its calls nor its signals meet any of it. */
struct nub_gdb_program {
	bool in_place;     /* int3s and TF, for this entry */
	bool tf, guest_tf; /* TF is ours; what it was before */
	uint32_t step_tid; /* the thread that gdb steps; 0 none */
	uint64_t step_rip; /* where that began */
	bool stepped;      /* its #DB came */
	uint32_t only_tid; /* the thread that alone may run; 0: all */
	bool signal_told;  /* it stopped for a signal, and the client knows */
};

struct nub_gdb {
	struct nub_debugger debugger; /* first */
	struct nub_sandbox *sandbox;
	int fd;
	bool attached;  /* somebody listens */
	bool begun;     /* it has stopped before its first instruction */
	bool stepping;  /* TF is ours, and on */
	bool guest_tf;  /* what it was before */
	bool watching;  /* the steps are ours, to see what is watched: it goes on until that changes */
	bool late_step; /* a step ended otherwise, its #DB may still come */
	bool stop_due;  /* it stops as soon as the exit is served, for this: */
	struct nub_gdb_stop due;
	bool crash_tf;                 /* the flags of a crash have a TF that is ours */
	bool interrupt;                /* stop as soon as the guest is in its own code */
	const struct nub_crash *crash; /* stopped for the last time: the registers are these, nothing can be changed */
	bool saves;                    /* the client may save snapshots, wherever it says, with: */
	struct nub_snapshot_options snapshot;
	struct nub_gdb_signal signal;
	struct nub_gdb_breakpoints breakpoints;
	struct nub_gdb_hardware hardware;
	struct nub_gdb_watches watches; /* where hardware has none */
	bool hardware_on;               /* the debug registers are ours */
	struct nub_gdb_program program; /* all zero of guests that are none */
	struct {
		bool probed, works;
	} hardware_kinds[2]; /* for code, for data */
	struct nub_gdb_target target;
	struct nub_gdb_session session;
	uint8_t input[4096]; /* what was received: [input_at, input_size) is not looked at yet */
	size_t input_at, input_size;
};

static inline struct nub_gdb *nub_gdb_of(struct nub_debugger *debugger)
{
	return (struct nub_gdb *)debugger;
}

/* ---- gdb.c: between stopped and running ---- */

/* Its memory. */
struct nub_gdb_space nub_gdb_space(struct nub_gdb *gdb);

static inline bool nub_gdb_is_program(const struct nub_gdb *gdb)
{
	return gdb->sandbox->personality->is_program;
}

/* Stop, tell the client why (with NULL it will ask), and learn what it wants. The time that it takes is not the guest's. */
enum nub_gdb_action nub_gdb_stop_and_talk(struct nub_gdb *gdb, const struct nub_gdb_stop *why);

/* Debug registers and SIGIO are there from now on. Errors: KVM, IO. */
int nub_gdb_listen(struct nub_gdb *gdb, struct nub_error *err);

/* Stop when what the last exit was about has been dealt with, and whoever counts exits has counted this one. */
void nub_gdb_stop_soon(struct nub_gdb *gdb, struct nub_gdb_stop why);

/* Did the guest come to one of our int3s, and where? */
bool nub_gdb_at_breakpoint(const struct nub_gdb *gdb, const struct nub_exit *exit, uint64_t *rip);

/* A client that wants it to stop is told that it has, whatever was the cause. */
struct nub_gdb_stop nub_gdb_trap_or_interrupt(const struct nub_gdb *gdb, enum nub_gdb_stop_kind kind);

/* Is rip where a step goes on? */
bool nub_gdb_in_range(const struct nub_gdb *gdb, uint64_t rip);

/* Leave the client; what is only there while the guest runs is taken away. */
void nub_gdb_detach(struct nub_gdb *gdb);

/* The client wants the guest dead. -1, DEBUGGER. */
int nub_gdb_fail_killed(struct nub_gdb *gdb, struct nub_error *err);

/* Steps: begin sets TF; end puts it back as the guest had it, wherever the step has left it; forget leaves that to the caller.
 * Error: KVM. */
int nub_gdb_begin_step(struct nub_gdb *gdb, struct nub_error *err);
int nub_gdb_end_step(struct nub_gdb *gdb, struct nub_error *err);
void nub_gdb_forget_step(struct nub_gdb *gdb);

/* The guest's debug registers are set to ours, if there are any; with `inject` a #DB is raised in it. Error: KVM. */
int nub_gdb_set_hardware(struct nub_gdb *gdb, bool inject, struct nub_error *err);

/* Stop, tell the client why, and go on as it wants. The time that it takes is not the guest's. Errors: DEBUGGER, KVM, IO. */
int nub_gdb_stop_now(struct nub_gdb *gdb, const struct nub_gdb_stop *why, struct nub_error *err);

/* ---- gdb_stops.c: hooks of the run loop (sandbox/debug.h) ---- */

int nub_gdb_interrupted(struct nub_debugger *debugger, struct nub_error *err);
int nub_gdb_served(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err);
enum nub_verdict nub_gdb_fault(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err);
bool nub_gdb_stuck(struct nub_debugger *debugger);
int nub_gdb_trapped(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err);

/* ---- gdb_program.c: the same of a Linux program, which stops before an entry and nowhere else ---- */

enum nub_verdict nub_gdb_program_next(struct nub_debugger *debugger, bool waits, struct nub_error *err);
int nub_gdb_program_left(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err);
int nub_gdb_program_interrupted(struct nub_gdb *gdb, struct nub_error *err);
void nub_gdb_program_served(struct nub_gdb *gdb);
enum nub_verdict nub_gdb_program_fault(struct nub_gdb *gdb, const struct nub_exit *exit, struct nub_error *err);

/* Before the run; and when nobody listens any more. */
void nub_gdb_program_begin(struct nub_gdb *gdb);
void nub_gdb_program_release(struct nub_gdb *gdb);

/* ---- gdb_socket.c ---- */

/* Talk until the client wants something of the guest. WAIT when it has nothing to say, and was not waited for; DETACH also
 * when it is gone. */
enum nub_gdb_action nub_gdb_talk(struct nub_gdb *gdb, bool wait);

/* Send what waits to be sent. False when the client is gone, or does not read: it is waited for, but not for ever. */
bool nub_gdb_flush(struct nub_gdb *gdb);

/* Is there anything to be read? SIGIO does not tell of what came before it was armed. */
bool nub_gdb_has_input(const struct nub_gdb *gdb);

/* From now on SIGIO, blocked in this thread but while the guest runs, says that `fd` has input. What came before says
 * nothing: look. Errors: IO, KVM. */
int nub_gdb_signal_arm(struct nub_gdb_signal *signal, int fd, struct nub_engine *engine, struct nub_error *err);
void nub_gdb_signal_disarm(struct nub_gdb_signal *signal, int fd);

/* Take a SIGIO that is pending off the thread. */
void nub_gdb_signal_drain(void);

/* ---- gdb_target.c: registers and memory of the stopped guest ---- */

void nub_gdb_target_init(struct nub_gdb *gdb);

/* ---- gdb_monitor.c: gdb's `monitor` commands ---- */

int nub_gdb_monitor(void *context, const char *command, struct nub_buffer *text, struct nub_error *err);

#endif
