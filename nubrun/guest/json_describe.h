/* JSON answers of `inspect` and `check`. Members: nubrun(1). */
#ifndef CMD_JSON_DESCRIBE_H
#define CMD_JSON_DESCRIBE_H

#include "nub.h"

struct cmd_json;

struct cmd_json *cmd_json_image(const char *path, const struct nub_image *image, const struct nub_region *regions,
                                size_t region_count);

/* Exported functions: name, params, result, prototype. */
struct cmd_json *cmd_json_functions(const struct nub_image_info *info);

/* The process engine on this host. */
struct cmd_process_engine {
	struct nub_error error; /* of kind NUB_E_NONE: it is usable */
	double round_trip_us;
};

/* `error` is why guests can't run here in virtual machines, or NULL. */
struct cmd_json *cmd_json_host(const struct nub_host_info *info, const struct nub_error *error,
                               const struct cmd_process_engine *process);

#endif
