/* Reading of a guest's file what it takes to run it. Symbols and debug information, mostly nine tenths of a file, are left
 * where they are: a page of them costs as much as a page of the guest. Pure: the caller reads.
 *
 * What is not known to be needless is read, and a file that can't be understood is read whole, so that nub_image_parse
 * finds what is wrong with it.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/nub_abi.h"
#include "base/error.h"
#include "base/util.h"
#include "elf/elf_parts.h"

/* Files below are read whole. Of others, the first read mostly has all headers and the code of a small guest. */
enum { WHOLE_SIZE = 65536, FIRST_READ = 32768 };

struct reading {
	nub_image_reader read;
	void *context;
	uint8_t *bytes; /* of the whole file; zeros where it was not read */
	size_t size;
	uint8_t *have; /* a byte for each page: was it read? */
};

static size_t page_count(const struct reading *reading)
{
	return (reading->size + NUB_PAGE_SIZE - 1) / NUB_PAGE_SIZE;
}

/* Read whole pages [first, end), of which none was. */
static int read_pages(struct reading *reading, size_t first, size_t end, struct nub_error *err)
{
	const size_t offset = first * NUB_PAGE_SIZE, stop = end * NUB_PAGE_SIZE;
	const size_t size = (stop < reading->size ? stop : reading->size) - offset;

	memset(reading->have + first, 1, end - first);
	return reading->read(reading->context, offset, reading->bytes + offset, size, err);
}

/* Have the part of [offset, offset + size) that lies in the file. */
static int need(struct reading *reading, uint64_t offset, uint64_t size, struct nub_error *err)
{
	const uint64_t left = offset < reading->size ? reading->size - offset : 0, part = size < left ? size : left;
	const size_t end = (size_t)((offset + part + NUB_PAGE_SIZE - 1) / NUB_PAGE_SIZE);

	if (part == 0)
		return 0;
	for (size_t first = (size_t)(offset / NUB_PAGE_SIZE), next; first < end; first = next) {
		next = first;
		while (next < end && !reading->have[next])
			next++;
		if (next > first && read_pages(reading, first, next, err) < 0)
			return -1;
		while (next < end && reading->have[next])
			next++;
	}
	return 0;
}

static int need_all(struct reading *reading, struct nub_error *err)
{
	return need(reading, 0, reading->size, err);
}

/* Is it an ELF file whose header tables are of the usual kind, and lie in it? */
static bool has_plain_tables(const struct reading *reading, const Elf64_Ehdr *header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB && header->e_phentsize == sizeof(Elf64_Phdr) &&
	       header->e_shentsize == sizeof(Elf64_Shdr) && header->e_shstrndx < header->e_shnum &&
	       nub_range_in(header->e_phoff, header->e_phnum * sizeof(Elf64_Phdr), reading->size) &&
	       nub_range_in(header->e_shoff, header->e_shnum * sizeof(Elf64_Shdr), reading->size);
}

static void section_at(const struct reading *reading, const Elf64_Ehdr *header, size_t index, Elf64_Shdr *section)
{
	memcpy(section, reading->bytes + header->e_shoff + index * sizeof(*section), sizeof(*section));
}

/* Sections that are no part of the guest's memory: symbols, debug information, comments. What is, is in a segment too. */
static bool is_needless(const struct nub_elf_file *file, const Elf64_Shdr *section)
{
	return (!(section->sh_flags & SHF_ALLOC) && !nub_elf_section_is(file, section, NUB_EXPORT_SECTION)) ||
	       section->sh_type == SHT_NOBITS;
}

static int need_sections(struct reading *reading, const Elf64_Ehdr *header, struct nub_error *err)
{
	Elf64_Shdr names, section;

	section_at(reading, header, header->e_shstrndx, &names);
	if (!nub_range_in(names.sh_offset, names.sh_size, reading->size))
		return need_all(reading, err);
	if (need(reading, names.sh_offset, names.sh_size, err) < 0)
		return -1;
	const struct nub_elf_file file = { .bytes = reading->bytes,
		                           .names_offset = names.sh_offset,
		                           .names_size = names.sh_size };
	for (size_t i = 1; i < header->e_shnum; i++) {
		section_at(reading, header, i, &section);
		if (!is_needless(&file, &section) && need(reading, section.sh_offset, section.sh_size, err) < 0)
			return -1;
	}
	return 0;
}

static int need_segments(struct reading *reading, const Elf64_Ehdr *header, struct nub_error *err)
{
	for (size_t i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;
		memcpy(&segment, reading->bytes + header->e_phoff + i * sizeof(segment), sizeof(segment));
		if (need(reading, segment.p_offset, segment.p_filesz, err) < 0)
			return -1;
	}
	return 0;
}

static int read_parts(struct reading *reading, struct nub_error *err)
{
	Elf64_Ehdr header;

	if (reading->size <= WHOLE_SIZE)
		return need_all(reading, err);
	if (need(reading, 0, FIRST_READ, err) < 0)
		return -1;
	memcpy(&header, reading->bytes, sizeof(header));
	if (!has_plain_tables(reading, &header))
		return need_all(reading, err);
	if (need(reading, header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr), err) < 0 ||
	    need(reading, header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr), err) < 0 ||
	    need_segments(reading, &header, err) < 0)
		return -1;
	return need_sections(reading, &header, err);
}

struct nub_image *nub_image_read(nub_image_reader read, void *context, size_t size, const char *name,
                                 struct nub_error *err)
{
	struct reading reading = { .read = read, .context = context, .size = size };
	NUB_AUTO_FREE uint8_t *have = calloc(page_count(&reading) + 1, 1);
	/* Memory that is not touched is not there. */
	uint8_t *bytes = calloc(size + 1, 1);

	reading.have = have;
	reading.bytes = bytes;
	if (!have || !bytes)
		nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: %zu bytes", name, size);
	if (!have || !bytes || read_parts(&reading, err) < 0) {
		free(bytes);
		return NULL;
	}
	struct nub_image *image = nub_image_parse(bytes, size, name, err);
	if (!image) {
		free(bytes);
		return NULL;
	}
	image->owned = bytes;
	image->partial = memchr(have, 0, page_count(&reading));
	return image;
}

bool nub_image_is_partial(const struct nub_image *image)
{
	return image->partial;
}
