/* Every system call that nubrun serves, with arguments that are right, wrong, on an edge and nowhere: what each gives, as a line.
 * The same lines are wanted natively and by each engine.
 *
 *     calls FOLDER        in an empty folder that may be written
 *
 * The rows are in calls/, and are made in order: descriptors and names of one are there for the next.
 */
#define _GNU_SOURCE
#include "calls/row.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls/files.h"
#include "calls/memory.h"
#include "calls/polling.h"
#include "calls/process.h"
#include "calls/signals.h"
#include "calls/time.h"

static char *edge, *fixed;

/* A page, then one that nobody may access. */
static char *make_page(int prot)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		exit(2);
	memset(pages, 'e', PAGE);
	mprotect(pages, PAGE, prot);
	mprotect(pages + PAGE, PAGE, PROT_NONE);
	return pages;
}

static long value_of(const struct arg *arg)
{
	switch (arg->kind) {
	case ARG_POINTER:
		return (long)arg->pointer + arg->value;
	case ARG_EDGE:
		return (long)(edge + PAGE - arg->value);
	case ARG_FIXED:
		return (long)(fixed + arg->value);
	case ARG_NOWHERE:
		return (long)(edge + PAGE + arg->value);
	default:
		return arg->value;
	}
}

/* The kernel's own numbers: the C library's functions would change some. */
static long make_call(long number, const long args[6])
{
	register long r10 __asm__("r10") = args[3], r8 __asm__("r8") = args[4], r9 __asm__("r9") = args[5];
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

static void print_bytes(const unsigned char *bytes, size_t size)
{
	printf("  ");
	for (size_t i = 0; i < size; i++)
		printf("%02x", bytes[i]);
}

static void run(const char *family, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		long args[6];

		if (!row->name) {
			memcpy((void *)(long)row->out, row->bytes, row->size);
			continue;
		}
		for (int k = 0; k < 6; k++)
			args[k] = value_of(&row->args[k]);
		const long result = make_call(row->number, args);
		printf("%s %zu %s ", family, i, row->name);
		if (result < 0 && result > -4096)
			printf("%s", strerrorname_np((int)-result));
		else if (row->show == EXACT)
			printf("%ld", result);
		else
			printf("ok");
		if (row->out && (result >= 0 || result < -4095))
			print_bytes(row->out, row->size);
		printf("\n");
	}
}

#define RUN(rows) run(#rows, rows, sizeof(rows) / sizeof((rows)[0]))

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) < 0) {
		fputs("usage: calls FOLDER, which is empty\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	close_range(3, ~0U, 0);
	umask(022);
	edge = make_page(PROT_READ | PROT_WRITE);
	fixed = make_page(PROT_READ);
	RUN(files);
	RUN(names);
	RUN(attributes);
	RUN(younger);
	close_range(3, ~0U, 0);
	RUN(pipes);
	close_range(3, ~0U, 0);
	RUN(polls);
	close_range(3, ~0U, 0);
	RUN(sockets);
	close_range(3, ~0U, 0);
	RUN(memory);
	RUN(process);
	RUN(scheduling);
	RUN(signals);
	RUN(time_rows);
	return 0;
}
