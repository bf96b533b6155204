/* Signals as strace(1) prints them. */
#include <stdio.h>

#include "personality/linux/call.h"
#include "personality/linux/signals.h"

struct code_name {
	int signal, code; /* signal 0: any */
	char name[16];
};

static const char *code_name(const siginfo_t *info)
{
	static const struct code_name names[] = {
		{ 0, SI_USER, "SI_USER" },
		{ 0, SI_KERNEL, "SI_KERNEL" },
		{ 0, SI_QUEUE, "SI_QUEUE" },
		{ 0, SI_TIMER, "SI_TIMER" },
		{ 0, SI_TKILL, "SI_TKILL" },
		{ SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR" },
		{ SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR" },
		{ SIGBUS, BUS_ADRALN, "BUS_ADRALN" },
		{ SIGBUS, BUS_ADRERR, "BUS_ADRERR" },
		{ SIGFPE, FPE_INTDIV, "FPE_INTDIV" },
		{ SIGFPE, FPE_FLTDIV, "FPE_FLTDIV" },
		{ SIGFPE, FPE_FLTOVF, "FPE_FLTOVF" },
		{ SIGFPE, FPE_FLTUND, "FPE_FLTUND" },
		{ SIGFPE, FPE_FLTRES, "FPE_FLTRES" },
		{ SIGFPE, FPE_FLTINV, "FPE_FLTINV" },
		{ SIGILL, ILL_ILLOPN, "ILL_ILLOPN" },
		{ SIGTRAP, TRAP_TRACE, "TRAP_TRACE" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].code == info->si_code && (names[i].signal == 0 || names[i].signal == info->si_signo))
			return names[i].name;
	return NULL;
}

/* What else siginfo_t tells, by who sent it. */
static void format_detail(const siginfo_t *info, char *text, size_t capacity)
{
	text[0] = '\0';
	if (info->si_code == SI_TIMER)
		snprintf(text, capacity, ", si_timerid=%d, si_overrun=%d", info->si_timerid, info->si_overrun);
	else if (info->si_code <= 0)
		snprintf(text, capacity, ", si_pid=%d, si_uid=%u", info->si_pid, info->si_uid);
	else if (info->si_code != SI_KERNEL)
		snprintf(text, capacity, ", si_addr=%p", info->si_addr);
}

void nub_linux_signal_trace(struct nub_linux *linux, const siginfo_t *info)
{
	const char *name = nub_linux_signal_name(info->si_signo), *code = code_name(info);
	char text[256], number[16], detail[64];

	if (!linux->config.trace)
		return;
	snprintf(number, sizeof(number), "%d", info->si_code);
	format_detail(info, detail, sizeof(detail));
	snprintf(text, sizeof(text), "--- %s {si_signo=%s, si_code=%s%s} ---", name, name, code ? code : number,
	         detail);
	linux->config.trace(linux->config.trace_context, text, 0);
}

void nub_linux_signal_trace_call(struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	char text[1024];

	if (!linux->config.trace)
		return;
	nub_linux_format_call(linux, thread->call, thread->call_args, (int64_t)thread->vcpu.regs.rax, text,
	                      sizeof(text));
	linux->config.trace(linux->config.trace_context, text, 0);
}
