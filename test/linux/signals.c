/* Signals: handlers' arguments, masks, stacks, queues, calls that are interrupted or made again, contexts that handlers change. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static char stack[65536];
static volatile sig_atomic_t runs;
static int ends[2];

static void count(int signal)
{
	(void)signal;
	runs++;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_flags = flags };

	action.sa_handler = handler;
	sigaction(signal, &action, NULL);
}

static void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_flags = flags | SA_SIGINFO };

	action.sa_sigaction = handler;
	sigaction(signal, &action, NULL);
}

static void tell(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *user = context;

	printf("%s: code %d, from itself %d, value %d, mask kept %d\n",
	       sigabbrev_np(signal) ? sigabbrev_np(signal) : "RT", info->si_code, info->si_pid == getpid(),
	       info->si_value.sival_int, sigismember(&user->uc_sigmask, SIGUSR2));
}

static void try_arguments(void)
{
	const union sigval value = { .sival_int = 4711 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_SETMASK, &set, NULL);
	handle_info(SIGUSR1, tell, 0);
	handle_info(SIGRTMIN + 3, tell, 0);
	sigqueue(getpid(), SIGUSR1, value);
	sigqueue(getpid(), SIGRTMIN + 3, value);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static void on_stack(int signal)
{
	char here;

	printf("signal %d on its stack: %d\n", signal, &here >= stack && &here < stack + sizeof(stack));
	if (signal == SIGUSR1)
		raise(SIGUSR2);
}

static void try_stack(void)
{
	stack_t old, alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };

	sigaltstack(&alternate, NULL);
	handle(SIGUSR1, on_stack, SA_ONSTACK);
	handle(SIGUSR2, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	handle(SIGUSR2, on_stack, 0);
	raise(SIGUSR2);
	sigaltstack(NULL, &old);
	printf("stack kept: %d\n", old.ss_sp == stack && old.ss_size == sizeof(stack) && old.ss_flags == 0);
}

/* The handler gives rax, an XMM register and the next instruction. */
static void change(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	const double seven = 7.5;

	(void)signal;
	(void)info;
	user->uc_mcontext.gregs[REG_RAX] = 42;
	user->uc_mcontext.gregs[REG_RIP] += 2;
	memcpy(&user->uc_mcontext.fpregs->_xmm[3], &seven, sizeof(seven));
}

static void try_context(void)
{
	long rax = 1;
	double xmm = 0, other = 2.25;

	handle_info(SIGILL, change, 0);
	__asm__ volatile("movsd %2, %%xmm5\n"
	                 "mov $1, %%eax\n"
	                 "ud2\n"
	                 "mov %%rax, %0\n"
	                 "movsd %%xmm3, %1\n"
	                 "movsd %%xmm5, %2\n"
	                 : "=m"(rax), "=m"(xmm), "+m"(other)
	                 :
	                 : "rax", "xmm3", "xmm5");
	printf("rax %ld, xmm3 %g, xmm5 %g\n", rax, xmm, other);
}

/* The upper halves of YMM registers belong to the interrupted code, too. */
static void spoil(int signal)
{
	(void)signal;
	__asm__ volatile("vxorps %%ymm7, %%ymm7, %%ymm7" ::: "xmm7");
}

static void try_avx(void)
{
	uint64_t words[4] = { 1, 2, 3, 4 };
	const long pid = getpid(), tid = gettid();
	long result = SYS_tgkill;

	handle(SIGUSR1, spoil, 0);
	__asm__ volatile("vmovdqu %1, %%ymm7\n"
	                 "syscall\n"
	                 "vmovdqu %%ymm7, %1\n"
	                 : "+a"(result), "+m"(words)
	                 : "D"(pid), "S"(tid), "d"((long)SIGUSR1)
	                 : "rcx", "r11", "xmm7", "memory");
	printf("ymm7 %lu %lu %lu %lu\n", words[0], words[1], words[2], words[3]);
}

static void *interrupt(void *argument)
{
	const pthread_t *thread = argument;

	usleep(20000);
	pthread_kill(*thread, SIGUSR1);
	usleep(20000);
	if (write(ends[1], "x", 1) != 1)
		abort();
	return NULL;
}

static void try_interruption(int flags)
{
	pthread_t self = pthread_self(), other;
	char byte = 0;

	runs = 0;
	handle(SIGUSR1, count, flags);
	pthread_create(&other, NULL, interrupt, &self);
	errno = 0;
	const long got = read(ends[0], &byte, 1);
	printf("read gives %ld, interrupted %d, handlers %d\n", got, errno == EINTR, (int)runs);
	pthread_join(other, NULL);
	if (got != 1 && read(ends[0], &byte, 1) == 1)
		puts("read again");
}

static void try_waiting(void)
{
	const struct timespec no_time = { 0 }, short_time = { .tv_nsec = 5000000 };
	siginfo_t info;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, &old);
	printf("nothing there: %d", sigtimedwait(&set, &info, &no_time));
	printf(", %d\n", errno == EAGAIN);
	printf("nothing comes: %d", sigtimedwait(&set, &info, &short_time));
	printf(", %d\n", errno == EAGAIN);
	for (int i = 0; i < 3; i++)
		sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
	for (int i = 0; i < 3; i++)
		printf("queued: %d", sigwaitinfo(&set, &info) == SIGRTMIN), printf(", %d\n", info.si_value.sival_int);
	runs = 0;
	handle(SIGUSR1, count, 0);
	raise(SIGUSR1);
	sigpending(&set);
	printf("pending %d, handlers %d\n", sigismember(&set, SIGUSR1), (int)runs);
	sigsuspend(&old);
	printf("suspended: interrupted %d, handlers %d\n", errno == EINTR, (int)runs);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static sigjmp_buf back;

static void jump(int signal)
{
	siglongjmp(back, signal);
}

static void try_abort(void)
{
	handle(SIGABRT, jump, 0);
	const int signal = sigsetjmp(back, 1);
	if (signal == 0)
		abort();
	printf("abort is signal %d\n", signal);
	handle(SIGPIPE, count, 0);
	runs = 0;
	close(ends[0]);
	printf("write to nobody: %ld", (long)write(ends[1], "x", 1));
	printf(", %d, handlers %d\n", errno == EPIPE, (int)runs);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pipe(ends) < 0)
		return 1;
	try_arguments();
	try_stack();
	try_context();
	try_avx();
	try_interruption(0);
	try_interruption(SA_RESTART);
	try_waiting();
	try_abort();
	return 0;
}
