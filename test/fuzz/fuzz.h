/* What a fuzz target offers to test/fuzz/driver.c, or to libFuzzer, which uses the first function only. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Try one input. A finding ends the process: by a sanitizer, a signal, or FUZZ_CHECK. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Write a good input to out[0..capacity) and give its size, which is never 0; 0 when there is no input `index`. */
size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity);

#define FUZZ_CHECK(condition)                                                                                          \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			__builtin_trap();                                                                              \
	} while (0)

#endif
