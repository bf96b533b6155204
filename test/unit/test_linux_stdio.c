/* Standard input and output, what files offer to be mapped, and threads that wait for bytes. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "linux_tree.h"
#include "personality/linux/mm.h"

#define ALONE(test) cmocka_unit_test_setup_teardown(test, program_setup, program_teardown)

static void test_output(void **state)
{
	struct tree *tree = *state;
	struct alone *alone = &tree->alone;

	put(alone, DATA, "to the host", 11);
	assert_int_equal(call(alone, SYS_write, 1, DATA, 11, 0, 0, 0), 11);
	assert_int_equal(with_path(alone, SYS_openat, "/dev/stdout", O_WRONLY, 0), 3);
	put(alone, DATA, ", twice", 7);
	assert_int_equal(call(alone, SYS_write, 3, DATA, 7, 0, 0, 0), 7);
	assert_string_equal(alone->fake.printed, "to the host, twice");
	assert_int_equal(with_path(alone, SYS_openat, "/dev/stdout", O_RDONLY, 0), -EACCES);
	assert_int_equal(call(alone, SYS_ioctl, 1, TIOCGWINSZ, DATA, 0, 0, 0), -ENOTTY);
	assert_int_equal(call(alone, SYS_read, 1, DATA, 1, 0, 0, 0), -EBADF);
	assert_int_equal(call(alone, SYS_write, 1, UNMAPPED, 1, 0, 0, 0), -EFAULT);
	assert_int_equal(call(alone, SYS_read, 0, DATA, 1, 0, 0, 0), 0); /* there is none */
	alone->fake.output_fails = true;
	call(alone, SYS_write, 1, DATA, 1, 0, 0, 0);
	assert_int_equal(alone->linux->end.kind, NUB_LINUX_FAILED);
}

/* Input from a pipe of the host: nothing is there yet, then something, then its end. */
static void test_input(void **state)
{
	struct nub_linux_config config = fake_config();
	struct nub_linux_idle idle;
	struct alone alone;
	char text[8] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	config.stdin_fd = ends[0];
	program_init(&alone, &config);
	assert_int_equal(call(&alone, SYS_read, 0, DATA, 8, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(nub_linux_next(alone.linux, &idle), NUB_LINUX_IDLE);
	assert_int_equal(idle.poll_count, 1);
	assert_int_equal(idle.polls[0].fd, ends[0]);
	assert_int_equal(write(ends[1], "hello", 5), 5);
	assert_int_equal(next(&alone), NUB_LINUX_RUN);
	assert_int_equal(alone.linux->current->vcpu.regs.rax, 5);
	get(&alone, DATA, text, 5);
	assert_string_equal(text, "hello");
	assert_int_equal(call(&alone, SYS_ioctl, 0, FIONBIO, DATA, 0, 0, 0), 0);
	assert_int_equal(call(&alone, SYS_read, 0, DATA, 8, 0, 0, 0), -EAGAIN);
	close(ends[1]);
	assert_int_equal(call(&alone, SYS_read, 0, DATA, 8, 0, 0, 0), 0);
	alone_release(&alone);
	close(ends[0]);
}

/* A regular file as input has offsets, and can be mapped. */
static void test_regular_input(void **state)
{
	struct tree *tree = *state;
	struct nub_linux_config config = fake_config();
	struct alone alone;
	char path[128], text[16] = "";
	int64_t error;

	snprintf(path, sizeof(path), "%s/file", tree->folder);
	config.stdin_fd = open(path, O_RDONLY);
	assert_int_equal(lseek(config.stdin_fd, 2, SEEK_SET), 2);
	program_init(&alone, &config);
	assert_int_equal(call(&alone, SYS_read, 0, DATA, 3, 0, 0, 0), 3);
	get(&alone, DATA, text, 3);
	assert_string_equal(text, "234");
	assert_int_equal(call(&alone, SYS_lseek, 0, 0, SEEK_CUR, 0, 0, 0), 5);
	assert_int_equal(call(&alone, SYS_pread64, 0, DATA, 3, 0, 0, 0), 3);
	struct nub_linux_backing *backing = alone.linux->open_backing(alone.linux, 0, PROT_READ, MAP_PRIVATE, &error);

	assert_non_null(backing);
	memset(text, 'x', sizeof(text));
	assert_int_equal(backing->ops->read(backing, 7, text, 8), 3);
	assert_memory_equal(text, "789", 3);
	nub_linux_backing_drop(backing);
	assert_null(alone.linux->open_backing(alone.linux, 0, PROT_READ | PROT_WRITE, MAP_SHARED, &error));
	assert_int_equal(error, -EACCES);
	assert_null(alone.linux->open_backing(alone.linux, 1, PROT_READ, MAP_PRIVATE, &error));
	assert_int_equal(error, -EACCES);
	assert_null(alone.linux->open_backing(alone.linux, 99, PROT_READ, MAP_PRIVATE, &error));
	assert_int_equal(error, -EBADF);
	assert_null(alone.linux->open_program(alone.linux, "/none", &error));
	assert_int_equal(error, -ENOENT);
	assert_null(alone.linux->open_program(alone.linux, "/dev", &error));
	assert_int_equal(error, -EACCES);
	alone_release(&alone);
	close(config.stdin_fd);
}

/* What is written into a shared mapping of a file in memory is in the file. */
static void test_shared_mapping(void **state)
{
	struct tree *tree = *state;
	struct alone *alone = &tree->alone;
	char text[8] = "";

	assert_int_equal(with_path(alone, SYS_memfd_create, "m", 0, 0), 3);
	assert_int_equal(call(alone, SYS_ftruncate, 3, 4096, 0, 0, 0, 0), 0);
	const uint64_t gva = (uint64_t)call(alone, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);

	put(alone, gva + 100, "mapped", 6);
	assert_int_equal(call(alone, SYS_dup, 3, 0, 0, 0, 0, 0), 4);
	assert_int_equal(call(alone, SYS_close, 3, 0, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, SYS_msync, gva, 4096, MS_SYNC, 0, 0, 0), 0);
	assert_int_equal(call(alone, SYS_pread64, 4, DATA, 6, 100, 0, 0), 6);
	get(alone, DATA, text, 6);
	assert_string_equal(text, "mapped");
	assert_int_equal(call(alone, SYS_close, 4, 0, 0, 0, 0, 0), 0); /* the mapping keeps the file */
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	get(alone, gva + 100, text, 6);
	assert_string_equal(text, "mapped");
	assert_int_equal(call(alone, SYS_munmap, gva, 4096, 0, 0, 0, 0), 0);
}

/* One thread waits for what another writes; the last one's write waits for room, and goes on in its middle. */
static void test_waiting_threads(void **state)
{
	struct alone *alone = *state;
	int32_t ends[2];
	char text[8] = "";

	assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), 0);
	get(alone, DATA, ends, sizeof(ends));
	const int64_t reader = alone->linux->current->tid, writer = spawn(alone);

	assert_int_equal(call(alone, SYS_read, (uint64_t)ends[0], DATA, 8, 0, 0, 0), NUB_LINUX_WAIT);
	run(alone, writer);
	put(alone, DATA + 4096, "bytes", 5);
	assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], DATA + 4096, 5, 0, 0, 0), 5);
	run(alone, reader);
	assert_int_equal(result_of(alone, reader), 5);
	get(alone, DATA, text, 5);
	assert_string_equal(text, "bytes");

	/* 65536 bytes fit. */
	run(alone, writer);
	for (int i = 0; i < 15; i++)
		assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], STACK, 4096, 0, 0, 0), 4096);
	assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], STACK, 12288, 0, 0, 0), NUB_LINUX_WAIT);
	run(alone, reader);
	assert_int_equal(call(alone, SYS_read, (uint64_t)ends[0], STACK + 16384, 4096, 0, 0, 0), 4096);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_true(waits(alone, writer));
	for (int i = 0; i < 15; i++)
		assert_int_equal(call(alone, SYS_read, (uint64_t)ends[0], STACK + 16384, 4096, 0, 0, 0), 4096);
	run(alone, writer);
	assert_int_equal(result_of(alone, writer), 12288);
}

/* A poll that waits for a pipe and a time; and epoll for what another thread adds meanwhile. */
static void test_waiting_polls(void **state)
{
	struct alone *alone = *state;
	const struct epoll_event in = { EPOLLIN, { .u64 = 5 } };
	struct pollfd poll_fd = { .events = POLLIN };
	int32_t ends[2];

	assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), 0);
	get(alone, DATA, ends, sizeof(ends));
	const int64_t waiter = alone->linux->current->tid, other = spawn(alone);

	poll_fd.fd = ends[0];
	put(alone, DATA, &poll_fd, sizeof(poll_fd));
	assert_int_equal(call(alone, SYS_poll, DATA, 1, 50, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	alone->fake.monotonic_ns += UINT64_C(51000000);
	run(alone, waiter);
	assert_int_equal(result_of(alone, waiter), 0);

	assert_int_equal(call(alone, SYS_poll, DATA, 1, UINT64_MAX, 0, 0, 0), NUB_LINUX_WAIT);
	run(alone, other);
	assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], STACK, 1, 0, 0, 0), 1);
	run(alone, waiter);
	assert_int_equal(result_of(alone, waiter), 1);
	get(alone, DATA, &poll_fd, sizeof(poll_fd));
	assert_int_equal(poll_fd.revents, POLLIN);

	const int64_t epoll = call(alone, SYS_epoll_create1, 0, 0, 0, 0, 0, 0);

	assert_int_equal(call(alone, SYS_epoll_wait, (uint64_t)epoll, DATA, 1, UINT64_MAX, 0, 0), NUB_LINUX_WAIT);
	run(alone, other);
	put(alone, DATA + 4096, &in, sizeof(in));
	assert_int_equal(
	    call(alone, SYS_epoll_ctl, (uint64_t)epoll, EPOLL_CTL_ADD, (uint64_t)ends[0], DATA + 4096, 0, 0), 0);
	run(alone, waiter);
	assert_int_equal(result_of(alone, waiter), 1);
}

/* A signal in the middle of a write: the call gives what was written so far. */
static void test_interrupted_write(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_sigaction action = { .handler = CODE, .flags = NUB_LINUX_SA_RESTORER, .restorer = CODE };
	int32_t ends[2];

	assert_int_equal(call(alone, SYS_pipe2, DATA, 0, 0, 0, 0, 0), 0);
	get(alone, DATA, ends, sizeof(ends));
	put(alone, DATA, &action, sizeof(action));
	assert_int_equal(call(alone, SYS_rt_sigaction, SIGUSR1, DATA, 0, 8, 0, 0), 0);
	const int64_t writer = alone->linux->current->tid, other = spawn(alone);

	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
	for (int i = 0; i < 15; i++)
		assert_int_equal(call(alone, SYS_write, (uint64_t)ends[1], STACK, 4096, 0, 0, 0), 4096);
	alone->fake.vcpu.regs.rsp = STACK_TOP;
	const struct nub_registers regs = {
		.rax = SYS_write, .rdi = (uint64_t)ends[1], .rsi = STACK, .rdx = 12288, .rip = CODE, .rsp = STACK_TOP
	};

	alone->fake.vcpu.regs = regs;
	nub_linux_syscall(alone->linux);
	assert_true(alone->linux->current->wait.waiting);
	run(alone, other);
	assert_int_equal(call(alone, SYS_tgkill, NUB_LINUX_PID, (uint64_t)writer, SIGUSR1, 0, 0, 0), 0);
	run(alone, writer);
	/* It is in the handler, whose frame has what the call gave. */
	const struct nub_linux_thread *thread = thread_of(alone, writer);
	uint64_t rax;

	assert_int_equal(thread->vcpu.regs.rip, CODE);
	get(alone, thread->vcpu.regs.rdx + 40 + 13 * 8, &rax, sizeof(rax)); /* ucontext: uc_mcontext.gregs[REG_RAX] */
	assert_int_equal(rax, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(test_output),          cmocka_unit_test(test_input), IN_TREE(test_regular_input),
		IN_TREE(test_shared_mapping),  ALONE(test_waiting_threads),  ALONE(test_waiting_polls),
		ALONE(test_interrupted_write),
	};

	return cmocka_run_group_tests_name("input and output of Linux programs", tests, NULL, NULL);
}
