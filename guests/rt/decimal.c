/* The exact decimal digits of a double, and their rounding: long arithmetic in units of 10^9 (format.h). */
#include "format.h"

#define LIMB 1000000000u

/* A number of at most 88 * 9 digits, lowest limb first. The largest mantissa times 5^1074 has 767. */
struct big {
	uint32_t limbs[88];
	int count;
};

static void multiply(struct big *big, uint32_t factor)
{
	uint64_t carry = 0;

	for (int i = 0; i < big->count; i++) {
		carry += (uint64_t)big->limbs[i] * factor;
		big->limbs[i] = (uint32_t)(carry % LIMB);
		carry /= LIMB;
	}
	for (; carry; carry /= LIMB)
		big->limbs[big->count++] = (uint32_t)(carry % LIMB);
}

/* Multiply by base^exponent; base^most fits 32 bits. */
static void multiply_power(struct big *big, uint32_t base, int exponent, int most)
{
	while (exponent > 0) {
		uint32_t factor = 1;
		for (int i = 0; i < most && exponent > 0; i++, exponent--)
			factor *= base;
		multiply(big, factor);
	}
}

static void strip_zeros(struct rt_decimal *decimal)
{
	while (decimal->count > 0 && decimal->digits[decimal->count - 1] == '0')
		decimal->count--;
	if (decimal->count == 0)
		decimal->point = 0;
}

static void write_digits(struct rt_decimal *decimal, const struct big *big)
{
	decimal->count = 0;
	for (int i = big->count - 1; i >= 0; i--) {
		uint32_t limb = big->limbs[i];
		for (uint32_t unit = LIMB / 10; unit > 0; unit /= 10) {
			char digit = (char)('0' + limb / unit % 10);
			if (decimal->count > 0 || digit != '0')
				decimal->digits[decimal->count++] = digit;
		}
	}
}

/* value = mantissa * 2^exponent = mantissa * 5^-exponent / 10^-exponent: with a negative exponent, the digits of a whole
 * number with the point moved. */
void rt_decimal_from_double(struct rt_decimal *decimal, double value)
{
	uint64_t bits;
	struct big big;

	__builtin_memcpy(&bits, &value, sizeof(bits));
	uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
	int exponent = (int)(bits >> 52 & 0x7ff);
	if (exponent > 0)
		mantissa |= UINT64_C(1) << 52;
	else
		exponent = 1;
	exponent -= 1075;
	if (mantissa == 0) {
		decimal->count = 0;
		decimal->point = 0;
		return;
	}
	int zeros = __builtin_ctzll(mantissa);
	mantissa >>= zeros;
	exponent += zeros;

	big.count = 0;
	for (; mantissa; mantissa /= LIMB)
		big.limbs[big.count++] = (uint32_t)(mantissa % LIMB);
	if (exponent > 0)
		multiply_power(&big, 2, exponent, 29);
	else
		multiply_power(&big, 5, -exponent, 13);
	write_digits(decimal, &big);
	decimal->point = decimal->count - (exponent < 0 ? -exponent : 0);
	strip_zeros(decimal);
}

void rt_decimal_round(struct rt_decimal *decimal, int64_t keep)
{
	if (keep >= decimal->count)
		return;
	if (keep < 0) {
		decimal->count = 0;
		decimal->point = 0;
		return;
	}
	/* Trailing zeros were stripped: a 5 that is the last digit is exactly a half. */
	char next = decimal->digits[keep];
	int odd = keep > 0 && (decimal->digits[keep - 1] - '0') % 2;
	int up = next > '5' || (next == '5' && (keep + 1 < decimal->count || odd));
	int i = (int)keep;

	decimal->count = i;
	while (up && i > 0) {
		if (decimal->digits[i - 1] != '9') {
			decimal->digits[i - 1]++;
			up = 0;
		} else {
			decimal->count = --i;
		}
	}
	if (up) {
		decimal->digits[0] = '1';
		decimal->count = 1;
		decimal->point++;
		return;
	}
	strip_zeros(decimal);
}
