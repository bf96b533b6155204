/* The guest's first address space: page tables for every region of the layout, and for scratch. Pure.
 *
 *     region                                 leaf                   user (guests at CPL 3)
 *     code, PEB, heap, init data, stack      by the region's flags  yes
 *     mapped files                           by the region's flags  yes
 *     scratch: input and output buffer       RW NX                  yes
 *     scratch: page tables, free pages       RW NX                  no
 *     scratch: metadata, stacks, CPU tables  RW NX                  no
 *     scratch: monitor                       R-X                    no
 *     the page tables themselves             RW NX, at CPL 0 only   no
 *     page 0, guards, gaps, page-table tail  not mapped
 *
 * What a region's flags let the guest write is copy on write, scratch is not. For guests at CPL 0 nothing is user.
 */
#ifndef NUB_ADDRESS_SPACE_H
#define NUB_ADDRESS_SPACE_H

#include "memory/layout.h"
#include "paging/paging.h"

/* Map regions[0..region_count), maps[0..map_count) and scratch in the builder's current root. Call it when the layout is
 * final but for the page tables' size. Errors: nub_pt_map's, with the region named. */
int nub_address_space_build(struct nub_pt_builder *builder, const struct nub_layout *layout,
                            const struct nub_region *regions, size_t region_count, const struct nub_region *maps,
                            size_t map_count, unsigned privilege_level, struct nub_error *err);

/* Show the builder's tables, all of them, at NUB_PAGE_TABLES_GVA in each of these roots: for guests at CPL 0. It is the last
 * thing to map. Errors: nub_pt_map's. */
int nub_address_space_map_tables(struct nub_pt_builder *builder, const uint64_t *roots, unsigned root_count,
                                 struct nub_error *err);

/* Scratch alone: how a rebuilt space gets it. */
int nub_address_space_map_scratch(struct nub_pt_builder *builder, const struct nub_layout *layout,
                                  unsigned privilege_level, struct nub_error *err);

/* Scratch and page tables of a guest whose address space an engine edits: of the two pages at scratch's start, the first is
 * user R-X, all else is for CPL 0; [tables_gpa, tables_gpa + tables_size) is shown at NUB_PAGE_TABLES_GVA + gpa. The lower half
 * is empty. Errors: nub_pt_map's. */
int nub_address_space_map_editable(struct nub_pt_builder *builder, const struct nub_layout *layout, uint64_t tables_gpa,
                                   uint64_t tables_size, struct nub_error *err);

#endif
