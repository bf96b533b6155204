/* Moving scratch. The guest knows it by its PEB alone; what it may have of such an address in a register or elsewhere, at an
 * arbitrary instruction, stays.
 */
#include "snapshot/save/place.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/error.h"
#include "base/util.h"
#include "snapshot/file/snapshot.h"

/* Addresses in the PEB that are in scratch: of the input and the output ring. */
static const uint64_t peb_offsets[NUB_PLACE_PATCHES] = { offsetof(struct nub_peb, input.gva),
	                                                 offsetof(struct nub_peb, output.gva) };

/* Page tables up to this size are made the guest's own together. */
#define TABLES_MAX (UINT64_C(64) * NUB_PAGE_SIZE)

/* The address at `offset` in the guest's PEB, which it may have overwritten, and the gpa where it is. */
static bool read_address(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, uint64_t *gpa, uint64_t *address)
{
	const struct nub_pt_reader reader = nub_memory_reader(memory);
	struct nub_mapping leaf;

	if (!nub_canonical(gva) || !nub_pt_translate(&reader, root_gpa, gva, &leaf))
		return false;
	*gpa = leaf.gpa + (gva - leaf.gva);
	return nub_memory_copy(memory, *gpa, address, sizeof(*address), NULL) == 0;
}

/* The same address when scratch ends at `to` instead of `from`; 0 for one that is not in scratch. */
static uint64_t moved(const struct nub_layout *layout, uint64_t address, uint64_t from, uint64_t to)
{
	return address < from && from - address <= layout->scratch_size ? to - (from - address) : 0;
}

static uint64_t stored_end(const struct nub_layout *layout)
{
	struct nub_layout stored = *layout;

	stored.engine = NUB_ENGINE_KVM;
	return nub_layout_scratch_end_gva(&stored);
}

unsigned nub_place_patches(const struct nub_snapshot_writer *writer, uint64_t root_gpa,
                           struct nub_snapshot_patch *patches)
{
	struct nub_sandbox *sandbox = writer->sandbox;
	const struct nub_layout *layout = &sandbox->machine.plan.layout;
	const uint64_t from = nub_layout_scratch_end_gva(layout), to = stored_end(layout);
	unsigned count = 0;

	for (unsigned i = 0; from != to && i < NUB_PLACE_PATCHES; i++) {
		uint64_t gpa, address;
		if (!read_address(&sandbox->machine.memory, root_gpa, writer->state.peb_gva + peb_offsets[i], &gpa,
		                  &address))
			continue;
		const uint64_t place = nub_capture_new_gpa(&writer->capture, gpa);
		const uint64_t value = moved(layout, address, from, to);
		if (place != 0 && value != 0)
			patches[count++] = (struct nub_snapshot_patch){ place, value };
	}
	return count;
}

/* The entry of the root table that maps gva. */
static uint64_t root_entry(const struct nub_sandbox *sandbox, uint64_t gva)
{
	return (sandbox->machine.root_gpa & NUB_PTE_ADDRESS) + (gva >> 39 & (NUB_PT_ENTRIES - 1)) * sizeof(uint64_t);
}

static int move_entry(struct nub_sandbox *sandbox, uint64_t from, uint64_t to, struct nub_error *err)
{
	const uint64_t old_gpa = root_entry(sandbox, from - 1), new_gpa = root_entry(sandbox, to - 1), nothing = 0;
	struct nub_memory *memory = &sandbox->machine.memory;
	const uint64_t tables = sandbox->machine.plan.layout.page_table_size;
	uint64_t entry, taken;

	if (nub_memory_copy(memory, old_gpa, &entry, sizeof(entry), err) < 0 ||
	    nub_memory_copy(memory, new_gpa, &taken, sizeof(taken), err) < 0)
		return nub_error_context(err, "page tables");
	if (taken & NUB_PTE_PRESENT) {
		nub_fail(err, NUB_E_ENGINE, 0,
		         "%s: the guest has memory in the 512 GiB below 0x%" PRIx64
		         ", which the process engine keeps for itself",
		         sandbox->machine.guest->name, to);
		return nub_hint(err, "restore it with the kvm engine");
	}
	/* They are read often, and what is the guest's own needs no care. */
	if (tables <= TABLES_MAX &&
	    nub_memory_claim(memory, sandbox->machine.plan.layout.page_table_gpa, tables, err) < 0)
		return -1;
	if (nub_memory_store(memory, new_gpa, &entry, sizeof(entry), err) < 0)
		return -1;
	return nub_memory_store(memory, old_gpa, &nothing, sizeof(nothing), err);
}

int nub_place_scratch(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->machine.plan.layout;
	const uint64_t from = stored_end(layout), to = nub_layout_scratch_end_gva(layout);

	if (from == to || sandbox->machine.guest->privilege_level == 0)
		return 0;
	if (move_entry(sandbox, from, to, err) < 0)
		return -1;
	for (unsigned i = 0; i < NUB_PLACE_PATCHES; i++) {
		uint64_t gpa, address;
		if (!read_address(&sandbox->machine.memory, sandbox->machine.root_gpa,
		                  sandbox->snapshot->meta.peb_gva + peb_offsets[i], &gpa, &address))
			continue;
		const uint64_t value = moved(layout, address, from, to);
		if (value != 0 && nub_memory_store(&sandbox->machine.memory, gpa, &value, sizeof(value), err) < 0)
			return -1;
	}
	return 0;
}
