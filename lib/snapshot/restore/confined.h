/* Do the page tables in a snapshot keep a guest at CPL 3 to what is a guest's?
 *
 * Those that are written here do. But no seal is against forgery (nub-snapshot(5)), and tables that show such a guest itself,
 * the CPU's tables or the monitor open it the way to CPL 0: to registers that only code there can change, and that only a
 * new VM is without.
 */
#ifndef NUB_CONFINED_H
#define NUB_CONFINED_H

#include <stdbool.h>

#include "snapshot/file/snapshot.h"

/* Reads all tables. False, too, when they can't be read. For snapshots of guests at CPL 3. */
bool nub_snapshot_confines(const struct nub_snapshot *snapshot);

#endif
