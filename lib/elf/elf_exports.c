/* The functions that a guest exports: the table in its section .nub_exports, checked and sorted by name. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "elf/elf_image.h"
#include "elf/elf_parts.h"
#include "wire/value.h"

#define MAX_EXPORTS 65536

/* The one section of exports: its place in the file, a size of 0 when there is none. */
static int find_table(const struct nub_elf_file *file, uint64_t *offset, uint64_t *size, struct nub_error *err)
{
	bool found = false;
	*offset = *size = 0;
	for (size_t i = 1; i < file->section_count; i++) {
		GElf_Shdr section;
		if (nub_elf_section_header(file, i, &section, err) < 0)
			return -1;
		if (!nub_elf_section_is(file, &section, NUB_EXPORT_SECTION))
			continue;
		if (found)
			return nub_fail(err, NUB_E_ELF_EXPORTS, 0, "%s: has 2 or more sections %s instead of 1",
			                file->name, NUB_EXPORT_SECTION);
		found = true;
		*offset = section.sh_offset;
		*size = section.sh_size;
		if (section.sh_type == SHT_NOBITS || !nub_range_in(*offset, *size, file->size))
			return nub_fail(err, NUB_E_ELF_EXPORTS, 0,
			                "%s: has its export table at offset %" PRIu64 ", %" PRIu64
			                " bytes that are not in the file of %zu",
			                file->name, *offset, *size, file->size);
	}
	return 0;
}

static int read_types(const struct nub_image *image, const struct nub_export *entry, struct nub_function *function,
                      struct nub_error *err)
{
	if (entry->result >= NUB_TYPE_COUNT)
		return nub_fail(err, NUB_E_ELF_EXPORTS, 0,
		                "%s: exports %s with a result of type %u, there are types 0 to %u", image->name,
		                function->name, entry->result, NUB_TYPE_COUNT - 1);
	if (entry->param_count > NUB_MAX_PARAMS)
		return nub_fail(err, NUB_E_ELF_EXPORTS, 0, "%s: exports %s with %u parameters, the limit is %u",
		                image->name, function->name, entry->param_count, NUB_MAX_PARAMS);
	function->result = entry->result;
	function->param_count = entry->param_count;
	for (unsigned i = 0; i < entry->param_count; i++) {
		if (entry->params[i] == NUB_TYPE_VOID || entry->params[i] >= NUB_TYPE_COUNT)
			return nub_fail(err, NUB_E_ELF_EXPORTS, 0,
			                "%s: exports %s with parameter %u of type %u, parameters have types 1 to %u",
			                image->name, function->name, i + 1, entry->params[i], NUB_TYPE_COUNT - 1);
		function->params[i] = entry->params[i];
	}
	return 0;
}

static int read_entry(const struct nub_image *image, uint64_t index, const struct nub_export *entry,
                      struct nub_function *function, struct nub_error *err)
{
	size_t length = strnlen(entry->name, sizeof(entry->name));
	if (length == sizeof(entry->name))
		return nub_fail(err, NUB_E_ELF_EXPORTS, 0, "%s: export %" PRIu64 " has a name of over %u bytes",
		                image->name, index, NUB_NAME_MAX);
	if (!nub_name_valid(entry->name, length)) {
		char name[NUB_NAME_MAX + 1];
		nub_elf_printable(name, sizeof(name), (const uint8_t *)entry->name, length);
		return nub_fail(err, NUB_E_ELF_EXPORTS, 0,
		                "%s: export %" PRIu64 " is named '%s', names are 1 to %u letters, digits, '_', '.', "
		                "'-'",
		                image->name, index, name, NUB_NAME_MAX);
	}
	memcpy(function->name, entry->name, length + 1);
	return read_types(image, entry, function, err);
}

static int compare_functions(const void *a, const void *b)
{
	return strcmp(((const struct nub_function *)a)->name, ((const struct nub_function *)b)->name);
}

static int check_duplicates(const struct nub_image *image, struct nub_error *err)
{
	for (size_t i = 1; i < image->info.function_count; i++)
		if (compare_functions(&image->functions[i - 1], &image->functions[i]) == 0)
			return nub_fail(err, NUB_E_ELF_EXPORTS, 0, "%s: exports %s 2 or more times", image->name,
			                image->functions[i].name);
	return 0;
}

int nub_elf_read_exports(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err)
{
	uint64_t offset, size;
	if (find_table(file, &offset, &size, err) < 0)
		return -1;
	if (size == 0)
		return 0;
	uint64_t count = size / sizeof(struct nub_export);
	if (size % sizeof(struct nub_export) != 0)
		return nub_fail(err, NUB_E_ELF_EXPORTS, 0,
		                "%s: has an export table of %" PRIu64 " bytes, not a multiple of %zu", file->name, size,
		                sizeof(struct nub_export));
	if (count > MAX_EXPORTS)
		return nub_fail(err, NUB_E_ELF_EXPORTS, 0, "%s: exports %" PRIu64 " functions, the limit is %u",
		                file->name, count, MAX_EXPORTS);
	image->functions = calloc(count, sizeof(*image->functions));
	if (!image->functions)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: no memory for %" PRIu64 " exports", file->name, count);
	for (uint64_t i = 0; i < count; i++) {
		struct nub_export entry;
		memcpy(&entry, file->bytes + offset + i * sizeof(entry), sizeof(entry));
		if (read_entry(image, i, &entry, &image->functions[i], err) < 0)
			return -1;
	}
	qsort(image->functions, count, sizeof(*image->functions), compare_functions);
	image->info.functions = image->functions;
	image->info.function_count = count;
	return check_duplicates(image, err);
}

const struct nub_function *nub_function_find(const struct nub_image_info *guest, const char *name)
{
	size_t low = 0, high = guest->function_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(name, guest->functions[middle].name);
		if (order == 0)
			return &guest->functions[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
