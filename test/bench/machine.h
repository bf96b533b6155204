/* What was measured, and on what. */
#ifndef MACHINE_H
#define MACHINE_H

#include <sys/utsname.h>

struct machine {
	char cpu[128]; /* as /proc/cpuinfo names it */
	long cores, memory_mib;
	struct utsname kernel;
	const char *kvm; /* the module behind /dev/kvm, or "unknown"; NULL when it can't be used */
	char nubrun[64]; /* what its --version says; the current folder is the build's */
};

void machine_look(struct machine *machine);

#endif
