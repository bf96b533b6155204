/* The monitor's machine code (monitor.S) and the frame that it leaves for the host. C and assembler include this. */
#ifndef NUB_MONITOR_H
#define NUB_MONITOR_H

#define NUB_MONITOR_VECTORS 32
#define NUB_MONITOR_STUB_SIZE 16

/* Vectors for which the CPU pushes an error code (SDM vol. 3A, table 6-1): #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX. */
#define NUB_MONITOR_ERROR_CODE_VECTORS 0x60227d00

#ifndef __ASSEMBLER__
#include <stdint.h>

extern const uint8_t nub_monitor_start[], nub_monitor_end[];

/* On the exception stack, at rsp, when the monitor's `out` reaches the host. */
struct nub_exception_frame {
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};
#endif
#endif
