/* Copy on write by the guest (cow=guest): here the host does it all, since nobody but it reads the page tables. */
#include "base/error.h"
#include "base/util.h"
#include "engine/process/process.h"

/* Show the page at gva as the page tables say. */
static int show_page(struct nub_process *process, uint64_t gva, struct nub_error *err)
{
	struct nub_mapping page;
	uint64_t done;

	if (!nub_process_leaf(process, gva, &page))
		return 0;
	page.gpa += gva - page.gva;
	page.gva = gva;
	page.size = NUB_PAGE_SIZE;
	/* The box can't map files any more. */
	if (nub_memory_claim(process->guest.memory, page.gpa, page.size, err) < 0)
		return -1;
	return nub_process_map_shared(process, &page, NUB_BOX_FILLED, &done, err);
}

enum nub_mending nub_process_copy_fault(struct nub_process *process, uint64_t gva, struct nub_error *err)
{
	struct nub_memory *memory = process->guest.memory;
	struct nub_page_copy made;
	struct nub_pt_item item;

	if (!nub_copies_find(&process->copies, process->guest.root_gpa, gva, &item) ||
	    item.leaf.kind != NUB_MAPPING_COW || item.leaf.writable || item.leaf.size > NUB_LARGE_PAGE_SIZE)
		return NUB_MENDING_NOT;
	const enum nub_mending mending = nub_copies_make(&process->copies, &item, gva, &made, err);
	if (mending != NUB_MENDING_DONE)
		return mending;
	if (nub_memory_store(memory, made.entry_gpa, &made.value, sizeof(made.value), err) < 0 ||
	    show_page(process, nub_page_down(gva), err) < 0)
		return NUB_MENDING_FAILED;
	return NUB_MENDING_DONE;
}
