/* A Linux program: made, run, taken apart. */
#include "nub/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/util.h"
#include "cpu/vectors.h"
#include "engine/engines.h"
#include "personality/linux/call.h"
#include "personality/linux/start.h"
#include "personality/linux/threads.h"
#include "personality/linux/vdso_page.h"
#include "program/program_parts.h"

struct nub_program_config nub_program_config_default(void)
{
	return (struct nub_program_config){
		.stdin_fd = -1,
		.memory_size = UINT64_C(512) << 20,
		.stack_size = UINT64_C(8) << 20,
		.tmpfs_size = UINT64_C(64) << 20,
		.max_fds = 1024,
		.max_threads = 256,
	};
}

static bool has_nub_note(int fd, const Elf64_Phdr *segment)
{
	uint8_t bytes[4096];
	const size_t size = segment->p_filesz < sizeof(bytes) ? segment->p_filesz : sizeof(bytes);

	if (segment->p_offset > INT64_MAX || pread(fd, bytes, size, (off_t)segment->p_offset) != (ssize_t)size)
		return false;
	for (size_t at = 0; at + sizeof(Elf64_Nhdr) + 4 <= size;) {
		Elf64_Nhdr note;
		memcpy(&note, bytes + at, sizeof(note));
		if (note.n_type == NUB_NOTE_TYPE_ABI && note.n_namesz == 4 &&
		    memcmp(bytes + at + sizeof(note), "nub", 4) == 0)
			return true;
		const uint64_t step = sizeof(note) + (((uint64_t)note.n_namesz + 3) & ~UINT64_C(3)) +
		                      (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
		if (step > size - at)
			break;
		at += step;
	}
	return false;
}

bool nub_program_accepts(int fd)
{
	Elf64_Ehdr header;
	Elf64_Phdr segments[64];

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(*segments) || header.e_phnum > 64 ||
	    (header.e_type != ET_EXEC && header.e_type != ET_DYN) || header.e_phoff > INT64_MAX ||
	    pread(fd, segments, header.e_phnum * sizeof(*segments), (off_t)header.e_phoff) !=
	        (ssize_t)(header.e_phnum * sizeof(*segments)))
		return false;
	for (unsigned i = 0; i < header.e_phnum; i++)
		if (segments[i].p_type == PT_NOTE && has_nub_note(fd, &segments[i]))
			return false;
	return true;
}

/* ---- Life ---- */

static int attach(struct nub_program *program, uint64_t tables_used, struct nub_error *err)
{
	static const uint8_t ports[] = { NUB_ENGINE_PORT_MAX };
	const struct nub_layout *layout = &program->plan.layout;
	const struct nub_engine_guest guest = {
		.memory = &program->memory,
		.plan = &program->plan,
		.cpuid = &program->cpuid,
		.ports = ports,
		.port_count = sizeof(ports),
		.privilege_level = 3,
		.root_gpa = layout->page_table_gpa,
		.syscalls = true,
		.tables_gpa = layout->page_table_gpa,
		.tables_size = layout->page_table_size,
		.tables_used = tables_used,
	};

	nub_cpu_fill_cpuid(&program->cpuid);
	if (nub_cpu_check_host(&program->cpuid, err) < 0 || nub_engine_attach(program->engine, &guest, err) < 0)
		return -1;
	return nub_engine_start(program->engine, NULL, err);
}

static int make_linux(struct nub_program *program, struct nub_error *err)
{
	const struct nub_program_config *config = &program->config;
	const struct nub_linux_machine machine = {
		.ops = &nub_program_machine_ops,
		.context = program,
		.xcr0 = program->engine->xcr0,
	};
	const struct nub_linux_config linux_config = {
		.argv = config->argv,
		.envp = config->envp,
		.path = config->path,
		.grants = config->grants,
		.grant_count = config->grant_count,
		.stdin_fd = config->stdin_fd,
		.output_fds = { config->output_fds[0], config->output_fds[1] },
		.stack_size = config->stack_size,
		.max_fds = config->max_fds,
		.max_threads = config->max_threads,
		.tmpfs_size = config->tmpfs_size,
		.allow_wx = config->allow_wx,
		.strict = config->strict,
		.deterministic = config->has_seed,
		.trace = config->trace,
		.trace_context = config->trace_context,
	};

	program->linux = nub_linux_make(&linux_config, &machine, err);
	if (!program->linux)
		return -1;
	if (config->slice_ns != 0)
		program->linux->threads->slice_ns = config->slice_ns;
	return 0;
}

static int load(struct nub_program *program, int fd, struct nub_error *err)
{
	struct nub_linux_backing *backing;
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return nub_fail_errno(err, NUB_E_IO, "%s", program->config.path);
	backing = nub_linux_host_backing(copy, program->config.path, err);
	if (!backing) {
		close(copy);
		return -1;
	}
	const int result = nub_linux_start(program->linux, backing, err);
	nub_linux_backing_drop(backing);
	return result;
}

struct nub_program *nub_program_new(const struct nub_program_config *config, struct nub_error *err)
{
	struct nub_program *program = calloc(1, sizeof(*program));
	uint64_t tables_used;

	if (!program) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "a program");
		return NULL;
	}
	program->config = *config;
	program->random = (struct nub_random){ .seeded = config->has_seed, .state = config->seed };
	program->calls_left = config->stop_call_count;
	program->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (program->stop_fd < 0)
		nub_fail_errno(err, NUB_E_IO, "eventfd");
	else
		program->engine = nub_kvm_create(err);
	if (program->engine && nub_program_make_memory(program, &tables_used, err) == 0 &&
	    attach(program, tables_used, err) == 0 && make_linux(program, err) == 0)
		return program;
	nub_program_free(program);
	return NULL;
}

struct nub_program *nub_program_create(const struct nub_program_config *config, int fd, struct nub_error *err)
{
	struct nub_program *program = nub_program_new(config, err);

	if (program && load(program, fd, err) == 0)
		return program;
	nub_program_free(program);
	return NULL;
}

void nub_program_free(struct nub_program *program)
{
	if (!program)
		return;
	nub_linux_release(program->linux);
	nub_engine_release(program->engine);
	nub_memory_release(&program->memory);
	nub_plan_release(&program->plan);
	nub_close_fd(&program->stop_fd);
	free(program->polls);
	free(program);
}

/* ---- Running ---- */

/* Nothing is to be roused any more. */
static void calm(struct nub_program *program)
{
	uint64_t count;

	nub_engine_unkick(program->engine);
	if (read(program->stop_fd, &count, sizeof(count)) < 0)
		errno = 0;
}

/* Is the run to end now, by nub_program_stop or its deadline? */
static bool must_end(struct nub_program *program, struct nub_outcome *outcome)
{
	if (program->stop) {
		program->stop = 0;
		calm(program);
		outcome->kind = NUB_OUTCOME_INTERRUPTED;
		return true;
	}
	if (!nub_deadline_passed(&program->deadline))
		return false;
	outcome->kind = NUB_OUTCOME_TIMED_OUT;
	return true;
}

/* Is it to stop here, to be saved? The current thread's registers are known. */
static bool must_freeze(struct nub_program *program, struct nub_outcome *outcome)
{
	if (!program->freeze && (program->stop_at_ns == 0 || nub_clock_ns() < program->stop_at_ns))
		return false;
	if (program->freeze)
		calm(program);
	program->freeze = 0;
	program->stop_at_ns = 0;
	program->stopped = true;
	outcome->kind = NUB_OUTCOME_CHECKPOINT;
	return true;
}

/* The call that it is to stop before is made: then it has not been. `syscall` is two bytes long. */
static bool stops_before_call(struct nub_program *program)
{
	struct nub_registers regs = program->engine->regs;
	struct nub_error err = { 0 };

	if (program->calls_left == 0 || regs.rax != program->config.stop_call || --program->calls_left > 0)
		return false;
	regs.rip -= 2;
	program->linux->current->vcpu.regs = regs;
	if (nub_engine_set_regs(program->engine, &regs, &err) < 0)
		nub_linux_fail(program->linux, &err);
	program->freeze = 1;
	return true;
}

/* All threads wait: until a host descriptor is ready, something is due, or the run is to end. */
static int wait_for_host(struct nub_program *program, const struct nub_linux_idle *idle, struct nub_error *err)
{
	uint64_t until = idle->has_deadline ? idle->deadline_ns : UINT64_MAX;
	const uint64_t now = nub_clock_ns();

	if (idle->poll_count >= program->poll_capacity) {
		struct pollfd *polls = realloc(program->polls, (idle->poll_count + 1) * sizeof(*polls));
		if (!polls)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu descriptors", idle->poll_count);
		program->polls = polls;
		program->poll_capacity = idle->poll_count + 1;
	}
	if (idle->poll_count > 0)
		memcpy(program->polls, idle->polls, idle->poll_count * sizeof(*idle->polls));
	program->polls[idle->poll_count] = (struct pollfd){ .fd = program->stop_fd, .events = POLLIN };
	if (program->deadline.at_ns != 0 && program->deadline.at_ns < until)
		until = program->deadline.at_ns;
	if (program->stop_at_ns != 0 && program->stop_at_ns < until)
		until = program->stop_at_ns;
	const uint64_t left = until > now ? until - now : 0;
	const struct timespec timeout = { .tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000) };
	if (ppoll(program->polls, idle->poll_count + 1, until == UINT64_MAX ? NULL : &timeout, NULL) < 0 &&
	    errno != EINTR)
		return nub_fail_errno(err, NUB_E_IO, "ppoll");
	return 0;
}

/* Serve an exit of the engine. False when it ends the run: *outcome is filled. */
static bool serve(struct nub_program *program, const struct nub_exit *exit, struct nub_outcome *outcome)
{
	switch (exit->kind) {
	case NUB_EXIT_SYSCALL:
		program->exits.call++;
		if (!stops_before_call(program))
			nub_linux_syscall(program->linux);
		return true;
	case NUB_EXIT_FAULT:
		program->exits.exception++;
		nub_linux_fault(program->linux, exit->fault.vector, exit->fault.error_code, exit->fault.address);
		return true;
	case NUB_EXIT_PORT:
		/* The engine's own port, by code of the program's: what any other port is, too. */
		nub_linux_fault(program->linux, NUB_VECTOR_GP, 0, 0);
		return true;
	case NUB_EXIT_NO_MEMORY:
		nub_program_tell_crash(program, NUB_CRASH_NO_MEMORY, outcome);
		outcome->crash.has_address = true;
		outcome->crash.address = exit->no_memory.gpa;
		return false;
	case NUB_EXIT_HALT:
		nub_program_tell_crash(program, NUB_CRASH_HALTED, outcome);
		return false;
	case NUB_EXIT_STUCK:
		nub_program_tell_crash(program, NUB_CRASH_EMULATION, outcome);
		return false;
	default:
		nub_program_tell_crash(program, NUB_CRASH_TRIPLE_FAULT, outcome);
		return false;
	}
}

enum turn {
	TURN_FAILED,
	TURN_OVER,  /* *outcome is filled */
	TURN_AGAIN, /* nothing has happened that the personality is to know of */
	TURN_SERVED,
};

/* A signal ended the engine's run. In the middle of the engine's own code the program's registers are not to be had, so it goes
 * on for the little that is left of it. */
static enum turn serve_signal(struct nub_program *program, struct nub_outcome *outcome)
{
	const bool slice_over = nub_program_slice_over(program);

	program->exits.interrupted++;
	if (must_end(program, outcome))
		return TURN_OVER;
	if (program->freeze)
		nub_engine_unkick(program->engine);
	if (!nub_engine_in_guest(program->engine)) {
		if (slice_over)
			nub_program_slice_soon(program);
		return TURN_AGAIN;
	}
	if (slice_over)
		nub_linux_preempt(program->linux);
	else
		nub_linux_stopped(program->linux);
	return TURN_SERVED;
}

/* Enter the vCPU once, and serve the exit by which it comes back. */
static enum turn turn(struct nub_program *program, struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_exit exit;

	nub_linux_vdso_refresh(program->linux);
	if (nub_program_arm_slice(program, err) < 0 || nub_engine_run(program->engine, &exit, err) < 0)
		return TURN_FAILED;
	program->exits.total++;
	if (exit.kind == NUB_EXIT_INTERRUPTED)
		return serve_signal(program, outcome);
	if (exit.kind == NUB_EXIT_MENDED)
		return TURN_AGAIN;
	return serve(program, &exit, outcome) ? TURN_SERVED : TURN_OVER;
}

static int run_loop(struct nub_program *program, struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_linux_idle idle;
	enum turn result;

	for (;;) {
		if (program->stop && must_end(program, outcome))
			return 0;
		switch (nub_linux_next(program->linux, &idle)) {
		case NUB_LINUX_ENDED:
			return nub_program_tell_end(program, outcome, err);
		case NUB_LINUX_IDLE:
			if (wait_for_host(program, &idle, err) < 0)
				return -1;
			if (must_end(program, outcome) || must_freeze(program, outcome))
				return 0;
			break;
		case NUB_LINUX_RUN:
			if (must_freeze(program, outcome))
				return 0;
			do
				result = turn(program, outcome, err);
			while (result == TURN_AGAIN);
			if (result != TURN_SERVED)
				return result == TURN_OVER ? 0 : -1;
			break;
		}
	}
}

int nub_program_run(struct nub_program *program, struct nub_outcome *outcome, struct nub_error *err)
{
	memset(outcome, 0, sizeof(*outcome));
	if (nub_linux_ended(program->linux))
		return nub_fail(err, NUB_E_STATE, 0, "%s: has ended, it can't be run again", program->config.path);
	if (nub_deadline_start(&program->deadline, program->engine, program->config.timeout_ns, err) < 0)
		return -1;
	program->stopped = false;
	program->stop_at_ns = program->config.stop_after_ns ? nub_clock_ns() + program->config.stop_after_ns : 0;
	const int result = run_loop(program, outcome, err);
	nub_program_disarm_slice(program);
	nub_deadline_stop(&program->deadline);
	return result;
}

/* End the engine's run, or the wait, that is under way. */
static void rouse(struct nub_program *program)
{
	const uint64_t one = 1;
	const int saved = errno;

	nub_engine_kick(program->engine);
	/* It can't be full. */
	if (write(program->stop_fd, &one, sizeof(one)) < 0)
		errno = saved;
}

void nub_program_stop(struct nub_program *program)
{
	program->stop = 1;
	rouse(program);
}

void nub_program_freeze(struct nub_program *program)
{
	program->freeze = 1;
	rouse(program);
}

/* ---- What is told ---- */

uint64_t nub_program_remaining_ns(const struct nub_program *program)
{
	const uint64_t at = program->deadline.at_ns, now = at ? nub_clock_ns() : 0;

	if (program->stop)
		return 0;
	if (at == 0)
		return UINT64_MAX;
	return now < at ? at - now : 0;
}

const struct nub_exit_counts *nub_program_exit_counts(const struct nub_program *program)
{
	return &program->exits;
}

int nub_program_call_number(const char *name)
{
	for (int number = 0; number < NUB_LINUX_MAX_CALL; number++)
		if (nub_linux_call_name((uint64_t)number) && strcmp(nub_linux_call_name((uint64_t)number), name) == 0)
			return number;
	return -1;
}

bool nub_program_unsupported(const struct nub_program *program, size_t index, const char **name, uint64_t *count)
{
	for (size_t number = 0; number < NUB_LINUX_MAX_CALL; number++) {
		if (program->linux->unsupported[number] == 0 || index-- > 0)
			continue;
		*name = nub_linux_call_name(number);
		if (!*name)
			*name = "unknown";
		*count = program->linux->unsupported[number];
		return true;
	}
	return false;
}
