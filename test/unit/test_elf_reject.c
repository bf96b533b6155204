/* Files that are no guests: one broken field each, and the one error it must give (R15, R16). */
#include "unit.h"

#include "elf/elf_image.h"
#include "elf_sample.h"

struct patch {
	size_t offset, size;
	uint64_t value;
};

/* Up to three fields of the sample set to other values, or the file cut short. */
struct mangle {
	const char *title;
	enum nub_error_kind kind;
	const char *says, *hints;
	struct patch patches[3];
	size_t cut; /* bytes left of the file; 0: all */
};

#define FIELD(field, value)                                                                                            \
	{                                                                                                              \
		offsetof(struct elf_sample, field), sizeof(((struct elf_sample *)0)->field), (value)                   \
	}
#define AT(field) offsetof(struct elf_sample, field)
#define BASE SAMPLE_EXEC_BASE

static const struct mangle mangles[] = {
	/* identity */
	{ "R16 magic", NUB_E_ELF_MAGIC, "data of an unknown kind", "nub-guest(7)", { FIELD(header.e_ident[0], 0) }, 0 },
	{ "R16 class 32, i386",
	  NUB_E_ELF_CLASS,
	  "32-bit (i386)",
	  "rebuild with -m64",
	  { FIELD(header.e_ident[EI_CLASS], ELFCLASS32), FIELD(header.e_machine, EM_386) },
	  0 },
	{ "R16 class 32, x32",
	  NUB_E_ELF_CLASS,
	  "32-bit (x32)",
	  "rebuild with -m64",
	  { FIELD(header.e_ident[EI_CLASS], ELFCLASS32) },
	  0 },
	{ "R16 class 7", NUB_E_ELF_CLASS, "class 7", "", { FIELD(header.e_ident[EI_CLASS], 7) }, 0 },
	{ "R16 byte order 3", NUB_E_ELF_CLASS, "byte order 3", "", { FIELD(header.e_ident[EI_DATA], 3) }, 0 },
	{ "R16 i386 in class 64", NUB_E_ELF_MACHINE, "i386 (machine 3)", "", { FIELD(header.e_machine, EM_386) }, 0 },
	{ "R16 ARM",
	  NUB_E_ELF_MACHINE,
	  "for ARM (machine 40)",
	  "x86-64",
	  { FIELD(header.e_ident[EI_CLASS], ELFCLASS32), FIELD(header.e_machine, EM_ARM) },
	  0 },
	{ "R16 AArch64", NUB_E_ELF_MACHINE, "for AArch64", "x86-64", { FIELD(header.e_machine, EM_AARCH64) }, 0 },
	{ "R16 RISC-V", NUB_E_ELF_MACHINE, "for RISC-V", "x86-64", { FIELD(header.e_machine, EM_RISCV) }, 0 },
	{ "R16 big-endian S/390",
	  NUB_E_ELF_MACHINE,
	  "for S/390 (machine 22)",
	  "x86-64",
	  { FIELD(header.e_ident[EI_DATA], ELFDATA2MSB), FIELD(header.e_machine, 22 << 8) },
	  0 },
	{ "R16 machine 999", NUB_E_ELF_MACHINE, "for machine 999", "x86-64", { FIELD(header.e_machine, 999) }, 0 },
	{ "R16 version 2", NUB_E_ELF_HEADER, "version 2", "", { FIELD(header.e_version, 2) }, 0 },
	{ "R16 e_ehsize", NUB_E_ELF_HEADER, "52 bytes", "", { FIELD(header.e_ehsize, 52) }, 0 },
	{ "R16 ET_REL", NUB_E_ELF_TYPE, "object file", "link it", { FIELD(header.e_type, ET_REL) }, 0 },
	{ "R16 ET_CORE", NUB_E_ELF_TYPE, "core dump", "", { FIELD(header.e_type, ET_CORE) }, 0 },
	{ "R16 type 77", NUB_E_ELF_TYPE, "type 77", "", { FIELD(header.e_type, 77) }, 0 },

	/* header tables */
	{ "R16 cut in e_ident", NUB_E_ELF_TRUNCATED, "ends at 10 bytes", "", { { 0 } }, 10 },
	{ "R16 cut in the ELF header", NUB_E_ELF_TRUNCATED, "ends at 63 bytes", "", { { 0 } }, 63 },
	{ "R16 cut in the program headers", NUB_E_ELF_TRUNCATED, "program header table", "again", { { 0 } }, 64 + 56 },
	{ "R16 cut in the section headers",
	  NUB_E_ELF_TRUNCATED,
	  "section header table",
	  "again",
	  { { 0 } },
	  AT(sections) + 9 },
	{ "R16 e_phentsize", NUB_E_ELF_HEADER, "32 bytes instead of 56", "", { FIELD(header.e_phentsize, 32) }, 0 },
	{ "R16 e_phnum PN_XNUM",
	  NUB_E_ELF_HEADER,
	  "has 65535 program headers",
	  "",
	  { FIELD(header.e_phnum, PN_XNUM) },
	  0 },
	{ "R16 e_phnum 257", NUB_E_ELF_HEADER, "at most 256", "", { FIELD(header.e_phnum, 257) }, 0 },
	{ "R16 e_phnum over the file",
	  NUB_E_ELF_TRUNCATED,
	  "program header",
	  "again",
	  { FIELD(header.e_phnum, 256) },
	  0 },
	{ "R16 e_phnum 0", NUB_E_ELF_NO_LOAD, "0 program headers", "", { FIELD(header.e_phnum, 0) }, 0 },
	{ "R16 e_phoff wraps",
	  NUB_E_ELF_TRUNCATED,
	  "program header table",
	  "again",
	  { FIELD(header.e_phoff, UINT64_MAX - 8) },
	  0 },
	{ "R16 e_shentsize", NUB_E_ELF_HEADER, "40 bytes instead of 64", "", { FIELD(header.e_shentsize, 40) }, 0 },
	{ "R16 e_shoff wraps",
	  NUB_E_ELF_TRUNCATED,
	  "section header table",
	  "again",
	  { FIELD(header.e_shoff, UINT64_MAX - 8) },
	  0 },
	{ "R16 e_shnum over the file",
	  NUB_E_ELF_TRUNCATED,
	  "section header",
	  "again",
	  { FIELD(header.e_shnum, 5000) },
	  0 },
	{ "R16 e_shnum 0, section 0 cut",
	  NUB_E_ELF_TRUNCATED,
	  "section header",
	  "again",
	  { FIELD(header.e_shnum, 0), FIELD(header.e_shoff, sizeof(struct elf_sample) - 8) },
	  0 },
	{ "R16 e_shnum 0, count over the file",
	  NUB_E_ELF_TRUNCATED,
	  "section header table is 18446744073709551615",
	  "again",
	  { FIELD(header.e_shnum, 0), FIELD(sections[0].sh_size, UINT64_MAX / 8) },
	  0 },
	{ "R16 e_shstrndx", NUB_E_ELF_HEADER, "in section 6, but only 6", "", { FIELD(header.e_shstrndx, 6) }, 0 },
	{ "R16 e_shstrndx extended",
	  NUB_E_ELF_HEADER,
	  "in section 600",
	  "",
	  { FIELD(header.e_shstrndx, SHN_XINDEX), FIELD(sections[0].sh_link, 600) },
	  0 },
	{ "R16 section names outside",
	  NUB_E_ELF_TRUNCATED,
	  "section name table",
	  "again",
	  { FIELD(sections[SAMPLE_SECTION_NAMES].sh_size, 1 << 20) },
	  0 },

	/* what kind of program */
	{ "R16 interpreter",
	  NUB_E_ELF_INTERPRETER,
	  "/lib64/ld.so",
	  "-static",
	  { FIELD(segments[SAMPLE_SPARE].p_type, PT_INTERP), FIELD(segments[SAMPLE_SPARE].p_offset, AT(interpreter)),
	    FIELD(segments[SAMPLE_SPARE].p_filesz, 13) },
	  0 },
	{ "R16 interpreter outside",
	  NUB_E_ELF_TRUNCATED,
	  "interpreter",
	  "again",
	  { FIELD(segments[SAMPLE_SPARE].p_type, PT_INTERP), FIELD(segments[SAMPLE_SPARE].p_offset, AT(interpreter)),
	    FIELD(segments[SAMPLE_SPARE].p_filesz, 1 << 20) },
	  0 },
	{ "R16 DT_NEEDED",
	  NUB_E_ELF_INTERPRETER,
	  "shared library libc.so.6",
	  "-static",
	  { FIELD(dynamic[4].d_tag, DT_NEEDED), FIELD(dynamic[4].d_un.d_val, 1) },
	  0 },
	{ "R16 DT_NEEDED outside",
	  NUB_E_ELF_INTERPRETER,
	  "shared library ?",
	  "-static",
	  { FIELD(dynamic[4].d_tag, DT_NEEDED), FIELD(dynamic[4].d_un.d_val, UINT64_MAX) },
	  0 },

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

	/* segments */
	{ "R16 no PT_LOAD",
	  NUB_E_ELF_NO_LOAD,
	  "nothing to load",
	  "",
	  { FIELD(segments[SAMPLE_TEXT].p_type, PT_NULL), FIELD(segments[SAMPLE_RW].p_type, PT_NULL) },
	  0 },
	{ "R16 only empty PT_LOAD",
	  NUB_E_ELF_NO_LOAD,
	  "nothing to load",
	  "",
	  { FIELD(segments[SAMPLE_TEXT].p_type, PT_NULL), FIELD(segments[SAMPLE_RW].p_filesz, 0),
	    FIELD(segments[SAMPLE_RW].p_memsz, 0) },
	  0 },
	{ "R16 p_filesz over p_memsz",
	  NUB_E_ELF_SEGMENT,
	  "but 16 in memory",
	  "",
	  { FIELD(segments[SAMPLE_RW].p_memsz, 16) },
	  0 },
	{ "R16 p_align 3", NUB_E_ELF_SEGMENT, "alignment of 3", "", { FIELD(segments[SAMPLE_RW].p_align, 3) }, 0 },
	{ "R16 segment wraps",
	  NUB_E_ELF_SEGMENT,
	  "wraps around",
	  "",
	  { FIELD(segments[SAMPLE_RW].p_vaddr, UINT64_MAX - 0x1000) },
	  0 },
	{ "R16 segment's last page wraps",
	  NUB_E_ELF_SEGMENT,
	  "wraps around",
	  "",
	  { FIELD(segments[SAMPLE_RW].p_vaddr, UINT64_MAX - SAMPLE_DATA_MEMORY) },
	  0 },
	{ "R16 segment outside the file",
	  NUB_E_ELF_TRUNCATED,
	  "a segment is",
	  "again",
	  { FIELD(segments[SAMPLE_RW].p_offset, sizeof(struct elf_sample) - 8) },
	  0 },
	{ "R16 segment's offset wraps",
	  NUB_E_ELF_TRUNCATED,
	  "a segment is",
	  "again",
	  { FIELD(segments[SAMPLE_RW].p_offset, UINT64_MAX - 8) },
	  0 },
	{ "R16 two segments on one page",
	  NUB_E_ELF_OVERLAP,
	  "share a page",
	  "nub.ld",
	  { FIELD(segments[SAMPLE_RW].p_vaddr, BASE + 0xff8) },
	  0 },
	{ "R16 two equal segments",
	  NUB_E_ELF_OVERLAP,
	  "share a page",
	  "nub.ld",
	  { FIELD(segments[SAMPLE_RW].p_vaddr, BASE) },
	  0 },
	{ "R1 image on the null page",
	  NUB_E_ELF_ADDRESS,
	  "null guard",
	  "link it",
	  { FIELD(segments[SAMPLE_TEXT].p_vaddr, 0x10) },
	  0 },
	{ "R16 upper half",
	  NUB_E_ELF_ADDRESS,
	  "guests end below 0x800000000000",
	  "",
	  { FIELD(segments[SAMPLE_RW].p_vaddr, NUB_USER_GVA_END - 0x1000) },
	  0 },
	{ "R16 in the data window",
	  NUB_E_ELF_ADDRESS,
	  "heap and stack are at 0x600000000000",
	  "link it",
	  { FIELD(segments[SAMPLE_TEXT].p_vaddr, NUB_DATA_GVA_BASE + 0x10000),
	    FIELD(segments[SAMPLE_RW].p_vaddr, NUB_DATA_GVA_BASE + 0x20000) },
	  0 },
	{ "R16 just under the data window, reaching in",
	  NUB_E_ELF_ADDRESS,
	  "heap and stack",
	  "link it",
	  { FIELD(segments[SAMPLE_TEXT].p_vaddr, NUB_DATA_GVA_BASE - 0x1000),
	    FIELD(segments[SAMPLE_RW].p_vaddr, NUB_DATA_GVA_BASE) },
	  0 },
	{ "R2 image over the limit",
	  NUB_E_ELF_SIZE,
	  "the limit is 17179865088",
	  "",
	  { FIELD(segments[SAMPLE_RW].p_memsz, NUB_MAX_MEMORY_SIZE) },
	  0 },
	{ "R2 segments too far apart",
	  NUB_E_ELF_SIZE,
	  "the limit is 17179865088",
	  "",
	  { FIELD(segments[SAMPLE_RW].p_vaddr, 0x500000000) },
	  0 },
	{ "R16 entry 0", NUB_E_ELF_ENTRY, "outside every segment", "", { FIELD(header.e_entry, 0) }, 0 },
	{ "R16 entry behind the code",
	  NUB_E_ELF_ENTRY,
	  "outside every segment",
	  "",
	  { FIELD(header.e_entry, BASE + AT(pointers)) },
	  0 },
	{ "R16 entry in data",
	  NUB_E_ELF_ENTRY,
	  "not executable (READ | WRITE)",
	  "",
	  { FIELD(header.e_entry, BASE + SAMPLE_DATA) },
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

static void check_error(const struct nub_error *err, enum nub_error_kind kind, const char *says, const char *hints)
{
	if (err->kind != kind || !strstr(err->message, says) || !strstr(err->hint, hints) ||
	    strncmp(err->message, "x.elf: ", 7) != 0)
		fail_msg("got %s '%s' (hint '%s'), expected %s '%s' (hint '%s')", nub_error_name(err->kind),
		         err->message, err->hint, nub_error_name(kind), says, hints);
}

/* Parse, then load: relocations are looked at only then. The bytes are an exact copy, so that a checker sees overruns. */
static void refuse(const void *bytes, size_t size, struct nub_error *err)
{
	uint8_t *copy = malloc(size + (size == 0));
	assert_non_null(copy);
	memcpy(copy, bytes, size);
	struct nub_image *image = nub_image_parse(copy, size, "x.elf", err);
	if (image) {
		uint8_t *memory = calloc(1, SAMPLE_IMAGE_SIZE);
		assert_non_null(memory);
		assert_int_equal(nub_image_load(image, memory, SAMPLE_IMAGE_SIZE, err), -1);
		free(memory);
		nub_image_free(image);
	}
	free(copy);
}

static void test_mangle(void **state)
{
	const struct mangle *mangle = *state;
	struct nub_error err = { 0 };
	struct elf_sample elf;
	elf_sample_init(&elf, false);
	for (size_t i = 0; i < sizeof(mangle->patches) / sizeof(*mangle->patches); i++)
		memcpy((uint8_t *)&elf + mangle->patches[i].offset, &mangle->patches[i].value, mangle->patches[i].size);
	refuse(&elf, mangle->cut != 0 ? mangle->cut : sizeof(elf), &err);
	check_error(&err, mangle->kind, mangle->says, mangle->hints);
}

/* R16: every proper prefix of a good file is refused. */
static void test_every_prefix(void **state)
{
	(void)state;
	struct elf_sample elf;
	elf_sample_init(&elf, true);
	for (size_t size = 0; size < sizeof(elf); size++) {
		struct nub_error err = { 0 };
		refuse(&elf, size, &err);
		if (size >= 4)
			assert_int_equal(err.kind, NUB_E_ELF_TRUNCATED);
		else
			assert_int_equal(err.kind, NUB_E_ELF_MAGIC);
	}
}

/* R16: what is no ELF file is named. */
static void test_look_alikes(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t size;
		const char *says;
	} files[] = {
		{ "", 0, "is empty" },
		{ "#!/bin/sh\n", 10, "is a script" },
		{ "hello, world\n", 13, "is a text file" },
		{ "\x7f"
		  "EL",
		  3, "is data of an unknown kind" },
		{ "!<arch>\nxyz", 11, "is an archive of object files" },
		{ "MZ\x90", 3, "is a Windows program" },
		{ "\x1f\x8b\x08", 3, "is a gzip file" },
		{ "\0asm\1\0\0\0", 8, "is a WebAssembly module" },
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct nub_error err = { 0 };
		refuse(files[i].bytes, files[i].size, &err);
		check_error(&err, NUB_E_ELF_MAGIC, files[i].says, "nub-guest(7)");
	}
}

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
	struct CMUnitTest tests[COUNT + 4];
	for (size_t i = 0; i < COUNT; i++)
		tests[i] =
		    (struct CMUnitTest){ mangles[i].title, test_mangle, NULL, NULL, (void *)(uintptr_t)&mangles[i] };
	tests[COUNT] = (struct CMUnitTest)cmocka_unit_test(test_every_prefix);
	tests[COUNT + 1] = (struct CMUnitTest)cmocka_unit_test(test_look_alikes);
	tests[COUNT + 2] = (struct CMUnitTest)cmocka_unit_test(test_export_name_without_end);
	tests[COUNT + 3] = (struct CMUnitTest)cmocka_unit_test(test_huge_note_segment);
	return cmocka_run_group_tests_name("elf_reject", tests, NULL, NULL);
}
