/* What restoring a sandbox (restore.c) and putting one back in place (reset.c) have in common. Private. */
#ifndef NUB_RESTORE_H
#define NUB_RESTORE_H

#include "sandbox/sandbox.h"

struct nub_snapshot;

/* Has this host's CPU what the snapshot needs? Takes the CPUID that its guest is shown. Error: SNAPSHOT_CPU. */
int nub_restore_check_cpu(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err);

/* Identity, plan and memory of the snapshot, into a sandbox that has no memory: mapped, tables and scratch filled. */
int nub_restore_take_memory(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err);

/* A step of that alone: page tables into scratch (cow=guest). */
int nub_restore_copy_tables(struct nub_sandbox *sandbox, struct nub_error *err);

/* Another: make those pages ready of which the snapshot says that they will be needed, if it does; 32 MiB at most. */
int nub_restore_own_working_set(struct nub_sandbox *sandbox, struct nub_error *err);

/* Another: copies of the pages that a program will write to, where the engine says that a touch is dear. */
int nub_restore_own_ahead(struct nub_sandbox *sandbox, struct nub_error *err);

/* Memory is mapped and filled: its engine, registers, and what the sandbox is now. */
int nub_restore_start(struct nub_sandbox *sandbox, struct nub_error *err);

#endif
