/* A small .debug_frame, good in every part: one CIE, and one FDE as compilers write it for a function that pushes rbx. */
#ifndef CFI_SAMPLE_H
#define CFI_SAMPLE_H

#include <stdint.h>

#define SAMPLE_FUNCTION 0x1000
#define SAMPLE_FUNCTION_SIZE 0x40

static const uint8_t cfi_sample[] = {
	/* CIE: length, id, version 1, no augmentation, code 1, data -8, return address in 16 */
	20,
	0,
	0,
	0,
	0xff,
	0xff,
	0xff,
	0xff,
	1,
	0,
	1,
	0x78,
	16,
	/* CFA = rsp + 8, rip at CFA - 8, padding */
	0x0c,
	7,
	8,
	0x90,
	1,
	0,
	0,
	0,
	0,
	0,
	0,
	/* FDE: length, CIE, start, length */
	36,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0x00,
	0x10,
	0,
	0,
	0,
	0,
	0,
	0,
	0x40,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	/* + 1: CFA = rsp + 16, rbx at CFA - 16 */
	0x41,
	0x0e,
	16,
	0x83,
	2,
	/* + 0x20: remember; CFA = rsp + 8; rbx as it was */
	0x60,
	0x0a,
	0x0e,
	8,
	0xc3,
	/* + 1: as remembered; padding */
	0x41,
	0x0b,
	0,
	0,
	0,
	0,
};

#endif
