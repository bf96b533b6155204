/* Confinement: what this process may still do while it runs a guest. Whoever breaks out of the guest has no more than that.
 *
 *     struct nub_confine_config config = { .engine = NUB_ENGINE_KVM };
 *     unsigned held;
 *     sandbox = nub_sandbox_create(...);
 *     if (nub_confine(&config, &held, &err) == 0) ... nub_sandbox_run_main(sandbox, ...);
 *
 * It is for the whole process and its children, and for good: call it when all is open that will be needed, from the only
 * thread, before a guest's first instruction. The library never does so by itself.
 */
#ifndef NUB_NUB_CONFINE_H
#define NUB_NUB_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "nub/config.h"
#include "nub/error.h"

/* What holds, as a set. */
enum nub_confined {
	NUB_CONFINED_NO_NEW_PRIVILEGES = 1 << 0, /* prctl(2), PR_SET_NO_NEW_PRIVS */
	NUB_CONFINED_NO_CORE = 1 << 1,           /* no core of this process, which would hold its memory */
	NUB_CONFINED_LANDLOCK = 1 << 2,          /* landlock(7): only `paths` can be opened, and no TCP port */
	NUB_CONFINED_CAPABILITIES = 1 << 3,      /* capabilities(7): none is left, but see `paths` */
	NUB_CONFINED_SECCOMP = 1 << 4,           /* seccomp(2): system calls that are not needed are SIGSYS */
	NUB_CONFINED_ALL = (1 << 5) - 1,
};

/* The name of one member of the set, "seccomp"; static. */
const char *nub_confined_name(enum nub_confined part);

enum nub_confine_access {
	NUB_CONFINE_READ,  /* a file, or what is in a folder */
	NUB_CONFINE_WRITE, /* also write it; in a folder, make files, replace and remove them */
};

/* A file or a folder that may be opened. One that is not there is left out. As root in a folder of another user, CAP_DAC_OVERRIDE
 * is kept for a WRITE. */
struct nub_confine_path {
	const char *path;
	enum nub_confine_access access;
};

struct nub_confine_config {
	enum nub_engine_kind engine;
	bool resets; /* nub_sandbox_reset will be called, which may make a new virtual machine or process */
	bool
	    looks_back; /* nub_sandbox_reset, _pages, _save or _save_core: they ask /proc/self about this process's memory */
	bool debugger;    /* a debugger is attached; where it may save snapshots is among `paths` */
	bool program;     /* a Linux program is run, which has its grants in `paths` */
	bool sends_files; /* descriptors are handed on through a Unix socket, and pipes made */
	const struct nub_confine_path *paths;
	size_t path_count;
};

/* Confine this process; *held gets what holds, whatever the result. What the kernel hasn't is left out. Error: PROCESS, for what
 * it has but does not do. */
int nub_confine(const struct nub_confine_config *config, unsigned *held, struct nub_error *err);

#endif
