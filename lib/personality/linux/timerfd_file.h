/* Timers that are descriptors: the descriptor of timerfd_create(2); its time is in clocks.h. */
#ifndef NUB_LINUX_TIMERFD_FILE_H
#define NUB_LINUX_TIMERFD_FILE_H

#include "personality/linux/clocks.h"
#include "personality/linux/file.h"

extern const struct nub_linux_file_ops nub_linux_timerfd_ops;

/* A new one: one ref, or NULL. `flags` are O_*. */
struct nub_linux_file *nub_linux_timerfd_open(struct nub_linux_files *files, const struct nub_linux_timerfd *timer,
                                              uint32_t flags);

#endif
