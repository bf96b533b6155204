/* How a guest's function is declared, for people. */
#include "guest/prototype.h"

#include <stdio.h>

void cmd_prototype(const struct nub_function *function, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "%s(", function->name);

	for (unsigned i = 0; i < function->param_count && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "",
		                         nub_type_name(function->params[i]));
	if (used < size)
		snprintf(out + used, size - used, ") -> %s", nub_type_name(function->result));
}
