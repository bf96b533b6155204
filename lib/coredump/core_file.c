/* Encoding a core's headers and decoding them. */
#include "coredump/core_file.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/util.h"

_Static_assert(sizeof(Elf64_Ehdr) == 64 && sizeof(Elf64_Phdr) == 56 && sizeof(Elf64_Shdr) == 64, "elf(5)");

const char *nub_core_reason_name(enum nub_core_reason reason)
{
	static const char *const names[] = { "crash", "timeout", "request", "snapshot", "interrupted" };

	return (size_t)reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}

/* Program headers: the regions and the notes. */
static bool needs_section(size_t segment_count)
{
	return segment_count + 1 >= PN_XNUM;
}

static uint64_t notes_offset(size_t segment_count)
{
	return sizeof(Elf64_Ehdr) + (segment_count + 1) * sizeof(Elf64_Phdr) +
	       (needs_section(segment_count) ? sizeof(Elf64_Shdr) : 0);
}

uint64_t nub_core_head_size(size_t segment_count, size_t notes_size)
{
	const uint64_t size = notes_offset(segment_count) + notes_size;

	return (size + NUB_PAGE_SIZE - 1) & ~(NUB_PAGE_SIZE - 1);
}

static void put_header(struct nub_writer *writer, size_t segment_count)
{
	const bool section = needs_section(segment_count);
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_shoff = section ? notes_offset(segment_count) - sizeof(Elf64_Shdr) : 0,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)(section ? PN_XNUM : segment_count + 1),
		.e_shentsize = section ? sizeof(Elf64_Shdr) : 0,
		.e_shnum = section,
	};

	nub_writer_bytes(writer, &header, sizeof(header));
}

static void put_segment(struct nub_writer *writer, const struct nub_core_segment *segment)
{
	const unsigned flags = segment->region.flags;
	const Elf64_Phdr header = {
		.p_type = PT_LOAD,
		.p_flags = (flags & NUB_REGION_READ ? PF_R : 0) | (flags & NUB_REGION_WRITE ? PF_W : 0) |
		           (flags & NUB_REGION_EXECUTE ? PF_X : 0),
		.p_offset = segment->offset,
		.p_vaddr = segment->region.gva,
		.p_paddr = segment->region.gpa,
		.p_filesz = segment->stored,
		.p_memsz = segment->region.size,
		.p_align = NUB_PAGE_SIZE,
	};

	nub_writer_bytes(writer, &header, sizeof(header));
}

int nub_core_encode_head(const struct nub_core_segment *segments, size_t count, const struct nub_buffer *notes,
                         struct nub_buffer *head, struct nub_error *err)
{
	struct nub_writer writer = { .buffer = head, .err = err };
	const Elf64_Phdr note = {
		.p_type = PT_NOTE,
		.p_offset = notes_offset(count),
		.p_filesz = notes->size,
		.p_align = 4,
	};

	put_header(&writer, count);
	nub_writer_bytes(&writer, &note, sizeof(note));
	for (size_t i = 0; i < count; i++)
		put_segment(&writer, &segments[i]);
	if (needs_section(count)) {
		const Elf64_Shdr section = { .sh_type = SHT_NULL, .sh_info = (Elf64_Word)(count + 1), .sh_size = 1 };
		nub_writer_bytes(&writer, &section, sizeof(section));
	}
	nub_writer_bytes(&writer, notes->bytes, notes->size);
	nub_writer_zeros(&writer, nub_core_head_size(count, notes->size) - notes_offset(count) - notes->size);
	return writer.failed ? -1 : 0;
}

/* ---- Decoding ---- */

int nub_core_decode_header(const uint8_t *bytes, size_t size, struct nub_core_headers *headers, struct nub_error *err)
{
	Elf64_Ehdr header;

	if (size < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return nub_fail(err, NUB_E_CORE_MAGIC, 0, "is neither a snapshot nor a core");
	if (size < sizeof(header))
		return nub_fail(err, NUB_E_CORE_TRUNCATED, 0, "ends at %zu bytes, inside its ELF header (%zu)", size,
		                sizeof(header));
	memcpy(&header, bytes, sizeof(header));
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64)
		return nub_fail(err, NUB_E_CORE_MAGIC, 0, "is an ELF file, but not for x86-64 (machine %u)",
		                header.e_machine);
	if (header.e_type != ET_CORE)
		return nub_fail(err, NUB_E_CORE_MAGIC, 0, "is an ELF file of type %u, cores have type %u",
		                header.e_type, ET_CORE);
	if (header.e_phentsize != sizeof(Elf64_Phdr))
		return nub_fail(err, NUB_E_CORE_FIELD, 0, "has program headers of %u bytes, they have %zu",
		                header.e_phentsize, sizeof(Elf64_Phdr));
	*headers = (struct nub_core_headers){
		.offset = header.e_phoff,
		.count = header.e_phnum,
		.section_offset = header.e_shoff,
	};
	return 0;
}

static int check_segment(const Elf64_Phdr *header, uint64_t index, uint64_t file_size, struct nub_error *err)
{
	if (!nub_range_in(header->p_offset, header->p_filesz, file_size))
		return nub_fail(err, NUB_E_CORE_TRUNCATED, 0,
		                "segment %" PRIu64 " takes 0x%" PRIx64 " bytes from offset 0x%" PRIx64
		                ", the file ends at 0x%" PRIx64,
		                index, header->p_filesz, header->p_offset, file_size);
	if (header->p_type != PT_LOAD)
		return 0;
	if (header->p_memsz == 0 || header->p_filesz > header->p_memsz || !nub_page_aligned(header->p_vaddr) ||
	    !nub_page_aligned(header->p_memsz) || !nub_canonical(header->p_vaddr) ||
	    !nub_canonical(header->p_vaddr + (header->p_memsz - 1)) ||
	    header->p_vaddr + (header->p_memsz - 1) < header->p_vaddr)
		return nub_fail(err, NUB_E_CORE_FIELD, 0,
		                "segment %" PRIu64 " is 0x%" PRIx64 " bytes at gva 0x%" PRIx64 ", 0x%" PRIx64
		                " of them stored, which can't be",
		                index, header->p_memsz, header->p_vaddr, header->p_filesz);
	return 0;
}

int nub_core_decode_segments(const uint8_t *bytes, uint64_t count, uint64_t file_size,
                             struct nub_core_segment *segments, size_t *segment_count, struct nub_core_notes *notes,
                             struct nub_error *err)
{
	*segment_count = 0;
	*notes = (struct nub_core_notes){ 0 };
	for (uint64_t i = 0; i < count; i++) {
		Elf64_Phdr header;
		memcpy(&header, bytes + i * sizeof(header), sizeof(header));
		if (check_segment(&header, i, file_size, err) < 0)
			return -1;
		if (header.p_type == PT_NOTE && notes->size == 0)
			*notes = (struct nub_core_notes){ header.p_offset, header.p_filesz };
		if (header.p_type != PT_LOAD)
			continue;
		segments[(*segment_count)++] = (struct nub_core_segment){
			.region = {
				.type = NUB_REGION_SNAPSHOT,
				.flags = (header.p_flags & PF_R ? NUB_REGION_READ : 0) |
				         (header.p_flags & PF_W ? NUB_REGION_WRITE : 0) |
				         (header.p_flags & PF_X ? NUB_REGION_EXECUTE : 0),
				.gpa = header.p_paddr,
				.gva = header.p_vaddr,
				.size = header.p_memsz,
			},
			.offset = header.p_offset,
			.stored = header.p_filesz,
		};
	}
	if (notes->size > NUB_CORE_MAX_NOTES)
		return nub_fail(err, NUB_E_CORE_FIELD, 0, "has 0x%" PRIx64 " bytes of notes, the limit is 0x%x",
		                notes->size, NUB_CORE_MAX_NOTES);
	return 0;
}

void nub_core_take_survey(struct nub_core *core, const struct nub_survey *survey)
{
	core->survey = survey;
	for (size_t i = 0; i < survey->thread_count; i++) {
		const struct nub_guest_thread *thread = &survey->threads[i];
		if (!thread->current)
			continue;
		core->tid = thread->tid;
		core->crash.regs = thread->regs;
		core->sregs.fs.base = thread->fs_base;
		core->sregs.gs.base = thread->gs_base;
		memcpy(core->xsave, thread->xsave, sizeof(core->xsave));
	}
}
