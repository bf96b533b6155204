/* Memory that another process has, too: whose pages are the files', and putting all of it back. No KVM. */
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "memory/memory.h"
#include "memory/pagemap.h"

#define PAGE NUB_PAGE_SIZE

/* The snapshot region is a file's from SHOWN on, for SHOWN_PAGES, of which the last ones are another file's. */
enum { SHOWN = 2, SHOWN_PAGES = 200, OTHER = 150 };

struct fixture {
	struct nub_plan plan;
	struct nub_config config;
	struct nub_memory memory;
	int files[2];
	unsigned reads; /* of the source */
};

static uint8_t file_byte(uint64_t page)
{
	return page < SHOWN || page >= SHOWN + SHOWN_PAGES ? 0 : (uint8_t)(1 + page % 200);
}

static int make_file(void)
{
	const int fd = memfd_create("nub-test", MFD_CLOEXEC);
	uint8_t bytes[PAGE];

	assert_true(fd >= 0);
	for (uint64_t page = 0; page < SHOWN + SHOWN_PAGES; page++) {
		memset(bytes, file_byte(page), sizeof(bytes));
		assert_int_equal(pwrite(fd, bytes, sizeof(bytes), (off_t)(page * PAGE)), sizeof(bytes));
	}
	return fd;
}

static void show(struct fixture *fixture, unsigned file, uint64_t page, uint64_t pages)
{
	struct nub_error err = { 0 };
	const struct nub_memory_piece piece = { .gpa = NUB_BASE_ADDRESS + page * PAGE,
		                                .size = pages * PAGE,
		                                .fd = fixture->files[file],
		                                .offset = page * PAGE };

	assert_int_equal(nub_memory_show_file(&fixture->memory, &piece, &err), 0);
}

static void open_fixture(struct fixture *fixture)
{
	const struct nub_layout_sizes sizes = {
		.image_base = 0x400000,
		.image_size = 0x5000,
		.heap_size = UINT64_C(1) << 20,
		.stack_size = NUB_DEFAULT_STACK_SIZE,
		.input_size = NUB_DEFAULT_RING_SIZE,
		.output_size = NUB_DEFAULT_RING_SIZE,
		.scratch_size = UINT64_C(1) << 20,
	};
	struct nub_error err = { 0 };

	memset(fixture, 0, sizeof(*fixture));
	fixture->config.engine = NUB_ENGINE_PROCESS;
	assert_int_equal(nub_layout_init(&fixture->plan.layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_set_page_tables(&fixture->plan.layout, 16 * PAGE, &err), 0);
	assert_int_equal(nub_memory_init(&fixture->memory, &fixture->plan, &fixture->config, &err), 0);
	fixture->files[0] = make_file();
	fixture->files[1] = make_file();
	show(fixture, 0, SHOWN, SHOWN_PAGES);
	show(fixture, 1, OTHER, SHOWN + SHOWN_PAGES - OTHER);
}

static void close_fixture(struct fixture *fixture)
{
	nub_memory_release(&fixture->memory);
	close(fixture->files[0]);
	close(fixture->files[1]);
}

static int read_files(void *context, uint64_t gpa, void *bytes, uint64_t size, struct nub_error *err)
{
	struct fixture *fixture = context;

	(void)err;
	fixture->reads++;
	for (uint64_t at = 0; at < size; at += PAGE)
		memset((uint8_t *)bytes + at, file_byte((gpa - NUB_BASE_ADDRESS + at) / PAGE), PAGE);
	return 0;
}

static void put_back(struct fixture *fixture)
{
	struct nub_error err = { 0 };

	assert_int_equal(nub_memory_put_back(&fixture->memory, read_files, fixture, &err), 0);
}

/* As a page that nubrun knows to be written. */
static void write_page(struct fixture *fixture, uint64_t page)
{
	struct nub_error err = { 0 };
	uint8_t *host = fixture->memory.snapshot.host + page * PAGE;

	assert_int_equal(nub_memory_own(&fixture->memory, NUB_BASE_ADDRESS + page * PAGE, PAGE, &err), 0);
	memset(host, 0xee, PAGE);
}

/* As the other process can, which has the memfd, wherever it likes. */
static void write_behind(struct fixture *fixture, uint64_t page)
{
	const uint8_t bytes[PAGE] = { 0xee };

	assert_int_equal(pwrite(fixture->memory.shared.fd, bytes, sizeof(bytes), (off_t)(page * PAGE)), sizeof(bytes));
}

static bool is_filled(const uint8_t *bytes, uint8_t byte)
{
	return bytes[0] == byte && memcmp(bytes, bytes + 1, PAGE - 1) == 0;
}

/* All memory is as it was at first, and the memfd has pages for no more than the copies. */
static void expect_first_state(struct fixture *fixture)
{
	const struct nub_memory *memory = &fixture->memory;
	struct stat st;

	/* Before it is looked at, which takes pages, too. */
	assert_int_equal(fstat(memory->shared.fd, &st), 0);
	assert_int_equal((uint64_t)st.st_blocks * 512, memory->shared.copy_count * PAGE);
	for (uint64_t page = 0; page < memory->snapshot.size / PAGE; page++)
		if (!is_filled(memory->snapshot.host + page * PAGE, file_byte(page)))
			fail_msg("page %u of the snapshot region", (unsigned)page);
	for (uint64_t page = 0; page < memory->scratch.size / PAGE; page++)
		if (!is_filled(memory->scratch.host + page * PAGE, 0))
			fail_msg("page %u of scratch", (unsigned)page);
	put_back(fixture);
}

static void what_was_written_is_as_before(void **state)
{
	/* At borders of the bits' words, of the files, and of what no file shows. */
	static const uint64_t pages[] = { 2, 3, 4, 63, 64, 65, 127, 128, 149, 150, 151, 192, 201 };
	const unsigned count = sizeof(pages) / sizeof(pages[0]);
	struct fixture fixture;

	(void)state;
	open_fixture(&fixture);
	for (unsigned i = 0; i < count; i++)
		write_page(&fixture, pages[i]);
	assert_int_equal(fixture.memory.shared.copy_count, count);
	put_back(&fixture);
	assert_int_equal(fixture.reads, 6);
	expect_first_state(&fixture);
	for (unsigned i = 0; i < count; i++)
		memset(fixture.memory.snapshot.host + pages[i] * PAGE, 0xdd, PAGE);
	put_back(&fixture);
	expect_first_state(&fixture);
	close_fixture(&fixture);
}

static void what_was_hidden_is_gone(void **state)
{
	struct fixture fixture;

	(void)state;
	open_fixture(&fixture);
	write_page(&fixture, 70);
	write_page(&fixture, 71);
	for (uint64_t page = 0; page < (fixture.memory.snapshot.size + fixture.memory.scratch.size) / PAGE; page++)
		write_behind(&fixture, page);
	memset(fixture.memory.scratch.host, 0xcc, fixture.memory.scratch.size);
	put_back(&fixture);
	assert_int_equal(fixture.reads, 1);
	expect_first_state(&fixture);
	close_fixture(&fixture);
}

/* Nothing was a file's. */
static void memory_of_a_fresh_guest(void **state)
{
	struct fixture fixture;

	(void)state;
	open_fixture(&fixture);
	nub_memory_release(&fixture.memory);
	assert_int_equal(nub_memory_init(&fixture.memory, &fixture.plan, &fixture.config, &(struct nub_error){ 0 }), 0);
	memset(fixture.memory.snapshot.host, 0xee, fixture.memory.snapshot.size);
	memset(fixture.memory.scratch.host, 0xee, fixture.memory.scratch.size);
	put_back(&fixture);
	assert_int_equal(fixture.reads, 0);
	for (uint64_t page = 0; page < fixture.memory.snapshot.size / PAGE; page++)
		assert_true(is_filled(fixture.memory.snapshot.host + page * PAGE, 0));
	close_fixture(&fixture);
}

static int refuse(void *context, uint64_t gpa, void *bytes, uint64_t size, struct nub_error *err)
{
	(void)context;
	(void)gpa;
	(void)bytes;
	(void)size;
	return nub_fail(err, NUB_E_IO, 0, "the file was cut");
}

static void a_source_that_fails(void **state)
{
	struct fixture fixture;
	struct nub_error err = { 0 };

	(void)state;
	open_fixture(&fixture);
	assert_int_equal(nub_memory_put_back(&fixture.memory, refuse, NULL, &err), 0);
	write_page(&fixture, 5);
	assert_int_equal(nub_memory_put_back(&fixture.memory, refuse, NULL, &err), -1);
	assert_int_equal(err.kind, NUB_E_IO);
	close_fixture(&fixture);
}

static bool is_own(int pagemap, const uint8_t *host)
{
	uint64_t entry;

	assert_true(nub_pagemap_read(pagemap, host, &entry, 1));
	return nub_pagemap_there(entry) && nub_pagemap_own(entry);
}

/* Of the process engine's guests, and of others'. */
static void what_will_be_written_is_the_guests_own(void **state)
{
	struct nub_error err = { 0 };
	struct fixture fixture;

	(void)state;
	open_fixture(&fixture);
	assert_int_equal(nub_memory_expect_writes(&fixture.memory, NUB_BASE_ADDRESS + 9 * PAGE, 2 * PAGE, &err), 0);
	assert_int_equal(fixture.memory.shared.copy_count, 2);
	assert_true(nub_memory_is_owned(&fixture.memory, NUB_BASE_ADDRESS + 10 * PAGE));
	assert_int_equal(nub_memory_expect_writes(&fixture.memory, UINT64_C(1) << 51, PAGE, &err), 0);
	expect_first_state(&fixture);
	nub_memory_release(&fixture.memory);
	fixture.config.engine = NUB_ENGINE_KVM;
	assert_int_equal(nub_memory_init(&fixture.memory, &fixture.plan, &fixture.config, &err), 0);
	uint8_t *host = fixture.memory.snapshot.host;
	assert_true(mmap(host, SHOWN_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fixture.files[0],
	                 0) == host);
	const int pagemap = nub_pagemap_open();
	assert_true(pagemap >= 0);
	assert_int_equal(nub_memory_expect_writes(&fixture.memory, NUB_BASE_ADDRESS + 9 * PAGE, PAGE, &err), 0);
	assert_true(is_own(pagemap, host + 9 * PAGE));
	assert_false(is_own(pagemap, host + 10 * PAGE));
	assert_int_equal(nub_memory_expect_writes(&fixture.memory, UINT64_C(1) << 51, PAGE, &err), 0);
	close(pagemap);
	close_fixture(&fixture);
}

static void expect_next_copies(const struct fixture *fixture, uint64_t page, uint64_t end, uint64_t first,
                               uint64_t pages)
{
	uint64_t size = (end - page) * PAGE;
	const uint64_t gpa = nub_memory_next_copies(&fixture->memory, NUB_BASE_ADDRESS + page * PAGE, &size);

	assert_int_equal(size, pages * PAGE);
	if (pages > 0)
		assert_int_equal(gpa, NUB_BASE_ADDRESS + first * PAGE);
}

/* They are remembered when all is as it was, for they will be written again. */
static void where_copies_are(void **state)
{
	struct fixture fixture;

	(void)state;
	open_fixture(&fixture);
	expect_next_copies(&fixture, 0, SHOWN + SHOWN_PAGES, 0, 0);
	for (uint64_t page = 60; page < 140; page++)
		write_page(&fixture, page);
	write_page(&fixture, 150);
	for (unsigned life = 0; life < 2; life++) {
		expect_next_copies(&fixture, 0, SHOWN + SHOWN_PAGES, 60, 80);
		expect_next_copies(&fixture, 70, 100, 70, 30);
		expect_next_copies(&fixture, 140, SHOWN + SHOWN_PAGES, 150, 1);
		expect_next_copies(&fixture, 140, 150, 0, 0);
		expect_next_copies(&fixture, 151, SHOWN + SHOWN_PAGES, 0, 0);
		put_back(&fixture);
	}
	close_fixture(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_as_before),
		cmocka_unit_test(what_was_hidden_is_gone),
		cmocka_unit_test(memory_of_a_fresh_guest),
		cmocka_unit_test(where_copies_are),
		cmocka_unit_test(a_source_that_fails),
		cmocka_unit_test(what_will_be_written_is_the_guests_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
