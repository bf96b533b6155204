/* A system call to be made: its number, its arguments, and what of the outcome is the same everywhere. */
#ifndef ROW_H
#define ROW_H

#include <stddef.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };

enum arg_kind { ARG_VALUE, ARG_POINTER, ARG_EDGE, ARG_FIXED, ARG_NOWHERE };

struct arg {
	enum arg_kind kind;
	long value;
	const void *pointer;
};

enum show {
	EXACT, /* the result is the same */
	DONE,  /* that it has worked is */
};

struct row {
	const char *name; /* NULL: no call, `size` bytes go to `out` */
	long number;
	enum show show;
	const void *out; /* what it has written, when it has worked: */
	size_t size;
	const char *bytes;
	struct arg args[6];
};

#define V(n)                                                                                                           \
	{                                                                                                              \
		ARG_VALUE, (long)(n), NULL                                                                             \
	}
/* An object or a string, and what is `n` bytes into it. */
#define P(object)                                                                                                      \
	{                                                                                                              \
		ARG_POINTER, 0, object                                                                                 \
	}
#define AT(object, n)                                                                                                  \
	{                                                                                                              \
		ARG_POINTER, n, object                                                                                 \
	}
/* `n` bytes before memory ends; in memory that can't be written; where there is none. */
#define EDGE(n)                                                                                                        \
	{                                                                                                              \
		ARG_EDGE, n, NULL                                                                                      \
	}
#define FIXED(n)                                                                                                       \
	{                                                                                                              \
		ARG_FIXED, n, NULL                                                                                     \
	}
#define NOWHERE                                                                                                        \
	{                                                                                                              \
		ARG_NOWHERE, 64, NULL                                                                                  \
	}

#define CALL(name, ...)                                                                                                \
	{                                                                                                              \
#name, SYS_##name, EXACT, NULL, 0, NULL,                                                               \
		{                                                                                                      \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}
#define MADE(name, ...)                                                                                                \
	{                                                                                                              \
#name, SYS_##name, DONE, NULL, 0, NULL,                                                                \
		{                                                                                                      \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}
#define GIVES(name, out, size, ...)                                                                                    \
	{                                                                                                              \
#name, SYS_##name, EXACT, out, size, NULL,                                                             \
		{                                                                                                      \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}
#define PUT(object, text)                                                                                              \
	{                                                                                                              \
		NULL, 0, DONE, object, sizeof(text) - 1, text,                                                         \
		{                                                                                                      \
		}                                                                                                      \
	}

#endif
