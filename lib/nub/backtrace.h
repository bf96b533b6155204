/* Call stacks, of whatever memory and registers there are: a guest that stands still, a core.
 *
 *     struct nub_frame frames[64];
 *     size_t count = nub_backtrace(image, &regs, my_read, &mine, frames, 64);
 *     for (size_t i = 0; i < count; i++)
 *         print(nub_image_symbol(image, frames[i].rip - (i > 0), &offset));
 *
 * Nothing is allocated. Memory is hostile: a stack that is a circle or no stack at all gives fewer frames, no error.
 */
#ifndef NUB_NUB_BACKTRACE_H
#define NUB_NUB_BACKTRACE_H

#include <stddef.h>
#include <stdint.h>

#include "nub/image.h"
#include "nub/outcome.h"

struct nub_frame {
	uint64_t rip; /* of the instruction, in the first frame; else where the call returns to */
	uint64_t cfa; /* the caller's rsp after the return */
};

/* Copy guest memory; 0 or -1. */
typedef int (*nub_read_memory)(void *context, uint64_t gva, void *bytes, size_t size);

/* The call stack, innermost first: by the call frame information of the image (DWARF; `image` may be NULL) and, where there
 * is none, by frame pointers. It ends where neither makes sense. The number of frames, 1 to `max`. */
size_t nub_backtrace(const struct nub_image *image, const struct nub_registers *regs, nub_read_memory read,
                     void *context, struct nub_frame *frames, size_t max);

#endif
