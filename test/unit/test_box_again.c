/* Boxes that are made one after the other: the first shows what Linux leaves on a stack, the others are given it; and boxes on
 * another CPU than nubrun. */
#include "box_guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>

/* How many descriptors a process has. */
static unsigned descriptors_of(pid_t pid)
{
	char path[64];
	unsigned count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *folder = opendir(path);
	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static void begin_again(struct box_guest *guest)
{
	struct nub_error err = { 0 };

	nub_box_release(&guest->box);
	if (nub_box_init(&guest->box, &guest->stops, &guest->stack, &err) < 0 ||
	    nub_box_map(&guest->box, CODE_GVA, 0x1000, PROT_READ | PROT_EXEC, guest->fd, 0, NUB_BOX_SHARED, &err) < 0 ||
	    nub_box_map(&guest->box, DATA_GVA, 0x1000, PROT_READ | PROT_WRITE, guest->fd, 0x1000, NUB_BOX_SHARED,
	                &err) < 0 ||
	    nub_box_seal(&guest->box, guest->fd, 8 * GUEST_SIZE, &err) < 0)
		fail_msg("%s", err.message);
}

/* It has no process before its first run, and there what the first one had: registers, XSAVE, its filter. */
static void test_second_box(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };
	uint8_t xsave[NUB_XSAVE_SIZE], again[NUB_XSAVE_SIZE];

	assert_int_equal(GUEST_RUN(guest, "\xe6\x6c"), NUB_BOX_STOPPED);
	assert_int_equal(nub_box_get_xsave(&guest->box, xsave, sizeof(xsave), &err), 0);
	for (unsigned life = 0; life < 3; life++) {
		begin_again(guest);
		assert_int_equal(guest->box.pid, 0);
		memset(xsave + 160, 0x40 + (int)life, 16);
		assert_int_equal(nub_box_set_xsave(&guest->box, xsave, sizeof(xsave), &err), 0);
		guest->box.frame.rdx = life;
		/* inc %rdx; movdqu %xmm0,%xmm1; syscall */
		assert_int_equal(GUEST_RUN(guest, "\x48\xff\xc2\xf3\x0f\x6f\xc8\x0f\x05"), NUB_BOX_STOPPED);
		assert_int_equal(guest->box.frame.signal, SIGSYS);
		assert_int_equal(guest->box.frame.rdx, life + 1);
		assert_int_equal(nub_box_get_xsave(&guest->box, again, sizeof(again), &err), 0);
		assert_memory_equal(again + 176, xsave + 160, 16);
		assert_int_equal(GUEST_RUN(guest, "\x0f\x0b"), NUB_BOX_STOPPED); /* ud2 */
		expect_stop(guest, SIGILL, 6, CODE_GVA);
	}
}

/* A kick and a deadline find it at any moment of its set-up, or in an endless loop. */
static void test_second_box_is_kicked(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };

	for (unsigned us = 0; us < 600; us += 7) {
		begin_again(guest);
		assert_int_equal(guest_run(guest, "\xeb\xfe", 2, clock_now() + us * UINT64_C(1000)),
		                 NUB_BOX_INTERRUPTED);
		assert_int_equal(guest->box.frame.rip, CODE_GVA);
		guest->box.frame.rip = CODE_GVA + 2;
		memcpy(guest->code + 2, "\xe6\x6c", 2);
		assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_STOPPED);
		expect_stop(guest, SIGSEGV, 13, CODE_GVA + 2);
	}
}

/* As when this process has got itself more state to save, and Linux larger frames: one life is lost. */
static void test_frame_elsewhere(void **state)
{
	struct box_guest *guest = *state;

	assert_int_equal(GUEST_RUN(guest, "\xe6\x6c"), NUB_BOX_STOPPED);
	begin_again(guest);
	guest->box.frame_offset -= 64;
	assert_int_equal(GUEST_RUN(guest, "\xe6\x6c"), NUB_BOX_GONE);
	begin_again(guest);
	assert_int_equal(GUEST_RUN(guest, "\xe6\x6c"), NUB_BOX_STOPPED);
	expect_stop(guest, SIGSEGV, 13, CODE_GVA);
}

/* What fails in the set-up is said at the first run. What was queued behind it was not made, the filter neither: no guest is to run
 * there then, in the first box or another. */
static void test_set_up_fails(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };

	for (unsigned life = 0; life < 4; life++) {
		nub_box_release(&guest->box);
		if (life == 2)
			nub_box_stack_release(&guest->stack);
		assert_int_equal(nub_box_init(&guest->box, &guest->stops, &guest->stack, &err), 0);
		if (life % 2)
			assert_int_equal(nub_box_start(&guest->box, &err), 0);
		assert_int_equal(
		    nub_box_map(&guest->box, CODE_GVA + 1, 0x1000, PROT_READ, guest->fd, 0, NUB_BOX_SHARED, &err), 0);
		assert_int_equal(nub_box_seal(&guest->box, guest->fd, 8 * GUEST_SIZE, &err), 0);
		for (unsigned run = 0; run < 3; run++) {
			memset(&err, 0, sizeof(err));
			guest->box.frame.rip = CODE_GVA;
			assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_ERROR);
			assert_int_equal(err.kind, NUB_E_PROCESS);
			assert_non_null(strstr(err.message, run == 0 ? "mmap" : "set up"));
		}
	}
}

/* There it is sealed, and can do with fewer mappings. */
static void test_fails_behind_set_up(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };

	for (unsigned life = 0; life < 2; life++) {
		if (life == 0)
			nub_box_stack_release(&guest->stack);
		begin_again(guest);
		assert_int_equal(
		    nub_box_map(&guest->box, 0x40000000, 0x40000000, PROT_READ, guest->fd, 0, NUB_BOX_SHARED, &err), 0);
		assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_ERROR);
		assert_true(guest->box.full);
		assert_non_null(strstr(err.message, "mmap at 0x40000000"));
		assert_int_equal(GUEST_RUN(guest, "\x0f\x05"), NUB_BOX_STOPPED); /* syscall */
		assert_int_equal(guest->box.frame.signal, SIGSYS);
	}
}

/* One that makes itself ready while nubrun does something else, which takes less time or more. It has none of the descriptors then
 * that it shared. */
static void test_started(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };

	for (unsigned us = 0; us < 600; us += 20) {
		nub_box_release(&guest->box);
		nub_box_stack_release(&guest->stack);
		assert_int_equal(nub_box_init(&guest->box, &guest->stops, &guest->stack, &err), 0);
		assert_int_equal(nub_box_start(&guest->box, &err), 0);
		assert_true(guest->box.pid > 0);
		usleep(us);
		const int later = dup(guest->fd);
		assert_int_equal(
		    nub_box_map(&guest->box, CODE_GVA, 0x1000, PROT_READ | PROT_EXEC, later, 0, NUB_BOX_SHARED, &err),
		    0);
		assert_int_equal(nub_box_seal(&guest->box, guest->fd, 8 * GUEST_SIZE, &err), 0);
		guest->box.frame.rcx = us;
		assert_int_equal(GUEST_RUN(guest, "\xff\xc1\xe6\x6c"), NUB_BOX_STOPPED); /* inc %ecx; out */
		expect_stop(guest, SIGSEGV, 13, CODE_GVA + 2);
		assert_int_equal(guest->box.frame.rcx, us + 1);
		assert_int_equal(descriptors_of(guest->box.pid), 1);
		assert_true(fcntl(later, F_GETFD) >= 0);
		close(later);
	}
}

/* It dies with the others, whatever it waits for. */
static void test_started_and_left(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };

	for (unsigned us = 0; us < 600; us += 50) {
		nub_box_release(&guest->box);
		assert_int_equal(nub_box_init(&guest->box, &guest->stops, &guest->stack, &err), 0);
		assert_int_equal(nub_box_start(&guest->box, &err), 0);
		const pid_t pid = guest->box.pid;
		usleep(us);
		nub_box_release(&guest->box);
		assert_int_equal(kill(pid, 0), -1);
	}
}

/* ---- Two CPUs ---- */

static void pin(pid_t pid, int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	assert_int_equal(sched_setaffinity(pid, sizeof(cpus), &cpus), 0);
}

/* nubrun on one, the box on another, where who waits looks before it sleeps: for short turns, and long ones, of either. */
static void test_two_cpus(void **state)
{
	struct box_guest *guest = *state;
	struct nub_error err = { 0 };
	cpu_set_t cpus;
	int found[2], count = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && count < 2; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			found[count++] = cpu;
	if (count < 2)
		skip();
	pin(0, found[0]);
	pin(guest->box.pid, found[1]);
	/* Count rcx down, then out. */
	guest->box.frame.rcx = 1;
	assert_int_equal(GUEST_RUN(guest, "\x48\xff\xc9\x75\xfb\xe6\x6c"), NUB_BOX_STOPPED);
	for (unsigned turn = 0; turn < 2000; turn++) {
		expect_stop(guest, SIGSEGV, 13, CODE_GVA + 5);
		assert_int_equal(guest->box.frame.rcx, 0);
		assert_int_not_equal(guest->box.shared->box_cpu, guest->box.shared->host_cpu);
		if (turn % 100 == 99)
			usleep(200);
		guest->box.frame.rcx = turn % 100 == 49 ? 1000000 : 1;
		guest->box.frame.rip = CODE_GVA;
		assert_int_equal(nub_box_run(&guest->box, 0, &err), NUB_BOX_STOPPED);
	}
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* How many CPUs a process may use. */
static int cpus_of(pid_t pid)
{
	cpu_set_t cpus;

	assert_int_equal(sched_getaffinity(pid, sizeof(cpus), &cpus), 0);
	return CPU_COUNT(&cpus);
}

static void begin_together(struct box_guest *guest, struct nub_box_cpus *cpus)
{
	struct nub_error err = { 0 };

	nub_box_release(&guest->box);
	nub_box_stack_release(&guest->stack);
	*cpus = (struct nub_box_cpus){ .wanted = true };
	assert_int_equal(nub_box_init(&guest->box, &guest->stops, &guest->stack, &err), 0);
	guest->box.cpus = cpus;
	assert_int_equal(nub_box_start(&guest->box, &err), 0);
	assert_int_equal(
	    nub_box_map(&guest->box, CODE_GVA, 0x1000, PROT_READ | PROT_EXEC, guest->fd, 0, NUB_BOX_SHARED, &err), 0);
	assert_int_equal(nub_box_seal(&guest->box, guest->fd, 8 * GUEST_SIZE, &err), 0);
}

/* Both on one CPU, from the first turn until the guest computes, until there were many turns, or until it ends; and then each
 * wherever it was allowed to be. */
static void test_one_cpu(void **state)
{
	struct box_guest *guest = *state;
	struct nub_box_cpus cpus;
	const int all = cpus_of(0);

	if (all < 2)
		skip();
	enum { COMPUTES, TAKES_TURNS, ENDS, WAYS };
	for (unsigned way = 0; way < WAYS; way++) {
		/* Where the host is busy, the first turn may take so long that they part. */
		for (unsigned tries = 0; tries < 50; tries++) {
			begin_together(guest, &cpus);
			assert_int_equal(cpus_of(0), all);
			assert_int_equal(cpus_of(guest->box.pid), 1);
			assert_int_equal(GUEST_RUN(guest, "\xe6\x6c"), NUB_BOX_STOPPED);
			if (cpus.together)
				break;
		}
		assert_int_equal(cpus_of(0), 1);
		assert_int_equal(cpus_of(guest->box.pid), 1);
		assert_int_equal(guest->box.shared->box_cpu, guest->box.shared->host_cpu);
		if (way == COMPUTES)
			assert_int_equal(guest_run(guest, "\xeb\xfe", 2, clock_now() + 40000000), NUB_BOX_INTERRUPTED);
		for (unsigned turn = 0; way == TAKES_TURNS && turn < 200; turn++)
			assert_int_equal(GUEST_RUN(guest, "\xe6\x6c"), NUB_BOX_STOPPED);
		assert_int_equal(cpus_of(guest->box.pid), way == ENDS ? 1 : all);
		nub_box_release(&guest->box);
		assert_int_equal(cpus_of(0), all);
		assert_false(cpus.together);
	}
}

int main(void)
{
#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_BOX(test_second_box),       WITH_BOX(test_second_box_is_kicked),
		WITH_BOX(test_frame_elsewhere),  WITH_BOX(test_set_up_fails),
		WITH_BOX(test_two_cpus),         WITH_BOX(test_started),
		WITH_BOX(test_started_and_left), WITH_BOX(test_fails_behind_set_up),
		WITH_BOX(test_one_cpu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
