/* Writing a seccomp filter. */
#include "base/bpf.h"

void nub_bpf_put(struct nub_bpf *bpf, uint16_t code, uint32_t value)
{
	if (bpf->count < bpf->room)
		bpf->filter[bpf->count] = (struct sock_filter)BPF_STMT(code, value);
	bpf->count++;
}

static uint8_t distance(struct nub_bpf *bpf, unsigned instructions)
{
	bpf->too_far |= instructions > NUB_BPF_TRAP;
	return (uint8_t)instructions;
}

void nub_bpf_jump(struct nub_bpf *bpf, uint16_t how, uint32_t value, unsigned if_true, unsigned if_false)
{
	const uint8_t far = distance(bpf, if_true), further = distance(bpf, if_false);

	nub_bpf_put(bpf, BPF_JMP | how | BPF_K, value);
	if (bpf->count > bpf->room)
		return;
	bpf->filter[bpf->count - 1].jt = far;
	bpf->filter[bpf->count - 1].jf = further;
}

void nub_bpf_land(struct nub_bpf *bpf, unsigned at)
{
	const unsigned far = bpf->count - at - 1;

	bpf->too_far |= far >= NUB_BPF_ALLOW;
	if (at < bpf->room)
		bpf->filter[at].jf = (uint8_t)far;
}

void nub_bpf_load(struct nub_bpf *bpf, unsigned word)
{
	nub_bpf_put(bpf, BPF_LD | BPF_W | BPF_ABS, word);
}

void nub_bpf_load_arg(struct nub_bpf *bpf, unsigned arg)
{
	nub_bpf_load(bpf, NUB_BPF_ARGS + 8 * arg);
}

void nub_bpf_give(struct nub_bpf *bpf, uint32_t verdict)
{
	nub_bpf_put(bpf, BPF_RET | BPF_K, verdict);
}

/* Of an instruction at `at`, with the verdicts at the end. */
static void resolve(struct nub_bpf *bpf, unsigned at, uint8_t *target)
{
	const unsigned trap = bpf->count - 2, allow = bpf->count - 1;

	if (*target == NUB_BPF_TRAP)
		*target = distance(bpf, trap - at - 1);
	else if (*target == NUB_BPF_ALLOW)
		*target = distance(bpf, allow - at - 1);
}

unsigned nub_bpf_end(struct nub_bpf *bpf)
{
	nub_bpf_give(bpf, SECCOMP_RET_TRAP);
	nub_bpf_give(bpf, SECCOMP_RET_ALLOW);
	if (bpf->count > bpf->room)
		return 0;
	for (unsigned at = 0; at < bpf->count; at++) {
		if (BPF_CLASS(bpf->filter[at].code) != BPF_JMP)
			continue;
		resolve(bpf, at, &bpf->filter[at].jt);
		resolve(bpf, at, &bpf->filter[at].jf);
	}
	return bpf->too_far ? 0 : bpf->count;
}
