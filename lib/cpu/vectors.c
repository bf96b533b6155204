/* The names of exceptions. */
#include "cpu/vectors.h"

#include <stddef.h>

#include "nub/outcome.h"

static const char names[NUB_VECTORS][sizeof("#DE")] = {
	[0] = "#DE",  [1] = "#DB",  [2] = "NMI",  [3] = "#BP",  [4] = "#OF",  [5] = "#BR",  [6] = "#UD",  [7] = "#NM",
	[8] = "#DF",  [10] = "#TS", [11] = "#NP", [12] = "#SS", [13] = "#GP", [14] = "#PF", [16] = "#MF", [17] = "#AC",
	[18] = "#MC", [19] = "#XM", [20] = "#VE", [21] = "#CP", [28] = "#HV", [29] = "#VC", [30] = "#SX",
};

const char *nub_vector_name(unsigned vector)
{
	return vector < NUB_VECTORS && names[vector][0] != '\0' ? names[vector] : NULL;
}
