/* JSON with cJSON. It keeps numbers as doubles: exact ones are text to it, written as they are. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json/json.h"

static cJSON *inside(const struct cmd_json *json)
{
	return (cJSON *)(uintptr_t)json;
}

static struct cmd_json *outside(cJSON *item)
{
	return (struct cmd_json *)item;
}

static cJSON *made(cJSON *item)
{
	if (!item)
		cmd_json_no_memory();
	return item;
}

struct cmd_json *cmd_json_object(void)
{
	return outside(made(cJSON_CreateObject()));
}

struct cmd_json *cmd_json_array(void)
{
	return outside(made(cJSON_CreateArray()));
}

struct cmd_json *cmd_json_bool(bool value)
{
	return outside(made(cJSON_CreateBool(value)));
}

struct cmd_json *cmd_json_int(int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	return cmd_json_number(text);
}

struct cmd_json *cmd_json_uint(uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return cmd_json_number(text);
}

struct cmd_json *cmd_json_number(const char *text)
{
	return outside(made(cJSON_CreateRaw(text)));
}

struct cmd_json *cmd_json_plain(const char *text)
{
	return outside(made(cJSON_CreateString(text)));
}

void cmd_json_add(struct cmd_json *object, const char *name, struct cmd_json *value)
{
	cJSON *item = value ? inside(value) : made(cJSON_CreateNull());

	if (!cJSON_AddItemToObjectCS(inside(object), name, item))
		cmd_json_no_memory();
}

void cmd_json_append(struct cmd_json *array, struct cmd_json *value)
{
	cJSON *item = value ? inside(value) : made(cJSON_CreateNull());

	if (!cJSON_AddItemToArray(inside(array), item))
		cmd_json_no_memory();
}

struct cmd_json *cmd_json_share(struct cmd_json *json)
{
	return json ? outside(made(cJSON_Duplicate(inside(json), true))) : NULL;
}

void cmd_json_free(struct cmd_json *json)
{
	cJSON_Delete(inside(json));
}

char *cmd_json_print(const struct cmd_json *json)
{
	return json ? cJSON_PrintUnformatted(inside(json)) : strdup("null");
}

struct cmd_json *cmd_json_parse(const struct cmd_json_source *source)
{
	return outside(cJSON_Parse(source->text));
}

const char *cmd_json_get_string(const struct cmd_json *json)
{
	return cJSON_GetStringValue(inside(json));
}

/* Of members with one name, the last counts. */
const struct cmd_json *cmd_json_get_only(const struct cmd_json *json, const char *name)
{
	const cJSON *member, *only = NULL;

	if (!cJSON_IsObject(inside(json)))
		return NULL;
	cJSON_ArrayForEach(member, inside(json))
	{
		if (strcmp(member->string, name) != 0)
			return NULL;
		only = member;
	}
	return (const struct cmd_json *)only;
}
