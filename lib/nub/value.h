/* Typed values, as functions take and give them, and what a guest says of the functions that it exports.
 *
 *     struct nub_value args[] = { { .type = NUB_TYPE_I64, .i64 = 2 }, { .type = NUB_TYPE_I64, .i64 = 40 } };
 *
 * The bytes of a STRING or BYTES value are borrowed: who gives one says how long they stay.
 */
#ifndef NUB_NUB_VALUE_H
#define NUB_NUB_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/nub_abi.h"

struct nub_value {
	enum nub_type type;
	union {
		int32_t i32;
		uint32_t u32;
		int64_t i64;
		uint64_t u64;
		float f32;
		double f64;
		bool boolean;
		struct {
			const uint8_t *data; /* STRING: no NUL follows */
			uint32_t size;
		} bytes; /* STRING and BYTES; borrowed */
	};
};

const char *nub_type_name(enum nub_type type); /* "i64", "string", … */

struct nub_function {
	char name[NUB_NAME_MAX + 1];
	enum nub_type result;
	unsigned param_count;
	enum nub_type params[NUB_MAX_PARAMS];
};

#endif
