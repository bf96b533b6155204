/* The inside of the engine that is a virtual machine, shared by the files that make it, show it memory and explain its exits.
 *
 * Guests run at CPL 3 with a monitor of a few instructions at CPL 0 under them (monitor.S), or at CPL 0 with one beside
 * them. After a fault the vCPU stands in the monitor, and its frame says where the guest was: nobody else sees that.
 */
#ifndef NUB_KVM_ENGINE_H
#define NUB_KVM_ENGINE_H

#include "engine/copies.h"
#include "engine/edited_tables.h"
#include "engine/engine.h"
#include "engine/kvm/kvm.h"
#include "engine/kvm/monitor.h"

/* The part of a large heap that has no memslot yet: whole 2 MiB, of one region, or what of a guest with syscalls no table has. */
struct nub_deferred {
	uint64_t gva, gpa, size; /* size 0: nothing */
	bool in_tables;          /* at gva, by entries that are not present */
	unsigned slots;          /* that were made for what was part of it */
	bool tail;               /* there is a slot for what lies behind it */
};

/* The page tables of a guest whose address space is edited (kvm_tables.c). */
struct nub_kvm_tables {
	struct nub_edited_tables tables;
	uint64_t *again; /* in scratch: addresses for the monitor, see monitor.S */
	unsigned again_count;
	bool overflow;     /* there was more to forget than `again` has room for */
	unsigned in_table; /* how many of the last ones are entries of one table, */
	uint64_t table;    /* this one: gpa */
};

struct nub_kvm {
	struct nub_engine engine; /* first */
	struct nub_vm vm;
	struct nub_engine_guest guest;
	struct nub_cpu_tables tables;
	enum nub_engine_keep kept; /* by the last detach */
	bool out_waits;            /* that detach left an `out` which KVM may have to step over */
	struct nub_deferred deferred;
	struct nub_copies copies; /* cow=guest */
	uint64_t spurious_gva;    /* of the last fault that had no cause, and how many came in a row */
	unsigned spurious_count;
	bool faulted; /* the vCPU stands in the monitor, which made: */
	struct nub_exception_frame frame;
	bool in_syscall; /* it stands in the page of kvm_syscalls.c; the guest's registers are those behind it */
	bool by_sysret;  /* that page is at CPL 0 */
	struct nub_kvm_tables edited;
};

static inline struct nub_kvm *nub_kvm_of(struct nub_engine *engine)
{
	return (struct nub_kvm *)engine;
}

/* Slots of memory: the snapshot region, scratch, the mapped files; and where a part of the snapshot region is deferred,
 * what lies behind that part, and what it became. */
enum nub_slot {
	NUB_SLOT_SNAPSHOT,
	NUB_SLOT_SCRATCH,
	NUB_SLOT_FILES,
	NUB_SLOT_TAIL = NUB_SLOT_FILES + NUB_MAX_FILE_MAPPINGS,
	NUB_SLOT_GROWTH,
	NUB_SLOT_MAX_GROWTH = 16,
};

/* ---- memslots.c: what the VM shows of the memory, and memory that waits for its first touch ---- */

/* For all of the guest's memory, into a VM that has none. */
int nub_memslots_set(struct nub_kvm *kvm, struct nub_error *err);
int nub_memslots_drop(struct nub_kvm *kvm, struct nub_error *err);

/* Drop them and set them again, for as much of the memory: KVM forgets what it knew of the tables in it. */
int nub_memslots_renew(struct nub_kvm *kvm, struct nub_error *err);

int nub_memslots_set_scratch(struct nub_kvm *kvm, struct nub_error *err);
int nub_memslots_drop_scratch(struct nub_kvm *kvm, struct nub_error *err);

/* Take what waits out of the page tables in use. To be called before the guest runs on tables that were written anew. */
int nub_memslots_hide(struct nub_kvm *kvm, struct nub_error *err);

/* A guest with syscalls is about to be mapped [gpa, gpa + size): have a slot for it. */
int nub_memslots_reach(struct nub_kvm *kvm, uint64_t gpa, uint64_t size, struct nub_error *err);

/* The guest faulted: did it touch what waits? Then it gets it. */
enum nub_mending nub_memslots_fault(struct nub_kvm *kvm, struct nub_error *err);

/* ---- cow.c: copy on write by the monitor (cow=guest) ---- */

/* The guest faulted: is it the first write to a page that is copied on write? Then it gets a copy. */
enum nub_mending nub_cow_fault(struct nub_kvm *kvm, struct nub_error *err);

/* ---- kvm_tables.c: the address space of guests with syscalls ---- */

int nub_kvm_tables_init(struct nub_kvm *kvm, struct nub_error *err);
void nub_kvm_tables_release(struct nub_kvm *kvm);

/* Have the CPU forget what was taken away since the last call. 1 when a signal came first: it is to be tried again. */
int nub_kvm_tables_flush(struct nub_kvm *kvm, struct nub_error *err);

int nub_kvm_map(struct nub_engine *engine, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights,
                struct nub_error *err);
int nub_kvm_protect(struct nub_engine *engine, uint64_t gva, uint64_t size, unsigned rights, struct nub_error *err);
int nub_kvm_unmap(struct nub_engine *engine, uint64_t gva, uint64_t size, struct nub_error *err);

/* ---- kvm_syscalls.c: guests whose `syscall` is an exit ---- */

/* Write the page that `syscall` leads to. Then, when there is a vCPU: the registers that lead there. */
void nub_kvm_syscalls_write(const struct nub_kvm *kvm);
int nub_kvm_syscalls_init(struct nub_kvm *kvm, struct nub_error *err);

/* Does the vCPU stand there, at or behind the `out`? Then the guest's registers are those behind its `syscall` from now on. */
int nub_kvm_syscalls_take(struct nub_kvm *kvm, bool *taken, struct nub_error *err);

/* The guest is to go on with the registers that it has. */
int nub_kvm_syscalls_return(struct nub_kvm *kvm, struct nub_error *err);

/* Have the vCPU stand behind the `syscall` itself, if it does not yet. */
int nub_kvm_syscalls_leave(struct nub_kvm *kvm, struct nub_error *err);

/* A run was interrupted: perhaps before it had left the page. */
void nub_kvm_syscalls_interrupted(struct nub_kvm *kvm);

/* ---- kvm_exits.c: what an exit is about, and the monitor ---- */

int nub_kvm_run(struct nub_engine *engine, struct nub_exit *exit, struct nub_error *err);

/* The segment and control registers as the guest has them, not as the monitor does. Error: KVM. */
int nub_kvm_sregs(struct nub_engine *engine, struct nub_sregs *sregs, struct nub_error *err);

/* ops of struct nub_engine. */
int nub_kvm_set_regs(struct nub_engine *engine, const struct nub_registers *regs, struct nub_error *err);
bool nub_kvm_in_guest(const struct nub_engine *engine);
void nub_kvm_trap_soon(struct nub_engine *engine);

/* CR2 and CR3 as of the last exit, once nub_vcpu_know_sregs was called for it. */
static inline uint64_t nub_kvm_cr2(const struct nub_kvm *kvm)
{
	return kvm->vm.run->s.regs.sregs.cr2;
}

static inline uint64_t nub_kvm_cr3(const struct nub_kvm *kvm)
{
	return kvm->vm.run->s.regs.sregs.cr3;
}

#endif
