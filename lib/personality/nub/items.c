/* Items in the two rings: from the guest, and to it. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "personality/nub/native.h"
#include "personality/nub/ring.h"
#include "personality/nub/scratch.h"

int nub_native_pop(struct nub_native *native, uint64_t *size, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	const struct nub_layout *layout = &machine->plan.layout;
	const uint64_t capacity = layout->output_size;

	if (native->item_capacity != capacity) {
		free(native->item);
		native->item = malloc(capacity);
		native->item_capacity = native->item ? capacity : 0;
	}
	if (!native->item)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "output ring: %" PRIu64 " bytes", capacity);
	if (nub_ring_pop_into(nub_scratch_output(layout, machine->memory.scratch.host), capacity, native->item,
	                      capacity, size, err) < 0)
		return nub_error_context(err, "output ring");
	machine->told.has_item = true;
	machine->told.item_size = *size;
	return 0;
}

int nub_native_push(struct nub_native *native, struct nub_error *err)
{
	const struct nub_machine *machine = native->personality.machine;
	const struct nub_layout *layout = &machine->plan.layout;

	if (nub_ring_push(nub_scratch_input(layout, machine->memory.scratch.host), layout->input_size,
	                  native->request.bytes, native->request.size, err) < 0)
		return nub_error_context(err, "input ring");
	return 0;
}
