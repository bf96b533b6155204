/* Reports as JSON objects. */
#include "report/json_status.h"

#include <stdio.h>

#include "cli/clock.h"
#include "report/crash_text.h"
#include "report/json_value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void add(struct json_object *object, const char *name, struct json_object *value)
{
	json_object_object_add_ex(object, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

static void add_count(struct json_object *object, const char *name, uint64_t count)
{
	add(object, name, json_object_new_uint64(count));
}

const char *nub_status_name(enum nub_status status)
{
	static const char *const names[] = { "ok", "guest-exit", "guest-crash", "timeout", "error" };

	return names[status];
}

const char *nub_log_level_name(unsigned level)
{
	static const char *const names[] = { "off", "error", "warn", "info", "debug", "trace" };

	return level < COUNT(names) ? names[level] : "unknown";
}

struct json_object *nub_json_error(const struct nub_error *error)
{
	struct json_object *object = json_object_new_object();

	/* A guest's own error comes without a kind of nubrun's. */
	add(object, "code", json_object_new_string(error->kind == NUB_E_NONE ? "guest" : nub_error_name(error->kind)));
	add(object, "message", nub_json_cstring(error->message));
	if (error->hint[0] != '\0')
		add(object, "hint", nub_json_cstring(error->hint));
	return object;
}

struct json_object *nub_json_region(const struct nub_region *region)
{
	struct json_object *object = json_object_new_object();

	add(object, "type", json_object_new_string(nub_region_type_name(region->type)));
	add(object, "flags", json_object_new_string(nub_flags_short(region->flags)));
	add(object, "gpa", region->gpa != 0 ? nub_json_hex(region->gpa) : NULL);
	add(object, "gva", region->gva != 0 ? nub_json_hex(region->gva) : NULL);
	add(object, "size", json_object_new_uint64(region->size));
	return object;
}

struct json_object *nub_json_guest(const char *path, const struct nub_image_info *info)
{
	struct json_object *object = json_object_new_object();

	add(object, "path", nub_json_cstring(path));
	if (info == NULL)
		return object;
	add(object, "type", json_object_new_string(info->relocatable ? "static-pie" : "static"));
	add_count(object, "abi_version", info->abi_version);
	add_count(object, "privilege_level", info->privilege_level);
	add(object, "image_base", nub_json_hex(info->image_base));
	add(object, "entry", nub_json_hex(info->entry));
	if (info->build_id != NULL)
		add(object, "build_id",
		    info->build_id_size != 0 ? nub_json_digits(info->build_id, info->build_id_size) : NULL);
	return object;
}

struct json_object *nub_json_registers(const struct nub_registers *regs)
{
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{ "rax", regs->rax }, { "rbx", regs->rbx },       { "rcx", regs->rcx }, { "rdx", regs->rdx },
		{ "rsi", regs->rsi }, { "rdi", regs->rdi },       { "rsp", regs->rsp }, { "rbp", regs->rbp },
		{ "r8", regs->r8 },   { "r9", regs->r9 },         { "r10", regs->r10 }, { "r11", regs->r11 },
		{ "r12", regs->r12 }, { "r13", regs->r13 },       { "r14", regs->r14 }, { "r15", regs->r15 },
		{ "rip", regs->rip }, { "rflags", regs->rflags },
	};
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < COUNT(all); i++)
		add(object, all[i].name, nub_json_hex(all[i].value));
	return object;
}

static struct json_object *crash_region(const struct nub_crash *crash)
{
	const struct nub_region *region = &crash->region;
	bool is_gpa = crash->kind == NUB_CRASH_NO_MEMORY;
	uint64_t start = is_gpa ? region->gpa : region->gva;
	struct json_object *object = json_object_new_object();
	char where[128];

	nub_crash_where(crash, where, sizeof(where));
	add(object, "text", json_object_new_string(where));
	add(object, "type", json_object_new_string(nub_region_type_name(region->type)));
	add(object, "flags", json_object_new_string(nub_flags_short(region->flags)));
	add(object, "start", nub_json_hex(start));
	add(object, "end", nub_json_hex(start + region->size));
	add(object, "distance", json_object_new_int64(crash->region_distance));
	return object;
}

static void add_address(struct json_object *object, const struct nub_crash *crash)
{
	const char *access = nub_access_name(crash->access);

	if (access != NULL)
		add(object, "access", json_object_new_string(access));
	add(object, "address", nub_json_hex(crash->address));
	if (crash->kind == NUB_CRASH_EXCEPTION)
		add(object, "present", json_object_new_boolean(crash->page_present));
}

struct json_object *nub_json_crash(const struct nub_crash *crash, const struct nub_image *image, const char *sentence)
{
	struct json_object *object = json_object_new_object();
	char place[192];

	add(object, "kind", json_object_new_string(nub_crash_kind_name(crash->kind)));
	add(object, "message", nub_json_cstring(sentence));
	if (crash->has_vector) {
		const char *name = nub_vector_name(crash->vector);
		add_count(object, "vector", crash->vector);
		add(object, "name", name != NULL ? json_object_new_string(name) : NULL);
		add(object, "error_code", nub_json_hex(crash->error_code));
	}
	if (crash->has_address)
		add_address(object, crash);
	if (crash->has_region)
		add(object, "region", crash_region(crash));
	if (crash->kind == NUB_CRASH_BAD_PORT) {
		add_count(object, "port", crash->port);
		add(object, "direction", json_object_new_string(crash->port_read ? "in" : "out"));
	}
	if (crash->kind == NUB_CRASH_ABORT) {
		struct json_object *detail = json_object_new_object();
		add_count(detail, "code", crash->abort_code);
		add(detail, "message", nub_json_cstring(crash->abort_message));
		add(object, "abort", detail);
	}
	add(object, "rip", crash->registers_lost ? NULL : nub_json_hex(crash->regs.rip));
	nub_crash_place(crash, image, place, sizeof(place));
	/* Without a symbol the place is the address again. */
	if (!crash->registers_lost && image != NULL &&
	    nub_image_symbol(image, crash->regs.rip, &(uint64_t){ 0 }) != NULL)
		add(object, "symbol", nub_json_cstring(place));
	add_count(object, "privilege_level", crash->privilege_level);
	add(object, "registers", crash->registers_lost ? NULL : nub_json_registers(&crash->regs));
	return object;
}

static struct json_object *exit_counts(const struct nub_exit_counts *exits)
{
	struct json_object *object = json_object_new_object();

	add_count(object, "total", exits->total);
	add_count(object, "halt", exits->halt);
	add_count(object, "print", exits->print);
	add_count(object, "log", exits->log);
	add_count(object, "call", exits->call);
	add_count(object, "abort", exits->abort);
	add_count(object, "trace", exits->trace);
	add_count(object, "checkpoint", exits->checkpoint);
	add_count(object, "exception", exits->exception);
	add_count(object, "interrupted", exits->interrupted);
	add_count(object, "other", exits->other);
	return object;
}

static struct json_object *memory(const struct nub_memory_info *info)
{
	struct json_object *object = json_object_new_object();

	add_count(object, "snapshot", info->snapshot_size);
	add_count(object, "scratch", info->scratch_size);
	add_count(object, "page_tables", info->page_table_size);
	add_count(object, "mapped", info->mapped_size);
	return object;
}

static struct json_object *times(const struct nub_report *report)
{
	struct json_object *object = json_object_new_object();

	add_count(object, "load", report->load_ns / 1000);
	add_count(object, "create", report->create_ns / 1000);
	add_count(object, "run", report->run_ns / 1000);
	add_count(object, "total", (nub_now_ns() - report->start_ns) / 1000);
	return object;
}

/* Microseconds with three decimals: a call takes few of them. */
static struct json_object *microseconds(uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%03llu", (unsigned long long)(ns / 1000), (unsigned long long)(ns % 1000));
	return json_object_new_double_s((double)ns / 1000, text);
}

static struct json_object *calls(const struct nub_report *report)
{
	struct json_object *object = json_object_new_object();

	add_count(object, "count", report->calls);
	add(object, "median_us", microseconds(report->calls_median_ns));
	add(object, "min_us", microseconds(report->calls_min_ns));
	return object;
}

struct json_object *nub_json_status(const struct nub_report *report)
{
	struct json_object *object = json_object_new_object();
	bool guest_error = report->status == NUB_STATUS_GUEST_EXIT && report->error.message[0] != '\0';

	add_count(object, "schema", 1);
	add(object, "version", json_object_new_string(NUB_VERSION));
	add(object, "command", report->command != NULL ? nub_json_cstring(report->command) : NULL);
	add(object, "status", json_object_new_string(nub_status_name(report->status)));
	add(object, "exit_code", json_object_new_int(report->exit_code));
	if (report->has_result)
		add(object, "result", json_object_get(report->result));
	if (report->crash != NULL)
		add(object, "crash", json_object_get(report->crash));
	if (report->cores != NULL)
		add(object, "cores", json_object_get(report->cores));
	if (report->status == NUB_STATUS_ERROR || guest_error)
		add(object, "error", nub_json_error(&report->error));
	if (report->checkpoint)
		add(object, "checkpoint", json_object_new_boolean(true));
	if (report->guest != NULL)
		add(object, "guest", json_object_get(report->guest));
	if (report->snapshot != NULL)
		add(object, "snapshot", json_object_get(report->snapshot));
	if (report->saved != NULL)
		add(object, "saved", json_object_get(report->saved));
	add(object, "time_us", times(report));
	if (report->calls != 0)
		add(object, "calls", calls(report));
	add(object, "exits", exit_counts(&report->exits));
	add(object, "memory", memory(&report->memory));
	if (report->unsupported != NULL)
		add(object, "unsupported", json_object_get(report->unsupported));
	return object;
}

struct json_object *nub_json_log(const struct nub_log_record *record, uint64_t ns)
{
	struct json_object *object = json_object_new_object();

	add(object, "level", json_object_new_string(nub_log_level_name(record->level)));
	add(object, "source", nub_json_cstring(record->source));
	add_count(object, "line", record->line);
	add(object, "message", nub_json_cstring(record->message));
	add_count(object, "time_us", ns / 1000);
	return object;
}
