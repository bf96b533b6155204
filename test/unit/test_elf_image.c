/* Good guest files: what is read from them, where they go, what loading puts there (R11, R15, R16). */
#include "unit.h"

#include "elf/elf_image.h"
#include "elf_sample.h"

static const size_t code_offset = offsetof(struct elf_sample, code);

static struct nub_image *parse(const struct elf_sample *elf)
{
	struct nub_error err = { 0 };
	struct nub_image *image = nub_image_parse(elf, sizeof(*elf), "x.elf", &err);
	if (!image)
		fail_msg("%s", err.message);
	return image;
}

static void assert_segment(const struct nub_image_segment *segment, uint64_t gva, uint64_t size, unsigned flags)
{
	assert_int_equal(segment->gva, gva);
	assert_int_equal(segment->size, size);
	assert_int_equal(segment->flags, flags);
}

/* R15, R16: an ET_EXEC guest stays where it was linked. */
static void test_exec(void **state)
{
	(void)state;
	struct elf_sample elf;
	elf_sample_init(&elf, false);
	struct nub_image *image = parse(&elf);
	const struct nub_image_info *info = nub_image_info(image);
	assert_string_equal(info->name, "x.elf");
	assert_false(info->relocatable);
	assert_int_equal(info->abi_version, NUB_ABI_VERSION);
	assert_int_equal(info->privilege_level, 3);
	assert_int_equal(info->image_base, SAMPLE_EXEC_BASE);
	assert_int_equal(info->image_size, SAMPLE_IMAGE_SIZE);
	assert_int_equal(info->entry, SAMPLE_EXEC_BASE + code_offset);
	assert_int_equal(info->build_id_size, 20);
	assert_memory_equal(info->build_id, elf.notes.build_id.id, 20);
	nub_image_free(image);
}

/* R16: an ET_DYN guest goes to NUB_IMAGE_BASE_DYN. */
static void test_dyn(void **state)
{
	(void)state;
	struct elf_sample elf;
	elf_sample_init(&elf, true);
	elf.notes.abi.desc.privilege_level = 0;
	struct nub_image *image = parse(&elf);
	const struct nub_image_info *info = nub_image_info(image);
	assert_true(info->relocatable);
	assert_int_equal(info->privilege_level, 0);
	assert_int_equal(info->image_base, NUB_IMAGE_BASE_DYN);
	assert_int_equal(info->image_size, SAMPLE_IMAGE_SIZE);
	assert_int_equal(info->entry, NUB_IMAGE_BASE_DYN + code_offset);
	nub_image_free(image);
}

/* R16: an ET_DYN guest that was linked away from 0 still starts at NUB_IMAGE_BASE_DYN. */
static void test_dyn_linked_high(void **state)
{
	(void)state;
	struct elf_sample elf;
	elf_sample_init(&elf, true);
	elf.segments[SAMPLE_TEXT].p_vaddr += 0x7000;
	elf.segments[SAMPLE_RW].p_vaddr += 0x7000;
	elf.segments[SAMPLE_DYNAMIC].p_type = PT_NULL;
	elf.header.e_entry += 0x7000;
	struct nub_image *image = parse(&elf);
	assert_int_equal(nub_image_info(image)->image_base, NUB_IMAGE_BASE_DYN);
	assert_int_equal(nub_image_info(image)->entry, NUB_IMAGE_BASE_DYN + code_offset);
	assert_int_equal(nub_image_info(image)->segments[0].gva, NUB_IMAGE_BASE_DYN);
	nub_image_free(image);
}

/* R11: whole pages with the segment's permissions; what only relocation writes is read-only. */
static void test_segments(void **state)
{
	(void)state;
	struct elf_sample elf;
	elf_sample_init(&elf, true);
	struct nub_image *image = parse(&elf);
	const struct nub_image_info *info = nub_image_info(image);
	assert_int_equal(info->segment_count, 3);
	assert_segment(&info->segments[0], NUB_IMAGE_BASE_DYN, 0x1000, NUB_REGION_READ | NUB_REGION_EXECUTE);
	assert_segment(&info->segments[1], NUB_IMAGE_BASE_DYN + SAMPLE_DATA, 0x1000, NUB_REGION_READ);
	assert_segment(&info->segments[2], NUB_IMAGE_BASE_DYN + SAMPLE_DATA + 0x1000, 0x2000,
	               NUB_REGION_READ | NUB_REGION_WRITE);
	nub_image_free(image);
}

/* R11: a page that relro shares with data stays writable, at either end; relro outside every segment is ignored. */
static void test_relro_edges(void **state)
{
	(void)state;
	static const struct {
		uint64_t start, size;
		uint64_t read_only, read_only_size; /* from the data segment */
	} cases[] = {
		{ 0, 0x1fff, 0, 0x1000 },
		{ 8, 0x2000, 0x1000, 0x1000 },
		{ 8, 0x1ff8, 0x1000, 0x1000 },
		{ 0x1000, 0x1000, 0x1000, 0x1000 },
		{ 0, 0xfff, 0, 0 },
		{ 0, 0x100000, 0, 0 },
		{ 0, 0x3000, 0, 0x3000 },
		{ 0, 0x3001, 0, 0 },
		{ 8, UINT64_MAX, 0, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct elf_sample elf;
		elf_sample_init(&elf, false);
		elf.segments[SAMPLE_RELRO].p_vaddr = SAMPLE_EXEC_BASE + SAMPLE_DATA + cases[i].start;
		elf.segments[SAMPLE_RELRO].p_memsz = cases[i].size;
		struct nub_image *image = parse(&elf);
		const struct nub_image_info *info = nub_image_info(image);
		uint64_t at = 0, size = 0, total = 0;
		for (size_t k = 1; k < info->segment_count; k++) {
			total += info->segments[k].size;
			if (info->segments[k].flags == NUB_REGION_READ) {
				at = info->segments[k].gva - SAMPLE_EXEC_BASE - SAMPLE_DATA;
				size = info->segments[k].size;
			}
		}
		assert_int_equal(total, 0x3000);
		assert_int_equal(at, cases[i].read_only);
		assert_int_equal(size, cases[i].read_only_size);
		nub_image_free(image);
	}
}

/* R16: segments in any order in the file are sorted; empty ones count for nothing. */
static void test_sorted(void **state)
{
	(void)state;
	struct elf_sample elf;
	elf_sample_init(&elf, false);
	Elf64_Phdr text = elf.segments[SAMPLE_TEXT];
	elf.segments[SAMPLE_TEXT] = elf.segments[SAMPLE_RW];
	elf.segments[SAMPLE_RW] = text;
	elf.segments[SAMPLE_RELRO] = sample_segment(PT_LOAD, PF_R, 0, 0x10, 0);
	struct nub_image *image = parse(&elf);
	const struct nub_image_info *info = nub_image_info(image);
	assert_int_equal(info->segment_count, 2);
	assert_int_equal(info->segments[0].gva, SAMPLE_EXEC_BASE);
	assert_int_equal(info->segments[1].gva, SAMPLE_EXEC_BASE + SAMPLE_DATA);
	nub_image_free(image);
}

/* R16: filesz is copied, the rest left alone, relocations applied with the load bias. */
static void check_load(bool relocatable)
{
	struct nub_error err = { 0 };
	struct elf_sample elf;
	elf_sample_init(&elf, relocatable);
	struct nub_image *image = parse(&elf);
	uint64_t base = nub_image_info(image)->image_base, pointers[4];
	uint8_t *memory = malloc(SAMPLE_IMAGE_SIZE);
	assert_non_null(memory);
	memset(memory, 0xaa, SAMPLE_IMAGE_SIZE);
	assert_int_equal(nub_image_load(image, memory, SAMPLE_IMAGE_SIZE, &err), 0);

	assert_memory_equal(memory, &elf, offsetof(struct elf_sample, pointers));
	memcpy(pointers, memory + SAMPLE_DATA, sizeof(pointers));
	assert_int_equal(pointers[0], base + code_offset);
	assert_int_equal(pointers[1], 0x1122334455667788);
	assert_int_equal(pointers[2], base + code_offset + 16);
	assert_memory_equal(memory + SAMPLE_DATA + sizeof(pointers), elf.exports, sizeof(elf.exports));
	for (size_t i = SAMPLE_DATA + sizeof(pointers) + sizeof(elf.exports); i < SAMPLE_IMAGE_SIZE; i++)
		assert_int_equal(memory[i], 0xaa);
	for (size_t i = offsetof(struct elf_sample, pointers); i < SAMPLE_DATA; i++)
		assert_int_equal(memory[i], 0xaa);
	free(memory);
	nub_image_free(image);
}

static void test_load_exec(void **state)
{
	(void)state;
	check_load(false);
}

static void test_load_dyn(void **state)
{
	(void)state;
	check_load(true);
}

/* R16: memory that is too small is refused with both numbers before anything is written. */
static void test_load_too_small(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct elf_sample elf;
	elf_sample_init(&elf, true);
	struct nub_image *image = parse(&elf);
	uint8_t memory[16] = { 0 };
	assert_int_equal(nub_image_load(image, memory, SAMPLE_IMAGE_SIZE - 1, &err), -1);
	assert_int_equal(err.kind, NUB_E_ELF_SIZE);
	assert_string_equal(err.message, "x.elf: needs 20480 bytes of memory, there are 20479");
	assert_int_equal(memory[0], 0);
	nub_image_free(image);
}

/* R11: writable and executable is found on request only, also where relro takes the write away. */
static void test_wx(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct elf_sample elf;
	elf_sample_init(&elf, true);
	struct nub_image *image = parse(&elf);
	assert_int_equal(nub_image_check_wx(image, &err), 0);
	nub_image_free(image);

	elf.segments[SAMPLE_RW].p_flags = PF_W | PF_X;
	elf.segments[SAMPLE_RELRO].p_memsz = 0x3000;
	image = parse(&elf);
	assert_int_equal(nub_image_check_wx(image, &err), -1);
	assert_int_equal(err.kind, NUB_E_ELF_WX);
	assert_non_null(strstr(err.message, "segment at 0x500140002000 (10240 bytes)"));
	assert_string_equal(err.parameter, "allow_wx");
	nub_image_free(image);
}

static void test_exports(void **state)
{
	(void)state;
	struct elf_sample elf;
	elf_sample_init(&elf, true);
	struct nub_image *image = parse(&elf);
	const struct nub_image_info *info = nub_image_info(image);
	assert_int_equal(info->function_count, 3);
	assert_string_equal(info->functions[0].name, "add");
	assert_string_equal(info->functions[1].name, "noop");
	assert_string_equal(info->functions[2].name, "sub");
	assert_int_equal(info->functions[0].result, NUB_TYPE_STRING);
	assert_int_equal(info->functions[0].param_count, 1);
	assert_int_equal(info->functions[0].params[0], NUB_TYPE_BYTES);
	for (size_t i = 0; i < info->function_count; i++)
		assert_ptr_equal(nub_function_find(nub_image_info(image), info->functions[i].name),
		                 &info->functions[i]);
	assert_null(nub_function_find(nub_image_info(image), "a"));
	assert_null(nub_function_find(nub_image_info(image), "nooq"));
	assert_null(nub_function_find(nub_image_info(image), "zzz"));
	nub_image_free(image);
}

/* A guest without exports, or without any section headers, is fine: it has main only. */
static void test_no_sections(void **state)
{
	(void)state;
	struct elf_sample elf;
	uint64_t offset;
	elf_sample_init(&elf, true);
	elf.sections[SAMPLE_SECTION_EXPORTS].sh_name = 0;
	struct nub_image *image = parse(&elf);
	assert_int_equal(nub_image_info(image)->function_count, 0);
	assert_null(nub_function_find(nub_image_info(image), "add"));
	nub_image_free(image);

	/* Nor is a section whose name lies outside the name table, or ends there, the export section. */
	for (uint32_t at = sizeof(elf.section_names) - 5; at != 0; at = at < 1000 ? UINT32_MAX : 0) {
		memcpy(elf.section_names + sizeof(elf.section_names) - 5, ".nub_", 5);
		elf.sections[SAMPLE_SECTION_EXPORTS].sh_name = at;
		image = parse(&elf);
		assert_int_equal(nub_image_info(image)->function_count, 0);
		nub_image_free(image);
	}

	elf_sample_init(&elf, true);
	elf.header.e_shoff = elf.header.e_shnum = elf.header.e_shstrndx = 0;
	image = parse(&elf);
	assert_int_equal(nub_image_info(image)->function_count, 0);
	assert_null(nub_image_symbol(image, NUB_IMAGE_BASE_DYN + code_offset, &offset));
	nub_image_free(image);
}

/* The file may be anywhere in memory: nothing in it need be aligned. */
static void test_unaligned(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct elf_sample elf;
	uint64_t offset;
	elf_sample_init(&elf, true);
	uint8_t *bytes = malloc(sizeof(elf) + 1), *memory = calloc(1, SAMPLE_IMAGE_SIZE);
	assert_true(bytes && memory);
	memcpy(bytes + 1, &elf, sizeof(elf));
	struct nub_image *image = nub_image_parse(bytes + 1, sizeof(elf), "x.elf", &err);
	assert_non_null(image);
	assert_int_equal(nub_image_info(image)->function_count, 3);
	assert_int_equal(nub_image_load(image, memory, SAMPLE_IMAGE_SIZE, &err), 0);
	assert_string_equal(nub_image_symbol(image, NUB_IMAGE_BASE_DYN + code_offset, &offset), "outer");
	nub_image_free(image);
	free(bytes);
	free(memory);
}

/* The innermost function or object; labels don't count. */
static void test_symbols(void **state)
{
	(void)state;
	static const struct {
		uint64_t at;
		const char *name;
		uint64_t offset;
	} cases[] = {
		{ 0, "outer", 0 },   { 15, "outer", 15 },     { 16, "inner", 0 },     { 31, "inner", 15 },
		{ 32, "outer", 32 }, { 64, NULL, 0 },         { 0x2000, "table", 0 }, { 0x201f, "table", 31 },
		{ 0x2020, NULL, 0 }, { UINT64_MAX, NULL, 0 },
	};
	for (int relocatable = 0; relocatable < 2; relocatable++) {
		struct elf_sample elf;
		elf_sample_init(&elf, relocatable);
		struct nub_image *image = parse(&elf);
		uint64_t code = nub_image_info(image)->image_base + code_offset;
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			uint64_t offset = 0;
			const char *name = nub_image_symbol(image, code + cases[i].at, &offset);
			if (!cases[i].name) {
				assert_null(name);
				continue;
			}
			assert_string_equal(name, cases[i].name);
			assert_int_equal(offset, cases[i].offset);
		}
		nub_image_free(image);
	}
}

/* .dynsym serves when there is no .symtab, .symtab is preferred, and a damaged table gives no symbols. */
static void test_symbol_tables(void **state)
{
	(void)state;
	struct elf_sample elf;
	uint64_t offset, code = NUB_IMAGE_BASE_DYN + code_offset;
	elf_sample_init(&elf, true);
	struct nub_image *image = parse(&elf);

	elf.sections[SAMPLE_SECTION_SYMBOLS].sh_type = SHT_DYNSYM;
	assert_string_equal(nub_image_symbol(image, code, &offset), "outer");
	elf.sections[SAMPLE_SECTION_SPARE] = elf.sections[SAMPLE_SECTION_SYMBOLS];
	elf.sections[SAMPLE_SECTION_SPARE].sh_type = SHT_SYMTAB;
	elf.sections[SAMPLE_SECTION_SPARE].sh_size = 2 * sizeof(Elf64_Sym);
	assert_string_equal(nub_image_symbol(image, code + 16, &offset), "outer");
	elf.sections[SAMPLE_SECTION_SPARE].sh_type = SHT_NULL;

	elf.symbol_names[sizeof(elf.symbol_names) - 1] = 'x'; /* names without an end */
	assert_null(nub_image_symbol(image, code, &offset));
	elf.symbol_names[sizeof(elf.symbol_names) - 1] = '\0';
	elf.symbols[1].st_name = sizeof(elf.symbol_names);
	assert_null(nub_image_symbol(image, code, &offset));
	elf.symbols[1].st_name = 1;
	elf.sections[SAMPLE_SECTION_SYMBOLS].sh_link = 600;
	assert_null(nub_image_symbol(image, code, &offset));
	elf.sections[SAMPLE_SECTION_SYMBOLS].sh_link = SAMPLE_SECTION_SYMBOL_NAMES;
	elf.sections[SAMPLE_SECTION_SYMBOLS].sh_size = UINT64_MAX;
	assert_null(nub_image_symbol(image, code, &offset));
	elf.sections[SAMPLE_SECTION_SYMBOLS].sh_size = sizeof(elf.symbols);
	assert_string_equal(nub_image_symbol(image, code, &offset), "outer");
	nub_image_free(image);
}

/* Notes in 8-byte alignment, and notes of others, are read over. */
static void test_other_notes(void **state)
{
	(void)state;
	struct elf_sample elf;
	elf_sample_init(&elf, true);
	elf.segments[SAMPLE_SPARE] = sample_segment(PT_NOTE, PF_R, offsetof(struct elf_sample, code), 0, 32);
	elf.segments[SAMPLE_SPARE].p_align = 8;
	memset(elf.code, 0, 32);
	memcpy(elf.code, &(Elf64_Nhdr){ 4, 12, 5 }, sizeof(Elf64_Nhdr));
	memcpy(elf.code + sizeof(Elf64_Nhdr), "GNU", 4);
	struct nub_image *image = parse(&elf);
	assert_int_equal(nub_image_info(image)->build_id_size, 20);
	nub_image_free(image);

	elf.notes.build_id.header.n_type = 77;
	image = parse(&elf);
	assert_null(nub_image_info(image)->build_id);
	nub_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_dyn),
		cmocka_unit_test(test_dyn_linked_high),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_relro_edges),
		cmocka_unit_test(test_sorted),
		cmocka_unit_test(test_load_exec),
		cmocka_unit_test(test_load_dyn),
		cmocka_unit_test(test_load_too_small),
		cmocka_unit_test(test_wx),
		cmocka_unit_test(test_exports),
		cmocka_unit_test(test_no_sections),
		cmocka_unit_test(test_unaligned),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_symbol_tables),
		cmocka_unit_test(test_other_notes),
	};
	return cmocka_run_group_tests_name("elf_image", tests, NULL, NULL);
}
