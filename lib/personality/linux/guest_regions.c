/* A program's areas as regions, for those who explain its memory. */
#include <stdlib.h>

#include "base/error.h"
#include "personality/linux/guest.h"
#include "personality/linux/mm_parts.h"

/* As many as a snapshot holds: of more, the rest stays without a name. */
enum { MOST_REGIONS = 4096 };

static unsigned flags_of(const struct nub_linux_area *area)
{
	return (area->prot & PROT_READ ? NUB_REGION_READ : 0u) | (area->prot & PROT_WRITE ? NUB_REGION_WRITE : 0u) |
	       (area->prot & PROT_EXEC ? NUB_REGION_EXECUTE : 0u);
}

static enum nub_region_type type_of(const struct nub_image_info *info, const struct nub_linux_area *area)
{
	if (area->start >= info->image_base && area->start - info->image_base < info->image_size)
		return NUB_REGION_CODE;
	if (area->backing)
		return NUB_REGION_MAPPED_FILE;
	if (area->name == nub_linux_name_stack)
		return NUB_REGION_STACK;
	if (area->prot == PROT_NONE)
		return NUB_REGION_GUARD;
	return area->prot & PROT_EXEC ? NUB_REGION_CODE : NUB_REGION_HEAP;
}

int nub_linux_guest_regions(struct nub_personality *personality, struct nub_error *err)
{
	const struct nub_linux *linux = nub_linux_guest_of(personality)->linux;
	struct nub_region_list *list = &personality->machine->plan.regions;
	size_t count = 0;
	const struct nub_linux_area *areas = linux ? nub_linux_areas(linux, &count) : NULL;
	struct nub_region *items;

	count = count < MOST_REGIONS ? count : MOST_REGIONS;
	items = calloc(count + 1, sizeof(*items));
	if (!items)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu regions", count);
	for (size_t i = 0; i < count; i++)
		items[i] = (struct nub_region){ .type = type_of(personality->machine->guest, &areas[i]),
			                        .flags = flags_of(&areas[i]),
			                        .gva = areas[i].start,
			                        .size = areas[i].end - areas[i].start };
	free(list->items);
	*list = (struct nub_region_list){ .items = items, .count = count, .capacity = count + 1 };
	return 0;
}

const char *nub_linux_guest_region_name(const struct nub_personality *personality, size_t index)
{
	const struct nub_linux *linux = ((const struct nub_linux_guest *)personality)->linux;
	size_t count = 0;
	const struct nub_linux_area *areas = linux ? nub_linux_areas(linux, &count) : NULL;

	if (index >= count)
		return NULL;
	return areas[index].backing && areas[index].backing->path ? areas[index].backing->path : areas[index].name;
}
