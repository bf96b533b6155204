/* A guest that is a Linux program: made, loaded from its file or from a snapshot, saved, taken apart. */
#include "personality/linux/guest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "elf/elf_image.h"
#include "personality/linux/call.h"
#include "personality/linux/contents.h"
#include "personality/linux/mm.h"
#include "personality/linux/start.h"
#include "personality/linux/state.h"
#include "personality/linux/state_survey.h"
#include "personality/linux/threads.h"
#include "personality/personalities.h"

/* ---- The program ---- */

static int make_linux(struct nub_linux_guest *guest, struct nub_error *err)
{
	const struct nub_config *config = &guest->personality.machine->config;
	const struct nub_program_config *program = &config->program;
	const struct nub_linux_machine machine = {
		.ops = &nub_linux_guest_machine_ops,
		.context = guest,
		.xcr0 = guest->personality.machine->engine->xcr0,
	};
	const struct nub_linux_config linux_config = {
		.argv = program->argv,
		.envp = program->envp,
		.copy_argv = program->copy_argv,
		.copy_envp = program->copy_envp,
		.path = program->path,
		.grants = program->grants,
		.grant_count = program->grant_count,
		.stdin_fd = program->stdin_fd,
		.output_fds = { program->output_fds[0], program->output_fds[1] },
		.stack_size = program->stack_size,
		.max_fds = program->max_fds,
		.max_threads = program->max_threads,
		.has_umask = program->has_umask,
		.umask = program->umask,
		.tmpfs_size = program->tmpfs_size,
		.allow_wx = config->allow_wx,
		.strict = program->strict,
		.accept_changed = program->accept_changed,
		.deterministic = config->has_seed,
		.stop_at_checkpoint = config->stop_at_checkpoint,
		.trace = program->trace,
		.trace_context = program->trace_context,
	};

	guest->random = (struct nub_random){ .seeded = config->has_seed, .state = config->seed };
	guest->calls_left = program->stop_call_count;
	nub_linux_release(guest->linux);
	guest->linux = nub_linux_make(&linux_config, &machine, err);
	if (!guest->linux)
		return -1;
	if (program->slice_ns != 0)
		guest->linux->threads->slice_ns = program->slice_ns;
	return 0;
}

static int load_file(struct nub_linux_guest *guest, const struct nub_image *image, struct nub_error *err)
{
	const char *path = guest->personality.machine->config.program.path;
	const int copy = fcntl(nub_image_program_fd(image), F_DUPFD_CLOEXEC, 0);
	struct nub_linux_backing *backing;

	if (copy < 0)
		return nub_fail_errno(err, NUB_E_IO, "%s", path);
	backing = nub_linux_host_backing(copy, path, err);
	if (!backing) {
		close(copy);
		return -1;
	}
	const int result = nub_linux_start(guest->linux, backing, err);
	nub_linux_backing_drop(backing);
	return result;
}

/* What the image says, at the addresses where the program is. */
static void note_places(struct nub_linux_guest *guest, const struct nub_image *image)
{
	struct nub_machine *machine = guest->personality.machine;
	const struct nub_linux_program *program = guest->linux->program;

	guest->info = *nub_image_info(image);
	guest->info.image_base += program->bias;
	guest->info.entry += program->bias;
	machine->guest = &guest->info;
}

static int boot(struct nub_personality *personality, const struct nub_image *image, struct nub_error *err)
{
	struct nub_linux_guest *guest = nub_linux_guest_of(personality);

	if (make_linux(guest, err) < 0 || load_file(guest, image, err) < 0)
		return -1;
	note_places(guest, image);
	return 0;
}

/* ---- Snapshots ---- */

static int load(struct nub_personality *personality, const struct nub_personality_state *state,
                const struct nub_registers *resumed, struct nub_error *err)
{
	struct nub_linux_guest *guest = nub_linux_guest_of(personality);
	struct nub_cursor cursor = { .bytes = state->program.bytes,
		                     .size = state->program.size,
		                     .whole = "the program's state",
		                     .kind = NUB_E_SNAPSHOT_TRUNCATED,
		                     .err = err };

	(void)resumed;
	return make_linux(guest, err) < 0 ? -1 : nub_linux_restore(guest->linux, &cursor);
}

/* The registers of a thread that is not on the CPU. */
static void take_thread(const struct nub_linux_thread *thread, struct nub_cpu *cpu)
{
	cpu->regs = thread->vcpu.regs;
	cpu->sregs.fs.base = thread->vcpu.fs_base;
	cpu->sregs.gs.base = thread->vcpu.gs_base;
	nub_linux_copy_xsave(cpu->xsave, thread->vcpu.xsave);
}

/* Of the thread that is on the CPU, the machine has the most. */
static bool thread_at(struct nub_personality *personality, size_t index, struct nub_guest_thread *out)
{
	struct nub_linux_guest *guest = nub_linux_guest_of(personality);
	const struct nub_linux *linux = guest->linux;

	if (!linux || index >= linux->threads->count)
		return false;
	const struct nub_linux_thread *thread = linux->threads->list[index];
	struct nub_linux_vcpu vcpu = thread->vcpu;
	if (thread == linux->threads->on_vcpu && nub_linux_guest_machine_ops.get_vcpu(guest, &vcpu, NULL) == 0 &&
	    thread == linux->current && nub_linux_ended(linux))
		vcpu.regs = thread->vcpu.regs;
	nub_linux_tell_thread(linux, thread, &vcpu, out);
	return true;
}

static const uint8_t *auxv(const struct nub_personality *personality, size_t *size)
{
	const struct nub_linux *linux = ((const struct nub_linux_guest *)personality)->linux;
	const struct nub_linux_program *program = linux ? linux->program : NULL;

	*size = program ? program->auxv_size : 0;
	return program ? program->auxv : NULL;
}

/* Why nub_linux_save ended the run. */
static int fail_save(const struct nub_linux *linux, struct nub_error *err)
{
	if (linux->end.kind != NUB_LINUX_FAILED)
		return nub_fail(err, NUB_E_MEMORY_TOO_SMALL, 0, "%s: %.400s", linux->config.path, linux->end.message);
	if (err)
		*err = linux->error;
	return -1;
}

/* The CPU of a snapshot is the thread's that is on it, or else the first one's: all of them are in the state. */
static int save(struct nub_personality *personality, struct nub_personality_state *state, struct nub_cpu *cpu,
                bool stopped, struct nub_error *err)
{
	struct nub_linux *linux = nub_linux_guest_of(personality)->linux;
	struct nub_writer writer = { .buffer = &state->program, .err = err };

	(void)stopped;
	nub_linux_save(linux, &writer);
	if (nub_linux_ended(linux))
		return fail_save(linux, err);
	if (writer.failed)
		return -1;
	if (nub_linux_contents(linux, &state->items, err) < 0)
		return -1;
	const struct nub_linux_thread *thread = linux->current ? linux->current : linux->threads->list[0];
	if (thread != linux->threads->on_vcpu)
		take_thread(thread, cpu);
	return nub_linux_guest_regions(personality, err);
}

/* ---- Life ---- */

/* All that waits is in its state. */
static bool at_rest(const struct nub_personality *personality)
{
	(void)personality;
	return true;
}

static void discard(struct nub_personality *personality)
{
	(void)personality;
}

static void release(struct nub_personality *personality)
{
	struct nub_linux_guest *guest = nub_linux_guest_of(personality);

	nub_linux_release(guest->linux);
	free(guest);
}

static const struct nub_personality_ops ops = {
	.build = nub_linux_guest_build,
	.place = nub_linux_guest_place,
	.begin = nub_linux_guest_begin,
	.boot = boot,
	.load = load,
	.save = save,
	.regions = nub_linux_guest_regions,
	.region_name = nub_linux_guest_region_name,
	.thread = thread_at,
	.survey = nub_linux_guest_survey,
	.modules = nub_linux_guest_modules,
	.auxv = auxv,
	.at_rest = at_rest,
	.enter = nub_linux_guest_enter,
	.next = nub_linux_guest_next,
	.serve = nub_linux_guest_serve,
	.interrupted = nub_linux_guest_interrupted,
	.leave = nub_linux_guest_leave,
	.exit_name = nub_linux_guest_exit_name,
	.unsupported = nub_linux_guest_unsupported,
	.discard = discard,
	.release = release,
};

struct nub_personality *nub_linux_guest_create(struct nub_machine *machine, struct nub_error *err)
{
	static const uint8_t ports[] = { NUB_ENGINE_PORT_MAX };
	struct nub_linux_guest *guest = calloc(1, sizeof(*guest));

	if (!guest) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "personality");
		return NULL;
	}
	guest->personality = (struct nub_personality){
		.ops = &ops,
		.machine = machine,
		.ports = ports,
		.port_count = sizeof(ports),
		.is_program = true,
		.debug = &nub_linux_guest_debug_ops,
	};
	return &guest->personality;
}
