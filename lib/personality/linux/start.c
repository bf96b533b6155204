/* A program's start: files loaded, stack made, first registers set. */
#include "personality/linux/start.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/read_at.h"
#include "base/util.h"
#include "personality/linux/mm_parts.h"
#include "personality/linux/start_parts.h"

/* Where Linux puts a relocatable program (two thirds of the user half), and the room that it leaves under the stack. */
#define PROGRAM_BASE UINT64_C(0x555555554000)
#define STACK_GAP (UINT64_C(1) << 20)

/* The state of the FPU that a program starts with: FCW and MXCSR in the XSAVE area (System V ABI, 3.4.1). */
enum { XSAVE_FCW = 0, XSAVE_MXCSR = 24, START_FCW = 0x37f, START_MXCSR = 0x1f80, START_RFLAGS = 0x202 };

/* ---- Host files as backings ---- */

struct host_backing {
	struct nub_linux_backing backing;
	int fd;
};

static int64_t host_read(struct nub_linux_backing *backing, uint64_t offset, void *bytes, size_t size)
{
	const int fd = ((struct host_backing *)backing)->fd;
	const ssize_t got = offset <= (uint64_t)INT64_MAX - size ? nub_read_at(fd, bytes, size, offset) : 0;

	return got < 0 ? -errno : got;
}

static void host_release(struct nub_linux_backing *backing)
{
	close(((struct host_backing *)backing)->fd);
	free(backing->path);
	free(backing);
}

static const struct nub_linux_backing_ops host_ops = { .read = host_read, .release = host_release };

struct nub_linux_backing *nub_linux_host_backing(int fd, const char *path, struct nub_error *err)
{
	struct host_backing *host = calloc(1, sizeof(*host));
	struct stat stat;

	if (fstat(fd, &stat) < 0) {
		nub_fail_errno(err, NUB_E_IO, "%s", path);
		free(host);
		return NULL;
	}
	if (host)
		host->backing.path = strdup(path);
	if (!host || !host->backing.path) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "%s", path);
		free(host);
		return NULL;
	}
	host->fd = fd;
	host->backing.ops = &host_ops;
	host->backing.references = 1;
	host->backing.device = stat.st_dev;
	host->backing.inode = stat.st_ino;
	return &host->backing;
}

/* ---- The start ---- */

/* Where stack, mappings, program and heap begin: different in each run, unless its random numbers are given. */
static int choose_places(struct nub_linux *linux, uint64_t *base, uint64_t *brk_gap, struct nub_error *err)
{
	uint16_t random[4];
	struct nub_linux_memory *memory = linux->memory;
	uint64_t stack_size;

	if (linux->machine.ops->random(linux->machine.context, random, sizeof(random), err) < 0)
		return -1;
	nub_page_up(linux->config.stack_size, &stack_size);
	memory->stack_top = NUB_LINUX_GVA_END - random[0] * NUB_PAGE_SIZE;
	if (stack_size > memory->stack_top / 2)
		return nub_fail(err, NUB_E_SIZE, 0,
		                "a stack of %" PRIu64 " bytes is larger than the address space allows",
		                linux->config.stack_size);
	memory->top = memory->stack_top - stack_size - STACK_GAP - random[1] * NUB_PAGE_SIZE;
	*base = PROGRAM_BASE + random[2] * NUB_PAGE_SIZE;
	*brk_gap = random[3] % 4096 * NUB_PAGE_SIZE;
	return 0;
}

static int fail_interpreter(const struct nub_linux *linux, const char *interpreter, int64_t error,
                            struct nub_error *err)
{
	nub_fail(err, NUB_E_ELF_INTERPRETER, (int)-error,
	         "%s: needs the interpreter %s, which the program can't reach: %s", linux->config.path, interpreter,
	         strerror((int)-error));
	return nub_hint(err, "grant the directory that has it, as the program's root or at the same path");
}

static int load_interpreter(struct nub_linux *linux, const char *path, struct nub_linux_loaded *loaded,
                            struct nub_error *err)
{
	int64_t error = -ENOENT;
	struct nub_linux_backing *backing = linux->open_program ? linux->open_program(linux, path, &error) : NULL;

	if (!backing)
		return fail_interpreter(linux, path, error, err);
	const int result = nub_linux_load(linux, backing, path, 0, loaded, err);
	nub_linux_backing_drop(backing);
	return result;
}

/* What /proc/self/stat says of the code, and where the heap begins. */
static void note_program(struct nub_linux *linux, const struct nub_linux_loaded *loaded, uint64_t brk_gap)
{
	struct nub_linux_program *program = linux->program;
	const struct nub_elf_program *elf = &loaded->elf;

	program->bias = loaded->bias;
	program->code_start = UINT64_MAX;
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct nub_elf_program_segment *segment = &elf->segments[i];
		if (!(segment->flags & PF_X))
			continue;
		if (loaded->bias + segment->vaddr < program->code_start)
			program->code_start = loaded->bias + segment->vaddr;
		program->code_end = loaded->bias + segment->vaddr + segment->memsz;
	}
	linux->memory->brk_start = linux->memory->brk = loaded->bias + elf->high + brk_gap;
}

static void set_registers(struct nub_linux *linux, uint64_t entry, uint64_t rsp)
{
	struct nub_linux_vcpu *vcpu = &linux->current->vcpu;
	const uint16_t fcw = START_FCW;
	const uint32_t mxcsr = START_MXCSR;

	*vcpu = (struct nub_linux_vcpu){ .regs = { .rip = entry, .rsp = rsp, .rflags = START_RFLAGS } };
	memcpy(vcpu->xsave + XSAVE_FCW, &fcw, sizeof(fcw));
	memcpy(vcpu->xsave + XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

static void name_thread(struct nub_linux *linux)
{
	const char *slash = strrchr(linux->config.path, '/');
	const char *name = slash ? slash + 1 : linux->config.path;
	const size_t length = strnlen(name, sizeof(linux->current->name) - 1);

	memcpy(linux->current->name, name, length);
	linux->current->name[length] = '\0';
}

int nub_linux_start(struct nub_linux *linux, struct nub_linux_backing *backing, struct nub_error *err)
{
	struct nub_linux_loaded program, interpreter = { 0 };
	uint64_t base, brk_gap, rsp, entry;

	linux->program = calloc(1, sizeof(*linux->program));
	if (!linux->program || !(linux->program->path = strdup(linux->config.path)))
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the state of a Linux program");
	linux->program->backing = backing;
	backing->references++;
	if (choose_places(linux, &base, &brk_gap, err) < 0 ||
	    nub_linux_load(linux, backing, linux->config.path, base, &program, err) < 0)
		return -1;
	note_program(linux, &program, brk_gap);
	entry = program.bias + program.elf.entry;
	if (program.elf.interpreter[0] != '\0') {
		if (load_interpreter(linux, program.elf.interpreter, &interpreter, err) < 0)
			return -1;
		entry = interpreter.bias + interpreter.elf.entry;
	}
	if (nub_linux_map_vdso(linux, err) < 0 ||
	    nub_linux_make_stack(linux, &program, interpreter.bias, &rsp, err) < 0)
		return -1;
	name_thread(linux);
	set_registers(linux, entry, rsp);
	if (linux->end.kind == NUB_LINUX_FAILED) {
		*err = linux->error;
		return -1;
	}
	return 0;
}

void nub_linux_program_release(struct nub_linux *linux)
{
	struct nub_linux_program *program = linux->program;

	if (!program)
		return;
	nub_linux_backing_drop(program->backing);
	free(program->path);
	free(program->arguments);
	free(program->environment);
	free(program->auxv);
	free(program);
	linux->program = NULL;
}
