/* JSON and typed values: the arguments of --call, its result, and what host functions get and give.
 *
 * i32, u32, i64, u64: integers, exact. f32, f64: numbers in their shortest form that reads back the same; "nan", "inf",
 * "-inf". bool: true, false. string: a string. bytes: {"base64": "..."}. void: null.
 */
#ifndef CMD_JSON_VALUE_H
#define CMD_JSON_VALUE_H

#include <json-c/json.h>

#include "nub.h"

/* Read a value of `type` from text[0..size), one JSON value with nothing but space behind it; text[size] is NUL. Numbers are
 * read from the text itself, so that none is rounded on the way. STRING and BYTES get malloc'd bytes, which
 * cmd_json_value_release frees. Errors: ARGUMENTS ("WHAT: not JSON at character 3: ...", "WHAT: 300 is out of range for
 * i32", "WHAT: \"x\" is not an i64"), NO_MEMORY. */
int cmd_json_read_value(const char *text, size_t size, enum nub_type type, const char *what, struct nub_value *value,
                        struct nub_error *err);
void cmd_json_value_release(struct nub_value *value);

struct json_object *cmd_json_from_value(const struct nub_value *value);

/* A JSON string of bytes that came from outside: invalid UTF-8 becomes U+FFFD. */
struct json_object *cmd_json_string(const void *text, size_t size);
struct json_object *cmd_json_cstring(const char *text);

/* "0x..." */
struct json_object *cmd_json_hex(uint64_t number);

/* At most 64 bytes, two digits each. */
struct json_object *cmd_json_digits(const uint8_t *bytes, size_t size);

/* The text of `json` on one line, or indented, with a line feed; malloc'd, NULL without memory. No control character is
 * in it, DEL and U+0080 to U+009F included. */
char *cmd_json_text(struct json_object *json, bool indented, size_t *size);

#endif
