/* The rows that were measured: as tables, one for each engine, and as JSON. Rows are added by report() and its kin (measure.h). */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stddef.h>

struct summary {
	char *name;
	double q1, median, q3;
};

struct row {
	const char *engine; /* as NUBRUN_ENGINE has it */
	char *what;
	char *reason; /* why it isn't measured; else NULL, and all that follows is there */
	struct summary base, ours;
	const char *unit;
	double target; /* the ratio to reach; 0: none is set */
};

double row_ratio(const struct row *row);
bool row_is_reached(const struct row *row);

/* Rows are this engine's from here on. The table of those before is printed: columns are as wide as all of them need. */
void rows_begin(const char *engine, size_t runs);

/* Print what isn't yet. Also done when the process ends otherwise: what was measured before a failure isn't lost. */
void rows_print(void);

/* All rows, in their order. */
const struct row *rows_all(size_t *count);

/* rows_json.c: write them all as JSON, with what they were measured on and the number of runs; the current folder is the build's. */
void rows_write(const char *path, size_t runs);

#endif
