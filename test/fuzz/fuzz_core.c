/* Fuzz target: any bytes as a core's headers and notes, and as call frame information. What is accepted can be used. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/cfi_sample.h"
#include "base/util.h"
#include "coredump/core_file.h"
#include "fuzz.h"
#include "unwind/cfi.h"

enum { MAX_SEGMENTS = 256 };

static void check_error(const struct nub_error *err)
{
	FUZZ_CHECK(err->kind >= NUB_E_CORE_MAGIC && err->kind <= NUB_E_CORE_NO_NOTE);
	FUZZ_CHECK(err->message[0] != '\0');
}

static void check_segments(const struct nub_core_segment *segments, size_t count, uint64_t file_size)
{
	for (size_t i = 0; i < count; i++) {
		const struct nub_region *region = &segments[i].region;
		FUZZ_CHECK(nub_range_in(segments[i].offset, segments[i].stored, file_size));
		FUZZ_CHECK(region->size > 0 && segments[i].stored <= region->size && region->flags <= 7);
		FUZZ_CHECK(nub_canonical(region->gva) && nub_canonical(region->gva + (region->size - 1)));
		FUZZ_CHECK(nub_page_aligned(region->gva) && nub_page_aligned(region->size));
	}
}

static void check_core(const struct nub_core *core, const struct nub_core_segment *segments, size_t count)
{
	FUZZ_CHECK(strlen(core->guest_path) < sizeof(core->guest_path));
	FUZZ_CHECK(strlen(core->crash.abort_message) < sizeof(core->crash.abort_message));
	FUZZ_CHECK(core->build_id_size <= sizeof(core->build_id));
	FUZZ_CHECK(strcmp(nub_crash_kind_name(core->crash.kind), "unknown") != 0);
	FUZZ_CHECK(strcmp(nub_core_reason_name(core->reason), "unknown") != 0);
	for (size_t i = 0; i < count; i++)
		FUZZ_CHECK((unsigned)segments[i].region.type <= NUB_REGION_SNAPSHOT);
}

static void check_program(const uint8_t *notes, size_t size)
{
	struct nub_survey survey = { 0 };
	struct nub_error err = { 0 };

	FUZZ_CHECK(nub_core_decode_program(notes, size, &survey, &err) == 0);
	for (size_t i = 0; i < survey.thread_count; i++)
		FUZZ_CHECK(survey.threads[i].current == (i == 0));
	for (size_t i = 0; i < survey.file_count; i++)
		FUZZ_CHECK(survey.files[i].size > 0 && nub_page_aligned(survey.files[i].gva | survey.files[i].offset));
	nub_survey_release(&survey);
}

/* The steps of core_read.c. */
static void try_core(const uint8_t *data, size_t size)
{
	struct nub_core_segment segments[MAX_SEGMENTS];
	static struct nub_core core;
	struct nub_core_headers headers;
	struct nub_core_notes notes;
	struct nub_error err = { 0 };
	size_t count;

	if (nub_core_decode_header(data, size, &headers, &err) < 0) {
		check_error(&err);
		return;
	}
	if (headers.count > MAX_SEGMENTS || !nub_range_in(headers.offset, headers.count * sizeof(Elf64_Phdr), size))
		return;
	if (nub_core_decode_segments(data + headers.offset, headers.count, size, segments, &count, &notes, &err) < 0) {
		check_error(&err);
		return;
	}
	check_segments(segments, count, size);
	FUZZ_CHECK(nub_range_in(notes.offset, notes.size, size));
	if (nub_core_decode_notes(data + notes.offset, notes.size, &core, segments, count, &err) < 0)
		check_error(&err);
	else
		check_core(&core, segments, count);
	check_program(data + notes.offset, notes.size);
}

static void try_frames(const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < 8; i++) {
		const struct nub_cfi_section section = { .bytes = data, .size = size, .vaddr = 0x3000, .eh = i % 2 };
		struct nub_cfi_row row;
		if (nub_cfi_search(&section, SAMPLE_FUNCTION + i * (SAMPLE_FUNCTION_SIZE / 8), &row))
			FUZZ_CHECK(row.cfa_register < NUB_DWARF_RIP);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_core(data, size);
	try_frames(data, size);
	return 0;
}

static size_t core_seed(uint8_t *out, size_t capacity)
{
	static struct nub_core core = { .has_crash = true, .guest_path = "/a.elf", .build_id_size = 20 };
	struct nub_core_segment segments[3] = { 0 };
	struct nub_buffer notes = { 0 }, head = { 0 };

	for (unsigned i = 0; i < 3; i++)
		segments[i].region = (struct nub_region){ .gva = 0x400000 + i * 0x10000, .size = 0x1000 };
	FUZZ_CHECK(nub_core_encode_notes(&core, segments, 3, &notes, NULL) == 0);
	FUZZ_CHECK(nub_core_encode_head(segments, 3, &notes, &head, NULL) == 0);
	const size_t size = head.size < capacity ? head.size : 0;
	memcpy(out, head.bytes, size);
	nub_buffer_release(&notes);
	nub_buffer_release(&head);
	return size;
}

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	if (index == 0)
		return core_seed(out, capacity);
	if (index > 2)
		return 0;
	memcpy(out, cfi_sample, sizeof(cfi_sample));
	/* In an .eh_frame a CIE's id is 0, and an entry says how far back it is. */
	if (index == 2) {
		memset(out + 4, 0, 4);
		out[28] = 28;
	}
	return sizeof(cfi_sample);
}
