/* Fuzz target: any bytes as a guest file. What is accepted must keep the promises of nub.h (R15, R16). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../unit/elf_sample.h"
#include "base/util.h"
#include "elf/elf_image.h"
#include "fuzz.h"

#define MAX_FILE ((size_t)1 << 20)
#define MAX_LOAD ((uint64_t)1 << 20)
#define LONG_FILE ((size_t)80 << 10)

/* The file ends where an unmapped page begins, and can't be written to: so what libelf does wrong is seen too, though
 * no sanitizer watches it. */
static const uint8_t *place(const uint8_t *data, size_t size)
{
	static uint8_t *area;
	if (!area) {
		area = mmap(NULL, MAX_FILE + NUB_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		FUZZ_CHECK(area != MAP_FAILED);
	}
	uint8_t *file = area + MAX_FILE - size;
	FUZZ_CHECK(mprotect(area, MAX_FILE, PROT_READ | PROT_WRITE) == 0);
	memcpy(file, data, size);
	FUZZ_CHECK(mprotect(area, MAX_FILE, PROT_READ) == 0);
	return file;
}

static void check_error(const struct nub_error *err)
{
	FUZZ_CHECK(err->kind >= NUB_E_ELF_MAGIC && err->kind <= NUB_E_ELF_EXPORTS);
	FUZZ_CHECK(strncmp(err->message, "fuzz.elf: ", 10) == 0);
}

static void check_segments(const struct nub_image_info *info)
{
	uint64_t at = info->image_base, end = info->image_base + info->image_size;
	bool entry_executable = false;
	FUZZ_CHECK(nub_page_aligned(at) && at >= NUB_BASE_ADDRESS);
	FUZZ_CHECK(nub_page_aligned(end) && end > at && end <= NUB_USER_GVA_END);
	FUZZ_CHECK(info->image_size <= NUB_MAX_MEMORY_SIZE);
	FUZZ_CHECK(info->segment_count > 0 && info->segments[0].gva == at);
	for (size_t i = 0; i < info->segment_count; i++) {
		const struct nub_image_segment *segment = &info->segments[i];
		FUZZ_CHECK(nub_page_aligned(segment->gva) && nub_page_aligned(segment->size) && segment->size > 0);
		FUZZ_CHECK(segment->gva >= at && segment->size <= end - segment->gva);
		FUZZ_CHECK((segment->flags & NUB_REGION_READ) && segment->flags <= 7);
		at = segment->gva + segment->size;
		if ((segment->flags & NUB_REGION_EXECUTE) && info->entry >= segment->gva && info->entry < at)
			entry_executable = true;
	}
	FUZZ_CHECK(at == end && entry_executable);
}

static void check_functions(const struct nub_image *image, const struct nub_image_info *info)
{
	for (size_t i = 0; i < info->function_count; i++) {
		const struct nub_function *function = &info->functions[i];
		FUZZ_CHECK(nub_function_find(nub_image_info(image), function->name) == function);
		FUZZ_CHECK((unsigned)function->result < NUB_TYPE_COUNT && function->param_count <= NUB_MAX_PARAMS);
	}
}

static void check_symbol(const struct nub_image *image, uint64_t gva)
{
	uint64_t offset;
	const char *name = nub_image_symbol(image, gva, &offset);
	FUZZ_CHECK(!name || strlen(name) > 0);
}

static void check_load(const struct nub_image *image, const struct nub_image_info *info)
{
	struct nub_error err = { 0 };
	if (info->image_size > MAX_LOAD)
		return;
	uint8_t *memory = calloc(1, info->image_size);
	FUZZ_CHECK(memory);
	if (nub_image_load(image, memory, info->image_size, &err) < 0)
		check_error(&err);
	free(memory);
}

static void check_same_memory(const struct nub_image *a, const struct nub_image *b, uint64_t size)
{
	struct nub_error first = { 0 }, second = { 0 };

	if (size > MAX_LOAD)
		return;
	uint8_t *memory = calloc(2, size);
	FUZZ_CHECK(memory);
	FUZZ_CHECK(nub_image_load(a, memory, size, &first) == nub_image_load(b, memory + size, size, &second));
	FUZZ_CHECK(first.kind == second.kind && memcmp(memory, memory + size, size) == 0);
	free(memory);
}

static int read_at(void *context, uint64_t offset, void *bytes, size_t size, struct nub_error *err)
{
	(void)err;
	FUZZ_CHECK(nub_range_in(offset, size, LONG_FILE));
	memcpy(bytes, (const uint8_t *)context + offset, size);
	return 0;
}

/* A file that is long enough to be read in parts: what is left out makes no difference. */
static void check_read(const uint8_t *data, size_t size)
{
	static uint8_t file[LONG_FILE];
	struct nub_error err = { 0 }, read_err = { 0 };

	if (size > sizeof(file))
		return;
	memcpy(file, data, size);
	memset(file + size, 0x5a, sizeof(file) - size);
	struct nub_image *whole = nub_image_parse(file, sizeof(file), "fuzz.elf", &err);
	struct nub_image *parts = nub_image_read(read_at, file, sizeof(file), "fuzz.elf", &read_err);
	FUZZ_CHECK((!whole) == (!parts) && err.kind == read_err.kind);
	FUZZ_CHECK(strcmp(err.message, read_err.message) == 0);
	if (whole) {
		const struct nub_image_info *a = nub_image_info(whole), *b = nub_image_info(parts);
		FUZZ_CHECK(a->entry == b->entry && a->image_size == b->image_size &&
		           a->function_count == b->function_count && a->build_id_size == b->build_id_size);
		for (size_t i = 0; i < a->function_count; i++)
			FUZZ_CHECK(strcmp(a->functions[i].name, b->functions[i].name) == 0);
		if (a->build_id_size > 0)
			FUZZ_CHECK(memcmp(a->build_id, b->build_id, a->build_id_size) == 0);
		check_same_memory(whole, parts, a->image_size);
	}
	nub_image_free(whole);
	nub_image_free(parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nub_error err = { 0 };
	if (size > MAX_FILE)
		return 0;
	check_read(data, size);
	struct nub_image *image = nub_image_parse(place(data, size), size, "fuzz.elf", &err);
	if (!image) {
		check_error(&err);
		return 0;
	}
	const struct nub_image_info *info = nub_image_info(image);
	FUZZ_CHECK(info->abi_version == NUB_ABI_VERSION);
	FUZZ_CHECK(info->privilege_level == 0 || info->privilege_level == 3);
	check_segments(info);
	check_functions(image, info);
	check_symbol(image, info->entry);
	check_symbol(image, info->entry + 16);
	check_load(image, info);
	if (nub_image_check_wx(image, &err) < 0)
		check_error(&err);
	nub_image_free(image);
	return 0;
}

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	struct elf_sample elf;
	if (index >= 4 || sizeof(elf) > capacity)
		return 0;
	elf_sample_init(&elf, index % 2 == 1);
	if (index >= 2) { /* a second segment of notes, a second symbol table */
		elf.segments[SAMPLE_SPARE] = sample_segment(PT_NOTE, PF_R, offsetof(struct elf_sample, notes.build_id),
		                                            0, sizeof(elf.notes.build_id));
		elf.sections[SAMPLE_SECTION_SPARE] = elf.sections[SAMPLE_SECTION_SYMBOLS];
		elf.sections[SAMPLE_SECTION_SPARE].sh_type = SHT_DYNSYM;
	}
	memcpy(out, &elf, sizeof(elf));
	return sizeof(elf);
}
