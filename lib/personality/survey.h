/* What is told of a Linux program that stands still, beside its memory: its threads, its auxiliary vector, the files that it has
 * mapped. Of a running one the personality tells it, of a saved one its state (linux/survey.h).
 */
#ifndef NUB_SURVEY_H
#define NUB_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "nub/error.h"
#include "nub/outcome.h"

/* A thread of a guest that has several. */
struct nub_guest_thread {
	uint32_t tid;
	bool current; /* the one that runs, or with which it stopped */
	int64_t call; /* the system call that it waits in; -1: it can run */
	char name[16];
	struct nub_registers regs;
	uint64_t fs_base, gs_base;
	uint8_t xsave[NUB_XSAVE_SIZE];
};

/* A part of a file in its memory. `path` is the program's. */
struct nub_guest_file {
	uint64_t gva, size, offset; /* multiples of the page size */
	char *path;
};

/* All of it is owned, and zero at first; it stays so for guests that are no Linux programs. */
struct nub_survey {
	struct nub_guest_thread *threads; /* one of them is current */
	size_t thread_count;
	uint8_t *auxv; /* AT_NULL included */
	size_t auxv_size;
	struct nub_guest_file *files; /* by gva */
	size_t file_count;
};

void nub_survey_release(struct nub_survey *survey);

/* Error: NO_MEMORY. The path is copied. */
int nub_survey_add_thread(struct nub_survey *survey, const struct nub_guest_thread *thread, struct nub_error *err);
int nub_survey_add_file(struct nub_survey *survey, uint64_t gva, uint64_t size, uint64_t offset, const char *path,
                        size_t path_size, struct nub_error *err);
int nub_survey_set_auxv(struct nub_survey *survey, const uint8_t *auxv, size_t size, struct nub_error *err);

#endif
