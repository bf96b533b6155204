/* What this host offers: KVM's capabilities, and two measurements.
 *
 *     struct nub_host_info info;
 *     if (nub_host_probe(&info, &err) < 0)
 *         fprintf(stderr, "%s; %s\n", err.message, err.hint);
 */
#ifndef NUB_NUB_HOST_H
#define NUB_NUB_HOST_H

#include <stdbool.h>

#include "nub/error.h"

struct nub_host_info {
	int api_version;
	bool sync_regs, readonly_memory, immediate_exit, xsave, avx, fsgsbase;
	bool large_pages;   /* transparent huge pages can be asked for */
	bool cpl0_emulated; /* measured: supervisor code is interpreted, not run */
	double cpl0_ns_per_instruction;
	double round_trip_us; /* an out at CPL 3, to the host and back */
	char kernel[128];     /* uname release */
	char module[64];      /* "kvm_intel", "kvm_amd", …; "" when unknown */
	char emulator[32]; /* "QEMU TCG", "Bochs": the CPU below KVM is a program; "" when it is not known to be one */
};

/* What the process engine can do here: the best time of an `out` to the host and back, measured. Errors: PROCESS, NO_MEMORY. */
int nub_host_probe_process(double *round_trip_us, struct nub_error *err);

/* Look at /dev/kvm and measure. Errors: KVM_MISSING, KVM_DENIED, KVM; each with the cure in err->hint. */
int nub_host_probe(struct nub_host_info *info, struct nub_error *err);

#endif
