/* Fuzz target: snapshot files that stand on each other in any way. Those that open show the same memory however it is looked
 * at, and it is what the files have.
 *
 * Input: records of 16 bytes, one for each of up to six files: flags, which file is its base, its depth, where its image ends,
 * how many runs it stores and where, how much is cut off its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/snapfile_sample.h"
#include "base/util.h"
#include "fuzz.h"
#include "snapshot/file/snapshot.h"

enum { FILES = 6, MAX_RUNS = 5, RECORD = 16, END_PAGE = 0x11a, PAGES = END_PAGE + 16, MARKED = 7 };
enum { HAS_BASE = 1, WRONG_HASH = 2, IS_CUT = 4, NO_NAME = 8 };

struct record {
	uint8_t flags, base, depth, end, run_count;
	struct {
		uint8_t gap, pages;
	} runs[MAX_RUNS];
	uint8_t cut;
};
_Static_assert(sizeof(struct record) == RECORD, "the input is copied as it is");

static const struct record nothing;

/* What is in a file of the world, as the input has it. */
struct layer {
	int fd;
	struct record record;
	struct nub_page_run runs[MAX_RUNS];
	uint32_t run_count;
	uint64_t end;
};

struct world {
	struct layer layers[FILES];
	uint8_t *memory, *read;
};

static void open_world(struct world *world)
{
	for (unsigned i = 0; i < FILES; i++) {
		world->layers[i].fd = memfd_create("layer", MFD_CLOEXEC);
		FUZZ_CHECK(world->layers[i].fd >= 0);
	}
	world->memory = mmap(NULL, PAGES * NUB_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	world->read = malloc(PAGES * NUB_PAGE_SIZE);
	FUZZ_CHECK(world->memory != MAP_FAILED && world->read);
}

static void fill_runs(struct layer *layer)
{
	uint64_t page = 1;

	layer->run_count = layer->record.run_count % (MAX_RUNS + 1);
	for (uint32_t i = 0; i < layer->run_count; i++) {
		layer->runs[i].gpa = (page + layer->record.runs[i].gap) * NUB_PAGE_SIZE;
		layer->runs[i].pages = layer->record.runs[i].pages;
		page = layer->runs[i].gpa / NUB_PAGE_SIZE + layer->runs[i].pages;
	}
}

static struct nub_hash hash_of(unsigned index)
{
	struct nub_snapshot_meta meta;

	sample_meta(&meta, SAMPLE_INITIALISE);
	meta.memory_hash.bytes[0] = (uint8_t)index;
	const struct nub_hash hash = nub_snapshot_hash(&meta);
	nub_snapshot_meta_release(&meta);
	return hash;
}

static void fill_meta(const struct world *world, unsigned index, struct nub_snapshot_meta *meta)
{
	const struct layer *layer = &world->layers[index];
	const struct record *record = &layer->record;
	const unsigned base = record->base % FILES;
	char name[16];

	sample_meta(meta, SAMPLE_INITIALISE);
	meta->memory_hash.bytes[0] = (uint8_t)index;
	meta->hash = nub_snapshot_hash(meta);
	meta->layout.data_end_gpa = meta->layout.page_table_gpa = meta->roots[0] =
	    layer->end - meta->layout.page_table_size;
	meta->layout.snapshot_size = layer->end - NUB_BASE_ADDRESS;
	meta->image_end_gpa = layer->end;
	if (!(record->flags & HAS_BASE))
		return;
	/* All of them are in the folder /proc/self/fd. */
	snprintf(name, sizeof(name), "%d", world->layers[base].fd);
	free(meta->base_name);
	meta->base_name = sample_string(record->flags & NO_NAME ? "" : name);
	meta->has_base = true;
	meta->depth = record->depth;
	meta->base_hash = hash_of(base);
	meta->base_hash.bytes[3] ^= record->flags & WRONG_HASH ? 1 : 0;
	meta->runs = sample_copy(layer->runs, sizeof(layer->runs));
	meta->run_count = layer->run_count;
}

/* Each page that a file stores has its number and the page's, but for some that are zero. */
static uint64_t mark(unsigned index, uint64_t page)
{
	return page % MARKED == index ? 0 : page << 8 | (index + 1);
}

static void write_marks(const struct layer *layer, unsigned index, uint64_t from, uint64_t to)
{
	for (uint64_t page = from; page < to && page < PAGES; page++) {
		const uint64_t value = mark(index, page);
		FUZZ_CHECK(pwrite(layer->fd, &value, sizeof(value), (off_t)(page * NUB_PAGE_SIZE)) == sizeof(value));
	}
}

/* A file that could not be read again is left empty. */
static void write_layer(const struct world *world, unsigned index)
{
	const struct layer *layer = &world->layers[index];
	struct nub_buffer metadata = { 0 };
	struct nub_error err = { 0 };
	struct nub_snapshot_meta meta;
	uint8_t header[NUB_SNAPSHOT_HEADER_SIZE];

	FUZZ_CHECK(ftruncate(layer->fd, 0) == 0);
	fill_meta(world, index, &meta);
	if (nub_snapshot_encode_meta(&meta, &metadata, &err) == 0) {
		const uint64_t size = layer->end + metadata.size;
		nub_snapshot_encode_header(metadata.bytes, metadata.size, layer->end, size, header);
		FUZZ_CHECK(pwrite(layer->fd, metadata.bytes, metadata.size, (off_t)layer->end) ==
		           (ssize_t)metadata.size);
		FUZZ_CHECK(pwrite(layer->fd, header, sizeof(header), 0) == sizeof(header));
		if (!meta.has_base)
			write_marks(layer, index, 1, layer->end / NUB_PAGE_SIZE);
		for (uint32_t i = 0; i < meta.run_count; i++)
			write_marks(layer, index, meta.runs[i].gpa / NUB_PAGE_SIZE,
			            meta.runs[i].gpa / NUB_PAGE_SIZE + meta.runs[i].pages);
		if (layer->record.flags & IS_CUT)
			FUZZ_CHECK(ftruncate(layer->fd, (off_t)(size - size * layer->record.cut / 256)) == 0);
	} else {
		FUZZ_CHECK(err.message[0] != '\0');
	}
	nub_buffer_release(&metadata);
	nub_snapshot_meta_release(&meta);
}

/* What is in a page of the snapshot in a file, in other words than the library has. */
static uint64_t expected(const struct world *world, unsigned index, uint64_t page)
{
	for (unsigned depth = 0; depth < FILES; depth++) {
		const struct layer *layer = &world->layers[index];
		if (!(layer->record.flags & HAS_BASE))
			return page > 0 && page < layer->end / NUB_PAGE_SIZE ? mark(index, page) : 0;
		for (uint32_t i = 0; i < layer->run_count; i++)
			if (page * NUB_PAGE_SIZE >= layer->runs[i].gpa &&
			    page - layer->runs[i].gpa / NUB_PAGE_SIZE < layer->runs[i].pages)
				return mark(index, page);
		index = layer->record.base % FILES;
	}
	__builtin_trap();
}

static void check_memory(struct world *world, const struct nub_snapshot *snapshot)
{
	const uint64_t size = (PAGES - 1) * NUB_PAGE_SIZE;
	struct nub_error err = { 0 };

	FUZZ_CHECK(mmap(world->memory, PAGES * NUB_PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	                0) == world->memory);
	FUZZ_CHECK(nub_snapshot_map(snapshot, NUB_BASE_ADDRESS, size, world->memory + NUB_PAGE_SIZE, PROT_READ, &err) ==
	           0);
	FUZZ_CHECK(nub_snapshot_read(snapshot, NUB_BASE_ADDRESS, world->read + NUB_PAGE_SIZE, size, &err) == 0);
	FUZZ_CHECK(nub_snapshot_stored_bytes(snapshot, NUB_BASE_ADDRESS, size) <= size);
	for (uint64_t page = 1; page < PAGES; page++) {
		const uint64_t value = expected(world, 0, page);
		FUZZ_CHECK(memcmp(world->read + page * NUB_PAGE_SIZE, &value, sizeof(value)) == 0);
		FUZZ_CHECK(memcmp(world->memory + page * NUB_PAGE_SIZE, &value, sizeof(value)) == 0);
	}
	/* And a piece at a time, from the middle of runs on. */
	for (uint64_t page = 1 + world->layers[0].record.cut % 16; page < PAGES; page += 16) {
		const uint64_t value = expected(world, 0, page);
		FUZZ_CHECK(nub_snapshot_read(snapshot, page * NUB_PAGE_SIZE, world->read, NUB_PAGE_SIZE, &err) == 0);
		FUZZ_CHECK(memcmp(world->read, &value, sizeof(value)) == 0);
	}
}

static void check_error(const struct nub_error *err)
{
	FUZZ_CHECK(err->kind >= NUB_E_SNAPSHOT_MAGIC && err->kind <= NUB_E_SNAPSHOT_LAYERS);
	FUZZ_CHECK(err->kind != NUB_E_SNAPSHOT_CORRUPT && err->message[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct nub_error err = { 0 };
	char name[32];

	if (!world.memory)
		open_world(&world);
	for (unsigned i = 0; i < FILES; i++) {
		struct layer *layer = &world.layers[i];
		layer->record = nothing;
		if (size >= (i + 1) * RECORD)
			memcpy(&layer->record, data + (size_t)i * RECORD, RECORD);
		layer->end = (uint64_t)(END_PAGE + layer->record.end % 16) * NUB_PAGE_SIZE;
		fill_runs(layer);
	}
	/* What the first one does not stand on is not written. */
	unsigned written = 0;
	for (unsigned i = 0; !(written & 1u << i);) {
		written |= 1u << i;
		write_layer(&world, i);
		if (world.layers[i].record.flags & HAS_BASE)
			i = world.layers[i].record.base % FILES;
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", world.layers[0].fd);
	struct nub_snapshot *snapshot = nub_snapshot_open(world.layers[0].fd, name, NULL, &err);
	if (snapshot)
		check_memory(&world, snapshot);
	else
		check_error(&err);
	nub_snapshot_free(snapshot);
	return 0;
}

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	static const struct record seeds[][FILES] = {
		{ { .end = 3 } },
		{ { .flags = HAS_BASE, .base = 1, .depth = 1, .run_count = 2, .runs = { { 3, 1 }, { 100, 20 } } } },
		{ { .flags = HAS_BASE, .base = 2, .depth = 2, .end = 9, .run_count = 1, .runs = { { 8, 9 } } },
		  { .end = 10 },
		  { .flags = HAS_BASE, .base = 1, .depth = 1, .run_count = 2, .runs = { { 6, 4 }, { 1, 1 } } } },
		/* a ring, and one that has itself below */
		{ { .flags = HAS_BASE, .base = 1, .depth = 2 }, { .flags = HAS_BASE, .base = 0, .depth = 1 } },
		{ { .flags = HAS_BASE, .base = 0, .depth = 1 } },
		{ { .flags = HAS_BASE, .base = 1, .depth = 1 }, { .flags = IS_CUT, .cut = 9 } },
		{ { .flags = HAS_BASE, .base = 1, .depth = 5 },
		  { .flags = HAS_BASE, .base = 2, .depth = 4, .run_count = 1, .runs = { { 0, 255 } } },
		  { .flags = HAS_BASE, .base = 3, .depth = 3, .end = 15, .run_count = 1, .runs = { { 255, 30 } } },
		  { .flags = HAS_BASE, .base = 4, .depth = 2, .run_count = 1, .runs = { { 30, 4 } } },
		  { .flags = HAS_BASE, .base = 5, .depth = 1 },
		  { .end = 15 } },
	};

	if (index >= sizeof(seeds) / sizeof(seeds[0]) || capacity < sizeof(seeds[0]))
		return 0;
	memcpy(out, seeds[index], sizeof(seeds[0]));
	return sizeof(seeds[0]);
}
