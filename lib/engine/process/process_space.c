/* The address space of a guest with system calls, changed while it runs: in its page tables, and in the box.
 *
 * The page tables are what counts; nubrun alone can reach them (filter.h). The box has mappings for some of their leaves, never
 * other ones: a touch of what it lacks is a fault that maps it. So what can't be mapped at once need not be, and where the
 * kernel has no room for more mappings all of them are dropped, and come again as they are touched.
 *
 * A box that isn't sealed yet can be made to show files: what a frozen program is thawed with is read from there, without a
 * fault and without a copy, and becomes its own in parts as it is written.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/process/process.h"
#include "paging/paging_edit.h"

/* ---- The page tables ---- */

static uint64_t *table_at(void *context, uint64_t gpa)
{
	return nub_edited_tables_at(&((const struct nub_process *)context)->tables, gpa);
}

static uint64_t take_table(void *context, struct nub_error *err)
{
	return nub_edited_tables_take(&((struct nub_process *)context)->tables, err);
}

static void give_table(void *context, uint64_t gpa)
{
	nub_edited_tables_give(&((struct nub_process *)context)->tables, gpa);
}

/* No CPU has walked it. */
static void entry_taken(void *context, uint64_t entry_gpa, uint64_t gva, unsigned level)
{
	(void)context;
	(void)entry_gpa;
	(void)gva;
	(void)level;
}

static struct nub_pt_editor editor_of(struct nub_process *process)
{
	return (struct nub_pt_editor){ .context = process,
		                       .root_gpa = process->guest.root_gpa,
		                       .table = table_at,
		                       .alloc = take_table,
		                       .release = give_table,
		                       .taken = entry_taken };
}

/* ---- The box ---- */

/* Drop all mappings of the guest's, after a call that was queued has failed. */
static int forget_all(struct nub_process *process, struct nub_error *err)
{
	const uint64_t end = NUB_BOX_GVA + NUB_BOX_SIZE;

	process->box.full = false;
	process->lacks_some = true;
	process->view_count = 0;
	if (nub_box_unmap(&process->box, 0, NUB_BOX_GVA, err) < 0 ||
	    nub_box_unmap(&process->box, end, NUB_BOX_LAST_GVA - end, err) < 0)
		return -1;
	return 0;
}

int nub_process_make_room(struct nub_process *process, struct nub_error *err)
{
	if (!process->guest.syscalls || !process->box.full)
		return -1;
	if (err)
		*err = (struct nub_error){ 0 };
	return forget_all(process, err);
}

/* Something was queued, or it failed, with *err, because what was queued before did. */
static int queued(struct nub_process *process, int result, struct nub_error *err)
{
	return result < 0 ? nub_process_make_room(process, err) : 0;
}

static int protection(unsigned rights)
{
	return (rights ? PROT_READ : 0) | (rights & NUB_PT_WRITE ? PROT_WRITE : 0) |
	       (rights & NUB_PT_EXECUTE ? PROT_EXEC : 0);
}

/* Is all of it the memfd's? Pages that are a file's become that when they are touched. */
static bool is_shared(const struct nub_memory *memory, uint64_t gpa, uint64_t size, uint64_t *offset)
{
	if (nub_memory_shared_at(memory, gpa, offset) < size)
		return false;
	return gpa - memory->snapshot.gpa >= memory->snapshot.size ||
	       (nub_memory_is_owned(memory, gpa) && nub_memory_same_owner(memory, gpa, size) == size);
}

bool nub_process_has_view(const struct nub_process *process, uint64_t gva)
{
	for (size_t i = 0; i < process->view_count; i++)
		if (gva - process->views[i].gva < process->views[i].size)
			return true;
	return false;
}

static int add_view(struct nub_process *process, const struct nub_mapping *run, struct nub_error *err)
{
	if (process->view_count == process->view_capacity) {
		const size_t capacity = process->view_capacity ? 2 * process->view_capacity : 64;
		struct nub_process_view *views = reallocarray(process->views, capacity, sizeof(*views));
		if (!views)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu mappings", capacity);
		process->views = views;
		process->view_capacity = capacity;
	}
	process->views[process->view_count++] =
	    (struct nub_process_view){ .gva = run->gva, .gpa = run->gpa, .size = run->size };
	return 0;
}

/* Before the box is sealed. It lacks nothing to be read then; but rights that are given later are not the views'. */
static int show_run(struct nub_process *process, const struct nub_mapping *run, struct nub_error *err)
{
	struct nub_mapping part = *run;

	process->lacks_some = true;
	if (add_view(process, run, err) < 0)
		return -1;
	for (uint64_t done = 0; part.size > 0; part.gva += done, part.gpa += done, part.size -= done)
		if (nub_process_map_shared(process, &part, NUB_BOX_SHARED, &done, err) < 0)
			return -1;
	return nub_process_fill_copies(process, run, err);
}

int nub_process_map(struct nub_engine *engine, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights,
                    struct nub_error *err)
{
	struct nub_process *process = nub_process_of(engine);
	const struct nub_memory *memory = process->guest.memory;
	const struct nub_pt_editor editor = editor_of(process);
	const struct nub_mapping run = { .gva = gva,
		                         .gpa = gpa,
		                         .size = size,
		                         .user = true,
		                         .writable = rights & NUB_PT_WRITE,
		                         .executable = rights & NUB_PT_EXECUTE };
	uint64_t offset;

	if (nub_process_check_place(gva, size, err) < 0 || nub_pt_edit_map(&editor, gva, gpa, size, rights, err) < 0)
		return -1;
	if (rights == 0 || !is_shared(memory, gpa, size, &offset)) {
		if (rights != 0 && !process->sealed && !process->guest.learns)
			return show_run(process, &run, err);
		process->lacks_some = true;
		return 0;
	}
	const int mapped =
	    nub_box_map(&process->box, gva, size, protection(rights), memory->shared.fd, offset, NUB_BOX_SHARED, err);
	if (queued(process, mapped, err) < 0)
		return -1;
	return process->sealed ? 0 : nub_process_fill_copies(process, &run, err);
}

int nub_process_protect(struct nub_engine *engine, uint64_t gva, uint64_t size, unsigned rights, struct nub_error *err)
{
	struct nub_process *process = nub_process_of(engine);
	struct nub_box *box = &process->box;
	const struct nub_pt_editor editor = editor_of(process);

	if (nub_pt_edit_protect(&editor, gva, size, rights, err) < 0)
		return -1;
	/* mprotect(2) ends where nothing is mapped. */
	return queued(process,
	              process->lacks_some ? nub_box_unmap(box, gva, size, err)
	                                  : nub_box_protect(box, gva, size, protection(rights), err),
	              err);
}

int nub_process_unmap(struct nub_engine *engine, uint64_t gva, uint64_t size, struct nub_error *err)
{
	struct nub_process *process = nub_process_of(engine);
	const struct nub_pt_editor editor = editor_of(process);

	if (nub_pt_edit_unmap(&editor, gva, size, err) < 0)
		return -1;
	return queued(process, nub_box_unmap(&process->box, gva, size, err), err);
}
