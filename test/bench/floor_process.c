/* The floor that the process engine is measured against: what running a small guest as a process can't do without.
 *
 *     floor_process            a child with nubrun's maps of a guest, nothing else, and its filter; it takes one `out`
 *     floor_process --loop N   then go on: N round trips of futex and signal to the next `out`; prints the median in ns
 *     floor_process --again N  then N times: end the child, make another, which takes an `out`; prints the median in ns
 *
 * and what floor.h says, to have the guest write to pages before each `out`.
 *
 * It loads no file, checks nothing that it need not check, reads no registers and writes no status. Standalone on purpose:
 * nothing of lib/ is in here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "floor.h"

#define STUB_GVA UINT64_C(0x6ff000000000)
#define SHARED_GVA (STUB_GVA + 0x1000)
#define STACK_GVA (STUB_GVA + 0x3000)
#define STACK_SIZE 0x8000
#define END_GVA (STACK_GVA + STACK_SIZE)
#define LOWER_HALF_END UINT64_C(0x7ffffffff000)
#define GUEST_GVA UINT64_C(0x400000)
#define GUEST_SIZE UINT64_C(0x1e0000) /* a default guest's: code, PEB, 1 MiB heap, 256 KiB stack, tables, scratch */

/* A default guest's parts: two segments that are read, one that is executed, one that is written, PEB, heap, stack, rings. */
static const struct {
	uint64_t offset, size;
	int protection;
} parts[] = {
	{ 0x0, 0x1000, PROT_READ | PROT_EXEC },        { 0x1000, 0x5000, PROT_READ },
	{ 0x6000, 0x4000, PROT_READ | PROT_WRITE },    { 0xa000, 0x2000, PROT_READ },
	{ 0xc000, 0x100000, PROT_READ | PROT_WRITE },  { 0x10d000, 0x40000, PROT_READ | PROT_WRITE },
	{ 0x160000, 0x20000, PROT_READ | PROT_WRITE },
};
static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGUSR1 };
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]), PARTS = sizeof(parts) / sizeof(parts[0]) };

struct kernel_action {
	uint64_t handler, flags, restorer, mask;
};

/* In the pages that both have. */
struct shared {
	uint32_t turn; /* 1: the parent's */
	int memory_fd;
	int parent;
	uint64_t rseq;
	uint64_t data_size; /* mapped privately: of data_fd, or of nothing when that is -1 */
	int data_fd;
	struct kernel_action action;
	int signals[SIGNALS];
	stack_t stack;
	struct rlimit address_space, core;
	struct sock_fprog program;
	struct sock_filter filter[32];
	struct {
		uint64_t offset, size;
		int protection;
	} parts[PARTS];
};

/* ---- In the child's page of code ---- */

#define IN_STUB __attribute__((section("stub"), used, noinline))
#define INLINE static inline __attribute__((always_inline))

INLINE long call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
	                 : "+a"(number)
	                 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return number;
}

#define CALL(number, a, b, c) call6(number, (long)(a), (long)(b), (long)(c), 0, 0, 0)

IN_STUB static void handler(int signal, siginfo_t *info, ucontext_t *context)
{
	struct shared *shared = (struct shared *)SHARED_GVA;

	(void)signal;
	(void)info;
	__atomic_store_n(&shared->turn, 1, __ATOMIC_SEQ_CST);
	CALL(SYS_futex, &shared->turn, FUTEX_WAKE, 1);
	while (__atomic_load_n(&shared->turn, __ATOMIC_SEQ_CST) == 1)
		CALL(SYS_futex, &shared->turn, FUTEX_WAIT, 1);
	context->uc_mcontext.gregs[REG_RIP] += 2;
}

__attribute__((section("stub"), used, naked)) static void restorer(void)
{
	__asm__("mov $15, %eax\n\tsyscall");
}

IN_STUB static void child(void)
{
	struct shared *shared = (struct shared *)SHARED_GVA;
	const int fd = shared->memory_fd;

	if (shared->rseq)
		call6(SYS_rseq, (long)shared->rseq, 32, 1, 0x53053053, 0, 0);
	CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0);
	if (CALL(SYS_getppid, 0, 0, 0) != shared->parent)
		CALL(SYS_exit_group, 1, 0, 0);
	for (unsigned i = 0; i < SIGNALS; i++)
		call6(SYS_rt_sigaction, shared->signals[i], (long)&shared->action, 0, 8, 0, 0);
	CALL(SYS_munmap, 0, STUB_GVA, 0);
	CALL(SYS_munmap, END_GVA, LOWER_HALF_END - END_GVA, 0);
	CALL(SYS_sigaltstack, &shared->stack, 0, 0);
	for (unsigned i = 0; i < PARTS; i++)
		call6(SYS_mmap, (long)(GUEST_GVA + shared->parts[i].offset), (long)shared->parts[i].size,
		      shared->parts[i].protection, MAP_SHARED | MAP_FIXED, fd, (long)shared->parts[i].offset);
	if (shared->data_size)
		call6(SYS_mmap, (long)FLOOR_DATA, (long)shared->data_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE | (shared->data_fd < 0 ? MAP_ANONYMOUS : 0),
		      shared->data_fd, 0);
	CALL(SYS_close_range, 0, fd - 1, 0);
	CALL(SYS_close_range, fd + 1, -1, 0);
	call6(SYS_prlimit64, 0, RLIMIT_AS, (long)&shared->address_space, 0, 0, 0);
	call6(SYS_prlimit64, 0, RLIMIT_CORE, (long)&shared->core, 0, 0, 0);
	CALL(SYS_prctl, PR_SET_DUMPABLE, 0, 0);
	call6(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
	CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &shared->program);
	__asm__ volatile("jmp *%0" : : "r"(GUEST_GVA));
}

/* ---- The parent ---- */

extern uint8_t __start_stub[], __stop_stub[];

static uint64_t in_stub(const void *function)
{
	return STUB_GVA + (uint64_t)((const uint8_t *)function - __start_stub);
}

/* As nubrun's: the stub's page alone, and there a handful of calls. */
static void fill_filter(struct shared *shared, int fd)
{
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(STUB_GVA >> 32), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfffff000),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)STUB_GVA, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 9, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 8, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 7, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAIT, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAKE, 3, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)fd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};

	_Static_assert(sizeof(filter) <= sizeof(shared->filter), "room for the filter");
	memcpy(shared->filter, filter, sizeof(filter));
	shared->program = (struct sock_fprog){ sizeof(filter) / sizeof(filter[0]), shared->filter };
}

static struct shared *make_pages(int fd)
{
	uint8_t *pages = mmap((void *)STUB_GVA, END_GVA - STUB_GVA, PROT_READ | PROT_WRITE | PROT_EXEC,
	                      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (pages == MAP_FAILED)
		fail("mmap");
	memcpy(pages, __start_stub, (size_t)(__stop_stub - __start_stub));
	struct shared *shared = (struct shared *)SHARED_GVA;
	shared->memory_fd = fd;
	shared->parent = getpid();
	if (__rseq_size)
		shared->rseq = (uintptr_t)__builtin_thread_pointer() + (uint64_t)__rseq_offset;
	shared->action = (struct kernel_action){ in_stub((void *)handler), SA_SIGINFO | SA_ONSTACK | 0x04000000,
		                                 in_stub((void *)restorer), UINT64_MAX };
	memcpy(shared->signals, signals, sizeof(signals));
	shared->stack = (stack_t){ .ss_sp = (void *)STACK_GVA, .ss_size = STACK_SIZE };
	shared->data_size = options.pages * FLOOR_PAGE_SIZE;
	shared->data_fd = options.file ? open(options.file, O_RDONLY | O_CLOEXEC) : -1;
	if (options.file && shared->data_fd < 0)
		fail(options.file);
	const uint64_t room = 2 * GUEST_SIZE + shared->data_size;
	shared->address_space = (struct rlimit){ room, room };
	for (unsigned i = 0; i < PARTS; i++) {
		shared->parts[i].offset = parts[i].offset;
		shared->parts[i].size = parts[i].size;
		shared->parts[i].protection = parts[i].protection;
	}
	fill_filter(shared, fd);
	return shared;
}

static void wait_for_out(struct shared *shared)
{
	while (__atomic_load_n(&shared->turn, __ATOMIC_SEQ_CST) == 0)
		syscall(SYS_futex, &shared->turn, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static pid_t make_child(struct shared *shared)
{
	shared->turn = 0;
	const pid_t pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid < 0)
		fail("clone");
	if (pid == 0)
		__asm__ volatile("mov %0, %%rsp\n\tjmp *%1" : : "r"(SHARED_GVA + 0x1ff0), "r"(in_stub((void *)child)));
	wait_for_out(shared);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
}

static void go_on(struct shared *shared)
{
	__atomic_store_n(&shared->turn, 0, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	wait_for_out(shared);
}

/* Each time the next `out`, or one of another child's. */
static pid_t measure(struct shared *shared, pid_t pid, bool again, size_t count)
{
	uint64_t *times = room_for(count);

	for (size_t i = 0; i < count; i++) {
		const uint64_t start = now_ns();
		if (again) {
			end_child(pid);
			pid = make_child(shared);
		} else {
			go_on(shared);
		}
		times[i] = now_ns() - start;
	}
	print_median(times, count);
	return pid;
}

/* The first round, in which the child is made, writes to pages that are not there yet: it is weighed against that
 * of a child that writes to one page. */
static void print_first(struct shared *shared, uint8_t *code)
{
	uint64_t took[2];

	for (int i = 0; i < 2; i++) {
		const uint64_t start = now_ns();
		const pid_t pid = make_child(shared);
		took[i] = now_ns() - start;
		end_child(pid);
		memset(code + 11, 0, 4);
		code[11] = 1;
	}
	printf("%.1f\n", ((double)took[0] - (double)took[1]) / (double)(options.pages - 1));
}

/* With its child on one CPU, as nubrun has them: from another one, a wake-up takes ten times as long. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((size_t)sched_getcpu(), &here);
	if (sched_setaffinity(0, sizeof(here), &here) < 0)
		fail("sched_setaffinity");
}

int main(int argc, char **argv)
{
	(void)argc;
	parse(argv);
	const int fd = memfd_create("guest", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)GUEST_SIZE) < 0)
		fail("memfd");
	uint8_t *memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	put_code(memory, options.pages);
	if (options.loop || options.again || options.first)
		stay_here();
	struct shared *shared = make_pages(fd);
	if (options.first) {
		print_first(shared, memory);
		return 0;
	}
	pid_t pid = make_child(shared);
	if (options.loop || options.again)
		pid = measure(shared, pid, options.again > 0, options.again ? options.again : options.loop);
	end_child(pid);
	return 0;
}
