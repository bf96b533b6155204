/* Mapping what a layout says: which region gets which leaves, and who may touch them. */
#include "memory/address_space.h"

#include <inttypes.h>

#include "base/error.h"

static int map(struct nub_pt_builder *builder, const struct nub_mapping *mapping, const char *what,
               struct nub_error *err)
{
	if (nub_pt_map(builder, mapping, err) == 0)
		return 0;
	return nub_error_context(err, "the page tables of the %s region at 0x%" PRIx64, what, mapping->gva);
}

static int map_regions(struct nub_pt_builder *builder, enum nub_cow cow, const struct nub_region *regions, size_t count,
                       bool user, struct nub_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct nub_region *region = &regions[i];
		bool writable = (region->flags & NUB_REGION_WRITE) != 0;
		struct nub_mapping mapping = {
			.gva = region->gva,
			.gpa = region->gpa,
			.size = region->size,
			.kind = writable ? NUB_MAPPING_COW : NUB_MAPPING_BASIC,
			.readable = true,
			/* With cow=guest the first write must fault, so that the monitor can copy the page. */
			.writable = writable && cow == NUB_COW_HOST,
			.executable = (region->flags & NUB_REGION_EXECUTE) != 0,
			.user = user,
		};

		if (region->gva == 0 || region->flags == NUB_REGION_NONE)
			continue;
		if (map(builder, &mapping, nub_region_type_name(region->type), err) < 0)
			return -1;
	}
	return 0;
}

static int map_scratch_page(struct nub_pt_builder *builder, unsigned page, bool executable, struct nub_error *err)
{
	const struct nub_mapping mapping = {
		.gva = nub_layout_scratch_page_gva(page),
		.gpa = nub_layout_scratch_page_gpa(page),
		.size = NUB_PAGE_SIZE,
		.readable = true,
		.writable = !executable,
		.executable = executable,
	};

	return map(builder, &mapping, "Scratch", err);
}

/* The pages at the top, but for the guards between the stacks. */
static int map_fixed_pages(struct nub_pt_builder *builder, struct nub_error *err)
{
	static const unsigned data_pages[] = {
		NUB_SCRATCH_PAGE_METADATA,
		NUB_SCRATCH_PAGE_FAULT_STACK,
		NUB_SCRATCH_PAGE_DOUBLE_FAULT_STACK,
		NUB_SCRATCH_PAGE_CPU_TABLES,
	};

	for (size_t i = 0; i < sizeof(data_pages) / sizeof(data_pages[0]); i++)
		if (map_scratch_page(builder, data_pages[i], false, err) < 0)
			return -1;
	return map_scratch_page(builder, NUB_SCRATCH_PAGE_MONITOR, true, err);
}

int nub_address_space_map_scratch(struct nub_pt_builder *builder, const struct nub_layout *layout,
                                  unsigned privilege_level, struct nub_error *err)
{
	uint64_t rings = nub_layout_rings_size(layout);
	struct nub_mapping mapping = {
		.gva = nub_layout_scratch_gva(layout),
		.gpa = nub_layout_scratch_gpa(layout),
		.size = rings,
		.readable = true,
		.writable = true,
		.user = privilege_level == 3,
	};

	if (map(builder, &mapping, "Scratch", err) < 0)
		return -1;
	/* The page tables' copy and the free pages after it: the monitor's, whatever share each gets. */
	mapping.gva += rings;
	mapping.gpa += rings;
	mapping.size = layout->scratch_size - rings - NUB_SCRATCH_FIXED_PAGES * NUB_PAGE_SIZE;
	mapping.user = false;
	if (map(builder, &mapping, "Scratch", err) < 0)
		return -1;
	/* The monitor's; a process has none. */
	return layout->engine == NUB_ENGINE_KVM ? map_fixed_pages(builder, err) : 0;
}

int nub_address_space_map_tables(struct nub_pt_builder *builder, const uint64_t *roots, unsigned root_count,
                                 struct nub_error *err)
{
	/* Each root needs a PDPT, a PD, and a PT for every 512 tables, these new ones included. */
	const uint64_t tables = builder->size / NUB_PAGE_SIZE;
	const uint64_t per_root = 3 + (tables + 8 * (uint64_t)root_count) / (NUB_PT_ENTRIES / 2);
	const uint64_t size = builder->size + root_count * per_root * NUB_PAGE_SIZE;
	const struct nub_mapping mapping = {
		.gva = NUB_PAGE_TABLES_GVA,
		.gpa = builder->base_gpa,
		.size = size,
		.readable = true,
		.writable = true,
	};

	for (unsigned i = 0; i < root_count; i++) {
		builder->root_gpa = roots[i];
		if (map(builder, &mapping, "PageTables", err) < 0)
			return -1;
	}
	builder->root_gpa = roots[0];
	/* The mapping is as long as was reckoned. */
	while (builder->size < size)
		if (nub_pt_alloc(builder, err) == 0)
			return -1;
	if (builder->size > size)
		return nub_fail(err, NUB_E_INTERNAL, 0, "page tables: %" PRIu64 " bytes, %" PRIu64 " were reckoned",
		                builder->size, size);
	return 0;
}

int nub_address_space_build(struct nub_pt_builder *builder, const struct nub_layout *layout,
                            const struct nub_region *regions, size_t region_count, const struct nub_region *maps,
                            size_t map_count, unsigned privilege_level, struct nub_error *err)
{
	bool user = privilege_level == 3;

	if (map_regions(builder, layout->cow, regions, region_count, user, err) < 0 ||
	    map_regions(builder, layout->cow, maps, map_count, user, err) < 0)
		return -1;
	return nub_address_space_map_scratch(builder, layout, privilege_level, err);
}

int nub_address_space_map_editable(struct nub_pt_builder *builder, const struct nub_layout *layout, uint64_t tables_gpa,
                                   uint64_t tables_size, struct nub_error *err)
{
	struct nub_mapping mapping = {
		.gva = nub_layout_scratch_gva(layout),
		.gpa = nub_layout_scratch_gpa(layout),
		.size = NUB_PAGE_SIZE,
		.readable = true,
		.executable = true,
		.user = true,
	};

	if (map(builder, &mapping, "Scratch", err) < 0)
		return -1;
	mapping.gva += NUB_PAGE_SIZE;
	mapping.gpa += NUB_PAGE_SIZE;
	mapping.size = layout->scratch_size - NUB_PAGE_SIZE - NUB_SCRATCH_FIXED_PAGES * NUB_PAGE_SIZE;
	mapping.executable = mapping.user = false;
	mapping.writable = true;
	if (map(builder, &mapping, "Scratch", err) < 0)
		return -1;
	mapping.gva = NUB_PAGE_TABLES_GVA + tables_gpa;
	mapping.gpa = tables_gpa;
	mapping.size = tables_size;
	if (map(builder, &mapping, "PageTables", err) < 0)
		return -1;
	return layout->engine == NUB_ENGINE_KVM ? map_fixed_pages(builder, err) : 0;
}
