/* A program whose functions are bound when they are called first, behind the point where it is frozen; with the registers in use
 * that the CPU has then, as any other code in it may have them. */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

enum { XCR0_AVX512 = 0xe0, OSXSAVE = 1 << 27, AVX512BW = 1 << 30 };

__attribute__((target("xsave"))) static int has_avx512(void)
{
	unsigned eax, ebx, ecx, edx;

	__cpuid(1, eax, ebx, ecx, edx);
	if (!(ecx & OSXSAVE) || (_xgetbv(0) & XCR0_AVX512) != XCR0_AVX512)
		return 0;
	__cpuid_count(7, 0, eax, ebx, ecx, edx);
	return (ebx & AVX512BW) != 0;
}

/* Masks, upper halves of the first 16 registers, and the other 16. */
__attribute__((target("avx512f,avx512bw"))) static void use_avx512(void)
{
	__asm__ volatile("kxnorq %%k1, %%k1, %%k1\n\t"
	                 "kxnorq %%k7, %%k7, %%k7\n\t"
	                 "vpternlogd $0xff, %%zmm0, %%zmm0, %%zmm0\n\t"
	                 "vpternlogd $0xff, %%zmm15, %%zmm15, %%zmm15\n\t"
	                 "vpternlogd $0xff, %%zmm16, %%zmm16, %%zmm16\n\t"
	                 "vpternlogd $0xff, %%zmm31, %%zmm31, %%zmm31"
	                 :
	                 :
	                 : "k1", "k7", "xmm0", "xmm15", "xmm16", "xmm31");
}

/* By the system call: no function is bound before. */
static void say_ready(void)
{
	static const char text[] = "ready\n";
	long result = SYS_write;

	__asm__ volatile("syscall"
	                 : "+a"(result)
	                 : "D"(STDOUT_FILENO), "S"(text), "d"(sizeof(text) - 1)
	                 : "rcx", "r11", "memory");
}

int main(void)
{
	char text[32];

	say_ready();
	const int wide = has_avx512();
	if (wide)
		use_avx512();
	const int number = atoi("40");
	if (wide)
		use_avx512();
	const double half = strtod("0.5", NULL);
	if (wide)
		use_avx512();
	snprintf(text, sizeof(text), "%d %.1f", number + 2, half);
	if (wide)
		use_avx512();
	puts(text);
	puts(wide ? "AVX-512 in use" : "no AVX-512");
	return 0;
}
