/* The monitor's machine code (monitor.S) and the frame that it leaves for the host. C and assembler include this. */
#ifndef NUB_MONITOR_H
#define NUB_MONITOR_H

#define NUB_MONITOR_VECTORS 32
#define NUB_MONITOR_STUB_SIZE 16

/* Vectors for which the CPU pushes an error code (SDM vol. 3A, table 6-1): #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX. */
#define NUB_MONITOR_ERROR_CODE_VECTORS 0x60227d00

/* What the monitor stores before it returns to the guest: at the end of the page of CPU tables, NUB_MONITOR_PATCH_SIZE
 * bytes: gva of a page-table entry (0: nothing to do), its new value, a gva to invalidate. The displacement is that place
 * as 32 bits, sign-extended: (NUB_SCRATCH_TOP_GVA + 1) - 7 pages + 1 page - 24. */
#define NUB_MONITOR_PATCH_SIZE 24
#define NUB_MONITOR_PATCH_ENTRY 0
#define NUB_MONITOR_PATCH_VALUE 8
#define NUB_MONITOR_PATCH_GVA 16
#define NUB_MONITOR_PATCH_DISP (-0x1000 - 6 * 0x1000 - NUB_MONITOR_PATCH_SIZE)

#ifndef __ASSEMBLER__
#include <stdint.h>

extern const uint8_t nub_monitor_start[], nub_monitor_end[];
extern const uint8_t nub_monitor_again[], nub_monitor_again_end[]; /* what kvm_tables.c has it do */

/* On the exception stack, at rsp, when the monitor's `out` reaches the host. */
struct nub_exception_frame {
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};
#endif
#endif
