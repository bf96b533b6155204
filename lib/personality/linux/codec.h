/* State as bytes and back, by one description: what names a field writes it or reads it. Little-endian.
 *
 * Reading checks with the cursor: after the first failure all fields stay as they are. Values must be checked by the caller.
 */
#ifndef NUB_LINUX_CODEC_H
#define NUB_LINUX_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

struct nub_linux_codec {
	struct nub_writer *writer; /* saving */
	struct nub_cursor *cursor; /* loading */
};

void nub_linux_code_u32(struct nub_linux_codec *codec, uint32_t *value, const char *what);
void nub_linux_code_u64(struct nub_linux_codec *codec, uint64_t *value, const char *what);
void nub_linux_code_bool(struct nub_linux_codec *codec, bool *value, const char *what); /* 0 or 1 */

/* A string of at most `most` bytes, owned; NULL where `optional`. */
void nub_linux_code_text(struct nub_linux_codec *codec, char **text, size_t most, bool optional, const char *what);

/* Fail, when loading: SNAPSHOT_FIELD, or another kind of error with a parameter that would help. Gives -1. */
int nub_linux_code_fail(struct nub_linux_codec *codec, const char *format, ...) __attribute__((format(printf, 2, 3)));
int nub_linux_code_refuse(struct nub_linux_codec *codec, enum nub_error_kind kind, const char *parameter,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

static inline bool nub_linux_code_failed(const struct nub_linux_codec *codec)
{
	return codec->cursor ? codec->cursor->failed : codec->writer->failed;
}

#endif
