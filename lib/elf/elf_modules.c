/* Images of several files: those that a running program has in its memory. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "elf/elf_parts.h"
#include "elf/elf_program.h"

struct nub_image *nub_image_of_modules(const char *name, struct nub_error *err)
{
	struct nub_image *image = calloc(1, sizeof(*image));

	if (!image || !(image->name = strdup(name))) {
		free(image);
		nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: no memory for the image", name);
		return NULL;
	}
	image->info.name = image->name;
	image->info.abi = NUB_ABI_LINUX;
	image->info.privilege_level = 3;
	image->program_fd = -1;
	image->partial = true;
	return image;
}

const struct nub_image *nub_image_part(const struct nub_image *image, uint64_t gva)
{
	for (size_t i = 0; i < image->module_count; i++) {
		const struct nub_image_info *info = &image->modules[i]->info;
		if (gva >= info->image_base && gva - info->image_base < info->image_size)
			return image->modules[i];
	}
	return image;
}

static int64_t read_bytes(void *context, uint64_t offset, void *bytes, size_t size)
{
	const struct nub_image *image = context;
	const uint64_t left = offset < image->size ? image->size - offset : 0;
	const size_t part = size < left ? size : left;

	if (part > 0)
		memcpy(bytes, image->bytes + offset, part);
	return (int64_t)part;
}

/* Room for the module, and for its segments among the whole's. */
static int make_room(struct nub_image *image, size_t segments, struct nub_error *err)
{
	struct nub_image **modules = reallocarray(image->modules, image->module_count + 1, sizeof(struct nub_image *));
	struct nub_image_segment *all;

	if (modules)
		image->modules = modules;
	all = reallocarray(image->segments, image->info.segment_count + segments, sizeof(*all));
	if (all)
		image->segments = all;
	image->info.segments = image->segments;
	return modules && all ? 0 : nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: no memory for its symbols", image->name);
}

static void add_segments(struct nub_image *image, const struct nub_elf_program *program, uint64_t bias)
{
	for (size_t i = 0; i < program->segment_count; i++) {
		const struct nub_elf_program_segment *segment = &program->segments[i];
		image->segments[image->info.segment_count++] = (struct nub_image_segment){
			.gva = segment->vaddr + bias,
			.size = segment->memsz,
			.flags = (segment->flags & PF_R ? NUB_REGION_READ : 0u) |
			         (segment->flags & PF_W ? NUB_REGION_WRITE : 0u) |
			         (segment->flags & PF_X ? NUB_REGION_EXECUTE : 0u),
		};
	}
}

int nub_image_add_module(struct nub_image *image, uint8_t *bytes, size_t size, const char *name, uint64_t bias,
                         struct nub_error *err)
{
	struct nub_image *module = nub_image_of_modules(name, err);
	struct nub_elf_program program;

	if (!module) {
		free(bytes);
		return -1;
	}
	module->bytes = module->owned = bytes;
	module->size = size;
	module->bias = bias;
	module->partial = false;
	if (nub_elf_program_read(&program, read_bytes, module, name, err) < 0 ||
	    make_room(image, program.segment_count, err) < 0) {
		nub_image_free(module);
		return -1;
	}
	module->info.image_base = program.low + bias;
	module->info.image_size = program.high - program.low;
	add_segments(image, &program, bias);
	image->modules[image->module_count++] = module;
	return 0;
}
