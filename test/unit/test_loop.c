/* The loop between the two doors: what becomes of each exit of an engine, and of each verdict. Engine and personality are
 * made up here, so it needs no KVM.
 */
#include "unit.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "sandbox/sandbox.h"

/* What the engine comes back with, one after the other; the last one stays. */
struct turn {
	struct nub_exit exit;
	enum nub_error_kind error; /* of an exit that FAILED */
};

struct world {
	struct nub_engine engine; /* first */
	struct nub_personality personality;
	struct nub_sandbox sandbox;
	struct nub_image_info guest;
	const struct turn *turns;
	unsigned turn_count, taken;
	enum nub_verdict verdict; /* of the personality, for port 7 */
	unsigned served, discarded, interrupted, left;
	unsigned idles;        /* so many times, nothing of the guest can run */
	uint64_t idle_ns;      /* that long; 0: without end */
	enum nub_verdict next; /* of the personality, when it is not idle */
	struct nub_outcome outcome;
	struct nub_error err;
};

static struct world *world_of(struct nub_engine *engine)
{
	return (struct world *)engine;
}

static int fake_run(struct nub_engine *engine, struct nub_exit *exit, struct nub_error *err)
{
	struct world *world = world_of(engine);
	const struct turn *turn = &world->turns[world->taken];

	if (world->taken + 1 < world->turn_count)
		world->taken++;
	*exit = turn->exit;
	return exit->kind == NUB_EXIT_FAILED ? nub_fail(err, turn->error, 0, "made up") : 0;
}

static int fake_sregs(struct nub_engine *engine, struct nub_sregs *sregs, struct nub_error *err)
{
	(void)engine;
	(void)err;
	*sregs = (struct nub_sregs){ 0 };
	return 0;
}

static void fake_kick(struct nub_engine *engine)
{
	(void)engine;
}

static int fake_unblock(struct nub_engine *engine, int signal, struct nub_error *err)
{
	(void)engine;
	(void)signal;
	(void)err;
	return 0;
}

static const struct nub_engine_ops engine_ops = {
	.run = fake_run,
	.sregs = fake_sregs,
	.kick = fake_kick,
	.unkick = fake_kick,
	.unblock_signal = fake_unblock,
};

static struct world *world_with(struct nub_personality *personality)
{
	return (struct world *)((char *)personality - offsetof(struct world, personality));
}

static enum nub_verdict fake_enter(struct nub_personality *personality, const struct nub_request *request,
                                   struct nub_error *err)
{
	(void)personality;
	(void)err;
	assert_true(request->fresh);
	return NUB_VERDICT_GO_ON;
}

static const char *fake_name(const struct nub_personality *personality, const struct nub_exit *exit)
{
	(void)personality;
	return exit->kind == NUB_EXIT_PORT && exit->port.number == 7 ? "seven" : NULL;
}

/* Port 7 is served, and counted, by whoever knows it. */
static enum nub_verdict fake_serve(struct nub_personality *personality, const struct nub_exit *exit,
                                   struct nub_error *err)
{
	struct world *world = world_with(personality);

	if (!fake_name(personality, exit))
		return NUB_VERDICT_PASS;
	world->served++;
	if (world->verdict == NUB_VERDICT_STOP)
		world->sandbox.machine.outcome->kind = NUB_OUTCOME_EXITED;
	if (world->verdict == NUB_VERDICT_FAILED)
		return nub_fail(err, NUB_E_PROTOCOL, 0, "made up");
	return world->verdict;
}

/* GO_ON is 0: where nobody says otherwise. */
static enum nub_verdict fake_next(struct nub_personality *personality, struct nub_idle *idle, struct nub_error *err)
{
	struct world *world = world_with(personality);

	(void)err;
	if (world->next == NUB_VERDICT_STOP)
		world->sandbox.machine.outcome->kind = NUB_OUTCOME_CHECKPOINT;
	if (world->idles == 0)
		return world->next;
	world->idles--;
	*idle = (struct nub_idle){ .until_ns = world->idle_ns != 0 ? nub_clock_ns() + world->idle_ns : UINT64_MAX };
	return NUB_VERDICT_PASS;
}

static void fake_interrupted(struct nub_personality *personality)
{
	world_with(personality)->interrupted++;
}

static void fake_leave(struct nub_personality *personality)
{
	world_with(personality)->left++;
}

static void fake_discard(struct nub_personality *personality)
{
	world_with(personality)->discarded++;
}

static const struct nub_personality_ops personality_ops = {
	.enter = fake_enter,
	.next = fake_next,
	.serve = fake_serve,
	.interrupted = fake_interrupted,
	.leave = fake_leave,
	.exit_name = fake_name,
	.discard = fake_discard,
};

static const struct turn halt = { .exit = { .kind = NUB_EXIT_PORT, .port.number = 7 } };

static void make(struct world *world, const struct turn *turns, unsigned count)
{
	*world = (struct world){
		.engine = { .ops = &engine_ops, .regs = { .rip = 0x401000, .rax = 5 } },
		.personality = { .ops = &personality_ops },
		.guest = { .name = "made up", .privilege_level = 3 },
		.turns = turns,
		.turn_count = count,
		.verdict = NUB_VERDICT_STOP,
	};
	world->personality.machine = &world->sandbox.machine;
	world->sandbox.personality = &world->personality;
	world->sandbox.machine.engine = &world->engine;
	world->sandbox.machine.guest = &world->guest;
	world->sandbox.machine.wake_fd = -1;
}

static int run(struct world *world, const struct turn *turns, unsigned count)
{
	make(world, turns, count);
	return nub_sandbox_run_main(&world->sandbox, 0, NULL, &world->outcome, &world->err);
}

static void crashes(struct world *world, struct nub_exit exit, enum nub_crash_kind kind)
{
	const struct turn turn = { .exit = exit };

	assert_int_equal(run(world, &turn, 1), 0);
	assert_int_equal(world->outcome.kind, NUB_OUTCOME_CRASHED);
	assert_int_equal(world->outcome.crash.kind, kind);
	assert_int_equal(world->outcome.crash.regs.rip, 0x401000);
	assert_int_equal(world->sandbox.machine.exits.total, 1);
	/* R36 */
	assert_int_equal(world->discarded, 1);
	assert_int_equal(nub_sandbox_run_main(&world->sandbox, 0, NULL, &world->outcome, &world->err), -1);
	assert_int_equal(world->err.kind, NUB_E_POISONED);
}

static void every_end_is_told_as_what_it_was(void **state)
{
	struct world world;

	(void)state;
	crashes(&world, (struct nub_exit){ .kind = NUB_EXIT_PORT, .port = { 8, false } }, NUB_CRASH_BAD_PORT);
	assert_int_equal(world.outcome.crash.port, 8);
	crashes(&world, (struct nub_exit){ .kind = NUB_EXIT_HALT }, NUB_CRASH_HALTED);
	crashes(&world, (struct nub_exit){ .kind = NUB_EXIT_SHUTDOWN }, NUB_CRASH_TRIPLE_FAULT);
	crashes(&world, (struct nub_exit){ .kind = NUB_EXIT_STUCK }, NUB_CRASH_EMULATION);
	crashes(&world, (struct nub_exit){ .kind = NUB_EXIT_SCRATCH, .fault = { .vector = 14, .address = 0x5000 } },
	        NUB_CRASH_SCRATCH);
	assert_int_equal(world.outcome.crash.address, 0x5000);
	assert_int_equal(world.sandbox.machine.exits.exception, 1);
	crashes(&world, (struct nub_exit){ .kind = NUB_EXIT_NO_MEMORY, .no_memory = { 0x9000, true } },
	        NUB_CRASH_NO_MEMORY);
	assert_int_equal(world.outcome.crash.address, 0x9000);
	assert_int_equal(world.outcome.crash.access, NUB_REGION_WRITE);
	crashes(&world,
	        (struct nub_exit){ .kind = NUB_EXIT_FAULT,
	                           .fault = { .vector = 6, .error_code = 0, .privilege_level = 3 } },
	        NUB_CRASH_EXCEPTION);
	assert_true(world.outcome.crash.has_vector);
	assert_int_equal(world.outcome.crash.vector, 6);
	assert_int_equal(world.sandbox.machine.exits.exception, 1);
}

/* What the engine has mended, and a signal that is nobody's, are counted and no more. */
static void what_needs_nobody_goes_on(void **state)
{
	const struct turn turns[] = {
		{ .exit = { .kind = NUB_EXIT_MENDED } },
		{ .exit = { .kind = NUB_EXIT_INTERRUPTED } },
		{ .exit = { .kind = NUB_EXIT_MENDED } },
		halt,
	};
	struct world world;

	(void)state;
	assert_int_equal(run(&world, turns, 4), 0);
	assert_int_equal(world.outcome.kind, NUB_OUTCOME_EXITED);
	assert_int_equal(world.served, 1);
	assert_int_equal(world.discarded, 0);
	assert_int_equal(world.sandbox.machine.exits.total, 4);
	assert_int_equal(world.sandbox.machine.exits.exception, 2);
	assert_int_equal(world.sandbox.machine.exits.interrupted, 1);
	assert_int_equal(world.sandbox.machine.exits.other, 0);
	assert_int_equal(world.interrupted, 1);
	assert_int_equal(world.left, 1);
}

static int run_made(struct world *world)
{
	return nub_sandbox_run_main(&world->sandbox, 0, NULL, &world->outcome, &world->err);
}

/* While nothing can run, the loop waits as long as it is told, and never enters the engine. */
static void a_guest_that_waits_is_waited_for(void **state)
{
	struct world world;
	const uint64_t start = nub_clock_ns();

	(void)state;
	make(&world, &halt, 1);
	world.idles = 2;
	world.idle_ns = 20000000;
	assert_int_equal(run_made(&world), 0);
	assert_int_equal(world.outcome.kind, NUB_OUTCOME_EXITED);
	assert_true(nub_clock_ns() - start >= 40000000);
	assert_int_equal(world.sandbox.machine.exits.total, 1);
	free(world.sandbox.polls);
	/* The deadline ends a wait that has no end. */
	make(&world, &halt, 1);
	world.idles = 1;
	world.sandbox.machine.config.timeout_ns = 20000000;
	assert_int_equal(run_made(&world), 0);
	assert_int_equal(world.outcome.kind, NUB_OUTCOME_TIMED_OUT);
	assert_int_equal(world.sandbox.machine.exits.total, 0);
	free(world.sandbox.polls);
	/* So does who stops the sandbox, and whatever else rouses it, before the wait begins, too. */
	make(&world, &halt, 1);
	world.idles = 1;
	world.sandbox.machine.wake_fd = eventfd(0, EFD_NONBLOCK);
	nub_machine_rouse(&world.sandbox.machine);
	assert_int_equal(run_made(&world), 0);
	assert_int_equal(world.outcome.kind, NUB_OUTCOME_EXITED);
	free(world.sandbox.polls);
	close(world.sandbox.machine.wake_fd);
}

/* A run that is over before the engine is entered is one like any other. */
static void a_personality_can_end_the_run(void **state)
{
	struct world world;

	(void)state;
	make(&world, &halt, 1);
	world.next = NUB_VERDICT_STOP;
	assert_int_equal(run_made(&world), 0);
	assert_int_equal(world.outcome.kind, NUB_OUTCOME_CHECKPOINT);
	assert_int_equal(world.sandbox.state, NUB_STATE_STOPPED);
	assert_int_equal(world.sandbox.machine.exits.total, 0);
	assert_int_equal(world.left, 1);
}

/* Whose fault an error is, its class says: the guest's is a crash, another is the run's failure. */
static void an_error_is_the_guests_or_not(void **state)
{
	const struct turn guests = { .exit = { .kind = NUB_EXIT_FAILED }, .error = NUB_E_GVA_UNMAPPED };
	const struct turn hosts = { .exit = { .kind = NUB_EXIT_FAILED }, .error = NUB_E_KVM };
	struct world world;

	(void)state;
	assert_int_equal(run(&world, &guests, 1), 0);
	assert_int_equal(world.outcome.kind, NUB_OUTCOME_CRASHED);
	assert_int_equal(world.outcome.crash.kind, NUB_CRASH_ABI);
	assert_string_equal(world.outcome.crash.abort_message, "made up");
	assert_int_equal(run(&world, &hosts, 1), -1);
	assert_int_equal(world.err.kind, NUB_E_KVM);
	assert_int_equal(world.sandbox.state, NUB_STATE_POISONED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_end_is_told_as_what_it_was), cmocka_unit_test(what_needs_nobody_goes_on),
		cmocka_unit_test(an_error_is_the_guests_or_not),    cmocka_unit_test(a_guest_that_waits_is_waited_for),
		cmocka_unit_test(a_personality_can_end_the_run),
	};

	return cmocka_run_group_tests_name("the loop", tests, NULL, NULL);
}
