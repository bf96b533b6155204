/* A checkpoint with known values in every register that a program has; its exit code says which came back changed. */
#include "nub_guest.h"

/* Bits of the exit code; test_restore.c expects none. */
enum { CHANGED_GENERAL = 1, CHANGED_VECTORS = 2, CHANGED_MXCSR = 4, CHANGED_X87 = 8, CHANGED_BASES = 16 };

/* rax, rdx and rsi are the checkpoint's, rsp and rdi the code's own. */
#define GENERAL 11

struct state {
	uint64_t general[GENERAL]; /* rbx rcx rbp r8 … r15 */
	uint64_t flags;
	uint64_t fs_base, gs_base;
	uint8_t xsave[1024] __attribute__((aligned(64)));
};

static struct state set, found;

static void fill(void)
{
	uint32_t mxcsr = 0xbfc0; /* FZ, round down, all masked, DAZ */
	uint16_t control = 0x0e7f;

	for (unsigned i = 0; i < GENERAL; i++)
		set.general[i] = UINT64_C(0x1122334455667788) * (i + 1);
	__asm__ volatile("wrfsbase %0\n\twrgsbase %1" : : "r"(UINT64_C(0x7123456789ab)), "r"(UINT64_C(0x6abcdef01234)));
	__asm__ volatile("fninit\n\tfldcw %0\n\tfldpi\n\tfldl2e\n\tfld1" : : "m"(control));
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	__asm__ volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0\n\t"
	                 "vinsertf128 $1, %%xmm0, %%ymm0, %%ymm7\n\t"
	                 "vmovq %0, %%xmm1\n\t"
	                 "vinsertf128 $1, %%xmm1, %%ymm1, %%ymm15\n\t"
	                 "vpsllq $3, %%xmm1, %%xmm2\n\t"
	                 "vinsertf128 $1, %%xmm2, %%ymm1, %%ymm8"
	                 :
	                 : "r"(UINT64_C(0xfedcba9876543210))
	                 : "memory");
}

/* Offsets in struct state, for the code below. */
#define TO(reg, n) "movq " #n "(%%rdi), %%" #reg "\n\t"
#define FROM(reg, n) "movq %%" #reg ", " #n "(%%rdi)\n\t"
#define ALL(f) f(rbx, 0) f(rcx, 8) f(r8, 24) f(r9, 32) f(r10, 40) f(r11, 48) f(r12, 56) f(r13, 64) f(r14, 72) f(r15, 80)
_Static_assert(offsetof(struct state, flags) == 88 && offsetof(struct state, xsave) == 128, "the offsets below");

/* The states before and after, each saved right beside the checkpoint. */
static int checkpoint(void)
{
	struct state *state = &set;
	uint32_t restored;

	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* below the red zone */
	                 "pushq %%rbp\n\t"
	                 "movl $7, %%eax\n\txorl %%edx, %%edx\n\txsave64 128(%%rdi)\n\t"
	                 "rdfsbase %%rax\n\tmovq %%rax, 96(%%rdi)\n\t"
	                 "rdgsbase %%rax\n\tmovq %%rax, 104(%%rdi)\n\t" ALL(
			     TO) "movq 16(%%rdi), %%rbp\n\t"
	                         "movl $0x8d5, %%eax\n\t" /* CF PF AF ZF SF OF */
	                         "pushq %%rax\n\tpopfq\n\t"
	                         "pushfq\n\tpopq 88(%%rdi)\n\t"
	                         "movl $0, %%eax\n\t"
	                         "movw %[port], %%dx\n\t"
	                         "outb %%al, %%dx\n\t"
	                         "leaq %[found], %%rdi\n\t"
	                         "pushfq\n\tpopq 88(%%rdi)\n\t" ALL(
				     FROM) "movq %%rbp, 16(%%rdi)\n\t"
	                                   "movl %%eax, %%esi\n\t"
	                                   "movl $7, %%eax\n\txorl %%edx, %%edx\n\txsave64 128(%%rdi)\n\t"
	                                   "rdfsbase %%rax\n\tmovq %%rax, 96(%%rdi)\n\t"
	                                   "rdgsbase %%rax\n\tmovq %%rax, 104(%%rdi)\n\t"
	                                   "popq %%rbp\n\tcld\n\tleaq 128(%%rsp), %%rsp"
	                 : "=S"(restored), "+D"(state), [found] "=m"(found)
	                 : [port] "i"(NUB_PORT_CHECKPOINT)
	                 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
	return (int)restored;
}

int main(void)
{
	int changed = 0;

	fill();
	const int restored = checkpoint();
	changed |= memcmp(set.general, found.general, sizeof(set.general)) != 0 || set.flags != found.flags
	               ? CHANGED_GENERAL
	               : 0;
	/* XMM, the upper halves of YMM; MXCSR; x87 control, status, tags and stack. */
	changed |= memcmp(set.xsave + 160, found.xsave + 160, 256) != 0 ? CHANGED_VECTORS : 0;
	changed |= memcmp(set.xsave + 576, found.xsave + 576, 256) != 0 ? CHANGED_VECTORS : 0;
	changed |= memcmp(set.xsave + 24, found.xsave + 24, 4) != 0 ? CHANGED_MXCSR : 0;
	changed |= memcmp(set.xsave, found.xsave, 5) != 0 ? CHANGED_X87 : 0;
	for (unsigned i = 0; i < 8; i++)
		changed |= memcmp(set.xsave + 32 + 16 * i, found.xsave + 32 + 16 * i, 10) != 0 ? CHANGED_X87 : 0;
	changed |= set.fs_base != found.fs_base || set.gs_base != found.gs_base ? CHANGED_BASES : 0;
	/* What is checked is not what it began as. */
	if (set.xsave[25] != 0xbf || set.xsave[1] != 0x0e || set.fs_base == 0 || set.xsave[576 + 7 * 16] != 0xff)
		return 64;
	printf("%s\n", restored ? "restored" : "goes on");
	return changed;
}
