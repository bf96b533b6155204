/* Samples of ELF files with broken fields, and the one error that each must give. */
#ifndef ELF_MANGLE_H
#define ELF_MANGLE_H

#include "elf/elf_image.h"
#include "elf_sample.h"
#include "unit.h"

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

static inline void check_error(const struct nub_error *err, enum nub_error_kind kind, const char *says,
                               const char *hints)
{
	if (err->kind != kind || !strstr(err->message, says) || !strstr(err->hint, hints) ||
	    strncmp(err->message, "x.elf: ", 7) != 0)
		fail_msg("got %s '%s' (hint '%s'), expected %s '%s' (hint '%s')", nub_error_name(err->kind),
		         err->message, err->hint, nub_error_name(kind), says, hints);
}

/* Parse, then load: relocations are looked at only then. The bytes are an exact copy, so that a checker sees overruns. */
static inline void refuse(const void *bytes, size_t size, struct nub_error *err)
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

static inline void test_mangle(void **state)
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

/* A test for each. */
static inline void mangle_tests(struct CMUnitTest *tests, const struct mangle *mangles, size_t count)
{
	for (size_t i = 0; i < count; i++)
		tests[i] =
		    (struct CMUnitTest){ mangles[i].title, test_mangle, NULL, NULL, (void *)(uintptr_t)&mangles[i] };
}

#endif
