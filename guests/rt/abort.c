/* Aborts: a message to the host through a port alone, because heap and rings may be what is broken (R34). */
#include "format.h"
#include "rt.h"

/* Gathers bytes to 3 in an `out`. */
struct abort_sink {
	struct rt_sink sink;
	uint32_t word;
	uint32_t count;
};

static void send(struct abort_sink *to)
{
	if (to->count > 0)
		rt_out(NUB_PORT_ABORT, to->word | to->count);
	to->word = 0;
	to->count = 0;
}

static void add(struct abort_sink *to, uint8_t byte)
{
	to->count++;
	to->word |= (uint32_t)byte << (8 * to->count);
	if (to->count == 3)
		send(to);
}

static void abort_write(struct rt_sink *sink, const char *text, size_t size)
{
	struct abort_sink *to = (struct abort_sink *)sink;

	for (size_t i = 0; i < size; i++)
		add(to, (uint8_t)text[i]);
}

static NUB_NORETURN void abort_with(uint8_t code, const char *format, va_list args)
{
	struct abort_sink to = { .sink = { abort_write } };

	add(&to, code);
	rt_format(&to.sink, format, args);
	send(&to);
	rt_out(NUB_PORT_ABORT, NUB_ABORT_END);
	for (;;)
		__asm__ volatile("ud2");
}

/* What was printed before a crash tells most about it. A flush that finds the ring broken aborts by itself. */
static NUB_NORETURN void flush_and_abort(uint8_t code, const char *format, ...) NUB_PRINTF(2, 3);
static NUB_NORETURN void flush_and_abort(uint8_t code, const char *format, ...)
{
	va_list args;

	fflush(NULL);
	va_start(args, format);
	abort_with(code, format, args);
}

void rt_broken(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	abort_with(NUB_ABORT_CODE_RUNTIME, format, args);
}

void nub_abort(const char *format, ...)
{
	va_list args;

	fflush(NULL);
	va_start(args, format);
	abort_with(NUB_ABORT_CODE_ABORT, format, args);
}

void abort(void)
{
	flush_and_abort(NUB_ABORT_CODE_ABORT, "aborted");
}

void nub_assert_failed(const char *expression, const char *file, int line, const char *function)
{
	flush_and_abort(NUB_ABORT_CODE_ASSERT, "%s:%d: %s: assertion '%s' failed", file, line, function, expression);
}
