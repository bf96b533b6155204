/* Exceptions: their vectors (SDM vol. 3A, table 6-1), and the error code of page faults (4.7). Names: nub_vector_name. */
#ifndef NUB_VECTORS_H
#define NUB_VECTORS_H

enum {
	NUB_VECTOR_DE = 0,
	NUB_VECTOR_DB = 1,
	NUB_VECTOR_BP = 3,
	NUB_VECTOR_UD = 6,
	NUB_VECTOR_GP = 13,
	NUB_VECTOR_PF = 14,
	NUB_VECTOR_MF = 16,
	NUB_VECTOR_AC = 17,
	NUB_VECTOR_XM = 19,
	NUB_VECTORS = 32,
};
enum { NUB_FAULT_PRESENT = 1, NUB_FAULT_WRITE = 2, NUB_FAULT_RESERVED = 8, NUB_FAULT_FETCH = 16 };

#endif
