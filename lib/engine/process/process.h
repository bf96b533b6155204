/* The inside of the engine that is a process, shared by the files that make it, show it memory and explain its stops.
 *
 * The guest's page tables are nubrun's alone: they say what the box shows (process_memory.c), and what a fault is about
 * (process_exits.c). The CPU never walks them.
 */
#ifndef NUB_PROCESS_H
#define NUB_PROCESS_H

#include "engine/copies.h"
#include "engine/edited_tables.h"
#include "engine/engine.h"
#include "engine/process/box.h"

_Static_assert(NUB_BOX_GVA == NUB_ENGINE_KEPT_GVA && NUB_BOX_SIZE <= NUB_ENGINE_KEPT_SIZE,
               "guests keep away from the stub");

/* The `out` that the guest executed last: where it is and what it was, so that a loop of calls isn't decoded each time. */
struct nub_port_site {
	uint64_t rip;
	const uint8_t *live; /* the instruction in nubrun's view, when the guest may have changed it since */
	uint8_t code[2];
	uint8_t size; /* 0: none */
};

/* Of a guest with syscalls: what the box was made to show of files. The guest may have changed its mappings since. */
struct nub_process_view {
	uint64_t gva, gpa, size;
};

struct nub_process {
	struct nub_engine engine; /* first */
	struct nub_engine_guest guest;
	struct nub_box box;
	bool has_box, sealed;
	struct nub_box_stops stops;
	struct nub_box_stack stack;
	struct nub_box_cpus cpus;
	uint64_t start_ns, start_tsc; /* a moment that both clocks tell */
	uint64_t owned_chunks;        /* of a restored guest's memory, so far */
	uint64_t row_end, row_size;   /* the last of them, and those right before it, one after the other */
	uint64_t cr2;                 /* of the guest's last page fault */
	struct nub_port_site site;
	struct nub_copies copies;        /* cow=guest */
	struct nub_edited_tables tables; /* of a guest with syscalls: */
	bool lacks_some;                 /* not all leaves are mapped in the box */
	struct nub_process_view *views;  /* owned */
	size_t view_count, view_capacity;
	bool ports[NUB_ENGINE_PORT_MAX + 1];
};

static inline struct nub_process *nub_process_of(struct nub_engine *engine)
{
	return (struct nub_process *)engine;
}

/* ---- process.c ---- */

/* From here on only the memfd can be mapped. Once is enough. */
int nub_process_seal(struct nub_process *process, struct nub_error *err);

/* ---- process_memory.c ---- */

/* Map what the page tables say into a box that is not sealed. *size is the sum. Errors: ENGINE, PROCESS. */
int nub_process_map_all(struct nub_process *process, uint64_t *size, struct nub_error *err);

/* Pages of a run that were a file's and are the memfd's in a box that isn't sealed: what a life before this one wrote, and was put
 * back, or what a snapshot says will be written. Each would be a fault. */
int nub_process_fill_copies(struct nub_process *process, const struct nub_mapping *run, struct nub_error *err);

/* Map what became the memfd's since (memory/shared.h): to be called before the guest goes on. */
int nub_process_map_news(struct nub_process *process, struct nub_error *err);

/* The guest wrote to gva, whose leaf lets it. */
enum nub_mending nub_process_write_fault(struct nub_process *process, uint64_t gva, const struct nub_mapping *leaf,
                                         struct nub_error *err);

/* Map the part of a run that is the memfd's, and how, or that is files' while the box isn't sealed; *done is how much that was. */
int nub_process_map_shared(struct nub_process *process, const struct nub_mapping *part, enum nub_box_pages pages,
                           uint64_t *done, struct nub_error *err);

/* Show the leaf that gva lies in, and those around it; what was a file's becomes the memfd's. *shown is false when they are no
 * memory. */
int nub_process_show(struct nub_process *process, uint64_t gva, bool write, bool *shown, struct nub_error *err);

/* Error: ENGINE, when the stub is there. */
int nub_process_check_place(uint64_t gva, uint64_t size, struct nub_error *err);

/* The leaf that translates gva for the guest; false when there is none. */
bool nub_process_leaf(struct nub_process *process, uint64_t gva, struct nub_mapping *leaf);

/* ---- process_copies.c: pages that the guest copies into scratch (cow=guest) ---- */

/* The first write to a page that is copied on write. */
enum nub_mending nub_process_copy_fault(struct nub_process *process, uint64_t gva, struct nub_error *err);

/* ---- process_space.c: the address space of guests with syscalls ---- */

/* Was a file shown at gva, and not dropped since with all the rest? */
bool nub_process_has_view(const struct nub_process *process, uint64_t gva);

int nub_process_map(struct nub_engine *engine, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights,
                    struct nub_error *err);
int nub_process_protect(struct nub_engine *engine, uint64_t gva, uint64_t size, unsigned rights, struct nub_error *err);
int nub_process_unmap(struct nub_engine *engine, uint64_t gva, uint64_t size, struct nub_error *err);

/* A call in the box has failed, with *err. If that was for want of room, and its mappings can come again by and by: drop them,
 * and *err. */
int nub_process_make_room(struct nub_process *process, struct nub_error *err);

/* ---- process_cpu.c: registers and the like, ops of struct nub_engine ---- */

int nub_process_set_regs(struct nub_engine *engine, const struct nub_registers *regs, struct nub_error *err);
int nub_process_start(struct nub_engine *engine, const struct nub_cpu *cpu, struct nub_error *err);
int nub_process_save(struct nub_engine *engine, struct nub_cpu *cpu, struct nub_error *err);
int nub_process_sregs(struct nub_engine *engine, struct nub_sregs *sregs, struct nub_error *err);
int nub_process_xsave(struct nub_engine *engine, uint8_t *xsave, size_t size, struct nub_error *err);
int nub_process_set_xsave(struct nub_engine *engine, const uint8_t *xsave, size_t size, struct nub_error *err);
int nub_process_set_bases(struct nub_engine *engine, uint64_t fs, uint64_t gs, struct nub_error *err);

/* ---- process_exits.c ---- */

int nub_process_run(struct nub_engine *engine, struct nub_exit *exit, struct nub_error *err);

/* The general registers of the box's frame. */
void nub_process_take_regs(struct nub_process *process);

#endif
