/* The vdso in the guest's memory, and the parameters of its clocks, kept close to the host's clocks. */
#include "personality/linux/vdso_page.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/util.h"
#include "personality/linux/mm_parts.h"
#include "personality/linux/start_parts.h"
#include "personality/linux/vdso/vdso_data.h"

_Static_assert(sizeof(struct nub_vdso_data) <= NUB_PAGE_SIZE, "vdso.lds gives the parameters one page");

/* How long the parameters are good: the host's clock is slewed by up to half a thousandth (adjtimex(2)). */
#define GOOD_FOR_NS UINT64_C(100000000)
/* The rate is measured over at least this. */
#define MEASURE_NS UINT64_C(1000000000)

int nub_linux_map_vdso(struct nub_linux *linux, struct nub_error *err)
{
	const size_t size = (uintptr_t)nub_vdso_end - (uintptr_t)nub_vdso_start;
	struct nub_linux_mapping mapping = { .size = NUB_PAGE_SIZE + size, .prot = PROT_READ | PROT_WRITE };
	const int64_t at = nub_linux_map(linux, &mapping);

	mapping.gva = (uint64_t)at + NUB_PAGE_SIZE;
	mapping.size = size;
	mapping.fixed = true;
	mapping.name = nub_linux_name_vdso;
	if (at < 0 || nub_linux_map(linux, &mapping) < 0 ||
	    nub_linux_write(linux, mapping.gva, nub_vdso_start, size) < 0 ||
	    nub_linux_protect(linux, mapping.gva, size, PROT_READ | PROT_EXEC) < 0)
		return nub_fail(err, NUB_E_MEMORY_TOO_SMALL, 0, "no memory is left for the vdso's %zu bytes", size);
	linux->program->vdso_gva = mapping.gva;
	mapping.gva = (uint64_t)at;
	mapping.size = NUB_PAGE_SIZE;
	mapping.prot = PROT_READ;
	mapping.name = nub_linux_name_vvar;
	if (nub_linux_map(linux, &mapping) < 0 ||
	    nub_linux_touch(linux, mapping.gva, NUB_LINUX_READ) != NUB_LINUX_TOUCH_OK)
		return nub_fail(err, NUB_E_MEMORY_TOO_SMALL, 0, "no memory is left for the vdso's parameters");
	return 0;
}

/* The gpa of the parameters; 0 when the program has put something else there. */
static uint64_t find_page(struct nub_linux *linux)
{
	const uint64_t gva = linux->program && linux->program->vdso_gva ? linux->program->vdso_gva - NUB_PAGE_SIZE : 0;
	const struct nub_linux_area *area = gva ? nub_linux_area_at(linux, gva) : NULL;

	return area && area->name == nub_linux_name_vvar ? nub_linux_page_map_get(&linux->memory->pages, gva) : 0;
}

uint64_t nub_linux_vdso_mult(uint64_t ns, uint64_t ticks)
{
	return ticks ? (uint64_t)(((unsigned __int128)ns << NUB_VDSO_SHIFT) / ticks) : 0;
}

uint64_t nub_linux_vdso_clock(const struct nub_vdso_data *data, unsigned which, uint64_t tsc)
{
	const uint64_t passed = tsc > data->tsc ? tsc - data->tsc : 0;

	return data->base[which] + (uint64_t)((unsigned __int128)passed * data->mult >> NUB_VDSO_SHIFT);
}

void nub_linux_vdso_refresh(struct nub_linux *linux)
{
	/* What the guest may have written there is not gone by. */
	struct nub_vdso_data next = linux->memory->vdso;
	uint64_t realtime;

	/* The machine's clock costs a call of the host's kernel, and this is asked before every entry. The base may be ahead. */
	if (next.usable && nub_linux_monotonic(linux) < next.base[NUB_VDSO_MONOTONIC] + GOOD_FOR_NS)
		return;
	const uint64_t page = find_page(linux);
	const uint64_t khz = page ? linux->machine.ops->tsc_khz(linux->machine.context) : 0;
	if (khz == 0)
		return;
	const uint64_t tsc = linux->machine.ops->tsc(linux->machine.context);
	const uint64_t monotonic = nub_linux_monotonic(linux);
	if (nub_linux_now(linux, CLOCK_REALTIME, &realtime) < 0)
		return;
	/* Monotonic never goes back: if it was ahead of the host's clock it goes a little slower, until it no longer is. */
	const uint64_t told = nub_linux_vdso_clock(&next, NUB_VDSO_MONOTONIC, tsc);
	const bool ahead = next.usable && told > monotonic;
	if (!next.usable) {
		/* Whoever stands in the middle of reading what was there before reads again. */
		if (!nub_linux_page_copy(linux, page + offsetof(struct nub_vdso_data, sequence), &next.sequence,
		                         sizeof(next.sequence)))
			return;
		next.sequence &= ~UINT32_C(1);
		linux->memory->anchor_ns = monotonic;
		linux->memory->anchor_tsc = tsc;
	}
	next.mult = monotonic - linux->memory->anchor_ns >= MEASURE_NS
	                ? nub_linux_vdso_mult(monotonic - linux->memory->anchor_ns, tsc - linux->memory->anchor_tsc)
	                : nub_linux_vdso_mult(1000000, khz);
	if (ahead)
		next.mult -= next.mult / 1000;
	next.base[NUB_VDSO_MONOTONIC] = ahead ? told : monotonic;
	next.base[NUB_VDSO_REALTIME] = realtime;
	next.tsc = tsc;
	next.usable = 1;
	next.generation = linux->generation;
	next.sequence += 2;
	linux->memory->vdso = next;
	nub_linux_page_store(linux, page, &next, sizeof(next));
}

void nub_linux_vdso_forget(struct nub_linux *linux)
{
	linux->memory->vdso.usable = 0;
}
