/* Counters that are descriptors: eventfd(2). */
#ifndef NUB_LINUX_EVENT_H
#define NUB_LINUX_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "personality/linux/file.h"

struct nub_linux_event {
	uint64_t count;
	bool semaphore;
};

extern const struct nub_linux_file_ops nub_linux_event_ops;

/* A new one: one ref, or NULL. `flags` are O_*. */
struct nub_linux_file *nub_linux_event_open(struct nub_linux_files *files, const struct nub_linux_event *event,
                                            uint32_t flags);

#endif
