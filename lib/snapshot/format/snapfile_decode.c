/* Reading a snapshot's metadata: the seal, the row of sections, then the checks. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/format/snapfile_parts.h"

/* One section's head, and where its payload is. */
struct section {
	uint32_t type, flags;
	uint64_t size;
	size_t start;
};

static int read_head(struct nub_cursor *cursor, struct section *section)
{
	section->type = nub_cursor_u32(cursor, "a section's type");
	section->flags = nub_cursor_u32(cursor, "a section's flags");
	section->size = nub_cursor_u64(cursor, "a section's size");
	section->start = cursor->offset;
	if (!nub_cursor_take(cursor, "a section's payload", section->size))
		return -1;
	const struct nub_codec codec = { .in = cursor };
	nub_code_reserved(&codec, "a section's end", -section->size % NUB_SECTION_ALIGNMENT);
	return cursor->failed ? -1 : 0;
}

/* A known section: its payload is all fields, and its fields are all payload. */
static int read_known(const struct nub_cursor *metadata, const struct section *section, struct nub_snapshot_meta *meta,
                      struct nub_error *err)
{
	char whole[32] = "section ";
	const char *name = nub_section_name(section->type);
	struct nub_cursor payload = *metadata;
	const struct nub_codec codec = { .in = &payload };

	if (section->flags != nub_section_flags(section->type))
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0, "section %s has flags 0x%x, they must be 0x%x", name,
		                section->flags, nub_section_flags(section->type));
	strncat(whole, name, sizeof(whole) - strlen(whole) - 1);
	payload.whole = whole;
	payload.offset = section->start;
	payload.size = section->start + section->size;
	nub_section_code(section->type, &codec, meta);
	if (payload.failed)
		return -1;
	if (payload.offset != payload.size)
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
		                "section %s has a size of 0x%" PRIx64 ", it must be 0x%zx for what it holds", name,
		                section->size, payload.offset - section->start);
	return 0;
}

static int skip_unknown(const struct section *section, struct nub_error *err)
{
	if (section->type == 0)
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0, "a section has type 0, it must be at least 1");
	if (section->flags & ~NUB_SECTION_CRITICAL)
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
		                "a section of type %u has flags 0x%x, they must be 0 or 1", section->type,
		                section->flags);
	if (section->flags & NUB_SECTION_CRITICAL)
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
		                "a section of type %u is critical, this libnub knows types 1 to %u", section->type,
		                NUB_SECTION_LAST);
	return 0;
}

static int read_sections(struct nub_cursor *cursor, struct nub_snapshot_meta *meta, bool present[],
                         struct nub_error *err)
{
	uint32_t last = 0;

	while (cursor->offset < cursor->size) {
		struct section section;
		if (read_head(cursor, &section) < 0)
			return -1;
		if (section.type <= last && section.type != 0)
			return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
			                "a section of type %u follows one of type %u, types must ascend", section.type,
			                last);
		last = section.type;
		if (section.type == 0 || section.type > NUB_SECTION_LAST) {
			if (skip_unknown(&section, err) < 0)
				return -1;
			continue;
		}
		present[section.type] = true;
		if (read_known(cursor, &section, meta, err) < 0)
			return -1;
	}
	return 0;
}

static int check_sections(const struct nub_snapshot_meta *meta, const bool present[], struct nub_error *err)
{
	for (enum nub_section_type type = NUB_SECTION_IDENTITY; type <= NUB_SECTION_LAST; type++) {
		const bool needed = nub_section_present(type, meta);
		if (present[type] && !needed && type == NUB_SECTION_WORKING_SET)
			return nub_field_fail(err, "working_set.count", 0, "1 to 0x%x", NUB_WORKING_SET_MAX_RUNS);
		if (present[type] != needed)
			return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0, "section %s is %s, with %s 0x%x it must %s",
			                nub_section_name(type), present[type] ? "there" : "missing",
			                type == NUB_SECTION_LINUX ? "guest.abi_version" : "next.action",
			                type == NUB_SECTION_LINUX ? meta->abi_version : (unsigned)meta->next,
			                needed ? "be there" : "not be");
	}
	return 0;
}

static int decode(const struct nub_snapshot_header *header, const uint8_t *bytes, size_t size,
                  struct nub_snapshot_meta *meta, struct nub_error *err)
{
	bool present[NUB_SECTION_LAST + 1] = { false };

	if (size < header->metadata_size)
		return nub_fail(err, NUB_E_SNAPSHOT_TRUNCATED, 0,
		                "the metadata ends at %zu bytes, the header says %" PRIu64, size,
		                header->metadata_size);
	struct nub_cursor cursor = { .bytes = bytes,
		                     .size = header->metadata_size,
		                     .whole = "the metadata",
		                     .kind = NUB_E_SNAPSHOT_TRUNCATED,
		                     .err = err };
	const struct nub_hash seal = nub_hash_bytes(bytes, cursor.size);
	if (!nub_hash_equal(&seal, &header->metadata_hash))
		return nub_fail(err, NUB_E_SNAPSHOT_CORRUPT, 0,
		                "the snapshot's metadata does not match its seal (0x%02x%02x..., found 0x%02x%02x...)",
		                header->metadata_hash.bytes[0], header->metadata_hash.bytes[1], seal.bytes[0],
		                seal.bytes[1]);
	if (read_sections(&cursor, meta, present, err) < 0 || check_sections(meta, present, err) < 0)
		return -1;
	meta->layout.image_base = meta->image_base;
	nub_snapshot_derive_layout(&meta->layout, &meta->image_end_gpa);
	if (nub_snapshot_check(meta, err) < 0)
		return -1;
	if (header->metadata_offset != meta->image_end_gpa)
		return nub_field_fail(err, "header.metadata_offset", header->metadata_offset,
		                      "0x%" PRIx64 ", the end of the memory", meta->image_end_gpa);
	return 0;
}

int nub_snapshot_hint(struct nub_error *err)
{
	if (!err || err->hint[0] != '\0')
		return -1;
	if (err->kind == NUB_E_SNAPSHOT_FIELD)
		return nub_hint(err,
		                "whatever wrote the file does not keep to nub-snapshot(5); take the snapshot again");
	if (err->kind == NUB_E_SNAPSHOT_TRUNCATED || err->kind == NUB_E_SNAPSHOT_CORRUPT)
		return nub_hint(err, "copy the file again, or take the snapshot again");
	return -1;
}

int nub_snapshot_decode_meta(const struct nub_snapshot_header *header, const uint8_t *bytes, size_t size,
                             struct nub_snapshot_meta *meta, struct nub_error *err)
{
	memset(meta, 0, sizeof(*meta));
	meta->format_version = header->version;
	return decode(header, bytes, size, meta, err) < 0 ? nub_snapshot_hint(err) : 0;
}

void nub_working_set_release(struct nub_working_set *set)
{
	free(set->runs);
	*set = (struct nub_working_set){ 0 };
}

void nub_snapshot_meta_release(struct nub_snapshot_meta *meta)
{
	free(meta->guest_path);
	free(meta->functions);
	for (uint32_t i = 0; meta->host_functions && i < meta->host_function_count; i++)
		free(meta->host_functions[i]);
	free(meta->host_functions);
	free(meta->regions);
	free(meta->base_name);
	free(meta->program);
	for (uint32_t i = 0; meta->items && i < meta->item_count; i++)
		free((char *)(uintptr_t)meta->items[i].text);
	free(meta->items);
	free(meta->runs);
	nub_working_set_release(&meta->working_set);
	memset(meta, 0, sizeof(*meta));
}
