/* Typed values on the wire: requests, host calls, replies, log records (layout: abi/nub_abi.h). Pure.
 *
 * Decoders take bytes that were copied out of the ring, check them to the last byte (trailing bytes are an error), and
 * give values that borrow from those bytes. Encoders append to a growing buffer. Errors: VALUE, naming the offset and
 * what was expected there; NO_MEMORY.
 */
#ifndef NUB_VALUE_H
#define NUB_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "nub/config.h"
#include "nub/error.h"
#include "nub/value.h"

/* Is name[0..size) a function's name: 1 to NUB_NAME_MAX letters, digits, '_', '.' and '-', in ASCII? */
bool nub_name_valid(const char *name, size_t size);

int nub_encode_main(struct nub_buffer *buffer, unsigned argc, const char *const argv[], struct nub_error *err);
int nub_encode_call(struct nub_buffer *buffer, const char *name, enum nub_type result, const struct nub_value *args,
                    unsigned arg_count, struct nub_error *err);
int nub_encode_reply(struct nub_buffer *buffer, const struct nub_value *result, struct nub_error *err);
int nub_encode_reply_error(struct nub_buffer *buffer, uint32_t code, const char *message, struct nub_error *err);

struct nub_call {
	char name[NUB_NAME_MAX + 1];
	enum nub_type result;
	unsigned arg_count;
	struct nub_value args[NUB_MAX_PARAMS];
};
int nub_decode_call(const uint8_t *bytes, size_t size, struct nub_call *call, struct nub_error *err);

struct nub_reply {
	bool failed;
	uint32_t code;     /* when failed */
	char message[256]; /* when failed; cut to fit */
	struct nub_value value;
};
int nub_decode_reply(const uint8_t *bytes, size_t size, struct nub_reply *reply, struct nub_error *err);

struct nub_log_text {
	struct nub_log_record record; /* its strings are the arrays below */
	char source[256];
	char message[1024]; /* cut to fit */
};
int nub_decode_log(const uint8_t *bytes, size_t size, struct nub_log_text *log, struct nub_error *err);

#endif
