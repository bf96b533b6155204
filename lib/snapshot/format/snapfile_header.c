/* The header of a snapshot file, in its page 0 (nub-snapshot(5), HEADER). */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "nub/snapshot.h"
#include "snapshot/format/snapfile_parts.h"

/* The oldest version whose readers can read what is written here. */
#define COMPATIBLE_VERSION 1

#define ARCHITECTURE_X86_64 62u /* EM_X86_64 */

enum { MAGIC_SIZE = sizeof(NUB_SNAPSHOT_MAGIC) - 1, HASH_SIZE = sizeof(struct nub_hash), RESERVED_SIZE = 168 };
enum { SEALED_SIZE = NUB_SNAPSHOT_HEADER_SIZE - HASH_SIZE };
_Static_assert(72 + RESERVED_SIZE == SEALED_SIZE, "the fields fill the header: see nub-snapshot(5)");

static void put(uint8_t *bytes, size_t *offset, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		bytes[(*offset)++] = (uint8_t)(value >> 8 * i);
}

void nub_snapshot_encode_header(const uint8_t *metadata, size_t metadata_size, uint64_t metadata_offset,
                                uint64_t file_size, uint8_t out[NUB_SNAPSHOT_HEADER_SIZE])
{
	const struct nub_hash metadata_hash = nub_hash_bytes(metadata, metadata_size);
	size_t offset = MAGIC_SIZE;

	memset(out, 0, NUB_SNAPSHOT_HEADER_SIZE);
	memcpy(out, NUB_SNAPSHOT_MAGIC, MAGIC_SIZE);
	put(out, &offset, 4, NUB_SNAPSHOT_VERSION);
	put(out, &offset, 4, COMPATIBLE_VERSION);
	put(out, &offset, 4, NUB_SNAPSHOT_HEADER_SIZE);
	put(out, &offset, 4, ARCHITECTURE_X86_64);
	put(out, &offset, 4, NUB_PAGE_SIZE);
	put(out, &offset, 4, 0);
	put(out, &offset, 8, metadata_offset);
	put(out, &offset, 8, metadata_size);
	put(out, &offset, 8, file_size);
	memcpy(out + offset, metadata_hash.bytes, HASH_SIZE);
	const struct nub_hash seal = nub_hash_bytes(out, SEALED_SIZE);
	memcpy(out + SEALED_SIZE, seal.bytes, HASH_SIZE);
}

/* Where a version that isn't known has its seal isn't known either, so the version comes first. */
static int check_version(uint32_t version, uint32_t compatible, struct nub_error *err)
{
	if (compatible > NUB_SNAPSHOT_VERSION) {
		nub_fail(err, NUB_E_SNAPSHOT_VERSION, 0,
		         "the snapshot has format version %u, which needs a reader of version %u, this libnub reads %u",
		         version, compatible, NUB_SNAPSHOT_VERSION);
		return nub_hint(err, "restore it with the version that took it, or a later one");
	}
	if (compatible == 0)
		return nub_field_fail(err, "header.compatible", compatible, "at least 1");
	if (version < compatible)
		return nub_field_fail(err, "header.version", version, "at least header.compatible, 0x%x", compatible);
	return 0;
}

static int check_seal(const uint8_t *bytes, struct nub_error *err)
{
	const struct nub_hash seal = nub_hash_bytes(bytes, SEALED_SIZE);

	if (memcmp(bytes + SEALED_SIZE, seal.bytes, HASH_SIZE) == 0)
		return 0;
	return nub_fail(err, NUB_E_SNAPSHOT_CORRUPT, 0,
	                "the snapshot's header does not match its seal (0x%02x%02x..., found 0x%02x%02x...)",
	                bytes[SEALED_SIZE], bytes[SEALED_SIZE + 1], seal.bytes[0], seal.bytes[1]);
}

static int check_places(const struct nub_snapshot_header *header, struct nub_error *err)
{
	const uint64_t most = NUB_SNAPSHOT_MAX_IMAGE_END;
	uint64_t padded;

	if (!nub_page_aligned(header->metadata_offset) || header->metadata_offset < NUB_BASE_ADDRESS ||
	    header->metadata_offset > most)
		return nub_field_fail(err, "header.metadata_offset", header->metadata_offset,
		                      "a multiple of 0x1000, from 0x1000 to 0x%" PRIx64, most);
	if (header->metadata_size % NUB_SECTION_ALIGNMENT != 0 || header->metadata_size == 0 ||
	    header->metadata_size > NUB_SNAPSHOT_MAX_METADATA)
		return nub_field_fail(err, "header.metadata_size", header->metadata_size,
		                      "a multiple of 8, from 8 to 0x%x", NUB_SNAPSHOT_MAX_METADATA);
	const uint64_t end = header->metadata_offset + header->metadata_size;
	if (!nub_page_up(end, &padded) || (header->file_size != end && header->file_size != padded))
		return nub_field_fail(err, "header.file_size", header->file_size, "0x%" PRIx64 " or 0x%" PRIx64, end,
		                      padded);
	return 0;
}

static int check_constant(const char *field, uint64_t value, uint64_t expected, struct nub_error *err)
{
	return value == expected ? 0 : nub_field_fail(err, field, value, "0x%" PRIx64, expected);
}

/* Everything after the version, under a seal that is right. */
static int read_fields(struct nub_cursor *cursor, struct nub_snapshot_header *header, struct nub_error *err)
{
	const struct nub_codec codec = { .in = cursor };
	const uint32_t header_size = nub_cursor_u32(cursor, "header.header_size");
	const uint32_t architecture = nub_cursor_u32(cursor, "header.architecture");
	const uint32_t page_size = nub_cursor_u32(cursor, "header.page_size");

	if (check_constant("header.header_size", header_size, NUB_SNAPSHOT_HEADER_SIZE, err) < 0 ||
	    check_constant("header.page_size", page_size, NUB_PAGE_SIZE, err) < 0)
		return -1;
	if (architecture != ARCHITECTURE_X86_64)
		return nub_field_fail(err, "header.architecture", architecture, "0x%x (x86-64), the one that runs here",
		                      ARCHITECTURE_X86_64);
	nub_code_reserved(&codec, "header", 4);
	header->metadata_offset = nub_cursor_u64(cursor, "header.metadata_offset");
	header->metadata_size = nub_cursor_u64(cursor, "header.metadata_size");
	header->file_size = nub_cursor_u64(cursor, "header.file_size");
	nub_code_bytes(&codec, "header.metadata_hash", header->metadata_hash.bytes, HASH_SIZE);
	nub_code_reserved(&codec, "header", RESERVED_SIZE);
	return cursor->failed ? -1 : check_places(header, err);
}

static int decode(const uint8_t *bytes, size_t size, struct nub_snapshot_header *header, struct nub_error *err)
{
	struct nub_cursor cursor = {
		.bytes = bytes, .size = size, .whole = "the file", .kind = NUB_E_SNAPSHOT_TRUNCATED, .err = err
	};
	const size_t magic_size = size < MAGIC_SIZE ? size : MAGIC_SIZE;

	*header = (struct nub_snapshot_header){ 0 };
	if (magic_size == 0 || memcmp(bytes, NUB_SNAPSHOT_MAGIC, magic_size) != 0)
		return nub_fail(err, NUB_E_SNAPSHOT_MAGIC, 0, "it is no snapshot: its first bytes are not 'nubsnap'");
	if (size < NUB_SNAPSHOT_HEADER_SIZE)
		return nub_fail(err, NUB_E_SNAPSHOT_TRUNCATED, 0,
		                "the snapshot ends at %zu bytes, inside its header (%u)", size,
		                NUB_SNAPSHOT_HEADER_SIZE);
	nub_cursor_take(&cursor, "header.magic", MAGIC_SIZE);
	header->version = nub_cursor_u32(&cursor, "header.version");
	const uint32_t compatible = nub_cursor_u32(&cursor, "header.compatible");
	if (check_version(header->version, compatible, err) < 0 || check_seal(bytes, err) < 0)
		return -1;
	return read_fields(&cursor, header, err);
}

int nub_snapshot_decode_header(const uint8_t *bytes, size_t size, struct nub_snapshot_header *header,
                               struct nub_error *err)
{
	return decode(bytes, size, header, err) < 0 ? nub_snapshot_hint(err) : 0;
}

int nub_snapshot_check_file_size(const struct nub_snapshot_header *header, uint64_t file_size, struct nub_error *err)
{
	if (file_size >= header->file_size)
		return 0;
	nub_fail(err, NUB_E_SNAPSHOT_TRUNCATED, 0, "the snapshot ends at %" PRIu64 " bytes, its header says %" PRIu64,
	         file_size, header->file_size);
	return nub_snapshot_hint(err);
}
