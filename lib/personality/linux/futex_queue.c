/* Who waits at which futex, and in which order they are woken. */
#include "personality/linux/threads.h"

static bool waits_at(const struct nub_linux_thread *thread, struct nub_linux_futex_key key)
{
	const struct nub_linux_futex_wait *wait = &thread->thread_data->futex;

	return wait->queued && wait->gva == key.gva && wait->shared == key.shared;
}

/* The one that waits longest of those whose bitset meets this one, and whose order is in [from, to). */
static struct nub_linux_thread *first_at(const struct nub_linux *linux, struct nub_linux_futex_key key, uint32_t bitset,
                                         uint64_t from, uint64_t to)
{
	struct nub_linux_thread *first = NULL;

	for (size_t i = 0; i < linux->threads->count; i++) {
		struct nub_linux_thread *thread = linux->threads->list[i];
		const struct nub_linux_futex_wait *wait = &thread->thread_data->futex;
		if (waits_at(thread, key) && (wait->bitset & bitset) && wait->order >= from && wait->order < to &&
		    (!first || wait->order < first->thread_data->futex.order))
			first = thread;
	}
	return first;
}

void nub_linux_futex_enqueue(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_futex_key key,
                             uint32_t bitset)
{
	thread->thread_data->futex = (struct nub_linux_futex_wait){
		.queued = true,
		.shared = key.shared,
		.bitset = bitset,
		.gva = key.gva,
		.order = linux->threads->futex_order++,
	};
}

static void wake(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	thread->thread_data->futex.queued = false;
	nub_linux_thread_ready(linux, thread);
}

int64_t nub_linux_futex_wake(struct nub_linux *linux, struct nub_linux_futex_key key, int32_t limit, uint32_t bitset)
{
	struct nub_linux_thread *thread;
	int64_t woken = 0;

	while ((thread = first_at(linux, key, bitset, 0, UINT64_MAX))) {
		wake(linux, thread);
		if (++woken >= limit)
			break;
	}
	return woken;
}

int64_t nub_linux_futex_requeue(struct nub_linux *linux, struct nub_linux_futex_key from, struct nub_linux_futex_key to,
                                int32_t wakes, int32_t requeues)
{
	const bool moves = from.gva != to.gva || from.shared != to.shared;
	const int64_t limit = (int64_t)wakes + requeues;
	const uint64_t end = linux->threads->futex_order;
	struct nub_linux_thread *thread;
	uint64_t next = 0;
	int64_t count = 0;

	while (count < limit && (thread = first_at(linux, from, UINT32_MAX, next, end))) {
		struct nub_linux_futex_wait *wait = &thread->thread_data->futex;
		next = wait->order + 1;
		if (count++ < wakes)
			wake(linux, thread);
		else if (moves)
			nub_linux_futex_enqueue(linux, thread, to, wait->bitset);
	}
	return count;
}
