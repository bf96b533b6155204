/* Regions of guest memory: what lies there, and what the guest may do with it (R10). Names are static strings. */
#ifndef NUB_NUB_REGION_H
#define NUB_NUB_REGION_H

#include <stdint.h>

enum nub_region_flags {
	NUB_REGION_NONE = 0,
	NUB_REGION_READ = 1,
	NUB_REGION_WRITE = 2,
	NUB_REGION_EXECUTE = 4,
};

enum nub_region_type {
	NUB_REGION_CODE,
	NUB_REGION_PEB,
	NUB_REGION_HEAP,
	NUB_REGION_INIT_DATA,
	NUB_REGION_GUARD,
	NUB_REGION_STACK,
	NUB_REGION_PAGE_TABLES,
	NUB_REGION_MAPPED_FILE,
	NUB_REGION_SCRATCH,
	NUB_REGION_SNAPSHOT,
};

struct nub_region {
	enum nub_region_type type;
	unsigned flags; /* enum nub_region_flags */
	uint64_t gpa;   /* page-aligned */
	uint64_t gva;   /* page-aligned; 0 when it is not mapped for the guest */
	uint64_t size;  /* a multiple of the page size */
};

const char *nub_region_type_name(enum nub_region_type type);

/* What the host has in the page of scratch at this gva: "metadata", "page-fault stack" and so on; NULL where it is none of
 * those that are always there. */
const char *nub_scratch_page_name(uint64_t gva);

/* "NONE", or "READ | WRITE | EXECUTE" and its parts. The string is static. */
const char *nub_region_flags_name(unsigned flags);

#endif
