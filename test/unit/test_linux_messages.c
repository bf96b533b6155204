/* Vectors of buffers and messages, with what is in them: each part has its own, and what does not fit is told or cut. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "linux_program.h"

enum { NOWHERE = 4096 };

/* Where things are in the program's memory. */
#define FIRST DATA
#define SECOND (DATA + 256)
#define PARTS (DATA + 512)
#define MESSAGE (DATA + 1024)

static void put_parts(struct alone *alone, uint64_t first_size, uint64_t second_size)
{
	const uint64_t parts[4] = { FIRST, first_size, SECOND, second_size };

	put(alone, PARTS, parts, sizeof(parts));
}

static void put_message(struct alone *alone, uint64_t parts, uint64_t count, uint64_t control)
{
	struct msghdr message = { .msg_iovlen = count, .msg_controllen = control };

	message.msg_iov = (struct iovec *)(uintptr_t)parts;
	put(alone, MESSAGE, &message, sizeof(message));
}

static struct msghdr message_of(struct alone *alone)
{
	struct msghdr message;

	get(alone, MESSAGE, &message, sizeof(message));
	return message;
}

/* A pair of descriptors, which get the lowest numbers. */
static void make_sockets(struct alone *alone, int type)
{
	assert_int_equal(call(alone, __NR_socketpair, AF_UNIX, (uint64_t)type, 0, DATA, 0, 0), 0);
	assert_int_equal(get32(alone, DATA), 3);
	assert_int_equal(get32(alone, DATA + 4), 4);
}

static void check_text(struct alone *alone, uint64_t gva, const char *text)
{
	char found[32] = "";

	get(alone, gva, found, strlen(text));
	assert_string_equal(found, text);
}

static void vectors_are_filled_in_their_order(void **state)
{
	struct alone *alone = *state;
	const uint64_t at_own = UINT64_MAX;

	put(alone, FIRST, "mem", 4);
	assert_int_equal(call(alone, __NR_memfd_create, FIRST, 0, 0, 0, 0, 0), 3);
	put(alone, FIRST, "abc", 3);
	put(alone, SECOND, "defg", 4);
	put_parts(alone, 3, 4);
	assert_int_equal(call(alone, __NR_writev, 3, PARTS, 2, 0, 0, 0), 7);
	assert_int_equal(call(alone, __NR_pwritev, 3, PARTS, 1, 7, 0, 0), 3);
	assert_int_equal(call(alone, __NR_pwritev2, 3, PARTS, 1, 0, 0, RWF_APPEND), 3);
	put_parts(alone, 5, 2);
	assert_int_equal(call(alone, __NR_preadv, 3, PARTS, 2, 1, 0, 0), 7);
	check_text(alone, FIRST, "bcdef");
	check_text(alone, SECOND, "ga");
	assert_int_equal(call(alone, __NR_readv, 3, PARTS, 2, 0, 0, 0), 6); /* from 7, to the end */
	check_text(alone, FIRST, "abcab");
	check_text(alone, SECOND, "c");
	assert_int_equal(call(alone, __NR_preadv2, 3, PARTS, 2, at_own, 0, 0), 0);
	assert_int_equal(call(alone, __NR_preadv2, 3, PARTS, 2, 10, 0, 0), 3);
	assert_int_equal(call(alone, __NR_pwritev2, 3, PARTS, 2, at_own, 0, RWF_SYNC), 7);
	assert_int_equal(call(alone, __NR_lseek, 3, 0, SEEK_CUR, 0, 0, 0), 20);
	assert_int_equal(call(alone, __NR_preadv2, 3, PARTS, 2, 0, 0, 1 << 20), -EOPNOTSUPP);
	assert_int_equal(call(alone, __NR_preadv, 3, PARTS, 2, INT64_MAX, 0, 0), -EINVAL);
}

static void a_vector_may_end_at_no_address(void **state)
{
	struct alone *alone = *state;
	const uint64_t parts[4] = { FIRST, 2, NOWHERE, 2 };

	make_sockets(alone, SOCK_STREAM);
	put(alone, FIRST, "xy", 2);
	put(alone, PARTS, parts, sizeof(parts));
	assert_int_equal(call(alone, __NR_writev, 3, PARTS, 2, 0, 0, 0), 2);
	assert_int_equal(call(alone, __NR_writev, 3, PARTS + 16, 1, 0, 0, 0), -EFAULT);
	assert_int_equal(call(alone, __NR_writev, 3, NOWHERE, 1, 0, 0, 0), -EFAULT);
}

static void messages_keep_their_bounds(void **state)
{
	struct alone *alone = *state;

	make_sockets(alone, SOCK_DGRAM);
	put(alone, FIRST, "hello", 5);
	put(alone, SECOND, "world", 5);
	put_parts(alone, 5, 5);
	put_message(alone, PARTS, 2, 0);
	assert_int_equal(call(alone, __NR_sendmsg, 3, MESSAGE, 0, 0, 0, 0), 10);
	assert_int_equal(call(alone, __NR_sendmsg, 3, MESSAGE, 0, 0, 0, 0), 10);

	/* One is cut, and says so; the other is looked at first. */
	put_parts(alone, 3, 4);
	assert_int_equal(call(alone, __NR_recvmsg, 4, MESSAGE, 0, 0, 0, 0), 7);
	assert_true(message_of(alone).msg_flags & MSG_TRUNC);
	check_text(alone, FIRST, "hel");
	check_text(alone, SECOND, "lowo");
	put_message(alone, PARTS, 2, 0);
	assert_int_equal(call(alone, __NR_recvmsg, 4, MESSAGE, MSG_PEEK | MSG_TRUNC, 0, 0, 0), 10);
	put_parts(alone, 5, 5);
	assert_int_equal(call(alone, __NR_recvmsg, 4, MESSAGE, 0, 0, 0, 0), 10);
	assert_int_equal(message_of(alone).msg_flags, 0);
	check_text(alone, SECOND, "world");
	assert_int_equal(call(alone, __NR_recvmsg, 4, MESSAGE, MSG_DONTWAIT, 0, 0, 0), -EAGAIN);
	assert_int_equal(call(alone, __NR_recvmsg, 4, MESSAGE, MSG_ERRQUEUE, 0, 0, 0), -EAGAIN);
	assert_int_equal(call(alone, __NR_recvmsg, 4, MESSAGE, MSG_OOB, 0, 0, 0), -EOPNOTSUPP);
	assert_int_equal(call(alone, __NR_recvmsg, 4, MESSAGE, 0, 0, 0, 0), NUB_LINUX_WAIT);
}

static void messages_that_are_none_are_refused(void **state)
{
	struct alone *alone = *state;

	make_sockets(alone, SOCK_DGRAM);
	assert_int_equal(call(alone, __NR_pipe, DATA, 0, 0, 0, 0, 0), 0);
	put_parts(alone, 1, 1);
	put_message(alone, PARTS, NUB_LINUX_IOV_MAX + 1, 0);
	assert_int_equal(call(alone, __NR_sendmsg, 3, MESSAGE, 0, 0, 0, 0), -EMSGSIZE);
	assert_int_equal(call(alone, __NR_recvmsg, 3, MESSAGE, 0, 0, 0, 0), -EMSGSIZE);
	put_message(alone, NOWHERE, 1, 0);
	assert_int_equal(call(alone, __NR_sendmsg, 3, MESSAGE, 0, 0, 0, 0), -EFAULT);
	assert_int_equal(call(alone, __NR_sendmsg, 3, NOWHERE, 0, 0, 0, 0), -EFAULT);
	assert_int_equal(call(alone, __NR_recvmsg, 3, NOWHERE, 0, 0, 0, 0), -EFAULT);
	put_message(alone, PARTS, 1, 0);
	assert_int_equal(call(alone, __NR_sendmsg, 5, MESSAGE, 0, 0, 0, 0), -ENOTSOCK);
	assert_int_equal(call(alone, __NR_recvmsg, 99, MESSAGE, 0, 0, 0, 0), -EBADF);
	assert_int_equal(call(alone, __NR_sendmsg, 3, MESSAGE, MSG_OOB, 0, 0, 0), -EOPNOTSUPP);
	put_message(alone, PARTS, 1, 16); /* no descriptors come along */
	assert_int_equal(call(alone, __NR_sendmsg, 3, MESSAGE, 0, 0, 0, 0), -EOPNOTSUPP);
}

static void sockets_that_nobody_reads_fill_up(void **state)
{
	struct alone *alone = *state;

	make_sockets(alone, SOCK_STREAM);
	put_parts(alone, 256, 256);
	put_message(alone, PARTS, 2, 0);
	while (call(alone, __NR_sendmsg, 3, MESSAGE, MSG_DONTWAIT, 0, 0, 0) == 512)
		continue;
	assert_int_equal(call(alone, __NR_sendmsg, 3, MESSAGE, MSG_DONTWAIT, 0, 0, 0), -EAGAIN);
	assert_int_equal(call(alone, __NR_sendmsg, 3, MESSAGE, 0, 0, 0, 0), NUB_LINUX_WAIT);
	alone->linux->current->wait.state[0] = 0;
	assert_int_equal(call(alone, __NR_shutdown, 3, 9, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_shutdown, 3, SHUT_WR, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_sendmsg, 3, MESSAGE, MSG_NOSIGNAL, 0, 0, 0), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(vectors_are_filled_in_their_order, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(a_vector_may_end_at_no_address, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(messages_keep_their_bounds, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(messages_that_are_none_are_refused, program_setup, program_teardown),
		cmocka_unit_test_setup_teardown(sockets_that_nobody_reads_fill_up, program_setup, program_teardown),
	};

	return cmocka_run_group_tests_name("vectors and messages of Linux programs", tests, NULL, NULL);
}
