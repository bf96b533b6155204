/* System calls by name and number, and which of them a program made in vain. */
#include <string.h>

#include "nub/program.h"
#include "personality/linux/call.h"
#include "personality/linux/guest.h"

int nub_program_call_number(const char *name)
{
	for (int number = 0; number < NUB_LINUX_MAX_CALL; number++)
		if (nub_linux_call_name((uint64_t)number) && strcmp(nub_linux_call_name((uint64_t)number), name) == 0)
			return number;
	return -1;
}

bool nub_program_served(size_t index, const char **family, const char **name)
{
	for (size_t i = 0; nub_linux_families[i]; i++) {
		if (index < nub_linux_families[i]->call_count) {
			*family = nub_linux_families[i]->name;
			*name = nub_linux_families[i]->calls[index].name;
			return true;
		}
		index -= nub_linux_families[i]->call_count;
	}
	return false;
}

bool nub_linux_guest_unsupported(const struct nub_personality *personality, size_t index, const char **name,
                                 uint64_t *count)
{
	const struct nub_linux *linux = ((const struct nub_linux_guest *)personality)->linux;

	for (size_t number = 0; linux && number < NUB_LINUX_MAX_CALL; number++) {
		if (linux->unsupported[number] == 0 || index-- > 0)
			continue;
		*name = nub_linux_call_name(number);
		if (!*name)
			*name = "unknown";
		*count = linux->unsupported[number];
		return true;
	}
	return false;
}
