/* Strings from outside to JSON, and JSON to text: what is written is UTF-8 without control characters. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/util.h"
#include "cli/text.h"
#include "json/json.h"

void cmd_json_no_memory(void)
{
	static const char text[] = "nubrun: there is no memory left to tell what happened\n";

	/* Whether it was told or not. */
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(125);
	_exit(125);
}

struct cmd_json *cmd_json_string(const void *text, size_t size)
{
	NUB_AUTO_FREE char *clean = cmd_utf8_repair(text, size, NULL);

	if (!clean)
		cmd_json_no_memory();
	return cmd_json_plain(clean);
}

struct cmd_json *cmd_json_cstring(const char *text)
{
	return cmd_json_string(text, strlen(text));
}

struct cmd_json *cmd_json_digits(const uint8_t *bytes, size_t size)
{
	char text[129] = "";

	for (size_t i = 0; i < size && i < 64; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return cmd_json_plain(text);
}

struct cmd_json *cmd_json_hex(uint64_t number)
{
	char text[20];

	snprintf(text, sizeof(text), "0x%" PRIx64, number);
	return cmd_json_plain(text);
}

/* Length of the control character at text that libraries leave as it is: DEL, or U+0080 to U+009F; 0 when it is none. */
static size_t control_length(const char *text)
{
	unsigned char first = (unsigned char)text[0], second = first != 0 ? (unsigned char)text[1] : 0;

	return first == 0x7f ? 1 : first == 0xc2 && second >= 0x80 && second < 0xa0 ? 2 : 0;
}

/* In JSON text these characters can only be in strings, where an escape means the same. */
static char *escape_controls(const char *text, size_t *size)
{
	size_t used = 0, controls = 0;

	for (const char *p = text; *p != '\0'; p++)
		controls += control_length(p) > 0;
	char *out = malloc(strlen(text) + controls * 5 + 2);
	if (!out)
		return NULL;
	while (*text != '\0') {
		size_t length = control_length(text);
		if (length == 0) {
			out[used++] = *text++;
			continue;
		}
		used += (size_t)sprintf(out + used, "\\u00%02x", (unsigned char)text[length - 1]);
		text += length;
	}
	out[used++] = '\n';
	out[used] = '\0';
	*size = used;
	return out;
}

static void new_line(struct nub_writer *writer, unsigned depth)
{
	nub_writer_bytes(writer, "\n", 1);
	for (; depth > 0; depth--)
		nub_writer_bytes(writer, "  ", 2);
}

/* One character of JSON text outside strings, with the space that follows or goes before it. `last` came before it. */
static void put_indented(struct nub_writer *writer, char last, const char *at, unsigned *depth)
{
	const bool opens = *at == '{' || *at == '[', closes = *at == '}' || *at == ']';
	const bool empty = opens ? at[1] == '}' || at[1] == ']' : closes && (last == '{' || last == '[');

	*depth += opens;
	*depth -= closes;
	if (closes && !empty)
		new_line(writer, *depth);
	nub_writer_bytes(writer, at, 1);
	if (*at == ':')
		nub_writer_bytes(writer, " ", 1);
	if (*at == ',' || (opens && !empty))
		new_line(writer, *depth);
}

/* Text without space gets the usual: two columns a level. */
static char *indent(const char *text, size_t *size)
{
	struct nub_buffer buffer = { 0 };
	struct nub_writer writer = { .buffer = &buffer };
	bool in_string = false;
	unsigned depth = 0;
	char last = '\0';

	for (const char *at = text; *at != '\0'; at++) {
		in_string ^= *at == '"';
		if (!in_string)
			put_indented(&writer, last, at, &depth);
		else
			nub_writer_bytes(&writer, at, *at == '\\' ? 2 : 1);
		last = *at;
		at += in_string && *at == '\\';
	}
	*size = buffer.size;
	nub_writer_bytes(&writer, "", 1);
	if (writer.failed)
		nub_buffer_release(&buffer);
	return (char *)buffer.bytes;
}

char *cmd_json_text(const struct cmd_json *json, bool indented, size_t *size)
{
	NUB_AUTO_FREE char *printed = cmd_json_print(json);
	char *line = printed ? escape_controls(printed, size) : NULL, *text = line;

	if (line && indented) {
		text = indent(line, size);
		free(line);
	}
	if (!text)
		cmd_json_no_memory();
	return text;
}
