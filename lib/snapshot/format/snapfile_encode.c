/* Writing a snapshot's metadata: check it, then one section after the other. */
#include "base/error.h"
#include "snapshot/format/snapfile_parts.h"

static void put_u64(uint8_t *bytes, uint64_t value)
{
	for (unsigned i = 0; i < sizeof(value); i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

/* The section's size is known when it has been written: it goes into the head afterwards. */
static void write_section(struct nub_writer *writer, enum nub_section_type type, struct nub_snapshot_meta *meta)
{
	const struct nub_codec codec = { .out = writer };

	nub_writer_uint(writer, sizeof(uint32_t), type);
	nub_writer_uint(writer, sizeof(uint32_t), nub_section_flags(type));
	nub_writer_uint(writer, sizeof(uint64_t), 0);
	const size_t start = writer->buffer->size;
	nub_section_code(type, &codec, meta);
	const size_t size = writer->buffer->size - start;
	if (!writer->failed)
		put_u64(writer->buffer->bytes + start - sizeof(uint64_t), size);
	nub_writer_zeros(writer, -size % NUB_SECTION_ALIGNMENT);
}

int nub_snapshot_encode_meta(const struct nub_snapshot_meta *meta, struct nub_buffer *out, struct nub_error *err)
{
	struct nub_writer writer = { .buffer = out, .err = err };
	const size_t start = out->size;
	struct nub_snapshot_meta kept = *meta; /* borrows the lists */

	nub_snapshot_drop_unkept(&kept);
	if (nub_snapshot_check(&kept, err) < 0)
		return nub_error_context(err, "a snapshot that could not be restored");
	for (enum nub_section_type type = NUB_SECTION_IDENTITY; type <= NUB_SECTION_LAST; type++)
		if (nub_section_present(type, &kept))
			write_section(&writer, type, &kept);
	if (writer.failed)
		return -1;
	if (out->size - start > NUB_SNAPSHOT_MAX_METADATA)
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0, "the snapshot's metadata has %zu bytes, the limit is %u",
		                out->size - start, NUB_SNAPSHOT_MAX_METADATA);
	return 0;
}
