/* A small guest file in memory, good in every part, for tests that then break one part of it. */
#ifndef ELF_SAMPLE_H
#define ELF_SAMPLE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "abi/nub_abi.h"

/* Addresses, from the base: 0 for ET_DYN, SAMPLE_EXEC_BASE for ET_EXEC. */
#define SAMPLE_EXEC_BASE 0x400000
#define SAMPLE_DATA 0x2000
#define SAMPLE_DATA_MEMORY 0x2800
#define SAMPLE_IMAGE_SIZE 0x5000

enum { SAMPLE_TEXT, SAMPLE_RW, SAMPLE_NOTES, SAMPLE_DYNAMIC, SAMPLE_RELRO, SAMPLE_SPARE, SAMPLE_SEGMENTS };
enum {
	SAMPLE_SECTION_EXPORTS = 1,
	SAMPLE_SECTION_SYMBOLS,
	SAMPLE_SECTION_SYMBOL_NAMES,
	SAMPLE_SECTION_NAMES,
	SAMPLE_SECTION_SPARE,
	SAMPLE_SECTIONS
};

struct elf_sample {
	Elf64_Ehdr header;
	Elf64_Phdr segments[SAMPLE_SEGMENTS];
	struct {
		struct {
			Elf64_Nhdr header;
			char name[4];
			struct nub_note desc;
		} abi;
		struct {
			Elf64_Nhdr header;
			char name[4];
			uint8_t id[20];
		} build_id;
	} notes;
	Elf64_Dyn dynamic[8];
	Elf64_Rela relocations[3];
	char strings[24]; /* of the dynamic section */
	char interpreter[24];
	uint8_t code[64];
	/* The data segment starts here. */
	uint64_t pointers[4];
	struct nub_export exports[3];
	/* The rest is not loaded. */
	Elf64_Sym symbols[5];
	char symbol_names[32];
	char section_names[64];
	Elf64_Shdr sections[SAMPLE_SECTIONS];
};

static inline uint64_t sample_base(const struct elf_sample *elf)
{
	return elf->header.e_type == ET_DYN ? 0 : SAMPLE_EXEC_BASE;
}

static inline void sample_headers(struct elf_sample *elf, bool relocatable)
{
	elf->header = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = relocatable ? ET_DYN : ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = offsetof(struct elf_sample, segments),
		.e_shoff = offsetof(struct elf_sample, sections),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = SAMPLE_SEGMENTS,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = SAMPLE_SECTIONS,
		.e_shstrndx = SAMPLE_SECTION_NAMES,
	};
	elf->header.e_entry = sample_base(elf) + offsetof(struct elf_sample, code);
}

static inline Elf64_Phdr sample_segment(uint32_t type, uint32_t flags, size_t offset, uint64_t vaddr, uint64_t size)
{
	return (Elf64_Phdr){
		.p_type = type,
		.p_flags = flags,
		.p_offset = offset,
		.p_vaddr = vaddr,
		.p_paddr = vaddr,
		.p_filesz = size,
		.p_memsz = size,
		.p_align = type == PT_LOAD ? NUB_PAGE_SIZE : 4,
	};
}

static inline void sample_segments(struct elf_sample *elf)
{
	uint64_t base = sample_base(elf);
	size_t data = offsetof(struct elf_sample, pointers);
	size_t notes = offsetof(struct elf_sample, notes), dynamic = offsetof(struct elf_sample, dynamic);
	elf->segments[SAMPLE_TEXT] = sample_segment(PT_LOAD, PF_R | PF_X, 0, base, data);
	elf->segments[SAMPLE_RW] =
	    sample_segment(PT_LOAD, PF_R | PF_W, data, base + SAMPLE_DATA, offsetof(struct elf_sample, symbols) - data);
	elf->segments[SAMPLE_RW].p_memsz = SAMPLE_DATA_MEMORY;
	elf->segments[SAMPLE_NOTES] = sample_segment(PT_NOTE, PF_R, notes, base + notes, sizeof(elf->notes));
	elf->segments[SAMPLE_DYNAMIC] = sample_segment(PT_DYNAMIC, PF_R, dynamic, base + dynamic, sizeof(elf->dynamic));
	elf->segments[SAMPLE_RELRO] = sample_segment(PT_GNU_RELRO, PF_R, data, base + SAMPLE_DATA, NUB_PAGE_SIZE);
}

static inline void sample_contents(struct elf_sample *elf)
{
	uint64_t base = sample_base(elf), code = base + offsetof(struct elf_sample, code);
	elf->notes.abi.header = (Elf64_Nhdr){ 4, sizeof(struct nub_note), NUB_NOTE_TYPE_ABI };
	memcpy(elf->notes.abi.name, "nub", 4);
	elf->notes.abi.desc = (struct nub_note){ NUB_ABI_VERSION, 3 };
	elf->notes.build_id.header = (Elf64_Nhdr){ 4, sizeof(elf->notes.build_id.id), NT_GNU_BUILD_ID };
	memcpy(elf->notes.build_id.name, "GNU", 4);
	memset(elf->notes.build_id.id, 0xb1, sizeof(elf->notes.build_id.id));

	elf->dynamic[0] = (Elf64_Dyn){ DT_RELA, { base + offsetof(struct elf_sample, relocations) } };
	elf->dynamic[1] = (Elf64_Dyn){ DT_RELASZ, { sizeof(elf->relocations) } };
	elf->dynamic[2] = (Elf64_Dyn){ DT_RELAENT, { sizeof(Elf64_Rela) } };
	elf->dynamic[3] = (Elf64_Dyn){ DT_STRTAB, { base + offsetof(struct elf_sample, strings) } };
	elf->relocations[0] = (Elf64_Rela){ base + SAMPLE_DATA, R_X86_64_RELATIVE, (int64_t)code };
	elf->relocations[1] = (Elf64_Rela){ 0, R_X86_64_NONE, 0 };
	elf->relocations[2] = (Elf64_Rela){ base + SAMPLE_DATA + 16, R_X86_64_RELATIVE, (int64_t)code + 16 };
	memcpy(elf->strings, "\0libc.so.6", 11);
	memcpy(elf->interpreter, "/lib64/ld.so", 13);
	memset(elf->code, 0x90, sizeof(elf->code));
	elf->pointers[1] = 0x1122334455667788;

	elf->exports[0] = (struct nub_export){ 0, NUB_TYPE_I64, 2, { NUB_TYPE_I64, NUB_TYPE_I64 }, "sub" };
	elf->exports[1] = (struct nub_export){ 0, NUB_TYPE_VOID, 0, { 0 }, "noop" };
	elf->exports[2] = (struct nub_export){ 0, NUB_TYPE_STRING, 1, { NUB_TYPE_BYTES }, "add" };
}

static inline Elf64_Shdr sample_section(uint32_t name, uint32_t type, size_t offset, size_t size)
{
	return (Elf64_Shdr){ .sh_name = name, .sh_type = type, .sh_offset = offset, .sh_size = size };
}

static inline void sample_sections(struct elf_sample *elf)
{
	uint64_t code = sample_base(elf) + offsetof(struct elf_sample, code);
	const unsigned char function = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
	memcpy(elf->symbol_names, "\0outer\0inner\0table\0label", 25);
	elf->symbols[1] = (Elf64_Sym){ 1, function, 0, 1, code, 64 };
	elf->symbols[2] = (Elf64_Sym){ 7, function, 0, 1, code + 16, 16 };
	elf->symbols[3] = (Elf64_Sym){ 13, ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), 0, 1, code + 0x2000, 32 };
	elf->symbols[4] = (Elf64_Sym){ 19, ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 1, code + 16, 16 };

	memcpy(elf->section_names, "\0.nub_exports\0.symtab\0.strtab\0.shstrtab", 40);
	elf->sections[SAMPLE_SECTION_EXPORTS] =
	    sample_section(1, SHT_PROGBITS, offsetof(struct elf_sample, exports), sizeof(elf->exports));
	elf->sections[SAMPLE_SECTION_SYMBOLS] =
	    sample_section(14, SHT_SYMTAB, offsetof(struct elf_sample, symbols), sizeof(elf->symbols));
	elf->sections[SAMPLE_SECTION_SYMBOLS].sh_link = SAMPLE_SECTION_SYMBOL_NAMES;
	elf->sections[SAMPLE_SECTION_SYMBOLS].sh_entsize = sizeof(Elf64_Sym);
	elf->sections[SAMPLE_SECTION_SYMBOL_NAMES] =
	    sample_section(22, SHT_STRTAB, offsetof(struct elf_sample, symbol_names), sizeof(elf->symbol_names));
	elf->sections[SAMPLE_SECTION_NAMES] =
	    sample_section(30, SHT_STRTAB, offsetof(struct elf_sample, section_names), sizeof(elf->section_names));
}

static inline void elf_sample_init(struct elf_sample *elf, bool relocatable)
{
	memset(elf, 0, sizeof(*elf));
	sample_headers(elf, relocatable);
	sample_segments(elf);
	sample_contents(elf);
	sample_sections(elf);
}

#endif
