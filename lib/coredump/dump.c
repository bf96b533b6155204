/* A guest at rest: one face for snapshots, whose memory is mapped, and for cores, whose memory is read. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/read_at.h"
#include "base/util.h"
#include "coredump/core_write.h"
#include "coredump/crash_regions.h"
#include "coredump/dump.h"
#include "cpu/cpu.h"
#include "memory/plan.h"
#include "personality/linux/call.h"
#include "personality/linux/state_survey.h"

/* ---- Snapshots ---- */

/* The snapshot region as the file has it, and scratch with the page tables where they would be (cow=guest). */
static int map_snapshot(struct nub_dump *dump, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &dump->snapshot->meta;
	const struct nub_layout *layout = &meta->layout;
	const struct nub_plan plan = { .layout = *layout };
	const struct nub_config config = { 0 };

	if (nub_memory_init(&dump->memory, &plan, &config, err) < 0)
		return -1;
	dump->memory.snapshot.from_file = true;
	if (nub_snapshot_map(dump->snapshot, NUB_BASE_ADDRESS, layout->snapshot_size, dump->memory.snapshot.host,
	                     PROT_READ | PROT_WRITE, err) < 0)
		return -1;
	if (layout->cow == NUB_COW_HOST)
		return 0;
	uint8_t *tables = nub_memory_at(&dump->memory, layout->page_table_gpa, layout->page_table_size);
	if (!tables)
		return nub_fail(err, NUB_E_INTERNAL, 0, "page tables: no memory at gpa 0x%" PRIx64,
		                layout->page_table_gpa);
	return nub_snapshot_read(dump->snapshot, layout->data_end_gpa, tables, layout->page_table_size, err);
}

static int find_regions(struct nub_dump *dump, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &dump->snapshot->meta;
	const struct nub_crash_space space = {
		.memory = &dump->memory,
		.layout = &meta->layout,
		.parts = meta->regions,
		.part_count = meta->region_count,
		.paging = true,
		.roots = meta->roots,
		.root_count = meta->root_count,
	};

	return nub_crash_regions(&space, &dump->regions, &dump->info.region_count, err);
}

/* The registers with which a restored guest goes on, as far as they are known before it does. */
static void take_registers(struct nub_core *core, const struct nub_snapshot_meta *meta)
{
	struct nub_registers *regs = &core->crash.regs;
	const struct nub_cpu_tables tables = { .cr3 = meta->roots[0] };

	core->crash.privilege_level = meta->privilege_level;
	if (meta->next == NUB_NEXT_RESUME)
		memcpy(regs, &meta->cpu.regs, sizeof(*regs));
	else
		*regs = (struct nub_registers){
			.rip = meta->next == NUB_NEXT_CALL ? meta->dispatch_gva : meta->entry,
			.rsp = meta->stack_top_gva,
			.rdi = meta->peb_gva,
			.rflags = 2,
		};
	if (meta->next == NUB_NEXT_INITIALISE) {
		nub_cpu_initial_sregs(&core->sregs, &tables, meta->privilege_level);
		return;
	}
	core->sregs = meta->cpu.sregs;
	memcpy(core->xsave, meta->cpu.xsave, sizeof(core->xsave));
}

static int describe_snapshot(struct nub_dump *dump, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &dump->snapshot->meta;
	struct nub_core *core = &dump->core;

	core->reason = NUB_CORE_SNAPSHOT;
	core->cr3 = meta->roots[0];
	core->image_base = meta->image_base;
	core->entry = meta->entry;
	core->generation = meta->generation;
	core->build_id_size = meta->build_id_size;
	memcpy(core->build_id, meta->build_id, sizeof(core->build_id));
	if (strlen(meta->guest_path) < sizeof(core->guest_path))
		strcpy(core->guest_path, meta->guest_path);
	take_registers(core, meta);
	if (nub_snapshot_is_program(meta)) {
		if (nub_linux_survey(meta->program, meta->program_size, &dump->survey, err) < 0)
			return -1;
		nub_core_take_survey(core, &dump->survey);
	}
	nub_core_find_program_headers(core, &dump->memory);
	return 0;
}

static int open_snapshot(struct nub_dump *dump, int fd, const char *base_path, struct nub_error *err)
{
	dump->snapshot = nub_snapshot_open(fd, dump->name, base_path, err);
	if (!dump->snapshot)
		return -1;
	dump->info.has_base = dump->snapshot->base;
	if (map_snapshot(dump, err) < 0 || find_regions(dump, err) < 0 || describe_snapshot(dump, err) < 0)
		return nub_error_context(err, "%s", dump->name);
	return 0;
}

/* ---- Cores ---- */

static int open_core(struct nub_dump *dump, int fd, struct nub_error *err)
{
	dump->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (dump->fd < 0)
		return nub_fail_errno(err, NUB_E_IO, "%s", dump->name);
	if (nub_core_reader_init(&dump->reader, dump->fd, err) < 0)
		return nub_error_context(err, "%s", dump->name);
	dump->core = dump->reader.core;
	dump->core.survey = &dump->reader.survey;
	dump->regions = calloc(dump->reader.count + 1, sizeof(*dump->regions));
	if (!dump->regions)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: list of regions", dump->name);
	for (size_t i = 0; i < dump->reader.count; i++)
		dump->regions[i].region = dump->reader.segments[i].region;
	dump->info.region_count = dump->reader.count;
	dump->info.is_core = true;
	return 0;
}

/* ---- Both ---- */

static int list_threads(struct nub_dump *dump, struct nub_error *err)
{
	const struct nub_survey *survey = dump->core.survey;
	const size_t count = survey ? survey->thread_count : 0;

	/* Other guests' cores have one, which stands for all of it. */
	if (count == 0 || (count == 1 && survey->threads[0].tid == 1))
		return 0;
	dump->threads = calloc(count, sizeof(*dump->threads));
	if (!dump->threads)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: list of %zu threads", dump->name, count);
	for (size_t i = 0; i < count; i++) {
		const struct nub_guest_thread *thread = &survey->threads[i];
		dump->threads[i] =
		    (struct nub_dump_thread){ .tid = thread->tid,
			                      .current = thread->current,
			                      .name = thread->name,
			                      .call = thread->call >= 0 ? nub_linux_call_name((uint64_t)thread->call)
			                                                : NULL,
			                      .regs = thread->regs };
	}
	dump->info.threads = dump->threads;
	dump->info.thread_count = count;
	return 0;
}

static void fill_info(struct nub_dump *dump)
{
	const struct nub_core *core = &dump->core;
	struct nub_dump_info *info = &dump->info;

	info->reason = core->reason;
	info->has_crash = core->has_crash;
	info->crash = core->crash;
	info->guest_path = core->guest_path;
	info->build_id = core->build_id_size ? core->build_id : NULL;
	info->build_id_size = core->build_id_size;
	info->image_base = core->image_base;
	info->entry = core->entry;
	info->generation = core->generation;
	info->regions = dump->regions;
}

/* Anything that does not begin as a core does is for the snapshot's reader: pipes can't be looked at twice. */
static bool begins_as_core(int fd)
{
	char magic[4] = "";

	return nub_read_at(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) && memcmp(magic, "\177ELF", 4) == 0;
}

struct nub_dump *nub_dump_open(int fd, const char *name, const char *base_path, struct nub_error *err)
{
	struct nub_dump *dump = calloc(1, sizeof(*dump));

	if (dump) {
		dump->fd = -1;
		dump->name = strdup(name);
	}
	if (!dump || !dump->name) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "%s", name);
		nub_dump_free(dump);
		return NULL;
	}
	if ((begins_as_core(fd) ? open_core(dump, fd, err) : open_snapshot(dump, fd, base_path, err)) < 0) {
		nub_dump_free(dump);
		return NULL;
	}
	if (list_threads(dump, err) < 0) {
		nub_dump_free(dump);
		return NULL;
	}
	fill_info(dump);
	return dump;
}

void nub_dump_free(struct nub_dump *dump)
{
	if (!dump)
		return;
	nub_core_reader_release(&dump->reader);
	nub_close_fd(&dump->fd);
	nub_memory_release(&dump->memory);
	nub_snapshot_free(dump->snapshot);
	nub_survey_release(&dump->survey);
	free(dump->regions);
	free(dump->threads);
	free(dump->name);
	free(dump);
}

const struct nub_dump_info *nub_dump_info(const struct nub_dump *dump)
{
	return &dump->info;
}

int nub_dump_read(struct nub_dump *dump, uint64_t gva, void *bytes, size_t size, struct nub_error *err)
{
	if (dump->info.is_core)
		return nub_core_reader_read(&dump->reader, gva, bytes, size, err);
	return nub_memory_read(&dump->memory, dump->core.cr3, gva, bytes, size, err);
}

int nub_dump_save_core(struct nub_dump *dump, const char *guest_path, const char *path, struct nub_error *err)
{
	if (dump->info.is_core) {
		nub_fail(err, NUB_E_STATE, 0, "%s: is a core already", dump->name);
		return nub_hint(err, "copy the file; its holes may stay holes");
	}
	if (guest_path && strlen(guest_path) < sizeof(dump->core.guest_path))
		strcpy(dump->core.guest_path, guest_path);
	return nub_core_save(&dump->core, dump->regions, dump->info.region_count, &dump->memory, dump->snapshot, path,
	                     err);
}
