/* Threads that wait: whose wait may be over, and what the host has to tell. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "personality/linux/call.h"
#include "personality/linux/clocks.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

/* Serve the call again; when that is its end, the mask that it came with is no longer. */
static void retry(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	nub_linux_retry(linux, thread);
	if (!thread->wait.waiting)
		nub_linux_signal_unmask_after_call(thread);
}

/* A signal that will run a handler, or end the run, ends the wait. What it gives is decided when it is delivered. */
static void interrupt(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	if (nub_linux_signals_drop_ignored(linux, thread) == 0)
		return;
	thread->thread_data->interrupted = thread->wait.interrupted;
	thread->signal_data->awaited = 0;
	thread->wait.waiting = false;
	thread->wait.count = 0;
}

void nub_linux_waits_look(struct nub_linux *linux, uint64_t now_ns)
{
	const struct nub_linux_threads *threads = linux->threads;

	for (size_t i = 0; i < threads->count && !nub_linux_ended(linux); i++) {
		struct nub_linux_thread *thread = threads->list[i];
		const struct nub_linux_wait *wait = &thread->wait;
		if (wait->waiting && (wait->ready || (wait->has_deadline && now_ns >= wait->deadline_ns)))
			retry(linux, thread);
		if (wait->waiting && nub_linux_signal_due(linux, thread))
			interrupt(linux, thread);
	}
}

uint64_t nub_linux_waits_deadline(const struct nub_linux *linux)
{
	uint64_t first = NUB_LINUX_NEVER;

	for (size_t i = 0; i < linux->threads->count; i++) {
		const struct nub_linux_wait *wait = &linux->threads->list[i]->wait;
		if (wait->waiting && wait->has_deadline && wait->deadline_ns < first)
			first = wait->deadline_ns;
	}
	return first;
}

bool nub_linux_waits_for_host(const struct nub_linux *linux)
{
	for (size_t i = 0; i < linux->threads->count; i++) {
		const struct nub_linux_wait *wait = &linux->threads->list[i]->wait;
		for (size_t j = 0; wait->waiting && j < wait->count; j++)
			if (!wait->items[j].object)
				return true;
	}
	return false;
}

static bool grow(struct nub_linux_threads *threads)
{
	const size_t capacity = threads->poll_capacity ? threads->poll_capacity * 2 : 16;
	struct pollfd *polls;

	if (threads->poll_count < threads->poll_capacity)
		return true;
	polls = realloc(threads->polls, capacity * sizeof(*polls));
	if (!polls)
		return false;
	threads->polls = polls;
	threads->poll_capacity = capacity;
	return true;
}

/* All the host's descriptors that anybody waits for, in the order of the threads. False: no memory for nubrun. */
static bool collect(struct nub_linux_threads *threads)
{
	threads->poll_count = 0;
	for (size_t i = 0; i < threads->count; i++) {
		const struct nub_linux_wait *wait = &threads->list[i]->wait;
		for (size_t j = 0; wait->waiting && j < wait->count; j++) {
			if (wait->items[j].object)
				continue;
			if (!grow(threads))
				return false;
			threads->polls[threads->poll_count++] = (struct pollfd){
				.fd = wait->items[j].host_fd,
				.events = wait->items[j].events,
			};
		}
	}
	return true;
}

bool nub_linux_waits_poll(struct nub_linux *linux)
{
	struct nub_linux_threads *threads = linux->threads;
	size_t next = 0;
	bool any = false;

	if (!collect(threads)) {
		const struct nub_error err = { .kind = NUB_E_NO_MEMORY,
			                       .message = "the descriptors that are waited for" };
		nub_linux_fail(linux, &err);
		return false;
	}
	if (threads->poll_count == 0 || poll(threads->polls, threads->poll_count, 0) <= 0)
		return false;
	for (size_t i = 0; i < threads->count; i++) {
		const struct nub_linux_wait *wait = &threads->list[i]->wait;
		for (size_t j = 0; wait->waiting && j < wait->count; j++) {
			if (wait->items[j].object || threads->polls[next++].revents == 0)
				continue;
			nub_linux_thread_ready(linux, threads->list[i]);
			any = true;
		}
	}
	return any;
}

/* `; thread 1001 'worker' in futex(0x4bb400, 0x80, 2, 0, NULL, 0) at 0x411b8b`, as far as there is room: how long it is. */
static size_t tell_where(struct nub_linux *linux, const struct nub_linux_thread *thread, char *text, size_t room)
{
	static const char no_result[] = " = ?";
	char call[160];

	nub_linux_format_call(linux, thread->call, thread->call_args, NUB_LINUX_WAIT, call, sizeof(call));
	const size_t length = strlen(call), end = sizeof(no_result) - 1;
	if (length > end && strcmp(call + length - end, no_result) == 0)
		call[length - end] = '\0';
	const char *quote = thread->name[0] ? "'" : "", *space = thread->name[0] ? " " : "";
	const int written = snprintf(text, room, "; thread %d%s%s%s%s in %s at 0x%" PRIx64, thread->tid, space, quote,
	                             thread->name, quote, call, thread->vcpu.regs.rip);
	if (written >= 0 && (size_t)written < room)
		return (size_t)written;
	text[0] = '\0';
	return 0;
}

void nub_linux_deadlock(struct nub_linux *linux)
{
	const struct nub_linux_threads *threads = linux->threads;
	char text[sizeof(linux->end.message)] = "";
	size_t length = 0, told = 1;

	for (size_t i = 0; i < threads->count && told > 0; i++) {
		told = tell_where(linux, threads->list[i], text + length, sizeof(text) - length);
		length += told;
	}
	nub_linux_end(linux, NUB_LINUX_DEADLOCK, "all %zu threads wait, and nothing can wake one%s", threads->count,
	              text);
}
