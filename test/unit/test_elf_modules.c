/* Images of several files: which one has an address, and what its symbol is there. The files are this test's own. */
#include "unit.h"

#include <stdlib.h>

#include "nub/image.h"

extern const char __executable_start[];

#define FIRST UINT64_C(0x10000000)
#define SECOND UINT64_C(0x7f0000000000)

static uint8_t *read_own(size_t *size)
{
	FILE *file = fopen("/proc/self/exe", "rb");
	uint8_t *bytes;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	*size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*size);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

/* Not inlined, nor renamed: its name is looked for. */
int a_function_of_this_test(int number);
__attribute__((noinline, used)) int a_function_of_this_test(int number)
{
	return number + 1;
}

static uint64_t place_of_the_function(void)
{
	return (uint64_t)((uintptr_t)a_function_of_this_test - (uintptr_t)__executable_start);
}

static void each_module_names_what_is_in_it(void **state)
{
	struct nub_error err = { 0 };
	struct nub_image *image = nub_image_of_modules("both", &err);
	const uint64_t place = place_of_the_function();
	uint64_t offset = 0;
	size_t size;

	(void)state;
	assert_non_null(image);
	assert_null(nub_image_symbol(image, FIRST + place, &offset));
	uint8_t *bytes = read_own(&size);
	assert_int_equal(nub_image_add_module(image, bytes, size, "first", FIRST, &err), 0);
	bytes = read_own(&size);
	assert_int_equal(nub_image_add_module(image, bytes, size, "second", SECOND, &err), 0);
	assert_string_equal(nub_image_symbol(image, FIRST + place, &offset), "a_function_of_this_test");
	assert_int_equal(offset, 0);
	assert_string_equal(nub_image_symbol(image, SECOND + place + 1, &offset), "a_function_of_this_test");
	assert_int_equal(offset, 1);
	assert_null(nub_image_symbol(image, place, &offset));
	assert_null(nub_image_symbol(image, FIRST - 1, &offset));
	nub_image_free(image);
}

/* What is no ELF file is refused, and taken all the same. */
static void what_is_no_module_is_refused(void **state)
{
	struct nub_error err = { 0 };
	struct nub_image *image = nub_image_of_modules("none", &err);
	uint8_t *bytes = calloc(1, 64);
	size_t size;

	(void)state;
	assert_int_equal(nub_image_add_module(image, bytes, 64, "zeros", 0, &err), -1);
	assert_int_equal(err.kind, NUB_E_ELF_MAGIC);
	for (size_t cut = 0; cut < 4096; cut += 173) {
		bytes = read_own(&size);
		if (nub_image_add_module(image, bytes, cut, "cut", FIRST, &err) == 0)
			assert_true(cut >= 64);
	}
	nub_image_symbol(image, FIRST + place_of_the_function(), &(uint64_t){ 0 });
	nub_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_module_names_what_is_in_it),
		cmocka_unit_test(what_is_no_module_is_refused),
	};

	return a_function_of_this_test(-1) + cmocka_run_group_tests_name("modules", tests, NULL, NULL);
}
