/* A Linux program of a test's making: memory at fixed addresses, threads that make the calls the test wants, one at a time. */
#ifndef LINUX_PROGRAM_H
#define LINUX_PROGRAM_H

#include <asm/unistd_64.h>
#include <sched.h>
#include <sys/mman.h>

#include "linux_alone.h"
#include "personality/linux/clocks.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"
#include "unit.h"

#define DATA UINT64_C(0x10000000)  /* readable and writable, DATA_SIZE */
#define STACK UINT64_C(0x20000000) /* the same; grows down to it */
#define STACK_TOP (STACK + DATA_SIZE)
#define UNMAPPED UINT64_C(0x30000000)
#define CODE UINT64_C(0x401000)

enum { DATA_SIZE = 65536 };

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static inline int64_t call(struct alone *alone, unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                           uint64_t e, uint64_t f)
{
	return fake_call(alone->linux, number, a, b, c, d, e, f);
}

static inline void program_map(struct alone *alone, uint64_t gva)
{
	assert_int_equal(call(alone, __NR_mmap, gva, DATA_SIZE, PROT_READ | PROT_WRITE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX, 0),
	                 gva);
}

static inline enum nub_linux_next next(struct alone *alone)
{
	struct nub_linux_idle idle;

	return nub_linux_next(alone->linux, &idle);
}

/* Ready to make its first call. */
static inline void program_init(struct alone *alone, const struct nub_linux_config *config)
{
	alone_init(alone, UINT64_C(4) << 20, config);
	alone->linux->current->vcpu.regs.rip = CODE;
	alone->linux->current->vcpu.regs.rflags = 0x202;
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	program_map(alone, DATA);
	program_map(alone, STACK);
}

static inline int program_setup(void **state)
{
	struct alone *alone = malloc(sizeof(*alone));
	const struct nub_linux_config config = fake_config();

	assert_non_null(alone);
	program_init(alone, &config);
	*state = alone;
	return 0;
}

static inline int program_teardown(void **state)
{
	alone_release(*state);
	free(*state);
	return 0;
}

static inline void put(struct alone *alone, uint64_t gva, const void *bytes, size_t size)
{
	assert_int_equal(nub_linux_write(alone->linux, gva, bytes, size), 0);
}

static inline void get(struct alone *alone, uint64_t gva, void *bytes, size_t size)
{
	assert_int_equal(nub_linux_read(alone->linux, gva, bytes, size), 0);
}

static inline void put32(struct alone *alone, uint64_t gva, uint32_t word)
{
	put(alone, gva, &word, sizeof(word));
}

static inline uint32_t get32(struct alone *alone, uint64_t gva)
{
	uint32_t word;

	get(alone, gva, &word, sizeof(word));
	return word;
}

static inline struct nub_linux_thread *thread_of(struct alone *alone, int64_t tid)
{
	struct nub_linux_thread *thread = nub_linux_thread_find(alone->linux, (int32_t)tid);

	assert_non_null(thread);
	return thread;
}

static inline int64_t result_of(struct alone *alone, int64_t tid)
{
	return (int64_t)thread_of(alone, tid)->vcpu.regs.rax;
}

static inline bool waits(struct alone *alone, int64_t tid)
{
	return thread_of(alone, tid)->wait.waiting;
}

/* A thread that has not run yet; its maker goes on. */
static inline int64_t spawn(struct alone *alone)
{
	const int64_t tid = call(alone, __NR_clone, THREAD_FLAGS, STACK + 4096, 0, 0, 0, 0);

	assert_true(tid > 0);
	return tid;
}

/* Have this thread on the vCPU, whatever the schedule says. */
static inline void run(struct alone *alone, int64_t tid)
{
	for (int turns = 0; alone->linux->current != thread_of(alone, tid); turns++) {
		assert_true(turns < 100);
		nub_linux_preempt(alone->linux);
		assert_int_equal(next(alone), NUB_LINUX_RUN);
	}
}

#endif
