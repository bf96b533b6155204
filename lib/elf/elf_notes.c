/* The notes of a guest: which ABI it speaks and at which privilege level it runs (R15), and its build id. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "elf/elf_parts.h"

/* Notes are a few dozen bytes; the cap bounds the work when many segments name the same large range. */
#define MAX_NOTE_SEGMENT 65536
#define MAX_BUILD_ID 64

static const char abi_note_name[] = "nub";

static bool named(const uint8_t *name, size_t size, const char *expected)
{
	return size == strlen(expected) + 1 && memcmp(name, expected, size) == 0;
}

/* The version comes first and is checked first: another version's note may have another size. */
static int read_abi_note(struct nub_image *image, const uint8_t *bytes, size_t size, struct nub_error *err)
{
	struct nub_note note = { 0 };
	if (image->info.abi_version != 0)
		return nub_fail(err, NUB_E_ELF_NOTE, 0, "%s: has 2 or more nub notes instead of 1", image->name);
	if (size < sizeof(note.abi_version))
		return nub_fail(err, NUB_E_ELF_NOTE, 0, "%s: has a nub note of %zu bytes instead of %zu", image->name,
		                size, sizeof(note));
	memcpy(&note, bytes, size < sizeof(note) ? size : sizeof(note));
	if (note.abi_version != NUB_ABI_VERSION) {
		nub_fail(err, NUB_E_ELF_ABI_VERSION, 0, "%s: needs guest ABI %u, this libnub speaks %u", image->name,
		         note.abi_version, NUB_ABI_VERSION);
		return nub_hint(err, "rebuild it with this version's guests/rt");
	}
	if (size != sizeof(note))
		return nub_fail(err, NUB_E_ELF_NOTE, 0, "%s: has a nub note of %zu bytes instead of %zu", image->name,
		                size, sizeof(note));
	if (note.privilege_level != 0 && note.privilege_level != 3)
		return nub_fail(err, NUB_E_ELF_NOTE, 0, "%s: asks for privilege level %u, there are 0 and 3",
		                image->name, note.privilege_level);
	image->info.abi_version = note.abi_version;
	image->info.privilege_level = note.privilege_level;
	return 0;
}

static int read_note_segment(struct nub_image *image, const struct nub_elf_file *file, const GElf_Phdr *segment,
                             struct nub_error *err)
{
	if (nub_elf_in_file(file, "a note segment", segment->p_offset, segment->p_filesz, err) < 0)
		return -1;
	if (segment->p_filesz > MAX_NOTE_SEGMENT)
		return nub_fail(err, NUB_E_ELF_NOTE, 0,
		                "%s: has a note segment of %" PRIu64 " bytes, at most %d are accepted", file->name,
		                segment->p_filesz, MAX_NOTE_SEGMENT);
	if (segment->p_filesz == 0)
		return 0;
	Elf_Type type = segment->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
	Elf_Data *data = nub_elf_data(file, segment->p_offset, segment->p_filesz, type, err);
	if (!data)
		return -1;

	const uint8_t *base = file->bytes + segment->p_offset;
	size_t offset = 0, next, name, desc;
	for (GElf_Nhdr note; offset < segment->p_filesz; offset = next) {
		next = gelf_getnote(data, offset, &note, &name, &desc);
		if (next == 0)
			return nub_fail(err, NUB_E_ELF_NOTE, 0,
			                "%s: has a note at offset %zu that runs past its segment of %" PRIu64 " bytes",
			                file->name, offset, segment->p_filesz);
		if (note.n_type == NUB_NOTE_TYPE_ABI && named(base + name, note.n_namesz, abi_note_name)) {
			if (read_abi_note(image, base + desc, note.n_descsz, err) < 0)
				return -1;
		} else if (note.n_type == NT_GNU_BUILD_ID && named(base + name, note.n_namesz, ELF_NOTE_GNU) &&
		           note.n_descsz > 0 && note.n_descsz <= MAX_BUILD_ID) {
			image->info.build_id = base + desc;
			image->info.build_id_size = note.n_descsz;
		}
	}
	return 0;
}

int nub_elf_read_notes(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err)
{
	for (size_t i = 0; i < file->header.e_phnum; i++) {
		GElf_Phdr segment;
		if (nub_elf_program_header(file, i, &segment, err) < 0)
			return -1;
		if (segment.p_type == PT_NOTE && read_note_segment(image, file, &segment, err) < 0)
			return -1;
	}
	if (image->info.abi_version != 0)
		return 0;
	nub_fail(err, NUB_E_ELF_NO_NOTE, 0,
	         "%s: is a static program without the nub note, guests are linked with the guest runtime", file->name);
	return nub_hint(err, "build it with guests/rt; see nub-guest(7)");
}
