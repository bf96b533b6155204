/* The status object: one room where a report becomes JSON. Members: nubrun(1), STATUS. */
#ifndef CMD_JSON_STATUS_H
#define CMD_JSON_STATUS_H

#include "nub.h"
#include "report/report.h"

struct cmd_json;

/* The whole status; the caller's. */
struct cmd_json *cmd_json_status(const struct cmd_report *report);

/* Its `guest` and `crash` members, made while image and sandbox are there. json_snapshot.h has those of snapshots. */
struct cmd_json *cmd_json_guest(const char *path, const struct nub_image_info *info);
struct cmd_json *cmd_json_crash(const struct nub_crash *crash, const struct nub_image *image, const char *sentence);

/* rax to r15, rip, rflags, each in hexadecimal. */
struct cmd_json *cmd_json_registers(const struct nub_registers *regs);

/* {code, message, hint} */
struct cmd_json *cmd_json_error(const struct nub_error *error);

/* One region: type, flags, gpa, gva, size. A gpa is null in a snapshot, where pages lie anywhere. */
struct cmd_json *cmd_json_region(const struct nub_region *region);

/* A log record of the guest's, and when it came: nanoseconds from the start of the command. */
struct cmd_json *cmd_json_log(const struct nub_log_record *record, uint64_t ns);

const char *cmd_status_name(enum cmd_status status);
const char *cmd_log_level_name(unsigned level);

#endif
