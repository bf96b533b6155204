/* A CPU-bound loop over registers and 4 KiB of memory; with -DNATIVE, a program of the host's. */
#ifdef NATIVE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#else
#include "nub_guest.h"
#endif

#define WORDS 512

int main(int argc, char **argv)
{
	static uint64_t table[WORDS];
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	uint64_t state = 0x9e3779b97f4a7c15u, sum = 0;

	for (unsigned long round = 0; round < rounds; round++) {
		for (int i = 0; i < WORDS; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			table[i] += state ^ table[state % WORDS];
			sum = (sum ^ table[i]) * 0x100000001b3u;
		}
	}
	printf("%lu rounds: %016llx\n", rounds, (unsigned long long)sum);
	return 0;
}
