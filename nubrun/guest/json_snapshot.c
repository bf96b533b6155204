/* Snapshots as JSON objects. */
#include "guest/json_snapshot.h"

#include "guest/json_describe.h"
#include "report/json_status.h"
#include "report/json_value.h"

static void add(struct json_object *object, const char *name, struct json_object *value)
{
	json_object_object_add_ex(object, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

static void add_count(struct json_object *object, const char *name, uint64_t count)
{
	add(object, name, json_object_new_uint64(count));
}

struct json_object *cmd_json_snapshot(const char *path, const struct nub_snapshot_info *info)
{
	struct json_object *object = json_object_new_object();

	add(object, "path", cmd_json_cstring(path));
	add(object, "hash", cmd_json_digits(info->hash, sizeof(info->hash)));
	add_count(object, "generation", info->generation);
	add(object, "next", json_object_new_string(info->next));
	add(object, "cow", json_object_new_string(info->cow == NUB_COW_HOST ? "host" : "guest"));
	add_count(object, "format_version", info->format_version);
	add_count(object, "mapped_size", info->mapped_size);
	add_count(object, "stored_size", info->stored_size);
	add_count(object, "layers", info->depth + 1);
	if (info->depth != 0) {
		struct json_object *base = json_object_new_object();
		add(base, "name", cmd_json_cstring(info->base_name));
		add(base, "hash", cmd_json_digits(info->base_hash, sizeof(info->base_hash)));
		add(object, "base", base);
	}
	return object;
}

struct json_object *cmd_json_saved(const char *path, const struct nub_snapshot_written *written)
{
	struct json_object *object = json_object_new_object();

	add(object, "path", cmd_json_cstring(path));
	add(object, "hash", cmd_json_digits(written->hash, sizeof(written->hash)));
	add_count(object, "generation", written->generation);
	add(object, "next", json_object_new_string(written->next));
	add_count(object, "mapped_size", written->mapped_size);
	add_count(object, "stored_size", written->stored_size);
	add_count(object, "layers", written->depth + 1);
	return object;
}

/* What every answer of `inspect` begins with. */
static struct json_object *answer(const char *kind)
{
	struct json_object *object = json_object_new_object();

	add_count(object, "schema", 1);
	add(object, "version", json_object_new_string(NUB_VERSION));
	add(object, "kind", json_object_new_string(kind));
	return object;
}

static struct json_object *words(const char *const *list, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, cmd_json_cstring(list[i]));
	return array;
}

struct json_object *cmd_json_snapshot_answer(const char *path, const struct nub_snapshot *snapshot,
                                             const uint64_t *stored, bool verified)
{
	const struct nub_snapshot_info *info = nub_snapshot_info(snapshot);
	struct json_object *object = answer("snapshot"), *regions = json_object_new_array();
	const char *features[NUB_SNAPSHOT_MAX_FEATURES];
	const size_t feature_count = nub_snapshot_cpu_features(snapshot, features, NUB_SNAPSHOT_MAX_FEATURES);

	for (size_t i = 0; i < info->region_count; i++) {
		struct json_object *region = cmd_json_region(&info->regions[i]);
		add_count(region, "stored", stored[i]);
		json_object_array_add(regions, region);
	}
	add(object, "snapshot", cmd_json_snapshot(path, info));
	add(object, "guest", cmd_json_guest(info->guest_path, info->guest));
	if (verified)
		add(object, "verified", json_object_new_boolean(true));
	add_count(object, "page_tables", info->page_table_size);
	add_count(object, "scratch", info->scratch_size);
	add_count(object, "spaces", info->root_count);
	add(object, "functions", cmd_json_functions(info->guest));
	add(object, "host_functions", words(info->host_functions, info->host_function_count));
	add(object, "cpu_features", words(features, feature_count));
	add(object, "memory", regions);
	return object;
}

static struct json_object *ranges_json(const struct cmd_diff_part *part)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < part->range_count; i++) {
		struct json_object *range = json_object_new_object();
		add(range, "gva", cmd_json_hex(part->ranges[i].gva));
		add_count(range, "pages", part->ranges[i].pages);
		add_count(range, "bytes", part->ranges[i].bytes);
		json_object_array_add(array, range);
	}
	return array;
}

static struct json_object *symbols_json(const struct cmd_diff_part *part)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < part->symbol_count; i++) {
		struct json_object *symbol = json_object_new_object();
		add(symbol, "name", cmd_json_cstring(part->symbols[i].name));
		add_count(symbol, "bytes", part->symbols[i].bytes);
		json_object_array_add(array, symbol);
	}
	return array;
}

static struct json_object *part_json(const struct cmd_diff_part *part)
{
	struct json_object *object = json_object_new_object();

	add(object, "region", part->region != NULL ? cmd_json_region(part->region) : NULL);
	add_count(object, "pages", part->pages);
	add_count(object, "bytes", part->bytes);
	add_count(object, "only_first", part->only_first);
	add_count(object, "only_second", part->only_second);
	add(object, "ranges", ranges_json(part));
	add(object, "symbols", symbols_json(part));
	return object;
}

struct json_object *cmd_json_diff(const char *first, const char *second, const struct cmd_diff *diff)
{
	struct json_object *object = answer("diff"), *parts = json_object_new_array();

	add(object, "first", cmd_json_cstring(first));
	add(object, "second", cmd_json_cstring(second));
	add_count(object, "pages", diff->pages);
	add_count(object, "bytes", diff->bytes);
	for (size_t i = 0; i < diff->part_count; i++)
		if (diff->parts[i].pages != 0)
			json_object_array_add(parts, part_json(&diff->parts[i]));
	add(object, "parts", parts);
	return object;
}
