/* The hashes of a snapshot: of bytes, of memory, of the whole (nub-snapshot(5), HASHES). */
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* for the state on the stack */
#include <xxhash.h>

#include "base/error.h"
#include "snapshot/format/snapfile_parts.h"

struct nub_memory_hasher {
	XXH3_state_t *state;
};

static struct nub_hash canonical(XXH128_hash_t value)
{
	XXH128_canonical_t bytes;
	struct nub_hash hash;

	XXH128_canonicalFromHash(&bytes, value);
	_Static_assert(sizeof(bytes.digest) == sizeof(hash.bytes), "nub-snapshot(5): hashes are XXH3-128");
	memcpy(hash.bytes, bytes.digest, sizeof(hash.bytes));
	return hash;
}

static void put_u64(uint8_t *bytes, uint64_t value)
{
	for (unsigned i = 0; i < sizeof(value); i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

bool nub_hash_equal(const struct nub_hash *a, const struct nub_hash *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct nub_hash nub_hash_bytes(const void *bytes, size_t size)
{
	return canonical(XXH3_128bits(bytes, size));
}

struct nub_hash nub_snapshot_hash(const struct nub_snapshot_meta *meta)
{
	XXH3_state_t state;

	XXH3_INITSTATE(&state);
	XXH3_128bits_reset(&state);
	XXH3_128bits_update(&state, meta->memory_hash.bytes, sizeof(meta->memory_hash.bytes));
	for (uint32_t i = 0; i < meta->region_count; i++) {
		uint8_t item[24];
		put_u64(item, meta->regions[i].gva);
		put_u64(item + 8, meta->regions[i].size);
		put_u64(item + 16, meta->regions[i].flags);
		XXH3_128bits_update(&state, item, sizeof(item));
	}
	return canonical(XXH3_128bits_digest(&state));
}

struct nub_memory_hasher *nub_memory_hasher_create(struct nub_error *err)
{
	struct nub_memory_hasher *hasher = calloc(1, sizeof(*hasher));

	if (hasher)
		hasher->state = XXH3_createState();
	if (!hasher || !hasher->state) {
		free(hasher);
		nub_fail_errno(err, NUB_E_NO_MEMORY, "state of the memory hash");
		return NULL;
	}
	XXH3_128bits_reset(hasher->state);
	return hasher;
}

void nub_memory_hasher_free(struct nub_memory_hasher *hasher)
{
	if (!hasher)
		return;
	XXH3_freeState(hasher->state);
	free(hasher);
}

void nub_memory_hasher_page(struct nub_memory_hasher *hasher, uint64_t offset, const uint8_t *page)
{
	uint8_t place[8];

	if (nub_page_is_zero(page))
		return;
	put_u64(place, offset);
	XXH3_128bits_update(hasher->state, place, sizeof(place));
	XXH3_128bits_update(hasher->state, page, NUB_PAGE_SIZE);
}

struct nub_hash nub_memory_hasher_digest(const struct nub_memory_hasher *hasher)
{
	return canonical(XXH3_128bits_digest(hasher->state));
}

bool nub_page_is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, NUB_PAGE_SIZE - 1) == 0;
}
