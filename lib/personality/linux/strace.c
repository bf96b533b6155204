/* A system call as strace(1) prints it, by the kinds of its arguments. What can't be read from the guest is its address. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "personality/linux/call.h"

enum { MOST_BYTES = 32, MOST_PATH = 256 };

/* Text that is appended to; what does not fit is left out. */
struct text {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text->at, text->left, format, args);
	va_end(args);
	if (length < 0)
		return;
	const size_t step = (size_t)length < text->left ? (size_t)length : text->left - 1;
	text->at += step;
	text->left -= step;
}

static void put_quoted(struct text *text, const uint8_t *bytes, size_t size, bool more)
{
	put(text, "\"");
	for (size_t i = 0; i < size; i++) {
		const uint8_t c = bytes[i];
		const bool digit_follows = i + 1 < size && isdigit(bytes[i + 1]);
		if (c == '"' || c == '\\')
			put(text, "\\%c", c);
		else if (c == '\n')
			put(text, "\\n");
		else if (c == '\t')
			put(text, "\\t");
		else if (c == '\r')
			put(text, "\\r");
		else if (isprint(c))
			put(text, "%c", c);
		else
			put(text, digit_follows ? "\\%03o" : "\\%o", c);
	}
	put(text, "\"%s", more ? "..." : "");
}

static void put_bytes(struct nub_linux *linux, struct text *text, uint64_t gva, uint64_t size)
{
	uint8_t bytes[MOST_BYTES];
	const size_t shown = size < sizeof(bytes) ? (size_t)size : sizeof(bytes);

	if (gva == 0)
		put(text, "NULL");
	else if (nub_linux_read(linux, gva, bytes, shown) < 0)
		put(text, "0x%" PRIx64, gva);
	else
		put_quoted(text, bytes, shown, size > shown);
}

static void put_string(struct nub_linux *linux, struct text *text, uint64_t gva)
{
	char string[MOST_PATH];
	int64_t length = nub_linux_read_string(linux, gva, string, sizeof(string));

	if (gva == 0)
		put(text, "NULL");
	else if (length >= 0)
		put_quoted(text, (const uint8_t *)string, (size_t)length, false);
	else if (length == -ENAMETOOLONG)
		put_bytes(linux, text, gva, MOST_BYTES + 1);
	else
		put(text, "0x%" PRIx64, gva);
}

static void put_timespec(struct nub_linux *linux, struct text *text, uint64_t gva)
{
	int64_t time[2];

	if (gva == 0)
		put(text, "NULL");
	else if (nub_linux_read(linux, gva, time, sizeof(time)) < 0)
		put(text, "0x%" PRIx64, gva);
	else
		put(text, "{tv_sec=%" PRId64 ", tv_nsec=%" PRId64 "}", time[0], time[1]);
}

struct bit_name {
	uint64_t bits;
	char name[16];
};

/* The names of the bits that are set, and the rest as a number. */
static void put_bits(struct text *text, uint64_t value, const struct bit_name *names, size_t count, bool empty)
{
	const char *between = empty ? "" : "|";

	for (size_t i = 0; i < count; i++)
		if ((value & names[i].bits) == names[i].bits) {
			put(text, "%s%s", between, names[i].name);
			value &= ~names[i].bits;
			between = "|";
		}
	if (value != 0)
		put(text, "%s0x%" PRIx64, between, value);
}

static void put_prot(struct text *text, uint64_t prot)
{
	static const struct bit_name names[] = { { PROT_READ, "PROT_READ" },
		                                 { PROT_WRITE, "PROT_WRITE" },
		                                 { PROT_EXEC, "PROT_EXEC" } };

	if (prot == PROT_NONE)
		put(text, "PROT_NONE");
	put_bits(text, prot, names, sizeof(names) / sizeof(*names), true);
}

static void put_open(struct text *text, uint64_t flags)
{
	static const char *const modes[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
	static const struct bit_name names[] = {
		{ O_CREAT, "O_CREAT" },     { O_EXCL, "O_EXCL" },         { O_NOCTTY, "O_NOCTTY" },
		{ O_TRUNC, "O_TRUNC" },     { O_APPEND, "O_APPEND" },     { O_NONBLOCK, "O_NONBLOCK" },
		{ O_SYNC, "O_SYNC" },       { O_DSYNC, "O_DSYNC" },       { O_DIRECT, "O_DIRECT" },
		{ O_TMPFILE, "O_TMPFILE" }, { O_NOFOLLOW, "O_NOFOLLOW" }, { O_DIRECTORY, "O_DIRECTORY" },
		{ O_NOATIME, "O_NOATIME" }, { O_CLOEXEC, "O_CLOEXEC" },   { O_PATH, "O_PATH" },
	};

	put(text, "%s", modes[flags & O_ACCMODE]);
	put_bits(text, flags & ~(uint64_t)O_ACCMODE, names, sizeof(names) / sizeof(*names), false);
}

static void put_clock(struct text *text, int64_t clock)
{
	static const char *const names[] = {
		[CLOCK_REALTIME] = "CLOCK_REALTIME",
		[CLOCK_MONOTONIC] = "CLOCK_MONOTONIC",
		[CLOCK_PROCESS_CPUTIME_ID] = "CLOCK_PROCESS_CPUTIME_ID",
		[CLOCK_THREAD_CPUTIME_ID] = "CLOCK_THREAD_CPUTIME_ID",
		[CLOCK_MONOTONIC_RAW] = "CLOCK_MONOTONIC_RAW",
		[CLOCK_REALTIME_COARSE] = "CLOCK_REALTIME_COARSE",
		[CLOCK_MONOTONIC_COARSE] = "CLOCK_MONOTONIC_COARSE",
		[CLOCK_BOOTTIME] = "CLOCK_BOOTTIME",
	};

	if (clock >= 0 && (size_t)clock < sizeof(names) / sizeof(*names))
		put(text, "%s", names[clock]);
	else
		put(text, "%" PRId64, clock);
}

static void put_signal(struct text *text, uint64_t signal)
{
	const char *name = signal < 32 ? sigabbrev_np((int)signal) : NULL;

	if (name)
		put(text, "SIG%s", name);
	else
		put(text, "%" PRIu64, signal);
}

static void put_pointed(struct nub_linux *linux, struct text *text, enum nub_linux_arg kind, const uint64_t *arg,
                        unsigned index, int64_t result)
{
	const uint64_t size = index < 5 ? arg[1] : 0;

	if (kind == NUB_LINUX_ARG_PATH)
		put_string(linux, text, *arg);
	else if (kind == NUB_LINUX_ARG_TIMESPEC)
		put_timespec(linux, text, *arg);
	else if (kind == NUB_LINUX_ARG_IN || (kind == NUB_LINUX_ARG_OUT && result >= 0))
		put_bytes(linux, text, *arg, size);
	else if (kind == NUB_LINUX_ARG_OUT_RESULT && result >= 0 && (uint64_t)result <= size)
		put_bytes(linux, text, *arg, (uint64_t)result);
	else if (*arg == 0)
		put(text, "NULL");
	else
		put(text, "0x%" PRIx64, *arg);
}

static void put_arg(struct nub_linux *linux, struct text *text, enum nub_linux_arg kind, const uint64_t *arg,
                    unsigned index, int64_t result)
{
	switch (kind) {
	case NUB_LINUX_ARG_INT:
	case NUB_LINUX_ARG_FD:
		put(text, "%" PRId32, (int32_t)*arg);
		break;
	case NUB_LINUX_ARG_DIRFD:
		if ((int32_t)*arg == AT_FDCWD)
			put(text, "AT_FDCWD");
		else
			put(text, "%" PRId32, (int32_t)*arg);
		break;
	case NUB_LINUX_ARG_LONG:
		put(text, "%" PRId64, (int64_t)*arg);
		break;
	case NUB_LINUX_ARG_SIZE:
		put(text, "%" PRIu64, *arg);
		break;
	case NUB_LINUX_ARG_HEX:
		put(text, *arg ? "0x%" PRIx64 : "%" PRIx64, *arg);
		break;
	case NUB_LINUX_ARG_OCTAL:
		put(text, "0%" PRIo64, *arg);
		break;
	case NUB_LINUX_ARG_SIGNAL:
		put_signal(text, *arg);
		break;
	case NUB_LINUX_ARG_CLOCK:
		put_clock(text, (int32_t)*arg);
		break;
	case NUB_LINUX_ARG_PROT:
		put_prot(text, *arg);
		break;
	case NUB_LINUX_ARG_OPEN:
		put_open(text, *arg);
		break;
	default:
		put_pointed(linux, text, kind, arg, index, result);
	}
}

static void put_result(struct text *text, int64_t result, bool hex)
{
	if (result == NUB_LINUX_WAIT || result == NUB_LINUX_KEEP)
		put(text, " = ?");
	else if (result < 0 && result >= -4095) {
		const char *name = strerrorname_np((int)-result);
		put(text, " = -1 %s (%s)", name ? name : "ERESTART", name ? strerror((int)-result) : "to be restarted");
	} else
		put(text, hex ? " = 0x%" PRIx64 : " = %" PRId64, result);
}

void nub_linux_format_call(struct nub_linux *linux, uint64_t number, const uint64_t args[6], int64_t result,
                           char *buffer, size_t capacity)
{
	static const uint8_t unknown[6] = { NUB_LINUX_ARG_HEX, NUB_LINUX_ARG_HEX, NUB_LINUX_ARG_HEX,
		                            NUB_LINUX_ARG_HEX, NUB_LINUX_ARG_HEX, NUB_LINUX_ARG_HEX };
	const struct nub_linux_call *call = number < NUB_LINUX_MAX_CALL ? linux->calls[number] : NULL;
	const char *name = nub_linux_call_name(number);
	const uint8_t *kinds = call ? call->args : unknown;
	struct text text = { .at = buffer, .left = capacity };

	if (name)
		put(&text, "%s(", name);
	else
		put(&text, "syscall_%" PRIu64 "(", number);
	for (unsigned i = 0; i < 6 && kinds[i] != NUB_LINUX_ARG_NONE; i++) {
		put(&text, i ? ", " : "");
		put_arg(linux, &text, kinds[i], args + i, i, result);
	}
	put(&text, ")");
	put_result(&text, result, call && call->returns_hex);
}
