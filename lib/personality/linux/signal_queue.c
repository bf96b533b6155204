/* Queues of signals that were sent and not yet delivered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "personality/linux/signals.h"

/* What instructions cause comes before what others send (kernel/signal.c, SYNCHRONOUS_MASK). */
static uint64_t synchronous(void)
{
	return nub_linux_signal_bit(SIGSEGV) | nub_linux_signal_bit(SIGBUS) | nub_linux_signal_bit(SIGILL) |
	       nub_linux_signal_bit(SIGTRAP) | nub_linux_signal_bit(SIGFPE) | nub_linux_signal_bit(SIGSYS);
}

void nub_linux_queue_release(struct nub_linux_queue *queue)
{
	free(queue->items);
	*queue = (struct nub_linux_queue){ 0 };
}

static bool grow(struct nub_linux_queue *queue)
{
	const size_t capacity = queue->capacity ? queue->capacity * 2 : 4;
	siginfo_t *items;

	if (queue->count < queue->capacity)
		return true;
	items = capacity <= NUB_LINUX_MAX_QUEUED ? realloc(queue->items, capacity * sizeof(*items)) : NULL;
	if (!items)
		return false;
	queue->items = items;
	queue->capacity = capacity;
	return true;
}

int64_t nub_linux_queue_add(struct nub_linux_queue *queue, const siginfo_t *info)
{
	const uint64_t bit = nub_linux_signal_bit(info->si_signo);

	/* Timers count how often they came, so each of them has its own. */
	if (info->si_signo < 32 && (queue->set & bit) && info->si_code != SI_TIMER)
		return 0;
	if (!grow(queue))
		return -EAGAIN;
	queue->items[queue->count++] = *info;
	queue->set |= bit;
	return 0;
}

static void remove_at(struct nub_linux_queue *queue, size_t index)
{
	queue->count--;
	memmove(&queue->items[index], &queue->items[index + 1], (queue->count - index) * sizeof(*queue->items));
	queue->set = 0;
	for (size_t i = 0; i < queue->count; i++)
		queue->set |= nub_linux_signal_bit(queue->items[i].si_signo);
}

int nub_linux_queue_first(const struct nub_linux_queue *queue, uint64_t wanted)
{
	uint64_t candidates = queue->set & wanted;

	if (candidates & synchronous())
		candidates &= synchronous();
	return candidates != 0 ? __builtin_ctzll(candidates) + 1 : 0;
}

bool nub_linux_queue_take(struct nub_linux_queue *queue, uint64_t wanted, siginfo_t *info)
{
	const int signal = nub_linux_queue_first(queue, wanted);

	for (size_t i = 0; signal != 0 && i < queue->count; i++)
		if (queue->items[i].si_signo == signal) {
			*info = queue->items[i];
			remove_at(queue, i);
			return true;
		}
	return false;
}

void nub_linux_queue_drop(struct nub_linux_queue *queue, uint64_t signals)
{
	for (size_t i = queue->count; i-- > 0;)
		if (nub_linux_signal_bit(queue->items[i].si_signo) & signals)
			remove_at(queue, i);
}

static bool is_of_timer(const siginfo_t *info, int timer)
{
	return info->si_code == SI_TIMER && info->si_timerid == timer;
}

bool nub_linux_queue_has_timer(const struct nub_linux_queue *queue, int timer)
{
	for (size_t i = 0; i < queue->count; i++)
		if (is_of_timer(&queue->items[i], timer))
			return true;
	return false;
}

void nub_linux_queue_drop_timer(struct nub_linux_queue *queue, int timer)
{
	for (size_t i = queue->count; i-- > 0;)
		if (is_of_timer(&queue->items[i], timer))
			remove_at(queue, i);
}
