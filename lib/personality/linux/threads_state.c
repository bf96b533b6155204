/* Threads as bytes, for snapshots, and back: registers, what each waits in, futexes, signals. What is read is hostile. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "personality/linux/checkpoints.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

static void save_vcpu(const struct nub_linux_vcpu *vcpu, struct nub_writer *writer)
{
	const struct nub_registers *r = &vcpu->regs;
	const uint64_t values[] = { r->rax, r->rbx, r->rcx, r->rdx,    r->rsi,        r->rdi,       r->rsp,
		                    r->rbp, r->r8,  r->r9,  r->r10,    r->r11,        r->r12,       r->r13,
		                    r->r14, r->r15, r->rip, r->rflags, vcpu->fs_base, vcpu->gs_base };

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		nub_writer_uint(writer, sizeof(uint64_t), values[i]);
	nub_writer_bytes(writer, vcpu->xsave, sizeof(vcpu->xsave));
}

static int load_vcpu(const struct nub_linux_machine *machine, struct nub_linux_vcpu *vcpu, struct nub_cursor *cursor)
{
	struct nub_registers *r = &vcpu->regs;
	uint64_t *const values[] = { &r->rax, &r->rbx, &r->rcx, &r->rdx,    &r->rsi,        &r->rdi,       &r->rsp,
		                     &r->rbp, &r->r8,  &r->r9,  &r->r10,    &r->r11,        &r->r12,       &r->r13,
		                     &r->r14, &r->r15, &r->rip, &r->rflags, &vcpu->fs_base, &vcpu->gs_base };
	const uint8_t *xsave;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		*values[i] = nub_cursor_u64(cursor, "a register of a thread");
	xsave = nub_cursor_take(cursor, "the XSAVE image of a thread", sizeof(vcpu->xsave));
	if (!xsave)
		return -1;
	memcpy(vcpu->xsave, xsave, sizeof(vcpu->xsave));
	if (!nub_linux_registers_valid(r) || !nub_canonical(vcpu->fs_base) || !nub_canonical(vcpu->gs_base))
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "a thread has rip 0x%" PRIx64 ", rflags 0x%" PRIx64 ", FS base 0x%" PRIx64
		                       " and GS base 0x%" PRIx64 ", no program can have all of these",
		                       r->rip, r->rflags, vcpu->fs_base, vcpu->gs_base);
	if (!nub_linux_xsave_valid(vcpu->xsave, machine->xcr0))
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "the XSAVE image of a thread is none that this CPU takes");
	return 0;
}

static void save_wait(const struct nub_linux_wait *wait, struct nub_writer *writer)
{
	nub_writer_uint(writer, sizeof(uint32_t), wait->waiting);
	nub_writer_uint(writer, sizeof(uint32_t), wait->has_deadline);
	nub_writer_uint(writer, sizeof(uint64_t), wait->deadline_ns);
	for (size_t i = 0; i < sizeof(wait->state) / sizeof(*wait->state); i++)
		nub_writer_uint(writer, sizeof(uint64_t), wait->state[i]);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)wait->interrupted);
}

static bool may_interrupt(uint32_t code)
{
	return code == EINTR || code == NUB_LINUX_ERESTARTSYS || code == NUB_LINUX_ERESTARTNOINTR ||
	       code == NUB_LINUX_ERESTARTNOHAND || code == NUB_LINUX_ERESTART_RESTARTBLOCK;
}

/* A wait that is read is served again before anything else. */
static int load_wait(struct nub_linux_wait *wait, struct nub_cursor *cursor)
{
	const uint32_t waiting = nub_cursor_u32(cursor, "whether a thread waits");
	const uint32_t has_deadline = nub_cursor_u32(cursor, "whether a thread's wait has a deadline");

	wait->deadline_ns = nub_cursor_u64(cursor, "the deadline of a thread's wait");
	for (size_t i = 0; i < sizeof(wait->state) / sizeof(*wait->state); i++)
		wait->state[i] = nub_cursor_u64(cursor, "the state of a thread's wait");
	const uint32_t interrupted = nub_cursor_u32(cursor, "what a signal makes of a thread's wait");
	if (cursor->failed)
		return -1;
	if (waiting > 1 || has_deadline > 1 || (interrupted != 0 && !may_interrupt(interrupted)))
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "a thread's wait is %u, with %u deadlines and error %u, which can't be", waiting,
		                       has_deadline, interrupted);
	wait->waiting = wait->ready = waiting;
	wait->has_deadline = has_deadline;
	wait->interrupted = (int)interrupted;
	return 0;
}

static void save_data(const struct nub_linux_thread_data *data, struct nub_writer *writer)
{
	nub_writer_uint(writer, sizeof(uint32_t), data->futex.queued);
	nub_writer_uint(writer, sizeof(uint32_t), data->futex.shared);
	nub_writer_uint(writer, sizeof(uint32_t), data->futex.bitset);
	nub_writer_uint(writer, sizeof(uint64_t), data->futex.gva);
	nub_writer_uint(writer, sizeof(uint64_t), data->futex.order);
	nub_writer_uint(writer, sizeof(uint64_t), data->cpu_ns);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)data->interrupted);
}

static int load_data(struct nub_linux_thread_data *data, struct nub_cursor *cursor)
{
	const uint32_t queued = nub_cursor_u32(cursor, "whether a thread waits for a futex");
	const uint32_t shared = nub_cursor_u32(cursor, "whether a thread's futex is shared");

	data->futex.bitset = nub_cursor_u32(cursor, "the bitset of a thread's futex");
	data->futex.gva = nub_cursor_u64(cursor, "the address of a thread's futex");
	data->futex.order = nub_cursor_u64(cursor, "the place of a thread in a futex's queue");
	data->cpu_ns = nub_cursor_u64(cursor, "the CPU time of a thread");
	const uint32_t interrupted = nub_cursor_u32(cursor, "what a signal made of a thread's call");
	if (cursor->failed)
		return -1;
	if (queued > 1 || shared > 1 || (interrupted != 0 && !may_interrupt(interrupted)))
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "a thread has %u futexes, %u shared, and error %u, which can't be", queued,
		                       shared, interrupted);
	data->futex.queued = queued;
	data->futex.shared = shared;
	data->interrupted = (int)interrupted;
	return 0;
}

static void save_thread(const struct nub_linux_thread *thread, struct nub_writer *writer)
{
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)thread->tid);
	save_vcpu(&thread->vcpu, writer);
	save_wait(&thread->wait, writer);
	nub_writer_uint(writer, sizeof(uint64_t), thread->call);
	for (size_t i = 0; i < 6; i++)
		nub_writer_uint(writer, sizeof(uint64_t), thread->call_args[i]);
	nub_writer_bytes(writer, thread->name, sizeof(thread->name));
	nub_writer_uint(writer, sizeof(uint64_t), thread->clear_tid);
	nub_writer_uint(writer, sizeof(uint64_t), thread->robust_list);
	nub_writer_uint(writer, sizeof(uint32_t), thread->checkpoint & ~(unsigned)NUB_LINUX_CHECKPOINT_COPY);
	save_data(thread->thread_data, writer);
	nub_linux_signal_data_save(thread->signal_data, writer);
}

/* Into a thread that is new. */
static int load_thread(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_cursor *cursor)
{
	const uint32_t tid = nub_cursor_u32(cursor, "a thread's number");
	const uint8_t *name;

	if (!cursor->failed && (tid == 0 || tid >= NUB_LINUX_TID_LIMIT || nub_linux_thread_find(linux, (int32_t)tid)))
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "a thread's number is %u, it must be another's than any, 1 to %d", tid,
		                       NUB_LINUX_TID_LIMIT - 1);
	thread->tid = (int32_t)tid;
	if (load_vcpu(&linux->machine, &thread->vcpu, cursor) < 0 || load_wait(&thread->wait, cursor) < 0)
		return -1;
	thread->call = nub_cursor_u64(cursor, "a thread's last call");
	for (size_t i = 0; i < 6; i++)
		thread->call_args[i] = nub_cursor_u64(cursor, "an argument of a thread's last call");
	name = nub_cursor_take(cursor, "a thread's name", sizeof(thread->name));
	if (!name)
		return -1;
	memcpy(thread->name, name, sizeof(thread->name));
	thread->name[sizeof(thread->name) - 1] = '\0';
	thread->clear_tid = nub_cursor_u64(cursor, "where a thread's number is cleared");
	thread->robust_list = nub_cursor_u64(cursor, "a thread's robust list");
	thread->checkpoint = nub_cursor_u32(cursor, "the checkpoint of a thread");
	if (load_data(thread->thread_data, cursor) < 0)
		return -1;
	if (thread->checkpoint != 0 && thread->checkpoint != NUB_LINUX_CHECKPOINT_STANDS &&
	    thread->checkpoint != (NUB_LINUX_CHECKPOINT_STANDS | NUB_LINUX_CHECKPOINT_WANTS))
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "a thread is at checkpoint %u, which is none of 0, 1 and 3", thread->checkpoint);
	return nub_linux_signal_data_load(thread->signal_data, cursor);
}

void nub_linux_threads_save(struct nub_linux *linux, struct nub_writer *writer)
{
	const struct nub_linux_threads *threads = linux->threads;

	nub_linux_threads_reap(linux);
	if (threads->on_vcpu && threads->on_vcpu == linux->current)
		nub_linux_vcpu_save(linux);
	nub_writer_uint(writer, sizeof(uint32_t), threads->count);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)threads->main_tid);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)threads->last_tid);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)threads->main_exit_code);
	nub_writer_uint(writer, sizeof(uint32_t), linux->current ? (uint32_t)linux->current->tid : 0);
	nub_writer_uint(writer, sizeof(uint64_t), threads->futex_order);
	for (size_t i = 0; i < threads->count; i++)
		save_thread(threads->list[i], writer);
}

/* The thread that nub_linux_make made is not one of these. */
static void drop_all(struct nub_linux *linux)
{
	for (size_t i = 0; i < linux->threads->count; i++)
		linux->threads->list[i]->thread_data->dead = true;
	nub_linux_threads_reap(linux);
}

static int load_list(struct nub_linux *linux, uint32_t count, struct nub_cursor *cursor)
{
	for (uint32_t i = 0; i < count; i++) {
		struct nub_linux_thread *thread = nub_linux_thread_add(linux, NULL);
		if (!thread)
			return nub_cursor_fail(cursor, NUB_E_NO_MEMORY, "no memory for %u threads", count);
		thread->tid = 0;
		if (load_thread(linux, thread, cursor) < 0)
			return -1;
	}
	return 0;
}

int nub_linux_threads_load(struct nub_linux *linux, struct nub_cursor *cursor)
{
	struct nub_linux_threads *threads = linux->threads;
	const uint32_t count = nub_cursor_u32(cursor, "the number of threads");
	const uint32_t main_tid = nub_cursor_u32(cursor, "the main thread's number");
	const uint32_t last_tid = nub_cursor_u32(cursor, "the newest thread's number");
	const uint32_t exit_code = nub_cursor_u32(cursor, "the main thread's exit code");
	const uint32_t current = nub_cursor_u32(cursor, "the current thread's number");

	threads->futex_order = nub_cursor_u64(cursor, "the end of the futexes' queues");
	if (cursor->failed)
		return -1;
	if (count < 1 || count > linux->config.max_threads)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "the number of threads is %u, it must be 1 to %u",
		                       count, linux->config.max_threads);
	if (main_tid >= NUB_LINUX_TID_LIMIT || last_tid >= NUB_LINUX_TID_LIMIT || exit_code > 255)
		return nub_cursor_fail(
		    cursor, NUB_E_SNAPSHOT_FIELD,
		    "the main thread is %u with exit code %u, the newest %u: their limits are %d and 255", main_tid,
		    exit_code, last_tid, NUB_LINUX_TID_LIMIT - 1);
	drop_all(linux);
	if (load_list(linux, count, cursor) < 0)
		return -1;
	threads->main_tid = (int32_t)main_tid;
	threads->last_tid = (int32_t)last_tid;
	threads->main_exit_code = (int)exit_code;
	threads->look = true;
	linux->current = nub_linux_thread_find(linux, (int32_t)current);
	return 0;
}
