/* The memory of a Linux program: areas and pages by the calls that make them, over a machine that executes nothing. */
#include "linux_alone.h"
#include "unit.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/mman.h>

#include "personality/linux/mm.h"
#include "personality/linux/mm_parts.h"

#define PAGE NUB_PAGE_SIZE
#define LARGE NUB_LARGE_PAGE_SIZE
#define AT UINT64_C(0x10000000)

static int setup(void **state)
{
	static struct alone alone;
	const struct nub_linux_config config = fake_config();

	alone_init(&alone, 8 * LARGE, &config);
	*state = &alone;
	return 0;
}

static int teardown(void **state)
{
	alone_release(*state);
	return 0;
}

static int64_t call(struct alone *alone, unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return fake_call(alone->linux, number, a, b, c, d, (uint64_t)-1, 0);
}

static int64_t map_at(struct alone *alone, uint64_t gva, uint64_t size, unsigned prot)
{
	return call(alone, __NR_mmap, gva, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | (gva ? MAP_FIXED : 0));
}

/* What /proc/self/maps would say, in short: [start-end prot] of each area, in pages from AT. */
static const char *areas_of(struct alone *alone)
{
	static char text[1024];
	size_t count, length = 0;
	const struct nub_linux_area *areas = nub_linux_areas(alone->linux, &count);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%d-%d %u", i ? ", " : "",
		                           (int)((int64_t)(areas[i].start - AT) / (int64_t)PAGE),
		                           (int)((int64_t)(areas[i].end - AT) / (int64_t)PAGE), areas[i].prot);
	return text;
}

static void fault(struct alone *alone, uint64_t gva, uint64_t error_code)
{
	nub_linux_fault(alone->linux, 14, error_code, gva);
	alone_take_signal(alone);
}

static void mapping_is_lazy_and_comes_zeroed_when_touched(void **state)
{
	struct alone *alone = *state;
	const int64_t at = map_at(alone, AT, 64 * PAGE, PROT_READ | PROT_WRITE);

	assert_int_equal(at, AT);
	assert_int_equal(alone->fake.page_count, 0);
	fault(alone, (uint64_t)at + 5, 6);
	const struct fake_page *page = fake_page_at(&alone->fake, (uint64_t)at);
	assert_non_null(page);
	assert_int_equal(page->rights, NUB_LINUX_READ | NUB_LINUX_WRITE);
	/* Neighbours came too, but not all. */
	assert_in_range(alone->fake.page_count, 2, 16);
	assert_int_equal(alone->fake.maps, 1);
	assert_int_equal(alone_signals.count, 0);
}

static void what_is_written_is_read_again_across_pages(void **state)
{
	struct alone *alone = *state;
	const uint64_t at = (uint64_t)map_at(alone, AT, 4 * PAGE, PROT_READ | PROT_WRITE);
	uint8_t bytes[3 * 4096], back[sizeof(bytes)];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(nub_linux_write(alone->linux, at + 100, bytes, sizeof(bytes)), 0);
	assert_int_equal(nub_linux_read(alone->linux, at + 100, back, sizeof(back)), 0);
	assert_memory_equal(bytes, back, sizeof(bytes));
	/* Up to the end, and not a byte further. */
	assert_int_equal(nub_linux_read(alone->linux, at + 3 * PAGE, back, PAGE), 0);
	assert_int_equal(nub_linux_read(alone->linux, at + 3 * PAGE, back, PAGE + 1), -EFAULT);
	assert_int_equal(nub_linux_read_some(alone->linux, at + 3 * PAGE, back, PAGE + 1), PAGE);
	assert_int_equal(nub_linux_write_some(alone->linux, at + 4 * PAGE, back, 1), -EFAULT);
	assert_int_equal(nub_linux_read_some(alone->linux, at + 4 * PAGE, back, 0), 0);
}

static void strings_end_at_their_nul_or_are_refused(void **state)
{
	struct alone *alone = *state;
	const uint64_t at = (uint64_t)map_at(alone, AT, 2 * PAGE, PROT_READ | PROT_WRITE);
	char text[16];

	assert_int_equal(nub_linux_write(alone->linux, at + PAGE - 3, "abcdef", 7), 0);
	assert_int_equal(nub_linux_read_string(alone->linux, at + PAGE - 3, text, sizeof(text)), 6);
	assert_string_equal(text, "abcdef");
	assert_int_equal(nub_linux_read_string(alone->linux, at + PAGE - 3, text, 6), -ENAMETOOLONG);
	assert_int_equal(nub_linux_read_string(alone->linux, at + PAGE - 3, text, 7), 6);
	assert_int_equal(nub_linux_write(alone->linux, at + 2 * PAGE - 2, "zz", 2), 0);
	assert_int_equal(nub_linux_read_string(alone->linux, at + 2 * PAGE - 2, text, sizeof(text)), -EFAULT);
	assert_int_equal(nub_linux_read_string(alone->linux, 0, text, sizeof(text)), -EFAULT);
	assert_int_equal(nub_linux_read_string(alone->linux, UINT64_MAX, text, sizeof(text)), -EFAULT);
}

static void vectors_are_checked_and_cut(void **state)
{
	struct alone *alone = *state;
	const uint64_t at = (uint64_t)map_at(alone, AT, PAGE, PROT_READ | PROT_WRITE);
	struct iovec iov[3] = { { (void *)0x1000, 10 }, { (void *)0x2000, SIZE_MAX / 2 }, { (void *)0x3000, 5 } };

	assert_int_equal(nub_linux_write(alone->linux, at, iov, sizeof(iov)), 0);
	assert_int_equal(nub_linux_read_iovec(alone->linux, at, 3, iov), NUB_LINUX_MAX_RW);
	assert_int_equal(iov[1].iov_len, NUB_LINUX_MAX_RW - 10);
	assert_int_equal(iov[2].iov_len, 0);
	assert_int_equal(nub_linux_read_iovec(alone->linux, at, NUB_LINUX_IOV_MAX + 1, iov), -EINVAL);
	assert_int_equal(nub_linux_read_iovec(alone->linux, at + PAGE - 8, 1, iov), -EFAULT);
	iov[0].iov_len = SIZE_MAX;
	assert_int_equal(nub_linux_write(alone->linux, at, iov, sizeof(iov)), 0);
	assert_int_equal(nub_linux_read_iovec(alone->linux, at, 1, iov), -EINVAL);
}

static void words_are_exchanged(void **state)
{
	struct alone *alone = *state;
	const uint64_t at = (uint64_t)map_at(alone, AT, PAGE, PROT_READ | PROT_WRITE);
	uint32_t seen;

	assert_int_equal(nub_linux_exchange32(alone->linux, at, 0, 5, &seen), 0);
	assert_int_equal(seen, 0);
	assert_int_equal(nub_linux_exchange32(alone->linux, at, 4, 6, &seen), 0);
	assert_int_equal(seen, 5);
	assert_int_equal(nub_linux_exchange32(alone->linux, at, 5, 7, &seen), 0);
	assert_int_equal(nub_linux_read(alone->linux, at, &seen, sizeof(seen)), 0);
	assert_int_equal(seen, 7);
	assert_int_equal(nub_linux_exchange32(alone->linux, at + 2, 5, 7, &seen), -EFAULT);
	assert_int_equal(nub_linux_exchange32(alone->linux, 0, 5, 7, &seen), -EFAULT);
}

static void mmap_refuses_as_linux_does(void **state)
{
	struct alone *alone = *state;
	const unsigned anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	const struct {
		uint64_t gva, size, prot, flags;
		int64_t result;
	} cases[] = {
		{ 0, 0, PROT_READ, anonymous, -EINVAL },
		{ 0, UINT64_MAX, PROT_READ, anonymous, -ENOMEM },
		{ 0, UINT64_C(1) << 47, PROT_READ, anonymous, -ENOMEM },
		{ 0, PAGE, PROT_READ, MAP_ANONYMOUS, -EINVAL },
		{ AT + 1, PAGE, PROT_READ, anonymous | MAP_FIXED, -EINVAL },
		{ 0, PAGE, PROT_READ, anonymous | MAP_FIXED, -EPERM },
		{ NUB_USER_GVA_END - PAGE, PAGE, PROT_READ, anonymous | MAP_FIXED, -ENOMEM },
		{ UINT64_C(0xffff800000000000), PAGE, PROT_READ, anonymous | MAP_FIXED, -ENOMEM },
		{ 0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, anonymous, -EACCES },
		{ 0, PAGE, PROT_READ, MAP_PRIVATE, -EBADF },
		{ 0, LARGE, PROT_READ, anonymous | MAP_HUGETLB, -ENOMEM },
		/* More than all memory, unless it is not meant to be used. */
		{ 0, 9 * LARGE, PROT_READ | PROT_WRITE, anonymous, -ENOMEM },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(call(alone, __NR_mmap, cases[i].gva, cases[i].size, cases[i].prot, cases[i].flags),
		                 cases[i].result);
	assert_string_equal(areas_of(alone), "");
	assert_true(call(alone, __NR_mmap, 0, UINT64_C(1) << 40, PROT_NONE, anonymous) > 0);
	assert_true(call(alone, __NR_mmap, 0, 9 * LARGE, PROT_READ | PROT_WRITE, anonymous | MAP_NORESERVE) > 0);
	assert_int_equal(alone->fake.page_count, 0);
}

static void hints_count_when_they_are_free(void **state)
{
	struct alone *alone = *state;
	const unsigned anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

	assert_int_equal(call(alone, __NR_mmap, AT, PAGE, PROT_READ, anonymous), AT);
	const int64_t other = call(alone, __NR_mmap, AT, PAGE, PROT_READ, anonymous);
	assert_true(other > 0 && other != (int64_t)AT);
	assert_int_equal(call(alone, __NR_mmap, AT, PAGE, PROT_READ, anonymous | MAP_FIXED_NOREPLACE), -EEXIST);
	assert_int_equal(call(alone, __NR_mmap, AT + PAGE, PAGE, PROT_READ, anonymous | MAP_FIXED_NOREPLACE),
	                 AT + PAGE);
	assert_in_range(call(alone, __NR_mmap, 0, PAGE, PROT_READ, anonymous | MAP_32BIT), 1,
	                (UINT64_C(1) << 31) - PAGE);
	assert_int_equal(call(alone, __NR_mmap, 0, 2 * LARGE, PROT_READ, anonymous) % (int64_t)LARGE, 0);
}

static void areas_split_join_and_go(void **state)
{
	struct alone *alone = *state;

	map_at(alone, AT, 10 * PAGE, PROT_READ | PROT_WRITE);
	map_at(alone, AT + 10 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
	assert_string_equal(areas_of(alone), "0-12 3");
	assert_int_equal(call(alone, __NR_mprotect, AT + 2 * PAGE, 3 * PAGE, PROT_READ, 0), 0);
	assert_string_equal(areas_of(alone), "0-2 3, 2-5 1, 5-12 3");
	assert_int_equal(call(alone, __NR_mprotect, AT, 12 * PAGE, PROT_READ | PROT_WRITE, 0), 0);
	assert_string_equal(areas_of(alone), "0-12 3");
	assert_int_equal(call(alone, __NR_munmap, AT + 4 * PAGE, 1, 0, 0), 0);
	assert_string_equal(areas_of(alone), "0-4 3, 5-12 3");
	assert_int_equal(call(alone, __NR_mprotect, AT, 12 * PAGE, PROT_READ, 0), -ENOMEM);
	assert_int_equal(call(alone, __NR_mprotect, AT + 1, PAGE, PROT_READ, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_mprotect, AT, PAGE, 0x40, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_mprotect, AT, PAGE, PROT_WRITE | PROT_EXEC, 0), -EACCES);
	assert_int_equal(call(alone, __NR_munmap, AT + 1, PAGE, 0, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_munmap, AT, 0, 0, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_munmap, AT, UINT64_MAX - PAGE, 0, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_munmap, AT - 10 * PAGE, 100 * PAGE, 0, 0), 0);
	assert_string_equal(areas_of(alone), "");
}

static void protected_pages_keep_what_is_in_them(void **state)
{
	struct alone *alone = *state;
	uint64_t word = 0x1122334455667788;

	map_at(alone, AT, 4 * PAGE, PROT_READ | PROT_WRITE);
	assert_int_equal(nub_linux_write(alone->linux, AT + PAGE, &word, sizeof(word)), 0);
	assert_int_equal(call(alone, __NR_mprotect, AT + PAGE, PAGE, PROT_NONE, 0), 0);
	assert_int_equal(fake_page_at(&alone->fake, AT + PAGE)->rights, 0);
	assert_int_equal(nub_linux_read(alone->linux, AT + PAGE, &word, sizeof(word)), -EFAULT);
	fault(alone, AT + PAGE + 8, 5);
	assert_int_equal(alone_signals.info.si_signo, SIGSEGV);
	assert_int_equal(alone_signals.info.si_code, SEGV_ACCERR);
	assert_ptr_equal(alone_signals.info.si_addr, (void *)(AT + PAGE + 8));
	assert_int_equal(call(alone, __NR_mprotect, AT + PAGE, PAGE, PROT_READ, 0), 0);
	word = 0;
	assert_int_equal(nub_linux_read(alone->linux, AT + PAGE, &word, sizeof(word)), 0);
	assert_true(word == 0x1122334455667788);
	assert_int_equal(nub_linux_write(alone->linux, AT + PAGE, &word, sizeof(word)), -EFAULT);
	fault(alone, AT + PAGE, 7);
	assert_int_equal(alone_signals.count, 2);
	/* An instruction fetch of what is not executable. */
	fault(alone, AT, 0x14);
	assert_int_equal(alone_signals.count, 3);
	fault(alone, AT + 4 * PAGE, 4);
	assert_int_equal(alone_signals.info.si_code, SEGV_MAPERR);
	fault(alone, UINT64_C(0xffff800000000000), 4);
	assert_int_equal(alone_signals.count, 5);
}

static void pages_come_back_zeroed_after_munmap(void **state)
{
	struct alone *alone = *state;
	const uint64_t before = nub_linux_memory_use(alone->linux).resident;
	uint8_t bytes[4096], zeros[4096] = { 0 };

	memset(bytes, 0xaa, sizeof(bytes));
	for (unsigned round = 0; round < 4; round++) {
		/* Few pages, and enough to be given back to the host. */
		const uint64_t size = round % 2 ? 256 * PAGE : 3 * PAGE;
		map_at(alone, AT, size, PROT_READ | PROT_WRITE);
		for (uint64_t at = 0; at < size; at += PAGE) {
			uint8_t back[4096];
			assert_int_equal(nub_linux_read(alone->linux, AT + at, back, sizeof(back)), 0);
			assert_memory_equal(back, zeros, sizeof(back));
			assert_int_equal(nub_linux_write(alone->linux, AT + at, bytes, sizeof(bytes)), 0);
		}
		assert_int_equal(call(alone, __NR_munmap, AT, size, 0, 0), 0);
		assert_int_equal(nub_linux_memory_use(alone->linux).resident, before);
		assert_int_equal(alone->fake.page_count, 0);
	}
}

static void large_pages_are_used_where_they_fit(void **state)
{
	struct alone *alone = *state;

	map_at(alone, AT + PAGE, 2 * LARGE, PROT_READ | PROT_WRITE);
	fault(alone, AT + LARGE + 5 * PAGE, 6);
	assert_int_equal(alone->fake.page_count, 512);
	const uint64_t gpa = fake_page_at(&alone->fake, AT + LARGE)->gpa;
	assert_int_equal(gpa % LARGE, 0);
	assert_int_equal(fake_page_at(&alone->fake, AT + 2 * LARGE - PAGE)->gpa, gpa + LARGE - PAGE);
	/* The pieces at both ends are smaller. */
	fault(alone, AT + PAGE, 6);
	assert_in_range(alone->fake.page_count, 513, 528);
	/* Out of the middle of one: the rest stays. */
	assert_int_equal(call(alone, __NR_munmap, AT + LARGE + PAGE, PAGE, 0, 0), 0);
	assert_null(fake_page_at(&alone->fake, AT + LARGE + PAGE));
	assert_int_equal(fake_page_at(&alone->fake, AT + LARGE + 2 * PAGE)->gpa, gpa + 2 * PAGE);
}

static void memory_that_is_used_up_ends_the_run(void **state)
{
	struct alone *alone = *state;
	uint64_t touched = 0;

	map_at(alone, AT, 7 * LARGE, PROT_READ | PROT_WRITE);
	map_at(alone, AT + 16 * LARGE, 7 * LARGE, PROT_READ | PROT_WRITE);
	while (!nub_linux_ended(alone->linux) && touched < 14 * LARGE) {
		fault(alone, touched < 7 * LARGE ? AT + touched : AT + 9 * LARGE + touched, 6);
		touched += PAGE;
	}
	assert_int_equal(alone->linux->end.kind, NUB_LINUX_MEMORY);
	assert_int_equal(touched, 8 * LARGE + PAGE);
	assert_int_equal(alone->linux->end.address, AT + 17 * LARGE);
	assert_non_null(strstr(alone->linux->end.message, "all of 16 MiB is in use"));
}

static void brk_grows_and_shrinks(void **state)
{
	struct alone *alone = *state;
	uint64_t word = 7;

	alone->linux->memory->brk_start = alone->linux->memory->brk = AT + 0x123;
	assert_int_equal(call(alone, __NR_brk, 0, 0, 0, 0), AT + 0x123);
	assert_int_equal(call(alone, __NR_brk, AT + 3 * PAGE + 1, 0, 0, 0), AT + 3 * PAGE + 1);
	assert_string_equal(areas_of(alone), "1-4 3");
	assert_int_equal(nub_linux_write(alone->linux, AT + 2 * PAGE, &word, sizeof(word)), 0);
	assert_int_equal(call(alone, __NR_brk, AT + 2 * PAGE, 0, 0, 0), AT + 2 * PAGE);
	assert_int_equal(call(alone, __NR_brk, AT + 3 * PAGE, 0, 0, 0), AT + 3 * PAGE);
	assert_int_equal(nub_linux_read(alone->linux, AT + 2 * PAGE, &word, sizeof(word)), 0);
	assert_int_equal(word, 0);
	/* Something is in the way, or it is nonsense: the old one. */
	map_at(alone, AT + 5 * PAGE, PAGE, PROT_READ);
	assert_int_equal(call(alone, __NR_brk, AT + 6 * PAGE, 0, 0, 0), AT + 3 * PAGE);
	assert_int_equal(call(alone, __NR_brk, AT, 0, 0, 0), AT + 3 * PAGE);
	assert_int_equal(call(alone, __NR_brk, UINT64_MAX, 0, 0, 0), AT + 3 * PAGE);
	assert_int_equal(call(alone, __NR_brk, UINT64_C(1) << 47, 0, 0, 0), AT + 3 * PAGE);
}

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
		cmocka_unit_test_setup_teardown(mapping_is_lazy_and_comes_zeroed_when_touched, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_written_is_read_again_across_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(strings_end_at_their_nul_or_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(vectors_are_checked_and_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(words_are_exchanged, setup, teardown),
		cmocka_unit_test_setup_teardown(mmap_refuses_as_linux_does, setup, teardown),
		cmocka_unit_test_setup_teardown(hints_count_when_they_are_free, setup, teardown),
		cmocka_unit_test_setup_teardown(areas_split_join_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(protected_pages_keep_what_is_in_them, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_come_back_zeroed_after_munmap, setup, teardown),
		cmocka_unit_test_setup_teardown(large_pages_are_used_where_they_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_that_is_used_up_ends_the_run, setup, teardown),
		cmocka_unit_test_setup_teardown(brk_grows_and_shrinks, setup, teardown),
		cmocka_unit_test_setup_teardown(mremap_moves_pages_with_their_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(mremap_refuses_as_linux_does, setup, teardown),
		cmocka_unit_test_setup_teardown(advice_is_known_or_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(mincore_tells_what_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(files_are_mapped_to_their_end, setup, teardown),
		cmocka_unit_test_setup_teardown(shared_files_get_back_what_is_written, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_of_a_file_that_is_cut_end_the_run_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(locking_brings_pages, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
