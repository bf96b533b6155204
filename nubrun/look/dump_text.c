/* Snapshots and cores told to people. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"
#include "cli/text.h"
#include "look/dump.h"
#include "report/crash_text.h"
#include "report/memory_map.h"
#include "report/print.h"
#include "run/evidence.h"

/* "WHAT          " and a text from the file, which may hold anything. */
static void print_clean(const char *what, const char *text)
{
	NUB_AUTO_FREE char *clean = cmd_text_printable(text, strlen(text));

	printf("%-14s%s\n", what, clean ? clean : "?");
}

static const char *reason_words(const struct nub_dump_info *info)
{
	if (!info->is_core)
		return "snapshot";
	switch (info->reason) {
	case NUB_CORE_CRASH:
		return "core of a guest that crashed";
	case NUB_CORE_TIMEOUT:
		return "core of a guest that had no time left";
	case NUB_CORE_REQUEST:
		return "core of a running guest, asked for by SIGQUIT";
	case NUB_CORE_SNAPSHOT:
		return "core made from a snapshot";
	case NUB_CORE_INTERRUPTED:
		return "core of a guest that a signal to nubrun ended";
	}
	return "core";
}

static void print_registers(const struct nub_registers *regs)
{
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{ "rax", regs->rax }, { "rbx", regs->rbx },       { "rcx", regs->rcx }, { "rdx", regs->rdx },
		{ "rsi", regs->rsi }, { "rdi", regs->rdi },       { "rbp", regs->rbp }, { "rsp", regs->rsp },
		{ "r8", regs->r8 },   { "r9", regs->r9 },         { "r10", regs->r10 }, { "r11", regs->r11 },
		{ "r12", regs->r12 }, { "r13", regs->r13 },       { "r14", regs->r14 }, { "r15", regs->r15 },
		{ "rip", regs->rip }, { "rflags", regs->rflags },
	};
	const size_t count = sizeof(all) / sizeof(all[0]);

	printf("\nregisters\n");
	for (size_t i = 0; i < count; i++)
		printf("  %-6s 0x%016" PRIx64 "%s", all[i].name, all[i].value,
		       i % 3 == 2 || i + 1 == count ? "\n" : "");
}

static void print_frames(const struct cmd_dump_file *file, const struct nub_registers *regs)
{
	struct nub_frame frames[CMD_EVIDENCE_FRAMES];
	const struct nub_image *image = file->image;
	const size_t count = cmd_dump_backtrace(file, regs, frames, CMD_EVIDENCE_FRAMES);

	for (size_t i = 0; i < count; i++) {
		char place[192];
		cmd_frame_place(image, frames[i].rip, i, place, sizeof(place));
		NUB_AUTO_FREE char *clean = cmd_text_printable(place, strlen(place));
		printf("  #%-3zu 0x%016" PRIx64 "  %s\n", i, frames[i].rip, !image || !clean ? "" : clean);
	}
}

/* "1001, worker, in futex" */
static void print_thread(const struct nub_dump_thread *thread)
{
	NUB_AUTO_FREE char *name = cmd_text_printable(thread->name, strlen(thread->name));

	printf("%" PRIu32 "%s%s%s%s\n", thread->tid, thread->name[0] != '\0' ? ", " : "", name ? name : "",
	       thread->call ? ", in " : "", thread->call ? thread->call : "");
}

static void print_stacks(const struct cmd_dump_file *file)
{
	const struct nub_dump_info *info = nub_dump_info(file->dump);

	printf("\ncall stack%s\n", !file->image ? " (without its ELF file: by frame pointers, no names)" : "");
	print_frames(file, &info->crash.regs);
	for (size_t i = 0; i < info->thread_count; i++) {
		if (info->threads[i].current)
			continue;
		printf("\ncall stack of thread ");
		print_thread(&info->threads[i]);
		print_frames(file, &info->threads[i].regs);
	}
}

void cmd_dump_print_identity(const struct cmd_dump_file *file)
{
	const struct nub_dump_info *info = nub_dump_info(file->dump);
	char sentence[NUB_ABORT_BUFFER_SIZE + 512], where[128];

	NUB_AUTO_FREE char *path = cmd_text_printable(file->path, strlen(file->path));
	printf("%s\n", path ? path : "?");
	printf("%-14s%s\n", "type", reason_words(info));
	if (info->has_crash) {
		cmd_crash_sentence(&info->crash, file->image, sentence, sizeof(sentence));
		print_clean("crash", sentence);
	}
	if (info->has_crash && info->crash.has_region) {
		cmd_crash_where(&info->crash, where, sizeof(where));
		printf("%-14s0x%" PRIx64 ", %s\n", "address", info->crash.address, where);
	}
	print_clean("guest", info->guest_path[0] != '\0' ? info->guest_path : "unknown");
	if (file->symbols.elsewhere)
		print_clean("symbols", file->symbols.path);
	printf("build id      ");
	for (size_t i = 0; i < info->build_id_size; i++)
		printf("%02x", info->build_id[i]);
	printf("%s\n", info->build_id_size == 0 ? "none" : "");
	printf("image base    0x%" PRIx64 "\n", info->image_base);
	printf("entry         0x%" PRIx64 "\n", info->entry);
	printf("generation    %" PRIu64 "\n", info->generation);
	for (size_t i = 0; i < info->thread_count; i++)
		if (info->threads[i].current) {
			printf("thread        ");
			print_thread(&info->threads[i]);
		}
	if (info->crash.registers_lost)
		return;
	print_registers(&info->crash.regs);
	print_stacks(file);
}

void cmd_dump_print_regions(const struct nub_dump_info *info)
{
	bool several = false;
	char size[32];

	for (size_t i = 0; i < info->region_count; i++)
		several |= info->regions[i].space != 0;
	printf("%s  %-18s  %12s  %-18s  %-4s  %s\n", several ? "space" : "", "guest-virtual", "size", "guest-physical",
	       "flags", "what");
	for (size_t i = 0; i < info->region_count; i++) {
		const struct nub_region *region = &info->regions[i].region;
		cmd_size_text(region->size, size, sizeof(size));
		if (several)
			printf("%5u", info->regions[i].space);
		printf("  0x%016" PRIx64 "  %12s  0x%016" PRIx64 "  %-5s  %s\n", region->gva, size, region->gpa,
		       cmd_flags_short(region->flags), cmd_region_words(region->type));
	}
}

static int compare_gpas(const void *a, const void *b)
{
	const struct nub_region *x = a, *y = b;

	return (x->gpa > y->gpa) - (x->gpa < y->gpa);
}

int cmd_dump_draw(const struct nub_dump_info *info, struct nub_error *err)
{
	NUB_AUTO_FREE struct nub_region *regions = calloc(info->region_count + 1, sizeof(*regions));

	if (!regions)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "out of memory for the map");
	for (size_t i = 0; i < info->region_count; i++)
		regions[i] = info->regions[i].region;
	qsort(regions, info->region_count, sizeof(*regions), compare_gpas);
	cmd_memory_map_draw(stdout, regions, info->region_count, cmd_wants_colour(STDOUT_FILENO));
	return cmd_print_end(err);
}
