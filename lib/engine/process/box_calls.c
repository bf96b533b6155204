/* System calls in the box: queued, and made by its stub before the guest goes on; its set-up is nothing else. */
#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/util.h"
#include "engine/process/box_turns.h"

static const char *call_name(uint32_t number)
{
	switch (number) {
	case SYS_mmap:
		return "mmap";
	case SYS_munmap:
		return "munmap";
	case SYS_mprotect:
		return "mprotect";
	case SYS_seccomp:
		return "seccomp";
	default:
		return "a system call";
	}
}

int nub_box_check_calls(struct nub_box *box, struct nub_error *err)
{
	const uint32_t failed = nub_box_load(&box->shared->failed);

	if (failed == 0)
		return 0;
	const struct nub_box_call call = box->shared->calls[(failed - 1) % NUB_BOX_MAX_CALLS];
	const int64_t result = (int64_t)call.result;
	box->shared->failed = 0;
	errno = result < 0 && result > -4096 ? (int)-result : EINVAL;
	/* It makes them in their order. */
	box->set_up = box->set_up || (box->set_up_count > 0 && failed > box->set_up_count);
	box->broken = !box->set_up;
	box->full = errno == ENOMEM && box->set_up;
	if (errno == ENOMEM && call.number == SYS_mmap) {
		nub_fail_errno(err, NUB_E_PROCESS, "the guest's process: mmap at 0x%" PRIx64 ", %" PRIu64 " bytes",
		               call.args[0], call.args[1]);
		return nub_hint(err, "the limit of mappings (vm.max_map_count) or of memory may be reached");
	}
	return nub_fail_errno(err, NUB_E_PROCESS, "the guest's process: %s (%u)", call_name(call.number), call.number);
}

int nub_box_fail_gone(struct nub_error *err)
{
	return nub_fail(err, NUB_E_PROCESS, 0, "the guest's process ended while it was set up");
}

static int make_child(struct nub_box *box, uint64_t clone_flags, struct nub_error *err)
{
	/* Its set-up takes longer than it is worth looking. */
	box->shared->box_cpu = box->shared->host_cpu = nub_box_this_cpu();
	return nub_box_clone(box, clone_flags, err);
}

/* The flags are for clone(2), if it isn't there yet. */
static int start_calls(struct nub_box *box, uint32_t next, uint64_t clone_flags, struct nub_error *err)
{
	struct nub_box_shared *shared = box->shared;
	const bool started = box->starting;

	__atomic_store_n(&shared->call_count, box->call_count, __ATOMIC_RELEASE);
	__atomic_exchange_n(&shared->next, next, __ATOMIC_SEQ_CST);
	box->starting = next >= NUB_BOX_NEXT_MORE;
	/* More come behind them. */
	if (!box->starting)
		box->call_count = 0;
	if (box->pid == 0)
		return make_child(box, clone_flags, err);
	if (!started)
		nub_box_give_turn(box);
	else if (nub_box_load(&shared->box_sleeps))
		nub_box_futex_wake(&shared->next);
	return 0;
}

int nub_box_start_calls(struct nub_box *box, uint32_t next, struct nub_error *err)
{
	return start_calls(box, next, 0, err);
}

static int await_calls(struct nub_box *box, struct nub_error *err)
{
	if (nub_box_wait_turn(box, nub_clock_ns() + NUB_BOX_PATIENCE_NS * 5, false) != NUB_BOX_STOPPED)
		return nub_box_fail_gone(err);
	if (nub_box_check_calls(box, err) < 0)
		return -1;
	box->set_up = box->set_up || box->set_up_count > 0;
	return 0;
}

int nub_box_flush(struct nub_box *box, struct nub_error *err)
{
	if (box->call_count == 0)
		return 0;
	return nub_box_start_calls(box, NUB_BOX_NEXT_REPORT, err) < 0 ? -1 : await_calls(box, err);
}

int nub_box_call(struct nub_box *box, uint32_t check, uint64_t number, const uint64_t args[6], struct nub_error *err)
{
	if (box->call_count == NUB_BOX_MAX_CALLS && nub_box_flush(box, err) < 0)
		return -1;
	struct nub_box_call *call = &box->shared->calls[box->call_count++];
	call->number = (uint32_t)number;
	call->check = check;
	memcpy(call->args, args, sizeof(call->args));
	call->result = 0;
	return 0;
}

int nub_box_map(struct nub_box *box, uint64_t gva, uint64_t size, int protection, int fd, uint64_t offset,
                enum nub_box_pages pages, struct nub_error *err)
{
	static const uint64_t flags[] = {
		[NUB_BOX_SHARED] = MAP_FIXED | MAP_SHARED,
		[NUB_BOX_FILLED] = MAP_FIXED | MAP_SHARED | MAP_POPULATE,
		[NUB_BOX_PRIVATE] = MAP_FIXED | MAP_PRIVATE,
	};
	const uint64_t args[6] = { gva, size, (uint64_t)protection, flags[pages], (uint64_t)fd, offset };

	return nub_box_call(box, NUB_BOX_CHECK_OK, SYS_mmap, args, err);
}

int nub_box_protect(struct nub_box *box, uint64_t gva, uint64_t size, int protection, struct nub_error *err)
{
	const uint64_t args[6] = { gva, size, (uint64_t)protection };

	return nub_box_call(box, NUB_BOX_CHECK_OK, SYS_mprotect, args, err);
}

int nub_box_unmap(struct nub_box *box, uint64_t gva, uint64_t size, struct nub_error *err)
{
	return nub_box_call(box, NUB_BOX_CHECK_OK, SYS_munmap, (uint64_t[6]){ gva, size }, err);
}

int nub_box_fill(struct nub_box *box, uint64_t gva, uint64_t size, struct nub_error *err)
{
	/* Linux 5.14. */
	return nub_box_call(box, NUB_BOX_CHECK_NONE, SYS_madvise, (uint64_t[6]){ gva, size, MADV_POPULATE_WRITE }, err);
}

/* A copy of the table of descriptors takes longer the more there are, and is without those that nubrun opens next. */
int nub_box_start(struct nub_box *box, struct nub_error *err)
{
	/* One that is made later has what nubrun has by then, and may not drop it under nubrun's filter. */
	return nub_box_drop_capabilities(box, err) < 0 ? -1 : start_calls(box, NUB_BOX_NEXT_MORE, CLONE_FILES, err);
}

/* It waits until `next` is another. */
int nub_box_go_on(struct nub_box *box, struct nub_error *err)
{
	const bool again = box->starting && box->shared->next == NUB_BOX_NEXT_MORE;

	return nub_box_start_calls(box, NUB_BOX_NEXT_MORE + again, err);
}

int nub_box_settle(struct nub_box *box, struct nub_error *err)
{
	uint64_t frame;

	if (box->broken || (box->pid == 0 && !box->settled))
		return nub_box_fail_gone(err);
	if (box->settled)
		return 0;
	frame = __atomic_load_n(&box->shared->frame, __ATOMIC_SEQ_CST);
	if (frame == 0) {
		if (nub_box_start_calls(box, NUB_BOX_NEXT_REPORT, err) < 0 || await_calls(box, err) < 0)
			return -1;
		frame = box->shared->frame;
	}
	const uint64_t offset = frame - NUB_BOX_GVA;
	/* No guest has run yet; the bounds are those of later reads. */
	if (offset < NUB_BOX_STACK_OFFSET || !nub_range_in(offset, sizeof(box->frame), NUB_BOX_SIZE))
		return nub_fail(err, NUB_E_PROCESS, 0,
		                "the guest's process: a signal frame at 0x%" PRIx64 ", outside its stack",
		                offset + NUB_BOX_GVA);
	return nub_box_keep_frame(box, offset, err);
}
