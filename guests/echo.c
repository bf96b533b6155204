/* Gives back what it gets: a function for each type of value, and a main that prints its arguments. */
#include "nub_guest.h"

static uint32_t calls;

static int32_t echo_i32(int32_t value)
{
	return value;
}
NUB_EXPORT(echo_i32, I32, I32)

static uint32_t echo_u32(uint32_t value)
{
	return value;
}
NUB_EXPORT(echo_u32, U32, U32)

static int64_t echo_i64(int64_t value)
{
	return value;
}
NUB_EXPORT(echo_i64, I64, I64)

static uint64_t echo_u64(uint64_t value)
{
	return value;
}
NUB_EXPORT(echo_u64, U64, U64)

static float echo_f32(float value)
{
	return value;
}
NUB_EXPORT(echo_f32, F32, F32)

static double echo_f64(double value)
{
	return value;
}
NUB_EXPORT(echo_f64, F64, F64)

static bool echo_bool(bool value)
{
	return value;
}
NUB_EXPORT(echo_bool, BOOL, BOOL)

static const char *echo_string(const char *text)
{
	return text;
}
NUB_EXPORT(echo_string, STRING, STRING)

static struct nub_bytes echo_bytes(struct nub_bytes bytes)
{
	return bytes;
}
NUB_EXPORT(echo_bytes, BYTES, BYTES)

static void echo_void(void)
{
	calls++;
}
NUB_EXPORT(echo_void, VOID)

/* How often echo_void was called: what a guest remembers from one call to the next. */
static uint32_t count(void)
{
	return calls;
}
NUB_EXPORT(count, U32)

/* As many bytes as asked for, each its offset modulo 251: an answer of any size to a small question. */
static struct nub_bytes make_bytes(uint32_t size)
{
	struct nub_bytes made = { nub_temp(size), size };
	uint8_t *at = (uint8_t *)(uintptr_t)made.data;

	if (!at) {
		nub_fail(1, "no heap for %u bytes", size);
		return (struct nub_bytes){ NULL, 0 };
	}
	for (uint32_t i = 0; i < size; i++)
		at[i] = (uint8_t)(i % 251);
	return made;
}
NUB_EXPORT(make_bytes, BYTES, U32)

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		printf(i > 1 ? " %s" : "%s", argv[i]);
	printf("\n");
	return 0;
}
