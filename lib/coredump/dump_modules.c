/* The files with a program's code, found where it had them: for symbols and call stacks. What a snapshot or a core says of paths is
 * hostile, and a file may be another one by now: one is believed whose code is what the program has in its memory. */
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/read_at.h"
#include "base/util.h"
#include "coredump/dump.h"
#include "elf/elf_program.h"

/* Larger files, and more of them, are left out. */
#define MOST_BYTES (UINT64_C(128) << 20)
enum { MOST_MODULES = 256, COMPARED_PAGES = 32 };

struct module {
	uint8_t *bytes;
	size_t size;
	struct nub_elf_program program;
	uint64_t bias;
};

static int64_t read_bytes(void *context, uint64_t offset, void *bytes, size_t size)
{
	const struct module *module = context;
	const uint64_t left = offset < module->size ? module->size - offset : 0;
	const size_t part = size < left ? size : (size_t)left;

	if (part > 0)
		memcpy(bytes, module->bytes + offset, part);
	return (int64_t)part;
}

/* All of a regular file; false when it can't be had. */
static bool read_file(const char *path, struct module *module)
{
	struct stat status;

	/* Opening a device may do something. */
	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	NUB_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 ||
	    (uint64_t)status.st_size > MOST_BYTES)
		return false;
	module->size = (size_t)status.st_size;
	module->bytes = malloc(module->size);
	return module->bytes && nub_read_at(fd, module->bytes, module->size, 0) == (ssize_t)module->size;
}

/* How many of the segment's first pages, as far as they are in memory, are the file's; -1 when one is not. */
static int compare_code(struct nub_dump *dump, const struct module *module,
                        const struct nub_elf_program_segment *segment)
{
	uint8_t page[NUB_PAGE_SIZE];
	int same = 0;

	for (uint64_t at = 0; at < segment->filesz && same < COMPARED_PAGES; at += NUB_PAGE_SIZE) {
		const uint64_t left = segment->filesz - at, size = left < sizeof(page) ? left : sizeof(page);
		if (nub_dump_read(dump, segment->vaddr + module->bias + at, page, size, NULL) < 0)
			continue;
		if (segment->offset + at + size > module->size ||
		    memcmp(page, module->bytes + segment->offset + at, size) != 0)
			return -1;
		same++;
	}
	return same;
}

static bool is_the_programs(struct nub_dump *dump, const struct module *module)
{
	int same = 0;

	for (size_t i = 0; i < module->program.segment_count; i++) {
		const struct nub_elf_program_segment *segment = &module->program.segments[i];
		const int found = segment->flags & PF_X ? compare_code(dump, module, segment) : 0;
		if (found < 0)
			return false;
		same += found;
	}
	return same > 0;
}

/* The part of the file where its first segment is says where all of it is. */
static void add(struct nub_dump *dump, struct nub_image *image, const char *path, uint64_t gva, uint64_t offset)
{
	struct module module = { 0 };

	if (read_file(path, &module) && nub_elf_program_read(&module.program, read_bytes, &module, path, NULL) == 0 &&
	    nub_page_down(module.program.segments[0].offset) == offset) {
		module.bias = gva - nub_page_down(module.program.segments[0].vaddr);
		if (is_the_programs(dump, &module)) {
			nub_image_add_module(image, module.bytes, module.size, path, module.bias, NULL);
			return;
		}
	}
	free(module.bytes);
}

/* The first part of a file has its first segment, since addresses rise as offsets do. */
static bool is_first(const struct nub_survey *survey, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(survey->files[i].path, survey->files[index].path) == 0)
			return false;
	return true;
}

struct nub_image *nub_dump_modules(struct nub_dump *dump)
{
	const struct nub_survey *survey = dump->core.survey;
	struct nub_image *image = survey ? nub_image_of_modules(dump->core.guest_path, NULL) : NULL;
	size_t tried = 0;

	if (!image)
		return NULL;
	/* A saved program does not know its own file, but its memory does. */
	if (dump->core.mapping_count > 0)
		add(dump, image, dump->core.guest_path, dump->core.mappings[0].gva, dump->core.mappings[0].offset);
	for (size_t i = 0; i < survey->file_count && tried < MOST_MODULES; i++)
		if (is_first(survey, i)) {
			add(dump, image, survey->files[i].path, survey->files[i].gva, survey->files[i].offset);
			tried++;
		}
	if (nub_image_info(image)->segment_count > 0)
		return image;
	nub_image_free(image);
	return NULL;
}
