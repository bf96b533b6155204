/* A Linux program's state: made of its families, released, ended. */
#include "personality/linux/linux.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "personality/linux/call.h"
#include "personality/linux/start.h"

static int check_config(const struct nub_linux_config *config, struct nub_error *err)
{
	if (config->max_fds < 3 || config->max_fds > NUB_LINUX_MAX_FDS)
		return nub_fail(err, NUB_E_USAGE, 0, "%u file descriptors: a program gets 3 to %d", config->max_fds,
		                NUB_LINUX_MAX_FDS);
	if (config->max_threads < 1 || config->max_threads > NUB_LINUX_MAX_THREADS)
		return nub_fail(err, NUB_E_USAGE, 0, "%u threads: a program gets 1 to %d", config->max_threads,
		                NUB_LINUX_MAX_THREADS);
	return 0;
}

struct nub_linux *nub_linux_make(const struct nub_linux_config *config, const struct nub_linux_machine *machine,
                                 struct nub_error *err)
{
	struct nub_linux *linux;

	if (check_config(config, err) < 0)
		return NULL;
	linux = calloc(1, sizeof(*linux));
	if (!linux) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "the state of a Linux program");
		return NULL;
	}
	linux->config = *config;
	linux->machine = *machine;
	linux->pid = NUB_LINUX_PID;
	if (nub_linux_table_fill(linux, err) < 0)
		goto fail;
	for (size_t i = 0; nub_linux_families[i]; i++)
		if (nub_linux_families[i]->make && nub_linux_families[i]->make(linux, err) < 0)
			goto fail;
	return linux;
fail:
	nub_linux_release(linux);
	return NULL;
}

void nub_linux_release(struct nub_linux *linux)
{
	size_t count = 0;

	if (!linux)
		return;
	nub_linux_program_release(linux);
	while (nub_linux_families[count])
		count++;
	while (count-- > 0)
		if (nub_linux_families[count]->release)
			nub_linux_families[count]->release(linux);
	free(linux);
}

int64_t nub_linux_fail(struct nub_linux *linux, const struct nub_error *err)
{
	if (!nub_linux_ended(linux)) {
		linux->error = *err;
		nub_linux_end(linux, err->kind == NUB_E_PAGE_LIMIT ? NUB_LINUX_MEMORY : NUB_LINUX_FAILED, "%s",
		              err->message);
	}
	return -ENOMEM;
}

void nub_linux_end(struct nub_linux *linux, enum nub_linux_end_kind kind, const char *format, ...)
{
	va_list args;

	if (nub_linux_ended(linux))
		return;
	linux->end.kind = kind;
	linux->end.tid = linux->current ? linux->current->tid : 0;
	va_start(args, format);
	vsnprintf(linux->end.message, sizeof(linux->end.message), format, args);
	va_end(args);
}

void nub_linux_vcpu_save(struct nub_linux *linux)
{
	const struct nub_registers regs = linux->current->vcpu.regs;
	struct nub_error err = { 0 };

	if (linux->machine.ops->get_vcpu(linux->machine.context, &linux->current->vcpu, &err) < 0)
		nub_linux_fail(linux, &err);
	linux->current->vcpu.regs = regs;
}

void nub_linux_vcpu_load(struct nub_linux *linux)
{
	struct nub_error err = { 0 };

	if (linux->machine.ops->set_vcpu(linux->machine.context, &linux->current->vcpu, &err) < 0)
		nub_linux_fail(linux, &err);
}
