/* What this host offers: what its engine says, and two measurements made with a guest of a few instructions. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/engines.h"
#include "nub.h"
#include "personality/nub/probe_guest.h"

/* Interpreted code takes some hundred times longer than native code: any bound between does. */
#define INTERPRETED_NS_PER_INSTRUCTION 50.0

/* A run's start takes some hundred microseconds, and now this, now that: what is measured must take many times as long in
 * the shortest of a few runs, and as long, by the piece, as it did when the guest did less of it; or longer than any noise. */
#define ENOUGH_NS 2e6
#define CERTAIN_NS 50e6
#define AGREE 1.5
enum { RUNS = 5, FIRST_COUNT = 64, LAST_COUNT = 1 << 28, GROWTH = 8 };

static bool agree(double a, double b)
{
	return a < AGREE * b && b < AGREE * a;
}

static int run_probe(const struct nub_image *image, double *ns, struct nub_error *err)
{
	struct nub_config config = nub_config_default();
	struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, err);
	struct nub_outcome outcome;

	if (!sandbox)
		return -1;
	const uint64_t start = nub_clock_ns();
	int result = nub_sandbox_run_main(sandbox, 0, NULL, &outcome, err);
	*ns = (double)(nub_clock_ns() - start);
	if (result == 0 && outcome.kind != NUB_OUTCOME_EXITED)
		result =
		    nub_fail(err, NUB_E_KVM, 0, "the probe guest did not end as it should (outcome %d)", outcome.kind);
	nub_sandbox_free(sandbox);
	return result;
}

static int run_once(unsigned privilege_level, uint32_t spins, uint32_t round_trips, double *shortest,
                    struct nub_error *err)
{
	uint8_t file[NUB_PROBE_GUEST_SIZE];
	struct nub_image *image = nub_probe_guest(file, privilege_level, spins, round_trips, err);
	double ns;

	if (!image)
		return -1;
	const int result = run_probe(image, &ns, err);
	nub_image_free(image);
	if (result == 0 && ns < *shortest)
		*shortest = ns;
	return result;
}

/* What one turn or one round trip takes: the time of a run less that of one that does nothing, the guest's start included
 * in both. They take turns, so that what slows one slows the other. */
static int measure_one(unsigned privilege_level, bool round_trips, double *ns, struct nub_error *err)
{
	double idle = INFINITY, with_less = 0;

	for (uint32_t count = FIRST_COUNT;; count *= GROWTH) {
		double busy = INFINITY;
		for (unsigned i = 0; i < RUNS; i++)
			if (run_once(privilege_level, 0, 0, &idle, err) < 0 ||
			    run_once(privilege_level, round_trips ? 0 : count, round_trips ? count : 0, &busy, err) < 0)
				return -1;
		*ns = busy > idle ? (busy - idle) / count : 0;
		if ((busy - idle > ENOUGH_NS && agree(*ns, with_less)) || busy - idle > CERTAIN_NS ||
		    count > LAST_COUNT / GROWTH)
			return 0;
		with_less = *ns;
	}
}

static int measure(struct nub_host_info *info, struct nub_error *err)
{
	double turn, round_trip;

	if (measure_one(0, false, &turn, err) < 0 || measure_one(3, true, &round_trip, err) < 0)
		return -1;
	info->cpl0_ns_per_instruction = turn / NUB_PROBE_GUEST_TURN;
	info->cpl0_emulated = info->cpl0_ns_per_instruction > INTERPRETED_NS_PER_INSTRUCTION;
	info->round_trip_us = round_trip / 1000;
	return 0;
}

int nub_host_probe(struct nub_host_info *info, struct nub_error *err)
{
	struct utsname name;

	memset(info, 0, sizeof(*info));
	if (uname(&name) == 0)
		snprintf(info->kernel, sizeof(info->kernel), "%.127s", name.release);
	return nub_kvm_probe(info, err) < 0 ? -1 : measure(info, err);
}

int nub_host_probe_process(double *round_trip_us, struct nub_error *err)
{
	return nub_process_probe(round_trip_us, err);
}
