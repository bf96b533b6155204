/* A Linux program that stands still, as bytes, and back: a thaw.
 *
 *     nub_linux_save(linux, &writer)        all but the bytes of its memory,
 *     nub_linux_image_each(linux, ...)      and these, page by page, in the order in which they are to be found again
 *
 *     linux = nub_linux_make(...)           with the grants of its new life
 *     nub_linux_restore(linux, &cursor)     the pages' bytes are in the machine's memory already
 *
 * A thaw is a fork: the program gets another pid, other random bytes where AT_RANDOM points, zeros where it asked for them
 * (MADV_WIPEONFORK). Its file is not needed again: what could still be read from it is in the image.
 */
#ifndef NUB_LINUX_STATE_H
#define NUB_LINUX_STATE_H

#include "base/cursor.h"
#include "personality/linux/linux.h"

/* Between two calls of nub_linux_next, or before the first. Whether pages could not be had to save shows in linux->end. */
void nub_linux_save(struct nub_linux *linux, struct nub_writer *writer);

/* Pages of the image: bytes[0..size) lie at `offset` in it. As nub_linux_save has placed them. */
typedef int (*nub_linux_image_visitor)(void *context, uint64_t offset, const uint8_t *bytes, uint64_t size,
                                       struct nub_error *err);
int nub_linux_image_each(struct nub_linux *linux, nub_linux_image_visitor visit, void *context, struct nub_error *err);

/* How large it is, gaps included. */
uint64_t nub_linux_image_size(const struct nub_linux *linux);

/* Into what nub_linux_make gave. The image's first byte is the first of the machine's memory. What is read is hostile. Errors:
 * SNAPSHOT_FIELD, SNAPSHOT_TRUNCATED, those of the families (NOT_FOUND: a file that it had open), NO_MEMORY. */
int nub_linux_restore(struct nub_linux *linux, struct nub_cursor *cursor);

#endif
