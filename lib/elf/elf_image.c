/* Guest images: an ELF file taken through all checks into a struct nub_image. */
#include "elf/elf_image.h"

#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "elf/elf_parts.h"

static int check_interpreter(const struct nub_elf_file *file, struct nub_error *err)
{
	for (size_t i = 0; i < file->header.e_phnum; i++) {
		GElf_Phdr segment;
		char interpreter[128];
		if (nub_elf_program_header(file, i, &segment, err) < 0)
			return -1;
		if (segment.p_type != PT_INTERP)
			continue;
		if (nub_elf_in_file(file, "its interpreter's name", segment.p_offset, segment.p_filesz, err) < 0)
			return -1;
		nub_elf_printable(interpreter, sizeof(interpreter), file->bytes + segment.p_offset, segment.p_filesz);
		nub_fail(err, NUB_E_ELF_INTERPRETER, 0,
		         "%s: is dynamically linked and wants the interpreter %s, guests have none", file->name,
		         interpreter);
		return nub_hint(err, "link it with -static, and with the guest runtime; see nub-guest(7)");
	}
	return 0;
}

/* Whether a file is a guest at all comes before what is wrong with its segments. */
static int parse(struct nub_image *image, struct nub_elf_file *file, struct nub_error *err)
{
	if (nub_elf_open(file, image->bytes, image->size, image->name, err) < 0 || check_interpreter(file, err) < 0 ||
	    nub_elf_read_notes(image, file, err) < 0 || nub_elf_read_segments(image, file, err) < 0 ||
	    nub_elf_read_dynamic(image, file, err) < 0)
		return -1;
	return nub_elf_read_exports(image, file, err);
}

struct nub_image *nub_image_parse(const void *bytes, size_t size, const char *name, struct nub_error *err)
{
	struct nub_elf_file file;
	struct nub_image *image = calloc(1, sizeof(*image));
	if (!image || !(image->name = strdup(name))) {
		free(image);
		nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: no memory for the image", name);
		return NULL;
	}
	image->bytes = bytes;
	image->size = size;
	image->info.name = image->name;
	int result = parse(image, &file, err);
	nub_elf_close(&file);
	if (result == 0)
		return image;
	nub_image_free(image);
	return NULL;
}

void nub_image_free(struct nub_image *image)
{
	if (!image)
		return;
	free(image->name);
	free(image->loads);
	free(image->segments);
	free(image->functions);
	free(image->owned);
	for (size_t i = 0; i < image->module_count; i++)
		nub_image_free(image->modules[i]);
	free(image->modules);
	if (image->info.abi == NUB_ABI_LINUX)
		nub_close_fd(&image->program_fd);
	free(image);
}

const struct nub_image_info *nub_image_info(const struct nub_image *image)
{
	return &image->info;
}
