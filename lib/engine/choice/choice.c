/* The engine that a configuration asks for. */
#include "engine/engines.h"

struct nub_engine *nub_engine_create(enum nub_engine_kind kind, struct nub_error *err)
{
	return kind == NUB_ENGINE_PROCESS ? nub_process_create(err) : nub_kvm_create(err);
}
