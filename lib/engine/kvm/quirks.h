/* Where one kind of host does otherwise than another, and what is done about it: each in one place. Pure but for reading
 * the host's CPUID.
 */
#ifndef NUB_QUIRKS_H
#define NUB_QUIRKS_H

#include <linux/kvm.h>
#include <stdbool.h>

/* Is the CPU of this host QEMU's emulation of one, TCG? Its SVM looks up the I/O bitmap only in a TSS whose type is 9, which
 * no loaded one has: a loaded TSS is busy, and of type 11 (SDM vol. 3A, 8.2.2; APM vol. 2, 12.2.2). */
bool nub_quirk_tcg(void);

/* Has this host's KVM page tables of its own in place of the guest's? Each page that is touched is then an exit to it, which
 * takes eight neighbours along if they can be written. */
bool nub_quirk_shadow_paging(void);

/* The special registers as a KVM over TCG needs them: the type of TR is set to 9 where it is 11. KVM gives it back as 11. */
void nub_quirk_tcg_sregs(struct kvm_sregs *sregs);

/* KVM_RUN came back with run->exit_reason. Was it a triple fault on SVM, whose KVM gives the vCPU the state after INIT before
 * it tells (APM vol. 2, table 14-2)? Then its general registers are lost, and its special ones are put back to `before`, the
 * last that are known: the page tables are still those. */
bool nub_quirk_registers_lost(struct kvm_run *run, const struct kvm_sregs *before);

#endif
