/* Writing the PEB and its file-mapping array into the guest's memory, bounds-checked (R13, R14). */
#include "personality/nub/peb.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"

/* Where [gpa, gpa + length) lies in the image; NULL and INTERNAL when it is not all in there. */
static uint8_t *locate(uint8_t *image, uint64_t size, uint64_t gpa, uint64_t length, struct nub_error *err)
{
	uint64_t offset = gpa - NUB_BASE_ADDRESS;

	if (nub_range_in(offset, length, size))
		return image + offset;
	nub_fail(err, NUB_E_INTERNAL, 0,
	         "the PEB write at offset %" PRIu64 " of %" PRIu64 " bytes does not fit in %" PRIu64, offset, length,
	         size);
	return NULL;
}

static uint64_t mapping_gpa(const struct nub_layout *layout, uint64_t index)
{
	return layout->peb_gpa + sizeof(struct nub_peb) + index * sizeof(struct nub_file_mapping);
}

int nub_peb_write(const struct nub_layout *layout, uint8_t *image, uint64_t size, struct nub_error *err)
{
	uint64_t scratch_gva = nub_layout_scratch_gva(layout);
	uint8_t *place = locate(image, size, layout->peb_gpa, sizeof(struct nub_peb), err);
	struct nub_peb peb = {
		.input = { layout->input_size, scratch_gva },
		.output = { layout->output_size, scratch_gva + layout->input_size },
		.heap = { layout->heap_size, nub_layout_data_gva(layout->heap_gpa) },
		.file_mappings = { 0, nub_layout_code_gva(layout, mapping_gpa(layout, 0)) },
	};

	if (!place)
		return -1;
	if (layout->init_data_bytes != 0)
		peb.init_data =
		    (struct nub_peb_range){ layout->init_data_bytes, nub_layout_data_gva(layout->init_data_gpa) };
	memcpy(place, &peb, sizeof(peb));
	return 0;
}

int nub_peb_add_file(const struct nub_layout *layout, uint8_t *image, uint64_t size, uint64_t gva, uint64_t bytes,
                     const char *label, struct nub_error *err)
{
	uint8_t *place = locate(image, size, layout->peb_gpa, sizeof(struct nub_peb), err);
	struct nub_file_mapping mapping = { .gva = gva, .size = bytes };
	size_t label_size = strlen(label);
	struct nub_peb peb;
	uint8_t *entry;

	if (!place)
		return -1;
	memcpy(&peb, place, sizeof(peb));
	if (peb.file_mappings.size >= NUB_MAX_FILE_MAPPINGS) {
		nub_fail(err, NUB_E_MAP_LIMIT, 0, "file mapping limit reached (%" PRIu64 " of %d)",
		         peb.file_mappings.size, NUB_MAX_FILE_MAPPINGS);
		return nub_parameter(err, "maps", 0);
	}
	if (label_size > NUB_FILE_MAPPING_LABEL_MAX) {
		nub_fail(err, NUB_E_MAP_LABEL, 0, "mapped file '%s': its label has %zu bytes, at most %d fit", label,
		         label_size, NUB_FILE_MAPPING_LABEL_MAX);
		return nub_parameter(err, "label", 0);
	}
	memcpy(mapping.label, label, label_size);
	entry = locate(image, size, mapping_gpa(layout, peb.file_mappings.size), sizeof(mapping), err);
	if (!entry)
		return -1;
	/* The count makes the entry exist, so it comes second. */
	memcpy(entry, &mapping, sizeof(mapping));
	peb.file_mappings.size++;
	memcpy(place, &peb, sizeof(peb));
	return 0;
}
