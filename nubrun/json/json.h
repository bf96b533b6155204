/* JSON: values made, written and read. The one room that knows the library behind it (make JSON=...).
 *
 *     struct cmd_json *object = cmd_json_object();
 *     cmd_json_add(object, "size", cmd_json_uint(4096));
 *     char *text = cmd_json_text(object, false, &size);
 *     cmd_json_free(object);
 *
 * NULL is null. What is added to an object or array belongs to it. Where there is no memory to make or to write a value, what is told
 * would not be what was to be told: the process ends, with 125.
 */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cmd_json;
struct nub_error;

/* ---- Making ---- */

struct cmd_json *cmd_json_object(void);
struct cmd_json *cmd_json_array(void);
struct cmd_json *cmd_json_bool(bool value);
struct cmd_json *cmd_json_int(int64_t number);
struct cmd_json *cmd_json_uint(uint64_t number);
struct cmd_json *cmd_json_number(const char *text); /* a number as it shall be written */
struct cmd_json *cmd_json_plain(const char *text);  /* a string that is known to be UTF-8 */

/* A string of bytes that came from outside: invalid UTF-8 becomes U+FFFD, and a NUL ends it. */
struct cmd_json *cmd_json_string(const void *text, size_t size);
struct cmd_json *cmd_json_cstring(const char *text);

/* "0x..." */
struct cmd_json *cmd_json_hex(uint64_t number);

/* At most 64 bytes, two digits each. */
struct cmd_json *cmd_json_digits(const uint8_t *bytes, size_t size);

/* `name` is new in the object, and stays as long as it: a literal. */
void cmd_json_add(struct cmd_json *object, const char *name, struct cmd_json *value);
void cmd_json_append(struct cmd_json *array, struct cmd_json *value);

/* The same value for another owner. Neither may change it any more. */
struct cmd_json *cmd_json_share(struct cmd_json *json);
void cmd_json_free(struct cmd_json *json); /* NULL is fine */

/* ---- Writing ---- */

/* The text of `json` on one line, or indented, with a line feed; malloc'd. No control character is in it, DEL and U+0080 to
 * U+009F included. */
char *cmd_json_text(const struct cmd_json *json, bool indented, size_t *size);

/* ---- Reading ---- */

/* One JSON value as it was written. */
struct cmd_json_source {
	char *text; /* without the space around it, NUL-terminated; malloc'd */
	size_t size;
	bool has_nul; /* \u0000 is in one of its strings */
};

/* Take the one value in text[0..size), all of RFC 8259 checked: nothing but space is around it, and strings are UTF-8. An
 * escaped half of a surrogate pair becomes \ufffd. Errors: ARGUMENTS ("WHAT: not JSON at character 3: ..."), NO_MEMORY. */
int cmd_json_scan(const char *text, size_t size, const char *what, struct cmd_json_source *source,
                  struct nub_error *err);

/* The value itself; numbers in it may be rounded. */
struct cmd_json *cmd_json_parse(const struct cmd_json_source *source);

/* The text of a string, up to a NUL in it; NULL when it is something else. Belongs to `json`. */
const char *cmd_json_get_string(const struct cmd_json *json);

/* What an object has under its only name; NULL when it has another name, or several. Belongs to `json`. */
const struct cmd_json *cmd_json_get_only(const struct cmd_json *json, const char *name);

/* ---- What a library does: json_c.c, cjson.c ---- */

/* One line without a line feed; malloc'd. NULL without memory. */
char *cmd_json_print(const struct cmd_json *json);

/* ---- For them, without memory ---- */

_Noreturn void cmd_json_no_memory(void);

#endif
