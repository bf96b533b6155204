/* The rows that were measured, and their tables. */
#include "rows.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

enum { MAX_ROWS = 256 };

static struct row rows[MAX_ROWS];
static size_t count, printed, runs_of_each;
static const char *engine;

double row_ratio(const struct row *row)
{
	return row->ours.median / row->base.median;
}

bool row_is_reached(const struct row *row)
{
	return row->target <= 0 || row_ratio(row) <= row->target;
}

const struct row *rows_all(size_t *number)
{
	*number = count;
	return rows;
}

/* ---- Adding ---- */

static char *copy(const char *text)
{
	char *made = strdup(text);

	if (!made)
		fail(text);
	return made;
}

/* A table is printed when all its rows are there, which takes minutes: a terminal shows which was the last. */
static void show_progress(const char *what)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s: %s", engine, what);
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static struct row *add_row(const char *what)
{
	if (count == MAX_ROWS) {
		errno = ENOBUFS;
		fail(what);
	}
	struct row *row = &rows[count];
	*row = (struct row){ .engine = engine, .what = copy(what) };
	show_progress(what);
	return row;
}

static struct summary summarize(const char *name, struct series *series)
{
	return (struct summary){
		.name = copy(name),
		.q1 = quantile(series, 0.25),
		.median = median(series),
		.q3 = quantile(series, 0.75),
	};
}

void report_in(const char *unit, const char *what, const char *base_name, struct series *base, const char *name,
               struct series *ours, double target)
{
	struct row *row = add_row(what);

	row->base = summarize(base_name, base);
	row->ours = summarize(name, ours);
	row->unit = unit;
	row->target = target;
	count++;
}

void report(const char *what, const char *base_name, struct series *base, const char *name, struct series *ours,
            double target)
{
	report_in("us", what, base_name, base, name, ours, target);
}

void not_measured(const char *what, const char *format, ...)
{
	struct row *row = add_row(what);
	va_list args;

	va_start(args, format);
	if (vasprintf(&row->reason, format, args) < 0)
		fail(what);
	va_end(args);
	count++;
}

/* ---- Printing ---- */

/* Columns of text are as wide as their longest. */
struct widths {
	int what, base, ours;
};

static void widen(int *width, const char *text)
{
	const int length = (int)strlen(text);

	if (length > *width)
		*width = length;
}

static struct widths widths_of(const struct row *some, size_t number)
{
	struct widths widths = { 0 };

	widen(&widths.what, "row");
	widen(&widths.base, "base");
	widen(&widths.ours, "measured");
	for (size_t i = 0; i < number; i++) {
		widen(&widths.what, some[i].what);
		if (some[i].reason)
			continue;
		widen(&widths.base, some[i].base.name);
		widen(&widths.ours, some[i].ours.name);
	}
	return widths;
}

static void print_summary(const struct summary *summary, int width, const char *unit)
{
	printf("  %-*s  %11.1f %-3s %5.1f %%", width, summary->name, summary->median, unit,
	       summary->median > 0 ? (summary->q3 - summary->q1) / summary->median * 100 : 0);
}

static void print_row(const struct row *row, const struct widths *widths)
{
	printf("%-*s", widths->what, row->what);
	if (row->reason) {
		printf("  not measured: %s\n", row->reason);
		return;
	}
	print_summary(&row->base, widths->base, row->unit);
	print_summary(&row->ours, widths->ours, row->unit);
	printf("  %7.3f", row_ratio(row));
	if (row->target > 0)
		printf("  %8.2f%s", row->target, row_is_reached(row) ? "" : "  not reached");
	putchar('\n');
}

void rows_print(void)
{
	const struct row *some = &rows[printed];
	const struct widths widths = widths_of(some, count - printed);

	if (printed == count)
		return;
	end_progress();
	printf("%sengine %s: medians of %zu runs in turn, and how far the middle half of them spreads\n",
	       printed > 0 ? "\n" : "", some->engine, runs_of_each);
	printf("%-*s  %-*s  %15s  %6s  %-*s  %15s  %6s  %7s  %8s\n", widths.what, "row", widths.base, "base", "median",
	       "spread", widths.ours, "measured", "median", "spread", "ratio", "to reach");
	for (; printed < count; printed++)
		print_row(&rows[printed], &widths);
	fflush(stdout);
}

void rows_begin(const char *name, size_t runs)
{
	if (!engine)
		atexit(rows_print);
	rows_print();
	engine = name;
	runs_of_each = runs;
}
