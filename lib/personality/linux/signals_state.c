/* Signals as bytes, for snapshots, and back. What is read is hostile. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "personality/linux/signals.h"

void nub_linux_queue_save(const struct nub_linux_queue *queue, struct nub_writer *writer)
{
	nub_writer_uint(writer, sizeof(uint32_t), queue->count);
	nub_writer_bytes(writer, queue->items, queue->count * sizeof(*queue->items));
}

int nub_linux_queue_load(struct nub_linux_queue *queue, struct nub_cursor *cursor)
{
	const uint32_t count = nub_cursor_u32(cursor, "the number of pending signals");
	siginfo_t info;

	if (count > NUB_LINUX_MAX_QUEUED)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "the number of pending signals is %u, it must be at most %d", count,
		                       NUB_LINUX_MAX_QUEUED);
	for (uint32_t i = 0; i < count && !cursor->failed; i++) {
		const uint8_t *bytes = nub_cursor_take(cursor, "a pending signal", sizeof(info));
		if (!bytes)
			break;
		memcpy(&info, bytes, sizeof(info));
		if (info.si_signo < 1 || info.si_signo > NUB_LINUX_SIGNALS)
			return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
			                       "a pending signal has number %d, it must be 1 to %d", info.si_signo,
			                       NUB_LINUX_SIGNALS);
		if (nub_linux_queue_add(queue, &info) < 0)
			return nub_cursor_fail(cursor, NUB_E_NO_MEMORY, "no memory for %u pending signals", count);
	}
	return cursor->failed ? -1 : 0;
}

void nub_linux_signal_data_save(const struct nub_linux_signal_data *data, struct nub_writer *writer)
{
	nub_writer_uint(writer, sizeof(uint64_t), data->mask);
	nub_writer_uint(writer, sizeof(uint32_t), data->has_saved_mask);
	nub_writer_uint(writer, sizeof(uint64_t), data->saved_mask);
	nub_writer_uint(writer, sizeof(uint64_t), data->stack.sp);
	nub_writer_uint(writer, sizeof(uint32_t), data->stack.flags);
	nub_writer_uint(writer, sizeof(uint64_t), data->stack.size);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)data->fault_signal);
	nub_writer_uint(writer, sizeof(uint64_t), data->vector);
	nub_writer_uint(writer, sizeof(uint64_t), data->error_code);
	nub_writer_uint(writer, sizeof(uint64_t), data->cr2);
	nub_linux_queue_save(&data->pending, writer);
}

int nub_linux_signal_data_load(struct nub_linux_signal_data *data, struct nub_cursor *cursor)
{
	uint32_t has_saved_mask, fault_signal;

	data->mask = nub_cursor_u64(cursor, "a thread's signal mask") & ~NUB_LINUX_UNBLOCKABLE;
	has_saved_mask = nub_cursor_u32(cursor, "whether a thread has a saved mask");
	data->saved_mask = nub_cursor_u64(cursor, "a thread's saved mask") & ~NUB_LINUX_UNBLOCKABLE;
	data->stack.sp = nub_cursor_u64(cursor, "a thread's signal stack");
	data->stack.flags = nub_cursor_u32(cursor, "the flags of a thread's signal stack");
	data->stack.size = nub_cursor_u64(cursor, "the size of a thread's signal stack");
	fault_signal = nub_cursor_u32(cursor, "the signal of a thread's last fault");
	data->vector = nub_cursor_u64(cursor, "the vector of a thread's last fault");
	data->error_code = nub_cursor_u64(cursor, "the error code of a thread's last fault");
	data->cr2 = nub_cursor_u64(cursor, "the address of a thread's last fault");
	if (cursor->failed)
		return -1;
	if (has_saved_mask > 1 || fault_signal > NUB_LINUX_SIGNALS || data->vector > 31)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "a thread's signals have %u saved masks, fault signal %u and vector %" PRIu64
		                       ", they must be at most 1, %d and 31",
		                       has_saved_mask, fault_signal, data->vector, NUB_LINUX_SIGNALS);
	data->has_saved_mask = has_saved_mask;
	data->fault_signal = (int)fault_signal;
	return nub_linux_queue_load(&data->pending, cursor);
}

void nub_linux_signals_save(struct nub_linux *linux, struct nub_writer *writer)
{
	for (size_t i = 0; i < NUB_LINUX_SIGNALS; i++) {
		const struct nub_linux_sigaction *action = &linux->signals->actions[i];
		nub_writer_uint(writer, sizeof(uint64_t), action->handler);
		nub_writer_uint(writer, sizeof(uint64_t), action->flags);
		nub_writer_uint(writer, sizeof(uint64_t), action->restorer);
		nub_writer_uint(writer, sizeof(uint64_t), action->mask);
	}
	nub_linux_queue_save(&linux->signals->pending, writer);
}

int nub_linux_signals_load(struct nub_linux *linux, struct nub_cursor *cursor)
{
	struct nub_linux_signals *signals = linux->signals;

	for (size_t i = 0; i < NUB_LINUX_SIGNALS; i++) {
		struct nub_linux_sigaction *action = &signals->actions[i];
		action->handler = nub_cursor_u64(cursor, "the handler of a signal");
		action->flags = nub_cursor_u64(cursor, "the flags of a signal");
		action->restorer = nub_cursor_u64(cursor, "the restorer of a signal");
		action->mask = nub_cursor_u64(cursor, "the mask of a signal") & ~NUB_LINUX_UNBLOCKABLE;
	}
	signals->actions[SIGKILL - 1] = signals->actions[SIGSTOP - 1] = (struct nub_linux_sigaction){ 0 };
	nub_linux_queue_release(&signals->pending);
	return nub_linux_queue_load(&signals->pending, cursor);
}
