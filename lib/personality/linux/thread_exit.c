/* The end of a thread: robust futexes that it holds, and who waits for it. */
#include <linux/futex.h>

#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

static struct nub_linux_futex_key shared_key(uint64_t gva)
{
	return (struct nub_linux_futex_key){ .gva = gva, .shared = true };
}

/* The word of a robust lock: if the thread holds it, tell the next one that its owner died. False: go no further. */
static bool release_lock(struct nub_linux *linux, const struct nub_linux_thread *thread, uint64_t gva, bool pi,
                         bool pending)
{
	uint32_t word, seen;

	if (gva % sizeof(word) != 0 || nub_linux_read(linux, gva, &word, sizeof(word)) < 0)
		return false;
	for (;;) {
		const uint32_t owner = word & FUTEX_TID_MASK;
		if (pending && !pi && owner == 0) {
			nub_linux_futex_wake(linux, shared_key(gva), 1, FUTEX_BITSET_MATCH_ANY);
			return true;
		}
		if (owner != (uint32_t)thread->tid)
			return true;
		const uint32_t left = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (nub_linux_exchange32(linux, gva, word, left, &seen) < 0)
			return false;
		if (seen == word)
			break;
		word = seen;
	}
	if (!pi && (word & FUTEX_WAITERS))
		nub_linux_futex_wake(linux, shared_key(gva), 1, FUTEX_BITSET_MATCH_ANY);
	return true;
}

/* A pointer of the list; its lowest bit says that the lock inherits priority. */
static bool read_link(struct nub_linux *linux, uint64_t gva, uint64_t *next, bool *pi)
{
	if (nub_linux_read(linux, gva, next, sizeof(*next)) < 0)
		return false;
	*pi = *next & 1;
	*next &= ~UINT64_C(1);
	return true;
}

/* As exit_robust_list in Linux's kernel/futex/core.c does: the list is the guest's, and may be anything. */
static void walk_robust_list(struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	const uint64_t head = thread->robust_list;
	uint64_t entry, next = 0, pending, offset;
	bool pi, next_pi = false, pending_pi;
	unsigned limit = NUB_LINUX_ROBUST_LIMIT;

	if (!read_link(linux, head, &entry, &pi) ||
	    nub_linux_read(linux, head + offsetof(struct robust_list_head, futex_offset), &offset, sizeof(offset)) <
	        0 ||
	    !read_link(linux, head + offsetof(struct robust_list_head, list_op_pending), &pending, &pending_pi))
		return;
	while (entry != head) {
		const bool more = read_link(linux, entry, &next, &next_pi);
		if (entry != pending && !release_lock(linux, thread, entry + offset, pi, false))
			return;
		if (!more)
			return;
		entry = next;
		pi = next_pi;
		if (--limit == 0)
			break;
	}
	if (pending != 0)
		release_lock(linux, thread, pending + offset, pending_pi, true);
}

void nub_linux_thread_exit(struct nub_linux *linux, struct nub_linux_thread *thread, int exit_code)
{
	const uint32_t zero = 0;

	if (thread->robust_list != 0)
		walk_robust_list(linux, thread);
	if (thread->clear_tid != 0 && nub_linux_threads_alive(linux) > 1) {
		if (nub_linux_write(linux, thread->clear_tid, &zero, sizeof(zero)) == 0)
			nub_linux_futex_wake(linux, shared_key(thread->clear_tid), 1, FUTEX_BITSET_MATCH_ANY);
	}
	thread->thread_data->dead = true;
	if (thread->tid == linux->threads->main_tid)
		linux->threads->main_exit_code = exit_code;
	if (nub_linux_threads_alive(linux) == 0) {
		nub_linux_end(linux, NUB_LINUX_EXITED, "exit of the last thread");
		if (linux->end.kind == NUB_LINUX_EXITED)
			linux->end.exit_code = linux->threads->main_exit_code;
	}
}
