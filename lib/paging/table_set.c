/* A hash set of page tables: open addressing, doubled when half full. */
#include "paging/table_set.h"

#include "base/error.h"
#include "base/util.h"

void nub_table_set_init(struct nub_table_set *set)
{
	/* An address of this process is a salt that no guest knows, and costs no system call. */
	*set = (struct nub_table_set){ .salt = (uintptr_t)set };
}

void nub_table_set_release(struct nub_table_set *set)
{
	free(set->owners);
	set->owners = NULL;
	set->count = set->capacity = 0;
}

/* The finalizer of SplitMix64: every bit of the key moves every bit of the place. */
static size_t place_of(const struct nub_table_set *set, uint64_t key)
{
	key += set->salt * UINT64_C(0x9e3779b97f4a7c15);
	key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
	return (key ^ key >> 31) & (set->capacity - 1);
}

/* The key's entry, or the free place for it. There is always one: the set is at most half full. */
static struct nub_table_owner *find(const struct nub_table_set *set, uint64_t key)
{
	size_t place = place_of(set, key);

	while (set->owners[place].key != 0 && set->owners[place].key != key)
		place = (place + 1) & (set->capacity - 1);
	return &set->owners[place];
}

static int grow(struct nub_table_set *set, struct nub_error *err)
{
	struct nub_table_set larger = *set;

	larger.capacity = set->capacity == 0 ? 64 : set->capacity * 2;
	larger.owners = calloc(larger.capacity, sizeof(*larger.owners));
	if (!larger.owners)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "no memory to remember %zu page tables",
		                      larger.capacity / 2);
	for (size_t i = 0; i < set->capacity; i++)
		if (set->owners[i].key != 0)
			*find(&larger, set->owners[i].key) = set->owners[i];
	free(set->owners);
	*set = larger;
	return 0;
}

int nub_table_set_enter(struct nub_table_set *set, uint64_t gpa, unsigned level, unsigned rights, unsigned space,
                        uint64_t gva, const struct nub_table_owner **owner, struct nub_error *err)
{
	const uint64_t key = gpa | rights << 3 | level;
	struct nub_table_owner *place;

	if (set->count * 2 >= set->capacity && grow(set, err) < 0)
		return -1;
	place = find(set, key);
	if (place->key == key) {
		*owner = place;
		return 1;
	}
	*place = (struct nub_table_owner){ .key = key, .gva = gva, .space = space };
	set->count++;
	return 0;
}
