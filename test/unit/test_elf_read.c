/* R16: a file read in parts gives the same guest as all of its bytes, without its symbols and debug information. No KVM. */
#include "kvm_guest.h"

#include <elf.h>

#include "base/error.h"
#include "base/util.h"
#include "elf/elf_image.h"

static const char *const names[] = { "hello.elf", "calc.elf", "calc.pie.elf", "callback.elf", "trace.pie.elf" };

/* A file in memory, and what was read of it. */
struct file {
	struct guest guest; /* of all its bytes */
	size_t size, bytes_read;
	unsigned reads;
	unsigned fail_at; /* which read is to fail; 0: none */
	uint8_t *seen;    /* a byte for each of the file's */
};

static void open_file(struct file *file, const char *name)
{
	char path[PATH_MAX];
	FILE *stream;

	memset(file, 0, sizeof(*file));
	guest_load(&file->guest, name);
	guest_path(name, path);
	stream = fopen(path, "rb");
	assert_non_null(stream);
	assert_int_equal(fseek(stream, 0, SEEK_END), 0);
	file->size = (size_t)ftell(stream);
	fclose(stream);
	file->seen = calloc(file->size, 1);
	assert_non_null(file->seen);
}

static void close_file(struct file *file)
{
	free(file->seen);
	guest_close(&file->guest);
}

static int read_at(void *context, uint64_t offset, void *bytes, size_t size, struct nub_error *err)
{
	struct file *file = context;

	assert_true(size > 0);
	assert_true(nub_range_in(offset, size, file->size));
	if (++file->reads == file->fail_at)
		return nub_fail(err, NUB_E_IO, 5, "the disk is gone");
	for (size_t i = 0; i < size; i++) {
		assert_int_equal(file->seen[offset + i], 0);
		file->seen[offset + i] = 1;
	}
	file->bytes_read += size;
	memcpy(bytes, file->guest.bytes + offset, size);
	return 0;
}

static void expect_same(const struct nub_image *whole, const struct nub_image *parts)
{
	const struct nub_image_info *a = nub_image_info(whole), *b = nub_image_info(parts);
	struct nub_error err = { 0 };

	assert_int_equal(a->entry, b->entry);
	assert_int_equal(a->image_base, b->image_base);
	assert_int_equal(a->image_size, b->image_size);
	assert_int_equal(a->segment_count, b->segment_count);
	assert_memory_equal(a->segments, b->segments, a->segment_count * sizeof(*a->segments));
	assert_int_equal(a->function_count, b->function_count);
	for (size_t i = 0; i < a->function_count; i++)
		assert_string_equal(a->functions[i].name, b->functions[i].name);
	assert_int_equal(a->build_id_size, b->build_id_size);
	assert_memory_equal(a->build_id, b->build_id, a->build_id_size);
	uint8_t *memory = calloc(2, a->image_size);
	assert_non_null(memory);
	assert_int_equal(nub_image_load(whole, memory, a->image_size, &err), 0);
	assert_int_equal(nub_image_load(parts, memory + a->image_size, a->image_size, &err), 0);
	assert_memory_equal(memory, memory + a->image_size, a->image_size);
	free(memory);
}

static void parts_are_enough(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct nub_error err = { 0 };
		struct file file;
		uint64_t offset;

		open_file(&file, names[i]);
		struct nub_image *parts = nub_image_read(read_at, &file, file.size, names[i], &err);
		assert_non_null(parts);
		expect_same(file.guest.image, parts);
		uint64_t gva = nub_image_info(parts)->entry;
		while (!nub_image_symbol(file.guest.image, gva, &offset))
			gva++;
		assert_false(nub_image_is_partial(file.guest.image));
		/* A guest is a few dozen KiB, its debug information more. */
		assert_true(nub_image_is_partial(parts));
		assert_true(file.bytes_read < file.size / 2);
		assert_null(nub_image_symbol(parts, gva, &offset));
		nub_image_free(parts);
		close_file(&file);
	}
}

/* Whichever read fails, its error is the result. */
static void failing_reads(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (unsigned at = 1;; at++) {
		struct nub_error err = { 0 };
		struct file file;

		open_file(&file, "calc.pie.elf");
		file.fail_at = at;
		struct nub_image *image = nub_image_read(read_at, &file, file.size, "calc.pie.elf", &err);
		close_file(&file);
		if (image) {
			nub_image_free(image);
			break;
		}
		failed++;
		assert_int_equal(err.kind, NUB_E_IO);
		assert_int_equal(err.sys_errno, 5);
		assert_string_equal(err.message, "the disk is gone");
	}
	assert_in_range(failed, 2, 20);
}

/* What is no ELF file, or has tables that lie elsewhere, is read whole: the errors are those of all its bytes. */
static void broken_files_are_read_whole(void **state)
{
	static const struct {
		size_t offset, size;
		uint64_t value;
	} changes[] = {
		{ 0, 1, 0 },
		{ EI_CLASS, 1, ELFCLASS32 },
		{ EI_DATA, 1, ELFDATA2MSB },
		{ offsetof(Elf64_Ehdr, e_phoff), 8, UINT64_MAX - 8 },
		{ offsetof(Elf64_Ehdr, e_shoff), 8, UINT64_MAX - 8 },
		{ offsetof(Elf64_Ehdr, e_phnum), 2, 0xffff },
		{ offsetof(Elf64_Ehdr, e_shnum), 2, 0xffff },
		{ offsetof(Elf64_Ehdr, e_shnum), 2, 0 },
		{ offsetof(Elf64_Ehdr, e_shentsize), 2, 63 },
		{ offsetof(Elf64_Ehdr, e_shstrndx), 2, 0xff00 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct nub_error err = { 0 }, expected = { 0 };
		struct file file;

		open_file(&file, "hello.elf");
		memcpy(file.guest.bytes + changes[i].offset, &changes[i].value, changes[i].size);
		struct nub_image *whole = nub_image_parse(file.guest.bytes, file.size, "broken", &expected);
		struct nub_image *parts = nub_image_read(read_at, &file, file.size, "broken", &err);
		assert_int_equal(!whole, !parts);
		assert_string_equal(err.message, expected.message);
		assert_int_equal(file.bytes_read, file.size);
		nub_image_free(whole);
		nub_image_free(parts);
		close_file(&file);
	}
}

static void small_files_are_read_whole(void **state)
{
	struct nub_error err = { 0 };
	struct file file;

	(void)state;
	open_file(&file, "hello.elf");
	file.size = 5000;
	assert_null(nub_image_read(read_at, &file, file.size, "cut", &err));
	assert_int_equal(err.kind, NUB_E_ELF_TRUNCATED);
	assert_int_equal(file.bytes_read, 5000);
	memset(&err, 0, sizeof(err));
	assert_null(nub_image_read(read_at, &file, 0, "empty", &err));
	assert_int_equal(err.kind, NUB_E_ELF_MAGIC);
	close_file(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_enough),
		cmocka_unit_test(failing_reads),
		cmocka_unit_test(broken_files_are_read_whole),
		cmocka_unit_test(small_files_are_read_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
