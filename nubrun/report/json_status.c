/* Reports as JSON objects. */
#include "report/json_status.h"

#include <stdio.h>

#include "base/clock.h"
#include "report/crash_text.h"
#include "json/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void add_count(struct cmd_json *object, const char *name, uint64_t count)
{
	cmd_json_add(object, name, cmd_json_uint(count));
}

const char *cmd_status_name(enum cmd_status status)
{
	static const char *const names[] = { "ok",        "guest-exit",   "guest-crash", "timeout",
		                             "cpu-limit", "output-limit", "error" };

	return names[status];
}

const char *cmd_log_level_name(unsigned level)
{
	static const char *const names[] = { "off", "error", "warn", "info", "debug", "trace" };

	return level < COUNT(names) ? names[level] : "unknown";
}

struct cmd_json *cmd_json_error(const struct nub_error *error)
{
	struct cmd_json *object = cmd_json_object();

	/* A guest's own error comes without a kind of nubrun's. */
	cmd_json_add(object, "code", cmd_json_plain(error->kind == NUB_E_NONE ? "guest" : nub_error_name(error->kind)));
	cmd_json_add(object, "message", cmd_json_cstring(error->message));
	if (error->hint[0] != '\0')
		cmd_json_add(object, "hint", cmd_json_cstring(error->hint));
	return object;
}

struct cmd_json *cmd_json_region(const struct nub_region *region)
{
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "type", cmd_json_plain(nub_region_type_name(region->type)));
	cmd_json_add(object, "flags", cmd_json_plain(cmd_flags_short(region->flags)));
	cmd_json_add(object, "gpa", region->gpa != 0 ? cmd_json_hex(region->gpa) : NULL);
	cmd_json_add(object, "gva", region->gva != 0 ? cmd_json_hex(region->gva) : NULL);
	cmd_json_add(object, "size", cmd_json_uint(region->size));
	return object;
}

struct cmd_json *cmd_json_guest(const char *path, const struct nub_image_info *info)
{
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "path", cmd_json_cstring(path));
	if (!info)
		return object;
	if (info->abi == NUB_ABI_LINUX) {
		cmd_json_add(object, "type", cmd_json_plain("linux"));
		return object;
	}
	cmd_json_add(object, "type", cmd_json_plain(info->relocatable ? "static-pie" : "static"));
	add_count(object, "abi_version", info->abi_version);
	add_count(object, "privilege_level", info->privilege_level);
	cmd_json_add(object, "image_base", cmd_json_hex(info->image_base));
	cmd_json_add(object, "entry", cmd_json_hex(info->entry));
	if (info->build_id)
		cmd_json_add(object, "build_id",
		             info->build_id_size != 0 ? cmd_json_digits(info->build_id, info->build_id_size) : NULL);
	return object;
}

struct cmd_json *cmd_json_registers(const struct nub_registers *regs)
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
	struct cmd_json *object = cmd_json_object();

	for (size_t i = 0; i < COUNT(all); i++)
		cmd_json_add(object, all[i].name, cmd_json_hex(all[i].value));
	return object;
}

static struct cmd_json *crash_region(const struct nub_crash *crash)
{
	const struct nub_region *region = &crash->region;
	bool is_gpa = crash->kind == NUB_CRASH_NO_MEMORY;
	uint64_t start = is_gpa ? region->gpa : region->gva;
	struct cmd_json *object = cmd_json_object();
	char where[128];

	cmd_crash_where(crash, where, sizeof(where));
	cmd_json_add(object, "text", cmd_json_plain(where));
	cmd_json_add(object, "type", cmd_json_plain(nub_region_type_name(region->type)));
	cmd_json_add(object, "flags", cmd_json_plain(cmd_flags_short(region->flags)));
	cmd_json_add(object, "start", cmd_json_hex(start));
	cmd_json_add(object, "end", cmd_json_hex(start + region->size));
	cmd_json_add(object, "distance", cmd_json_int(crash->region_distance));
	return object;
}

static void add_address(struct cmd_json *object, const struct nub_crash *crash)
{
	const char *access = cmd_access_name(crash->access);

	if (access)
		cmd_json_add(object, "access", cmd_json_plain(access));
	cmd_json_add(object, "address", cmd_json_hex(crash->address));
	if (crash->kind == NUB_CRASH_EXCEPTION)
		cmd_json_add(object, "present", cmd_json_bool(crash->page_present));
}

struct cmd_json *cmd_json_crash(const struct nub_crash *crash, const struct nub_image *image, const char *sentence)
{
	struct cmd_json *object = cmd_json_object();
	char place[192];

	cmd_json_add(object, "kind", cmd_json_plain(nub_crash_kind_name(crash->kind)));
	cmd_json_add(object, "message", cmd_json_cstring(sentence));
	if (crash->has_vector) {
		const char *name = nub_vector_name(crash->vector);
		add_count(object, "vector", crash->vector);
		cmd_json_add(object, "name", name ? cmd_json_plain(name) : NULL);
		cmd_json_add(object, "error_code", cmd_json_hex(crash->error_code));
	}
	if (crash->has_address)
		add_address(object, crash);
	if (crash->has_region)
		cmd_json_add(object, "region", crash_region(crash));
	if (crash->kind == NUB_CRASH_BAD_PORT) {
		add_count(object, "port", crash->port);
		cmd_json_add(object, "direction", cmd_json_plain(crash->port_read ? "in" : "out"));
	}
	if (crash->kind == NUB_CRASH_ABORT) {
		struct cmd_json *detail = cmd_json_object();
		add_count(detail, "code", crash->abort_code);
		cmd_json_add(detail, "message", cmd_json_cstring(crash->abort_message));
		cmd_json_add(object, "abort", detail);
	}
	cmd_json_add(object, "rip", crash->registers_lost ? NULL : cmd_json_hex(crash->regs.rip));
	cmd_crash_place(crash, image, place, sizeof(place));
	/* Without a symbol the place is the address again. */
	if (!crash->registers_lost && image && nub_image_symbol(image, crash->regs.rip, &(uint64_t){ 0 }))
		cmd_json_add(object, "symbol", cmd_json_cstring(place));
	add_count(object, "privilege_level", crash->privilege_level);
	cmd_json_add(object, "registers", crash->registers_lost ? NULL : cmd_json_registers(&crash->regs));
	return object;
}

static struct cmd_json *exit_counts(const struct nub_exit_counts *exits)
{
	struct cmd_json *object = cmd_json_object();

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

static struct cmd_json *memory(const struct nub_memory_info *info)
{
	struct cmd_json *object = cmd_json_object();

	add_count(object, "snapshot", info->snapshot_size);
	add_count(object, "scratch", info->scratch_size);
	add_count(object, "page_tables", info->page_table_size);
	add_count(object, "mapped", info->mapped_size);
	return object;
}

static struct cmd_json *times(const struct cmd_report *report)
{
	struct cmd_json *object = cmd_json_object();

	add_count(object, "load", report->load_ns / 1000);
	add_count(object, "create", report->create_ns / 1000);
	add_count(object, "run", report->run_ns / 1000);
	add_count(object, "total", (nub_clock_ns() - report->start_ns) / 1000);
	return object;
}

/* Microseconds with three decimals: a call takes few of them. */
static struct cmd_json *microseconds(uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%03llu", (unsigned long long)(ns / 1000), (unsigned long long)(ns % 1000));
	return cmd_json_number(text);
}

static struct cmd_json *calls(const struct cmd_report *report)
{
	struct cmd_json *object = cmd_json_object();

	add_count(object, "count", report->calls);
	cmd_json_add(object, "median_us", microseconds(report->calls_median_ns));
	cmd_json_add(object, "min_us", microseconds(report->calls_min_ns));
	return object;
}

struct cmd_json *cmd_json_status(const struct cmd_report *report)
{
	struct cmd_json *object = cmd_json_object();
	bool guest_error = report->status == CMD_STATUS_GUEST_EXIT && report->error.message[0] != '\0';

	add_count(object, "schema", 1);
	cmd_json_add(object, "version", cmd_json_plain(NUB_VERSION));
	cmd_json_add(object, "command", report->command ? cmd_json_cstring(report->command) : NULL);
	cmd_json_add(object, "status", cmd_json_plain(cmd_status_name(report->status)));
	cmd_json_add(object, "exit_code", cmd_json_int(report->exit_code));
	if (report->has_result)
		cmd_json_add(object, "result", cmd_json_share(report->result));
	if (report->crash)
		cmd_json_add(object, "crash", cmd_json_share(report->crash));
	if (report->cores)
		cmd_json_add(object, "cores", cmd_json_share(report->cores));
	if (report->status == CMD_STATUS_ERROR || guest_error)
		cmd_json_add(object, "error", cmd_json_error(&report->error));
	if (report->checkpoint)
		cmd_json_add(object, "checkpoint", cmd_json_bool(true));
	if (report->guest)
		cmd_json_add(object, "guest", cmd_json_share(report->guest));
	if (report->snapshot)
		cmd_json_add(object, "snapshot", cmd_json_share(report->snapshot));
	if (report->saved)
		cmd_json_add(object, "saved", cmd_json_share(report->saved));
	if (report->engine)
		cmd_json_add(object, "engine", cmd_json_plain(report->engine));
	if (report->confinement)
		cmd_json_add(object, "confinement", cmd_json_share(report->confinement));
	cmd_json_add(object, "time_us", times(report));
	if (report->calls != 0)
		cmd_json_add(object, "calls", calls(report));
	cmd_json_add(object, "exits", exit_counts(&report->exits));
	cmd_json_add(object, "memory", memory(&report->memory));
	if (report->unsupported)
		cmd_json_add(object, "unsupported", cmd_json_share(report->unsupported));
	return object;
}

struct cmd_json *cmd_json_log(const struct nub_log_record *record, uint64_t ns)
{
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "level", cmd_json_plain(cmd_log_level_name(record->level)));
	cmd_json_add(object, "source", cmd_json_cstring(record->source));
	add_count(object, "line", record->line);
	cmd_json_add(object, "message", cmd_json_cstring(record->message));
	add_count(object, "time_us", ns / 1000);
	return object;
}
