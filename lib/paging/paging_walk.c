/* Walking page tables that nobody vouches for: one space, several spaces at once, one address (R20, R22).
 *
 * An entry is read once. Whatever it says, the walk ends: tables deepen by a level each, none is entered below itself,
 * and both leaves and tables are counted against a bound.
 */
#include "paging/paging.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "paging/table_set.h"

#define ROOT_LEVEL 4
#define GVA_BITS_MASK ((UINT64_C(1) << 48) - 1)

/* Tables that a walk enters at most: three for each leaf are enough below a root, the rest may be empty. */
#define TABLES_PER_LEAF 4
#define TABLES_SPARE 4096

struct walk {
	const struct nub_pt_reader *reader;
	uint64_t start, end; /* inclusive, without the sign extension, so that they compare in walking order */
	uint64_t limit, leaves;
	uint64_t tables;
	unsigned space;
	struct nub_table_set *entered; /* NULL: shared tables are entered each time */
	uint64_t path[ROOT_LEVEL + 1]; /* gpa of the table at the current level and at each above it */
	nub_pt_visitor visit;
	void *context;
	struct nub_error *err;
};

/* What all levels above an entry allow together. */
struct rights {
	bool writable, user, executable;
};

static struct rights narrow(struct rights above, uint64_t entry)
{
	return (struct rights){
		.writable = above.writable && (entry & NUB_PTE_WRITABLE) != 0,
		.user = above.user && (entry & NUB_PTE_USER) != 0,
		.executable = above.executable && (entry & NUB_PTE_NX) == 0,
	};
}

static unsigned rights_bits(struct rights rights)
{
	return (unsigned)rights.writable | (unsigned)rights.user << 1 | (unsigned)rights.executable << 2;
}

static bool over_table_limit(const struct walk *walk)
{
	uint64_t most;

	if (__builtin_mul_overflow(walk->limit, (uint64_t)TABLES_PER_LEAF, &most) ||
	    __builtin_add_overflow(most, (uint64_t)TABLES_SPARE, &most))
		return false;
	return walk->tables > most;
}

static int visit_leaf(struct walk *walk, unsigned level, uint64_t linear, uint64_t place, uint64_t entry,
                      struct rights rights)
{
	uint64_t size = nub_pt_span(level);
	struct nub_pt_item item = {
	    .space = walk->space,
	    .leaf =
		{
		    .gva = nub_sign_extend(linear),
		    .gpa = entry & NUB_PTE_ADDRESS & ~(size - 1),
		    .size = size,
		    .kind = (entry & NUB_PTE_AVAILABLE) == NUB_PTE_COW ? NUB_MAPPING_COW : NUB_MAPPING_BASIC,
		    .readable = true,
		    .writable = rights.writable,
		    .executable = rights.executable,
		    .user = rights.user,
		},
	    .leaf_entry_gpa = place,
	};

	if (walk->leaves == walk->limit)
		return nub_fail(walk->err, NUB_E_PAGE_LIMIT, 0,
		                "the page tables at gpa 0x%" PRIx64 " have more than 0x%" PRIx64
		                " leaves, one of them at gva 0x%" PRIx64,
		                walk->path[ROOT_LEVEL], walk->limit, item.leaf.gva);
	walk->leaves++;
	return walk->visit(walk->context, &item, walk->err);
}

static int visit_shared(struct walk *walk, const struct nub_table_owner *owner, unsigned level, uint64_t linear,
                        uint64_t table_gpa, uint64_t entry)
{
	struct nub_pt_item item = {
		.space = walk->space,
		.shared = true,
		.table_gva = nub_sign_extend(linear),
		.level = level,
		.table_gpa = table_gpa,
		.owner_space = owner->space,
		.owner_gva = owner->gva,
		.user = (entry & NUB_PTE_USER) != 0,
	};

	return walk->visit(walk->context, &item, walk->err);
}

static bool is_ancestor(const struct walk *walk, unsigned level, uint64_t table_gpa)
{
	for (unsigned above = level + 1; above <= ROOT_LEVEL; above++)
		if (walk->path[above] == table_gpa)
			return true;
	return false;
}

static int walk_table(struct walk *walk, unsigned level, uint64_t base, const uint8_t *table, struct rights rights);

/* Go into the table of `level` that `entry`, one level up, points at. `base` is the first address that it covers. */
static int enter_table(struct walk *walk, unsigned level, uint64_t base, uint64_t entry, struct rights rights)
{
	uint64_t table_gpa = entry & NUB_PTE_ADDRESS;
	const struct nub_table_owner *owner = NULL;
	const uint8_t *table;

	if (is_ancestor(walk, level, table_gpa))
		return 0;
	table = walk->reader->table(walk->reader->context, table_gpa);
	if (!table)
		return 0;
	if (walk->entered) {
		int seen = nub_table_set_enter(walk->entered, table_gpa, level, rights_bits(rights), walk->space,
		                               nub_sign_extend(base), &owner, walk->err);

		if (seen < 0)
			return -1;
		if (seen > 0)
			return visit_shared(walk, owner, level + 1, base, table_gpa, entry);
	}
	walk->tables++;
	if (over_table_limit(walk))
		return nub_fail(walk->err, NUB_E_PAGE_LIMIT, 0,
		                "the page tables at gpa 0x%" PRIx64 " reach 0x%" PRIx64
		                " tables, too many for 0x%" PRIx64 " leaves",
		                walk->path[ROOT_LEVEL], walk->tables, walk->limit);
	walk->path[level] = table_gpa;
	return walk_table(walk, level, base, table, rights);
}

/* The entries of one table that cover some of [start, end]. */
static int walk_table(struct walk *walk, unsigned level, uint64_t base, const uint8_t *table, struct rights rights)
{
	uint64_t span = nub_pt_span(level);
	uint64_t table_gpa = walk->path[level];
	uint64_t present = NUB_PTE_PRESENT | (walk->reader->deferred ? NUB_PTE_DEFERRED : 0);
	uint64_t first = walk->start > base ? (walk->start - base) / span : 0;
	uint64_t last = (walk->end - base) / span;

	if (last >= NUB_PT_ENTRIES)
		last = NUB_PT_ENTRIES - 1;
	for (uint64_t i = first; i <= last; i++) {
		uint64_t linear = base + i * span;
		bool large;
		uint64_t entry;
		int result;

		memcpy(&entry, table + i * sizeof(entry), sizeof(entry));
		if ((entry & present) == 0)
			continue;
		large = level > 1 && (entry & NUB_PTE_LARGE) != 0;
		if (large && level == ROOT_LEVEL)
			continue; /* the CPU faults on it: there is no such leaf */
		if (large || level == 1)
			result = visit_leaf(walk, level, linear, table_gpa + i * sizeof(entry), entry,
			                    narrow(rights, entry));
		else
			result = enter_table(walk, level - 1, linear, entry, narrow(rights, entry));
		if (result < 0)
			return result;
	}
	return 0;
}

/* The same way in for a root as for any other table: CR3 is the entry one level up. */
static int walk_root(struct walk *walk, uint64_t root_gpa)
{
	const struct rights all = { .writable = true, .user = true, .executable = true };

	return enter_table(walk, ROOT_LEVEL, 0, root_gpa & NUB_PTE_ADDRESS, all);
}

int nub_pt_walk_spaces(const struct nub_pt_reader *reader, const uint64_t *roots, unsigned root_count, uint64_t start,
                       uint64_t end, uint64_t limit, nub_pt_visitor visit, void *context, struct nub_error *err)
{
	struct nub_table_set entered;
	struct walk walk = {
		.reader = reader,
		.start = start & GVA_BITS_MASK,
		.end = end & GVA_BITS_MASK,
		.limit = limit,
		.entered = &entered,
		.visit = visit,
		.context = context,
		.err = err,
	};
	int result = 0;

	if (walk.start > walk.end)
		return 0;
	nub_table_set_init(&entered);
	for (walk.space = 0; walk.space < root_count && result >= 0; walk.space++)
		result = walk_root(&walk, roots[walk.space]);
	nub_table_set_release(&entered);
	return result;
}

int nub_pt_walk(const struct nub_pt_reader *reader, uint64_t root_gpa, uint64_t start, uint64_t end, uint64_t limit,
                nub_pt_visitor visit, void *context, struct nub_error *err)
{
	struct walk walk = {
		.reader = reader,
		.start = start & GVA_BITS_MASK,
		.end = end & GVA_BITS_MASK,
		.limit = limit,
		.visit = visit,
		.context = context,
		.err = err,
	};

	return walk.start > walk.end ? 0 : walk_root(&walk, root_gpa);
}

static int keep_leaf(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	(void)err;
	*(struct nub_mapping *)context = item->leaf;
	return 0;
}

bool nub_pt_translate(const struct nub_pt_reader *reader, uint64_t root_gpa, uint64_t gva, struct nub_mapping *leaf)
{
	struct nub_mapping found = { .size = 0 };

	if (!nub_canonical(gva) || nub_pt_walk(reader, root_gpa, gva, gva, 1, keep_leaf, &found, NULL) < 0 ||
	    found.size == 0)
		return false;
	*leaf = found;
	return true;
}

/* ---- A builder's own tables ---- */

static const uint8_t *builder_table(void *context, uint64_t gpa)
{
	const struct nub_pt_builder *builder = context;

	if (gpa < builder->base_gpa || !nub_range_in(gpa - builder->base_gpa, NUB_PAGE_SIZE, builder->size))
		return NULL;
	return builder->tables + (gpa - builder->base_gpa);
}

struct nub_pt_reader nub_pt_builder_reader(struct nub_pt_builder *builder)
{
	return (struct nub_pt_reader){ .table = builder_table, .context = builder };
}
