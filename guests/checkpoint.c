/* Counts through a dozen checkpoints and checks at each that heap, general and vector registers are as they were. */
#include "nub_guest.h"

#define STEPS 12
#define GENERAL 6
#define VECTORS 8

struct registers {
	uint64_t general[GENERAL];
	uint64_t vectors[VECTORS][2];
};

/* A checkpoint with known values in registers; what is in them afterwards goes to `found`. */
static int checkpoint_with(const struct registers *set, struct registers *found)
{
	uint32_t restored = 0;

	fflush(stdout);
	__asm__ volatile("movq 0(%[set]), %%rbx\n\t"
	                 "movq 8(%[set]), %%r8\n\t"
	                 "movq 16(%[set]), %%r9\n\t"
	                 "movq 24(%[set]), %%r12\n\t"
	                 "movq 32(%[set]), %%r13\n\t"
	                 "movq 40(%[set]), %%r15\n\t"
	                 "movdqu 48(%[set]), %%xmm0\n\t"
	                 "movdqu 64(%[set]), %%xmm1\n\t"
	                 "movdqu 80(%[set]), %%xmm2\n\t"
	                 "movdqu 96(%[set]), %%xmm3\n\t"
	                 "movdqu 112(%[set]), %%xmm4\n\t"
	                 "movdqu 128(%[set]), %%xmm5\n\t"
	                 "movdqu 144(%[set]), %%xmm14\n\t"
	                 "movdqu 160(%[set]), %%xmm15\n\t"
	                 "outb %%al, %%dx\n\t"
	                 "movq %%rbx, 0(%[found])\n\t"
	                 "movq %%r8, 8(%[found])\n\t"
	                 "movq %%r9, 16(%[found])\n\t"
	                 "movq %%r12, 24(%[found])\n\t"
	                 "movq %%r13, 32(%[found])\n\t"
	                 "movq %%r15, 40(%[found])\n\t"
	                 "movdqu %%xmm0, 48(%[found])\n\t"
	                 "movdqu %%xmm1, 64(%[found])\n\t"
	                 "movdqu %%xmm2, 80(%[found])\n\t"
	                 "movdqu %%xmm3, 96(%[found])\n\t"
	                 "movdqu %%xmm4, 112(%[found])\n\t"
	                 "movdqu %%xmm5, 128(%[found])\n\t"
	                 "movdqu %%xmm14, 144(%[found])\n\t"
	                 "movdqu %%xmm15, 160(%[found])"
	                 : "+a"(restored)
	                 : [set] "S"(set), [found] "D"(found), "d"((uint16_t)NUB_PORT_CHECKPOINT)
	                 : "rbx", "r8", "r9", "r12", "r13", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
	                   "xmm14", "xmm15", "memory");
	return restored & 1;
}

static void prepare(struct registers *set, unsigned step)
{
	for (unsigned i = 0; i < GENERAL; i++)
		set->general[i] = step * 0x0101010101010101u + i;
	for (unsigned i = 0; i < VECTORS; i++) {
		set->vectors[i][0] = ~(uint64_t)step << i;
		set->vectors[i][1] = step * 0x1234567u + i;
	}
}

int main(void)
{
	struct registers set, found;
	uint32_t *history = (uint32_t *)calloc(STEPS, sizeof(*history));

	if (!history)
		return 1;
	for (unsigned step = 0; step < STEPS; step++) {
		int restored;
		history[step] = step * step;
		if (step % 2 == 0) {
			restored = nub_checkpoint();
		} else {
			prepare(&set, step);
			restored = checkpoint_with(&set, &found);
			if (memcmp(&set, &found, sizeof(set)) != 0) {
				printf("step %u: registers changed\n", step);
				return 1;
			}
		}
		printf("step %u: %s\n", step, restored ? "restored" : "goes on");
		for (unsigned i = 0; i <= step; i++) {
			if (history[i] != i * i) {
				printf("step %u: heap changed\n", step);
				return 1;
			}
		}
	}
	free(history);
	printf("done\n");
	return 0;
}
