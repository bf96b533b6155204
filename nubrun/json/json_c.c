/* JSON with json-c: the default. */
#include <json-c/json.h>
#include <string.h>

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

char *cmd_json_print(const struct cmd_json *json)
{
	const char *text =
	    json_object_to_json_string_ext(inside(json), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	return text ? strdup(text) : NULL;
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
