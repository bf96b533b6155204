/* What the files behind mm.h share: the areas, and the pages behind them. Private. */
#ifndef NUB_LINUX_MM_PARTS_H
#define NUB_LINUX_MM_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "personality/linux/call.h"
#include "personality/linux/mm.h"
#include "personality/linux/page_map.h"
#include "personality/linux/page_pool.h"
#include "personality/linux/vdso/vdso_data.h"

#define NUB_LINUX_GVA_START UINT64_C(0x10000)
#define NUB_LINUX_GVA_END UINT64_C(0x7ffffffff000)

enum { NUB_LINUX_MAX_AREAS = 65530 }; /* as Linux's vm.max_map_count */

struct nub_linux_memory {
	struct nub_linux_area *areas; /* sorted; owned */
	size_t area_count, area_capacity;
	uint64_t mapped; /* bytes of all areas */
	struct nub_linux_page_map pages;
	struct nub_linux_page_pool pool;
	uint64_t brk_start, brk; /* 0: no program yet */
	uint64_t top;            /* where the search for free addresses begins, downwards */
	uint64_t stack_top;
	struct nub_vdso_data vdso;      /* as it was last written into the guest */
	uint64_t anchor_ns, anchor_tsc; /* the pair that its rate is measured from */
};

static inline bool nub_linux_is_kept(uint64_t gva, uint64_t size)
{
	return gva < NUB_LINUX_KEPT_GVA + NUB_LINUX_KEPT_SIZE && gva + size > NUB_LINUX_KEPT_GVA;
}

/* Can a program have [gva, gva + size)? */
static inline bool nub_linux_in_user(uint64_t gva, uint64_t size)
{
	return gva >= NUB_LINUX_GVA_START && gva <= NUB_LINUX_GVA_END && size <= NUB_LINUX_GVA_END - gva &&
	       !nub_linux_is_kept(gva, size);
}

/* ---- areas.c: the list. Bounds are page-aligned and in the user half. ---- */

/* Index of the first area that ends after gva: it holds gva, or is the next one, or area_count. */
size_t nub_linux_area_index(const struct nub_linux_memory *memory, uint64_t gva);

/* Make an area begin at gva, if one lies across it. -ENOMEM. */
int64_t nub_linux_area_split(struct nub_linux_memory *memory, uint64_t gva);

/* Enter an area where nothing is; joins it with neighbours that go on alike. It takes over area->backing's reference. -ENOMEM:
 * then it takes over nothing. */
int64_t nub_linux_area_insert(struct nub_linux_memory *memory, const struct nub_linux_area *area);

/* Take the areas in [start, end) out, and drop their backings. -ENOMEM (of a split). */
int64_t nub_linux_area_remove(struct nub_linux_memory *memory, uint64_t start, uint64_t end);

/* Join areas[first] to areas[last] with their neighbours where they are alike, after a change of them. */
void nub_linux_area_join(struct nub_linux_memory *memory, size_t first, size_t last);

/* Is all of [start, end) in areas? */
bool nub_linux_area_covers(const struct nub_linux_memory *memory, uint64_t start, uint64_t end);

/* The highest free [gva, gva + size) under `top`, on a multiple of `align`; 0 when there is none. */
uint64_t nub_linux_area_gap(const struct nub_linux_memory *memory, uint64_t top, uint64_t size, uint64_t align);

/* Names of areas are these alone, and compared by address. */
extern const char nub_linux_name_heap[], nub_linux_name_stack[], nub_linux_name_vvar[], nub_linux_name_vdso[];

/* Their numbers in snapshots, 0 for none. False: there is no such number. */
unsigned nub_linux_area_name_number(const char *name);
bool nub_linux_area_name(unsigned number, const char **name);

/* ---- mm_state.c ---- */

void nub_linux_memory_save(struct nub_linux *linux, struct nub_writer *writer);
int nub_linux_memory_load(struct nub_linux *linux, struct nub_cursor *cursor);

/* ---- page_bytes.c: what is in pages that are there ---- */

/* Copy bytes of one page, and store there. False: the host failed, and the run has ended. */
bool nub_linux_page_copy(struct nub_linux *linux, uint64_t gpa, void *bytes, size_t size);
bool nub_linux_page_store(struct nub_linux *linux, uint64_t gpa, const void *bytes, size_t size);
/* All of a page, where it is, or in buffer[0..NUB_PAGE_SIZE). NULL as false. */
const uint8_t *nub_linux_page_bytes(struct nub_linux *linux, uint64_t gpa, uint8_t *buffer);

/* Pages that were just taken from the pool: zero, also where a file was behind them. False: nub_linux_fail. */
bool nub_linux_pages_renew(struct nub_linux *linux, uint64_t gpa, uint64_t count);

/* ---- resident.c: pages that are there ---- */

unsigned nub_linux_rights_of(unsigned prot);

/* Give the pages of [start, end) back. */
void nub_linux_pages_drop(struct nub_linux *linux, uint64_t start, uint64_t end);
/* Let the pages that are there in [start, end) have these rights. */
void nub_linux_pages_protect(struct nub_linux *linux, uint64_t start, uint64_t end, unsigned rights);
/* Have those of [from, from + size) at `to` instead; nothing is there. `rights` are the area's. */
void nub_linux_pages_move(struct nub_linux *linux, uint64_t from, uint64_t to, uint64_t size, unsigned rights);
/* Write what is there of a shared, writable mapping back to its file. 0 or the first error. */
int64_t nub_linux_pages_write_back(struct nub_linux *linux, const struct nub_linux_area *area, uint64_t start,
                                   uint64_t end);

/* ---- mm_shared.c: pages that several mappings have ---- */

static inline bool nub_linux_area_is_shared(const struct nub_linux_area *area)
{
	return area->shared && area->backing;
}

/* The page that another shared mapping of its file has for what is at gva in a shared area; 0 when none has. */
uint64_t nub_linux_shared_page(const struct nub_linux_memory *memory, const struct nub_linux_area *area, uint64_t gva);

/* ---- calls that have files of their own: mm_remap.c, mm_advice.c ---- */

nub_linux_handler nub_linux_serve_mremap, nub_linux_serve_madvise, nub_linux_serve_mincore, nub_linux_serve_msync,
    nub_linux_serve_mlock, nub_linux_serve_mlockall, nub_linux_serve_munlock, nub_linux_serve_munlockall;

/* ---- mm_state.c: what a state tells of memory, up to where a machine is needed ---- */

/* An area as it is saved. Where has_file, the number of an open file comes next. */
struct nub_linux_area_record {
	struct nub_linux_area area; /* without its backing */
	bool has_file;
	const char *path; /* of the file, in the state; no NUL behind it */
	uint32_t path_size;
};

/* What stands before the areas: heap, addresses, and how many there are. */
int nub_linux_memory_read_head(struct nub_linux_memory *memory, uint32_t *count, struct nub_cursor *cursor);

/* The next one, which begins at or after `below`. */
int nub_linux_area_read(struct nub_cursor *cursor, uint64_t below, struct nub_linux_area_record *record);

#endif
