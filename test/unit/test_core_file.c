/* Cores as bytes: round trip; each field that can't be, one error; cut off anywhere; more regions than ELF can count. */
#include "unit.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coredump/core_file.h"
#include "coredump/core_read.h"

#define FILE_SIZE UINT64_C(0x100000)

/* A core of `count` regions, as a file's bytes up to its memory. */
struct sample {
	struct nub_core core, decoded;
	struct nub_core_segment *segments, *found;
	size_t count, found_count;
	struct nub_buffer notes, head;
	struct nub_error err;
};

static void make(struct sample *sample, size_t count)
{
	memset(sample, 0, sizeof(*sample));
	struct nub_core *core = &sample->core;
	core->reason = NUB_CORE_CRASH;
	core->has_crash = true;
	core->crash = (struct nub_crash){
		.kind = NUB_CRASH_EXCEPTION,
		.has_vector = true,
		.vector = 14,
		.error_code = 7,
		.has_address = true,
		.address = 0x123456,
		.access = NUB_REGION_WRITE,
		.page_present = true,
		.privilege_level = 3,
		.regs = { .rax = 1, .r15 = 2, .rip = 0x401000, .rflags = 0x202 },
		.region = { .type = NUB_REGION_GUARD, .gva = 0x5000, .size = 0x1000 },
		.has_region = true,
		.region_distance = -16,
		.abort_message = "message",
	};
	core->cr2 = 0x123456;
	core->cr3 = 0x7000;
	core->image_base = 0x400000;
	core->entry = 0x401000;
	core->generation = 3;
	core->build_id_size = 20;
	memset(core->build_id, 0xab, 20);
	strcpy(core->guest_path, "/guests/a.elf");
	sample->count = count;
	sample->segments = calloc(count + 1, sizeof(*sample->segments));
	sample->found = calloc(count + 1, sizeof(*sample->found));
	assert_non_null(sample->segments);
	assert_non_null(sample->found);
	for (size_t i = 0; i < count; i++)
		sample->segments[i] = (struct nub_core_segment){
			.region = { .type = i % 2 ? NUB_REGION_HEAP : NUB_REGION_STACK,
			            .flags = i % 8,
			            .gva = 0x400000 + 2 * i * NUB_PAGE_SIZE,
			            .gpa = 0x1000 + i * NUB_PAGE_SIZE,
			            .size = NUB_PAGE_SIZE },
			.offset = 0x8000,
			.stored = NUB_PAGE_SIZE,
		};
	assert_int_equal(nub_core_encode_notes(core, sample->segments, count, &sample->notes, &sample->err), 0);
	assert_int_equal(nub_core_encode_head(sample->segments, count, &sample->notes, &sample->head, &sample->err), 0);
	assert_int_equal(sample->head.size, nub_core_head_size(count, sample->notes.size));
}

static void release(struct sample *sample)
{
	nub_buffer_release(&sample->notes);
	nub_buffer_release(&sample->head);
	free(sample->segments);
	free(sample->found);
}

/* All steps of reading, as core_read.c takes them. */
static int decode(struct sample *sample, uint64_t file_size)
{
	const uint8_t *bytes = sample->head.bytes;
	struct nub_core_headers headers;
	struct nub_core_notes notes;

	memset(&sample->err, 0, sizeof(sample->err));
	if (nub_core_decode_header(bytes, sample->head.size, &headers, &sample->err) < 0)
		return -1;
	if (headers.count == PN_XNUM) {
		Elf64_Shdr section;
		memcpy(&section, bytes + headers.section_offset, sizeof(section));
		headers.count = section.sh_info;
	}
	assert_int_equal(headers.count, sample->count + 1);
	if (nub_core_decode_segments(bytes + headers.offset, headers.count, file_size, sample->found,
	                             &sample->found_count, &notes, &sample->err) < 0)
		return -1;
	return nub_core_decode_notes(bytes + notes.offset, notes.size, &sample->decoded, sample->found,
	                             sample->found_count, &sample->err);
}

static void assert_equal(const struct sample *sample)
{
	const struct nub_core *a = &sample->core, *b = &sample->decoded;

	assert_int_equal(a->reason, b->reason);
	assert_int_equal(a->has_crash, b->has_crash);
	assert_int_equal(a->crash.kind, b->crash.kind);
	assert_int_equal(a->crash.vector, b->crash.vector);
	assert_int_equal(a->crash.error_code, b->crash.error_code);
	assert_int_equal(a->crash.address, b->crash.address);
	assert_int_equal(a->crash.access, b->crash.access);
	assert_true(b->crash.has_vector && b->crash.has_address && b->crash.page_present && b->crash.has_region);
	assert_false(b->crash.port_read);
	assert_int_equal(a->crash.region.type, b->crash.region.type);
	assert_int_equal(a->crash.region.gva, b->crash.region.gva);
	assert_int_equal(a->crash.region_distance, b->crash.region_distance);
	assert_string_equal(a->crash.abort_message, b->crash.abort_message);
	assert_memory_equal(&a->crash.regs, &b->crash.regs, sizeof(a->crash.regs));
	assert_int_equal(a->cr2, b->cr2);
	assert_int_equal(a->cr3, b->cr3);
	assert_int_equal(a->entry, b->entry);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->build_id_size, b->build_id_size);
	assert_memory_equal(a->build_id, b->build_id, a->build_id_size);
	assert_string_equal(a->guest_path, b->guest_path);
	assert_int_equal(sample->count, sample->found_count);
	for (size_t i = 0; i < sample->count; i++) {
		assert_int_equal(sample->segments[i].region.type, sample->found[i].region.type);
		assert_int_equal(sample->segments[i].region.flags, sample->found[i].region.flags);
		assert_int_equal(sample->segments[i].region.gva, sample->found[i].region.gva);
		assert_int_equal(sample->segments[i].region.gpa, sample->found[i].region.gpa);
		assert_int_equal(sample->segments[i].offset, sample->found[i].offset);
	}
}

static void round_trip(void **state)
{
	struct sample sample;

	(void)state;
	make(&sample, 9);
	assert_int_equal(decode(&sample, sample.head.size + FILE_SIZE), 0);
	assert_equal(&sample);
	release(&sample);
}

/* With cow=guest every copied page can be a region: their number is in a section header then. */
static void more_regions_than_elf_can_count(void **state)
{
	const size_t counts[] = { PN_XNUM - 2, PN_XNUM - 1, PN_XNUM, 70000 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct sample sample;
		make(&sample, counts[i]);
		assert_int_equal(decode(&sample, sample.head.size + FILE_SIZE), 0);
		assert_equal(&sample);
		release(&sample);
	}
}

/* The note ends early at every byte that it could: never an access behind it, always the same kind of error. */
static void notes_cut_off_anywhere(void **state)
{
	struct sample sample;

	(void)state;
	make(&sample, 3);
	for (size_t size = 1; size < sample.notes.size; size++) {
		uint8_t *cut = malloc(size);
		assert_non_null(cut);
		memcpy(cut, sample.notes.bytes, size);
		memset(&sample.err, 0, sizeof(sample.err));
		assert_int_equal(
		    nub_core_decode_notes(cut, size, &sample.decoded, sample.segments, sample.count, &sample.err), -1);
		assert_true(sample.err.kind == NUB_E_CORE_TRUNCATED || sample.err.kind == NUB_E_CORE_NO_NOTE);
		free(cut);
	}
	release(&sample);
}

/* A core with `size` bytes at `offset` of its head changed is refused with an error of this kind. */
static void refused_with(size_t offset, const void *bytes, size_t size, enum nub_error_kind kind)
{
	struct sample sample;

	make(&sample, 3);
	assert_true(offset + size <= sample.head.size);
	memcpy(sample.head.bytes + offset, bytes, size);
	assert_int_equal(decode(&sample, FILE_SIZE), -1);
	assert_string_equal(nub_error_name(sample.err.kind), nub_error_name(kind));
	assert_true(strlen(sample.err.message) > 10);
	release(&sample);
}

static void refused_u64(size_t offset, uint64_t value, enum nub_error_kind kind)
{
	refused_with(offset, &value, sizeof(value), kind);
}

#define FIRST_LOAD (sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))

static void headers_that_cannot_be(void **state)
{
	(void)state;
	refused_with(0, "X", 1, NUB_E_CORE_MAGIC);
	refused_with(EI_CLASS, "\1", 1, NUB_E_CORE_MAGIC);
	refused_with(EI_DATA, "\2", 1, NUB_E_CORE_MAGIC);
	refused_with(offsetof(Elf64_Ehdr, e_machine), "\3\0", 2, NUB_E_CORE_MAGIC);
	refused_with(offsetof(Elf64_Ehdr, e_type), "\2\0", 2, NUB_E_CORE_MAGIC);
	refused_with(offsetof(Elf64_Ehdr, e_phentsize), "\40\0", 2, NUB_E_CORE_FIELD);
}

static void segments_that_cannot_be(void **state)
{
	(void)state;
	refused_u64(FIRST_LOAD + offsetof(Elf64_Phdr, p_offset), FILE_SIZE, NUB_E_CORE_TRUNCATED);
	refused_u64(FIRST_LOAD + offsetof(Elf64_Phdr, p_offset), UINT64_MAX - 8, NUB_E_CORE_TRUNCATED);
	refused_u64(FIRST_LOAD + offsetof(Elf64_Phdr, p_filesz), FILE_SIZE, NUB_E_CORE_TRUNCATED);
	refused_u64(FIRST_LOAD + offsetof(Elf64_Phdr, p_filesz), 0x2000, NUB_E_CORE_FIELD);
	refused_u64(FIRST_LOAD + offsetof(Elf64_Phdr, p_memsz), 0, NUB_E_CORE_FIELD);
	refused_u64(FIRST_LOAD + offsetof(Elf64_Phdr, p_memsz), 0x1001, NUB_E_CORE_FIELD);
	refused_u64(FIRST_LOAD + offsetof(Elf64_Phdr, p_memsz), UINT64_C(1) << 63, NUB_E_CORE_FIELD);
	refused_u64(FIRST_LOAD + offsetof(Elf64_Phdr, p_vaddr), 0x400001, NUB_E_CORE_FIELD);
	refused_u64(FIRST_LOAD + offsetof(Elf64_Phdr, p_vaddr), UINT64_C(1) << 48, NUB_E_CORE_FIELD);
}

/* Where our note's contents begin in the head. */
static size_t own_note(void)
{
	struct sample sample;
	size_t at = 0;

	make(&sample, 3);
	for (size_t i = 0; i + 8 < sample.head.size && at == 0; i++)
		if (memcmp(sample.head.bytes + i, "nub\0\1\0\0\0", 8) == 0)
			at = i + 4;
	release(&sample);
	assert_true(at > 0);
	return at;
}

static void note_fields_that_cannot_be(void **state)
{
	const size_t note = own_note();
	const uint32_t huge = UINT32_MAX;
	/* Offsets of u32s: version, reason; kind, vector; access, port, privilege level; region type, flags. */
	const size_t fields[] = { 0, 4, 12, 16, 36, 40, 44, 192, 196 };

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		refused_with(note + fields[i], &huge, sizeof(huge), NUB_E_CORE_FIELD);
	/* The message's length, the build id's, the path's, the number of regions, a region's type. */
	const size_t message = note + 236, build_id = message + 4 + 7 + 40, path = build_id + 4 + 20;
	const size_t count = path + 4 + strlen("/guests/a.elf");
	refused_with(message, &huge, sizeof(huge), NUB_E_CORE_FIELD);
	refused_with(build_id, &huge, sizeof(huge), NUB_E_CORE_FIELD);
	refused_with(path, &huge, sizeof(huge), NUB_E_CORE_FIELD);
	refused_with(count, "\4\0\0\0", 4, NUB_E_CORE_FIELD);
	refused_with(count + 4, "\377", 1, NUB_E_CORE_FIELD);
	/* Another's note. */
	refused_with(note - 4, "bun", 3, NUB_E_CORE_NO_NOTE);
}

/* The first bytes of a core as a file, and sizes up to its memory's end. */
static int as_file(const struct sample *sample)
{
	const int fd = memfd_create("core", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)FILE_SIZE), 0);
	assert_int_equal(pwrite(fd, sample->head.bytes, sample->head.size, 0), sample->head.size);
	return fd;
}

/* R33: a region that has an address, and its memory no more than in part. */
static void memory_that_ends_in_a_region(void **state)
{
	static const struct {
		uint64_t offset;
		size_t size;
		enum nub_error_kind kind;
	} reads[] = {
		{ 0, 2 * NUB_PAGE_SIZE, NUB_E_NONE },
		{ 2 * NUB_PAGE_SIZE - 8, 8, NUB_E_NONE },
		{ 2 * NUB_PAGE_SIZE - 8, 9, NUB_E_GPA_BOUNDS },
		{ 0, 2 * NUB_PAGE_SIZE + 1, NUB_E_GPA_BOUNDS },
		{ 2 * NUB_PAGE_SIZE, 1, NUB_E_GPA_UNRESOLVABLE },
		{ 3 * NUB_PAGE_SIZE - 1, 1, NUB_E_GPA_UNRESOLVABLE },
		{ 3 * NUB_PAGE_SIZE, 1, NUB_E_GVA_UNMAPPED },
	};
	const uint64_t gva = 0x10000;
	struct nub_core_segment segment = {
		.region = { .gva = gva, .gpa = 0x5000, .size = 3 * NUB_PAGE_SIZE },
		.stored = 2 * NUB_PAGE_SIZE,
	};
	struct nub_core_reader reader = { .segments = &segment, .count = 1 };
	uint8_t bytes[3 * NUB_PAGE_SIZE];

	(void)state;
	reader.fd = memfd_create("core", MFD_CLOEXEC);
	assert_true(reader.fd >= 0);
	assert_int_equal(ftruncate(reader.fd, 4 * NUB_PAGE_SIZE), 0);
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		struct nub_error err = { 0 };
		const int result = nub_core_reader_read(&reader, gva + reads[i].offset, bytes, reads[i].size, &err);
		assert_int_equal(result, reads[i].kind == NUB_E_NONE ? 0 : -1);
		assert_string_equal(nub_error_name(err.kind), nub_error_name(reads[i].kind));
	}
	close(reader.fd);
}

/* Reads search by halves, so regions come in order and do not overlap: not by a page, either. */
static void regions_that_overlap(void **state)
{
	(void)state;
	for (unsigned pages = 2; pages <= 3; pages++) {
		struct nub_core_reader reader;
		struct sample sample;

		make(&sample, 3);
		sample.segments[0].region.size = pages * NUB_PAGE_SIZE;
		nub_buffer_release(&sample.head);
		assert_int_equal(nub_core_encode_head(sample.segments, 3, &sample.notes, &sample.head, &sample.err), 0);
		const int fd = as_file(&sample);
		const int result = nub_core_reader_init(&reader, fd, &sample.err);
		assert_int_equal(result, pages == 2 ? 0 : -1);
		if (result < 0)
			assert_string_equal(nub_error_name(sample.err.kind), nub_error_name(NUB_E_CORE_FIELD));
		nub_core_reader_release(&reader);
		close(fd);
		release(&sample);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(more_regions_than_elf_can_count),
		cmocka_unit_test(notes_cut_off_anywhere),
		cmocka_unit_test(headers_that_cannot_be),
		cmocka_unit_test(segments_that_cannot_be),
		cmocka_unit_test(note_fields_that_cannot_be),
		cmocka_unit_test(memory_that_ends_in_a_region),
		cmocka_unit_test(regions_that_overlap),
	};

	return cmocka_run_group_tests_name("core file", tests, NULL, NULL);
}
