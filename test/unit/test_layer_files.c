/* Snapshot files that no guest made: opened, and their memory through layers with images of other sizes, very many runs. */
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "folder.h"
#include "nub/snapshot.h"
#include "snapfile_sample.h"
#include "snapshot/file/snapshot.h"

/* Where images end; and a page that only the large ones have. */
#define SMALL_END UINT64_C(0x11a000)
#define LARGE_END UINT64_C(0x124000)
#define FAR_GPA UINT64_C(0x11f000)

/* A file whose image ends there, on `base` if there is one, which is freed; `mark` on each page of its runs. */
static struct nub_snapshot *make(const struct folder *folder, const char *name, struct nub_snapshot *base, uint64_t end,
                                 const struct nub_page_run *runs, uint32_t run_count, int mark)
{
	struct nub_buffer metadata = { 0 };
	struct nub_error err = { 0 };
	struct nub_snapshot_meta meta;
	uint8_t header[NUB_SNAPSHOT_HEADER_SIZE], page[NUB_PAGE_SIZE];
	char path[128];

	sample_meta(&meta, SAMPLE_INITIALISE);
	meta.layout.data_end_gpa = meta.layout.page_table_gpa = meta.roots[0] = end - meta.layout.page_table_size;
	meta.layout.snapshot_size = end - NUB_BASE_ADDRESS;
	meta.image_end_gpa = end;
	if (base) {
		free(meta.base_name);
		meta.base_name = sample_string(strrchr(base->name, '/') + 1);
		meta.has_base = true;
		meta.depth = base->meta.depth + 1;
		meta.base_hash = base->meta.hash;
		meta.runs = sample_copy(runs, run_count * sizeof(*runs));
		meta.run_count = run_count;
	}
	if (nub_snapshot_encode_meta(&meta, &metadata, &err) < 0)
		fail_msg("%s", err.message);
	nub_snapshot_encode_header(metadata.bytes, metadata.size, meta.image_end_gpa,
	                           meta.image_end_gpa + metadata.size, header);
	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	memset(page, mark, sizeof(page));
	for (uint32_t i = 0; mark && i < run_count; i++)
		for (uint64_t j = 0; j < runs[i].pages; j++)
			assert_int_equal(pwrite(fd, page, sizeof(page), (off_t)(runs[i].gpa + j * NUB_PAGE_SIZE)),
			                 sizeof(page));
	assert_int_equal(pwrite(fd, metadata.bytes, metadata.size, (off_t)meta.image_end_gpa), metadata.size);
	struct nub_snapshot *snapshot = nub_snapshot_open(fd, path, NULL, &err);
	if (!snapshot)
		fail_msg("%s", err.message);
	close(fd);
	nub_buffer_release(&metadata);
	nub_snapshot_meta_release(&meta);
	nub_snapshot_free(base);
	return snapshot;
}

/* A layer whose image is shorter than that of its base, below one whose image is not: what the base has there shows
 * through, however it is looked at. */
static void a_short_layer_between(void **state)
{
	const struct nub_page_run far = { FAR_GPA, 1 }, near = { 0x2000, 1 };
	struct nub_snapshot *top;
	uint8_t page[NUB_PAGE_SIZE];

	top = make(*state, "base", NULL, LARGE_END, &far, 1, 'b');
	top = make(*state, "middle", top, SMALL_END, &near, 1, 'm');
	top = make(*state, "top", top, LARGE_END, &near, 1, 't');
	assert_int_equal(nub_snapshot_read(top, FAR_GPA, page, sizeof(page), NULL), 0);
	assert_int_equal(page[0], 'b');
	assert_int_equal(nub_snapshot_stored_bytes(top, FAR_GPA, NUB_PAGE_SIZE), NUB_PAGE_SIZE);
	assert_int_equal(nub_snapshot_stored_bytes(top, 0x2000, NUB_PAGE_SIZE), NUB_PAGE_SIZE);
	assert_int_equal(nub_snapshot_stored_bytes(top, 0x3000, NUB_PAGE_SIZE), 0);
	nub_snapshot_free(top);
}

/* Each run is a mapping, or two, and Linux allows a process 65530 by default. */
static void more_runs_than_mappings(void **state)
{
	const int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	uint8_t page[NUB_PAGE_SIZE];
	struct nub_error err = { 0 };

	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	const uint32_t count = (uint32_t)strtoul(text, NULL, 10);
	if (count > 500000)
		skip();
	const uint64_t end = NUB_BASE_ADDRESS + (2 * (uint64_t)count + 16) * NUB_PAGE_SIZE;
	struct nub_page_run *runs = calloc(count, sizeof(*runs));
	assert_non_null(runs);
	for (uint32_t i = 0; i < count; i++)
		runs[i] = (struct nub_page_run){ NUB_BASE_ADDRESS + (2 * (uint64_t)i + 1) * NUB_PAGE_SIZE, 1 };
	struct nub_snapshot *top = make(*state, "base", NULL, end, runs, 0, 0);
	top = make(*state, "top", top, end, runs, count, 0);
	uint8_t *at = mmap(NULL, end, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(nub_snapshot_map(top, NUB_BASE_ADDRESS, end - NUB_BASE_ADDRESS, at, PROT_READ, &err), -1);
	assert_string_equal(nub_error_name(err.kind), "no-memory");
	assert_non_null(strstr(err.hint, "flatten it"));
	munmap(at, end);
	/* And that way it can be had: every page can be read. */
	assert_int_equal(nub_snapshot_read(top, runs[count - 1].gpa, page, sizeof(page), &err), 0);
	nub_snapshot_free(top);
	free(runs);
}

/* What an older failure left in the error is not taken for this one's. */
static void no_descriptor_left(void **state)
{
	struct nub_error err = { .kind = NUB_E_USAGE, .message = "an older failure" };
	struct rlimit limit, none;
	char path[128];

	nub_snapshot_free(make(*state, "file", NULL, SMALL_END, NULL, 0, 0));
	snprintf(path, sizeof(path), "%s/file", ((const struct folder *)*state)->path);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_null(nub_snapshot_open(fd, "file", NULL, &err));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(fd);
	assert_string_equal(nub_error_name(err.kind), "io");
	assert_non_null(strstr(err.message, "file: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_short_layer_between, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_descriptor_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_runs_than_mappings, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("layers of files", tests, NULL, NULL);
}
