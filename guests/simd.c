/* Checks AVX and AVX2 results against scalar ones, as far as the processor says that it has them; exits with 1 if wrong. */
#include "nub_guest.h"

#include <cpuid.h>
#include <immintrin.h>

#define COUNT 64

static uint64_t enabled_states(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static void detect(bool *avx, bool *avx2)
{
	const uint64_t sse_and_avx = 6;
	uint32_t a, b, c, d;

	*avx = *avx2 = false;
	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE) || !(c & bit_AVX) || (enabled_states() & sse_and_avx) != sse_and_avx)
		return;
	*avx = true;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		*avx2 = (b & bit_AVX2) != 0;
}

/* Lane by lane, in the order in which the vector code below adds. */
static float scalar_dot(const float *a, const float *b)
{
	float lanes[8] = { 0 };

	for (int i = 0; i < COUNT; i++)
		lanes[i % 8] += a[i] * b[i];
	for (int i = 1; i < 8; i++)
		lanes[0] += lanes[i];
	return lanes[0];
}

__attribute__((target("avx"))) static float avx_dot(const float *a, const float *b)
{
	__m256 sum = _mm256_setzero_ps();
	float lanes[8];

	for (int i = 0; i < COUNT; i += 8)
		sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i)));
	_mm256_storeu_ps(lanes, sum);
	for (int i = 1; i < 8; i++)
		lanes[0] += lanes[i];
	return lanes[0];
}

static uint32_t scalar_mix(const uint32_t *a, const uint32_t *b)
{
	uint32_t mixed = 0;

	for (int i = 0; i < COUNT; i++)
		mixed ^= (a[i] * b[i]) + (a[i] >> (b[i] & 31));
	return mixed;
}

__attribute__((target("avx2"))) static uint32_t avx2_mix(const uint32_t *a, const uint32_t *b)
{
	__m256i mixed = _mm256_setzero_si256();
	uint32_t lanes[8];

	for (int i = 0; i < COUNT; i += 8) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(a + i));
		__m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(b + i));
		__m256i shifted = _mm256_srlv_epi32(x, _mm256_and_si256(y, _mm256_set1_epi32(31)));
		mixed = _mm256_xor_si256(mixed, _mm256_add_epi32(_mm256_mullo_epi32(x, y), shifted));
	}
	_mm256_storeu_si256((__m256i *)(void *)lanes, mixed);
	for (int i = 1; i < 8; i++)
		lanes[0] ^= lanes[i];
	return lanes[0];
}

int main(void)
{
	float f[COUNT], g[COUNT];
	uint32_t u[COUNT], v[COUNT];
	bool avx, avx2;

	for (int i = 0; i < COUNT; i++) {
		f[i] = (float)i * 0.37f - 5;
		g[i] = 3 - (float)i * 0.11f;
		u[i] = 2654435761u * (uint32_t)(i + 1);
		v[i] = u[i] ^ u[i] >> 13;
	}
	detect(&avx, &avx2);
	bool avx_right = !avx || avx_dot(f, g) == scalar_dot(f, g);
	bool avx2_right = !avx2 || avx2_mix(u, v) == scalar_mix(u, v);
	printf("avx: %s\n", !avx ? "absent" : avx_right ? "ok" : "wrong");
	printf("avx2: %s\n", !avx2 ? "absent" : avx2_right ? "ok" : "wrong");
	printf("dot: %.3f, mix: %08x\n", (double)scalar_dot(f, g), scalar_mix(u, v));
	return avx_right && avx2_right ? 0 : 1;
}
