/* Sample snapshots with every field filled, for the tests and the fuzz target of the snapshot format. */
#ifndef SNAPFILE_SAMPLE_H
#define SNAPFILE_SAMPLE_H

#include <stdlib.h>
#include <string.h>

#include "snapshot/format/snapfile.h"

enum sample_kind {
	SAMPLE_LAYER,      /* CPL 3, cow=host, to be resumed, with a base */
	SAMPLE_KERNEL,     /* CPL 0, cow=guest, to be called, two address spaces */
	SAMPLE_INITIALISE, /* CPL 3, cow=host, never run */
	SAMPLE_PROGRAM,    /* a Linux program, to be resumed */
	SAMPLE_KINDS,
};

#define SAMPLE_SCRATCH_GPA (NUB_SCRATCH_TOP_GPA + 1 - UINT64_C(0x80000))

static inline char *sample_string(const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		abort();
	return copy;
}

static inline void *sample_copy(const void *items, size_t size)
{
	void *copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, items, size);
	return copy;
}

/* What a Linux program has of its own, and what it has not. */
static inline void sample_program(struct nub_snapshot_meta *meta)
{
	static const uint8_t state[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	static const struct nub_program_item items[] = {
		{ .kind = NUB_PROGRAM_ARGUMENT, .text = "echo" },
		{ .kind = NUB_PROGRAM_THREAD, .number = 1000, .text = "main, in read" },
	};

	meta->abi_version = NUB_SNAPSHOT_ABI_LINUX;
	meta->peb_gva = meta->stack_top_gva = meta->dispatch_gva = 0;
	meta->program = sample_copy(state, sizeof(state));
	meta->program_size = sizeof(state);
	meta->items = sample_copy(items, sizeof(items));
	meta->item_count = 2;
	for (unsigned i = 0; i < 2; i++)
		meta->items[i].text = sample_string(items[i].text);
}

static inline void sample_guest(struct nub_snapshot_meta *meta, enum sample_kind kind)
{
	static const struct nub_function functions[] = {
		{ .name = "add", .result = NUB_TYPE_I64, .param_count = 2, .params = { NUB_TYPE_I64, NUB_TYPE_I64 } },
		{ .name = "hello-2.b", .result = NUB_TYPE_VOID },
	};
	static const char *const host_functions[] = { "clock", "nub_random", "nub_time_ns" };

	meta->generation = UINT64_C(0x0102030405060708);
	for (unsigned i = 0; i < 16; i++)
		meta->memory_hash.bytes[i] = (uint8_t)(0xa0 + i);
	meta->guest_path = sample_string("guests/hello.elf");
	meta->build_id_size = 20;
	for (unsigned i = 0; i < 20; i++)
		meta->build_id[i] = (uint8_t)(0x40 + i);
	meta->relocatable = true;
	meta->abi_version = NUB_ABI_VERSION;
	meta->privilege_level = kind == SAMPLE_KERNEL ? 0 : 3;
	meta->image_base = NUB_IMAGE_BASE_DYN;
	meta->image_size = 0x5000;
	meta->entry = NUB_IMAGE_BASE_DYN + 0x1234;
	meta->functions = sample_copy(functions, sizeof(functions));
	meta->function_count = 2;
	meta->host_functions = sample_copy(host_functions, sizeof(host_functions));
	meta->host_function_count = 3;
	for (unsigned i = 0; i < 3; i++)
		meta->host_functions[i] = sample_string(host_functions[i]);
}

static inline void sample_memory(struct nub_snapshot_meta *meta, enum sample_kind kind)
{
	const bool guest = kind == SAMPLE_KERNEL;
	const struct nub_region regions[] = {
		{ NUB_REGION_CODE, 5, 0x1000, NUB_IMAGE_BASE_DYN, 0x5000 },
		{ NUB_REGION_PEB, 1, 0x6000, NUB_IMAGE_BASE_DYN + 0x5000, 0x1000 },
		{ NUB_REGION_HEAP, 3, 0, NUB_DATA_GVA_BASE + 0x7000, 0x100000 },
		{ NUB_REGION_STACK, 3, 0x110000, NUB_DATA_GVA_BASE + 0x110000, 0x4000 },
		{ NUB_REGION_SCRATCH, 3, SAMPLE_SCRATCH_GPA, NUB_SCRATCH_TOP_GVA + 1 - 0x80000, 0x80000 },
	};
	struct nub_layout *layout = &meta->layout;

	layout->image_base = meta->image_base;
	layout->cow = guest ? NUB_COW_GUEST : NUB_COW_HOST;
	layout->scratch_automatic = true;
	layout->code_gpa = 0x1000;
	layout->code_size = 0x5000;
	layout->peb_gpa = 0x6000;
	layout->peb_size = 0x1000;
	layout->heap_gpa = 0; /* scattered */
	layout->heap_size = 0x100000;
	layout->init_data_gpa = 0x107000;
	layout->init_data_size = 0x8000;
	layout->init_data_bytes = 0x7001;
	layout->guard_gpa = 0x10f000;
	layout->stack_gpa = 0x110000;
	layout->stack_size = 0x4000;
	layout->data_end_gpa = 0x114000;
	layout->page_table_size = 0x6000;
	layout->input_size = 0x1008;
	layout->output_size = 0x2000;
	layout->scratch_size = 0x80000;
	layout->page_table_gpa = guest ? SAMPLE_SCRATCH_GPA + 0x4000 : 0x114000;
	layout->snapshot_size = guest ? 0x113000 : 0x119000;
	meta->image_end_gpa = 0x11a000;
	meta->peb_gva = NUB_IMAGE_BASE_DYN + 0x5000;
	meta->stack_top_gva = NUB_DATA_GVA_BASE + 0x114000;
	meta->regions = sample_copy(regions, sizeof(regions));
	meta->region_count = 5;
	meta->roots[0] = layout->page_table_gpa;
	meta->roots[1] = guest ? layout->page_table_gpa + 0x3000 : 0;
	meta->root_count = guest ? 2 : 1;
}

static inline void sample_cpu(struct nub_snapshot_meta *meta)
{
	static const struct nub_msr msrs[] = {
		{ .index = 0x277, .value = UINT64_C(0x0007040600070406) },
		{ .index = 0xc0000102, .value = UINT64_C(0xffff800000001000) },
		{ .index = 0xc0000103, .value = 7 },
		{ .index = 0x174, .value = 0 },
		{ .index = 0xc0000082, .value = 0 },
	};
	const struct nub_cpu_tables tables = { .tss = UINT64_C(0xffffffffffff8238), .tss_limit = 0x76 };
	struct nub_cpu *cpu = &meta->cpu;

	nub_cpu_initial_sregs(&cpu->sregs, &tables, meta->privilege_level);
	cpu->sregs.cr2 = 0xdeadb000;
	cpu->sregs.fs.base = UINT64_C(0x600000001000);
	cpu->sregs.gs.base = UINT64_C(0xffff900000000000);
	if (meta->privilege_level == 3) {
		cpu->sregs.tr = cpu->sregs.ldt = (struct nub_segment){ 0 };
		cpu->sregs.gdt = cpu->sregs.idt = (struct nub_dtable){ 0 };
	} else {
		cpu->sregs.gdt = (struct nub_dtable){ .base = UINT64_C(0x500140002000), .limit = 0x37 };
		cpu->sregs.idt = (struct nub_dtable){ .base = UINT64_C(0x500140003000), .limit = 0x1ff };
		cpu->sregs.cr8 = 3;
	}
	for (unsigned i = 0; i < 4; i++)
		cpu->debugregs.dr[i] = 0x1000 * (i + 1);
	cpu->debugregs.dr6 = 0xffff0ff0;
	cpu->debugregs.dr7 = 0x400;
	cpu->xcr0 = NUB_XCR0;
	cpu->xsave_size = NUB_XSAVE_SIZE;
	for (unsigned i = 0; i < NUB_XSAVE_SIZE; i++)
		cpu->xsave[i] = (uint8_t)i;
	memset(cpu->xsave + 24, 0, 8);
	cpu->xsave[25] = 0x1f; /* MXCSR 0x1f80 */
	cpu->xsave[24] = 0x80;
	memset(cpu->xsave + 464, 0, 576 - 464);
	cpu->xsave[512] = 7;
	cpu->msr_count = sizeof(msrs) / sizeof(msrs[0]);
	memcpy(cpu->msrs, msrs, sizeof(msrs));
}

static inline void sample_cpuid(struct nub_cpuid *cpuid)
{
	static const struct nub_cpuid_leaf entries[] = {
		{ .function = 0, .eax = 0xd, .ebx = 0x756e6547, .ecx = 0x6c65746e, .edx = 0x49656e69 },
		{ .function = 1, .eax = 0x50654, .ebx = 0x800, .ecx = 0x94002201, .edx = 0x07808011 },
		{ .function = 7, .flags = 1, .ebx = 0x21 },
		{ .function = 0xd, .flags = 1, .eax = 7, .ebx = 832, .ecx = 832 },
		{ .function = 0xd, .index = 2, .flags = 1, .eax = 256, .ebx = 576 },
	};

	cpuid->count = sizeof(entries) / sizeof(entries[0]);
	memcpy(cpuid->entries, entries, sizeof(entries));
}

static inline void sample_layer(struct nub_snapshot_meta *meta)
{
	static const struct nub_page_run runs[] = { { 0x2000, 1 }, { 0x6000, 3 }, { 0x114000, 6 } };

	meta->has_base = true;
	meta->depth = 2;
	meta->base_name = sample_string("warm.snap");
	for (unsigned i = 0; i < 16; i++)
		meta->base_hash.bytes[i] = (uint8_t)(0xc0 + i);
	meta->runs = sample_copy(runs, sizeof(runs));
	meta->run_count = 3;
}

static inline void sample_working_set(struct nub_snapshot_meta *meta)
{
	static const struct nub_working_run runs[] = { { 0x2000, 2, true },
		                                       { 0x4000, 1, false },
		                                       { 0x113000, 1, true } };

	meta->working_set.runs = sample_copy(runs, sizeof(runs));
	meta->working_set.count = 3;
	meta->working_set.reads = true;
}

/* The caller releases it. */
static inline void sample_meta(struct nub_snapshot_meta *meta, enum sample_kind kind)
{
	uint64_t *regs = (uint64_t *)&meta->cpu.regs;

	memset(meta, 0, sizeof(*meta));
	meta->format_version = NUB_SNAPSHOT_VERSION;
	sample_guest(meta, kind);
	sample_memory(meta, kind);
	sample_cpuid(&meta->cpu.cpuid);
	meta->next = kind == SAMPLE_LAYER || kind == SAMPLE_PROGRAM ? NUB_NEXT_RESUME
	             : kind == SAMPLE_KERNEL                        ? NUB_NEXT_CALL
	                                                            : NUB_NEXT_INITIALISE;
	if (kind != SAMPLE_INITIALISE) {
		sample_cpu(meta);
		meta->dispatch_gva = NUB_IMAGE_BASE_DYN + 0x2000;
	}
	if (meta->next == NUB_NEXT_RESUME) {
		for (unsigned i = 0; i < sizeof(meta->cpu.regs) / 8; i++)
			regs[i] = UINT64_C(0x1111111111111111) * (i + 1 > 15 ? 15 : i + 1) + i;
		meta->cpu.regs.rip = NUB_IMAGE_BASE_DYN + 0x1111;
		meta->cpu.regs.rflags = 0x246;
	}
	if (kind == SAMPLE_LAYER) {
		sample_working_set(meta);
		sample_layer(meta);
	} else {
		meta->base_name = sample_string("");
	}
	if (kind == SAMPLE_PROGRAM)
		sample_program(meta);
	meta->hash = nub_snapshot_hash(meta);
}

/* ---- As bytes ---- */

struct sample_file {
	struct nub_buffer metadata;
	uint8_t header[NUB_SNAPSHOT_HEADER_SIZE];
};

static inline void sample_seal(struct sample_file *file)
{
	const uint64_t offset = 0x11a000;

	nub_snapshot_encode_header(file->metadata.bytes, file->metadata.size, offset, offset + file->metadata.size,
	                           file->header);
}

static inline void sample_encode(struct sample_file *file, enum sample_kind kind)
{
	struct nub_snapshot_meta meta;

	memset(file, 0, sizeof(*file));
	sample_meta(&meta, kind);
	if (nub_snapshot_encode_meta(&meta, &file->metadata, NULL) < 0)
		abort();
	nub_snapshot_meta_release(&meta);
	sample_seal(file);
}

/* Header and metadata, as a reader meets them. */
static inline int sample_decode(const struct sample_file *file, struct nub_snapshot_meta *meta, struct nub_error *err)
{
	struct nub_snapshot_header header;

	memset(meta, 0, sizeof(*meta));
	if (nub_snapshot_decode_header(file->header, sizeof(file->header), &header, err) < 0)
		return -1;
	return nub_snapshot_decode_meta(&header, file->metadata.bytes, file->metadata.size, meta, err);
}

#endif
