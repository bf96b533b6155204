/* Putting a sandbox back in place: to the snapshot that it came from, or to another one (R29, R30). */
#include <string.h>

#include "base/error.h"
#include "snapshot/file/snapshot.h"
#include "snapshot/restore/confined.h"
#include "snapshot/restore/restore.h"
#include "snapshot/save/place.h"

/* With more pages than this that became a process's own, new memory is cheaper than reading each again. */
enum { MAX_COPIES = 2048 };

/* Could what ran here reach no more than code at CPL 3 can? The tables of an ELF file's guest are the library's own. */
static bool confined(struct nub_sandbox *sandbox)
{
	if (!sandbox->confined_known) {
		sandbox->confined = sandbox->machine.guest->privilege_level == 3 &&
		                    (!sandbox->snapshot || nub_snapshot_confines(sandbox->snapshot));
		sandbox->confined_known = true;
	}
	return sandbox->confined;
}

/* Some of what a virtual CPU keeps can't be set back one by one: an exit that waits to be completed, an exception that was
 * caught half-way, and whatever code at CPL 0 can reach (MSRs, debug registers, XCR0, clocks that a hypervisor writes for
 * it). A new one has none of it. */
static bool must_begin_anew(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot)
{
	const struct nub_plan plan = { .layout = snapshot->meta.layout };
	const struct nub_engine_guest guest = {
		.plan = &plan,
		.cpuid = &snapshot->meta.cpu.cpuid,
		.privilege_level = snapshot->guest.privilege_level,
	};

	return sandbox->state == NUB_STATE_POISONED || !confined(sandbox) || snapshot->guest.privilege_level == 0 ||
	       (snapshot != sandbox->snapshot && !nub_engine_fits(sandbox->machine.engine, &guest));
}

/* To other memory. */
static int change_memory(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, bool anew,
                         struct nub_error *err)
{
	if (nub_restore_check_cpu(sandbox, snapshot, err) < 0 ||
	    nub_engine_detach(sandbox->machine.engine, anew ? NUB_ENGINE_KEEP_NOTHING : NUB_ENGINE_KEEP_CPU, err) < 0)
		return -1;
	nub_memory_release(&sandbox->machine.memory);
	nub_dirty_change(&sandbox->dirty);
	return nub_restore_take_memory(sandbox, snapshot, err);
}

static int read_snapshot(void *context, uint64_t gpa, void *bytes, uint64_t size, struct nub_error *err)
{
	return nub_snapshot_read(context, gpa, bytes, size, err);
}

/* Memory that another process had, too, which is gone: it may have written to any of it. */
static int put_back_shared(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	return nub_memory_put_back(&sandbox->machine.memory, read_snapshot, (void *)(uintptr_t)snapshot, err);
}

static int put_back_private(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->machine.plan.layout;
	/* What only the monitor can write is written anew below; code at CPL 0 can write it all. */
	const uint64_t fixed =
	    confined(sandbox) ? layout->scratch_size - NUB_SCRATCH_FIXED_PAGES * NUB_PAGE_SIZE : layout->scratch_size;

	/* Such a guest may have let interrupts through (snapshot/file/dirty.h). */
	if (!confined(sandbox))
		nub_dirty_forget(&sandbox->dirty);
	return nub_dirty_put_back(&sandbox->dirty, &sandbox->machine.memory, snapshot, fixed, err);
}

static int put_back_pages(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const bool shared = sandbox->machine.memory.shared.on;

	if ((shared ? put_back_shared : put_back_private)(sandbox, snapshot, err) < 0 ||
	    nub_restore_copy_tables(sandbox, err) < 0 || nub_place_scratch(sandbox, err) < 0)
		return -1;
	return nub_personality_begin(sandbox->personality, err);
}

/* To the same memory. */
static int put_back(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, bool anew, struct nub_error *err)
{
	if (nub_engine_detach(sandbox->machine.engine, anew ? NUB_ENGINE_KEEP_NOTHING : NUB_ENGINE_KEEP_MEMORY, err) <
	    0)
		return -1;
	return put_back_pages(sandbox, snapshot, err);
}

/* What a guest talks to does not change. */
static int check_abi(const struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	if (sandbox->machine.guest->abi == snapshot->guest.abi)
		return 0;
	return nub_fail(err, NUB_E_STATE, 0, "%s: is %s Linux program's, and the sandbox has %s", snapshot->name,
	                snapshot->guest.abi == NUB_ABI_LINUX ? "a" : "no",
	                snapshot->guest.abi == NUB_ABI_LINUX ? "another guest" : "one");
}

int nub_sandbox_reset(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const bool same = sandbox->snapshot == snapshot, anew = must_begin_anew(sandbox, snapshot);
	const struct nub_shared *shared = &sandbox->machine.memory.shared;
	int result;

	/* Pages that a shorter file lost, private ones included, must not be touched. */
	if (nub_snapshot_unchanged(snapshot, err) < 0 || check_abi(sandbox, snapshot, err) < 0)
		return -1;
	/* Until it is all done, the sandbox is neither what it was nor what it shall be. */
	sandbox->state = NUB_STATE_POISONED;
	if (same && !sandbox->personality->is_program && shared->copy_count - shared->ready_count <= MAX_COPIES)
		result = put_back(sandbox, snapshot, anew, err);
	else
		result = change_memory(sandbox, snapshot, anew, err);
	if (result == 0)
		return nub_restore_start(sandbox, err);
	sandbox->snapshot = NULL;
	/* Whatever was not there then, this is why. */
	struct nub_error reason = { 0 };
	if (nub_snapshot_unchanged(snapshot, &reason) < 0 && err)
		*err = reason;
	return -1;
}
