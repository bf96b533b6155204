/* What the measurements have in common: they end the process when something fails. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { MAX_RUNS = 1000 };

struct series {
	double values[MAX_RUNS];
	size_t count;
};

__attribute__((noreturn)) void fail(const char *what);

/* From now on, now_us() stands still while no task runs. For a machine of one CPU whose clock counts instructions: while it waits,
 * for its host's files or for the kernel's next tick, it counts on. */
void leave_out_idle(void);
double now_us(void);

/* Run a command to its end, its stdout in out_fd (or nowhere when -1); microseconds from spawn to reaped. */
double run(const char *const argv[], int out_fd);

/* Run a command to its end, which may be a failure, and show nothing of it: did it succeed? */
bool succeeds(const char *const argv[]);

/* Let nothing of a file be in the page cache, not even what is still to be written. */
void drop_cache(const char *file);
enum { COLD_RUNS = 10 };

/* Can this program be run? If not, say that the row isn't measured. */
bool is_installed(const char *row, const char *program);

/* A command that has printed something, after so many microseconds; the caller closes out_fd and reaps pid. */
struct running {
	pid_t pid;
	int out_fd;
	double first_us;
};

/* Start a command with its stdin from a file (or as it is here when NULL), and wait for its first byte of stdout. */
struct running run_to_first_byte(const char *const argv[], const char *input);

/* Run a command to its end; microseconds from spawn to its first byte of stdout. */
double first_byte(const char *const argv[], const char *input);

/* Run a command and give what it printed, until the next time. */
const char *capture(const char *const argv[]);

/* A number out of a status object, by a path such as "calls/median_us". */
double status_number(const char *text, const char *path);

void add(struct series *series, double value);
double median(struct series *series);

/* The value below which such a part (0 to 1) of the series is. */
double quantile(struct series *series, double part);

/* One of several commands whose whole processes are compared. */
struct contender {
	const char *const *argv;
	const char *input; /* a file for its stdin; NULL: as it is here */
	struct series series;
};

/* Run them in turn, each as often first as the others: what a process leaves for the kernel to do falls to the next. The very
 * first of each reads its files from the disk, and does not count. Where idle is left out, short ones are run more often. */
void run_in_turn(struct contender *contenders, size_t count, size_t runs);

/* A row: both sides, in microseconds; `target` is the ratio to reach, 0 when none is set. See rows.h for what becomes of it. */
void report(const char *what, const char *base_name, struct series *base, const char *name, struct series *ours,
            double target);

/* The same in another unit, a literal. */
void report_in(const char *unit, const char *what, const char *base_name, struct series *base, const char *name,
               struct series *ours, double target);

/* A command that prints a time; so many of that are weighed. */
struct printing {
	const char *name;
	const char *const *argv;
	double times;
	const char *member; /* of a status object, in microseconds; NULL: a number alone, in nanoseconds */
};

/* Run both in turn, and report what they print. */
void compare_printed(const char *what, const struct printing *base, const struct printing *ours, size_t runs,
                     double target);

/* A row that can't be measured here, and why. */
__attribute__((format(printf, 2, 3))) void not_measured(const char *what, const char *format, ...);

/* What runs the guests, and what it is measured against. */
struct bench_engine {
	const char *name;       /* as NUBRUN_ENGINE has it */
	const char *floor;      /* the program */
	const char *round_trip; /* what its --loop measures */
	const char *anew,
	    *put_back; /* what putting a guest back is measured against: an option with a number, one without or NULL */
	const char *begin_anew;            /* what these measure */
	const char *create, *begin_create; /* the same of a sandbox that is made and freed */
	double call;                       /* ratio to reach */
};

/* What they are to reach by each engine: restoring a guest, and putting it back. */
#define RESTORE_TARGET 1.2
#define RESET_TARGET 1.3

/* Is this row, which takes much memory, disk or time, left out (BENCH_SHORT=1 in the environment)? If so, say that. bench.c */
bool is_left_out(const char *row);

/* bench_calls.c, bench_restore.c, bench_snapshot.c, bench_many.c; the current folder is the build's. */
void bench_calls(const struct bench_engine *engine, size_t runs);
void bench_restore(const struct bench_engine *engine, size_t runs);
void bench_snapshots(size_t runs);
void bench_many(const struct bench_engine *engine, size_t runs);

/* bench_linux.c and, as a part of it, bench_python.c; likewise. */
void bench_python(size_t runs);
void bench_linux(const struct bench_engine *engine, size_t runs);

#endif
