/* A script of system calls that is made natively, in a child, and by a program of the personality's; results are compared, and what
 * the calls left in memory.
 *
 * Pointers of a script go into an arena that both have. A step whose number is PUT writes a word to the arena.
 */
#ifndef LINUX_SCRIPT_H
#define LINUX_SCRIPT_H

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_program.h"
#include "quiet_call.h"

enum { ARENA_SIZE = 4096, PUT = 100000, STEPS_MAX = 256 };

enum script_arg_kind { SCRIPT_VALUE, SCRIPT_ARENA, SCRIPT_NOWHERE, SCRIPT_PID };

struct script_arg {
	enum script_arg_kind kind;
	uint64_t value;
};

#define V(n)                                                                                                           \
	{                                                                                                              \
		SCRIPT_VALUE, (uint64_t)(n)                                                                            \
	}
#define P(offset)                                                                                                      \
	{                                                                                                              \
		SCRIPT_ARENA, offset                                                                                   \
	}
#define NOWHERE                                                                                                        \
	{                                                                                                              \
		SCRIPT_NOWHERE, 0                                                                                      \
	}
#define PID                                                                                                            \
	{                                                                                                              \
		SCRIPT_PID, 0                                                                                          \
	}

struct script_step {
	unsigned number; /* of the call; PUT: args[0] is where, args[1] what */
	struct script_arg args[5];
	/* The call's time differs, or it is about the caller's own stack: the arena is not compared, and cleared. */
	bool volatile_memory;
};

struct script_result {
	int64_t results[STEPS_MAX];
	uint8_t arenas[STEPS_MAX][ARENA_SIZE];
};

static inline void script_native(const struct script_step *steps, size_t count, struct script_result *result)
{
	uint8_t *arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < count; i++) {
		const struct script_step *step = &steps[i];
		uint64_t args[6] = { 0 };
		for (int j = 0; j < 5; j++) {
			const struct script_arg *arg = &step->args[j];
			args[j] = arg->kind == SCRIPT_VALUE     ? arg->value
			          : arg->kind == SCRIPT_ARENA   ? (uint64_t)(uintptr_t)arena + arg->value
			          : arg->kind == SCRIPT_NOWHERE ? 16
			                                        : (uint64_t)getpid();
		}
		if (step->number == PUT) {
			memcpy(arena + step->args[0].value, &args[1], sizeof(args[1]));
		} else {
			const long got = quiet_call((long)step->number, args);
			result->results[i] = got < 0 ? -errno : got;
		}
		if (step->volatile_memory)
			memset(arena, 0, ARENA_SIZE);
		memcpy(result->arenas[i], arena, ARENA_SIZE);
	}
}

static inline void script_guest(struct alone *alone, const struct script_step *step, int64_t *result, uint8_t *bytes)
{
	uint64_t args[5];

	for (int j = 0; j < 5; j++) {
		const struct script_arg *arg = &step->args[j];
		args[j] = arg->kind == SCRIPT_VALUE     ? arg->value
		          : arg->kind == SCRIPT_ARENA   ? DATA + arg->value
		          : arg->kind == SCRIPT_NOWHERE ? 16
		                                        : NUB_LINUX_PID;
	}
	*result = 0;
	if (step->number == PUT) {
		put(alone, DATA + step->args[0].value, &args[1], sizeof(args[1]));
	} else {
		*result = call(alone, step->number, args[0], args[1], args[2], args[3], args[4], 0);
		assert_int_equal(next(alone), NUB_LINUX_RUN);
		*result = (int64_t)alone->linux->current->vcpu.regs.rax;
	}
	if (step->volatile_memory) {
		memset(bytes, 0, ARENA_SIZE);
		put(alone, DATA, bytes, ARENA_SIZE);
	}
	get(alone, DATA, bytes, ARENA_SIZE);
}

/* Pointers and numbers of the process are the arena's and the pid's: made the same before they are compared. */
static inline void script_compare(struct alone *alone, const struct script_step *steps, size_t count)
{
	struct script_result *host =
	    mmap(NULL, sizeof(*host), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint8_t arena[ARENA_SIZE];
	int status;

	assert_true(host != MAP_FAILED && count <= STEPS_MAX);
	const pid_t child = fork();
	if (child == 0) {
		script_native(steps, count, host);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < count; i++) {
		int64_t result;
		script_guest(alone, &steps[i], &result, arena);
		if (result != host->results[i])
			fail_msg("step %zu (call %u) gives %lld, the host %lld", i, steps[i].number, (long long)result,
			         (long long)host->results[i]);
		for (size_t j = 0; j < ARENA_SIZE; j++)
			if (arena[j] != host->arenas[i][j])
				fail_msg("step %zu (call %u) left 0x%x at %zu, the host 0x%x", i, steps[i].number,
				         arena[j], j, host->arenas[i][j]);
	}
	munmap(host, sizeof(*host));
}

#define SCRIPT_COMPARE(alone, steps) script_compare(alone, steps, sizeof(steps) / sizeof(*(steps)))

#endif
