/* The memory of a Linux program: what is moved, advised, locked, and mapped from files. */
#include "linux_pages.h"

static void mremap_moves_pages_with_their_bytes(void **state)
{
	struct alone *alone = *state;
	uint64_t word = 0xabc;

	map_at(alone, AT, 4 * PAGE, PROT_READ | PROT_WRITE);
	assert_int_equal(nub_linux_write(alone->linux, AT + 3 * PAGE, &word, sizeof(word)), 0);
	/* In place. */
	assert_int_equal(call(alone, __NR_mremap, AT, 4 * PAGE, 6 * PAGE, 0), AT);
	assert_string_equal(areas_of(alone), "0-6 3");
	assert_int_equal(call(alone, __NR_mremap, AT, 6 * PAGE, 4 * PAGE, 0), AT);
	assert_string_equal(areas_of(alone), "0-4 3");
	/* Not in place. */
	map_at(alone, AT + 4 * PAGE, PAGE, PROT_NONE);
	assert_int_equal(call(alone, __NR_mremap, AT, 4 * PAGE, 8 * PAGE, 0), -ENOMEM);
	const int64_t moved = call(alone, __NR_mremap, AT, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	assert_true(moved > 0);
	word = 0;
	assert_int_equal(nub_linux_read(alone->linux, (uint64_t)moved + 3 * PAGE, &word, sizeof(word)), 0);
	assert_int_equal(word, 0xabc);
	assert_int_equal(nub_linux_read(alone->linux, AT, &word, sizeof(word)), -EFAULT);
	assert_null(fake_page_at(&alone->fake, AT));
	/* To a given place. */
	assert_int_equal(fake_call(alone->linux, __NR_mremap, (uint64_t)moved, 8 * PAGE, 4 * PAGE,
	                           MREMAP_MAYMOVE | MREMAP_FIXED, AT, 0),
	                 AT);
	assert_int_equal(nub_linux_read(alone->linux, AT + 3 * PAGE, &word, sizeof(word)), 0);
	assert_string_equal(areas_of(alone), "0-4 3, 4-5 0");
}

static void mremap_refuses_as_linux_does(void **state)
{
	struct alone *alone = *state;

	map_at(alone, AT, 4 * PAGE, PROT_READ | PROT_WRITE);
	map_at(alone, AT + 4 * PAGE, PAGE, PROT_READ);
	assert_int_equal(call(alone, __NR_mremap, AT + 1, PAGE, PAGE, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_mremap, AT, PAGE, 0, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_mremap, AT, PAGE, PAGE, MREMAP_FIXED), -EINVAL);
	assert_int_equal(call(alone, __NR_mremap, AT, PAGE, PAGE, 0x80), -EINVAL);
	assert_int_equal(call(alone, __NR_mremap, AT, 5 * PAGE, 6 * PAGE, MREMAP_MAYMOVE), -EFAULT);
	assert_int_equal(call(alone, __NR_mremap, AT + 9 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE), -EFAULT);
	assert_int_equal(call(alone, __NR_mremap, UINT64_MAX - PAGE + 1, PAGE, PAGE, 0), -EFAULT);
	assert_int_equal(
	    fake_call(alone->linux, __NR_mremap, AT, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT + PAGE, 0),
	    -EINVAL);
	assert_int_equal(call(alone, __NR_mremap, AT, PAGE, UINT64_C(1) << 47, MREMAP_MAYMOVE), -ENOMEM);
	assert_string_equal(areas_of(alone), "0-4 3, 4-5 1");
}

/* As many as a snapshot may have. */
static void areas_are_counted(void **state)
{
	struct alone *alone = *state;
	const struct nub_linux_memory *memory = alone->linux->memory;
	uint64_t at = AT;

	while (memory->area_count < NUB_LINUX_MAX_AREAS - 1) {
		map_at(alone, at, PAGE, PROT_NONE);
		at += 2 * PAGE;
	}
	/* Parting one in three would make two more. */
	map_at(alone, at, 3 * PAGE, PROT_NONE);
	assert_int_equal(memory->area_count, NUB_LINUX_MAX_AREAS);
	assert_int_equal(call(alone, __NR_mprotect, at + PAGE, PAGE, PROT_READ, 0), -ENOMEM);
	assert_int_equal(call(alone, __NR_munmap, at + PAGE, PAGE, 0, 0), -ENOMEM);
	assert_int_equal(fake_call(alone->linux, __NR_mmap, at + 8 * PAGE, PAGE, PROT_NONE,
	                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX, 0),
	                 -ENOMEM);
	assert_int_equal(memory->area_count, NUB_LINUX_MAX_AREAS);
	assert_int_equal(call(alone, __NR_munmap, at, 3 * PAGE, 0, 0), 0);
	map_at(alone, at, PAGE, PROT_NONE);
}

static void advice_is_known_or_refused(void **state)
{
	struct alone *alone = *state;
	uint64_t word = 1;

	map_at(alone, AT, 4 * PAGE, PROT_READ | PROT_WRITE);
	assert_int_equal(nub_linux_write(alone->linux, AT, &word, sizeof(word)), 0);
	assert_int_equal(call(alone, __NR_madvise, AT, PAGE, (uint64_t)-1, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_madvise, AT, PAGE, 5, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_madvise, AT + 1, PAGE, MADV_NORMAL, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_madvise, AT, UINT64_MAX, MADV_NORMAL, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_madvise, AT, 8 * PAGE, MADV_DONTNEED, 0), -ENOMEM);
	/* It was dropped all the same. */
	assert_int_equal(nub_linux_read(alone->linux, AT, &word, sizeof(word)), 0);
	assert_int_equal(word, 0);
	assert_int_equal(call(alone, __NR_madvise, AT + PAGE, PAGE, MADV_WIPEONFORK, 0), 0);
	assert_string_equal(areas_of(alone), "0-1 3, 1-2 3, 2-4 3");
	assert_true(nub_linux_area_at(alone->linux, AT + PAGE)->wipe);
	assert_int_equal(call(alone, __NR_madvise, AT + PAGE, PAGE, MADV_KEEPONFORK, 0), 0);
	assert_string_equal(areas_of(alone), "0-4 3");
	assert_int_equal(call(alone, __NR_madvise, AT, 4 * PAGE, 23 /* MADV_POPULATE_WRITE */, 0), 0);
	assert_int_equal(nub_linux_memory_use(alone->linux).resident, 4 * PAGE);
}

/* 22 and 23 are MADV_POPULATE_READ and MADV_POPULATE_WRITE. */
static void advice_goes_by_the_area(void **state)
{
	struct alone *alone = *state;
	const uint64_t shared = AT + 8 * PAGE;
	uint64_t word = 5;

	map_at(alone, AT, PAGE, PROT_READ | PROT_WRITE);
	map_at(alone, AT + PAGE, PAGE, PROT_READ);
	map_at(alone, AT + 2 * PAGE, PAGE, PROT_NONE);
	assert_int_equal(
	    call(alone, __NR_mmap, shared, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED),
	    shared);
	assert_int_equal(call(alone, __NR_madvise, AT, 0, MADV_DONTNEED, 0), 0);
	assert_int_equal(call(alone, __NR_madvise, AT, 2 * PAGE, 22, 0), 0);
	assert_int_equal(nub_linux_memory_use(alone->linux).resident, 2 * PAGE);
	assert_int_equal(call(alone, __NR_madvise, AT + PAGE, PAGE, 23, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_madvise, AT + 2 * PAGE, PAGE, 22, 0), -EINVAL);

	/* What is shared stays, whoever does not need it. */
	assert_int_equal(nub_linux_write(alone->linux, AT, &word, sizeof(word)), 0);
	assert_int_equal(nub_linux_write(alone->linux, shared, &word, sizeof(word)), 0);
	assert_int_equal(call(alone, __NR_madvise, shared, PAGE, MADV_FREE, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_madvise, shared, PAGE, MADV_WIPEONFORK, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_madvise, shared, PAGE, MADV_DONTNEED, 0), 0);
	assert_int_equal(nub_linux_read(alone->linux, shared, &word, sizeof(word)), 0);
	assert_int_equal(word, 5);
	assert_int_equal(call(alone, __NR_madvise, AT, PAGE, MADV_FREE, 0), 0);
	assert_int_equal(nub_linux_read(alone->linux, AT, &word, sizeof(word)), 0);
	assert_int_equal(word, 0);
	assert_int_equal(call(alone, __NR_madvise, AT, PAGE, MADV_NOHUGEPAGE, 0), 0);
	assert_true(nub_linux_area_at(alone->linux, AT)->huge_no);
	assert_int_equal(call(alone, __NR_madvise, AT, PAGE, MADV_HUGEPAGE, 0), 0);
	assert_false(nub_linux_area_at(alone->linux, AT)->huge_no);
	assert_int_equal(call(alone, __NR_msync, UINT64_MAX - PAGE + 1, 2 * PAGE, MS_SYNC, 0), -ENOMEM);
	assert_int_equal(call(alone, __NR_msync, AT, 0, MS_SYNC, 0), 0);
}

static void mincore_tells_what_is_there(void **state)
{
	struct alone *alone = *state;
	uint8_t there[2] = { 9, 9 };

	map_at(alone, AT, PAGE, PROT_READ | PROT_WRITE);
	map_at(alone, AT + PAGE, PAGE, PROT_READ);
	assert_int_equal(nub_linux_write(alone->linux, AT, "x", 1), 0);
	assert_int_equal(call(alone, __NR_mincore, AT, 2 * PAGE, AT + 100, 0), 0);
	assert_int_equal(nub_linux_read(alone->linux, AT + 100, there, sizeof(there)), 0);
	assert_int_equal(there[0], 1);
	assert_int_equal(there[1], 0);
	assert_int_equal(call(alone, __NR_mincore, AT + 1, PAGE, AT, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_mincore, AT, 3 * PAGE, AT, 0), -ENOMEM);
	assert_int_equal(call(alone, __NR_mincore, AT, PAGE, 8, 0), -EFAULT);
}

/* A file of 5000 bytes for the mapping tests. */
struct sample_file {
	struct nub_linux_backing backing;
	uint8_t bytes[5000];
	unsigned releases;
};

static int64_t sample_read(struct nub_linux_backing *backing, uint64_t offset, void *bytes, size_t size)
{
	const struct sample_file *file = (struct sample_file *)backing;

	if (offset >= sizeof(file->bytes))
		return 0;
	if (size > sizeof(file->bytes) - offset)
		size = sizeof(file->bytes) - offset;
	memcpy(bytes, file->bytes + offset, size);
	return (int64_t)size;
}

static int64_t sample_write(struct nub_linux_backing *backing, uint64_t offset, const void *bytes, size_t size)
{
	struct sample_file *file = (struct sample_file *)backing;

	for (size_t i = 0; i < size && offset + i < sizeof(file->bytes); i++)
		file->bytes[offset + i] = ((const uint8_t *)bytes)[i];
	return (int64_t)size;
}

static void sample_release(struct nub_linux_backing *backing)
{
	((struct sample_file *)backing)->releases++;
}

static const struct nub_linux_backing_ops read_only_ops = { .read = sample_read, .release = sample_release };
static const struct nub_linux_backing_ops writable_ops = { .read = sample_read,
	                                                   .write = sample_write,
	                                                   .release = sample_release };
static struct sample_file sample;

static struct nub_linux_backing *open_sample(struct nub_linux *linux, int fd, unsigned prot, unsigned flags,
                                             int64_t *error)
{
	(void)linux;
	(void)prot;
	(void)flags;
	if (fd != 3) {
		*error = -EBADF;
		return NULL;
	}
	sample.backing.references++;
	return &sample.backing;
}

static void files_are_mapped_to_their_end(void **state)
{
	struct alone *alone = *state;
	uint8_t bytes[8192];

	memset(sample.bytes, 0x5a, sizeof(sample.bytes));
	sample.backing = (struct nub_linux_backing){ .ops = &read_only_ops };
	sample.releases = 0;
	alone->linux->open_backing = open_sample;
	assert_int_equal(
	    fake_call(alone->linux, __NR_mmap, AT, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, 3, 0),
	    AT);
	assert_int_equal(nub_linux_read(alone->linux, AT, bytes, 8192), 0);
	assert_int_equal(bytes[4999], 0x5a);
	assert_int_equal(bytes[5000], 0);
	/* Behind the page of the file's end. */
	fault(alone, AT + 2 * PAGE, 4);
	assert_int_equal(alone_signals.info.si_signo, SIGBUS);
	assert_int_equal(alone_signals.info.si_code, BUS_ADRERR);
	assert_int_equal(nub_linux_read(alone->linux, AT + 2 * PAGE, bytes, 1), -EFAULT);
	/* Private: the file does not see what is written. */
	assert_int_equal(nub_linux_write(alone->linux, AT, "mine", 4), 0);
	assert_int_equal(call(alone, __NR_munmap, AT + PAGE, PAGE, 0, 0), 0);
	assert_int_equal(sample.releases, 0);
	assert_int_equal(call(alone, __NR_munmap, AT, 4 * PAGE, 0, 0), 0);
	assert_int_equal(sample.releases, 1);
	assert_int_equal(sample.bytes[0], 0x5a);
	assert_int_equal(fake_call(alone->linux, __NR_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, 4, 0), -EBADF);
	assert_int_equal(fake_call(alone->linux, __NR_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, 3, 1), -EINVAL);
	assert_int_equal(fake_call(alone->linux, __NR_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, 3, 0 - PAGE), -EOVERFLOW);
	assert_int_equal(fake_call(alone->linux, __NR_mmap, 0, PAGE, PROT_WRITE, MAP_SHARED, 3, 0), -EACCES);
	assert_true(fake_call(alone->linux, __NR_mmap, AT, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, 3, PAGE) > 0);
	assert_int_equal(call(alone, __NR_mprotect, AT, PAGE, PROT_READ | PROT_WRITE, 0), -EACCES);
}

/* A page of a file behind its end can't be had in advance. */
static void files_are_not_populated_behind_their_end(void **state)
{
	struct alone *alone = *state;

	sample.backing = (struct nub_linux_backing){ .ops = &read_only_ops };
	alone->linux->open_backing = open_sample;
	assert_int_equal(fake_call(alone->linux, __NR_mmap, AT, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, 3, 0),
	                 AT);
	assert_int_equal(call(alone, __NR_madvise, AT, 2 * PAGE, 22, 0), 0);
	assert_int_equal(call(alone, __NR_madvise, AT + PAGE, 2 * PAGE, 22, 0), -EFAULT);
}

static void shared_files_get_back_what_is_written(void **state)
{
	struct alone *alone = *state;

	memset(sample.bytes, 0, sizeof(sample.bytes));
	sample.backing = (struct nub_linux_backing){ .ops = &writable_ops };
	alone->linux->open_backing = open_sample;
	assert_int_equal(
	    fake_call(alone->linux, __NR_mmap, AT, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 3, 0), AT);
	assert_int_equal(nub_linux_write(alone->linux, AT + 10, "one", 3), 0);
	assert_int_equal(call(alone, __NR_msync, AT, 2 * PAGE, MS_SYNC, 0), 0);
	assert_memory_equal(sample.bytes + 10, "one", 3);
	assert_int_equal(nub_linux_write(alone->linux, AT + 4999, "two", 3), 0);
	assert_int_equal(call(alone, __NR_munmap, AT, 2 * PAGE, 0, 0), 0);
	assert_int_equal(sample.bytes[4999], 't');
	assert_int_equal(call(alone, __NR_msync, AT, PAGE, MS_SYNC | MS_ASYNC, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_msync, AT, PAGE, MS_SYNC, 0), -ENOMEM);
}

/* Save its memory, and load it into another one's, without the bytes. */
static void thaw(struct alone *frozen, struct alone *thawed)
{
	const struct nub_linux_config config = fake_config();
	struct nub_buffer state = { 0 };
	struct nub_error err = { 0 };
	struct nub_writer writer = { .buffer = &state, .err = &err };

	nub_linux_memory_save(frozen->linux, &writer);
	assert_false(writer.failed);
	alone_init_thawed(thawed, 8 * LARGE, 8 * LARGE, &config);
	struct nub_cursor cursor = { .bytes = state.bytes,
		                     .size = state.size,
		                     .whole = "state",
		                     .kind = NUB_E_SNAPSHOT_TRUNCATED,
		                     .err = &err };
	if (nub_linux_memory_load(thawed->linux, &cursor) < 0)
		fail_msg("%s", err.message);
	nub_buffer_release(&state);
}

static void pages_of_a_file_that_is_cut_end_the_run_by_name(void **state)
{
	static struct alone thawed;
	struct alone *alone = *state;
	uint32_t word = 7;

	map_at(alone, AT, 2 * PAGE, PROT_READ | PROT_WRITE);
	assert_int_equal(nub_linux_write(alone->linux, AT, &word, sizeof(word)), 0);
	thaw(alone, &thawed);
	assert_int_equal(nub_linux_write(thawed.linux, AT, &word, sizeof(word)), 0);
	assert_int_equal(nub_linux_exchange32(thawed.linux, AT, 7, 8, &word), 0);
	assert_int_equal(word, 7);
	thawed.fake.file_is_cut = true;
	/* What was given back and came again is not the file's. */
	assert_int_equal(call(&thawed, __NR_madvise, AT + PAGE, PAGE, MADV_DONTNEED, 0), 0);
	assert_int_equal(nub_linux_write(thawed.linux, AT + PAGE, &word, sizeof(word)), 0);
	assert_int_equal(thawed.linux->end.kind, NUB_LINUX_GOES_ON);
	assert_int_equal(nub_linux_read(thawed.linux, AT, &word, sizeof(word)), -EFAULT);
	assert_int_equal(thawed.linux->end.kind, NUB_LINUX_FAILED);
	assert_int_equal(thawed.linux->error.kind, NUB_E_IO);
	assert_int_equal(nub_linux_exchange32(thawed.linux, AT, 8, 9, &word), -EFAULT);
	alone_release(&thawed);
}

static void locking_brings_pages(void **state)
{
	struct alone *alone = *state;

	map_at(alone, AT, 4 * PAGE, PROT_READ | PROT_WRITE);
	assert_int_equal(call(alone, __NR_mlock, AT + 5, PAGE, 0, 0), 0);
	assert_true(nub_linux_memory_use(alone->linux).resident >= 2 * PAGE);
	assert_int_equal(call(alone, __NR_mlock, AT, 5 * PAGE, 0, 0), -ENOMEM);
	assert_int_equal(call(alone, __NR_mlock2, AT, PAGE, 2, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_munlock, AT, PAGE, 0, 0), 0);
	assert_int_equal(call(alone, __NR_munlock, AT, 5 * PAGE, 0, 0), -ENOMEM);
	assert_int_equal(call(alone, __NR_mlockall, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_mlockall, MCL_CURRENT, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_munlockall, 0, 0, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGES_TEST(mremap_moves_pages_with_their_bytes),
		PAGES_TEST(mremap_refuses_as_linux_does),
		PAGES_TEST(areas_are_counted),
		PAGES_TEST(advice_is_known_or_refused),
		PAGES_TEST(advice_goes_by_the_area),
		PAGES_TEST(files_are_not_populated_behind_their_end),
		PAGES_TEST(mincore_tells_what_is_there),
		PAGES_TEST(files_are_mapped_to_their_end),
		PAGES_TEST(shared_files_get_back_what_is_written),
		PAGES_TEST(pages_of_a_file_that_is_cut_end_the_run_by_name),
		PAGES_TEST(locking_brings_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
