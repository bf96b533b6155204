/* The engine's name, from the command line or the environment. */
#include "run/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static const char *const names[] = { [NUB_ENGINE_KVM] = "kvm", [NUB_ENGINE_PROCESS] = "process" };
enum { ENGINES = sizeof(names) / sizeof(names[0]) };

const char *cmd_engine_name(enum nub_engine_kind kind)
{
	return names[kind];
}

int cmd_engine_choose(unsigned option, enum nub_engine_kind *kind, struct nub_error *err)
{
	const char *wanted = getenv("NUBRUN_ENGINE");

	*kind = option != 0 ? (enum nub_engine_kind)(option - 1) : NUB_ENGINE_KVM;
	if (option != 0 || !wanted || wanted[0] == '\0')
		return 0;
	for (unsigned i = 0; i < ENGINES; i++)
		if (strcmp(wanted, names[i]) == 0) {
			*kind = (enum nub_engine_kind)i;
			return 0;
		}
	nub_fail(err, NUB_E_USAGE, 0, "NUBRUN_ENGINE: '%.200s' is not one of: kvm process", wanted);
	return nub_hint(err, "set it to process, or unset it");
}
