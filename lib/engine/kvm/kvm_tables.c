/* The address space of a guest, changed while it runs (paging/paging_edit.h), and a CPU that must not go on with what it knew.
 *
 * A hypervisor that shadows page tables learns of stores by the guest alone. So the host stores what it wants, and of all that
 * takes something away it keeps the addresses; before the guest is entered, the monitor stores the same once more. Page
 * tables that are given back are forgotten in the same way, as a whole, so that their pages can be tables again.
 */
#include "base/error.h"
#include "base/util.h"
#include "engine/kvm/kvm_engine.h"
#include "paging/paging_edit.h"

enum { AGAIN_MAX = NUB_PAGE_SIZE / sizeof(uint64_t) };
/* From so many entries of one table on, the table is forgotten. */
enum { TOO_MANY = 32 };
enum { FORGET = 1 };

#define RFLAGS_FIXED UINT64_C(2)

static uint64_t tables_gva(uint64_t gpa)
{
	return NUB_PAGE_TABLES_GVA + gpa;
}

int nub_kvm_tables_init(struct nub_kvm *kvm, struct nub_error *err)
{
	struct nub_kvm_tables *edited = &kvm->edited;

	nub_kvm_tables_release(kvm);
	edited->again = (uint64_t *)(void *)(kvm->guest.memory->scratch.host + NUB_PAGE_SIZE);
	return nub_edited_tables_init(&edited->tables, &kvm->guest, err);
}

void nub_kvm_tables_release(struct nub_kvm *kvm)
{
	nub_edited_tables_release(&kvm->edited.tables);
	kvm->edited = (struct nub_kvm_tables){ 0 };
}

/* ---- The editor's view of the guest's memory ---- */

static uint64_t *table_at(void *context, uint64_t gpa)
{
	return nub_edited_tables_at(&((const struct nub_kvm *)context)->edited.tables, gpa);
}

static uint64_t alloc_table(void *context, struct nub_error *err)
{
	return nub_edited_tables_take(&((struct nub_kvm *)context)->edited.tables, err);
}

/* One address for the monitor. The list has room. */
static void add_again(struct nub_kvm_tables *edited, uint64_t address)
{
	edited->again[edited->again_count++] = address;
}

/* Rather than by many of its entries, a table is forgotten as a whole. */
static void forget_table(struct nub_kvm_tables *edited, uint64_t table)
{
	if (edited->table == table && edited->in_table <= edited->again_count)
		edited->again_count -= edited->in_table;
	add_again(edited, tables_gva(table) | FORGET);
	edited->table = table;
	edited->in_table = 1;
}

/* What the list has no room for is forgotten with everything else: see flush. */
static bool has_room(struct nub_kvm_tables *edited)
{
	edited->overflow = edited->overflow || edited->again_count >= AGAIN_MAX - 1;
	return !edited->overflow;
}

static void release_table(void *context, uint64_t gpa)
{
	struct nub_kvm *kvm = context;

	nub_edited_tables_give(&kvm->edited.tables, gpa);
	if (has_room(&kvm->edited))
		forget_table(&kvm->edited, gpa);
}

static void entry_taken(void *context, uint64_t entry_gpa, uint64_t gva, unsigned level)
{
	struct nub_kvm *kvm = context;
	struct nub_kvm_tables *edited = &kvm->edited;
	const uint64_t table = nub_page_down(entry_gpa);

	(void)gva;
	(void)level;
	if (!has_room(edited))
		return;
	if (edited->table != table) {
		edited->table = table;
		edited->in_table = 0;
	}
	if (edited->in_table == 1 && edited->again[edited->again_count - 1] == (tables_gva(table) | FORGET))
		return;
	add_again(edited, tables_gva(entry_gpa));
	if (++edited->in_table > TOO_MANY)
		forget_table(edited, table);
}

static struct nub_pt_editor editor_of(struct nub_kvm *kvm)
{
	return (struct nub_pt_editor){ .context = kvm,
		                       .root_gpa = kvm->tables.cr3 & NUB_PTE_ADDRESS,
		                       .table = table_at,
		                       .alloc = alloc_table,
		                       .release = release_table,
		                       .taken = entry_taken };
}

int nub_kvm_map(struct nub_engine *engine, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights,
                struct nub_error *err)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);
	const struct nub_pt_editor editor = editor_of(kvm);

	if (nub_memslots_reach(kvm, gpa, size, err) < 0)
		return -1;
	return nub_pt_edit_map(&editor, gva, gpa, size, rights, err);
}

int nub_kvm_protect(struct nub_engine *engine, uint64_t gva, uint64_t size, unsigned rights, struct nub_error *err)
{
	const struct nub_pt_editor editor = editor_of(nub_kvm_of(engine));

	return nub_pt_edit_protect(&editor, gva, size, rights, err);
}

int nub_kvm_unmap(struct nub_engine *engine, uint64_t gva, uint64_t size, struct nub_error *err)
{
	const struct nub_pt_editor editor = editor_of(nub_kvm_of(engine));

	return nub_pt_edit_unmap(&editor, gva, size, err);
}

/* ---- Having it forgotten ---- */

/* Run the monitor's routine over the list. 1 when a signal came first. */
static int run_again(struct nub_kvm *kvm, const struct nub_sregs *sregs, struct nub_error *err)
{
	const uint64_t monitor = nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_MONITOR);
	const uint64_t start = monitor + ((uintptr_t)nub_monitor_again - (uintptr_t)nub_monitor_start);
	const uint64_t end = monitor + ((uintptr_t)nub_monitor_again_end - (uintptr_t)nub_monitor_start);
	const struct nub_registers regs = {
		.rip = start,
		.rsi = nub_layout_scratch_gva(&kvm->guest.plan->layout) + NUB_PAGE_SIZE,
		.rcx = kvm->edited.again_count,
		.rflags = RFLAGS_FIXED,
	};
	struct nub_sregs kernel = *sregs, of_kernel;

	nub_cpu_initial_sregs(&of_kernel, &kvm->tables, 0);
	kernel.cs = of_kernel.cs;
	kernel.ss = of_kernel.ss;
	nub_vcpu_set_regs(&kvm->vm, &regs);
	if (nub_vcpu_set_sregs(&kvm->vm, &kernel, err) < 0)
		return -1;
	const int interrupted = nub_vcpu_run(&kvm->vm, err);
	if (interrupted != 0)
		return interrupted;
	const struct kvm_run *run = kvm->vm.run;
	const uint64_t rip = run->s.regs.regs.rip;
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != NUB_PORT_EXCEPTION || rip < start || rip > end)
		return nub_fail(err, NUB_E_INTERNAL, 0,
		                "the monitor came out for exit reason %u at 0x%llx while it stored page-table entries",
		                run->exit_reason, (unsigned long long)rip);
	return 0;
}

/* As if nothing had been in between, also when it is to be tried again: a store more does no harm. */
static int by_monitor(struct nub_kvm *kvm, struct nub_error *err)
{
	struct nub_registers regs;
	struct nub_sregs sregs;

	/* The `out` of a fault first: some KVMs have yet to step over it. That of a system call is behind the vCPU. */
	if ((kvm->faulted && nub_vcpu_complete_io(&kvm->vm, err) < 0) || nub_vcpu_get_sregs(&kvm->vm, &sregs, err) < 0)
		return -1;
	nub_vcpu_get_regs(&kvm->vm, &regs);
	const int result = run_again(kvm, &sregs, err);
	nub_vcpu_set_regs(&kvm->vm, &regs);
	if (result < 0 || nub_vcpu_set_sregs(&kvm->vm, &sregs, err) < 0)
		return -1;
	return result;
}

int nub_kvm_tables_flush(struct nub_kvm *kvm, struct nub_error *err)
{
	struct nub_kvm_tables *edited = &kvm->edited;
	int result = 0;

	if (edited->again_count == 0 && !edited->overflow)
		return 0;
	/* A CPU that has never run knows nothing. */
	if (kvm->vm.has_run)
		result = edited->overflow ? nub_memslots_renew(kvm, err) : by_monitor(kvm, err);
	if (result == 0) {
		edited->again_count = edited->in_table = 0;
		edited->table = 0;
		edited->overflow = false;
	}
	return result;
}
