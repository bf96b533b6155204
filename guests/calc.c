/* Exported functions over every type of value, with errors of the guest's own: nubrun run --call div calc.elf 7 0. */
#include "nub_guest.h"

static int64_t add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}
NUB_EXPORT(add, I64, I64, I64)

static int64_t sub(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}
NUB_EXPORT(sub, I64, I64, I64)

static int64_t mul(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a * (uint64_t)b);
}
NUB_EXPORT(mul, I64, I64, I64)

static int64_t div(int64_t a, int64_t b)
{
	if (b == 0) {
		nub_fail(1, "division of %lld by zero", (long long)a);
		return 0;
	}
	return b == -1 ? sub(0, a) : a / b;
}
NUB_EXPORT(div, I64, I64, I64)

static double hypot_f64(double a, double b)
{
	double square = a * a + b * b;
	double root;

	__asm__("sqrtsd %1, %0" : "=x"(root) : "x"(square));
	return root;
}
NUB_EXPORT(hypot_f64, F64, F64, F64)

static float scale_f32(float value, float factor)
{
	return value * factor;
}
NUB_EXPORT(scale_f32, F32, F32, F32)

static bool not_bool(bool value)
{
	return !value;
}
NUB_EXPORT(not_bool, BOOL, BOOL)

static uint32_t mask_u32(uint32_t value, uint32_t mask)
{
	return value & mask;
}
NUB_EXPORT(mask_u32, U32, U32, U32)

static uint64_t mul_u64(uint64_t a, uint64_t b)
{
	return a * b;
}
NUB_EXPORT(mul_u64, U64, U64, U64)

static int32_t neg_i32(int32_t value)
{
	return (int32_t) - (uint32_t)value;
}
NUB_EXPORT(neg_i32, I32, I32)

static const char *concat(const char *a, const char *b)
{
	size_t length = strlen(a);
	char *joined = (char *)nub_temp(length + strlen(b) + 1);

	if (!joined) {
		nub_fail(2, "no heap for %zu bytes", length + strlen(b) + 1);
		return "";
	}
	strcpy(joined, a);
	strcpy(joined + length, b);
	return joined;
}
NUB_EXPORT(concat, STRING, STRING, STRING)

static struct nub_bytes reverse(struct nub_bytes bytes)
{
	const uint8_t *from = (const uint8_t *)bytes.data;
	uint8_t *to = (uint8_t *)nub_temp(bytes.size);

	if (!to) {
		nub_fail(2, "no heap for %u bytes", bytes.size);
		return (struct nub_bytes){ NULL, 0 };
	}
	for (uint32_t i = 0; i < bytes.size; i++)
		to[i] = from[bytes.size - 1 - i];
	return (struct nub_bytes){ to, bytes.size };
}
NUB_EXPORT(reverse, BYTES, BYTES)

static void nothing(void)
{
}
NUB_EXPORT(nothing, VOID)

/* As many parameters as a function can have, every type among them. */
static double sum_ten(int32_t a, uint32_t b, int64_t c, uint64_t d, float e, double f, bool g, const char *text,
                      struct nub_bytes bytes, int32_t last)
{
	return a + (double)b + (double)c + (double)d + (double)e + f + g + (double)strlen(text) + bytes.size + last;
}
NUB_EXPORT(sum_ten, F64, I32, U32, I64, U64, F32, F64, BOOL, STRING, BYTES, I32)
