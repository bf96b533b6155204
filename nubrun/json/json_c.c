/* JSON with json-c: the default. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "json/json.h"

static struct json_object *inside(const struct cmd_json *json)
{
	return (struct json_object *)(uintptr_t)json;
}

static struct cmd_json *outside(struct json_object *object)
{
	return (struct cmd_json *)object;
}

static struct cmd_json *made(struct json_object *object)
{
	if (!object)
		cmd_json_no_memory();
	return outside(object);
}

struct cmd_json *cmd_json_object(void)
{
	return made(json_object_new_object());
}

struct cmd_json *cmd_json_array(void)
{
	return made(json_object_new_array());
}

struct cmd_json *cmd_json_bool(bool value)
{
	return made(json_object_new_boolean(value));
}

struct cmd_json *cmd_json_int(int64_t number)
{
	return made(json_object_new_int64(number));
}

struct cmd_json *cmd_json_uint(uint64_t number)
{
	return made(json_object_new_uint64(number));
}

struct cmd_json *cmd_json_number(const char *text)
{
	return made(json_object_new_double_s(0, text));
}

struct cmd_json *cmd_json_plain(const char *text)
{
	return made(json_object_new_string(text));
}

void cmd_json_add(struct cmd_json *object, const char *name, struct cmd_json *value)
{
	const unsigned flags = JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY;

	if (json_object_object_add_ex(inside(object), name, inside(value), flags) < 0)
		cmd_json_no_memory();
}

void cmd_json_append(struct cmd_json *array, struct cmd_json *value)
{
	if (json_object_array_add(inside(array), inside(value)) < 0)
		cmd_json_no_memory();
}

struct cmd_json *cmd_json_share(struct cmd_json *json)
{
	return outside(json_object_get(inside(json)));
}

void cmd_json_free(struct cmd_json *json)
{
	json_object_put(inside(json));
}

/* ---- Writing: json-c leaves parts out for which it gets no memory, and does not say so ---- */

static void print(struct nub_writer *writer, struct json_object *object);

static void print_text(struct nub_writer *writer, const char *text)
{
	nub_writer_bytes(writer, text, strlen(text));
}

static bool is_plain(char character)
{
	return (unsigned char)character >= 0x20 && character != '"' && character != '\\';
}

static void print_escape(struct nub_writer *writer, char character)
{
	static const char escaped[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *short_one = character != '\0' ? strchr(escaped, character) : NULL;
	char escape[8];

	if (short_one)
		snprintf(escape, sizeof(escape), "\\%c", names[short_one - escaped]);
	else
		snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)character);
	print_text(writer, escape);
}

static void print_string(struct nub_writer *writer, const char *text, size_t size)
{
	print_text(writer, "\"");
	for (size_t at = 0; at < size;) {
		size_t run = 0;
		while (at + run < size && is_plain(text[at + run]))
			run++;
		nub_writer_bytes(writer, text + at, run);
		at += run;
		if (at < size)
			print_escape(writer, text[at++]);
	}
	print_text(writer, "\"");
}

static void print_object(struct nub_writer *writer, struct json_object *object)
{
	const char *before = "{";

	json_object_object_foreach(object, name, value)
	{
		print_text(writer, before);
		print_string(writer, name, strlen(name));
		print_text(writer, ":");
		print(writer, value);
		before = ",";
	}
	print_text(writer, *before == '{' ? "{}" : "}");
}

static void print_array(struct nub_writer *writer, struct json_object *array)
{
	print_text(writer, "[");
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		print_text(writer, i > 0 ? "," : "");
		print(writer, json_object_array_get_idx(array, i));
	}
	print_text(writer, "]");
}

static void print(struct nub_writer *writer, struct json_object *object)
{
	switch (json_object_get_type(object)) {
	case json_type_object:
		print_object(writer, object);
		break;
	case json_type_array:
		print_array(writer, object);
		break;
	case json_type_string:
		print_string(writer, json_object_get_string(object), (size_t)json_object_get_string_len(object));
		break;
	default: {
		/* Numbers and the three words: json-c's smallest buffer has room for them. */
		const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
		writer->failed = writer->failed || !text;
		print_text(writer, text ? text : "");
	}
	}
}

char *cmd_json_print(const struct cmd_json *json)
{
	struct nub_buffer buffer = { 0 };
	struct nub_writer writer = { .buffer = &buffer };

	print(&writer, inside(json));
	nub_writer_bytes(&writer, "", 1);
	if (writer.failed)
		nub_buffer_release(&buffer);
	return (char *)buffer.bytes;
}

struct cmd_json *cmd_json_parse(const struct cmd_json_source *source)
{
	return outside(json_tokener_parse(source->text));
}

const char *cmd_json_get_string(const struct cmd_json *json)
{
	return json_object_is_type(inside(json), json_type_string) ? json_object_get_string(inside(json)) : NULL;
}

const struct cmd_json *cmd_json_get_only(const struct cmd_json *json, const char *name)
{
	struct json_object *value = NULL;

	if (!json_object_is_type(inside(json), json_type_object) || json_object_object_length(inside(json)) != 1)
		return NULL;
	json_object_object_get_ex(inside(json), name, &value);
	return outside(value);
}
