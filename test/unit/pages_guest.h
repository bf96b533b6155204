/* The guest test/guests/pages.c: its calls, with what they must come to. */
#ifndef PAGES_GUEST_H
#define PAGES_GUEST_H

#include "snapshot_guest.h"

static inline struct nub_value u32_value(uint32_t value)
{
	return (struct nub_value){ .type = NUB_TYPE_U32, .u32 = value };
}

static inline struct nub_value u64_value(uint64_t value)
{
	return (struct nub_value){ .type = NUB_TYPE_U64, .u64 = value };
}

static inline uint64_t pages_prepare(struct guest *guest, uint32_t pages, uint64_t salt)
{
	const struct nub_value args[] = { u32_value(pages), u64_value(salt) };

	guest_call(guest, "prepare", args, 2, NUB_OUTCOME_RETURNED);
	return guest->outcome.result.u64;
}

static inline void pages_scribble(struct guest *guest, uint32_t first, uint32_t pages)
{
	const struct nub_value args[] = { u32_value(first), u32_value(pages) };

	guest_call(guest, "scribble", args, 2, NUB_OUTCOME_RETURNED);
}

static inline uint32_t pages_damaged(struct guest *guest, uint64_t salt)
{
	const struct nub_value arg = u64_value(salt);

	guest_call(guest, "damaged", &arg, 1, NUB_OUTCOME_RETURNED);
	return guest->outcome.result.u32;
}

static inline uint64_t pages_u64(struct guest *guest, const char *function)
{
	guest_call(guest, function, NULL, 0, NUB_OUTCOME_RETURNED);
	return guest->outcome.result.u64;
}

/* A guest with so many pages prepared, and its snapshot. */
static inline struct nub_snapshot *pages_snapshot(enum nub_cow cow, uint64_t heap_size, uint32_t pages, uint64_t salt)
{
	struct nub_snapshot *snapshot;
	struct guest guest;

	guest_load(&guest, "pages.elf");
	guest.config.cow = cow;
	guest.config.heap_size = heap_size;
	guest_create(&guest);
	pages_prepare(&guest, pages, salt);
	assert_int_equal(pages_damaged(&guest, salt), 0);
	snapshot = guest_snapshot(&guest);
	guest_close(&guest);
	return snapshot;
}

#endif
