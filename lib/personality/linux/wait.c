/* What a waiting call waits for: the list in its thread. */
#include "personality/linux/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "personality/linux/linux.h"

static void add(struct nub_linux_wait *wait, struct nub_linux_awaited item)
{
	if (wait->count == wait->capacity && wait->count < NUB_LINUX_MAX_AWAITED) {
		const size_t capacity = wait->capacity ? wait->capacity * 2 : 4;
		struct nub_linux_awaited *items = realloc(wait->items, capacity * sizeof(*items));
		if (items) {
			wait->items = items;
			wait->capacity = capacity;
		}
	}
	if (wait->count == wait->capacity)
		wait->overflow = true;
	else
		wait->items[wait->count++] = item;
}

void nub_linux_wait_object(struct nub_linux_wait *wait, const void *object)
{
	add(wait, (struct nub_linux_awaited){ .object = object, .host_fd = -1 });
}

void nub_linux_wait_fd(struct nub_linux_wait *wait, int host_fd, short events)
{
	add(wait, (struct nub_linux_awaited){ .host_fd = host_fd, .events = events });
}

void nub_linux_wait_until(struct nub_linux_wait *wait, uint64_t deadline_ns)
{
	wait->has_deadline = true;
	wait->deadline_ns = deadline_ns;
}

bool nub_linux_wait_is_over(struct nub_linux *linux, const struct nub_linux_wait *wait)
{
	return wait->has_deadline && nub_linux_monotonic(linux) >= wait->deadline_ns;
}

int64_t nub_linux_wait(struct nub_linux_wait *wait, int interrupted)
{
	if (wait->overflow)
		return -ENOMEM;
	wait->waiting = true;
	wait->ready = false;
	wait->interrupted = interrupted;
	return NUB_LINUX_WAIT;
}

void nub_linux_wait_begin(struct nub_linux_wait *wait)
{
	struct nub_linux_awaited *items = wait->items;
	const size_t capacity = wait->capacity;

	*wait = (struct nub_linux_wait){ .items = items, .capacity = capacity };
}

void nub_linux_wait_again(struct nub_linux_wait *wait)
{
	wait->waiting = wait->ready = wait->overflow = false;
	wait->partial = 0;
	wait->restarted = true;
	wait->count = 0;
}

void nub_linux_wait_release(struct nub_linux_wait *wait)
{
	free(wait->items);
	*wait = (struct nub_linux_wait){ 0 };
}

bool nub_linux_wait_has(const struct nub_linux_wait *wait, const void *object)
{
	for (size_t i = 0; i < wait->count; i++)
		if (wait->items[i].object == object)
			return true;
	return false;
}
