/* The notes of a core that tell which files are where: gdb finds the program and its libraries by them, and their symbols. */
#include <elf.h>
#include <string.h>

#include "base/util.h"
#include "coredump/core_notes.h"

/* How gdb finds out where a static PIE was put: it compares the entry here with the file's. A Linux program has a vector of its
 * own. */
void nub_core_put_auxv(struct nub_writer *writer, const struct nub_core *core)
{
	const Elf64_auxv_t vector[] = {
		{ AT_PAGESZ, { NUB_PAGE_SIZE } },
		{ AT_PHDR, { core->phdr_gva } },
		{ AT_PHENT, { sizeof(Elf64_Phdr) } },
		{ AT_PHNUM, { core->phdr_count } },
		{ AT_BASE, { 0 } },
		{ AT_ENTRY, { core->entry } },
		{ AT_NULL, { 0 } },
	};

	if (core->survey && core->survey->auxv_size > 0)
		nub_core_put_note(writer, "CORE", NT_AUXV, core->survey->auxv, core->survey->auxv_size);
	else
		nub_core_put_note(writer, "CORE", NT_AUXV, vector, sizeof(vector));
}

/* The ranges come first, the paths in the same order behind them (Linux, fs/binfmt_elf.c, fill_files_note). */
struct files {
	struct nub_writer ranges, paths;
	uint64_t count;
};

static void add_file(struct files *files, uint64_t gva, uint64_t size, uint64_t offset, const char *path)
{
	nub_writer_uint(&files->ranges, 8, gva);
	nub_writer_uint(&files->ranges, 8, gva + size);
	nub_writer_uint(&files->ranges, 8, offset / NUB_PAGE_SIZE);
	nub_writer_bytes(&files->paths, path, strlen(path) + 1);
	files->count++;
}

/* A program that runs from its file has it among those that it mapped. */
static bool is_mapped(const struct nub_core *core, uint64_t gva)
{
	for (size_t i = 0; core->survey && i < core->survey->file_count; i++) {
		const struct nub_guest_file *file = &core->survey->files[i];
		if (gva >= file->gva && gva - file->gva < file->size)
			return true;
	}
	return false;
}

static void add_all(struct files *files, const struct nub_core *core)
{
	for (uint32_t i = 0; core->guest_path[0] != '\0' && i < core->mapping_count; i++) {
		const struct nub_core_mapping *mapping = &core->mappings[i];
		if (!is_mapped(core, mapping->gva))
			add_file(files, mapping->gva, mapping->size, mapping->offset, core->guest_path);
	}
	/* A reader has a limit, too. */
	for (size_t i = 0; core->survey && i < core->survey->file_count; i++) {
		const struct nub_guest_file *file = &core->survey->files[i];
		if (files->ranges.buffer->size + files->paths.buffer->size < NUB_CORE_MAX_NOTES / 4)
			add_file(files, file->gva, file->size, file->offset, file->path);
	}
}

int nub_core_put_files(struct nub_writer *notes, const struct nub_core *core, struct nub_error *err)
{
	struct nub_buffer ranges = { 0 }, paths = { 0 }, all = { 0 };
	struct files files = { .ranges = { .buffer = &ranges, .err = err }, .paths = { .buffer = &paths, .err = err } };
	struct nub_writer whole = { .buffer = &all, .err = err };

	add_all(&files, core);
	nub_writer_uint(&whole, 8, files.count);
	nub_writer_uint(&whole, 8, NUB_PAGE_SIZE);
	nub_writer_bytes(&whole, ranges.bytes, ranges.size);
	nub_writer_bytes(&whole, paths.bytes, paths.size);
	const bool failed = files.ranges.failed || files.paths.failed || whole.failed;
	if (!failed && files.count > 0)
		nub_core_put_note(notes, "CORE", NT_FILE, all.bytes, all.size);
	nub_buffer_release(&ranges);
	nub_buffer_release(&paths);
	nub_buffer_release(&all);
	return failed ? -1 : 0;
}
