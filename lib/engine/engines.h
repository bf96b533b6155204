/* The engines that there are, each made with nothing attached. Error: NO_MEMORY. */
#ifndef NUB_ENGINES_H
#define NUB_ENGINES_H

#include "engine/engine.h"
#include "nub/host.h"

/* A virtual machine. */
struct nub_engine *nub_kvm_create(struct nub_error *err);

/* A process under seccomp; share_cpu is struct nub_config's. */
struct nub_engine *nub_process_create(bool share_cpu, struct nub_error *err);

/* Can this host run guests so, and how long does an `out` take there and back? Errors: PROCESS, NO_MEMORY. */
int nub_process_probe(double *round_trip_us, struct nub_error *err);

/* Can this host make one? All of *info but what is measured, and the kernel. Errors: KVM_MISSING, KVM_DENIED, KVM. */
int nub_kvm_probe(struct nub_host_info *info, struct nub_error *err);

#endif
