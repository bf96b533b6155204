/* The notes of a core, shared by the files that make them. Private. */
#ifndef NUB_CORE_NOTES_H
#define NUB_CORE_NOTES_H

#include "base/cursor.h"
#include "coredump/core_file.h"

void nub_core_put_note(struct nub_writer *writer, const char *name, uint32_t type, const void *bytes, size_t size);

/* core_notes_files.c: NT_AUXV and NT_FILE. Error: NO_MEMORY. */
void nub_core_put_auxv(struct nub_writer *writer, const struct nub_core *core);
int nub_core_put_files(struct nub_writer *notes, const struct nub_core *core, struct nub_error *err);

#endif
