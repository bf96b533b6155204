/* stdout and stderr, printf and its family: buffers that leave through the output ring. */
#include "format.h"
#include "rt.h"

struct nub_file {
	int stream; /* 1 stdout, 2 stderr */
	bool unbuffered;
	size_t used, capacity;
	char *buffer;
};

static char stdout_buffer[4096];
static char stderr_buffer[256];
FILE nub_stdout = { 1, false, 0, sizeof(stdout_buffer), stdout_buffer };
FILE nub_stderr = { 2, true, 0, sizeof(stderr_buffer), stderr_buffer };

/* In pieces as large as the ring takes: each one is an exit. */
static void send(int stream, const char *text, size_t size)
{
	while (size > 0) {
		uint64_t room = rt_room();
		size_t piece = size < room ? size : (size_t)room;
		uint8_t *at = piece > 0 ? rt_push(piece) : NULL;
		if (!at)
			rt_broken("the output ring has no room to print");
		memcpy(at, text, piece);
		rt_out(NUB_PORT_PRINT, (uint32_t)stream);
		text += piece;
		size -= piece;
	}
}

int fflush(FILE *file)
{
	if (rt_state.tracing && file != stderr)
		rt_trace_flush();
	if (!file) {
		fflush(stdout);
		return fflush(stderr);
	}
	if (file->used > 0) {
		/* Emptied first, so that an abort while sending does not come here again. */
		size_t size = file->used;
		file->used = 0;
		send(file->stream, file->buffer, size);
	}
	return 0;
}

static void write_buffered(FILE *file, const char *text, size_t size)
{
	if (size > file->capacity - file->used)
		fflush(file);
	if (size >= file->capacity) {
		send(file->stream, text, size);
		return;
	}
	memcpy(file->buffer + file->used, text, size);
	file->used += size;
}

static void end_of_function(FILE *file)
{
	if (file->unbuffered)
		fflush(file);
}

ptrdiff_t nub_write(int stream, const void *bytes, size_t size)
{
	if (stream != 1 && stream != 2)
		return -1;
	fflush(stream == 1 ? stdout : stderr);
	send(stream, (const char *)bytes, size);
	return (ptrdiff_t)size;
}

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *file)
{
	size_t total;

	if (__builtin_mul_overflow(size, count, &total))
		return 0;
	write_buffered(file, (const char *)bytes, total);
	end_of_function(file);
	return size == 0 ? 0 : count;
}

int fputs(const char *text, FILE *file)
{
	write_buffered(file, text, strlen(text));
	end_of_function(file);
	return 0;
}

int fputc(int byte, FILE *file)
{
	char text = (char)byte;

	write_buffered(file, &text, 1);
	end_of_function(file);
	return (unsigned char)byte;
}

int puts(const char *text)
{
	write_buffered(stdout, text, strlen(text));
	write_buffered(stdout, "\n", 1);
	return 0;
}

int putchar(int byte)
{
	return fputc(byte, stdout);
}

/* ---- Formatted ---- */

struct file_sink {
	struct rt_sink sink;
	FILE *file;
};

static void file_write(struct rt_sink *sink, const char *text, size_t size)
{
	write_buffered(((struct file_sink *)sink)->file, text, size);
}

int vfprintf(FILE *file, const char *format, va_list args)
{
	struct file_sink to = { { file_write }, file };
	int written = rt_format(&to.sink, format, args);

	end_of_function(file);
	return written;
}

int fprintf(FILE *file, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int written = vfprintf(file, format, args);
	va_end(args);
	return written;
}

int vprintf(const char *format, va_list args)
{
	return vfprintf(stdout, format, args);
}

int printf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int written = vfprintf(stdout, format, args);
	va_end(args);
	return written;
}

struct text_sink {
	struct rt_sink sink;
	char *next;
	size_t left;
};

static void text_write(struct rt_sink *sink, const char *text, size_t size)
{
	struct text_sink *to = (struct text_sink *)sink;
	size_t piece = size < to->left ? size : to->left;

	memcpy(to->next, text, piece);
	to->next += piece;
	to->left -= piece;
}

int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
	struct text_sink sink = { { text_write }, to, size > 0 ? size - 1 : 0 };
	int written = rt_format(&sink.sink, format, args);

	if (size > 0)
		*sink.next = '\0';
	return written;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int written = vsnprintf(to, size, format, args);
	va_end(args);
	return written;
}
