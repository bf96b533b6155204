/* Serve one request of the host: run main, or hand a call to exports.c; then halt. */
#include "rt.h"

/* Requests up to this size cost no allocation. */
#define SMALL_REQUEST 1024
#define SMALL_ARGC 31

/* A guest has a main in C, in C++ (whose name is mangled without a hosted compiler), or none. */
extern int main(int argc, char **argv) __attribute__((weak));
extern int main_cxx(int argc, char **argv) __asm__("_Z4mainiPPc") __attribute__((weak));
extern int main_cxx_void(void) __asm__("_Z4mainv") __attribute__((weak));

static NUB_NORETURN void malformed(const char *what)
{
	rt_broken("the request of the host ends before its %s", what);
}

static NUB_NORETURN void run_main(int argc, char **argv)
{
	if (main)
		exit(main(argc, argv));
	if (main_cxx)
		exit(main_cxx(argc, argv));
	if (main_cxx_void)
		exit(main_cxx_void());
	rt_broken("this guest has no main: call one of its exported functions");
}

/* The strings stay where they are in the request; each gets its NUL once the next one's length has been read. */
static void parse_arguments(struct rt_cursor *cursor, uint32_t argc, char **argv)
{
	uint8_t *end = NULL;

	for (uint32_t i = 0; i < argc; i++) {
		uint32_t length;
		uint8_t *text;
		if (!rt_take_u32(cursor, &length) || !rt_take(cursor, length, &text))
			malformed("last argument");
		argv[i] = (char *)text;
		if (end)
			*end = '\0';
		end = text + length;
	}
	if (end)
		*end = '\0';
	argv[argc] = NULL;
}

static NUB_NORETURN void serve_main(uint8_t *request, size_t size)
{
	struct rt_cursor cursor = { request, request + size };
	char *small[SMALL_ARGC + 1];
	char **argv = small;
	uint32_t argc;

	/* An argument has at least the 4 bytes of its length. */
	if (!rt_take_u32(&cursor, &argc) || argc > size / sizeof(uint32_t))
		malformed("argument count");
	if (argc > SMALL_ARGC)
		argv = (char **)malloc((argc + 1) * sizeof(*argv));
	if (!argv)
		rt_broken("no heap for %u arguments", argc);
	parse_arguments(&cursor, argc, argv);
	run_main((int)argc, argv);
}

/* Apart from rt_serve, so that its buffer is gone before the halt; main's arguments live in it to the end. */
static void serve_request(uint64_t size)
{
	uint8_t small[SMALL_REQUEST + 1]; /* the last byte is for a string's NUL */
	uint8_t *request = size <= SMALL_REQUEST ? small : (uint8_t *)malloc(size + 1);

	if (size == 0)
		malformed("kind");
	if (!request)
		rt_broken("no heap for a request of %llu bytes", (unsigned long long)size);
	rt_pop(request, size);
	switch (request[0]) {
	case NUB_REQUEST_MAIN:
		serve_main(request + 1, size - 1);
	case NUB_REQUEST_CALL:
		rt_serve_call(request + 1, size - 1);
		break;
	default:
		rt_broken("a request of kind %u, this guest knows 0 and 1", request[0]);
	}
	if (request != small)
		free(request);
}

void rt_serve(void)
{
	uint64_t size;
	const uint8_t *item = rt_peek(&size);

	if (item)
		serve_request(size);
	fflush(NULL);
	rt_halt(item ? NUB_HALT_DONE : NUB_HALT_READY, (uint64_t)(uintptr_t)rt_dispatch);
}
