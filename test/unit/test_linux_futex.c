/* futex(2) of Linux programs, held against the host's: the same operations on the same words, with and without threads that wait. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "linux_program.h"
#include "quiet_call.h"

enum { WORDS = 4, WAITERS = 4, PRIVATE = FUTEX_PRIVATE_FLAG };

/* Where an address of a case lies: a word, or nowhere good. */
enum place { WORD0, WORD1, ODD, NOWHERE, NULL_PLACE, HIGH };

/* What is passed as a time. */
enum time_kind { NO_TIME, PAST, SHORT, NEGATIVE, DENORMAL, BAD_TIME };

struct futex_case {
	int op;
	enum place at;
	uint32_t value;
	enum time_kind time; /* of those that wait */
	uint64_t value2;     /* of the others */
	enum place at2;
	uint32_t value3;
};

#define OP(op, cmp, arg, cmparg) FUTEX_OP(FUTEX_OP_##op, arg, FUTEX_OP_CMP_##cmp, cmparg)

/* Word 0 is 5, word 1 is -3, and nobody waits. */
static const struct futex_case alone_cases[] = {
	{ FUTEX_WAIT, WORD0, 4, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAIT, WORD0, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT, WORD0, 5, PAST, 0, WORD0, 0 },
	{ FUTEX_WAIT | PRIVATE, WORD0, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT, ODD, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT, NOWHERE, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT | PRIVATE, NOWHERE, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT, NULL_PLACE, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT, HIGH, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT | PRIVATE, HIGH, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT, WORD0, 5, NEGATIVE, 0, WORD0, 0 },
	{ FUTEX_WAIT, WORD0, 5, DENORMAL, 0, WORD0, 0 },
	{ FUTEX_WAIT, WORD0, 5, BAD_TIME, 0, WORD0, 0 },
	{ FUTEX_WAIT, ODD, 5, NEGATIVE, 0, WORD0, 0 },
	{ FUTEX_WAIT, ODD, 5, BAD_TIME, 0, WORD0, 0 },
	{ FUTEX_WAIT | FUTEX_CLOCK_REALTIME, WORD0, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT_BITSET, WORD0, 5, SHORT, 0, WORD0, 1 },
	{ FUTEX_WAIT_BITSET, WORD0, 4, SHORT, 0, WORD0, 1 },
	{ FUTEX_WAIT_BITSET, WORD0, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT_BITSET, WORD0, 4, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT_BITSET, ODD, 5, SHORT, 0, WORD0, 0 },
	{ FUTEX_WAIT_BITSET, ODD, 5, BAD_TIME, 0, WORD0, 0 },
	{ FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, WORD0, 5, SHORT, 0, WORD0, UINT32_MAX },
	{ FUTEX_WAKE, WORD0, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE, ODD, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE, NOWHERE, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE | PRIVATE, NOWHERE, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE | PRIVATE, NULL_PLACE, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE | PRIVATE, HIGH, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE_BITSET, WORD0, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE_BITSET, ODD, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE_BITSET, WORD0, 1, NO_TIME, 0, WORD0, 2 },
	{ FUTEX_WAKE | FUTEX_CLOCK_REALTIME, WORD0, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_REQUEUE, WORD0, 1, NO_TIME, 1, WORD1, 0 },
	{ FUTEX_REQUEUE, WORD0, (uint32_t)-1, NO_TIME, 1, WORD1, 0 },
	{ FUTEX_REQUEUE, WORD0, 1, NO_TIME, (uint32_t)-1, WORD1, 0 },
	{ FUTEX_REQUEUE, ODD, (uint32_t)-1, NO_TIME, 1, WORD1, 0 },
	{ FUTEX_REQUEUE, ODD, 1, NO_TIME, 1, NOWHERE, 0 },
	{ FUTEX_REQUEUE, WORD0, 1, NO_TIME, 1, ODD, 0 },
	{ FUTEX_REQUEUE, WORD0, 1, NO_TIME, 1, NOWHERE, 0 },
	{ FUTEX_REQUEUE | PRIVATE, WORD0, 1, NO_TIME, 1, NOWHERE, 0 },
	{ FUTEX_CMP_REQUEUE, WORD0, 1, NO_TIME, 1, WORD1, 5 },
	{ FUTEX_CMP_REQUEUE, WORD0, 1, NO_TIME, 1, WORD1, 6 },
	{ FUTEX_CMP_REQUEUE | PRIVATE, NOWHERE, 1, NO_TIME, 1, WORD1, 5 },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, OP(SET, EQ, 7, -3) },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, OP(ADD, LT, -1, 0) },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, OP(OR, GT, 0x10, -4) },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, OP(ANDN, GE, 0xf, 3) },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, OP(XOR, LE, -1, 3) },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, OP(ADD, NE, 2047, -2048) },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, OP(SET, EQ, 3, 0) | (uint32_t)FUTEX_OP_OPARG_SHIFT << 28 },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, OP(OR, EQ, 31, 0) | (uint32_t)FUTEX_OP_OPARG_SHIFT << 28 },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, OP(SET, EQ, 40, 0) | (uint32_t)FUTEX_OP_OPARG_SHIFT << 28 },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, FUTEX_OP(5, 1, 0, 0) },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, WORD1, FUTEX_OP(FUTEX_OP_SET, 9, 6, 0) },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, ODD, 0 },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 1, NOWHERE, 0 },
	{ FUTEX_WAKE_OP | PRIVATE, WORD0, 1, NO_TIME, 1, NOWHERE, 0 },
	{ FUTEX_WAKE_OP | PRIVATE, NOWHERE, 1, NO_TIME, 1, WORD1, OP(SET, EQ, 8, 0) },
	{ FUTEX_FD, WORD0, 1, NO_TIME, 1, WORD1, 0 },
	{ 14, WORD0, 1, NO_TIME, 1, WORD1, 0 },
	{ 127, WORD0, 1, NO_TIME, 1, WORD1, 0 },
};

/* What came of a case. */
struct outcome {
	int64_t result;
	uint32_t words[2];
	unsigned woken; /* a bit for each thread that no longer waits */
	int64_t moved;  /* that word 1 then woke */
};

static const uint32_t initial[2] = { 5, (uint32_t)-3 };

static bool has_time(int op)
{
	const int command = op & FUTEX_CMD_MASK;

	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
}

static struct timespec time_of(const struct futex_case *c, uint64_t now_ns)
{
	const bool relative = (c->op & FUTEX_CMD_MASK) == FUTEX_WAIT;

	switch (c->time) {
	case SHORT:
		return nub_linux_timespec((relative ? 0 : now_ns) + 1000000);
	case NEGATIVE:
		return (struct timespec){ .tv_sec = -1 };
	case DENORMAL:
		return (struct timespec){ .tv_nsec = 1000000000 };
	default:
		return (struct timespec){ 0 };
	}
}

/* ---- the host's ---- */

static uint32_t *host_words;

static uint64_t host_place(enum place place)
{
	const uint64_t words = (uint64_t)(uintptr_t)host_words;

	switch (place) {
	case WORD0:
		return words;
	case WORD1:
		return words + 4;
	case ODD:
		return words + 2;
	case NOWHERE:
		return words + 4096; /* the page behind is not mapped */
	case HIGH:
		return UINT64_C(0xffff800000000000);
	default:
		return 0;
	}
}

static int64_t host_futex(const struct futex_case *c)
{
	struct timespec now, time;
	uint64_t fourth = c->value2;

	clock_gettime(c->op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
	if (has_time(c->op)) {
		time = time_of(c, (uint64_t)now.tv_sec * NUB_LINUX_SECOND + (uint64_t)now.tv_nsec);
		fourth = c->time == NO_TIME    ? 0
		         : c->time == BAD_TIME ? host_place(NOWHERE)
		                               : (uint64_t)(uintptr_t)&time;
	}
	const uint64_t args[] = { host_place(c->at), (unsigned)c->op, c->value, fourth, host_place(c->at2), c->value3 };
	const long result = quiet_call(SYS_futex, args);
	return result < 0 ? -errno : result;
}

/* ---- the guest's ---- */

static uint64_t guest_place(enum place place)
{
	switch (place) {
	case WORD0:
		return DATA;
	case WORD1:
		return DATA + 4;
	case ODD:
		return DATA + 2;
	case NOWHERE:
		return UNMAPPED;
	case HIGH:
		return UINT64_C(0xffff800000000000);
	default:
		return 0;
	}
}

static int64_t guest_futex(struct alone *alone, const struct futex_case *c)
{
	const uint64_t now = c->op & FUTEX_CLOCK_REALTIME ? alone->fake.realtime_ns : alone->fake.monotonic_ns;
	const struct timespec time = time_of(c, now);
	uint64_t fourth = c->value2;

	if (has_time(c->op)) {
		put(alone, DATA + 64, &time, sizeof(time));
		fourth = c->time == NO_TIME ? 0 : c->time == BAD_TIME ? UNMAPPED : DATA + 64;
	}
	return call(alone, __NR_futex, guest_place(c->at), (uint64_t)c->op, c->value, fourth, guest_place(c->at2),
	            c->value3);
}

/* Until the call is over: nobody else is there, so only time can end it. */
static int64_t guest_outcome(struct alone *alone, const struct futex_case *c)
{
	int64_t result = guest_futex(alone, c);
	struct nub_linux_idle idle;

	if (result != NUB_LINUX_WAIT)
		return result;
	assert_int_equal(nub_linux_next(alone->linux, &idle), NUB_LINUX_IDLE);
	assert_true(idle.has_deadline);
	alone->fake.realtime_ns += idle.deadline_ns - alone->fake.monotonic_ns;
	alone->fake.monotonic_ns = idle.deadline_ns;
	assert_int_equal(nub_linux_next(alone->linux, &idle), NUB_LINUX_RUN);
	return (int64_t)alone->linux->current->vcpu.regs.rax;
}

static void results_and_words_are_the_hosts_when_nobody_waits(void **state)
{
	struct alone *alone = *state;
	uint32_t words[2];

	for (size_t i = 0; i < sizeof(alone_cases) / sizeof(*alone_cases); i++) {
		const struct futex_case *c = &alone_cases[i];
		memcpy(host_words, initial, sizeof(initial));
		put(alone, DATA, initial, sizeof(initial));
		const int64_t expected = host_futex(c), result = guest_outcome(alone, c);
		get(alone, DATA, words, sizeof(words));
		if (result != expected || memcmp(words, host_words, sizeof(words)) != 0)
			print_error("case %zu (op %d): %lld with %u %u, the host has %lld with %u %u\n", i, c->op,
			            (long long)result, words[0], words[1], (long long)expected, host_words[0],
			            host_words[1]);
		assert_int_equal(result, expected);
		assert_memory_equal(words, host_words, sizeof(words));
	}
}

/* Four threads wait at word 0, one after the other, with these bitsets. */
static const uint32_t bitsets[WAITERS] = { 1, 2, 3, 4 };

static const struct futex_case waited_cases[] = {
	{ FUTEX_WAKE, WORD0, 1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE, WORD0, 3, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE, WORD0, 0, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE, WORD0, (uint32_t)-1, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE, WORD0, INT32_MAX, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE, WORD1, 9, NO_TIME, 0, WORD0, 0 },
	{ FUTEX_WAKE | PRIVATE, WORD0, 9, NO_TIME, 0, WORD0, 0 }, /* they wait at a shared one */
	{ FUTEX_WAKE_BITSET, WORD0, 9, NO_TIME, 0, WORD0, 2 },
	{ FUTEX_WAKE_BITSET, WORD0, 1, NO_TIME, 0, WORD0, 6 },
	{ FUTEX_WAKE_BITSET, WORD0, 9, NO_TIME, 0, WORD0, 8 },
	{ FUTEX_REQUEUE, WORD0, 1, NO_TIME, 2, WORD1, 0 },
	{ FUTEX_REQUEUE, WORD0, 0, NO_TIME, 9, WORD1, 0 },
	{ FUTEX_REQUEUE, WORD0, 0, NO_TIME, 0, WORD1, 0 },
	{ FUTEX_REQUEUE, WORD0, 1, NO_TIME, 2, WORD0, 0 },
	{ FUTEX_REQUEUE, WORD0, INT32_MAX, NO_TIME, INT32_MAX, WORD1, 0 },
	{ FUTEX_CMP_REQUEUE, WORD0, 2, NO_TIME, 1, WORD1, 5 },
	{ FUTEX_CMP_REQUEUE, WORD0, 2, NO_TIME, 1, WORD1, 4 },
	{ FUTEX_CMP_REQUEUE, WORD0, 1, NO_TIME, 9, WORD1, 5 },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 9, WORD0, OP(SET, EQ, 1, 5) },
	{ FUTEX_WAKE_OP, WORD0, 1, NO_TIME, 9, WORD0, OP(SET, EQ, 1, 6) },
	{ FUTEX_WAKE_OP, WORD1, 1, NO_TIME, 2, WORD0, OP(ADD, GT, 1, 4) },
	{ FUTEX_WAKE_OP, WORD0, 2, NO_TIME, 1, WORD1, OP(ADD, LT, 1, 0) },
};

static const struct futex_case wake_moved = { FUTEX_WAKE, WORD1, INT32_MAX, NO_TIME, 0, WORD0, 0 };
static const struct futex_case wake_rest = { FUTEX_WAKE, WORD0, INT32_MAX, NO_TIME, 0, WORD0, 0 };

struct host_waiter {
	pthread_t thread;
	uint32_t bitset;
	atomic_int tid;
	atomic_bool done;
};

static void *host_wait(void *argument)
{
	struct host_waiter *waiter = argument;

	atomic_store(&waiter->tid, gettid());
	syscall(SYS_futex, host_words, FUTEX_WAIT_BITSET, initial[0], NULL, NULL, waiter->bitset);
	atomic_store(&waiter->done, true);
	return NULL;
}

/* Wait until the thread sleeps in its call, or has left it. */
static void settle(const struct host_waiter *waiter)
{
	char path[64], text[128];

	while (!atomic_load(&waiter->done)) {
		long number = -1;
		if (atomic_load(&waiter->tid) == 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", atomic_load(&waiter->tid));
		FILE *file = fopen(path, "r");
		if (file && fgets(text, sizeof(text), file) && strncmp(text, "running", 7) != 0)
			number = strtol(text, NULL, 10);
		if (file)
			fclose(file);
		if (number == SYS_futex)
			return;
	}
}

static struct outcome host_waited(const struct futex_case *c)
{
	struct host_waiter waiters[WAITERS] = { 0 };
	struct outcome outcome = { 0 };

	memcpy(host_words, initial, sizeof(initial));
	for (int i = 0; i < WAITERS; i++) {
		waiters[i].bitset = bitsets[i];
		assert_int_equal(pthread_create(&waiters[i].thread, NULL, host_wait, &waiters[i]), 0);
		settle(&waiters[i]);
	}
	outcome.result = host_futex(c);
	memcpy(outcome.words, host_words, sizeof(outcome.words));
	/* A woken one still seems to sleep until its CPU has heard of it, and is then on its way out of the call. */
	usleep(20000);
	for (int i = 0; i < WAITERS; i++) {
		settle(&waiters[i]);
		outcome.woken |= (unsigned)atomic_load(&waiters[i].done) << i;
	}
	outcome.moved = host_futex(&wake_moved);
	host_futex(&wake_rest);
	for (int i = 0; i < WAITERS; i++)
		pthread_join(waiters[i].thread, NULL);
	return outcome;
}

static struct outcome guest_waited(struct alone *alone, const struct futex_case *c)
{
	struct outcome outcome = { 0 };
	int64_t tids[WAITERS];

	put(alone, DATA, initial, sizeof(initial));
	for (int i = 0; i < WAITERS; i++) {
		tids[i] = spawn(alone);
		run(alone, tids[i]);
		assert_int_equal(call(alone, __NR_futex, DATA, FUTEX_WAIT_BITSET, initial[0], 0, 0, bitsets[i]),
		                 NUB_LINUX_WAIT);
		assert_int_equal(next(alone), NUB_LINUX_RUN);
	}
	run(alone, NUB_LINUX_PID);
	outcome.result = guest_futex(alone, c);
	get(alone, DATA, outcome.words, sizeof(outcome.words));
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	for (int i = 0; i < WAITERS; i++)
		outcome.woken |= (unsigned)!waits(alone, tids[i]) << i;
	outcome.moved = guest_futex(alone, &wake_moved);
	guest_futex(alone, &wake_rest);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	for (int i = 0; i < WAITERS; i++) {
		assert_int_equal(result_of(alone, tids[i]), 0);
		run(alone, tids[i]);
		call(alone, __NR_exit, 0, 0, 0, 0, 0, 0);
		assert_int_equal(next(alone), NUB_LINUX_RUN);
	}
	run(alone, NUB_LINUX_PID);
	return outcome;
}

static void those_are_woken_whom_the_host_wakes(void **state)
{
	struct alone *alone = *state;

	for (size_t i = 0; i < sizeof(waited_cases) / sizeof(*waited_cases); i++) {
		const struct outcome expected = host_waited(&waited_cases[i]);
		const struct outcome outcome = guest_waited(alone, &waited_cases[i]);
		if (outcome.result != expected.result || outcome.woken != expected.woken ||
		    outcome.moved != expected.moved)
			print_error("case %zu: %lld, woken 0x%x, moved %lld; the host has %lld, 0x%x, %lld\n", i,
			            (long long)outcome.result, outcome.woken, (long long)outcome.moved,
			            (long long)expected.result, expected.woken, (long long)expected.moved);
		assert_int_equal(outcome.result, expected.result);
		assert_int_equal(outcome.woken, expected.woken);
		assert_int_equal(outcome.moved, expected.moved);
		assert_memory_equal(outcome.words, expected.words, sizeof(outcome.words));
	}
}

static void inheritance_of_priority_is_refused_and_counted(void **state)
{
	struct alone *alone = *state;
	static const int ops[] = { FUTEX_LOCK_PI,         FUTEX_UNLOCK_PI,      FUTEX_TRYLOCK_PI,
		                   FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI2 };

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		assert_int_equal(call(alone, __NR_futex, DATA, (uint64_t)ops[i], 0, 0, DATA + 4, 0), -ENOSYS);
		assert_int_equal(alone->linux->unsupported[__NR_futex], i + 1);
	}
}

static void a_deadline_of_realtime_moves_when_that_clock_is_set(void **state)
{
	struct alone *alone = *state;
	const struct timespec until = nub_linux_timespec(alone->fake.realtime_ns + 5 * NUB_LINUX_SECOND);
	struct nub_linux_idle idle;

	put(alone, DATA + 64, &until, sizeof(until));
	assert_int_equal(call(alone, __NR_futex, DATA, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, DATA + 64, 0, 1),
	                 NUB_LINUX_WAIT);
	assert_int_equal(nub_linux_next(alone->linux, &idle), NUB_LINUX_IDLE);
	alone->fake.realtime_ns -= 3 * NUB_LINUX_SECOND;
	alone->fake.monotonic_ns = idle.deadline_ns;
	alone->fake.realtime_ns += 5 * NUB_LINUX_SECOND;
	assert_int_equal(nub_linux_next(alone->linux, &idle), NUB_LINUX_IDLE);
	assert_in_range(idle.deadline_ns - alone->fake.monotonic_ns, 2 * NUB_LINUX_SECOND, 4 * NUB_LINUX_SECOND);
	alone->fake.realtime_ns += 3 * NUB_LINUX_SECOND;
	alone->fake.monotonic_ns += 3 * NUB_LINUX_SECOND;
	assert_int_equal(nub_linux_next(alone->linux, &idle), NUB_LINUX_RUN);
	assert_int_equal((int64_t)alone->linux->current->vcpu.regs.rax, -ETIMEDOUT);
}

static int setup(void **state)
{
	host_words = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(host_words != MAP_FAILED);
	assert_int_equal(munmap((char *)host_words + 4096, 4096), 0);
	return program_setup(state);
}

static int teardown(void **state)
{
	munmap(host_words, 4096);
	return program_teardown(state);
}

#define FUTEX_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FUTEX_TEST(results_and_words_are_the_hosts_when_nobody_waits),
		FUTEX_TEST(those_are_woken_whom_the_host_wakes),
		FUTEX_TEST(inheritance_of_priority_is_refused_and_counted),
		FUTEX_TEST(a_deadline_of_realtime_moves_when_that_clock_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
