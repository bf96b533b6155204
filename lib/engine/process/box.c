/* Making a box: a child that shares two pages and a stack, unmaps everything else, and lets itself be told what to map. */
#include "engine/process/box.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <stdalign.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/process/box_turns.h"
#include "engine/process/filter.h"

#define SHARED_GVA (NUB_BOX_GVA + NUB_BOX_SHARED_OFFSET)
#define HWCAP2_FSGSBASE_BIT 2

/* What the kernel's rt_sigaction takes (not the C library's struct). */
struct kernel_action {
	uint64_t handler, flags, restorer, mask;
};
enum { SA_RESTORER_FLAG = 0x04000000, SS_AUTODISARM_FLAG = (int)(1U << 31) };

/* What the calls of the set-up point at, in struct nub_box_shared's data. */
struct setup_data {
	struct kernel_action stub, none;
	uint64_t signal_mask;
	struct rlimit address_space, nothing;
	struct {
		uint64_t base;
		int32_t flags;
		uint64_t size;
	} stack;
	struct __user_cap_header_struct capability_header;
	struct __user_cap_data_struct no_capabilities[_LINUX_CAPABILITY_U32S_3];
	struct sock_fprog program;
	struct sock_filter filter[NUB_FILTER_MAX];
};
_Static_assert(sizeof(struct setup_data) <= sizeof(((struct nub_box_shared *)NULL)->data), "the shared pages hold it");

static const int stub_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, NUB_BOX_KICK_SIGNAL };
/* Those that stop a job and let it go on act on the box as on nubrun. */
static const int job_signals[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

static struct setup_data *data_of(const struct nub_box *box)
{
	return (struct setup_data *)(void *)box->shared->data;
}

/* Where a member of the data is in the box. */
#define BOX_ADDRESS(member) (SHARED_GVA + offsetof(struct nub_box_shared, data) + offsetof(struct setup_data, member))

static uint64_t signal_bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

int nub_box_probe(struct nub_error *err)
{
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT)
		return 0;
	nub_fail(err, NUB_E_PROCESS, 0, "the process engine needs FSGSBASE, which this CPU or kernel has not");
	return nub_hint(err, "it takes an x86-64 CPU of 2012 or later, and Linux 5.9 or later");
}

/* ---- The child ---- */

/* Runs on a copy of nubrun's memory, which the stub unmaps first of all. */
__attribute__((noreturn)) static void enter_stub(uint8_t *pages)
{
	const uint64_t at = NUB_BOX_GVA;

	if (syscall(SYS_mremap, pages, NUB_BOX_SIZE, NUB_BOX_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at) != (long)at ||
	    syscall(SYS_mprotect, at, NUB_PAGE_SIZE, PROT_READ | PROT_EXEC) < 0)
		syscall(SYS_exit_group, 1);
	__asm__ volatile("jmp *%0" : : "r"(at));
	__builtin_unreachable();
}

/* The C library has told the kernel of an area in this thread's memory that it is to write to (rseq(2)), and the child of a
 * clone inherits that. */
static int queue_rseq(struct nub_box *box, struct nub_error *err)
{
	enum { SIGNATURE = 0x53053053, UNREGISTER = 1, LEAST_SIZE = 32 };

	if (__rseq_size == 0)
		return 0;
	/* What the C library registers: whole 32 bytes, of which it names those in use. */
	const uint64_t size = ((uint64_t)__rseq_size + LEAST_SIZE - 1) / LEAST_SIZE * LEAST_SIZE;
	const uint64_t area = (uintptr_t)__builtin_thread_pointer() + (uint64_t)__rseq_offset;
	return nub_box_call(box, NUB_BOX_CHECK_OK, SYS_rseq, (uint64_t[6]){ area, size, UNREGISTER, SIGNATURE }, err);
}

/* Die with nubrun, and at once if it is gone already; have none of its memory. */
static int queue_isolation(struct nub_box *box, struct nub_error *err)
{
	const uint64_t end = NUB_BOX_GVA + NUB_BOX_SIZE;

	if (queue_rseq(box, err) < 0 ||
	    nub_box_call(box, NUB_BOX_CHECK_OK, SYS_prctl, (uint64_t[6]){ PR_SET_PDEATHSIG, SIGKILL }, err) < 0)
		return -1;
	if (nub_box_call(box, NUB_BOX_CHECK_EQUAL, SYS_getppid, (uint64_t[6]){ 0 }, err) < 0)
		return -1;
	box->shared->calls[box->call_count - 1].result = (uint64_t)getpid();
	if (nub_box_call(box, NUB_BOX_CHECK_OK, SYS_munmap, (uint64_t[6]){ 0, NUB_BOX_GVA }, err) < 0)
		return -1;
	return nub_box_call(box, NUB_BOX_CHECK_OK, SYS_munmap, (uint64_t[6]){ end, NUB_BOX_LAST_GVA - end }, err);
}

static int queue_signals(struct nub_box *box, struct nub_error *err)
{
	const uint64_t stub_handler = NUB_BOX_GVA + ((uintptr_t)nub_stub_handler - (uintptr_t)nub_stub_start);
	const uint64_t stub_restorer = NUB_BOX_GVA + ((uintptr_t)nub_stub_restorer - (uintptr_t)nub_stub_start);
	struct setup_data *data = data_of(box);

	data->stub = (struct kernel_action){ .handler = stub_handler,
		                             .flags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER_FLAG,
		                             .restorer = stub_restorer,
		                             .mask = UINT64_MAX };
	data->stack.base = NUB_BOX_GVA + NUB_BOX_STACK_OFFSET;
	data->stack.flags = SS_AUTODISARM_FLAG;
	data->stack.size = NUB_BOX_STACK_SIZE;
	data->signal_mask = UINT64_MAX;
	for (unsigned i = 0; i < sizeof(stub_signals) / sizeof(stub_signals[0]); i++) {
		data->signal_mask &= ~signal_bit(stub_signals[i]);
		if (nub_box_call(box, NUB_BOX_CHECK_OK, SYS_rt_sigaction,
		                 (uint64_t[6]){ (uint64_t)stub_signals[i], BOX_ADDRESS(stub), 0, 8 }, err) < 0)
			return -1;
	}
	for (unsigned i = 0; i < sizeof(job_signals) / sizeof(job_signals[0]); i++) {
		data->signal_mask &= ~signal_bit(job_signals[i]);
		if (nub_box_call(box, NUB_BOX_CHECK_OK, SYS_rt_sigaction,
		                 (uint64_t[6]){ (uint64_t)job_signals[i], BOX_ADDRESS(none), 0, 8 }, err) < 0)
			return -1;
	}
	if (nub_box_call(box, NUB_BOX_CHECK_OK, SYS_sigaltstack, (uint64_t[6]){ BOX_ADDRESS(stack) }, err) < 0)
		return -1;
	/* Where there is a frame to return through, that lets signals in, and none comes before the filter is there. Else the first
	 * frame is to have this mask. */
	return box->stack->bytes ? 0
	                         : nub_box_call(box, NUB_BOX_CHECK_OK, SYS_rt_sigprocmask,
	                                        (uint64_t[6]){ SIG_SETMASK, BOX_ADDRESS(signal_mask), 0, 8 }, err);
}

int nub_box_init(struct nub_box *box, const struct nub_box_stops *stops, struct nub_box_stack *stack,
                 struct nub_error *err)
{
	*box = (struct nub_box){ .stops = stops, .stack = stack };
	box->pages =
	    mmap(NULL, NUB_BOX_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (box->pages == MAP_FAILED) {
		box->pages = NULL;
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the box's stub: %d bytes", NUB_BOX_SIZE);
	}
	memcpy(box->pages, nub_stub_start, (uintptr_t)nub_stub_end - (uintptr_t)nub_stub_start);
	box->shared = (struct nub_box_shared *)(void *)(box->pages + NUB_BOX_SHARED_OFFSET);
	box->shared->box_looks = NUB_BOX_FIRST_LOOKS;
	box->shared->frame = stack->bytes ? NUB_BOX_GVA + stack->offset : 0;
	if (queue_isolation(box, err) < 0 || queue_signals(box, err) < 0)
		return -1;
	return 0;
}

int nub_box_drop_capabilities(struct nub_box *box, struct nub_error *err)
{
	data_of(box)->capability_header.version = _LINUX_CAPABILITY_VERSION_3;
	return nub_box_call(box, NUB_BOX_CHECK_OK, SYS_capset,
	                    (uint64_t[6]){ BOX_ADDRESS(capability_header), BOX_ADDRESS(no_capabilities) }, err);
}

/* No signal tells that it ended, and no wait(2) of the embedder's sees it (clone(2): __WALL). A signal that is for both must find
 * no handler of nubrun's in the child. */
int nub_box_clone(struct nub_box *box, uint64_t flags, struct nub_error *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	nub_box_stay_here(box);
	const pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (pid == 0)
		enter_stub(box->pages);
	nub_box_leave_here(box);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return nub_fail_errno(err, NUB_E_PROCESS, "a process for the guest: clone");
	box->pid = pid;
	return 0;
}

int nub_box_seal(struct nub_box *box, int memory_fd, uint64_t address_space, struct nub_error *err)
{
	const uint64_t fd = (uint64_t)memory_fd;
	struct setup_data *data = data_of(box);

	data->address_space.rlim_cur = data->address_space.rlim_max = address_space + NUB_BOX_SIZE;
	data->program = (struct sock_fprog){
		.len = (unsigned short)nub_filter_fill(data->filter, memory_fd),
		/* Where it is in the box. */
		.filter = (struct sock_filter *)BOX_ADDRESS(filter), // NOLINT(performance-no-int-to-ptr)
	};
	const struct {
		uint64_t number, args[6];
	} calls[] = {
		{ SYS_prlimit64, { 0, RLIMIT_AS, BOX_ADDRESS(address_space) } },
		{ SYS_prlimit64, { 0, RLIMIT_CORE, BOX_ADDRESS(nothing) } },
		{ SYS_prctl, { PR_SET_DUMPABLE, 0 } },
		{ SYS_prctl, { PR_SET_NO_NEW_PRIVS, 1 } },
		{ SYS_seccomp, { SECCOMP_SET_MODE_FILTER, 0, BOX_ADDRESS(program) } },
	};

	/* Those above first: then the rest are its own to close, too, if it shared them with nubrun. */
	if (nub_box_call(box, NUB_BOX_CHECK_OK, SYS_close_range,
	                 (uint64_t[6]){ fd + 1, UINT32_MAX, CLOSE_RANGE_UNSHARE }, err) < 0 ||
	    (fd > 0 && nub_box_call(box, NUB_BOX_CHECK_OK, SYS_close_range, (uint64_t[6]){ 0, fd - 1 }, err) < 0))
		return -1;
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (nub_box_call(box, NUB_BOX_CHECK_OK, calls[i].number, calls[i].args, err) < 0)
			return -1;
	box->set_up_count = box->call_count;
	return box->stack->bytes ? nub_box_lay_frame(box, err) : nub_box_go_on(box, err);
}

int nub_box_killed_by(const struct nub_box *box)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)box->pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || info.si_pid == 0)
		return 0;
	return info.si_code == CLD_EXITED ? 0 : info.si_status;
}

void nub_box_kill(struct nub_box *box)
{
	if (box->pid > 0)
		kill(box->pid, SIGKILL);
}

void nub_box_release(struct nub_box *box)
{
	nub_box_await_here(box);
	nub_box_kill(box);
	if (box->pid > 0) {
		while (waitpid(box->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	/* Here: whoever is woken by its end is not to go elsewhere, where what is still to be given back would be a stranger's. */
	nub_box_part(box, false);
	uint8_t *pages = box->pages;
	/* A signal handler may come in between. */
	*box = (struct nub_box){ 0 };
	if (pages)
		munmap(pages, NUB_BOX_SIZE);
}
