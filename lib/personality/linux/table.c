/* The row of families, and the table of calls that it makes. */
#include "base/error.h"
#include "personality/linux/call.h"
#include "personality/linux/clocks.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

/* Files are first: what others hold of them is given back before they go, and found again after they are loaded. */
const struct nub_linux_family *const nub_linux_families[] = {
	&nub_linux_files_family,
	&nub_linux_rw_family,
	&nub_linux_fd_family,
	&nub_linux_open_family,
	&nub_linux_stat_family,
	&nub_linux_names_family,
	&nub_linux_rename_family,
	&nub_linux_directory_family,
	&nub_linux_attributes_family,
	&nub_linux_content_family,
	&nub_linux_xattr_family,
	&nub_linux_ioctl_family,
	&nub_linux_pipe_family,
	&nub_linux_poll_family,
	&nub_linux_select_family,
	&nub_linux_epoll_family,
	&nub_linux_event_family,
	&nub_linux_timerfd_family,
	&nub_linux_memfd_family,
	&nub_linux_socket_family,
	&nub_linux_socket_option_family,
	&nub_linux_memory_family,
	&nub_linux_clock_family,
	&nub_linux_signal_family,
	&nub_linux_thread_family,
	&nub_linux_identity_family,
	&nub_linux_system_family,
	&nub_linux_sched_family,
	&nub_linux_prctl_family,
	&nub_linux_files_end_family,
	NULL,
};

static int add_call(struct nub_linux *linux, const struct nub_linux_call *call, struct nub_error *err)
{
	if (call->number >= NUB_LINUX_MAX_CALL)
		return nub_fail(err, NUB_E_INTERNAL, 0, "system call %s has number %u, the table ends at %d",
		                call->name, call->number, NUB_LINUX_MAX_CALL);
	if (linux->calls[call->number])
		return nub_fail(err, NUB_E_INTERNAL, 0, "system call %u is served twice, as %s and as %s", call->number,
		                linux->calls[call->number]->name, call->name);
	linux->calls[call->number] = call;
	return 0;
}

int nub_linux_table_fill(struct nub_linux *linux, struct nub_error *err)
{
	for (size_t i = 0; nub_linux_families[i]; i++)
		for (size_t j = 0; j < nub_linux_families[i]->call_count; j++)
			if (add_call(linux, &nub_linux_families[i]->calls[j], err) < 0)
				return -1;
	return 0;
}
