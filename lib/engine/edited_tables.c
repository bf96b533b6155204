/* Pages for page tables: taken one by one, onwards from the last, and given back. */
#include "engine/edited_tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"

int nub_edited_tables_init(struct nub_edited_tables *tables, const struct nub_engine_guest *guest,
                           struct nub_error *err)
{
	nub_edited_tables_release(tables);
	tables->memory = guest->memory;
	tables->gpa = guest->tables_gpa;
	tables->size = guest->tables_size;
	tables->page_count = guest->tables_size / NUB_PAGE_SIZE;
	tables->used = calloc(tables->page_count + 1, 1);
	if (!tables->used)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu page tables", tables->page_count);
	tables->cursor = guest->tables_used / NUB_PAGE_SIZE;
	memset(tables->used, 1, tables->cursor);
	return 0;
}

void nub_edited_tables_release(struct nub_edited_tables *tables)
{
	free(tables->used);
	*tables = (struct nub_edited_tables){ 0 };
}

uint64_t *nub_edited_tables_at(const struct nub_edited_tables *tables, uint64_t gpa)
{
	if (gpa < tables->gpa || !nub_page_aligned(gpa) ||
	    !nub_range_in(gpa - tables->gpa, NUB_PAGE_SIZE, tables->size))
		return NULL;
	return (uint64_t *)(void *)nub_memory_at(tables->memory, gpa, NUB_PAGE_SIZE);
}

uint64_t nub_edited_tables_take(struct nub_edited_tables *tables, struct nub_error *err)
{
	for (size_t i = 0; i < tables->page_count; i++) {
		const size_t at = (tables->cursor + i) % tables->page_count;
		const uint64_t gpa = tables->gpa + at * NUB_PAGE_SIZE;
		uint64_t *table = nub_edited_tables_at(tables, gpa);
		if (tables->used[at] || !table)
			continue;
		tables->used[at] = 1;
		tables->cursor = at + 1;
		memset(table, 0, NUB_PAGE_SIZE);
		return gpa;
	}
	nub_fail(err, NUB_E_PAGE_LIMIT, 0, "the guest's address space takes more than %zu page tables",
	         tables->page_count);
	nub_hint(err, "give it more memory: there are tables in proportion to it");
	return 0;
}

void nub_edited_tables_give(struct nub_edited_tables *tables, uint64_t gpa)
{
	tables->used[(gpa - tables->gpa) / NUB_PAGE_SIZE] = 0;
}
