/* Guests for tests with real KVM: found beside the test's own program, loaded, run, what they print kept.
 *
 * The sample guests are in $GUESTS, or in ../guests seen from the program; the misbehaving ones in ../test/guests seen
 * from there. Without /dev/kvm, unless NUBRUN_ENGINE is `process`, every test is skipped, or fails where KVM must be there (NUBRUN_REQUIRE_KVM=1).
 */
#ifndef KVM_GUEST_H
#define KVM_GUEST_H

#include "unit.h"

#include <limits.h>
#include <unistd.h>

#include "nub.h"

#define MS UINT64_C(1000000)

struct guest {
	uint8_t *bytes;
	struct nub_image *image;
	struct nub_config config;
	struct nub_sandbox *sandbox;
	struct nub_outcome outcome;
	struct nub_error err;
	/* What it printed, cut to fit. */
	char text[4096];
	size_t text_size;
};

static inline int keep_output(void *context, enum nub_stream stream, const void *bytes, size_t size,
                              struct nub_error *err)
{
	struct guest *guest = context;
	const size_t room = sizeof(guest->text) - 1 - guest->text_size;
	const size_t part = size < room ? size : room;

	(void)stream;
	(void)err;
	memcpy(guest->text + guest->text_size, bytes, part);
	guest->text_size += part;
	return 0;
}

static inline void guest_path(const char *name, char path[PATH_MAX])
{
	const char *folder = getenv("GUESTS");
	char self[PATH_MAX / 2] = "";

	if (!folder || !*folder) {
		/* BUILD/test/test_NAME; the folder is BUILD/guests. */
		const ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 16);
		assert_true(size > 0);
		self[size] = '\0';
		for (int i = 0; i < 2; i++)
			*strrchr(self, '/') = '\0';
		strcat(self, "/guests");
		folder = self;
	}
	snprintf(path, PATH_MAX, "%s/%s", folder, name);
	if (access(path, R_OK) < 0)
		snprintf(path, PATH_MAX, "%s/../test/guests/%s", folder, name);
}

/* As the command takes it from the environment. */
static inline enum nub_engine_kind engine_of_tests(void)
{
	const char *engine = getenv("NUBRUN_ENGINE");

	return engine && strcmp(engine, "process") == 0 ? NUB_ENGINE_PROCESS : NUB_ENGINE_KVM;
}

/* A test of what the process engine has not. */
static inline void only_kvm(void)
{
	if (engine_of_tests() != NUB_ENGINE_KVM)
		skip();
}

/* Read and parse a guest, with the default configuration. */
static inline void guest_load(struct guest *guest, const char *name)
{
	char path[PATH_MAX];
	FILE *file;
	long size;

	memset(guest, 0, sizeof(*guest));
	guest_path(name, path);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("no guest %s", path);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size > 0);
	rewind(file);
	guest->bytes = malloc((size_t)size);
	assert_non_null(guest->bytes);
	assert_int_equal(fread(guest->bytes, 1, (size_t)size, file), size);
	fclose(file);
	guest->image = nub_image_parse(guest->bytes, (size_t)size, name, &guest->err);
	assert_non_null(guest->image);
	guest->config = nub_config_default();
	guest->config.engine = engine_of_tests();
	guest->config.ops.context = guest;
	guest->config.ops.output = keep_output;
}

/* A sandbox with the configuration as it is now. */
static inline void guest_create(struct guest *guest)
{
	guest->sandbox = nub_sandbox_create(&guest->config, guest->image, &guest->err);
	if (!guest->sandbox)
		fail_msg("no sandbox: %s", guest->err.message);
}

static inline void guest_open(struct guest *guest, const char *name)
{
	guest_load(guest, name);
	guest_create(guest);
}

static inline void guest_close(struct guest *guest)
{
	nub_sandbox_free(guest->sandbox);
	nub_image_free(guest->image);
	free(guest->bytes);
}

/* Run main, with one argument unless it is NULL, to an outcome of this kind. */
static inline void guest_main(struct guest *guest, const char *argument, enum nub_outcome_kind expected)
{
	const char *const argv[] = { "guest", argument, NULL };

	if (nub_sandbox_run_main(guest->sandbox, argument ? 2 : 1, argv, &guest->outcome, &guest->err) < 0)
		fail_msg("main(%s): %s", argument ? argument : "", guest->err.message);
	assert_int_equal(guest->outcome.kind, expected);
}

static inline void guest_call(struct guest *guest, const char *function, const struct nub_value *args, unsigned count,
                              enum nub_outcome_kind expected)
{
	if (nub_sandbox_call(guest->sandbox, function, args, count, &guest->outcome, &guest->err) < 0)
		fail_msg("%s: %s", function, guest->err.message);
	assert_int_equal(guest->outcome.kind, expected);
}

static inline struct nub_value string_value(const char *text)
{
	return (struct nub_value){ .type = NUB_TYPE_STRING,
		                   .bytes = { (const uint8_t *)text, (uint32_t)strlen(text) } };
}

static inline struct nub_value i64_value(int64_t value)
{
	return (struct nub_value){ .type = NUB_TYPE_I64, .i64 = value };
}

/* The program refuses this call with an error of this kind, and nothing runs. */
static inline void guest_refuses(struct guest *guest, const char *function, const struct nub_value *args,
                                 unsigned count, enum nub_error_kind kind)
{
	const uint64_t before = nub_sandbox_exit_counts(guest->sandbox)->total;
	struct nub_error err = { 0 };

	assert_int_equal(nub_sandbox_call(guest->sandbox, function, args, count, &guest->outcome, &err), -1);
	assert_string_equal(nub_error_name(err.kind), nub_error_name(kind));
	assert_int_equal(nub_sandbox_exit_counts(guest->sandbox)->total, before);
}

static inline void skip_for_want_of_kvm(void **state)
{
	(void)state;
	skip();
}

/* Every test's name begins with "kvm": who counts skipped tests then knows why they were. */
#define KVM_TEST(function)                                                                                             \
	{                                                                                                              \
		"kvm: " #function, function, NULL, NULL, NULL                                                          \
	}

#define run_kvm_tests(name, tests)                                                                                     \
	(find_kvm(tests, sizeof(tests) / sizeof(tests[0])) ? cmocka_run_group_tests_name(name, tests, NULL, NULL) : 1)

static inline bool find_kvm(struct CMUnitTest *tests, size_t count)
{
	const char *required = getenv("NUBRUN_REQUIRE_KVM"), *engine = getenv("NUBRUN_ENGINE");

	if ((engine && strcmp(engine, "process") == 0) || access("/dev/kvm", R_OK | W_OK) == 0)
		return true;
	fprintf(stderr, "no access to /dev/kvm: %zu tests are not run\n", count);
	if (required && strcmp(required, "1") == 0)
		return false;
	for (size_t i = 0; i < count; i++)
		tests[i].test_func = skip_for_want_of_kvm;
	return true;
}

#endif
