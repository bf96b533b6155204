/* Between stopped and running: what has to be in place while the guest runs, and taken away when it stops.
 *
 * Int3s, debug registers and SIGIO are there while it runs, and only then. A step is TF, which raises #DB after the next
 * instruction; KVM's own means for it do nothing on some hosts. With something to watch that the CPU can't, a guest that
 * goes on does so by steps.
 */
#include <sys/socket.h>

#include "base/error.h"
#include "gdb/gdb.h"

void nub_gdb_withdraw(struct nub_gdb *gdb)
{
	nub_gdb_signal_disarm(&gdb->signal, gdb->fd);
	nub_gdb_breakpoints_lift(&gdb->breakpoints, &gdb->sandbox->machine.memory, nub_gdb_root(gdb));
	if (gdb->hardware_on)
		nub_engine_set_debug(gdb->sandbox->machine.engine, NULL, false, NULL);
	gdb->hardware_on = false;
}

void nub_gdb_detach(struct nub_gdb *gdb)
{
	nub_gdb_withdraw(gdb);
	shutdown(gdb->fd, SHUT_RDWR);
	gdb->attached = false;
}

int nub_gdb_fail_killed(struct nub_gdb *gdb, struct nub_error *err)
{
	nub_gdb_detach(gdb);
	nub_fail(err, NUB_E_DEBUGGER, 0, "%s: gdb killed it", gdb->sandbox->machine.guest->name);
	return nub_hint(err, "gdb's detach lets a guest go on without it");
}

/* Whoever does this puts TF back as the guest had it. */
void nub_gdb_forget_step(struct nub_gdb *gdb)
{
	gdb->stepping = false;
	gdb->watching = false;
}

/* TF as the guest had it, wherever a step has left it. */
int nub_gdb_end_step(struct nub_gdb *gdb, struct nub_error *err)
{
	const bool ours = gdb->stepping && nub_gdb_tf(gdb) != gdb->guest_tf;

	nub_gdb_forget_step(gdb);
	return ours ? nub_gdb_set_tf(gdb, gdb->guest_tf, err) : 0;
}

int nub_gdb_begin_step(struct nub_gdb *gdb, struct nub_error *err)
{
	gdb->stepping = true;
	gdb->guest_tf = nub_gdb_tf(gdb);
	gdb->late_step = false;
	return nub_gdb_set_tf(gdb, true, err);
}

/* The guest's debug registers are set to ours, if there are any; with `inject` a #DB is raised in it. */
int nub_gdb_set_hardware(struct nub_gdb *gdb, bool inject, struct nub_error *err)
{
	uint64_t registers[NUB_GDB_DEBUG_REGISTERS];

	if (!nub_gdb_hardware_encode(&gdb->hardware, registers))
		return 0;
	gdb->hardware_on = true;
	return nub_engine_set_debug(gdb->sandbox->machine.engine, registers, inject, err);
}

/* With something to watch, the guest goes on by steps. */
static int begin_watching(struct nub_gdb *gdb, struct nub_error *err)
{
	if (gdb->watches.count == 0)
		return 0;
	nub_gdb_watches_remember(&gdb->watches, &gdb->sandbox->machine.memory, nub_gdb_root(gdb));
	gdb->watching = !gdb->stepping;
	return gdb->watching ? nub_gdb_begin_step(gdb, err) : 0;
}

int nub_gdb_let_run(struct nub_gdb *gdb, struct nub_error *err)
{
	if (begin_watching(gdb, err) < 0 || nub_gdb_set_hardware(gdb, false, err) < 0)
		return -1;
	nub_gdb_breakpoints_insert(&gdb->breakpoints, &gdb->sandbox->machine.memory, nub_gdb_root(gdb));
	if (nub_gdb_signal_arm(&gdb->signal, gdb->fd, gdb->sandbox->machine.engine, err) < 0)
		return -1;
	if (nub_gdb_has_input(gdb))
		raise(SIGIO);
	return 0;
}

/* The guest, stopped and in its own code, goes on as the client wants. */
int nub_gdb_resume(struct nub_gdb *gdb, enum nub_gdb_action action, struct nub_error *err)
{
	switch (action) {
	case NUB_GDB_KILL:
		return nub_gdb_fail_killed(gdb, err);
	case NUB_GDB_STEP:
		return nub_gdb_begin_step(gdb, err) < 0 ? -1 : nub_gdb_let_run(gdb, err);
	case NUB_GDB_CONTINUE:
		return nub_gdb_let_run(gdb, err);
	default:
		nub_gdb_detach(gdb);
		return 0;
	}
}

/* Stop, tell the client why (with NULL it will ask), and do as it says. The time that it takes is not the guest's. */
enum nub_gdb_action nub_gdb_stop_and_talk(struct nub_gdb *gdb, const struct nub_gdb_stop *why)
{
	enum nub_gdb_action action = NUB_GDB_DETACH;

	nub_gdb_withdraw(gdb);
	nub_gdb_end_step(gdb, NULL);
	gdb->interrupt = false;
	nub_deadline_pause(&gdb->sandbox->deadline);
	if (!why || nub_gdb_session_stopped(&gdb->session, why, NULL) == 0)
		action = nub_gdb_talk(gdb, true);
	/* The client is not gone, the run is about to end. */
	if (gdb->sandbox->stop && action == NUB_GDB_DETACH)
		action = NUB_GDB_CONTINUE;
	nub_deadline_go_on(&gdb->sandbox->deadline);
	return action;
}

int nub_gdb_stop_now(struct nub_gdb *gdb, const struct nub_gdb_stop *why, struct nub_error *err)
{
	return nub_gdb_resume(gdb, nub_gdb_stop_and_talk(gdb, why), err);
}
