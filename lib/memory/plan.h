/* From a configuration and an image to a memory plan: layout, regions, mapped files, each checked. Pure. */
#ifndef NUB_PLAN_H
#define NUB_PLAN_H

#include <stddef.h>

#include "abi/nub_abi.h"
#include "memory/layout.h"
#include "memory/region.h"
#include "nub/config.h"
#include "nub/error.h"
#include "nub/image.h"
#include "nub/region.h"
#include "paging/paging.h"

struct nub_plan {
	struct nub_layout layout;
	struct nub_region_list regions; /* of memslot 0 */
	struct nub_region maps[NUB_MAX_FILE_MAPPINGS];
	size_t map_count;
};

/* Errors: the layout's, ELF_WX, MAP_LIMIT, MAP_ADDRESS, MAP_LABEL. The plan is valid for nub_plan_release whatever
 * happens. */
int nub_plan_init(struct nub_plan *plan, const struct nub_config *config, const struct nub_image *image,
                  struct nub_error *err);
void nub_plan_release(struct nub_plan *plan);

/* Build the plan's page tables and tell its layout their size. *tables is valid for nub_pt_release whatever happens. */
int nub_plan_tables(struct nub_plan *plan, unsigned privilege_level, struct nub_pt_builder *tables,
                    struct nub_error *err);

/* Regions of memslot 0, the tables, the mapped files, and scratch: what the guest may use of it and what it may not. Frees
 * with free(). Error: NO_MEMORY. */
struct nub_region *nub_plan_list(const struct nub_plan *plan, size_t *count, struct nub_error *err);

#endif
