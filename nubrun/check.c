/* `nubrun check`: can this host run guests, how fast, and what to do about it. */
#include <stdio.h>

#include "cli/fail.h"
#include "command.h"
#include "guest/json_describe.h"
#include "report/print.h"

struct check_options {
	bool json;
};

const struct cmd_option cmd_check_options[] = {
	{ .name = "json",
	  .offset = offsetof(struct check_options, json),
	  .parse = cmd_option_flag,
	  .help = "print it as one JSON object" },
	CMD_OPTION_HELP,
	{ 0 },
};

/* What a host without it has to do without. */
static void print_capability(const char *name, bool present, const char *without)
{
	printf("%-22s%s%s\n", name, present ? "yes" : "no: ", present ? "" : without);
}

static void print_text(const struct nub_host_info *info)
{
	printf("/dev/kvm              usable, API version %d\n", info->api_version);
	printf("kernel                %s, module %s\n", info->kernel,
	       info->module[0] != '\0' ? info->module : "unknown");
	if (info->emulator[0] != '\0')
		printf("host CPU              emulated by %s: for tests, all is much slower\n", info->emulator);
	print_capability("read-only memory", info->readonly_memory, "mapped files are guarded by page tables only");
	print_capability("register sharing", info->sync_regs, "each call costs a few more ioctls");
	print_capability("immediate exit", info->immediate_exit, "use a kernel of 4.13 or later");
	print_capability("XSAVE", info->xsave, "guests get SSE only");
	print_capability("AVX", info->avx, "guests built with -mavx crash with #UD");
	print_capability("FSGSBASE", info->fsgsbase, "guests can't use wrfsbase and its like");
	print_capability("large pages", info->large_pages,
	                 "fresh memory is slower; try: echo madvise >/sys/kernel/mm/transparent_hugepage/enabled");
	if (info->cpl0_emulated)
		printf("supervisor code       emulated, %.0f ns an instruction: keep guests at privilege level 3\n",
		       info->cpl0_ns_per_instruction);
	else
		printf("supervisor code       native, %.1f ns an instruction\n", info->cpl0_ns_per_instruction);
	printf("round trip            %.1f us from guest to host and back\n", info->round_trip_us);
	printf("\nThis host can run guests in virtual machines.\n");
}

/* The other engine: what runs guests where KVM does not. */
static void print_process(const struct cmd_process_engine *process)
{
	if (process->error.kind == NUB_E_NONE)
		printf(
		    "--engine process runs guests as processes under seccomp, without the hardware boundary: usable,\n"
		    "round trip %.1f us.\n",
		    process->round_trip_us);
	else
		printf("--engine process is not usable: %s\n%s%s\n", process->error.message,
		       process->error.hint[0] != '\0' ? "To do: " : "", process->error.hint);
}

static int check(const struct check_options *options, struct nub_error *err)
{
	struct cmd_process_engine process = { 0 };
	struct nub_host_info info = { 0 };
	struct nub_error print_err = { 0 };
	int failed = nub_host_probe(&info, err);

	nub_host_probe_process(&process.round_trip_us, &process.error);
	if (options->json)
		failed |= cmd_print_json(cmd_json_host(&info, failed != 0 ? err : NULL, &process), &print_err);
	else if (failed == 0)
		print_text(&info);
	else
		printf("This host can't run guests in virtual machines: %s\n%s%s\n\n", err->message,
		       err->hint[0] != '\0' ? "To do: " : "", err->hint);
	if (!options->json)
		print_process(&process);
	if (print_err.kind == NUB_E_NONE)
		failed |= cmd_print_end(&print_err);
	if (failed != 0 && err->kind == NUB_E_NONE)
		*err = print_err;
	return failed;
}

int cmd_check(int argc, char **argv, struct cmd_report *report)
{
	struct check_options options = { 0 };
	struct nub_error err = { 0 };

	report->only_errors = true;
	if (cmd_command_options(&argc, &argv, &options, report) && cmd_command_operands(argc, argv, 0, 0, report) &&
	    check(&options, &err) < 0)
		cmd_report_error(report, &err);
	return cmd_report_end(report);
}
