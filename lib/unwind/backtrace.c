/* Call stacks: frame by frame, by call frame information where the image has it, else by frame pointers. Pure.
 *
 * Memory and image may say anything: the stack only ever goes up, and the frames are counted.
 */
#include <string.h>

#include "base/util.h"
#include "nub/backtrace.h"
#include "unwind/cfi.h"

/* A frame larger than this is no frame. */
#define MAX_FRAME_SIZE (UINT64_C(1) << 30)

struct unwinder {
	const struct nub_image *image;
	nub_read_memory read;
	void *context;
	uint64_t registers[NUB_DWARF_REGISTERS];
};

static bool read_word(const struct unwinder *unwinder, uint64_t gva, uint64_t *word)
{
	return unwinder->read(unwinder->context, gva, word, sizeof(*word)) == 0;
}

/* Code that a call could return to. Without an image, anything that can be read. */
static bool is_code(const struct unwinder *unwinder, uint64_t gva)
{
	uint8_t byte;

	if (!unwinder->image)
		return gva >= NUB_BASE_ADDRESS && unwinder->read(unwinder->context, gva, &byte, 1) == 0;
	const struct nub_image_info *info = nub_image_info(unwinder->image);
	for (size_t i = 0; i < info->segment_count; i++)
		if ((info->segments[i].flags & NUB_REGION_EXECUTE) && gva >= info->segments[i].gva &&
		    gva - info->segments[i].gva < info->segments[i].size)
			return true;
	return false;
}

static bool apply_row(struct unwinder *unwinder, const struct nub_cfi_row *row, uint64_t *cfa)
{
	uint64_t next[NUB_DWARF_REGISTERS];

	*cfa = unwinder->registers[row->cfa_register] + (uint64_t)row->cfa_offset;
	memcpy(next, unwinder->registers, sizeof(next));
	for (unsigned i = 0; i < NUB_DWARF_REGISTERS; i++) {
		const uint64_t at = *cfa + (uint64_t)row->registers[i].offset;
		if (row->registers[i].rule == NUB_CFI_VALUE)
			next[i] = at;
		else if (row->registers[i].rule == NUB_CFI_SAVED && !read_word(unwinder, at, &next[i]))
			return false;
	}
	/* An outermost frame says so by having no return address. */
	if (row->registers[NUB_DWARF_RIP].rule != NUB_CFI_SAVED)
		next[NUB_DWARF_RIP] = 0;
	memcpy(unwinder->registers, next, sizeof(next));
	return true;
}

/* rbp points at the caller's rbp, the return address follows. */
static bool follow_frame_pointer(struct unwinder *unwinder, uint64_t *cfa)
{
	uint64_t *regs = unwinder->registers;
	const uint64_t frame = regs[NUB_DWARF_RBP];
	uint64_t rbp, rip;

	if (frame < regs[NUB_DWARF_RSP] || frame - regs[NUB_DWARF_RSP] > MAX_FRAME_SIZE || frame % 8 != 0 ||
	    !read_word(unwinder, frame, &rbp) || !read_word(unwinder, frame + 8, &rip))
		return false;
	regs[NUB_DWARF_RBP] = rbp;
	regs[NUB_DWARF_RIP] = rip;
	regs[NUB_DWARF_RSP] = *cfa = frame + 16;
	return true;
}

/* A call to where no code is: the return address is what the call has just pushed. */
static bool undo_call(struct unwinder *unwinder, uint64_t *cfa)
{
	uint64_t *regs = unwinder->registers, rip;

	if (!read_word(unwinder, regs[NUB_DWARF_RSP], &rip))
		return false;
	regs[NUB_DWARF_RIP] = rip;
	regs[NUB_DWARF_RSP] = *cfa = regs[NUB_DWARF_RSP] + 8;
	return true;
}

/* To the caller's registers; *cfa is the frame's that is left. */
static bool unwind(struct unwinder *unwinder, bool innermost, uint64_t *cfa)
{
	const uint64_t rip = unwinder->registers[NUB_DWARF_RIP], rsp = unwinder->registers[NUB_DWARF_RSP];
	struct nub_cfi_row row;

	if (innermost && !is_code(unwinder, rip)) {
		if (!undo_call(unwinder, cfa))
			return false;
	} else if (unwinder->image && nub_cfi_find(unwinder->image, innermost ? rip : rip - 1, &row)) {
		/* A return address may stand behind the end of its function: the call is before it. */
		if (!apply_row(unwinder, &row, cfa))
			return false;
	} else if (!follow_frame_pointer(unwinder, cfa)) {
		return false;
	}
	return *cfa > rsp && *cfa - rsp <= MAX_FRAME_SIZE;
}

size_t nub_backtrace(const struct nub_image *image, const struct nub_registers *regs, nub_read_memory read,
                     void *context, struct nub_frame *frames, size_t max)
{
	struct unwinder unwinder = {
		.image = image,
		.read = read,
		.context = context,
		.registers = { regs->rax, regs->rdx, regs->rcx, regs->rbx, regs->rsi, regs->rdi, regs->rbp, regs->rsp,
		               regs->r8, regs->r9, regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15,
		               regs->rip },
	};
	size_t count = 0;

	while (count < max) {
		frames[count] = (struct nub_frame){ .rip = unwinder.registers[NUB_DWARF_RIP] };
		const bool more = unwind(&unwinder, count == 0, &frames[count].cfa);
		count++;
		if (!more || !is_code(&unwinder, unwinder.registers[NUB_DWARF_RIP]))
			break;
	}
	return count;
}
