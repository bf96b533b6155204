/* The headers of a Linux program, checked and decoded. */
#include "elf/elf_program.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "abi/nub_abi.h"
#include "base/error.h"
#include "base/util.h"

enum { MAX_HEADERS = 128 };

struct reading {
	nub_elf_program_reader read;
	void *context;
	const char *name;
};

static int read_all(const struct reading *reading, const char *what, uint64_t offset, void *bytes, size_t size,
                    struct nub_error *err)
{
	const int64_t got = reading->read(reading->context, offset, bytes, size);

	if (got < 0)
		return nub_fail(err, NUB_E_IO, (int)-got, "%s: %s: %s", reading->name, what, strerror((int)-got));
	if ((size_t)got < size)
		return nub_fail(err, NUB_E_ELF_TRUNCATED, 0,
		                "%s: %s needs %zu bytes at offset %" PRIu64 ", the file has %" PRId64 " there",
		                reading->name, what, size, offset, got);
	return 0;
}

static int check_header(const Elf64_Ehdr *header, const char *name, struct nub_error *err)
{
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
		nub_fail(err, NUB_E_ELF_MAGIC, 0, "%s: is not an ELF file", name);
		return nub_hint(err, "name the interpreter of a script, and the script as its argument");
	}
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return nub_fail(err, NUB_E_ELF_CLASS, 0, "%s: has class %u and byte order %u, not 64-bit little-endian",
		                name, header->e_ident[EI_CLASS], header->e_ident[EI_DATA]);
	if (header->e_machine != EM_X86_64)
		return nub_fail(err, NUB_E_ELF_MACHINE, 0, "%s: is for machine %u, not for x86-64 (%d)", name,
		                header->e_machine, EM_X86_64);
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return nub_fail(err, NUB_E_ELF_TYPE, 0, "%s: is of type %u, neither an executable nor relocatable",
		                name, header->e_type);
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 || header->e_phnum > MAX_HEADERS)
		return nub_fail(err, NUB_E_ELF_HEADER, 0,
		                "%s: has %u program headers of %u bytes, there can be 1 to %d of %zu", name,
		                header->e_phnum, header->e_phentsize, MAX_HEADERS, sizeof(Elf64_Phdr));
	return 0;
}

static int check_segment(const Elf64_Phdr *header, const char *name, struct nub_error *err)
{
	uint64_t end;

	if (header->p_filesz > header->p_memsz)
		return nub_fail(err, NUB_E_ELF_SEGMENT, 0,
		                "%s: the segment at 0x%" PRIx64 " has 0x%" PRIx64 " bytes in the file and 0x%" PRIx64
		                " in memory",
		                name, header->p_vaddr, header->p_filesz, header->p_memsz);
	if (header->p_offset % NUB_PAGE_SIZE != header->p_vaddr % NUB_PAGE_SIZE)
		return nub_fail(err, NUB_E_ELF_SEGMENT, 0,
		                "%s: the segment at 0x%" PRIx64 " is at offset 0x%" PRIx64
		                ", which is another place in a page",
		                name, header->p_vaddr, header->p_offset);
	if (__builtin_add_overflow(header->p_offset, header->p_filesz, &end) || end > INT64_MAX)
		return nub_fail(err, NUB_E_ELF_SEGMENT, 0, "%s: the segment at 0x%" PRIx64 " ends after any file", name,
		                header->p_vaddr);
	if (__builtin_add_overflow(header->p_vaddr, header->p_memsz, &end) || end > NUB_USER_GVA_END - NUB_PAGE_SIZE)
		return nub_fail(err, NUB_E_ELF_ADDRESS, 0,
		                "%s: the segment at 0x%" PRIx64 " with 0x%" PRIx64 " bytes ends after 0x%llx", name,
		                header->p_vaddr, header->p_memsz, NUB_USER_GVA_END - NUB_PAGE_SIZE);
	return 0;
}

static int add_segment(struct nub_elf_program *program, const Elf64_Phdr *header, const char *name,
                       struct nub_error *err)
{
	const struct nub_elf_program_segment *last = program->segments + program->segment_count - 1;

	if (header->p_memsz == 0)
		return 0;
	if (check_segment(header, name, err) < 0)
		return -1;
	if (program->segment_count == NUB_ELF_PROGRAM_SEGMENTS)
		return nub_fail(err, NUB_E_ELF_HEADER, 0, "%s: has more than %d segments to load", name,
		                NUB_ELF_PROGRAM_SEGMENTS);
	if (program->segment_count > 0 && header->p_vaddr < last->vaddr + last->memsz)
		return nub_fail(err, NUB_E_ELF_OVERLAP, 0,
		                "%s: the segment at 0x%" PRIx64 " begins before the one at 0x%" PRIx64 " ends", name,
		                header->p_vaddr, last->vaddr);
	program->segments[program->segment_count++] = (struct nub_elf_program_segment){
		.vaddr = header->p_vaddr,
		.memsz = header->p_memsz,
		.offset = header->p_offset,
		.filesz = header->p_filesz,
		.flags = header->p_flags & (PF_R | PF_W | PF_X),
	};
	if (header->p_align > program->align && (header->p_align & (header->p_align - 1)) == 0 &&
	    header->p_align <= UINT64_C(1) << 30)
		program->align = header->p_align;
	return 0;
}

static int read_interpreter(struct nub_elf_program *program, const struct reading *reading, const Elf64_Phdr *header,
                            struct nub_error *err)
{
	if (header->p_filesz < 2 || header->p_filesz > sizeof(program->interpreter))
		return nub_fail(err, NUB_E_ELF_INTERPRETER, 0,
		                "%s: the name of its interpreter has %" PRIu64 " bytes, there can be 2 to %zu",
		                reading->name, header->p_filesz, sizeof(program->interpreter));
	if (read_all(reading, "the interpreter's name", header->p_offset, program->interpreter, header->p_filesz, err) <
	    0)
		return -1;
	if (program->interpreter[0] != '/' || program->interpreter[header->p_filesz - 1] != '\0')
		return nub_fail(err, NUB_E_ELF_INTERPRETER, 0, "%s: the name of its interpreter is no absolute path",
		                reading->name);
	return 0;
}

/* Where the segments are, all together, and where the program headers and the entry are in them. */
static int finish(struct nub_elf_program *program, const Elf64_Ehdr *header, const char *name, struct nub_error *err)
{
	const uint64_t headers_size = header->e_phnum * sizeof(Elf64_Phdr);
	bool entry_found = false;

	if (program->segment_count == 0)
		return nub_fail(err, NUB_E_ELF_NO_LOAD, 0, "%s: has no segment to load", name);
	const struct nub_elf_program_segment *last = program->segments + program->segment_count - 1;
	program->low = nub_page_down(program->segments[0].vaddr);
	nub_page_up(last->vaddr + last->memsz, &program->high);
	for (size_t i = 0; i < program->segment_count; i++) {
		const struct nub_elf_program_segment *segment = &program->segments[i];
		if (header->e_phoff >= segment->offset &&
		    nub_range_in(header->e_phoff - segment->offset, headers_size, segment->filesz))
			program->headers = segment->vaddr + (header->e_phoff - segment->offset);
		if ((segment->flags & PF_X) && header->e_entry >= segment->vaddr &&
		    header->e_entry - segment->vaddr < segment->memsz)
			entry_found = true;
	}
	if (!entry_found)
		return nub_fail(err, NUB_E_ELF_ENTRY, 0, "%s: the entry 0x%" PRIx64 " lies in no executable segment",
		                name, header->e_entry);
	return 0;
}

int nub_elf_program_read(struct nub_elf_program *program, nub_elf_program_reader read, void *context, const char *name,
                         struct nub_error *err)
{
	const struct reading reading = { .read = read, .context = context, .name = name };
	Elf64_Phdr headers[MAX_HEADERS];
	Elf64_Ehdr header;

	if (read_all(&reading, "its ELF header", 0, &header, sizeof(header), err) < 0 ||
	    check_header(&header, name, err) < 0 ||
	    read_all(&reading, "its program headers", header.e_phoff, headers, header.e_phnum * sizeof(*headers), err) <
	        0)
		return -1;
	*program = (struct nub_elf_program){
		.relocatable = header.e_type == ET_DYN,
		.entry = header.e_entry,
		.header_count = header.e_phnum,
		.align = NUB_PAGE_SIZE,
	};
	for (unsigned i = 0; i < header.e_phnum; i++) {
		if (headers[i].p_type == PT_LOAD && add_segment(program, &headers[i], name, err) < 0)
			return -1;
		if (headers[i].p_type == PT_INTERP && read_interpreter(program, &reading, &headers[i], err) < 0)
			return -1;
	}
	return finish(program, &header, name, err);
}
