/* Rows about signals: none is delivered, SIGUSR1 is blocked before it is sent. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>

#include "row.h"

/* As the kernel has it (rt_sigaction(2)). */
struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

static struct kernel_action ignore = { (void *)1, 0, NULL, 0 }, was;
static const unsigned long usr1 = 1UL << (SIGUSR1 - 1);
static unsigned long old_mask, pending;
static const stack_t small_stack = { room, 0, 100 }, odd_stack = { room, 99, 8192 };
static stack_t stack_was;
static siginfo_t taken;
static siginfo_t queued = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
static const struct timespec not_long = { 0, 0 };

static const struct row signals[] = {
	GIVES(rt_sigaction, &was, 8, V(SIGUSR2), V(0), P(&was), V(8)),
	CALL(rt_sigaction, V(SIGUSR2), P(&ignore), V(0), V(8)),
	GIVES(rt_sigaction, &was, 16, V(SIGUSR2), V(0), P(&was), V(8)),
	CALL(rt_sigaction, V(SIGKILL), P(&ignore), V(0), V(8)),
	CALL(rt_sigaction, V(0), V(0), P(&was), V(8)),
	CALL(rt_sigaction, V(65), V(0), P(&was), V(8)),
	CALL(rt_sigaction, V(SIGUSR2), V(0), P(&was), V(16)),
	CALL(rt_sigaction, V(SIGUSR2), NOWHERE, V(0), V(8)),
	GIVES(rt_sigprocmask, &old_mask, 8, V(SIG_BLOCK), P(&usr1), P(&old_mask), V(8)),
	GIVES(rt_sigprocmask, &old_mask, 8, V(SIG_BLOCK), V(0), P(&old_mask), V(8)),
	CALL(rt_sigprocmask, V(99), P(&usr1), V(0), V(8)),
	CALL(rt_sigprocmask, V(SIG_BLOCK), P(&usr1), V(0), V(4)),
	CALL(rt_sigprocmask, V(SIG_BLOCK), NOWHERE, V(0), V(8)),
	GIVES(rt_sigpending, &pending, 8, P(&pending), V(8)),
	CALL(rt_sigpending, NOWHERE, V(8)),
	CALL(kill, V(0), V(0)),
	CALL(kill, V(-5555555), V(0)),
	CALL(kill, V(0), V(99)),
	CALL(tkill, V(-1), V(SIGUSR1)),
	CALL(tgkill, V(-1), V(1), V(SIGUSR1)),
	CALL(tgkill, V(1), V(0), V(SIGUSR1)),
	CALL(rt_sigqueueinfo, V(-1), V(SIGUSR1), NOWHERE),
	CALL(rt_tgsigqueueinfo, V(-1), V(1), V(SIGUSR1), P(&queued)),
	CALL(rt_sigtimedwait, P(&usr1), P(&taken), P(&not_long), V(8)),
	CALL(rt_sigtimedwait, P(&usr1), P(&taken), P(&not_long), V(4)),
	CALL(rt_sigtimedwait, NOWHERE, P(&taken), P(&not_long), V(8)),
	CALL(rt_sigsuspend, NOWHERE, V(8)),
	CALL(rt_sigsuspend, P(&usr1), V(4)),
	GIVES(sigaltstack, &stack_was.ss_flags, 4, V(0), P(&stack_was)),
	CALL(sigaltstack, P(&small_stack), V(0)),
	CALL(sigaltstack, P(&odd_stack), V(0)),
	CALL(sigaltstack, NOWHERE, V(0)),
	CALL(restart_syscall),
};

#endif
