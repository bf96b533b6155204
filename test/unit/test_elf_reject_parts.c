/* Files that are no guests, by their notes, relocations and exports: one broken field each, and its one error (R15, R16). */
#include "elf_mangle.h"

static const struct mangle mangles[] = {
	/* notes */
	{ "R15 no note segment",
	  NUB_E_ELF_NO_NOTE,
	  "without the nub note",
	  "guests/rt",
	  { FIELD(segments[SAMPLE_NOTES].p_type, PT_NULL) },
	  0 },
	{ "R15 note of another name", NUB_E_ELF_NO_NOTE, "without", "", { FIELD(notes.abi.name[2], 'x') }, 0 },
	{ "R15 note of another type", NUB_E_ELF_NO_NOTE, "without", "", { FIELD(notes.abi.header.n_type, 9) }, 0 },
	{ "R15 empty note segment",
	  NUB_E_ELF_NO_NOTE,
	  "without",
	  "",
	  { FIELD(segments[SAMPLE_NOTES].p_filesz, 0) },
	  0 },
	{ "R15 ABI version",
	  NUB_E_ELF_ABI_VERSION,
	  "needs guest ABI 3, this libnub speaks 1",
	  "guests/rt",
	  { FIELD(notes.abi.desc.abi_version, 3) },
	  0 },
	{ "R15 ABI version 0", NUB_E_ELF_ABI_VERSION, "ABI 0", "", { FIELD(notes.abi.desc.abi_version, 0) }, 0 },
	{ "R15 note too short",
	  NUB_E_ELF_NOTE,
	  "of 3 bytes instead of 8",
	  "",
	  { FIELD(notes.abi.header.n_descsz, 3) },
	  0 },
	{ "R15 note without its level",
	  NUB_E_ELF_NOTE,
	  "of 7 bytes instead of 8",
	  "",
	  { FIELD(notes.abi.header.n_descsz, 7) },
	  0 },
	{ "R15 note too long",
	  NUB_E_ELF_NOTE,
	  "of 12 bytes instead of 8",
	  "",
	  { FIELD(notes.abi.header.n_descsz, 12) },
	  0 },
	{ "R15 note past its segment",
	  NUB_E_ELF_NOTE,
	  "runs past its segment",
	  "",
	  { FIELD(notes.abi.header.n_descsz, UINT32_MAX) },
	  0 },
	{ "R15 note name past its segment",
	  NUB_E_ELF_NOTE,
	  "runs past its segment",
	  "",
	  { FIELD(notes.abi.header.n_namesz, UINT32_MAX) },
	  0 },
	{ "R15 privilege level 1", NUB_E_ELF_NOTE, "level 1", "", { FIELD(notes.abi.desc.privilege_level, 1) }, 0 },
	{ "R15 two nub notes",
	  NUB_E_ELF_NOTE,
	  "2 or more nub notes",
	  "",
	  { FIELD(segments[SAMPLE_SPARE].p_type, PT_NOTE), FIELD(segments[SAMPLE_SPARE].p_offset, AT(notes)),
	    FIELD(segments[SAMPLE_SPARE].p_filesz, 24) },
	  0 },
	{ "R15 note segment outside",
	  NUB_E_ELF_TRUNCATED,
	  "note segment",
	  "again",
	  { FIELD(segments[SAMPLE_NOTES].p_offset, UINT64_MAX - 8) },
	  0 },

	/* relocations */
	{ "R16 dynamic section outside",
	  NUB_E_ELF_TRUNCATED,
	  "dynamic section",
	  "again",
	  { FIELD(segments[SAMPLE_DYNAMIC].p_filesz, 1 << 20) },
	  0 },
	{ "R16 DT_REL",
	  NUB_E_ELF_RELOCATION,
	  "DT_REL,",
	  "",
	  { FIELD(dynamic[4].d_tag, DT_RELSZ), FIELD(dynamic[4].d_un.d_val, 16) },
	  0 },
	{ "R16 DT_RELR",
	  NUB_E_ELF_RELOCATION,
	  "DT_RELR",
	  "nopack-relative-relocs",
	  { FIELD(dynamic[4].d_tag, DT_RELR), FIELD(dynamic[4].d_un.d_val, 16) },
	  0 },
	{ "R16 DT_JMPREL",
	  NUB_E_ELF_RELOCATION,
	  "DT_JMPREL",
	  "",
	  { FIELD(dynamic[4].d_tag, DT_PLTRELSZ), FIELD(dynamic[4].d_un.d_val, 24) },
	  0 },
	{ "R16 DT_RELAENT",
	  NUB_E_ELF_RELOCATION,
	  "of 16 bytes each, instead of a multiple of 24",
	  "",
	  { FIELD(dynamic[2].d_un.d_val, 16) },
	  0 },
	{ "R16 DT_RELASZ odd", NUB_E_ELF_RELOCATION, "has 25 bytes", "", { FIELD(dynamic[1].d_un.d_val, 25) }, 0 },
	{ "R16 DT_RELASZ huge",
	  NUB_E_ELF_RELOCATION,
	  "outside every segment",
	  "",
	  { FIELD(dynamic[1].d_un.d_val, UINT64_MAX / 24 * 24) },
	  0 },
	{ "R16 DT_RELA outside",
	  NUB_E_ELF_RELOCATION,
	  "outside every segment",
	  "",
	  { FIELD(dynamic[0].d_un.d_val, 0x10) },
	  0 },
	{ "R16 relocations where the file has no bytes",
	  NUB_E_ELF_RELOCATION,
	  "outside every segment",
	  "",
	  { FIELD(dynamic[0].d_un.d_val, BASE + SAMPLE_DATA + 0x1000) },
	  0 },
	{ "R16 relocation of another type",
	  NUB_E_ELF_RELOCATION,
	  "relocation 0 is R_X86_64_GLOB_DAT (6)",
	  "-static-pie",
	  { FIELD(relocations[0].r_info, R_X86_64_GLOB_DAT) },
	  0 },
	{ "R16 relocation of an unknown type",
	  NUB_E_ELF_RELOCATION,
	  "relocation 1 is of an unknown type (4000)",
	  "-static-pie",
	  { FIELD(relocations[1].r_info, 4000) },
	  0 },
	{ "R16 relocation of code",
	  NUB_E_ELF_RELOCATION,
	  "outside every writable segment",
	  "",
	  { FIELD(relocations[0].r_offset, BASE) },
	  0 },
	{ "R16 relocation across the end",
	  NUB_E_ELF_RELOCATION,
	  "outside every writable segment",
	  "",
	  { FIELD(relocations[2].r_offset, BASE + SAMPLE_DATA + SAMPLE_DATA_MEMORY - 7) },
	  0 },
	{ "R16 relocation that wraps",
	  NUB_E_ELF_RELOCATION,
	  "outside every writable segment",
	  "",
	  { FIELD(relocations[2].r_offset, UINT64_MAX - 3) },
	  0 },

	/* exports */
	{ "export table size",
	  NUB_E_ELF_EXPORTS,
	  "of 81 bytes, not a multiple of 80",
	  "",
	  { FIELD(sections[SAMPLE_SECTION_EXPORTS].sh_size, 81) },
	  0 },
	{ "export table outside the file",
	  NUB_E_ELF_EXPORTS,
	  "not in the file",
	  "",
	  { FIELD(sections[SAMPLE_SECTION_EXPORTS].sh_offset, UINT64_MAX - 8) },
	  0 },
	{ "export table without bytes",
	  NUB_E_ELF_EXPORTS,
	  "not in the file",
	  "",
	  { FIELD(sections[SAMPLE_SECTION_EXPORTS].sh_type, SHT_NOBITS) },
	  0 },
	{ "two export tables",
	  NUB_E_ELF_EXPORTS,
	  "2 or more sections .nub_exports",
	  "",
	  { FIELD(sections[SAMPLE_SECTION_SPARE].sh_name, 1) },
	  0 },
	{ "export without a name", NUB_E_ELF_EXPORTS, "export 0 is named ''", "", { FIELD(exports[0].name[0], 0) }, 0 },
	{ "export with a strange name",
	  NUB_E_ELF_EXPORTS,
	  "export 0 is named 's?b'",
	  "",
	  { FIELD(exports[0].name[1], '\n') },
	  0 },
	{ "export named twice",
	  NUB_E_ELF_EXPORTS,
	  "exports sub 2 or more times",
	  "",
	  { FIELD(exports[2].name[0], 's'), FIELD(exports[2].name[1], 'u'), FIELD(exports[2].name[2], 'b') },
	  0 },
	{ "export result type", NUB_E_ELF_EXPORTS, "result of type 10", "", { FIELD(exports[0].result, 10) }, 0 },
	{ "export parameter count",
	  NUB_E_ELF_EXPORTS,
	  "with 11 parameters",
	  "",
	  { FIELD(exports[0].param_count, 11) },
	  0 },
	{ "export parameter void",
	  NUB_E_ELF_EXPORTS,
	  "parameter 2 of type 0",
	  "",
	  { FIELD(exports[0].params[1], 0) },
	  0 },
	{ "export parameter type",
	  NUB_E_ELF_EXPORTS,
	  "parameter 1 of type 10",
	  "",
	  { FIELD(exports[0].params[0], 10) },
	  0 },
};

/* A name of 60 bytes without its NUL. */
static void test_export_name_without_end(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct elf_sample elf;
	elf_sample_init(&elf, false);
	memset(elf.exports[1].name, 'n', sizeof(elf.exports[1].name));
	refuse(&elf, sizeof(elf), &err);
	check_error(&err, NUB_E_ELF_EXPORTS, "export 1 has a name of over 59 bytes", "");
}

/* R15: a note segment too large to be one is not searched; the file is padded, so that it does hold it. */
static void test_huge_note_segment(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct elf_sample elf;
	elf_sample_init(&elf, false);
	size_t size = sizeof(elf) + 65536;
	elf.segments[SAMPLE_NOTES].p_filesz = 65537;
	uint8_t *bytes = calloc(1, size);
	assert_non_null(bytes);
	memcpy(bytes, &elf, sizeof(elf));
	refuse(bytes, size, &err);
	check_error(&err, NUB_E_ELF_NOTE, "of 65537 bytes, at most 65536", "");
	free(bytes);
}

int main(void)
{
	enum { COUNT = sizeof(mangles) / sizeof(*mangles) };
	struct CMUnitTest tests[COUNT + 2];

	mangle_tests(tests, mangles, COUNT);
	tests[COUNT] = (struct CMUnitTest)cmocka_unit_test(test_export_name_without_end);
	tests[COUNT + 1] = (struct CMUnitTest)cmocka_unit_test(test_huge_note_segment);
	return cmocka_run_group_tests_name("elf_reject_parts", tests, NULL, NULL);
}
