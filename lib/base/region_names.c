/* What regions and their rights are called. */
#include "nub/region.h"

const char *nub_region_type_name(enum nub_region_type type)
{
	static const char names[][sizeof("PageTables")] = {
		[NUB_REGION_CODE] = "Code",
		[NUB_REGION_PEB] = "Peb",
		[NUB_REGION_HEAP] = "Heap",
		[NUB_REGION_INIT_DATA] = "InitData",
		[NUB_REGION_GUARD] = "Guard",
		[NUB_REGION_STACK] = "Stack",
		[NUB_REGION_PAGE_TABLES] = "PageTables",
		[NUB_REGION_MAPPED_FILE] = "MappedFile",
		[NUB_REGION_SCRATCH] = "Scratch",
		[NUB_REGION_SNAPSHOT] = "Snapshot",
	};

	return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : "Unknown";
}

const char *nub_region_flags_name(unsigned flags)
{
	static const char names[][sizeof("READ | WRITE | EXECUTE")] = {
		"NONE",    "READ",           "WRITE",           "READ | WRITE",
		"EXECUTE", "READ | EXECUTE", "WRITE | EXECUTE", "READ | WRITE | EXECUTE",
	};

	return names[flags & (NUB_REGION_READ | NUB_REGION_WRITE | NUB_REGION_EXECUTE)];
}
