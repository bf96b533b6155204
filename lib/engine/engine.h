/* How guest code is executed: the one door to whatever does it (engine/kvm/).
 *
 * An engine has one virtual CPU and shows it one guest's memory. To others the guest is all there is: what an engine needs of
 * its own to run it (a monitor, CPU tables, copies of pages that are written) is never seen from outside, neither in the
 * registers nor among the exits.
 *
 *     nub_engine_attach(engine, &guest, err)      its memory is filled: make what shows it
 *     nub_engine_start(engine, cpu, err)          the state of its CPU
 *     nub_engine_set_regs(engine, &regs, err)
 *     nub_engine_run(engine, &exit, err)          until something happened, again and again
 *     nub_engine_complete(engine, err)            before the registers are kept, or shown to somebody
 *     nub_engine_detach(engine, keep, err)        before its memory is put back, or becomes another; then attach again
 *
 * An engine belongs to one thread at a time; kick alone is for signal handlers. Functions that give int give 0, or -1 with
 * *err filled.
 */
#ifndef NUB_ENGINE_H
#define NUB_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "cpu/cpu.h"
#include "memory/memory.h"
#include "memory/plan.h"
#include "nub/error.h"

/* What an engine must know of a guest. All is borrowed while it is attached. */
struct nub_engine_guest {
	struct nub_memory *memory;
	const struct nub_plan *plan;
	const struct nub_cpuid *cpuid; /* what it is shown */
	const uint8_t *ports;          /* that code at CPL 3 may use, up to NUB_ENGINE_PORT_MAX */
	size_t port_count;
	unsigned privilege_level; /* 0 or 3, in which it starts */
	uint64_t root_gpa;        /* of the page tables with which it starts */
	/* Its `syscall` instruction is an exit, and map, protect and unmap change its address space. Its CPL is 3. Scratch begins
	 * with two pages that the engine fills: one that the guest may read and execute, one that it can't reach
	 * (nub_address_space_map_editable). */
	bool syscalls;
	bool learns;                      /* no page becomes its own but those that it touches */
	uint64_t tables_gpa, tables_size; /* for page tables; all of it is mapped for CPL 0 */
	uint64_t tables_used;             /* bytes at its start that have some already */
};
enum { NUB_ENGINE_PORT_MAX = 111 };

/* In the lower half some engines keep this for themselves. Guests with syscalls have nothing there, whoever runs them. */
#define NUB_ENGINE_KEPT_GVA UINT64_C(0x6ff000000000)
#define NUB_ENGINE_KEPT_SIZE UINT64_C(0x10000)

/* Why nub_engine_run came back. */
enum nub_exit_kind {
	NUB_EXIT_INTERRUPTED, /* a signal, or a kick */
	NUB_EXIT_MENDED,      /* a fault that the engine has dealt with: the guest is to go on */
	NUB_EXIT_PORT,        /* port */
	NUB_EXIT_SYSCALL, /* the registers are as the CPU left them: rcx and r11 changed, rip behind the instruction */
	NUB_EXIT_FAULT,   /* fault: an exception of the guest's */
	NUB_EXIT_SCRATCH, /* fault: a write that wants a copy of a page, for which there is no room in scratch */
	NUB_EXIT_NO_MEMORY, /* no_memory: where no memory is */
	NUB_EXIT_HALT,      /* hlt, with nothing that could end it */
	NUB_EXIT_SHUTDOWN,  /* a triple fault, or an exception that could not be delivered */
	NUB_EXIT_STUCK,     /* this host can't run the instruction at rip */
	NUB_EXIT_DEBUG,     /* debug: a #DB, while debug registers are set */
	NUB_EXIT_FAILED,    /* nub_engine_run has failed */
};

struct nub_exit {
	enum nub_exit_kind kind;
	uint64_t left_ns; /* CLOCK_MONOTONIC, when the guest came out; 0 unless engine->timed */
	struct {
		uint16_t number;
		bool read; /* an `in`, not an `out` */
	} port;
	/* The guest's registers are as they were at the fault. It goes on as they say once they are set; else the exception
	 * is as if it had not been, and its instruction is tried again. */
	struct {
		unsigned vector;              /* cpu/vectors.h */
		uint64_t error_code, address; /* address: CR2 of a #PF */
		unsigned privilege_level;
		bool resumable; /* its registers may be set: code at CPL 0 can make believe that there was a fault */
	} fault;
	struct {
		uint64_t gpa;
		bool write;
	} no_memory;
	struct {
		uint64_t dr6;
	} debug;
};

/* What of it stays while memory is put back. */
enum nub_engine_keep {
	NUB_ENGINE_KEEP_NOTHING, /* the next attach begins anew: no trace of the guest is left but in its memory */
	NUB_ENGINE_KEEP_CPU,     /* the memory will be another one */
	NUB_ENGINE_KEEP_MEMORY,  /* pages of it get other contents */
};

struct nub_engine;

struct nub_engine_ops {
	int (*attach)(struct nub_engine *engine, const struct nub_engine_guest *guest, struct nub_error *err);
	bool (*fits)(const struct nub_engine *engine, const struct nub_engine_guest *guest);
	int (*detach)(struct nub_engine *engine, enum nub_engine_keep keep, struct nub_error *err);
	int (*start)(struct nub_engine *engine, const struct nub_cpu *cpu, struct nub_error *err);
	int (*save)(struct nub_engine *engine, struct nub_cpu *cpu, struct nub_error *err);
	int (*run)(struct nub_engine *engine, struct nub_exit *exit, struct nub_error *err);
	int (*complete)(struct nub_engine *engine, struct nub_error *err);
	int (*set_regs)(struct nub_engine *engine, const struct nub_registers *regs, struct nub_error *err);
	int (*sregs)(struct nub_engine *engine, struct nub_sregs *sregs, struct nub_error *err);
	int (*set_bases)(struct nub_engine *engine, uint64_t fs, uint64_t gs, struct nub_error *err);
	int (*xsave)(struct nub_engine *engine, uint8_t *xsave, size_t size, struct nub_error *err);
	int (*set_xsave)(struct nub_engine *engine, const uint8_t *xsave, size_t size, struct nub_error *err);
	int (*set_debug)(struct nub_engine *engine, const uint64_t registers[8], bool inject, struct nub_error *err);
	bool (*in_guest)(const struct nub_engine *engine);
	void (*trap_soon)(struct nub_engine *engine);
	int (*map)(struct nub_engine *engine, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights,
	           struct nub_error *err);
	int (*protect)(struct nub_engine *engine, uint64_t gva, uint64_t size, unsigned rights, struct nub_error *err);
	int (*unmap)(struct nub_engine *engine, uint64_t gva, uint64_t size, struct nub_error *err);
	uint64_t (*tsc)(struct nub_engine *engine);
	uint64_t (*tsc_khz)(const struct nub_engine *engine);
	bool (*touch_is_dear)(const struct nub_engine *engine);
	bool (*cpu_clock)(const struct nub_engine *engine, clockid_t *clock);
	int (*unblock_signal)(struct nub_engine *engine, int signal, struct nub_error *err);
	void (*kick)(struct nub_engine *engine);
	void (*unkick)(struct nub_engine *engine);
	void (*finish)(struct nub_engine *engine);
	void (*release)(struct nub_engine *engine);
};

/* The first member of what an engine is made of. */
struct nub_engine {
	const struct nub_engine_ops *ops;
	struct nub_registers
	    regs;            /* the guest's, as of the last exit, or as they were set since; others only read them */
	uint64_t xcr0;       /* the guest's, once it is attached */
	bool registers_lost; /* by the last exit, a SHUTDOWN */
	bool timed;          /* whoever runs it wants to know left_ns */
	/* CLOCK_MONOTONIC, 0: never. Runs may end then as INTERRUPTED. For engines that are slow to notice a signal; whoever
	 * sets it has a signal to come at the same time. */
	uint64_t until_ns;
};

/* ---- Life ---- */

/* Make what runs and shows the guest, or what detach took away. Its memory is filled, all but what the engine keeps there for
 * itself, which it writes now. Errors: KVM_MISSING, KVM_DENIED, KVM, NO_MEMORY. */
static inline int nub_engine_attach(struct nub_engine *engine, const struct nub_engine_guest *guest,
                                    struct nub_error *err)
{
	return engine->ops->attach(engine, guest, err);
}

/* Can it change to this guest without KEEP_NOTHING? */
static inline bool nub_engine_fits(const struct nub_engine *engine, const struct nub_engine_guest *guest)
{
	return engine->ops->fits(engine, guest);
}

static inline int nub_engine_detach(struct nub_engine *engine, enum nub_engine_keep keep, struct nub_error *err)
{
	return engine->ops->detach(engine, keep, err);
}

/* Load the state of the guest's CPU, all of it that code of its level can have changed; NULL for that of a guest that has
 * not run. To be called after each attach. What a guest with syscalls is mapped in between may be shown from files. */
static inline int nub_engine_start(struct nub_engine *engine, const struct nub_cpu *cpu, struct nub_error *err)
{
	return engine->ops->start(engine, cpu, err);
}

/* Read it all, but for the CPUID. Nothing is pending (nub_engine_complete). */
static inline int nub_engine_save(struct nub_engine *engine, struct nub_cpu *cpu, struct nub_error *err)
{
	return engine->ops->save(engine, cpu, err);
}

/* The guest will not run again: begin what takes its time, and don't wait for it. Only release comes after it. */
static inline void nub_engine_finish(struct nub_engine *engine)
{
	if (engine->ops->finish)
		engine->ops->finish(engine);
}

/* NULL is fine. */
static inline void nub_engine_release(struct nub_engine *engine)
{
	if (engine)
		engine->ops->release(engine);
}

/* ---- Running ---- */

/* Enter the guest until something happens. What an engine could not make sense of is an error of its own; what the guest
 * left wrong for it, an error of class GUEST. */
static inline int nub_engine_run(struct nub_engine *engine, struct nub_exit *exit, struct nub_error *err)
{
	return engine->ops->run(engine, exit, err);
}

/* Finish what the last exit was about, without going on: the registers are then behind an `out`, on every host. */
static inline int nub_engine_complete(struct nub_engine *engine, struct nub_error *err)
{
	return engine->ops->complete(engine, err);
}

/* While it runs, and only then, let `signal` through, and those that were named before. The thread has it blocked: so it ends
 * the run, and stays pending, without a handler. */
static inline int nub_engine_unblock_signal(struct nub_engine *engine, int signal, struct nub_error *err)
{
	return engine->ops->unblock_signal(engine, signal, err);
}

/* Have this run, or the next one, end as INTERRUPTED. For signal handlers, whether there is a guest or not. */
static inline void nub_engine_kick(struct nub_engine *engine)
{
	engine->ops->kick(engine);
}

/* Take a kick back that has done its work. */
static inline void nub_engine_unkick(struct nub_engine *engine)
{
	engine->ops->unkick(engine);
}

/* The guest's time-stamp counter now. */
static inline uint64_t nub_engine_tsc(struct nub_engine *engine)
{
	return engine->ops->tsc(engine);
}

/* How fast it goes; 0 when that can't be said. */
static inline uint64_t nub_engine_tsc_khz(const struct nub_engine *engine)
{
	return engine->ops->tsc_khz(engine);
}

/* The clock of the CPU time that the guest takes which is not this process's, until it is detached; false: there is none. */
static inline bool nub_engine_cpu_clock(const struct nub_engine *engine, clockid_t *clock)
{
	return engine->ops->cpu_clock && engine->ops->cpu_clock(engine, clock);
}

/* Does a guest's first touch of a page take longer than copying a dozen pages? */
static inline bool nub_engine_touch_is_dear(const struct nub_engine *engine)
{
	return engine->ops->touch_is_dear(engine);
}

/* ---- Registers ---- */

static inline int nub_engine_set_regs(struct nub_engine *engine, const struct nub_registers *regs,
                                      struct nub_error *err)
{
	return engine->ops->set_regs(engine, regs, err);
}

static inline int nub_engine_sregs(struct nub_engine *engine, struct nub_sregs *sregs, struct nub_error *err)
{
	return engine->ops->sregs(engine, sregs, err);
}

/* Of FS and GS. */
static inline int nub_engine_set_bases(struct nub_engine *engine, uint64_t fs, uint64_t gs, struct nub_error *err)
{
	return engine->ops->set_bases(engine, fs, gs, err);
}

static inline int nub_engine_xsave(struct nub_engine *engine, uint8_t xsave[NUB_XSAVE_SIZE], struct nub_error *err)
{
	return engine->ops->xsave(engine, xsave, NUB_XSAVE_SIZE, err);
}

static inline int nub_engine_set_xsave(struct nub_engine *engine, const uint8_t xsave[NUB_XSAVE_SIZE],
                                       struct nub_error *err)
{
	return engine->ops->set_xsave(engine, xsave, NUB_XSAVE_SIZE, err);
}

/* All of a guest's that has more (xcr0). */
static inline size_t nub_engine_xsave_size(const struct nub_engine *engine)
{
	return engine->xcr0 & NUB_XCR0_AVX512 ? NUB_XSAVE_WIDE_SIZE : NUB_XSAVE_SIZE;
}

static inline int nub_engine_whole_xsave(struct nub_engine *engine, uint8_t xsave[NUB_XSAVE_WIDE_SIZE],
                                         struct nub_error *err)
{
	return engine->ops->xsave(engine, xsave, nub_engine_xsave_size(engine), err);
}

static inline int nub_engine_set_whole_xsave(struct nub_engine *engine, const uint8_t xsave[NUB_XSAVE_WIDE_SIZE],
                                             struct nub_error *err)
{
	return engine->ops->set_xsave(engine, xsave, nub_engine_xsave_size(engine), err);
}

/* ---- The address space, of guests with syscalls ----
 *
 * gva and gpa are page-aligned, gva in the lower half; rights are enum nub_pt_rights (paging/paging_edit.h). The guest sees a
 * change at its next instruction. Errors: PAGE_CONFLICT (map: something is there), PAGE_LIMIT (no room for more tables), KVM.
 */
static inline int nub_engine_map(struct nub_engine *engine, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights,
                                 struct nub_error *err)
{
	return engine->ops->map(engine, gva, gpa, size, rights, err);
}

/* Of all that is mapped in [gva, gva + size). Without rights it stays where it is, out of the guest's reach. */
static inline int nub_engine_protect(struct nub_engine *engine, uint64_t gva, uint64_t size, unsigned rights,
                                     struct nub_error *err)
{
	return engine->ops->protect(engine, gva, size, rights, err);
}

static inline int nub_engine_unmap(struct nub_engine *engine, uint64_t gva, uint64_t size, struct nub_error *err)
{
	return engine->ops->unmap(engine, gva, size, err);
}

/* ---- For debuggers ---- */

/* With `registers` (DR0 to DR7) the guest runs under these instead of its own, and every #DB is an exit, DEBUG, the guest
 * being where it was raised; with NULL, under its own again. With `inject` the next entry raises a #DB in the guest. Some
 * engines accept it and do nothing. */
static inline int nub_engine_set_debug(struct nub_engine *engine, const uint64_t registers[8], bool inject,
                                       struct nub_error *err)
{
	return engine->ops->set_debug(engine, registers, inject, err);
}

/* Does it stand in the guest's own code? When it was interrupted it may be in the engine's, and the registers with it. */
static inline bool nub_engine_in_guest(const struct nub_engine *engine)
{
	return engine->ops->in_guest(engine);
}

/* When it does not: have the guest's next instruction raise a #DB. */
static inline void nub_engine_trap_soon(struct nub_engine *engine)
{
	engine->ops->trap_soon(engine);
}

#endif
