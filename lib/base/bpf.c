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
	bpf->too_far |= instructions > UINT8_MAX;
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
	const uint8_t far = distance(bpf, bpf->count - at - 1);

	if (at < bpf->room)
		bpf->filter[at].jf = far;
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

unsigned nub_bpf_end(const struct nub_bpf *bpf)
{
	return bpf->too_far || bpf->count > bpf->room ? 0 : bpf->count;
}
