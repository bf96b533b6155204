/* A Linux program in a sandbox, as a user of the library has it: run, stopped, saved, restored, put back, refused what it has not. */
#include "kvm_guest.h"

#include <sys/mman.h>

#include "personality/linux/guest.h"
#include "sandbox/sandbox.h"

enum { FROZEN_CODE = 7 };

struct program {
	struct guest guest;
	int file; /* a snapshot without a name */
	struct nub_snapshot *snapshot;
};

/* The program prints this once, when all it has is set up. */
static int stop_at_ready(void *context, enum nub_stream stream, const void *bytes, size_t size, struct nub_error *err)
{
	struct guest *guest = context;
	const size_t before = guest->text_size;

	keep_output(context, stream, bytes, size, err);
	if (strstr(guest->text + before, "ready"))
		nub_sandbox_freeze(guest->sandbox);
	return 0;
}

static void program_load(struct guest *guest, const char *name)
{
	static const char *argv[] = { "program", NULL }, *const envp[] = { NULL };
	static char path[PATH_MAX];

	memset(guest, 0, sizeof(*guest));
	guest_path(name, path);
	const int fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && nub_image_is_program(fd));
	guest->image = nub_image_open_program(fd, path, &guest->err);
	assert_non_null(guest->image);
	close(fd);
	guest->config = nub_config_default();
	guest->config.engine = engine_of_tests();
	guest->config.ops = (struct nub_host_ops){ .context = guest, .output = stop_at_ready };
	guest->config.program.argv = argv;
	guest->config.program.envp = envp;
	guest->config.program.path = path;
	guest->config.program.memory_size = UINT64_C(64) << 20;
}

/* One that stands at its "ready". */
static void program_stop(struct guest *guest)
{
	program_load(guest, "../test/linux/frozen");
	guest_create(guest);
	if (nub_sandbox_run_main(guest->sandbox, 0, NULL, &guest->outcome, &guest->err) < 0)
		fail_msg("%s", guest->err.message);
	assert_int_equal(guest->outcome.kind, NUB_OUTCOME_CHECKPOINT);
}

static void resume(struct guest *guest, struct nub_sandbox *sandbox)
{
	guest->text_size = 0;
	memset(guest->text, 0, sizeof(guest->text));
	if (nub_sandbox_resume(sandbox, &guest->outcome, &guest->err) < 0)
		fail_msg("%s", guest->err.message);
	assert_int_equal(guest->outcome.kind, NUB_OUTCOME_EXITED);
	assert_int_equal(guest->outcome.exit_code, FROZEN_CODE);
	assert_non_null(strstr(guest->text, "6 answers"));
}

static void program_save(struct program *program)
{
	const struct nub_snapshot_options options = { 0 };

	program_stop(&program->guest);
	program->file = memfd_create("program.snap", MFD_CLOEXEC);
	assert_true(program->file >= 0);
	if (nub_snapshot_write(program->guest.sandbox, &options, program->file, &program->guest.err) < 0)
		fail_msg("%s", program->guest.err.message);
	program->snapshot = nub_snapshot_open(program->file, "program.snap", NULL, &program->guest.err);
	if (!program->snapshot)
		fail_msg("%s", program->guest.err.message);
}

static void program_close(struct program *program)
{
	guest_close(&program->guest);
	nub_snapshot_free(program->snapshot);
	close(program->file);
}

static void a_program_stops_where_it_is_told_and_goes_on(void **state)
{
	struct guest guest;

	(void)state;
	program_stop(&guest);
	resume(&guest, guest.sandbox);
	assert_int_equal(nub_sandbox_resume(guest.sandbox, &guest.outcome, &guest.err), -1);
	assert_int_equal(guest.err.kind, NUB_E_STATE);
	guest_close(&guest);
}

static void what_it_has_not_is_refused_and_it_runs_all_the_same(void **state)
{
	const char *const argv[] = { "another" };
	struct guest guest;

	(void)state;
	program_load(&guest, "../test/linux/frozen");
	guest.config.cow = NUB_COW_GUEST;
	assert_null(nub_sandbox_create(&guest.config, guest.image, &guest.err));
	assert_int_equal(guest.err.kind, NUB_E_USAGE);
	guest.config.cow = NUB_COW_HOST;
	guest_create(&guest);
	guest_refuses(&guest, "add", NULL, 0, NUB_E_USAGE);
	assert_int_equal(nub_sandbox_initialise(guest.sandbox, &guest.outcome, &guest.err), -1);
	assert_int_equal(guest.err.kind, NUB_E_USAGE);
	assert_int_equal(nub_sandbox_run_main(guest.sandbox, 1, argv, &guest.outcome, &guest.err), -1);
	assert_int_equal(guest.err.kind, NUB_E_USAGE);
	assert_int_equal(nub_sandbox_run_main(guest.sandbox, 0, NULL, &guest.outcome, &guest.err), 0);
	assert_int_equal(guest.outcome.kind, NUB_OUTCOME_CHECKPOINT);
	guest_close(&guest);
}

/* One that was never run is saved like any other. */
static void a_program_is_saved_before_it_runs(void **state)
{
	const struct nub_snapshot_options options = { 0 };
	struct program program;
	struct guest *guest = &program.guest;

	(void)state;
	program_load(guest, "../test/linux/frozen");
	guest_create(guest);
	program.file = memfd_create("program.snap", MFD_CLOEXEC);
	assert_int_equal(nub_snapshot_write(guest->sandbox, &options, program.file, &guest->err), 0);
	program.snapshot = nub_snapshot_open(program.file, "program.snap", NULL, &guest->err);
	assert_non_null(program.snapshot);
	assert_string_equal(nub_snapshot_info(program.snapshot)->next, "initialise");
	nub_sandbox_free(guest->sandbox);
	guest->sandbox = nub_sandbox_restore(&guest->config, program.snapshot, &guest->err);
	assert_non_null(guest->sandbox);
	assert_int_equal(nub_sandbox_run_main(guest->sandbox, 0, NULL, &guest->outcome, &guest->err), 0);
	assert_int_equal(guest->outcome.kind, NUB_OUTCOME_CHECKPOINT);
	resume(guest, guest->sandbox);
	program_close(&program);
}

/* R29, R30: it goes on from its snapshot as often as one likes, in the sandbox that was saved, too. */
static void a_program_is_put_back_to_its_snapshot(void **state)
{
	struct program program;
	struct guest *guest = &program.guest;

	(void)state;
	program_save(&program);
	resume(guest, guest->sandbox);
	nub_sandbox_free(guest->sandbox);
	guest->sandbox = nub_sandbox_restore(&guest->config, program.snapshot, &guest->err);
	if (!guest->sandbox)
		fail_msg("%s", guest->err.message);
	for (int i = 0; i < 3; i++) {
		resume(guest, guest->sandbox);
		if (nub_sandbox_reset(guest->sandbox, program.snapshot, &guest->err) < 0)
			fail_msg("%s", guest->err.message);
	}
	/* A run that did not end is forgotten with the rest. */
	guest->config.timeout_ns = 1;
	nub_sandbox_stop(guest->sandbox);
	assert_int_equal(nub_sandbox_resume(guest->sandbox, &guest->outcome, &guest->err), 0);
	assert_int_equal(guest->outcome.kind, NUB_OUTCOME_INTERRUPTED);
	assert_int_equal(nub_sandbox_reset(guest->sandbox, program.snapshot, &guest->err), 0);
	resume(guest, guest->sandbox);
	program_close(&program);
}

/* What a sandbox's guest talks to does not change. */
static void a_sandbox_does_not_change_its_abi(void **state)
{
	struct program program;
	struct guest other;

	(void)state;
	program_save(&program);
	guest_open(&other, "hello.elf");
	assert_int_equal(nub_sandbox_reset(other.sandbox, program.snapshot, &other.err), -1);
	assert_int_equal(other.err.kind, NUB_E_STATE);
	/* It is as it was. */
	guest_main(&other, NULL, NUB_OUTCOME_EXITED);
	guest_close(&other);
	program_close(&program);
}

/* More memory than it had is its own. */
static void a_copy_may_have_more_memory(void **state)
{
	struct program program;
	struct guest *guest = &program.guest;
	struct nub_memory_info before, after;

	(void)state;
	program_save(&program);
	guest->config.program.memory_size = UINT64_C(256) << 20;
	struct nub_sandbox *larger = nub_sandbox_restore(&guest->config, program.snapshot, &guest->err);
	assert_non_null(larger);
	nub_sandbox_memory_info(guest->sandbox, &before);
	nub_sandbox_memory_info(larger, &after);
	assert_true(after.snapshot_size > 3 * before.snapshot_size);
	resume(guest, larger);
	nub_sandbox_free(larger);
	program_close(&program);
}

static uint64_t shown_size(struct guest *guest)
{
	const struct nub_linux_guest *program = nub_linux_guest_of(guest->sandbox->personality);
	const int fd = open(guest->config.program.path, O_RDONLY);
	uint8_t in_memory[NUB_PAGE_SIZE], in_file[NUB_PAGE_SIZE];
	uint64_t size = 0;

	assert_true(fd >= 0);
	for (size_t i = 0; i < program->shown_count; i++) {
		const struct nub_linux_shown *shown = &program->shown[i];
		for (uint64_t at = 0; at < shown->size; at += NUB_PAGE_SIZE) {
			memset(in_file, 0, sizeof(in_file));
			assert_true(pread(fd, in_file, sizeof(in_file), (off_t)(shown->offset + at)) > 0);
			if (nub_memory_copy(&guest->sandbox->machine.memory, shown->gpa + at, in_memory,
			                    sizeof(in_memory), &guest->err) < 0)
				fail_msg("%s", guest->err.message);
			assert_memory_equal(in_memory, in_file, sizeof(in_file));
		}
		size += shown->size;
	}
	close(fd);
	return size;
}

/* What it only reads of its file is there from the start, as far as there is memory, and it runs with and without. */
static void its_own_file_is_there(void **state)
{
	static const uint64_t memory[] = { UINT64_C(64) << 20, UINT64_C(2) << 20 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct guest guest;

		program_load(&guest, "../test/linux/frozen");
		guest.config.program.memory_size = memory[i];
		guest_create(&guest);
		const uint64_t size = shown_size(&guest);
		assert_true(size <= memory[i] / 8);
		assert_true(i > 0 || size > memory[1] / 8);
		assert_int_equal(nub_sandbox_run_main(guest.sandbox, 0, NULL, &guest.outcome, &guest.err), 0);
		assert_int_equal(guest.outcome.kind, NUB_OUTCOME_CHECKPOINT);
		resume(&guest, guest.sandbox);
		guest_close(&guest);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(a_program_stops_where_it_is_told_and_goes_on),
		KVM_TEST(what_it_has_not_is_refused_and_it_runs_all_the_same),
		KVM_TEST(a_program_is_saved_before_it_runs),
		KVM_TEST(a_program_is_put_back_to_its_snapshot),
		KVM_TEST(a_sandbox_does_not_change_its_abi),
		KVM_TEST(a_copy_may_have_more_memory),
		KVM_TEST(its_own_file_is_there),
	};

	return run_kvm_tests("programs in sandboxes", tests);
}
