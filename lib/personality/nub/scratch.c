/* The rings, and the metadata at the top of scratch. */
#include "personality/nub/scratch.h"

#include <string.h>

#include "personality/nub/ring.h"

uint8_t *nub_scratch_input(const struct nub_layout *layout, uint8_t *scratch)
{
	(void)layout;
	return scratch;
}

uint8_t *nub_scratch_output(const struct nub_layout *layout, uint8_t *scratch)
{
	return scratch + layout->input_size;
}

void nub_scratch_reset_rings(const struct nub_layout *layout, uint8_t *scratch)
{
	nub_ring_reset(nub_scratch_input(layout, scratch), layout->input_size);
	nub_ring_reset(nub_scratch_output(layout, scratch), layout->output_size);
}

void nub_scratch_write_metadata(const struct nub_layout *layout, uint8_t *scratch, uint64_t generation, uint64_t seed)
{
	const struct {
		unsigned offset;
		uint64_t value;
	} items[] = {
		{ NUB_SCRATCH_OFF_SIZE, layout->scratch_size },
		{ NUB_SCRATCH_OFF_ALLOCATOR, nub_layout_first_free_gpa(layout) },
		{ NUB_SCRATCH_OFF_PAGE_TABLES, layout->page_table_gpa },
		{ NUB_SCRATCH_OFF_GENERATION, generation },
		{ NUB_SCRATCH_OFF_SEED, seed },
	};

	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		memcpy(scratch + layout->scratch_size - items[i].offset, &items[i].value, sizeof(uint64_t));
}
