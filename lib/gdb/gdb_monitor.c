/* What gdb's `monitor` commands tell and do: what the library knows and gdb does not ask for. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gdb/gdb.h"

/* Areas of a Linux program are nowhere in guest-physical memory as a whole. */
static int put_region(struct nub_buffer *text, const struct nub_region *region, struct nub_error *err)
{
	char gpa[32] = "";

	if (region->gpa != 0)
		snprintf(gpa, sizeof(gpa), "gpa %#11" PRIx64 "  ", region->gpa);
	return nub_gdb_put(text, err, "%#18" PRIx64 " .. %#18" PRIx64 "  %s%-11s %s\n", region->gva,
	                   region->gva + (region->size - 1), gpa, nub_region_type_name(region->type),
	                   nub_region_flags_name(region->flags));
}

/* Only what has an address in the guest. Of scratch, a Linux program has nothing. */
static int show_regions(const struct nub_sandbox *sandbox, struct nub_buffer *text, struct nub_error *err)
{
	const struct nub_plan *plan = &sandbox->machine.plan;
	const struct nub_region scratch = nub_layout_scratch_region(&plan->layout);

	if (nub_personality_regions(sandbox->personality, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->regions.count; i++)
		if (plan->regions.items[i].gva != 0 && put_region(text, &plan->regions.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < plan->map_count; i++)
		if (put_region(text, &plan->maps[i], err) < 0)
			return -1;
	return sandbox->personality->is_program ? 0 : put_region(text, &scratch, err);
}

static int show_exits(const struct nub_sandbox *sandbox, struct nub_buffer *text, struct nub_error *err)
{
	const struct nub_exit_counts *exits = &sandbox->machine.exits;
	const struct {
		const char *name;
		uint64_t count;
	} rows[] = {
		{ "total", exits->total },         { "halt", exits->halt },
		{ "print", exits->print },         { "log", exits->log },
		{ "call", exits->call },           { "abort", exits->abort },
		{ "trace", exits->trace },         { "checkpoint", exits->checkpoint },
		{ "exception", exits->exception }, { "interrupted", exits->interrupted },
		{ "other", exits->other },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (nub_gdb_put(text, err, "%-12s %" PRIu64 "\n", rows[i].name, rows[i].count) < 0)
			return -1;
	return 0;
}

static int save_snapshot(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, const char *path,
                         struct nub_buffer *text, struct nub_error *err)
{
	const enum nub_sandbox_state state = sandbox->state;
	struct nub_error reason = { 0 };

	if (!nub_personality_at_rest(sandbox->personality))
		return nub_gdb_put(text, err,
		                   "the guest has not taken what was sent to it, which a snapshot can't keep; go on to "
		                   "its main first\n");
	sandbox->state = NUB_STATE_BROKEN_INTO;
	const int result = nub_snapshot_save(sandbox, options, path, &reason);
	sandbox->state = state;
	if (result < 0)
		return nub_gdb_put(text, err, "%.400s\n", reason.message);
	return nub_gdb_put(text, err, "saved; it goes on from here when it is restored\n");
}

static int show_help(struct nub_buffer *text, struct nub_error *err)
{
	return nub_gdb_put(text, err,
	                   "monitor regions        the guest's memory: addresses, what is there, who may do what\n"
	                   "monitor exits          how often the guest left to the host, by reason\n"
	                   "monitor snapshot FILE  save the guest as it is now\n");
}

int nub_gdb_monitor(void *context, const char *command, struct nub_buffer *text, struct nub_error *err)
{
	struct nub_gdb *gdb = context;
	struct nub_sandbox *sandbox = gdb->sandbox;
	static const char snapshot[] = "snapshot ";

	if (strcmp(command, "regions") == 0)
		return show_regions(sandbox, text, err);
	if (strcmp(command, "exits") == 0)
		return show_exits(sandbox, text, err);
	if (strcmp(command, "help") == 0)
		return show_help(text, err);
	if (strncmp(command, snapshot, strlen(snapshot)) == 0 && command[strlen(snapshot)] != '\0') {
		if (!gdb->saves)
			return nub_gdb_put(text, err,
			                   "who comes by this socket may not write files; by a Unix socket its owner "
			                   "may\n");
		if (gdb->crash)
			return nub_gdb_put(text, err, "the guest has crashed, there is nothing to go on with\n");
		return save_snapshot(sandbox, &gdb->snapshot, command + strlen(snapshot), text, err);
	}
	if (nub_gdb_put(text, err, "no such command\n") < 0)
		return -1;
	return show_help(text, err);
}
