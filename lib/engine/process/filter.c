/* The seccomp filter: a row of comparisons, each of which lets one call through or goes on to the next. */
#include "engine/process/filter.h"

#include <linux/audit.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "abi/nub_abi.h"
#include "base/bpf.h"
#include "engine/process/stub.h"

static void require(struct nub_bpf *bpf, uint32_t value)
{
	nub_bpf_jump(bpf, BPF_JEQ, value, 0, NUB_BPF_TRAP);
}

unsigned nub_filter_fill(struct sock_filter *filter, int memory_fd)
{
	static const uint32_t free_calls[] = { SYS_rt_sigreturn, SYS_munmap, SYS_mprotect };
	struct nub_bpf bpf = { .filter = filter, .room = NUB_FILTER_MAX };

	nub_bpf_load(&bpf, NUB_BPF_ARCH);
	require(&bpf, AUDIT_ARCH_X86_64);
	nub_bpf_load(&bpf, NUB_BPF_ADDRESS + 4);
	require(&bpf, (uint32_t)(NUB_BOX_GVA >> 32));
	nub_bpf_load(&bpf, NUB_BPF_ADDRESS);
	nub_bpf_put(&bpf, BPF_ALU | BPF_AND | BPF_K, (uint32_t) ~(NUB_PAGE_SIZE - 1));
	require(&bpf, (uint32_t)NUB_BOX_GVA);
	nub_bpf_load(&bpf, NUB_BPF_NUMBER);
	for (unsigned i = 0; i < sizeof(free_calls) / sizeof(free_calls[0]); i++)
		nub_bpf_jump(&bpf, BPF_JEQ, free_calls[i], NUB_BPF_ALLOW, 0);
	const unsigned futex = bpf.count;
	nub_bpf_jump(&bpf, BPF_JEQ, SYS_futex, 0, 0);
	nub_bpf_load_arg(&bpf, 1);
	nub_bpf_jump(&bpf, BPF_JEQ, FUTEX_WAIT, NUB_BPF_ALLOW, 0);
	nub_bpf_jump(&bpf, BPF_JEQ, FUTEX_WAKE, NUB_BPF_ALLOW, NUB_BPF_TRAP);
	nub_bpf_land(&bpf, futex);
	require(&bpf, SYS_mmap);
	nub_bpf_load_arg(&bpf, 3);
	nub_bpf_put(&bpf, BPF_ALU | BPF_AND | BPF_K, (uint32_t)~MAP_POPULATE);
	require(&bpf, MAP_SHARED | MAP_FIXED);
	nub_bpf_load_arg(&bpf, 4);
	nub_bpf_jump(&bpf, BPF_JEQ, (uint32_t)memory_fd, NUB_BPF_ALLOW, NUB_BPF_TRAP);
	return nub_bpf_end(&bpf);
}
