/* Fuzz target: any bytes as the metadata of a snapshot file, or as its header (R23 to R31).
 *
 * The first byte says which; the bytes after it are sealed here, so that what is behind the seals is tried. What is
 * accepted must be encodable, to bytes that read back as themselves, and must keep what a restore builds on.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "../unit/snapfile_sample.h"
#include "base/util.h"
#include "fuzz.h"

enum { INPUT_METADATA, INPUT_HEADER };
enum { SEALED_SIZE = NUB_SNAPSHOT_HEADER_SIZE - 16, METADATA_HASH = 56 };

static void check_error(const struct nub_error *err)
{
	FUZZ_CHECK(err->kind == NUB_E_SNAPSHOT_MAGIC || err->kind == NUB_E_SNAPSHOT_VERSION ||
	           err->kind == NUB_E_SNAPSHOT_TRUNCATED || err->kind == NUB_E_SNAPSHOT_FIELD ||
	           err->kind == NUB_E_SNAPSHOT_LAYERS);
	FUZZ_CHECK(err->message[0] != '\0');
}

/* What the code that restores relies on, in other words than the checks have. */
static void check_promises(const struct nub_snapshot_meta *meta)
{
	const struct nub_layout *layout = &meta->layout;
	uint64_t next = NUB_BASE_ADDRESS;

	FUZZ_CHECK(nub_page_aligned(meta->image_end_gpa) && layout->snapshot_size <= NUB_MAX_MEMORY_SIZE);
	FUZZ_CHECK(layout->scratch_size <= NUB_MAX_MEMORY_SIZE);
	FUZZ_CHECK(nub_layout_first_free_gpa(layout) + NUB_SCRATCH_FIXED_PAGES * NUB_PAGE_SIZE <=
	           NUB_SCRATCH_TOP_GPA + 1);
	FUZZ_CHECK(meta->image_end_gpa >= layout->data_end_gpa + NUB_PAGE_SIZE);
	for (uint32_t i = 0; i < meta->root_count; i++)
		FUZZ_CHECK(meta->roots[i] >= layout->page_table_gpa &&
		           meta->roots[i] < layout->page_table_gpa + layout->page_table_size);
	for (uint32_t i = 0; i < meta->run_count; i++) {
		FUZZ_CHECK(meta->runs[i].gpa >= next && meta->runs[i].pages > 0);
		next = meta->runs[i].gpa + meta->runs[i].pages * NUB_PAGE_SIZE;
		FUZZ_CHECK(next > meta->runs[i].gpa && next <= meta->image_end_gpa);
	}
	for (uint32_t i = 0; i < meta->region_count; i++)
		FUZZ_CHECK(meta->regions[i].gpa == 0 || meta->regions[i].gpa >= NUB_BASE_ADDRESS);
	if (meta->privilege_level == 3 && meta->next != NUB_NEXT_INITIALISE)
		FUZZ_CHECK(meta->cpu.sregs.cs.dpl == 3 && (meta->cpu.sregs.cs.selector & 3) == 3 &&
		           (meta->cpu.regs.rflags & 0x3000) == 0 && meta->cpu.regs.rip < NUB_USER_GVA_END);
	FUZZ_CHECK(!memchr(meta->base_name, '/', strlen(meta->base_name)));
}

static bool decode(const uint8_t *bytes, size_t size, uint64_t metadata_offset, struct nub_snapshot_meta *meta,
                   struct nub_error *err)
{
	struct nub_snapshot_header header = { .version = 1, .metadata_offset = metadata_offset, .metadata_size = size };
	uint8_t sealed[NUB_SNAPSHOT_HEADER_SIZE];

	nub_snapshot_encode_header(bytes, size, metadata_offset, metadata_offset + size, sealed);
	memcpy(header.metadata_hash.bytes, sealed + METADATA_HASH, sizeof(header.metadata_hash.bytes));
	return nub_snapshot_decode_meta(&header, bytes, size, meta, err) == 0;
}

/* hash covers the regions: without this, a mutation of a region's size would stop there. */
static void mend_hash(struct nub_buffer *metadata, const struct nub_snapshot_meta *meta)
{
	const struct nub_hash hash = nub_snapshot_hash(meta);

	memcpy(metadata->bytes + 16 + 8, hash.bytes, sizeof(hash.bytes));
}

static void try_metadata(const uint8_t *data, size_t size)
{
	struct nub_buffer input = { 0 }, once = { 0 }, twice = { 0 };
	struct nub_snapshot_meta meta, again;
	struct nub_error err = { 0 };
	uint64_t offset = 0x11a000;

	FUZZ_CHECK(nub_buffer_append(&input, data, size, NULL) == 0);
	bool accepted = decode(input.bytes, input.size, offset, &meta, &err);
	if (!accepted) {
		check_error(&err);
		if (strncmp(err.message, "hash begins", 11) == 0 && input.size >= 40)
			mend_hash(&input, &meta);
		offset = meta.image_end_gpa;
		nub_snapshot_meta_release(&meta);
		accepted = decode(input.bytes, input.size, offset, &meta, &err);
	}
	if (accepted) {
		check_promises(&meta);
		FUZZ_CHECK(nub_snapshot_encode_meta(&meta, &once, &err) == 0);
		FUZZ_CHECK(decode(once.bytes, once.size, offset, &again, &err));
		FUZZ_CHECK(nub_snapshot_encode_meta(&again, &twice, &err) == 0);
		FUZZ_CHECK(once.size == twice.size && memcmp(once.bytes, twice.bytes, once.size) == 0);
		/* Without sections that were skipped, there is one way to write it. */
		FUZZ_CHECK(once.size < input.size || memcmp(once.bytes, input.bytes, once.size) == 0);
		nub_snapshot_meta_release(&again);
	}
	nub_snapshot_meta_release(&meta);
	nub_buffer_release(&input);
	nub_buffer_release(&once);
	nub_buffer_release(&twice);
}

static void try_header(const uint8_t *data, size_t size)
{
	struct nub_snapshot_header header;
	struct nub_error err = { 0 };
	uint8_t *bytes = malloc(size ? size : 1);

	FUZZ_CHECK(bytes);
	memcpy(bytes, data, size);
	if (size >= NUB_SNAPSHOT_HEADER_SIZE) {
		XXH128_canonical_t seal;
		XXH128_canonicalFromHash(&seal, XXH3_128bits(bytes, SEALED_SIZE));
		memcpy(bytes + SEALED_SIZE, seal.digest, sizeof(seal.digest));
	}
	if (nub_snapshot_decode_header(bytes, size, &header, &err) < 0)
		check_error(&err);
	else
		FUZZ_CHECK(header.metadata_size <= NUB_SNAPSHOT_MAX_METADATA &&
		           nub_page_aligned(header.metadata_offset) &&
		           header.metadata_offset + header.metadata_size <= header.file_size);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == INPUT_HEADER)
		try_header(data + 1, size - 1);
	else
		try_metadata(data + 1, size - 1);
	return 0;
}

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	struct sample_file file;
	size_t size;

	if (index >= SAMPLE_KINDS + 1)
		return 0;
	sample_encode(&file, index < SAMPLE_KINDS ? index : SAMPLE_LAYER);
	const uint8_t *bytes = index < SAMPLE_KINDS ? file.metadata.bytes : file.header;
	size = 1 + (index < SAMPLE_KINDS ? file.metadata.size : sizeof(file.header));
	if (size > capacity)
		abort();
	out[0] = index < SAMPLE_KINDS ? INPUT_METADATA : INPUT_HEADER;
	memcpy(out + 1, bytes, size - 1);
	nub_buffer_release(&file.metadata);
	return size;
}
