/* Can this host run guests as processes, and how long does an `out` take there and back? */
#include <sys/mman.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/util.h"
#include "engine/engines.h"
#include "engine/process/box.h"

#define CODE_GVA UINT64_C(0x400000)
enum { ROUND_TRIPS = 500 };

/* Let the box take so many times the `out` at its start. */
static int measure(struct nub_box *box, double *round_trip_us, struct nub_error *err)
{
	uint64_t best = UINT64_MAX;

	box->frame.rip = CODE_GVA;
	for (unsigned i = 0; i < ROUND_TRIPS; i++) {
		const uint64_t start = nub_clock_ns();
		const enum nub_box_event event = nub_box_run(box, 0, err);
		const uint64_t ns = nub_clock_ns() - start;
		if (event == NUB_BOX_ERROR)
			return -1;
		if (event != NUB_BOX_STOPPED || box->frame.rip != CODE_GVA)
			return nub_fail(err, NUB_E_PROCESS, 0, "the guest's process: it did not stop at its `out`");
		if (ns < best)
			best = ns;
	}
	*round_trip_us = (double)best / 1000;
	return 0;
}

static int probe_box(struct nub_box *box, int fd, const struct nub_box_stops *stops, struct nub_box_stack *stack,
                     double *round_trip_us, struct nub_error *err)
{
	if (nub_box_init(box, stops, stack, err) < 0 ||
	    nub_box_map(box, CODE_GVA, NUB_PAGE_SIZE, PROT_READ | PROT_EXEC, fd, 0, NUB_BOX_SHARED, err) < 0 ||
	    nub_box_seal(box, fd, NUB_PAGE_SIZE, err) < 0)
		return -1;
	return measure(box, round_trip_us, err);
}

int nub_process_probe(double *round_trip_us, struct nub_error *err)
{
	/* out %al,$108 */
	static const uint8_t code[NUB_PAGE_SIZE] = { 0xe6, 108 };
	const struct nub_box_stops stops = { 0 };
	struct nub_box_stack stack = { 0 };
	struct nub_box box;

	if (nub_box_probe(err) < 0)
		return -1;
	NUB_AUTO_CLOSE int fd = memfd_create("nub-probe", MFD_CLOEXEC);
	if (fd < 0 || write(fd, code, sizeof(code)) != (ssize_t)sizeof(code))
		return nub_fail_errno(err, NUB_E_PROCESS, "memfd_create");
	const int result = probe_box(&box, fd, &stops, &stack, round_trip_us, err);
	nub_box_release(&box);
	nub_box_stack_release(&stack);
	return result;
}
