/* A Linux program: made, run, taken apart. */
#include "nub/program.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/util.h"
#include "engine/engines.h"
#include "personality/linux/call.h"
#include "personality/linux/start.h"
#include "personality/linux/threads.h"
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
	bool loads = false;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(*segments) || header.e_phnum > 64 ||
	    (header.e_type != ET_EXEC && header.e_type != ET_DYN) || header.e_phoff > INT64_MAX ||
	    pread(fd, segments, header.e_phnum * sizeof(*segments), (off_t)header.e_phoff) !=
	        (ssize_t)(header.e_phnum * sizeof(*segments)))
		return false;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		loads = loads || segments[i].p_type == PT_LOAD;
		if (segments[i].p_type == PT_NOTE && has_nub_note(fd, &segments[i]))
			return false;
	}
	return loads;
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
	program->file_fd = -1;
	program->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (program->stop_fd < 0)
		nub_fail_errno(err, NUB_E_IO, "eventfd");
	else
		program->engine = config->engine == NUB_ENGINE_PROCESS ? nub_process_create(err) : nub_kvm_create(err);
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
	nub_close_fd(&program->file_fd);
	free(program->polls);
	free(program);
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
