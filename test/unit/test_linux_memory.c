/* The memory of a Linux program: areas and pages by the calls that make them. */
#include "linux_pages.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGES_TEST(mapping_is_lazy_and_comes_zeroed_when_touched),
		PAGES_TEST(what_is_written_is_read_again_across_pages),
		PAGES_TEST(strings_end_at_their_nul_or_are_refused),
		PAGES_TEST(vectors_are_checked_and_cut),
		PAGES_TEST(words_are_exchanged),
		PAGES_TEST(mmap_refuses_as_linux_does),
		PAGES_TEST(hints_count_when_they_are_free),
		PAGES_TEST(areas_split_join_and_go),
		PAGES_TEST(protected_pages_keep_what_is_in_them),
		PAGES_TEST(pages_come_back_zeroed_after_munmap),
		PAGES_TEST(large_pages_are_used_where_they_fit),
		PAGES_TEST(memory_that_is_used_up_ends_the_run),
		PAGES_TEST(brk_grows_and_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
