/* The notes of a core, shared by the files that make them. Private. */
#ifndef NUB_CORE_NOTES_H
#define NUB_CORE_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "coredump/core_file.h"

void nub_core_put_note(struct nub_writer *writer, const char *name, uint32_t type, const void *bytes, size_t size);

/* core_notes_decode.c: take the next note (ELF gABI, note sections). False when the cursor has failed. */
struct nub_core_note {
	uint32_t type;
	const char *name; /* name_size bytes, its NUL included */
	uint32_t name_size;
	const uint8_t *bytes;
	uint32_t size;
};
bool nub_core_take_note(struct nub_cursor *cursor, struct nub_core_note *note);
bool nub_core_note_is(const struct nub_core_note *note, const char *name);

/* core_notes_files.c: NT_AUXV and NT_FILE. Error: NO_MEMORY. */
void nub_core_put_auxv(struct nub_writer *writer, const struct nub_core *core);
int nub_core_put_files(struct nub_writer *notes, const struct nub_core *core, struct nub_error *err);

#endif
