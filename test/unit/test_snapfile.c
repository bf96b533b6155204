/* Snapshot files that are right: what goes in comes out, and what is derived, hashed and compared (R23 to R28, R31). */
#include "unit.h"

#include "cpu/cpu_features.h"
#include "snapfile_sample.h"

#define MUST(call)                                                                                                     \
	do {                                                                                                           \
		if ((call) != 0)                                                                                       \
			fail_msg("%s: %s", #call, err.message);                                                        \
	} while (0)

static void assert_fails(int result, const struct nub_error *err, enum nub_error_kind kind, const char *says)
{
	assert_int_equal(result, -1);
	assert_string_equal(nub_error_name(err->kind), nub_error_name(kind));
	if (!strstr(err->message, says))
		fail_msg("'%s' does not say '%s'", err->message, says);
}

static void assert_same_lists(const struct nub_snapshot_meta *a, const struct nub_snapshot_meta *b)
{
	assert_string_equal(a->guest_path, b->guest_path);
	assert_string_equal(a->base_name, b->base_name);
	assert_int_equal(a->function_count, b->function_count);
	assert_memory_equal(a->functions, b->functions, a->function_count * sizeof(*a->functions));
	assert_int_equal(a->host_function_count, b->host_function_count);
	for (uint32_t i = 0; i < a->host_function_count; i++)
		assert_string_equal(a->host_functions[i], b->host_functions[i]);
	assert_int_equal(a->region_count, b->region_count);
	assert_memory_equal(a->regions, b->regions, a->region_count * sizeof(*a->regions));
	assert_int_equal(a->run_count, b->run_count);
	if (a->run_count > 0)
		assert_memory_equal(a->runs, b->runs, a->run_count * sizeof(*a->runs));
	assert_int_equal(a->working_set.count, b->working_set.count);
	for (uint32_t i = 0; i < a->working_set.count; i++) {
		assert_int_equal(a->working_set.runs[i].gpa, b->working_set.runs[i].gpa);
		assert_int_equal(a->working_set.runs[i].pages, b->working_set.runs[i].pages);
		assert_int_equal(a->working_set.runs[i].written, b->working_set.runs[i].written);
	}
	assert_int_equal(a->program_size, b->program_size);
	if (a->program_size > 0)
		assert_memory_equal(a->program, b->program, a->program_size);
	assert_int_equal(a->item_count, b->item_count);
	for (uint32_t i = 0; i < a->item_count; i++) {
		assert_int_equal(a->items[i].kind, b->items[i].kind);
		assert_int_equal(a->items[i].number, b->items[i].number);
		assert_string_equal(a->items[i].text, b->items[i].text);
	}
}

/* The structs are zeroed before they are filled, on both sides, so their padding can be compared too. */
static void assert_same(const struct nub_snapshot_meta *expected, const struct nub_snapshot_meta *actual)
{
	struct nub_snapshot_meta a, b;

	memcpy(&a, expected, sizeof(a));
	memcpy(&b, actual, sizeof(b));
	assert_same_lists(&a, &b);
	a.guest_path = b.guest_path = a.base_name = b.base_name = NULL;
	a.functions = b.functions = NULL;
	a.host_functions = b.host_functions = NULL;
	a.regions = b.regions = NULL;
	a.runs = b.runs = NULL;
	a.working_set.runs = b.working_set.runs = NULL;
	a.program = b.program = NULL;
	a.items = b.items = NULL;
	assert_memory_equal(&a, &b, sizeof(a));
}

/* R23, R25, R26, R27, R28, R31: every field of every kind of snapshot, both cow policies, survives. */
static void test_round_trip(void **state)
{
	(void)state;
	for (enum sample_kind kind = 0; kind < SAMPLE_KINDS; kind++) {
		struct nub_snapshot_meta meta, decoded;
		struct nub_error err = { 0 };
		struct nub_buffer again = { 0 };
		struct sample_file file;

		sample_meta(&meta, kind);
		sample_encode(&file, kind);
		MUST(sample_decode(&file, &decoded, &err));
		assert_same(&meta, &decoded);
		MUST(nub_snapshot_encode_meta(&decoded, &again, &err));
		assert_int_equal(again.size, file.metadata.size);
		assert_memory_equal(again.bytes, file.metadata.bytes, again.size);
		nub_buffer_release(&again);
		nub_buffer_release(&file.metadata);
		nub_snapshot_meta_release(&decoded);
		nub_snapshot_meta_release(&meta);
	}
}

/* R31: what a file does not keep of the CPU does not show in it, and reads back as 0. */
static void test_unkept(void **state)
{
	(void)state;
	struct nub_snapshot_meta meta, decoded;
	struct nub_error err = { 0 };
	struct sample_file plain, file = { 0 };

	sample_encode(&plain, SAMPLE_LAYER);
	sample_meta(&meta, SAMPLE_LAYER);
	meta.cpu.sregs.cr3 = 0x114000;
	meta.cpu.sregs.tr = (struct nub_segment){ .base = 1, .limit = 2, .present = 1, .type = 11 };
	meta.cpu.sregs.ldt = (struct nub_segment){ .unusable = 1 };
	meta.cpu.sregs.gdt.limit = meta.cpu.sregs.idt.limit = 7;
	meta.cpu.xsave[464] = 0xe7;
	MUST(nub_snapshot_encode_meta(&meta, &file.metadata, &err));
	assert_int_equal(file.metadata.size, plain.metadata.size);
	assert_memory_equal(file.metadata.bytes, plain.metadata.bytes, plain.metadata.size);
	nub_buffer_release(&file.metadata);

	meta.next = NUB_NEXT_CALL;
	MUST(nub_snapshot_encode_meta(&meta, &file.metadata, &err));
	sample_seal(&file);
	MUST(sample_decode(&file, &decoded, &err));
	assert_int_equal(decoded.cpu.regs.rax, 0);
	assert_int_equal(decoded.cpu.regs.rip, 0);
	assert_int_equal(decoded.cpu.xcr0, NUB_XCR0);
	nub_snapshot_meta_release(&decoded);
	nub_buffer_release(&file.metadata);
	nub_buffer_release(&plain.metadata);
	nub_snapshot_meta_release(&meta);
}

/* R23, R31: a guest at CPL 3 goes on with this host's tables, one at CPL 0 with its own. */
static void test_restore_sregs(void **state)
{
	(void)state;
	const struct nub_cpu_tables tables = {
		.gdt = 0x111000, .idt = 0x222000, .tss = 0x333000, .idt_limit = 511, .tss_limit = 118, .cr3 = 0x114000
	};
	struct nub_snapshot_meta meta;
	struct nub_sregs sregs;

	sample_meta(&meta, SAMPLE_LAYER);
	nub_cpu_resumed_sregs(&sregs, &meta.cpu.sregs, &tables, meta.privilege_level);
	assert_int_equal(sregs.cs.dpl, 3);
	assert_int_equal(sregs.gdt.base, 0x111000);
	assert_int_equal(sregs.idt.base, 0x222000);
	assert_int_equal(sregs.tr.base, 0x333000);
	assert_int_equal(sregs.cr3, 0x114000);
	assert_int_equal(sregs.cr2, 0xdeadb000);
	assert_int_equal(sregs.fs.base, UINT64_C(0x600000001000));
	nub_cpu_resumed_sregs(&meta.cpu.sregs, &meta.cpu.sregs, &tables, 3);
	assert_true(nub_sregs_equal(&meta.cpu.sregs, &sregs));
	nub_snapshot_meta_release(&meta);

	sample_meta(&meta, SAMPLE_KERNEL);
	nub_cpu_resumed_sregs(&sregs, &meta.cpu.sregs, &tables, meta.privilege_level);
	assert_int_equal(sregs.gdt.base, UINT64_C(0x500140002000));
	assert_int_equal(sregs.idt.base, UINT64_C(0x500140003000));
	assert_int_equal(sregs.tr.base, UINT64_C(0xffffffffffff8238));
	assert_int_equal(sregs.cr8, 3);
	assert_int_equal(sregs.cr3, 0x114000);
	nub_snapshot_meta_release(&meta);
}

/* What an encoder would write and no decoder read is refused when it is written. */
static void test_encode_refuses(void **state)
{
	(void)state;
	struct nub_snapshot_meta meta;
	struct nub_buffer out = { 0 };
	struct nub_error err = { 0 };
	const struct {
		uint64_t *field;
		uint64_t value;
		const char *says;
	} mangles[] = {
		{ &meta.image_end_gpa, 0x11b000, "image_end_gpa is 0x11b000, it must be 0x11a000" },
		{ &meta.layout.snapshot_size, 0x1000, "layout.snapshot_size is 0x1000, it must be 0x119000" },
		{ &meta.layout.page_table_gpa, 0x115000, "layout.page_table_gpa is 0x115000, it must be 0x114000" },
		{ &meta.layout.image_base, 0x400000, "layout.image_base is 0x400000, it must be 0x500140000000" },
		{ (uint64_t *)&meta.cpu.sregs.cr4, 0x20, "cpu.cr4 is 0x20" },
		{ &meta.generation, 1, NULL },
	};

	sample_meta(&meta, SAMPLE_LAYER);
	for (size_t i = 0; i < sizeof(mangles) / sizeof(mangles[0]); i++) {
		const uint64_t kept = *mangles[i].field;
		*mangles[i].field = mangles[i].value;
		const int result = nub_snapshot_encode_meta(&meta, &out, &err);
		if (mangles[i].says)
			assert_fails(result, &err, NUB_E_SNAPSHOT_FIELD, mangles[i].says);
		else
			assert_int_equal(result, 0);
		*mangles[i].field = kept;
	}
	free(meta.guest_path);
	meta.guest_path = calloc(1, NUB_SNAPSHOT_MAX_PATH + 2);
	assert_non_null(meta.guest_path);
	memset(meta.guest_path, 'x', NUB_SNAPSHOT_MAX_PATH + 1);
	assert_fails(nub_snapshot_encode_meta(&meta, &out, &err), &err, NUB_E_SNAPSHOT_FIELD, "guest.path_size");
	nub_buffer_release(&out);
	nub_snapshot_meta_release(&meta);
}

/* A file that was cut: in its header, its metadata, or anywhere for its size. No length is taken for a whole one. */
static void test_truncation(void **state)
{
	(void)state;
	struct nub_snapshot_header header;
	struct nub_snapshot_meta meta;
	struct sample_file file;
	struct nub_error err = { 0 };

	sample_encode(&file, SAMPLE_LAYER);
	for (size_t size = 0; size < NUB_SNAPSHOT_HEADER_SIZE; size++) {
		uint8_t *bytes = sample_copy(file.header, size ? size : 1); /* so that a sanitizer sees its end */
		assert_fails(nub_snapshot_decode_header(bytes, size, &header, &err), &err,
		             size == 0 ? NUB_E_SNAPSHOT_MAGIC : NUB_E_SNAPSHOT_TRUNCATED, "");
		free(bytes);
	}
	MUST(nub_snapshot_decode_header(file.header, sizeof(file.header), &header, &err));
	assert_int_equal(header.version, 1);
	MUST(nub_snapshot_check_file_size(&header, header.file_size, &err));
	MUST(nub_snapshot_check_file_size(&header, header.file_size + 1, &err));
	assert_fails(nub_snapshot_check_file_size(&header, header.file_size - 1, &err), &err, NUB_E_SNAPSHOT_TRUNCATED,
	             "its header says");
	/* Of the sections, the last one may be missing: its head, its own count and runs. */
	const size_t last = file.metadata.size - (16 + 8 + 3 * 16);
	for (size_t size = 0; size < file.metadata.size; size++) {
		uint8_t *bytes = sample_copy(file.metadata.bytes, size ? size : 1);
		struct nub_snapshot_header cut = header;
		assert_fails(nub_snapshot_decode_meta(&header, bytes, size, &meta, &err), &err,
		             NUB_E_SNAPSHOT_TRUNCATED, "the metadata ends at");
		/* The same cut, sealed again: by whoever forges it. */
		nub_snapshot_encode_header(bytes, size, header.metadata_offset, header.file_size, file.header);
		memcpy(cut.metadata_hash.bytes, file.header + 56, 16);
		cut.metadata_size = size;
		err = (struct nub_error){ 0 };
		assert_int_equal(nub_snapshot_decode_meta(&cut, bytes, size, &meta, &err), size == last ? 0 : -1);
		assert_true(size == last || err.kind == NUB_E_SNAPSHOT_TRUNCATED || err.kind == NUB_E_SNAPSHOT_FIELD);
		nub_snapshot_meta_release(&meta);
		free(bytes);
	}
	nub_buffer_release(&file.metadata);
}

/* R28: a bit anywhere breaks a seal. */
static void test_seals(void **state)
{
	(void)state;
	struct nub_snapshot_meta meta;
	struct sample_file file;
	struct nub_error err = { 0 };

	sample_encode(&file, SAMPLE_LAYER);
	for (size_t i = 16; i < NUB_SNAPSHOT_HEADER_SIZE; i++) {
		file.header[i] ^= 0x10;
		assert_fails(sample_decode(&file, &meta, &err), &err, NUB_E_SNAPSHOT_CORRUPT, "header");
		file.header[i] ^= 0x10;
	}
	for (size_t i = 0; i < file.metadata.size; i++) {
		file.metadata.bytes[i] ^= 0x10;
		assert_fails(sample_decode(&file, &meta, &err), &err, NUB_E_SNAPSHOT_CORRUPT, "metadata");
		file.metadata.bytes[i] ^= 0x10;
	}
	MUST(sample_decode(&file, &meta, &err));
	nub_snapshot_meta_release(&meta);
	nub_buffer_release(&file.metadata);
}

/* R28: over memory and each region's gva, size and flags; not over type, place or load info. */
static void test_snapshot_hash(void **state)
{
	(void)state;
	struct nub_snapshot_meta meta;

	sample_meta(&meta, SAMPLE_LAYER);
	const struct nub_hash hash = nub_snapshot_hash(&meta);
	const struct {
		void *field;
		bool counts;
	} bytes[] = {
		{ &meta.memory_hash, true },      { &meta.regions[0].gva, true },   { &meta.regions[1].size, true },
		{ &meta.regions[4].flags, true }, { &meta.regions[0].type, false }, { &meta.regions[0].gpa, false },
		{ &meta.generation, false },      { &meta.entry, false },           { &meta.depth, false },
	};
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		*(uint8_t *)bytes[i].field ^= 4;
		const struct nub_hash other = nub_snapshot_hash(&meta);
		*(uint8_t *)bytes[i].field ^= 4;
		if (nub_hash_equal(&hash, &other) == bytes[i].counts)
			fail_msg("field %zu %s", i, bytes[i].counts ? "does not count" : "counts");
	}
	nub_snapshot_meta_release(&meta);
}

/* R28: two are one only when all of their bytes are. */
static void test_hash_equality(void **state)
{
	const struct nub_hash hash = { .bytes = { 1, 2, 3 } };

	(void)state;
	for (size_t i = 0; i < sizeof(hash.bytes); i++) {
		struct nub_hash other = hash;
		assert_true(nub_hash_equal(&hash, &other));
		other.bytes[i] ^= 1;
		assert_false(nub_hash_equal(&hash, &other));
	}
}

static struct nub_hash hash_pages(const uint64_t *offsets, const uint8_t *const *pages, size_t count)
{
	struct nub_error err = { 0 };
	struct nub_memory_hasher *hasher = nub_memory_hasher_create(&err);

	assert_non_null(hasher);
	for (size_t i = 0; i < count; i++)
		nub_memory_hasher_page(hasher, offsets[i], pages[i]);
	const struct nub_hash hash = nub_memory_hasher_digest(hasher);
	nub_memory_hasher_free(hasher);
	return hash;
}

/* R28: pages of zeros don't count, places do. The value is fixed, since files hold it. */
static void test_memory_hash(void **state)
{
	(void)state;
	static uint8_t zero[NUB_PAGE_SIZE], full[NUB_PAGE_SIZE], last[NUB_PAGE_SIZE];
	static const uint8_t expected[16] = { 0xfa, 0x0a, 0x5e, 0x2b, 0xbe, 0x04, 0xfe, 0x07,
		                              0x84, 0x43, 0x19, 0x84, 0x80, 0x14, 0xf9, 0xf6 };

	memset(full, 0x5a, sizeof(full));
	last[NUB_PAGE_SIZE - 1] = 1;
	const uint8_t *const all[] = { full, zero, last }, *const stored[] = { full, last };
	const struct nub_hash a = hash_pages((const uint64_t[]){ 0x1000, 0x2000, 0x3000 }, all, 3);
	const struct nub_hash b = hash_pages((const uint64_t[]){ 0x1000, 0x3000 }, stored, 2);
	const struct nub_hash c = hash_pages((const uint64_t[]){ 0x1000, 0x2000 }, stored, 2);
	assert_true(nub_hash_equal(&a, &b));
	assert_false(nub_hash_equal(&a, &c));
	assert_memory_equal(a.bytes, expected, 16);
	assert_true(nub_page_is_zero(zero));
	assert_false(nub_page_is_zero(last));
	assert_false(nub_page_is_zero(full));
}

static int check_features(const struct nub_snapshot_meta *meta, const struct nub_cpuid *host, struct nub_error *err)
{
	return nub_cpu_check_features(&meta->cpu.cpuid, meta->cpu.xcr0, host, err);
}

/* A CPU that lacks a feature is refused by the feature's name. */
static void test_check_cpu(void **state)
{
	(void)state;
	struct nub_snapshot_meta meta;
	struct nub_error err = { 0 };
	struct nub_cpuid host;

	sample_meta(&meta, SAMPLE_LAYER);
	host = meta.cpu.cpuid;
	MUST(check_features(&meta, &host, &err));
	host.entries[2].ebx |= 1u << 8;
	MUST(check_features(&meta, &host, &err)); /* has more than it needs */
	host.entries[0].ebx = 0;
	MUST(check_features(&meta, &host, &err)); /* of another vendor */
	host.entries[2].ebx &= ~(1u << 5);
	assert_fails(check_features(&meta, &host, &err), &err, NUB_E_SNAPSHOT_CPU,
	             "this CPU has no AVX2 (CPUID leaf 0x7 EBX bit 5)");
	assert_string_not_equal(err.hint, "");
	host = meta.cpu.cpuid;
	meta.cpu.cpuid.entries[1].edx |= 1u << 18;
	assert_fails(check_features(&meta, &host, &err), &err, NUB_E_SNAPSHOT_CPU, "leaf 0x1 EDX bit 18");
	meta.cpu.cpuid = host;
	host.entries[3].eax = 3;
	assert_fails(check_features(&meta, &host, &err), &err, NUB_E_SNAPSHOT_CPU, "AVX state");
	meta.cpu.cpuid.entries[3].eax = 3;
	assert_fails(check_features(&meta, &host, &err), &err, NUB_E_SNAPSHOT_CPU, "AVX state"); /* xcr0 */
	meta.cpu.cpuid.entries[4].index = 9;
	assert_fails(check_features(&meta, &host, &err), &err, NUB_E_SNAPSHOT_CPU, "leaf 0xd, index 9");
	nub_snapshot_meta_release(&meta);
}

/* Every feature bit that guests are shown here has a name, and a snapshot taken here can be restored here. */
static void test_feature_names(void **state)
{
	(void)state;
	struct nub_snapshot_meta meta = { 0 };
	struct nub_error err = { 0 };
	struct nub_cpuid host;
	unsigned named = 0;

	nub_cpu_fill_native_cpuid(&host);
	for (uint32_t i = 0; i < host.count; i++) {
		const struct nub_cpuid_leaf *leaf = &host.entries[i];
		const uint32_t values[NUB_CPUID_REGISTERS] = { leaf->eax, leaf->ebx, leaf->ecx, leaf->edx };
		for (enum nub_cpuid_register reg = 0; reg < NUB_CPUID_REGISTERS; reg++)
			for (unsigned bit = 0; bit < 32; bit++) {
				if (!(values[reg] >> bit & 1) ||
				    !nub_cpu_has_features(leaf->function, leaf->index, reg))
					continue;
				named++;
				if (!nub_cpu_feature_name(leaf->function, leaf->index, reg, bit))
					fail_msg("leaf 0x%x register %d bit %u has no name", leaf->function, (int)reg,
					         bit);
			}
	}
	assert_true(named > 20);
	assert_null(nub_cpu_feature_name(1, 0, NUB_CPUID_ECX, 2));
	assert_false(nub_cpu_has_features(0xd, 2, NUB_CPUID_EAX));
	assert_false(nub_cpu_has_features(0, 0, NUB_CPUID_EBX));
	meta.cpu.cpuid = host;
	meta.cpu.xcr0 = NUB_XCR0;
	MUST(check_features(&meta, &host, &err));
}

/* A later version that says that this one can read it: sections that are not critical are skipped. */
static void test_newer_version(void **state)
{
	(void)state;
	static const uint8_t section[] = { 200, 0, 0, 0, 0,   0,   0,   0, 3, 0, 0, 0,
		                           0,   0, 0, 0, 'n', 'e', 'w', 0, 0, 0, 0, 0 };
	struct nub_snapshot_meta meta, plain;
	struct sample_file file;
	struct nub_error err = { 0 };

	sample_encode(&file, SAMPLE_LAYER);
	MUST(nub_buffer_append(&file.metadata, section, sizeof(section), &err));
	sample_seal(&file);
	MUST(sample_decode(&file, &meta, &err));
	sample_meta(&plain, SAMPLE_LAYER);
	assert_same(&plain, &meta);
	nub_snapshot_meta_release(&plain);
	nub_snapshot_meta_release(&meta);
	nub_buffer_release(&file.metadata);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_unkept),
		cmocka_unit_test(test_restore_sregs), cmocka_unit_test(test_encode_refuses),
		cmocka_unit_test(test_truncation),    cmocka_unit_test(test_seals),
		cmocka_unit_test(test_snapshot_hash), cmocka_unit_test(test_memory_hash),
		cmocka_unit_test(test_check_cpu),     cmocka_unit_test(test_feature_names),
		cmocka_unit_test(test_newer_version), cmocka_unit_test(test_hash_equality),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
