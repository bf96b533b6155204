/* Each system call that making, saving, restoring and putting back a sandbox takes fails once: with an error that says
 * something, nothing left behind, and a sandbox that can still be put back, or freed. Real KVM.
 */
#include "snapshot_guest.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* In the place of the C library's. The call of this number fails, counted while they are; 0: none. */
static unsigned calls, failing;
static bool counted;

static bool fails(void)
{
	if (!counted || ++calls != failing)
		return false;
	errno = ENOMEM;
	return true;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	va_start(args, request);
	void *argument = va_arg(args, void *);
	va_end(args);
	return fails() ? -1 : (int)syscall(SYS_ioctl, fd, request, argument);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	return fails() ? MAP_FAILED : (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

int open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	const unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, unsigned) : 0;
	va_end(args);
	return fails() ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
	return fails() ? -1 : syscall(SYS_pread64, fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	return fails() ? -1 : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

int memfd_create(const char *name, unsigned flags)
{
	return fails() ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}

/* The result of a library call: was it its turn to fail, and did it say so? */
static bool failed(struct nub_error *err, bool failure)
{
	counted = false;
	if (!failure)
		return false;
	if (err->kind == NUB_E_NONE || err->message[0] == '\0')
		fail_msg("call %u failed without a word", failing);
	memset(err, 0, sizeof(*err));
	return true;
}

static void expect_sum(struct guest *guest)
{
	guest_call(guest, "add", (struct nub_value[]){ i64_value(40), i64_value(2) }, 2, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest->outcome.result.i64, 42);
}

static bool try_create(struct guest *guest)
{
	counted = true;
	guest->sandbox = nub_sandbox_create(&guest->config, guest->image, &guest->err);
	return !failed(&guest->err, !guest->sandbox);
}

static bool try_restore(struct guest *guest, const struct nub_snapshot *snapshot)
{
	counted = true;
	guest->sandbox = nub_sandbox_restore(&guest->config, snapshot, &guest->err);
	return !failed(&guest->err, !guest->sandbox);
}

/* Where it fails, the next one puts it right. */
static bool try_reset(struct guest *guest, const struct nub_snapshot *snapshot)
{
	counted = true;
	const bool well = !failed(&guest->err, nub_sandbox_reset(guest->sandbox, snapshot, &guest->err) < 0);

	if (!well)
		guest_reset(guest, snapshot);
	expect_sum(guest);
	return well;
}

static bool try_save(struct guest *guest)
{
	const struct nub_snapshot_options options = { 0 };
	const int fd = temporary_file();

	assert_true(fd >= 0);
	counted = true;
	const bool written = !failed(&guest->err, nub_snapshot_write(guest->sandbox, &options, fd, &guest->err) < 0);
	if (written) {
		counted = true;
		struct nub_snapshot *snapshot = nub_snapshot_open(fd, "test.snap", NULL, &guest->err);
		failed(&guest->err, !snapshot);
		nub_snapshot_free(snapshot);
	}
	close(fd);
	/* It goes on in any case. */
	expect_sum(guest);
	return written;
}

/* A life with one failure in it. False when there were not so many calls. */
static bool live(struct nub_image *image, const struct nub_config *config, const struct nub_snapshot *first,
                 const struct nub_snapshot *second)
{
	const unsigned before = open_descriptors();
	struct guest guest, thawed;

	calls = 0;
	guest_begin(&guest);
	guest.image = image;
	guest.config.cow = config->cow;
	guest.config.heap_size = config->heap_size;
	if (try_create(&guest)) {
		expect_sum(&guest);
		try_save(&guest);
		try_reset(&guest, first);
	}
	nub_sandbox_free(guest.sandbox);
	guest_begin(&thawed);
	if (try_restore(&thawed, first)) {
		expect_sum(&thawed);
		try_reset(&thawed, first);
		try_reset(&thawed, second);
		try_reset(&thawed, second);
	}
	nub_sandbox_free(thawed.sandbox);
	assert_int_equal(open_descriptors(), before);
	return calls >= failing;
}

static void each_call_fails_once(enum nub_cow cow, uint64_t heap_size)
{
	struct nub_snapshot *first, *second;
	struct guest guest, other;

	guest_load(&guest, "calc.elf");
	guest.config.cow = cow;
	guest.config.heap_size = heap_size;
	guest_create(&guest);
	expect_sum(&guest);
	first = guest_snapshot(&guest);
	guest_open(&other, "calc.elf");
	expect_sum(&other);
	second = guest_snapshot(&other);
	guest_close(&other);
	failing = 0;
	while (failing++, live(guest.image, &guest.config, first, second))
		assert_true(failing < 2000);
	assert_true(failing > 50);
	failing = 0;
	nub_snapshot_free(first);
	nub_snapshot_free(second);
	guest_close(&guest);
}

static void with_cow_by_the_host(void **state)
{
	(void)state;
	each_call_fails_once(NUB_COW_HOST, UINT64_C(1) << 20);
}

static void with_cow_by_the_guest(void **state)
{
	(void)state;
	each_call_fails_once(NUB_COW_GUEST, UINT64_C(1) << 20);
}

static void with_a_heap_that_waits(void **state)
{
	(void)state;
	each_call_fails_once(NUB_COW_HOST, UINT64_C(128) << 20);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(with_cow_by_the_host),
		KVM_TEST(with_cow_by_the_guest),
		KVM_TEST(with_a_heap_that_waits),
	};

	return run_kvm_tests("host failures", tests);
}
