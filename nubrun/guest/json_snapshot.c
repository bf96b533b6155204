/* Snapshots as JSON objects. */
#include "guest/json_snapshot.h"

#include "guest/json_describe.h"
#include "report/json_status.h"
#include "json/json.h"

static void add_count(struct cmd_json *object, const char *name, uint64_t count)
{
	cmd_json_add(object, name, cmd_json_uint(count));
}

struct cmd_json *cmd_json_snapshot(const char *path, const struct nub_snapshot_info *info)
{
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "path", cmd_json_cstring(path));
	cmd_json_add(object, "hash", cmd_json_digits(info->hash, sizeof(info->hash)));
	add_count(object, "generation", info->generation);
	cmd_json_add(object, "next", cmd_json_plain(info->next));
	cmd_json_add(object, "cow", cmd_json_plain(info->cow == NUB_COW_HOST ? "host" : "guest"));
	add_count(object, "format_version", info->format_version);
	add_count(object, "mapped_size", info->mapped_size);
	add_count(object, "stored_size", info->stored_size);
	add_count(object, "layers", info->depth + 1);
	if (info->depth != 0) {
		struct cmd_json *base = cmd_json_object();
		cmd_json_add(base, "name", cmd_json_cstring(info->base_name));
		cmd_json_add(base, "hash", cmd_json_digits(info->base_hash, sizeof(info->base_hash)));
		cmd_json_add(object, "base", base);
	}
	if (info->working_pages != 0) {
		struct cmd_json *set = cmd_json_object();
		add_count(set, "pages", info->working_pages);
		add_count(set, "written", info->written_pages);
		cmd_json_add(object, "working_set", set);
	}
	return object;
}

struct cmd_json *cmd_json_saved(const char *path, const struct nub_snapshot_written *written)
{
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "path", cmd_json_cstring(path));
	cmd_json_add(object, "hash", cmd_json_digits(written->hash, sizeof(written->hash)));
	add_count(object, "generation", written->generation);
	cmd_json_add(object, "next", cmd_json_plain(written->next));
	add_count(object, "mapped_size", written->mapped_size);
	add_count(object, "stored_size", written->stored_size);
	add_count(object, "layers", written->depth + 1);
	return object;
}

/* What every answer of `inspect` begins with. */
static struct cmd_json *answer(const char *kind)
{
	struct cmd_json *object = cmd_json_object();

	add_count(object, "schema", 1);
	cmd_json_add(object, "version", cmd_json_plain(NUB_VERSION));
	cmd_json_add(object, "kind", cmd_json_plain(kind));
	return object;
}

static struct cmd_json *words(const char *const *list, size_t count)
{
	struct cmd_json *array = cmd_json_array();

	for (size_t i = 0; i < count; i++)
		cmd_json_append(array, cmd_json_cstring(list[i]));
	return array;
}

/* Of a Linux program: what its threads, open files and so on are, each kind a list. */
static struct cmd_json *program_json(const struct nub_snapshot_info *info)
{
	struct cmd_json *object = cmd_json_object(), *arguments = cmd_json_array(), *threads = cmd_json_array(),
			*files = cmd_json_array(), *grants = cmd_json_array();

	for (size_t i = 0; i < info->item_count; i++) {
		const struct nub_program_item *item = &info->items[i];
		const bool thread = item->kind == NUB_PROGRAM_THREAD;
		if (item->kind == NUB_PROGRAM_ARGUMENT || item->kind == NUB_PROGRAM_GRANT) {
			cmd_json_append(item->kind == NUB_PROGRAM_GRANT ? grants : arguments,
			                cmd_json_cstring(item->text));
			continue;
		}
		struct cmd_json *entry = cmd_json_object();
		add_count(entry, thread ? "tid" : "fd", item->number);
		cmd_json_add(entry, thread ? "name" : "path", cmd_json_cstring(item->text));
		cmd_json_append(thread ? threads : files, entry);
	}
	cmd_json_add(object, "arguments", arguments);
	cmd_json_add(object, "threads", threads);
	cmd_json_add(object, "files", files);
	cmd_json_add(object, "granted", grants);
	return object;
}

struct cmd_json *cmd_json_snapshot_answer(const char *path, const struct nub_snapshot *snapshot, const uint64_t *stored,
                                          bool verified)
{
	const struct nub_snapshot_info *info = nub_snapshot_info(snapshot);
	struct cmd_json *object = answer("snapshot"), *regions = cmd_json_array();
	const char *features[NUB_SNAPSHOT_MAX_FEATURES];
	const size_t feature_count = nub_snapshot_cpu_features(snapshot, features, NUB_SNAPSHOT_MAX_FEATURES);

	for (size_t i = 0; i < info->region_count; i++) {
		struct cmd_json *region = cmd_json_region(&info->regions[i]);
		add_count(region, "stored", stored[i]);
		cmd_json_append(regions, region);
	}
	cmd_json_add(object, "snapshot", cmd_json_snapshot(path, info));
	cmd_json_add(object, "guest", cmd_json_guest(info->guest_path, info->guest));
	if (verified)
		cmd_json_add(object, "verified", cmd_json_bool(true));
	add_count(object, "page_tables", info->page_table_size);
	add_count(object, "scratch", info->scratch_size);
	add_count(object, "spaces", info->root_count);
	cmd_json_add(object, "functions", cmd_json_functions(info->guest));
	cmd_json_add(object, "host_functions", words(info->host_functions, info->host_function_count));
	cmd_json_add(object, "cpu_features", words(features, feature_count));
	cmd_json_add(object, "memory", regions);
	if (info->guest->abi == NUB_ABI_LINUX)
		cmd_json_add(object, "program", program_json(info));
	return object;
}

static struct cmd_json *ranges_json(const struct cmd_diff_part *part)
{
	struct cmd_json *array = cmd_json_array();

	for (size_t i = 0; i < part->range_count; i++) {
		struct cmd_json *range = cmd_json_object();
		cmd_json_add(range, "gva", cmd_json_hex(part->ranges[i].gva));
		add_count(range, "pages", part->ranges[i].pages);
		add_count(range, "bytes", part->ranges[i].bytes);
		cmd_json_append(array, range);
	}
	return array;
}

static struct cmd_json *symbols_json(const struct cmd_diff_part *part)
{
	struct cmd_json *array = cmd_json_array();

	for (size_t i = 0; i < part->symbol_count; i++) {
		struct cmd_json *symbol = cmd_json_object();
		cmd_json_add(symbol, "name", cmd_json_cstring(part->symbols[i].name));
		add_count(symbol, "bytes", part->symbols[i].bytes);
		cmd_json_append(array, symbol);
	}
	return array;
}

static struct cmd_json *part_json(const struct cmd_diff_part *part)
{
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "region", part->region ? cmd_json_region(part->region) : NULL);
	add_count(object, "pages", part->pages);
	add_count(object, "bytes", part->bytes);
	add_count(object, "only_first", part->only_first);
	add_count(object, "only_second", part->only_second);
	cmd_json_add(object, "ranges", ranges_json(part));
	cmd_json_add(object, "symbols", symbols_json(part));
	return object;
}

struct cmd_json *cmd_json_diff(const char *first, const char *second, const struct cmd_diff *diff)
{
	struct cmd_json *object = answer("diff"), *parts = cmd_json_array();

	cmd_json_add(object, "first", cmd_json_cstring(first));
	cmd_json_add(object, "second", cmd_json_cstring(second));
	add_count(object, "pages", diff->pages);
	add_count(object, "bytes", diff->bytes);
	for (size_t i = 0; i < diff->part_count; i++)
		if (diff->parts[i].pages != 0)
			cmd_json_append(parts, part_json(&diff->parts[i]));
	cmd_json_add(object, "parts", parts);
	return object;
}
