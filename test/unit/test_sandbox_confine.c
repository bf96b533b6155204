/* Guests that run under the confinement, and what the library still has to do there: new virtual machines and new processes after a
 * crash, copies of memory, cores. Each in a child, which it holds for good. */
#include "snapshot_guest.h"

#include <sys/wait.h>

static const struct nub_value null_name = { .type = NUB_TYPE_STRING,
	                                    .bytes = { .data = (const uint8_t *)"null", .size = 4 } };

static void expect_crash(struct guest *guest)
{
	guest->text_size = 0;
	guest_call(guest, "crash_call", &null_name, 1, NUB_OUTCOME_CRASHED);
	assert_int_equal(guest->outcome.crash.kind, NUB_CRASH_EXCEPTION);
	assert_non_null(strstr(guest->text, "crash: null"));
}

/* After a crash, a reset begins with a new machine, or a new box. */
static void crash_and_reset(enum nub_engine_kind engine, enum nub_cow cow)
{
	const struct nub_confine_config config = { .engine = engine, .resets = true, .looks_back = true };
	struct guest first, guest;
	unsigned held;

	guest_load(&first, "crash.elf");
	first.config.engine = engine;
	first.config.cow = cow;
	guest_create(&first);
	struct nub_snapshot *snapshot = guest_snapshot(&first);
	guest_close(&first);
	guest_begin(&guest);
	guest.config.engine = engine;
	guest_thaw(&guest, snapshot);
	if (nub_confine(&config, &held, &guest.err) < 0)
		fail_msg("confine: %s", guest.err.message);
	for (unsigned i = 0; i < 3; i++) {
		expect_crash(&guest);
		guest_reset(&guest, snapshot);
	}
	guest_close(&guest);
	nub_snapshot_free(snapshot);
}

static void in_child(enum nub_engine_kind engine, enum nub_cow cow)
{
	int status;
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		crash_and_reset(engine, cow);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void new_machines(void **state)
{
	(void)state;
	in_child(NUB_ENGINE_KVM, NUB_COW_HOST);
	in_child(NUB_ENGINE_KVM, NUB_COW_GUEST);
}

static void new_processes(void **state)
{
	(void)state;
	in_child(NUB_ENGINE_PROCESS, NUB_COW_HOST);
	in_child(NUB_ENGINE_PROCESS, NUB_COW_GUEST);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		cmocka_unit_test(new_machines),
		cmocka_unit_test(new_processes),
	};

	/* The process engine needs no KVM. */
	if (!find_kvm(tests, 1))
		return 1;
	return cmocka_run_group_tests_name("sandboxes under confinement", tests, NULL, NULL);
}
