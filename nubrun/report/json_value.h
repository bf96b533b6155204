/* JSON and typed values: the arguments of --call, its result, and what host functions get and give.
 *
 * i32, u32, i64, u64: integers, exact. f32, f64: numbers in their shortest form that reads back the same; "nan", "inf",
 * "-inf". bool: true, false. string: a string. bytes: {"base64": "..."}. void: null.
 */
#ifndef CMD_JSON_VALUE_H
#define CMD_JSON_VALUE_H

#include "nub.h"

struct cmd_json;

/* Read a value of `type` from text[0..size), one JSON value with nothing but space behind it; text[size] is NUL. Numbers are
 * read from the text itself, so that none is rounded on the way. STRING and BYTES get malloc'd bytes, which
 * cmd_json_value_release frees. Errors: ARGUMENTS ("WHAT: not JSON at character 3: ...", "WHAT: 300 is out of range for
 * i32", "WHAT: \"x\" is not an i64"), NO_MEMORY. */
int cmd_json_read_value(const char *text, size_t size, enum nub_type type, const char *what, struct nub_value *value,
                        struct nub_error *err);
void cmd_json_value_release(struct nub_value *value);

struct cmd_json *cmd_json_from_value(const struct nub_value *value);

#endif
