/* A generator for runs that repeat, and the kernel's for all others. */
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"

/* splitmix64 (Steele, Lea, Flood 2014): every seed gives a full-period sequence. Not for secrets, and only used when a
 * user asks for runs that repeat. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Over 256 bytes, a signal may cut it short. */
static int ask_kernel(uint8_t *out, size_t size, struct nub_error *err)
{
	for (ssize_t got; size > 0; out += got, size -= (size_t)got) {
		got = getrandom(out, size, 0);
		if (got < 0 && errno != EINTR)
			return nub_fail_errno(err, NUB_E_IO, "getrandom");
		if (got < 0)
			got = 0;
	}
	return 0;
}

enum { FIRST_AMOUNT = 64 };

/* A call of a guest's function takes 8 bytes; asking for them each time would be a tenth of it. Few at first: a process that makes
 * one call is to be quick, too. */
static int take_from_pool(struct nub_random *random, uint8_t *out, size_t size, struct nub_error *err)
{
	if (random->left < size) {
		const size_t amount = random->in_use ? sizeof(random->pool) : FIRST_AMOUNT;
		if (ask_kernel(random->pool, amount, err) < 0)
			return -1;
		random->left = amount;
		random->in_use = true;
	}
	random->left -= size;
	memcpy(out, random->pool + random->left, size);
	explicit_bzero(random->pool + random->left, size);
	return 0;
}

int nub_random_bytes(struct nub_random *random, void *bytes, size_t size, struct nub_error *err)
{
	uint8_t *out = bytes;

	if (!random->seeded)
		return size > sizeof(uint64_t) ? ask_kernel(out, size, err) : take_from_pool(random, out, size, err);
	while (size > 0) {
		const uint64_t word = next_random(&random->state);
		const size_t part = size < sizeof(word) ? size : sizeof(word);
		memcpy(out, &word, part);
		out += part;
		size -= part;
	}
	return 0;
}
