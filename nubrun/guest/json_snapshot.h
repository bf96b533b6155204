/* Snapshots as JSON: in the status, and as the answers of `inspect`. Members: nubrun(1). */
#ifndef CMD_JSON_SNAPSHOT_H
#define CMD_JSON_SNAPSHOT_H

#include "guest/diff.h"
#include "nub.h"

struct cmd_json;

/* Members `snapshot` and `saved` of the status. */
struct cmd_json *cmd_json_snapshot(const char *path, const struct nub_snapshot_info *info);
struct cmd_json *cmd_json_saved(const char *path, const struct nub_snapshot_written *written);

/* All about a snapshot; stored[0..info->region_count) bytes of its regions are. */
struct cmd_json *cmd_json_snapshot_answer(const char *path, const struct nub_snapshot *snapshot, const uint64_t *stored,
                                          bool verified);

struct cmd_json *cmd_json_diff(const char *first, const char *second, const struct cmd_diff *diff);

#endif
