/* Linux programs among the ELF files: told from nubrun's own guests, and as images. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/nub_abi.h"
#include "base/error.h"
#include "base/read_at.h"
#include "base/util.h"
#include "elf/elf_image.h"
#include "elf/elf_parts.h"
#include "elf/elf_program.h"

enum { MAX_SEGMENTS = 64, MAX_NOTES = 4096 };

struct headers {
	Elf64_Ehdr header;
	Elf64_Phdr segments[MAX_SEGMENTS];
};

/* False for what is no ELF file for x86-64 that could be run, and for one with more segments than any has. */
static bool read_headers(int fd, struct headers *headers)
{
	Elf64_Ehdr *header = &headers->header;

	if (nub_read_at(fd, header, sizeof(*header), 0) != (ssize_t)sizeof(*header) ||
	    memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_machine != EM_X86_64 || header->e_phentsize != sizeof(*headers->segments) ||
	    header->e_phnum > MAX_SEGMENTS || (header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
	    header->e_phoff > INT64_MAX)
		return false;
	const size_t size = header->e_phnum * sizeof(*headers->segments);
	return nub_read_at(fd, headers->segments, size, header->e_phoff) == (ssize_t)size;
}

/* Copy the contents of the first note of this owner and type in any segment: their size, or -1. */
static ssize_t find_note(int fd, const struct headers *headers, const char *owner, uint32_t type, uint8_t *desc,
                         size_t capacity)
{
	const size_t owner_size = strlen(owner) + 1;
	uint8_t bytes[MAX_NOTES];

	for (unsigned i = 0; i < headers->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &headers->segments[i];
		const size_t size = segment->p_filesz < sizeof(bytes) ? segment->p_filesz : sizeof(bytes);
		if (segment->p_type != PT_NOTE || segment->p_offset > INT64_MAX ||
		    nub_read_at(fd, bytes, size, segment->p_offset) != (ssize_t)size)
			continue;
		for (size_t at = 0; at + sizeof(Elf64_Nhdr) + owner_size <= size;) {
			Elf64_Nhdr note;
			memcpy(&note, bytes + at, sizeof(note));
			const uint64_t names = ((uint64_t)note.n_namesz + 3) & ~UINT64_C(3);
			const size_t start = at + sizeof(note);
			if (note.n_type == type && note.n_namesz == owner_size &&
			    memcmp(bytes + start, owner, owner_size) == 0) {
				if (note.n_descsz > capacity || !nub_range_in(start + names, note.n_descsz, size))
					return 0;
				memcpy(desc, bytes + start + names, note.n_descsz);
				return (ssize_t)note.n_descsz;
			}
			const uint64_t step = sizeof(note) + names + (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
			if (step > size - at)
				break;
			at += step;
		}
	}
	return -1;
}

bool nub_image_is_program(int fd)
{
	struct headers headers;
	uint8_t desc[sizeof(struct nub_note)];
	bool loads = false;

	if (!read_headers(fd, &headers))
		return false;
	for (unsigned i = 0; i < headers.header.e_phnum; i++)
		loads = loads || headers.segments[i].p_type == PT_LOAD;
	return loads && find_note(fd, &headers, "nub", NUB_NOTE_TYPE_ABI, desc, sizeof(desc)) < 0;
}

static int64_t read_at(void *context, uint64_t offset, void *bytes, size_t size)
{
	const int *fd = context;
	const ssize_t got = offset <= (uint64_t)INT64_MAX - size ? nub_read_at(*fd, bytes, size, offset) : 0;

	return got < 0 ? -errno : got;
}

static int describe(struct nub_image *image, struct nub_error *err)
{
	struct nub_image_info *info = &image->info;
	struct nub_elf_program program;
	struct headers headers;

	if (nub_elf_program_read(&program, read_at, &image->program_fd, image->name, err) < 0)
		return -1;
	info->relocatable = program.relocatable;
	info->image_base = program.low;
	info->image_size = program.high - program.low;
	info->entry = program.entry;
	const ssize_t size = read_headers(image->program_fd, &headers)
	                         ? find_note(image->program_fd, &headers, ELF_NOTE_GNU, NT_GNU_BUILD_ID,
	                                     image->build_id, sizeof(image->build_id))
	                         : 0;
	if (size > 0) {
		info->build_id = image->build_id;
		info->build_id_size = (size_t)size;
	}
	return 0;
}

struct nub_image *nub_image_open_program(int fd, const char *name, struct nub_error *err)
{
	struct nub_image *image = nub_image_of_modules(name, err);

	if (!image)
		return NULL;
	image->program_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (image->program_fd < 0)
		nub_fail_errno(err, NUB_E_IO, "%s", name);
	else if (describe(image, err) == 0)
		return image;
	nub_image_free(image);
	return NULL;
}

int nub_image_program_fd(const struct nub_image *image)
{
	return image->program_fd;
}
