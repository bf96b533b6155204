/* Checkpoints of a program, and what is new in a copy of it, for it to ask. */
#include "personality/linux/checkpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/nub_checkpoint.h"
#include "base/buffer.h"
#include "base/error.h"
#include "personality/linux/start.h"
#include "personality/linux/state.h"
#include "personality/linux/threads.h"

/* `syscall` is two bytes long. */
enum { SYSCALL_SIZE = 2 };

/* ---- What programs ask ---- */

static int64_t serve_checkpoint(struct nub_linux *linux, struct nub_linux_thread *thread, uint64_t flags)
{
	const unsigned stood = thread->checkpoint;

	if (flags & ~(uint64_t)NUB_PR_WANTS_ARGUMENTS)
		return -EINVAL;
	thread->checkpoint = 0;
	if (stood)
		return stood & NUB_LINUX_CHECKPOINT_COPY ? 1 : 0;
	linux->at_checkpoint = true;
	if (!linux->config.stop_at_checkpoint)
		return 0;
	thread->checkpoint = NUB_LINUX_CHECKPOINT_STANDS;
	if (flags & NUB_PR_WANTS_ARGUMENTS)
		thread->checkpoint |= NUB_LINUX_CHECKPOINT_WANTS;
	thread->vcpu.regs.rip -= SYSCALL_SIZE;
	return NUB_LINUX_KEEP;
}

/* As getxattr(2) hands a value out. */
static int64_t hand_out(struct nub_linux *linux, const uint8_t *bytes, size_t count, uint64_t gva, uint64_t size)
{
	if (size == 0)
		return (int64_t)count;
	if (count > size)
		return -ERANGE;
	return nub_linux_write(linux, gva, bytes, count) < 0 ? -EFAULT : (int64_t)count;
}

int64_t nub_linux_serve_own(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_program *program = linux->program;

	switch (args[1]) {
	case NUB_PR_CHECKPOINT:
		return serve_checkpoint(linux, thread, args[2]);
	case NUB_PR_GENERATION:
		return linux->generation < INT32_MAX ? (int64_t)linux->generation : INT32_MAX;
	case NUB_PR_ARGUMENTS:
		return program ? hand_out(linux, program->arguments, program->arguments_size, args[2], args[3]) : 0;
	case NUB_PR_ENVIRONMENT:
		return program ? hand_out(linux, program->environment, program->environment_size, args[2], args[3]) : 0;
	default:
		return nub_linux_unsupported(linux, thread, -EINVAL);
	}
}

/* ---- A thaw ---- */

/* Instead of *bytes: `first`, unless that is NULL, and strings[0...]. */
static int replace_strings(uint8_t **bytes, size_t *size, const char *first, const char *const *strings,
                           struct nub_error *err)
{
	struct nub_buffer buffer = { 0 };
	int result = first ? nub_buffer_append(&buffer, first, strlen(first) + 1, err) : 0;

	for (size_t i = 0; result == 0 && strings[i]; i++)
		result = nub_buffer_append(&buffer, strings[i], strlen(strings[i]) + 1, err);
	if (result == 0 && buffer.size > NUB_LINUX_STATE_MOST_BYTES)
		result = nub_fail(err, NUB_E_USAGE, E2BIG, "new arguments or variables take %zu bytes, the limit is %d",
		                  buffer.size, NUB_LINUX_STATE_MOST_BYTES);
	if (result < 0) {
		nub_buffer_release(&buffer);
		return -1;
	}
	free(*bytes);
	*bytes = buffer.bytes;
	*size = buffer.size;
	return 0;
}

/* argv[0] stays the program's own. */
static int replace_arguments(struct nub_linux_program *program, const char *const *argv, struct nub_error *err)
{
	return replace_strings(&program->arguments, &program->arguments_size, (const char *)program->arguments,
	                       argv[0] ? argv + 1 : argv, err);
}

static int refuse(const struct nub_linux *linux, struct nub_error *err)
{
	const bool arguments = linux->config.copy_argv;

	nub_fail(err, NUB_E_USAGE, 0, "%s: takes no %s: it was not saved at a checkpoint that asks for them",
	         linux->program->path, arguments ? "arguments" : "variables");
	return nub_hint(err, "leave them out, or save it at NUB_CHECKPOINT_WITH_ARGUMENTS() of nub_checkpoint.h");
}

int nub_linux_checkpoints_thaw(struct nub_linux *linux, struct nub_error *err)
{
	struct nub_linux_program *program = linux->program;
	const struct nub_linux_config *config = &linux->config;
	bool wants = false;

	for (size_t i = 0; i < linux->threads->count; i++) {
		struct nub_linux_thread *thread = linux->threads->list[i];
		if (thread->checkpoint & NUB_LINUX_CHECKPOINT_STANDS)
			thread->checkpoint |= NUB_LINUX_CHECKPOINT_COPY;
		wants = wants || thread->checkpoint & NUB_LINUX_CHECKPOINT_WANTS;
	}
	if (!wants)
		return config->copy_argv || config->copy_envp ? refuse(linux, err) : 0;
	if (config->copy_argv && replace_arguments(program, config->copy_argv, err) < 0)
		return -1;
	return config->copy_envp
	           ? replace_strings(&program->environment, &program->environment_size, NULL, config->copy_envp, err)
	           : 0;
}
