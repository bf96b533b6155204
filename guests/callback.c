/* Calls functions of the host, from main and from exported functions: nubrun run --host-fn 'greet=...' callback.elf. */
#include "nub_guest.h"

/* What the host makes of the text: host_upper(STRING) -> STRING. */
static const char *ask(const char *text)
{
	struct nub_value answer;

	if (nub_host("host_upper", &answer, NUB_TYPE_STRING, nub_string(text)) < 0) {
		nub_fail(1, "%s", nub_host_error());
		return "";
	}
	return answer.string;
}
NUB_EXPORT(ask, STRING, STRING)

/* The host adds: host_add(I64, I64) -> I64. */
static int64_t sum_host(int64_t a, int64_t b)
{
	struct nub_value sum;

	if (nub_host("host_add", &sum, NUB_TYPE_I64, nub_i64(a), nub_i64(b)) < 0) {
		nub_fail(1, "%s", nub_host_error());
		return 0;
	}
	return sum.i64;
}
NUB_EXPORT(sum_host, I64, I64, I64)

/* Functions that every host has: the hour in the lower bits, random bytes above them. */
static uint64_t clock_and_dice(void)
{
	uint8_t dice[7];

	if (nub_random(dice, sizeof(dice)) < 0) {
		nub_fail(1, "%s", nub_host_error());
		return 0;
	}
	uint64_t hour = nub_time_ns() / UINT64_C(3600000000000) % 24;
	for (size_t i = 0; i < sizeof(dice); i++)
		hour |= (uint64_t)dice[i] << (8 * (i + 1));
	return hour;
}
NUB_EXPORT(clock_and_dice, U64)

int main(int argc, char **argv)
{
	struct nub_value greeting;

	if (nub_host("greet", &greeting, NUB_TYPE_STRING, nub_string(argc > 1 ? argv[1] : "guest")) < 0) {
		fprintf(stderr, "greet: %s\n", nub_host_error());
		return 3;
	}
	printf("%s\n", greeting.string);
	return 0;
}
