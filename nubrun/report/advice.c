/* From kinds of errors and the library's parameters to the options that help. */
#include "report/advice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINK_IT "link it with the guest runtime and its nub.ld; see nub-guest(7)"
#define DAMAGED "the file is damaged: copy or build it again"
#define OR_LIMIT ", or raise the limit (ulimit -v)"

/* The first that fits counts. Without a parameter it fits them all; '%' is where the value goes that would do. */
static const struct advice {
	enum nub_error_kind kind;
	const char *parameter;
	const char *text;
} advices[] = {
	{ NUB_E_SIZE, "heap_size", "give --heap % or more, or leave it out for the default" },
	{ NUB_E_SIZE, "stack_size", "give --stack % or more, or leave it out for the default" },
	{ NUB_E_SIZE, "input_size", "give --input %, or leave it out for the default" },
	{ NUB_E_SIZE, "output_size", "give --output %, or leave it out for the default" },
	{ NUB_E_MEMORY_TOO_BIG, "heap_size", "give a smaller --heap" },
	{ NUB_E_MEMORY_TOO_BIG, "stack_size", "give a smaller --stack" },
	{ NUB_E_MEMORY_TOO_BIG, "input_size", "give a smaller --input" },
	{ NUB_E_MEMORY_TOO_BIG, "output_size", "give a smaller --output" },
	{ NUB_E_MEMORY_TOO_BIG, "scratch_size", "give a smaller --scratch" },
	{ NUB_E_MEMORY_TOO_BIG, "init_data_size", "give a smaller file to --init-data" },
	{ NUB_E_MEMORY_TOO_BIG, "maps", "give smaller files to --map, or fewer" },
	{ NUB_E_MEMORY_TOO_BIG, "memory_size", "give a smaller --memory" },
	{ NUB_E_MEMORY_TOO_BIG, NULL,
	  "ask for less with --heap, --stack, --scratch, --input, --output, --init-data or --map" },
	{ NUB_E_MEMORY_TOO_SMALL, "scratch_size", "give --scratch % or more, or leave it out" },
	{ NUB_E_MEMORY_TOO_SMALL, "memory_size", "give --memory % or more, or leave it out for as much as it had" },
	{ NUB_E_MEMORY_TOO_SMALL, NULL, "ask for more with --scratch, or leave it out for what is needed" },
	{ NUB_E_MAP_LIMIT, NULL, "give fewer --map options" },
	{ NUB_E_MAP_ADDRESS, NULL,
	  "give --map a free page-aligned address; 'nubrun inspect --map GUEST' shows what is taken" },
	{ NUB_E_MAP_LABEL, NULL, "give a shorter LABEL: --map FILE@GVA:LABEL" },
	{ NUB_E_FUNCTION_UNKNOWN, NULL, "'nubrun inspect' lists what it exports" },
	{ NUB_E_RING_FULL, "input_size", "give a larger ring with --input" },
	{ NUB_E_RING_FULL, NULL,
	  "give the guest larger buffers: --input for what it gets, --output for what it sends" },
	{ NUB_E_NO_MEMORY, "heap_size", "ask for less with --heap, --stack or --init-data" OR_LIMIT },
	{ NUB_E_NO_MEMORY, "scratch_size", "ask for less with --scratch" OR_LIMIT },
	{ NUB_E_NO_MEMORY, "maps", "give smaller files to --map" OR_LIMIT },
	{ NUB_E_NO_MEMORY, NULL, "free memory on this host, or give the guest less" },
	{ NUB_E_SNAPSHOT_BASE, "base_path",
	  "name the right base with --base; without that, it is looked for beside the layer" },
	{ NUB_E_SNAPSHOT_LAYERS, "base", "make one file of the layers first, with 'nubrun snapshot --flatten'" },
	{ NUB_E_SNAPSHOT_GRANT, "allow_wx", "allow it as when it was saved, with --allow-wx" },
	{ NUB_E_SNAPSHOT_GRANT, NULL,
	  "grant it as it was, with --rootfs, --dir, --file or --tmpfs; 'nubrun inspect' lists what it was granted" },
	{ NUB_E_SNAPSHOT_FILE, "grants", "grant what it was granted, with the file in it" },
	{ NUB_E_SNAPSHOT_FILE, "accept_changed",
	  "put the file back as it was (cp -p), or go on with what it is: --accept-changed" },
	{ NUB_E_SNAPSHOT_FILE, NULL, "save the program again, before the file is removed" },
	{ NUB_E_ELF_WX, NULL, "link it with separate segments, or allow it with --allow-wx" },
	{ NUB_E_ELF_SIZE, NULL, "give the guest large data with --map, not in its segments" },
	{ NUB_E_ELF_NOTE, NULL, LINK_IT },
	{ NUB_E_ELF_ENTRY, NULL, LINK_IT },
	{ NUB_E_ELF_SEGMENT, NULL, LINK_IT },
	{ NUB_E_ELF_ADDRESS, NULL, LINK_IT },
	{ NUB_E_ELF_RELOCATION, NULL, LINK_IT },
	{ NUB_E_ELF_EXPORTS, NULL, LINK_IT },
	{ NUB_E_ELF_NO_LOAD, NULL, LINK_IT },
	{ NUB_E_ELF_TYPE, NULL, LINK_IT },
	{ NUB_E_ELF_CLASS, NULL, DAMAGED },
	{ NUB_E_ELF_HEADER, NULL, DAMAGED },
	{ NUB_E_ELF_TRUNCATED, NULL, DAMAGED },
};

static bool fits(const struct advice *advice, const struct nub_error *err)
{
	if (advice->kind != err->kind)
		return false;
	return !advice->parameter || (err->parameter && strcmp(advice->parameter, err->parameter) == 0);
}

/* What there is where KVM isn't, and what it gives up. */
static void add_engine(struct nub_error *err)
{
	const size_t used = strlen(err->hint);

	snprintf(err->hint + used, sizeof(err->hint) - used,
	         "%sgive up the hardware boundary and run it as a process: --engine process", used > 0 ? "; or " : "");
}

void cmd_advice_add(struct nub_error *err)
{
	if (err->kind == NUB_E_KVM_MISSING || err->kind == NUB_E_KVM_DENIED)
		add_engine(err);
	const struct advice *advice = advices, *end = advices + sizeof(advices) / sizeof(advices[0]);

	while (advice < end && !fits(advice, err))
		advice++;
	if (err->hint[0] != '\0' || advice == end)
		return;
	const int before = (int)strcspn(advice->text, "%");
	if (advice->text[before] == '%')
		snprintf(err->hint, sizeof(err->hint), "%.*s%" PRIu64 "%s", before, advice->text, err->suits,
		         advice->text + before + 1);
	else
		snprintf(err->hint, sizeof(err->hint), "%s", advice->text);
}
