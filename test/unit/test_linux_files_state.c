/* A program's files as bytes, and back in another one: what was open is open again, and goes on where it was. Then the bytes are
 * mangled: an error, or a program that can be used and released. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "linux_cases.h"
#include "personality/linux/files.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

struct frozen {
	char folder[64];
	struct nub_linux_grant grants[2];
	struct nub_linux_config config;
	struct nub_buffer bytes;
};

static void freeze(struct alone *alone, struct frozen *frozen)
{
	struct nub_writer writer = { .buffer = &frozen->bytes };

	nub_linux_files_save(alone->linux, &writer);
	assert_false(writer.failed);
}

static int thaw(struct alone *alone, const struct frozen *frozen, struct nub_error *err)
{
	struct nub_cursor cursor = { .bytes = frozen->bytes.bytes,
		                     .size = frozen->bytes.size,
		                     .whole = "the files",
		                     .kind = NUB_E_SNAPSHOT_FIELD,
		                     .err = err };

	program_init(alone, &frozen->config);
	const int result = nub_linux_files_load(alone->linux, &cursor);

	assert_int_equal(result == 0, !cursor.failed);
	if (result == 0) {
		assert_int_equal(nub_linux_files_loaded(alone->linux, &cursor), 0);
		assert_int_equal(cursor.offset, cursor.size);
	}
	return result;
}

static void begin(struct frozen *frozen)
{
	memset(frozen, 0, sizeof(*frozen));
	strcpy(frozen->folder, "/tmp/nub-state-XXXXXX");
	assert_non_null(mkdtemp(frozen->folder));
	frozen->grants[0] = (struct nub_linux_grant){
		.kind = NUB_LINUX_GRANT_DIR, .host = frozen->folder, .guest = "/data", .writable = true
	};
	frozen->grants[1] = (struct nub_linux_grant){ .kind = NUB_LINUX_GRANT_TMPFS, .guest = "/mem", .size = 1 << 20 };
	frozen->config = fake_config();
	frozen->config.grants = frozen->grants;
	frozen->config.grant_count = 2;
}

static void finish(struct frozen *frozen)
{
	nub_buffer_release(&frozen->bytes);
	nftw(frozen->folder, cases_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static int64_t make_step(struct alone *alone, const struct cases_step *step, struct cases_result *result)
{
	cases_guest_step(alone, step, result);
	return result->result;
}

/* Every step gives what it says. */
struct expected_step {
	struct cases_step step;
	int64_t result;
	const char *bytes; /* what is in the second argument afterwards */
};

static void expect_steps(struct alone *alone, const struct expected_step *steps, size_t count)
{
	struct cases_result *result = malloc(sizeof(*result));

	assert_non_null(result);
	for (size_t i = 0; i < count; i++) {
		const int64_t got = make_step(alone, &steps[i].step, result);

		if (got != steps[i].result)
			fail_msg("step %zu (%s) gives %lld, not %lld", i, nub_linux_call_name(steps[i].step.number),
			         (long long)got, (long long)steps[i].result);
		if (steps[i].bytes)
			assert_memory_equal(result->memory + SLOT, steps[i].bytes, strlen(steps[i].bytes));
	}
	free(result);
}

static const struct epoll_event in = { EPOLLIN, { .u64 = 77 } };
static const struct itimerspec later = { { 5, 0 }, { 1000, 0 } };

/* One of everything. */
static const struct expected_step before[] = {
	{ { SYS_openat, { CWD, S("/data/f"), V(O_CREAT | O_RDWR), V(0644) } }, 3, NULL },
	{ { SYS_write, { V(3), IN("0123456789"), V(10) } }, 10, NULL },
	{ { SYS_lseek, { V(3), V(4), V(SEEK_SET) } }, 4, NULL },
	{ { SYS_dup, { V(3) } }, 4, NULL },
	{ { SYS_openat, { CWD, S("/mem/g"), V(O_CREAT | O_RDWR | O_APPEND), V(0600) } }, 5, NULL },
	{ { SYS_write, { V(5), IN("in memory"), V(9) } }, 9, NULL },
	{ { SYS_lseek, { V(5), V(3), V(SEEK_SET) } }, 3, NULL },
	{ { SYS_mkdir, { S("/mem/d"), V(0755) } }, 0, NULL },
	{ { SYS_symlink, { S("../g"), S("/mem/d/link") } }, 0, NULL },
	{ { SYS_link, { S("/mem/g"), S("/mem/d/hard") } }, 0, NULL },
	{ { SYS_memfd_create, { S("m"), V(0) } }, 6, NULL },
	{ { SYS_pwrite64, { V(6), IN("far away"), V(8), V(100000) } }, 8, NULL },
	{ { SYS_pipe2, { OUT(8), V(O_NONBLOCK | O_CLOEXEC) } }, 0, NULL }, /* 7, 8 */
	{ { SYS_write, { V(8), IN("in the pipe"), V(11) } }, 11, NULL },
	{ { SYS_read, { V(7), OUT(8), V(3) } }, 3, "in " },
	{ { SYS_socketpair, { V(AF_UNIX), V(SOCK_DGRAM | SOCK_NONBLOCK), V(0), OUT(8) } }, 0, NULL }, /* 9, 10 */
	{ { SYS_write, { V(9), IN("a message"), V(9) } }, 9, NULL },
	{ { SYS_eventfd2, { V(5), V(EFD_NONBLOCK) } }, 11, NULL },
	{ { SYS_timerfd_create, { V(CLOCK_MONOTONIC), V(TFD_NONBLOCK) } }, 12, NULL },
	{ { SYS_timerfd_settime, { V(12), V(0), DATA_OF(later), V(0) } }, 0, NULL },
	{ { SYS_epoll_create1, { V(0) } }, 13, NULL },
	{ { SYS_epoll_ctl, { V(13), V(EPOLL_CTL_ADD), V(7), DATA_OF(in) } }, 0, NULL },
	{ { SYS_openat, { CWD, S("/data"), V(O_RDONLY | O_DIRECTORY) } }, 14, NULL },
	{ { SYS_openat, { CWD, S("/dev/null"), V(O_RDWR) } }, 15, NULL },
	{ { SYS_openat, { CWD, S("/proc/self/status"), V(O_RDONLY) } }, 16, NULL },
	{ { SYS_openat, { CWD, S("/mem/gone"), V(O_CREAT | O_RDWR), V(0600) } }, 17, NULL },
	{ { SYS_write, { V(17), IN("still here"), V(10) } }, 10, NULL },
	{ { SYS_unlink, { S("/mem/gone") } }, 0, NULL },
	{ { SYS_chdir, { S("/mem/d") } }, 0, NULL },
	{ { SYS_umask, { V(027) } }, 022, NULL },
	{ { SYS_close, { V(4) } }, 0, NULL },
	{ { SYS_dup2, { V(3), V(20) } }, 20, NULL },
};

static const struct expected_step after[] = {
	{ { SYS_read, { V(3), OUT(8), V(2) } }, 2, "45" },
	{ { SYS_read, { V(20), OUT(8), V(2) } }, 2, "67" }, /* the same description */
	{ { SYS_fcntl, { V(4), V(F_GETFD) } }, -EBADF, NULL },
	{ { SYS_read, { V(5), OUT(16), V(16) } }, 6, "memory" },
	{ { SYS_write, { V(5), IN("!"), V(1) } }, 1, NULL },
	{ { SYS_openat, { CWD, S("link"), V(O_RDONLY) } }, 4, NULL }, /* from the working directory */
	{ { SYS_read, { V(4), OUT(16), V(16) } }, 10, "in memory!" },
	{ { SYS_close, { V(4) } }, 0, NULL },
	{ { SYS_openat, { CWD, S("hard"), V(O_RDONLY) } }, 4, NULL },
	{ { SYS_read, { V(4), OUT(16), V(16) } }, 10, "in memory!" },
	{ { SYS_pread64, { V(6), OUT(16), V(16), V(99999) } }, 9, "\0far away" },
	{ { SYS_read, { V(7), OUT(16), V(16) } }, 8, "the pipe" },
	{ { SYS_fcntl, { V(7), V(F_GETFD) } }, FD_CLOEXEC, NULL },
	{ { SYS_epoll_wait, { V(13), OUT(16), V(1), V(0) } }, 0, NULL },
	{ { SYS_write, { V(8), IN("more"), V(4) } }, 4, NULL },
	{ { SYS_epoll_wait, { V(13), OUT(16), V(1), V(0) } }, 1, "\1\0\0\0\115" },
	{ { SYS_read, { V(10), OUT(16), V(16) } }, 9, "a message" },
	{ { SYS_write, { V(10), IN("back"), V(4) } }, 4, NULL },
	{ { SYS_read, { V(9), OUT(16), V(16) } }, 4, "back" },
	{ { SYS_read, { V(11), OUT(8), V(8) } }, 8, "\5" },
	{ { SYS_read, { V(12), OUT(8), V(8) } }, -EAGAIN, NULL },
	{ { SYS_getdents64, { V(14), ENTRIES, V(4096) } }, 1, ". 4" },
	{ { SYS_write, { V(15), IN("x"), V(1) } }, 1, NULL },
	{ { SYS_read, { V(16), OUT(5), V(5) } }, 5, "Name:" },
	{ { SYS_pread64, { V(17), OUT(16), V(16), V(0) } }, 10, "still here" },
	{ { SYS_umask, { V(022) } }, 027, NULL },
	{ { SYS_dup, { V(0) } }, 18, NULL },
};

static void test_thaw(void **state)
{
	struct frozen frozen;
	struct nub_error err = { 0 };
	struct alone alone;

	(void)state;
	begin(&frozen);
	program_init(&alone, &frozen.config);
	expect_steps(&alone, before, LENGTH(before));
	freeze(&alone, &frozen);
	/* The frozen one goes on, and does not matter. */
	expect_steps(&alone, after, 4);
	alone_release(&alone);
	for (int thaws = 0; thaws < 2; thaws++) {
		if (thaw(&alone, &frozen, &err) < 0)
			fail_msg("%s", err.message);
		expect_steps(&alone, after, LENGTH(after));
		alone_release(&alone);
	}
	finish(&frozen);
}

static void expect_refusal(struct frozen *frozen, enum nub_error_kind kind, const char *what)
{
	struct nub_error err = { 0 };
	struct alone alone;

	assert_int_equal(thaw(&alone, frozen, &err), -1);
	assert_int_equal(err.kind, kind);
	if (!strstr(err.message, what))
		fail_msg("%s, where '%s' was expected", err.message, what);
	alone_release(&alone);
}

/* What was granted and open must be there, as it was. */
static void test_changed(void **state)
{
	struct frozen frozen;
	struct nub_error err = { 0 };
	struct alone alone;
	char path[128];

	(void)state;
	begin(&frozen);
	program_init(&alone, &frozen.config);
	expect_steps(&alone, before, LENGTH(before));
	freeze(&alone, &frozen);
	alone_release(&alone);

	frozen.config.grant_count = 1;
	expect_refusal(&frozen, NUB_E_SNAPSHOT_GRANT, "was granted the directory in memory /mem");
	frozen.config.grant_count = 2;
	frozen.grants[0].writable = false;
	expect_refusal(&frozen, NUB_E_SNAPSHOT_GRANT, "could write to /data");
	frozen.grants[0].writable = true;
	frozen.config.max_fds = 20;
	expect_refusal(&frozen, NUB_E_SNAPSHOT_FIELD, "the limit is 20");
	frozen.config.max_fds = 1024;
	frozen.grants[1].size = 4096;
	expect_refusal(&frozen, NUB_E_SNAPSHOT_FIELD, "give a larger tmpfs");
	frozen.grants[1].size = 1 << 20;

	snprintf(path, sizeof(path), "%s/f", frozen.folder);
	assert_int_equal(truncate(path, 9), 0);
	expect_refusal(&frozen, NUB_E_SNAPSHOT_FILE, "/data/f has changed");
	frozen.config.accept_changed = true;
	assert_int_equal(thaw(&alone, &frozen, &err), 0);
	alone_release(&alone);
	assert_int_equal(unlink(path), 0);
	expect_refusal(&frozen, NUB_E_SNAPSHOT_FILE, "had /data/f open");
	finish(&frozen);
}

/* Bytes of anybody's making: either an error or a program that can be used. */
static void test_mangled(void **state)
{
	struct cases_result *result = malloc(sizeof(*result));
	struct frozen frozen;
	struct alone alone;
	uint64_t seed = 1;
	unsigned errors = 0;

	(void)state;
	begin(&frozen);
	program_init(&alone, &frozen.config);
	expect_steps(&alone, before, LENGTH(before));
	freeze(&alone, &frozen);
	alone_release(&alone);
	const struct nub_buffer whole = frozen.bytes;
	uint8_t *copy = malloc(whole.size);

	assert_true(copy && result);
	const int descriptors = open_descriptors();

	for (unsigned round = 0; round < 1500; round++) {
		struct nub_error err = { 0 };

		memcpy(copy, whole.bytes, whole.size);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		frozen.bytes = (struct nub_buffer){ .bytes = copy, .size = whole.size };
		if (round % 4 == 0)
			frozen.bytes.size = (seed >> 20) % whole.size;
		/* Pages of content are not interesting: most rounds change what is before or after them. */
		const size_t at = round % 3 == 0 ? (seed >> 33) % whole.size : (seed >> 33) % 600;

		copy[round % 2 ? whole.size - 1 - at : at] = (uint8_t)(seed >> 56);
		if (thaw(&alone, &frozen, &err) < 0) {
			assert_true(err.message[0] != '\0');
			errors++;
		} else {
			for (size_t i = 0; i < LENGTH(after); i++)
				make_step(&alone, &after[i].step, result);
		}
		alone_release(&alone);
	}
	assert_int_equal(open_descriptors(), descriptors);
	assert_true(errors > 500);
	free(copy);
	free(result);
	frozen.bytes = whole;
	finish(&frozen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thaw),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_mangled),
	};

	return cmocka_run_group_tests_name("files of Linux programs, frozen", tests, NULL, NULL);
}
