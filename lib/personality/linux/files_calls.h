/* The families of calls that are about files, for the row in table.c. The first makes and releases what all use. */
#ifndef NUB_LINUX_FILES_CALLS_H
#define NUB_LINUX_FILES_CALLS_H

#include "personality/linux/call.h"

extern const struct nub_linux_family nub_linux_files_family, nub_linux_files_end_family, nub_linux_rw_family,
    nub_linux_fd_family, nub_linux_open_family, nub_linux_stat_family, nub_linux_names_family, nub_linux_rename_family,
    nub_linux_directory_family, nub_linux_attributes_family, nub_linux_content_family, nub_linux_xattr_family,
    nub_linux_ioctl_family, nub_linux_pipe_family, nub_linux_poll_family, nub_linux_select_family,
    nub_linux_epoll_family, nub_linux_event_family, nub_linux_timerfd_family, nub_linux_memfd_family,
    nub_linux_socket_family, nub_linux_socket_option_family;

#endif
