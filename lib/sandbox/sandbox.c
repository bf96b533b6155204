/* Making a sandbox: memory filled from the image, VM, vCPU in its first state; and taking it apart. */
#include "sandbox/sandbox.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/engines.h"
#include "personality/personalities.h"

static struct nub_engine *create_engine(const struct nub_config *config, struct nub_error *err)
{
	return config->engine == NUB_ENGINE_PROCESS ? nub_process_create(config->share_cpu, err) : nub_kvm_create(err);
}

static int create_personality(struct nub_sandbox *sandbox, enum nub_abi abi, struct nub_error *err)
{
	struct nub_machine *machine = &sandbox->machine;

	sandbox->personality =
	    abi == NUB_ABI_LINUX ? nub_linux_guest_create(machine, err) : nub_native_create(machine, err);
	if (!sandbox->personality || !sandbox->personality->is_program)
		return sandbox->personality ? 0 : -1;
	machine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return machine->wake_fd < 0 ? nub_fail_errno(err, NUB_E_IO, "eventfd") : 0;
}

struct nub_sandbox *nub_sandbox_new(const struct nub_config *config, enum nub_abi abi, struct nub_error *err)
{
	struct nub_sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (!sandbox) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "sandbox");
		return NULL;
	}
	sandbox->machine.config = *config;
	sandbox->machine.wake_fd = -1;
	nub_dirty_init(&sandbox->dirty);
	sandbox->machine.engine = create_engine(config, err);
	if (sandbox->machine.engine && create_personality(sandbox, abi, err) == 0)
		return sandbox;
	nub_sandbox_free(sandbox);
	return NULL;
}

struct nub_engine_guest nub_sandbox_engine_guest(struct nub_sandbox *sandbox)
{
	const struct nub_layout *layout = &sandbox->machine.plan.layout;

	return (struct nub_engine_guest){
		.memory = &sandbox->machine.memory,
		.plan = &sandbox->machine.plan,
		.cpuid = &sandbox->machine.cpuid,
		.ports = sandbox->personality->ports,
		.port_count = sandbox->personality->port_count,
		.privilege_level = sandbox->machine.guest->privilege_level,
		.root_gpa = sandbox->machine.root_gpa,
		.syscalls = sandbox->personality->is_program,
		.learns = sandbox->machine.config.learn,
		.tables_gpa = layout->page_table_gpa,
		.tables_size = layout->page_table_size,
		.tables_used = sandbox->personality->tables_used,
	};
}

bool nub_sandbox_finds_native_cpuid(const struct nub_sandbox *sandbox)
{
	return sandbox->machine.config.engine == NUB_ENGINE_PROCESS && sandbox->personality->is_program;
}

static void fill_cpuid(struct nub_sandbox *sandbox)
{
	struct nub_cpuid *cpuid = &sandbox->machine.cpuid;

	if (nub_sandbox_finds_native_cpuid(sandbox))
		nub_cpu_fill_native_features(cpuid);
	else if (sandbox->personality->is_program)
		nub_cpu_fill_program_cpuid(cpuid);
	else if (sandbox->machine.config.engine == NUB_ENGINE_PROCESS)
		/* The guest is shown the host's; a snapshot says whose that was. */
		nub_cpu_fill_features(cpuid);
	else
		nub_cpu_fill_cpuid(cpuid);
}

static int start(struct nub_sandbox *sandbox, const struct nub_image *image, struct nub_error *err)
{
	fill_cpuid(sandbox);
	const struct nub_engine_guest guest = nub_sandbox_engine_guest(sandbox);
	if (nub_cpu_check_host(&sandbox->machine.cpuid, err) < 0 ||
	    nub_engine_attach(sandbox->machine.engine, &guest, err) < 0)
		return -1;
	/* Until its CPU starts, a program may be mapped what is in files. What others have in memory is found by their CPU. */
	if (sandbox->personality->is_program && nub_personality_boot(sandbox->personality, image, err) < 0)
		return -1;
	if (nub_engine_start(sandbox->machine.engine, NULL, err) < 0)
		return -1;
	return sandbox->personality->is_program ? 0 : nub_personality_boot(sandbox->personality, image, err);
}

struct nub_sandbox *nub_sandbox_create(const struct nub_config *config, const struct nub_image *image,
                                       struct nub_error *err)
{
	struct nub_sandbox *sandbox = nub_sandbox_new(config, nub_image_info(image)->abi, err);

	if (!sandbox)
		return NULL;
	sandbox->machine.guest = nub_image_info(image);
	if (nub_personality_build(sandbox->personality, image, err) < 0 ||
	    nub_personality_begin(sandbox->personality, err) < 0 || start(sandbox, image, err) < 0) {
		nub_sandbox_free(sandbox);
		return NULL;
	}
	sandbox->machine.config.init_data = NULL;
	sandbox->machine.config.maps = NULL;
	return sandbox;
}

bool nub_sandbox_cpu_clock(const struct nub_sandbox *sandbox, int *clock)
{
	return nub_engine_cpu_clock(sandbox->machine.engine, clock);
}

void nub_sandbox_finish(struct nub_sandbox *sandbox)
{
	if (sandbox && sandbox->machine.engine)
		nub_engine_finish(sandbox->machine.engine);
}

void nub_sandbox_free(struct nub_sandbox *sandbox)
{
	if (!sandbox)
		return;
	if (sandbox->debugger)
		sandbox->debugger->hooks->release(sandbox->debugger);
	nub_personality_release(sandbox->personality);
	nub_engine_release(sandbox->machine.engine);
	nub_memory_release(&sandbox->machine.memory);
	nub_plan_release(&sandbox->machine.plan);
	nub_dirty_release(&sandbox->dirty);
	nub_close_fd(&sandbox->machine.wake_fd);
	free(sandbox->polls);
	free(sandbox);
}

const struct nub_exit_counts *nub_sandbox_exit_counts(const struct nub_sandbox *sandbox)
{
	return &sandbox->machine.exits;
}

struct nub_image *nub_sandbox_modules(struct nub_sandbox *sandbox)
{
	struct nub_image *image =
	    sandbox->personality->is_program ? nub_image_of_modules(sandbox->machine.guest->name, NULL) : NULL;

	if (image)
		nub_personality_modules(sandbox->personality, image);
	return image;
}

bool nub_sandbox_unsupported(const struct nub_sandbox *sandbox, size_t index, const char **name, uint64_t *count)
{
	return nub_personality_unsupported(sandbox->personality, index, name, count);
}

void nub_sandbox_memory_info(const struct nub_sandbox *sandbox, struct nub_memory_info *info)
{
	const struct nub_layout *layout = &sandbox->machine.plan.layout;

	*info = (struct nub_memory_info){
		.snapshot_size = layout->snapshot_size,
		.scratch_size = layout->scratch_size,
		.page_table_size = layout->page_table_size,
	};
	for (size_t i = 0; i < sandbox->machine.plan.map_count; i++)
		info->mapped_size += sandbox->machine.plan.maps[i].size;
}

int nub_sandbox_read(struct nub_sandbox *sandbox, uint64_t gva, void *bytes, size_t size, struct nub_error *err)
{
	return nub_machine_read(&sandbox->machine, gva, bytes, size, err);
}
