/* The frame of the box's last stop: copied in, and written anew for the next entry. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/process/box_turns.h"

/* What sigreturn takes of rflags: CF PF AF ZF SF TF DF OF RF AC. Linux sets the rest. */
#define GUEST_RFLAGS UINT64_C(0x50dd5)
#define FIXED_RFLAGS UINT64_C(0x202)

enum { SELECTOR_USER_CODE = 0x33, SELECTOR_USER_DATA = 0x2b };

void nub_box_take_frame(struct nub_box *box)
{
	const struct nub_box_shared *shared = box->shared;

	memcpy(&box->frame, box->pages + box->frame_offset, sizeof(box->frame));
	box->fs_base = shared->fs_base;
	box->gs_base = shared->gs_base;
	memcpy(box->segments, shared->segments, sizeof(box->segments));
	box->load_segments = false;
}

void nub_box_put_frame(struct nub_box *box)
{
	struct nub_box_shared *shared = box->shared;
	struct nub_signal_frame frame = box->frame;

	frame.restorer = box->first.restorer;
	frame.flags = box->first.flags;
	frame.link = 0;
	frame.stack_base = box->first.stack_base;
	frame.stack_flags = box->first.stack_flags;
	frame.stack_size = box->first.stack_size;
	frame.cs = SELECTOR_USER_CODE;
	frame.ss = SELECTOR_USER_DATA;
	frame.gs = frame.fs = 0;
	frame.rflags = (frame.rflags & GUEST_RFLAGS) | FIXED_RFLAGS;
	frame.xsave = box->first.xsave;
	frame.signal_mask = box->first.signal_mask;
	memcpy(box->pages + box->frame_offset, &frame, sizeof(frame));
	shared->frame = NUB_BOX_GVA + box->frame_offset;
	shared->load_segments = box->load_segments;
	if (box->load_segments) {
		shared->fs_base = box->fs_base;
		shared->gs_base = box->gs_base;
		memcpy(shared->segments, box->segments, sizeof(box->segments));
		box->load_segments = false;
	}
}

/* NULL when the kernel's has fewer bytes: what it says of that is in the first frame, from before a guest ran. */
static uint8_t *xsave_area(const struct nub_box *box, size_t size)
{
	const uint64_t offset = box->first.xsave - NUB_BOX_GVA;

	return offset >= NUB_BOX_STACK_OFFSET && size <= box->xsave_size && nub_range_in(offset, size, NUB_BOX_SIZE)
	           ? box->pages + offset
	           : NULL;
}

static int fail_xsave(size_t size, struct nub_error *err)
{
	return nub_fail(err, NUB_E_PROCESS, 0, "the guest's process: its signal frame has no XSAVE area of %zu bytes",
	                size);
}

static int write_xsave(struct nub_box *box, const uint8_t *xsave, size_t size, struct nub_error *err)
{
	uint8_t *area = xsave_area(box, size);

	if (!area)
		return fail_xsave(size, err);
	memcpy(area, xsave, NUB_BOX_XSAVE_KERNEL);
	memcpy(area + NUB_BOX_XSAVE_KERNEL_END, xsave + NUB_BOX_XSAVE_KERNEL_END, size - NUB_BOX_XSAVE_KERNEL_END);
	return 0;
}

/* ---- The first one ---- */

/* Of struct _fpx_sw_bytes, behind two magic words and a mask. */
enum { SIZE_OFFSET = 16 };

static int begin(struct nub_box *box, uint64_t offset, struct nub_error *err)
{
	box->frame_offset = offset;
	memcpy(&box->first, box->pages + offset, sizeof(box->first));
	const uint64_t words = box->first.xsave - NUB_BOX_GVA + NUB_BOX_XSAVE_KERNEL;
	if (nub_range_in(words, NUB_BOX_XSAVE_KERNEL_END - NUB_BOX_XSAVE_KERNEL, NUB_BOX_SIZE))
		memcpy(&box->xsave_size, box->pages + words + SIZE_OFFSET, sizeof(box->xsave_size));
	box->settled = true;
	return box->load_xsave > 0 ? write_xsave(box, box->xsave, box->load_xsave, err) : 0;
}

int nub_box_keep_frame(struct nub_box *box, uint64_t offset, struct nub_error *err)
{
	struct nub_box_stack *stack = box->stack;

	stack->bytes = malloc(NUB_BOX_SIZE - offset);
	if (!stack->bytes)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the box's stack: %" PRIu64 " bytes",
		                      NUB_BOX_SIZE - offset);
	stack->offset = offset;
	memcpy(stack->bytes, box->pages + offset, NUB_BOX_SIZE - offset);
	return begin(box, offset, err);
}

int nub_box_lay_frame(struct nub_box *box, struct nub_error *err)
{
	const struct nub_box_stack *stack = box->stack;

	memcpy(box->pages + stack->offset, stack->bytes, NUB_BOX_SIZE - stack->offset);
	return begin(box, stack->offset, err);
}

void nub_box_stack_release(struct nub_box_stack *stack)
{
	free(stack->bytes);
	*stack = (struct nub_box_stack){ 0 };
}

/* ---- Its XSAVE area ---- */

int nub_box_get_xsave(struct nub_box *box, uint8_t *xsave, size_t size, struct nub_error *err)
{
	if (nub_box_settle(box, err) < 0)
		return -1;
	const uint8_t *area = xsave_area(box, size);
	if (!area)
		return fail_xsave(size, err);
	memcpy(xsave, area, size);
	memset(xsave + NUB_BOX_XSAVE_KERNEL, 0, NUB_BOX_XSAVE_KERNEL_END - NUB_BOX_XSAVE_KERNEL);
	return 0;
}

int nub_box_set_xsave(struct nub_box *box, const uint8_t *xsave, size_t size, struct nub_error *err)
{
	if (box->settled)
		return write_xsave(box, xsave, size, err);
	if (size > sizeof(box->xsave))
		return fail_xsave(size, err);
	memcpy(box->xsave, xsave, size);
	box->load_xsave = size;
	return 0;
}
