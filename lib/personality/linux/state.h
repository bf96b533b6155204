/* A Linux program that stands still, as bytes, and back: a thaw.
 *
 *     nub_linux_save(linux, &writer)        all but the bytes of its memory, whose pages are named by their gpas
 *
 *     linux = nub_linux_make(...)           with the grants of its new life
 *     nub_linux_restore(linux, &cursor)     the pages' bytes are in the machine's memory, at the same gpas
 *
 * A thaw is a fork: the program gets another pid, other random bytes where AT_RANDOM points, zeros where it asked for them
 * (MADV_WIPEONFORK), the arguments and variables of its new life if it asks for them (checkpoints.h). Its file is not needed again: what could still be read from it is in the image.
 */
#ifndef NUB_LINUX_STATE_H
#define NUB_LINUX_STATE_H

#include "base/cursor.h"
#include "personality/linux/linux.h"

/* Of a path, of arguments, of an environment. */
enum { NUB_LINUX_STATE_MOST_BYTES = 16 << 20 };

/* Between two calls of nub_linux_next, or before the first. Whether pages could not be had to save shows in linux->end. */
void nub_linux_save(struct nub_linux *linux, struct nub_writer *writer);

/* Into what nub_linux_make gave. What is read is hostile. Errors:
 * SNAPSHOT_FIELD, SNAPSHOT_TRUNCATED, USAGE (checkpoints.h), those of the families (SNAPSHOT_GRANT, SNAPSHOT_FILE), NO_MEMORY. */
int nub_linux_restore(struct nub_linux *linux, struct nub_cursor *cursor);

/* ---- Parts of it ---- */

/* What it begins with: the program that it is, into linux->program, which nub_linux_program_release frees. */
int nub_linux_program_load(struct nub_linux *linux, struct nub_cursor *cursor);

/* The next family's part, which the caller goes through by a cursor of its own. */
struct nub_linux_state_part {
	const uint8_t *name; /* in the state, without a NUL */
	size_t name_size;
	struct nub_cursor cursor;
};
int nub_linux_state_part(struct nub_cursor *cursor, struct nub_linux_state_part *part);

#endif
