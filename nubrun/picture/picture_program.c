/* What the memory of a Linux program is called: by the file that is mapped there, by the kernel's names, or by what it may be used
 * for. */
#include <string.h>

#include "picture/picture_parts.h"
#include "report/crash_text.h"

static const char *name_of(const struct cmd_picture *picture, const struct cmd_block *block)
{
	return picture->names ? picture->names[block->region - picture->regions] : NULL;
}

/* Is it a program or a library, some of which may be executed, or is it a file of data? */
static bool has_code(const struct cmd_picture *picture, const char *name)
{
	for (size_t i = 0; i < picture->region_count; i++)
		if ((picture->regions[i].flags & NUB_REGION_EXECUTE) && picture->names[i] &&
		    strcmp(picture->names[i], name) == 0)
			return true;
	return false;
}

static const char *part_of_file(unsigned flags)
{
	if (flags & NUB_REGION_EXECUTE)
		return "code";
	return flags & NUB_REGION_WRITE ? "variables" : flags != 0 ? "constants" : "nothing";
}

static const char *by_use(const struct cmd_block *block)
{
	switch (block->region->type) {
	case NUB_REGION_CODE:
		return block->flags & NUB_REGION_EXECUTE ? "code" : part_of_file(block->flags);
	case NUB_REGION_HEAP:
		return "memory";
	case NUB_REGION_GUARD:
		return "no access: reserved, or a guard";
	default:
		return cmd_region_words(block->region->type);
	}
}

void cmd_picture_program_block(const struct cmd_picture *picture, const struct cmd_block *block,
                               char text[CMD_PICTURE_TEXT])
{
	static const struct {
		const char *name, *words;
	} kernels[] = {
		{ "[heap]", "heap" },
		{ "[stack]", "stack" },
		{ "[vdso]", "vdso: clocks without a call" },
		{ "[vvar]", "what the vdso reads" },
	};
	const char *name = name_of(picture, block);

	if (!name || name[0] == '\0') {
		snprintf(text, CMD_PICTURE_TEXT, "%s", by_use(block));
		return;
	}
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (strcmp(name, kernels[i].name) == 0) {
			snprintf(text, CMD_PICTURE_TEXT, "%s", kernels[i].words);
			return;
		}
	const char *slash = strrchr(name, '/');
	const char *file = slash && slash[1] != '\0' ? slash + 1 : name;
	if (has_code(picture, name))
		snprintf(text, CMD_PICTURE_TEXT, "%.32s: %s", file, part_of_file(block->flags));
	else
		snprintf(text, CMD_PICTURE_TEXT, "%.36s", file);
}

/* The program's own image lies below all other code. */
static size_t lowest_code(const struct cmd_picture_layout *layout)
{
	size_t lowest = SIZE_MAX;

	for (size_t i = 0; i < layout->block_count; i++) {
		const struct cmd_block *block = &layout->blocks[i];
		if (!block->is_gpa && block->region && block->region->type == NUB_REGION_CODE)
			lowest = i;
	}
	return lowest;
}

const char *cmd_picture_program_part(const struct cmd_picture_layout *layout, const struct cmd_part *part)
{
	const size_t code = lowest_code(layout);
	bool files = false;

	if (code >= part->first && code - part->first < part->count)
		return "Program";
	for (size_t i = part->first; i < part->first + part->count; i++) {
		const struct nub_region *region = layout->blocks[i].region;
		if (region && region->type == NUB_REGION_STACK)
			return "Stack";
		files |= region && region->type == NUB_REGION_MAPPED_FILE;
	}
	return files ? "Files" : "Memory";
}
