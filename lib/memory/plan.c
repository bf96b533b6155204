/* Plans of guest memory: sizes and an image in, regions out. */
#include "memory/plan.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "elf/elf_image.h"
#include "memory/address_space.h"

/* Its size in whole pages. */
static int check_map_size(const struct nub_file_map *map, uint64_t *size, struct nub_error *err)
{
	const char *label = map->label ? map->label : "";

	if (map->size == 0)
		return nub_fail(err, NUB_E_SIZE, 0, "mapped file '%s': it is empty, there is nothing to map", label);
	if (!nub_page_up(map->size, size) || *size > NUB_MAX_MEMORY_SIZE) {
		nub_fail(err, NUB_E_MEMORY_TOO_BIG, 0,
		         "mapped file '%s': memory request too big: %" PRIu64 " bytes, the limit is %" PRIu64, label,
		         map->size, (uint64_t)NUB_MAX_MEMORY_SIZE);
		return nub_parameter(err, "maps", 0);
	}
	return 0;
}

/* Mapped files get guest-physical addresses one after the other, congruent with their gva modulo 2 MiB, so that large
 * leaves fit. */
static int place_map(struct nub_plan *plan, const struct nub_file_map *map, uint64_t *next_gpa, struct nub_error *err)
{
	const char *label = map->label ? map->label : "";
	uint64_t size, end;

	if (strlen(label) > NUB_FILE_MAPPING_LABEL_MAX) {
		nub_fail(err, NUB_E_MAP_LABEL, 0, "mapped file '%s': its label has %zu bytes, at most %d are kept",
		         label, strlen(label), NUB_FILE_MAPPING_LABEL_MAX);
		return nub_parameter(err, "label", 0);
	}
	if (check_map_size(map, &size, err) < 0)
		return -1;
	if (!nub_page_aligned(map->gva) || map->gva == 0) {
		nub_fail(err, NUB_E_MAP_ADDRESS, 0,
		         "mapped file '%s': address 0x%" PRIx64 " is not a multiple of 4096 above 0", label, map->gva);
		return nub_parameter(err, "gva", 0);
	}
	if (__builtin_add_overflow(map->gva, size, &end) || end > NUB_USER_GVA_END) {
		nub_fail(err, NUB_E_MAP_ADDRESS, 0,
		         "mapped file '%s': 0x%" PRIx64 " to 0x%" PRIx64
		         " reaches over the end of the guest's half, 0x%" PRIx64,
		         label, map->gva, end, (uint64_t)NUB_USER_GVA_END);
		return nub_parameter(err, "gva", 0);
	}
	uint64_t gpa = *next_gpa + ((map->gva - *next_gpa) & (NUB_LARGE_PAGE_SIZE - 1));
	if (!nub_range_in(gpa, size, NUB_MAP_GPA_END)) {
		nub_fail(err, NUB_E_MEMORY_TOO_BIG, 0,
		         "mapped file '%s': all mapped files together are over the limit of %" PRIu64 " bytes", label,
		         (uint64_t)(NUB_MAP_GPA_END - NUB_MAP_GPA_BASE));
		return nub_parameter(err, "maps", 0);
	}
	plan->maps[plan->map_count++] = (struct nub_region){
		.type = NUB_REGION_MAPPED_FILE, .flags = NUB_REGION_READ, .gpa = gpa, .gva = map->gva, .size = size
	};
	*next_gpa = gpa + size;
	return 0;
}

static int check_map_free(const struct nub_plan *plan, size_t index, const char *label, struct nub_error *err)
{
	const struct nub_region *map = &plan->maps[index], scratch = nub_layout_scratch_region(&plan->layout);
	const size_t known = plan->regions.count + index;

	for (size_t i = 0; i <= known; i++) {
		const struct nub_region *other = i == known                ? &scratch
		                                 : i < plan->regions.count ? &plan->regions.items[i]
		                                                           : &plan->maps[i - plan->regions.count];
		if (other->gva == 0 || !nub_ranges_overlap(map->gva, map->size, other->gva, other->size))
			continue;
		nub_fail(err, NUB_E_MAP_ADDRESS, 0,
		         "mapped file '%s': 0x%" PRIx64 " to 0x%" PRIx64 " is taken: %s lies at 0x%" PRIx64
		         " to 0x%" PRIx64,
		         label, map->gva, map->gva + map->size, nub_region_type_name(other->type), other->gva,
		         other->gva + other->size);
		return nub_parameter(err, "gva", 0);
	}
	return 0;
}

static int place_maps(struct nub_plan *plan, const struct nub_config *config, struct nub_error *err)
{
	uint64_t next_gpa = NUB_MAP_GPA_BASE;

	for (size_t i = 0; i < config->map_count; i++) {
		const char *label = config->maps[i].label ? config->maps[i].label : "";
		if (place_map(plan, &config->maps[i], &next_gpa, err) < 0 || check_map_free(plan, i, label, err) < 0)
			return -1;
	}
	return 0;
}

int nub_plan_init(struct nub_plan *plan, const struct nub_config *config, const struct nub_image *image,
                  struct nub_error *err)
{
	const struct nub_image_info *info = nub_image_info(image);
	struct nub_layout_sizes sizes = {
		.image_base = info->image_base,
		.image_size = info->image_size,
		.heap_size = config->heap_size,
		.init_data_size = config->init_data_size,
		.stack_size = config->stack_size,
		.input_size = config->input_size,
		.output_size = config->output_size,
		.scratch_size = config->scratch_size,
		.cow = config->cow,
		.engine = config->engine,
		.map_count = (unsigned)config->map_count,
	};
	const struct nub_region_options options = {
		.segments = info->segments,
		.segment_count = info->segment_count,
		.executable_heap = config->executable_heap,
		.init_data_flags = config->init_data_flags,
	};

	memset(plan, 0, sizeof(*plan));
	if (config->map_count > NUB_MAX_FILE_MAPPINGS) {
		nub_fail(err, NUB_E_MAP_LIMIT, 0, "file mapping limit reached (%zu of %d)", config->map_count,
		         NUB_MAX_FILE_MAPPINGS);
		return nub_parameter(err, "maps", 0);
	}
	if (!config->allow_wx && nub_image_check_wx(image, err) < 0)
		return -1;
	for (size_t i = 0; i < config->map_count; i++) {
		uint64_t size;
		if (check_map_size(&config->maps[i], &size, err) < 0)
			return -1;
		sizes.mapped_size += size;
	}
	if (nub_layout_init(&plan->layout, &sizes, err) < 0 ||
	    nub_layout_regions(&plan->layout, &options, &plan->regions, err) < 0)
		return -1;
	return place_maps(plan, config, err);
}

void nub_plan_release(struct nub_plan *plan)
{
	nub_region_list_release(&plan->regions);
}

int nub_plan_tables(struct nub_plan *plan, unsigned privilege_level, struct nub_pt_builder *tables,
                    struct nub_error *err)
{
	if (nub_pt_init(tables, plan->layout.page_table_gpa, err) < 0 ||
	    nub_address_space_build(tables, &plan->layout, plan->regions.items, plan->regions.count, plan->maps,
	                            plan->map_count, privilege_level, err) < 0)
		return -1;
	if (privilege_level == 0 && nub_address_space_map_tables(tables, &tables->root_gpa, 1, err) < 0)
		return -1;
	return nub_layout_set_page_tables(&plan->layout, tables->size, err);
}

struct nub_region *nub_plan_list(const struct nub_plan *plan, size_t *count, struct nub_error *err)
{
	const struct nub_layout *layout = &plan->layout;
	const uint64_t scratch_gpa = nub_layout_scratch_gpa(layout), scratch_gva = nub_layout_scratch_gva(layout);
	struct nub_region *all = calloc(plan->regions.count + plan->map_count + 3, sizeof(*all));
	uint64_t rings;
	size_t n = 0;

	if (!all) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu regions", plan->regions.count + plan->map_count + 3);
		return NULL;
	}
	for (size_t i = 0; i < plan->regions.count; i++)
		all[n++] = plan->regions.items[i];
	if (layout->cow == NUB_COW_HOST)
		all[n++] = (struct nub_region){ .type = NUB_REGION_PAGE_TABLES,
			                        .gpa = layout->page_table_gpa,
			                        .size = layout->page_table_size };
	for (size_t i = 0; i < plan->map_count; i++)
		all[n++] = plan->maps[i];
	nub_page_up(layout->input_size + layout->output_size, &rings);
	all[n++] = (struct nub_region){ .type = NUB_REGION_SCRATCH,
		                        .flags = NUB_REGION_READ | NUB_REGION_WRITE,
		                        .gpa = scratch_gpa,
		                        .gva = scratch_gva,
		                        .size = rings };
	all[n++] = (struct nub_region){ .type = NUB_REGION_SCRATCH,
		                        .gpa = scratch_gpa + rings,
		                        .gva = scratch_gva + rings,
		                        .size = layout->scratch_size - rings };
	*count = n;
	return all;
}

struct nub_region *nub_plan_regions(const struct nub_config *config, const struct nub_image *image, size_t *count,
                                    struct nub_error *err)
{
	struct nub_pt_builder tables = { 0 };
	struct nub_region *regions = NULL;
	struct nub_plan plan;

	if (nub_plan_init(&plan, config, image, err) == 0 &&
	    nub_plan_tables(&plan, nub_image_info(image)->privilege_level, &tables, err) == 0)
		regions = nub_plan_list(&plan, count, err);
	nub_pt_release(&tables);
	nub_plan_release(&plan);
	return regions;
}
