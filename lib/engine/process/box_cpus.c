/* nubrun and the box on one CPU.
 *
 * Whoever wakes another process hands it to a CPU that is idle, if there is one. To get that one out of its sleep takes 30 to 80 us,
 * most of it where Linux runs in a virtual machine; on one CPU, where who waits makes room for the other, a turn takes 3 us. So a
 * box is made on the CPU where nubrun is, and they stay together for its first turns. Who computes for longer is let go.
 */
#include "engine/process/box_turns.h"

/* After so many the kernel knows better what runs where, and what else does. */
enum { TURNS_TOGETHER = 100 };

static bool pin(pid_t pid, unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(pid, sizeof(one), &one) == 0;
}

static void let_go(pid_t pid, const struct nub_box_cpus *cpus)
{
	sched_setaffinity(pid, sizeof(cpus->all), &cpus->all);
}

void nub_box_stay_here(struct nub_box *box)
{
	struct nub_box_cpus *cpus = box->cpus;
	const unsigned cpu = nub_box_this_cpu();

	if (!cpus || !cpus->wanted)
		return;
	/* There may be more CPUs than the set has room for. */
	if (CPU_COUNT(&cpus->all) == 0)
		cpus->wanted = sched_getaffinity(0, sizeof(cpus->all), &cpus->all) == 0 && CPU_COUNT(&cpus->all) > 1;
	cpus->wanted = cpus->wanted && CPU_ISSET(cpu, &cpus->all) && pin(0, cpu);
	cpus->together = cpus->wanted;
	cpus->box_cpu = cpu;
	cpus->turns = 0;
}

void nub_box_leave_here(struct nub_box *box)
{
	if (box->cpus && box->cpus->together)
		let_go(0, box->cpus);
}

void nub_box_keep_together(struct nub_box *box)
{
	struct nub_box_cpus *cpus = box->cpus;
	const unsigned cpu = nub_box_this_cpu();

	if (!cpus || !cpus->together)
		return;
	if (cpus->turns++ == 0 ? !pin(0, cpu) || (cpu != cpus->box_cpu && !pin(box->pid, cpu))
	                       : cpus->turns > TURNS_TOGETHER)
		nub_box_part(box, true);
}

/* One that had no turn but its first. */
void nub_box_await_here(struct nub_box *box)
{
	struct nub_box_cpus *cpus = box->cpus;
	const unsigned cpu = nub_box_this_cpu();

	if (cpus && cpus->together && cpus->turns == 0 && cpu == cpus->box_cpu)
		pin(0, cpu);
}

void nub_box_part(struct nub_box *box, bool goes_on)
{
	struct nub_box_cpus *cpus = box->cpus;

	if (!cpus || !cpus->together)
		return;
	cpus->together = false;
	if (goes_on)
		let_go(box->pid, cpus);
	let_go(0, cpus);
}
