/* What comes next: which thread has the vCPU, until when, or that all wait. */
#include <errno.h>
#include <time.h>

#include "personality/linux/clocks.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

static bool can_run(const struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	const int32_t only = linux->debug.only;

	return !thread->thread_data->dead && !thread->wait.waiting && (only == 0 || thread->tid == only);
}

/* The thread after the current one in the list that can run, the current one at last; NULL when all wait. After one that ended
 * it is the first. */
static struct nub_linux_thread *next_in_turn(const struct nub_linux *linux)
{
	const struct nub_linux_threads *threads = linux->threads;
	size_t first = 0;

	for (size_t i = 0; linux->current && i < threads->count; i++)
		if (threads->list[i] == linux->current)
			first = i + 1;
	for (size_t i = 0; i < threads->count; i++) {
		struct nub_linux_thread *thread = threads->list[(first + i) % threads->count];
		if (can_run(linux, thread))
			return thread;
	}
	return NULL;
}

static bool others_can_run(const struct nub_linux *linux)
{
	for (size_t i = 0; i < linux->threads->count; i++)
		if (linux->threads->list[i] != linux->current && can_run(linux, linux->threads->list[i]))
			return true;
	return false;
}

static uint64_t host_cpu_ns(const struct nub_linux *linux)
{
	return linux->machine.ops->now_ns(linux->machine.context, CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t nub_linux_thread_cpu_ns(const struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	uint64_t spent = thread->thread_data->cpu_ns;

	if (thread == linux->threads->on_vcpu)
		spent += host_cpu_ns(linux) - linux->threads->turn_cpu_ns;
	return spent;
}

/* Take the thread that was on the vCPU off it, registers and all, and have `thread` be the current one. */
static void switch_to(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	struct nub_linux_threads *threads = linux->threads;
	const uint64_t now = host_cpu_ns(linux);

	if (threads->on_vcpu) {
		threads->on_vcpu->thread_data->cpu_ns += now - threads->turn_cpu_ns;
		linux->current = threads->on_vcpu;
		nub_linux_vcpu_save(linux);
	}
	linux->current = thread;
	threads->on_vcpu = NULL;
	threads->turn_cpu_ns = now;
}

/* Its signals, and its registers on the vCPU. False when it can't go on after all. */
static bool enter(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	struct nub_linux_threads *threads = linux->threads;

	if (threads->on_vcpu != thread)
		switch_to(linux, thread);
	linux->current = thread;
	if (nub_linux_signal_due(linux, thread) || thread->thread_data->interrupted) {
		if (threads->on_vcpu)
			nub_linux_vcpu_save(linux);
		threads->on_vcpu = NULL;
		nub_linux_signal_deliver(linux, thread);
		linux->debug.signal = nub_linux_signal_to_show(linux, thread);
	}
	if (nub_linux_ended(linux) || linux->debug.signal != 0 || !can_run(linux, thread))
		return false;
	if (threads->on_vcpu)
		linux->machine.ops->set_regs(linux->machine.context, &thread->vcpu.regs);
	else
		nub_linux_vcpu_load(linux);
	threads->on_vcpu = thread;
	return !nub_linux_ended(linux);
}

/* A clock that ticks in calls: the same in every run of a program that does the same. */
static uint64_t calls_made(const struct nub_linux *linux)
{
	uint64_t calls = 0;

	for (size_t i = 0; i < NUB_LINUX_MAX_CALL; i++)
		calls += linux->call_counts[i];
	return calls;
}

/* Whose turn it is. A slice begins when one has ended: what a thread leaves of it when it waits or yields is the next one's, so
 * that the end need not be planned anew each time. */
static struct nub_linux_thread *choose(struct nub_linux *linux)
{
	struct nub_linux_threads *threads = linux->threads;
	struct nub_linux_thread *thread = linux->current;

	if (linux->config.deterministic && calls_made(linux) - threads->slice_calls >= NUB_LINUX_SLICE_CALLS)
		threads->preempted = true;
	if (thread && can_run(linux, thread) && !threads->preempted && !threads->yields)
		return thread;
	if (threads->preempted) {
		threads->slice_calls = linux->config.deterministic ? calls_made(linux) : 0;
		threads->slice_end_ns = 0;
	}
	threads->preempted = threads->yields = false;
	return next_in_turn(linux);
}

/* When something is due that does not wait for anybody: a timer, a deadline, the end of a slice. CLOCK_MONOTONIC. */
static uint64_t first_due(const struct nub_linux *linux)
{
	const uint64_t deadline = nub_linux_waits_deadline(linux), timer = linux->clocks->next_ns;

	return deadline < timer ? deadline : timer;
}

/* The host's descriptors are looked at when a slice ends, and when nobody else can go on. */
static void look(struct nub_linux *linux)
{
	struct nub_linux_threads *threads = linux->threads;
	const uint64_t due = first_due(linux);
	uint64_t now = 0;

	if (due != NUB_LINUX_NEVER || threads->slice_end_ns != 0)
		now = nub_linux_monotonic(linux);
	if (threads->slice_end_ns != 0 && now >= threads->slice_end_ns)
		threads->preempted = true;
	if (threads->preempted)
		nub_linux_waits_poll(linux);
	if (!threads->look && now < due)
		return;
	threads->look = false;
	if (now >= linux->clocks->next_ns)
		nub_linux_timers_run(linux);
	nub_linux_waits_look(linux, now);
}

/* All wait. False: somebody can go on after all, or the run has ended. */
static bool idle_until(struct nub_linux *linux, struct nub_linux_idle *idle)
{
	const uint64_t due = first_due(linux);

	if (nub_linux_waits_poll(linux))
		return false;
	/* While a debugger holds others back, it is asked. */
	if (due == NUB_LINUX_NEVER && linux->threads->poll_count == 0 && linux->debug.only == 0) {
		nub_linux_deadlock(linux);
		return false;
	}
	*idle = (struct nub_linux_idle){
		.has_deadline = due != NUB_LINUX_NEVER,
		.deadline_ns = due != NUB_LINUX_NEVER ? nub_linux_host_monotonic(linux, due) : 0,
		.polls = linux->threads->polls,
		.poll_count = linux->threads->poll_count,
	};
	return true;
}

enum nub_linux_next nub_linux_next(struct nub_linux *linux, struct nub_linux_idle *idle)
{
	/* The current thread's call is over, unless it waits: and then a signal may be there already. */
	if (linux->current && linux->current->wait.waiting)
		linux->threads->look = true;
	else if (linux->current)
		nub_linux_signal_unmask_after_call(linux->current);
	linux->debug.signal = 0;
	for (;;) {
		nub_linux_threads_reap(linux);
		if (nub_linux_ended(linux))
			return NUB_LINUX_ENDED;
		if (linux->debug.only != 0 && !nub_linux_thread_find(linux, linux->debug.only))
			linux->debug.only = 0;
		look(linux);
		struct nub_linux_thread *thread = choose(linux);
		if (thread && enter(linux, thread))
			return NUB_LINUX_RUN;
		if (linux->debug.signal != 0 && !nub_linux_ended(linux))
			return NUB_LINUX_SIGNAL;
		if (!thread && !linux->threads->look && !nub_linux_ended(linux) && idle_until(linux, idle))
			return NUB_LINUX_IDLE;
	}
}

void nub_linux_rest(struct nub_linux *linux)
{
	struct nub_linux_thread *current = linux->current;

	if (linux->threads->on_vcpu)
		switch_to(linux, current);
	/* Its turn goes on afterwards. */
	linux->threads->slice_end_ns = 0;
	linux->threads->preempted = false;
}

void nub_linux_stopped(struct nub_linux *linux)
{
	linux->machine.ops->get_regs(linux->machine.context, &linux->current->vcpu.regs);
}

void nub_linux_preempt(struct nub_linux *linux)
{
	nub_linux_stopped(linux);
	linux->threads->preempted = true;
}

uint64_t nub_linux_slice_end(struct nub_linux *linux)
{
	struct nub_linux_threads *threads = linux->threads;
	uint64_t due = linux->config.deterministic ? linux->clocks->next_ns : first_due(linux);

	if (!linux->config.deterministic && (others_can_run(linux) || nub_linux_waits_for_host(linux))) {
		if (threads->slice_end_ns == 0)
			threads->slice_end_ns = nub_linux_add_ns(nub_linux_monotonic(linux), threads->slice_ns);
		if (threads->slice_end_ns < due)
			due = threads->slice_end_ns;
	}
	return due == NUB_LINUX_NEVER ? 0 : nub_linux_host_monotonic(linux, due);
}
