/* Do debug registers work here? */
#ifndef NUB_GDB_PROBE_H
#define NUB_GDB_PROBE_H

#include <stdbool.h>

/* Does this host's KVM stop a guest of this level where debug registers say so: at an instruction, or behind one that writes
 * `data`? Some take them and do nothing; one that interprets code at CPL 0 minds only the former. Costs a throw-away VM. */
bool nub_probe_debug_registers(unsigned privilege_level, bool data);

#endif
