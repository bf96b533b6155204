/* The start of a Linux program: segments, stack, auxiliary vector, registers, vdso, over a machine that executes nothing. */
#include "elf_sample.h"
#include "linux_alone.h"
#include "unit.h"

#include <asm/unistd_64.h>
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "elf/elf_program.h"
#include "personality/linux/mm_parts.h"
#include "personality/linux/start.h"
#include "personality/linux/vdso_page.h"

static const char *const argv[] = { "prog", "first argument", "", NULL };
static const char *const envp[] = { "HOME=/", "X=y z", NULL };

/* The sample, with its data segment on a page of the file of its own, as linkers do for programs that are mapped. */
enum { DATA_OFFSET = 0x1000 };

struct program {
	struct nub_linux_backing backing;
	struct elf_sample elf;
	size_t size;
};

static int64_t read_sample(void *context, uint64_t offset, void *bytes, size_t size)
{
	const struct program *program = context;
	static uint8_t image[DATA_OFFSET + sizeof(struct elf_sample)];
	const size_t data = offsetof(struct elf_sample, pointers);

	memset(image, 0xee, sizeof(image));
	memcpy(image, &program->elf, sizeof(program->elf));
	memcpy(image + DATA_OFFSET, (const uint8_t *)&program->elf + data, sizeof(program->elf) - data);
	if (offset >= program->size)
		return 0;
	if (size > program->size - offset)
		size = program->size - offset;
	memcpy(bytes, image + offset, size);
	return (int64_t)size;
}

static int64_t read_program(struct nub_linux_backing *backing, uint64_t offset, void *bytes, size_t size)
{
	return read_sample(backing, offset, bytes, size);
}

static void release_program(struct nub_linux_backing *backing)
{
	(void)backing;
}

static const struct nub_linux_backing_ops program_ops = { .read = read_program, .release = release_program };
static struct program program, interpreter;
static struct alone alone;

static void make_program(struct program *made, bool relocatable)
{
	elf_sample_init(&made->elf, relocatable);
	made->backing = (struct nub_linux_backing){ .ops = &program_ops, .references = 1 };
	made->elf.segments[SAMPLE_RW].p_offset = DATA_OFFSET;
	made->size = DATA_OFFSET + sizeof(made->elf) - offsetof(struct elf_sample, pointers);
}

static int setup(void **state)
{
	struct nub_linux_config config = fake_config();

	(void)state;
	config.argv = argv;
	config.envp = envp;
	config.path = "/usr/bin/prog";
	alone_init(&alone, 4 * NUB_LARGE_PAGE_SIZE, &config);
	alone.fake.random = 99;
	make_program(&program, true);
	make_program(&interpreter, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	alone_release(&alone);
	return 0;
}

static uint64_t word_at(uint64_t gva)
{
	uint64_t word;

	assert_int_equal(nub_linux_read(alone.linux, gva, &word, sizeof(word)), 0);
	return word;
}

static void assert_string_at(uint64_t gva, const char *expected)
{
	char text[256];

	assert_true(nub_linux_read_string(alone.linux, gva, text, sizeof(text)) >= 0);
	assert_string_equal(text, expected);
}

static uint64_t aux(uint64_t gva, uint64_t type)
{
	for (; word_at(gva) != AT_NULL; gva += 16)
		if (word_at(gva) == type)
			return word_at(gva + 8);
	return 0;
}

static uint64_t start(void)
{
	struct nub_error err = { 0 };

	if (nub_linux_start(alone.linux, &program.backing, &err) < 0)
		fail_msg("%s", err.message);
	return alone.linux->current->vcpu.regs.rsp;
}

static void stack_is_as_linux_makes_it(void **state)
{
	const uint64_t rsp = start();
	uint64_t at = rsp, strings;

	(void)state;
	assert_int_equal(rsp % 16, 0);
	assert_int_equal(word_at(at), 3);
	strings = word_at(at + 8);
	for (unsigned i = 0; i < 3; i++)
		assert_string_at(word_at(at + 8 + 8 * i), argv[i]);
	assert_int_equal(word_at(at + 32), 0);
	assert_string_at(word_at(at + 40), "HOME=/");
	assert_string_at(word_at(at + 48), "X=y z");
	assert_int_equal(word_at(at + 56), 0);
	/* The strings follow one another, argv before envp, as programs that rename themselves expect. */
	assert_int_equal(word_at(at + 16), strings + sizeof("prog"));
	assert_int_equal(word_at(at + 40), strings + sizeof("prog") + sizeof("first argument") + 1);
	at += 64;
	assert_int_equal(aux(at, AT_PAGESZ), 4096);
	assert_int_equal(aux(at, AT_PHNUM), SAMPLE_SEGMENTS);
	assert_string_at(aux(at, AT_EXECFN), "/usr/bin/prog");
	assert_string_at(aux(at, AT_PLATFORM), "x86_64");
	assert_int_equal(aux(at, AT_BASE), 0);
	assert_int_equal(aux(at, AT_RANDOM), alone.linux->program->random_gva);
	assert_true(word_at(aux(at, AT_RANDOM)) > 0 && word_at(aux(at, AT_RANDOM) + 8) > 0);
	assert_true(aux(at, AT_MINSIGSTKSZ) >= 2048);
	assert_int_equal(word_at(aux(at, AT_PHDR)) & 0xffffffff, PT_LOAD);
	assert_int_equal(word_at(nub_linux_memory_use(alone.linux).stack_top - 8), 0);
	assert_int_equal(alone.linux->program->auxv_size % 16, 0);
	assert_memory_equal(alone.linux->program->arguments, "prog\0first argument\0", 21);
	assert_int_equal(alone.linux->program->arguments_size, 21);
	assert_int_equal(alone.linux->program->environment_size, 13);
}

static void registers_are_those_of_a_new_program(void **state)
{
	const struct nub_linux_vcpu *vcpu = &alone.linux->current->vcpu;
	uint16_t fcw;
	uint32_t mxcsr;

	(void)state;
	start();
	assert_int_equal(vcpu->regs.rflags, 0x202);
	assert_int_equal(vcpu->regs.rdx, 0);
	assert_int_equal(vcpu->fs_base, 0);
	memcpy(&fcw, vcpu->xsave, sizeof(fcw));
	memcpy(&mxcsr, vcpu->xsave + 24, sizeof(mxcsr));
	assert_int_equal(fcw, 0x37f);
	assert_int_equal(mxcsr, 0x1f80);
	assert_string_equal(alone.linux->current->name, "prog");
	/* At the entry, which is there to be executed. */
	assert_int_equal(nub_linux_touch(alone.linux, vcpu->regs.rip, NUB_LINUX_EXECUTE), NUB_LINUX_TOUCH_OK);
	assert_int_equal(word_at(vcpu->regs.rip), 0x9090909090909090);
	assert_in_range(vcpu->regs.rip, 0x555555554000, 0x565555554000);
}

static void data_is_followed_by_zeros(void **state)
{
	uint64_t data;

	(void)state;
	start();
	data = alone.linux->program->code_start + SAMPLE_DATA;
	assert_int_equal(word_at(data + 8), 0x1122334455667788);
	/* What the file has after the segment's bytes is not there. */
	assert_int_equal(word_at(data + program.elf.segments[SAMPLE_RW].p_filesz + 7), 0);
	assert_int_equal(word_at(data + SAMPLE_DATA_MEMORY - 8), 0);
	assert_int_equal(nub_linux_touch(alone.linux, data, NUB_LINUX_EXECUTE), NUB_LINUX_TOUCH_FORBIDDEN);
	assert_int_equal(nub_linux_touch(alone.linux, alone.linux->program->code_start, NUB_LINUX_WRITE),
	                 NUB_LINUX_TOUCH_FORBIDDEN);
	const struct nub_linux_memory_use use = nub_linux_memory_use(alone.linux);
	assert_true(use.brk_start >= data + SAMPLE_DATA_MEMORY && use.brk == use.brk_start);
	assert_int_equal(use.brk % 4096, 0);
}

static void static_program_is_where_it_says(void **state)
{
	(void)state;
	make_program(&program, false);
	start();
	assert_int_equal(alone.linux->current->vcpu.regs.rip, program.elf.header.e_entry);
	assert_int_equal(alone.linux->program->code_start, SAMPLE_EXEC_BASE);
}

static struct nub_linux_backing *open_interpreter(struct nub_linux *linux, const char *path, int64_t *error)
{
	(void)linux;
	assert_string_equal(path, "/lib64/ld.so");
	*error = -ENOENT;
	if (interpreter.backing.references == 0)
		return NULL;
	interpreter.backing.references++;
	return &interpreter.backing;
}

static void add_interpreter(void)
{
	program.elf.segments[SAMPLE_SPARE] =
	    sample_segment(PT_INTERP, PF_R, offsetof(struct elf_sample, interpreter), 0, 13);
	alone.linux->open_program = open_interpreter;
}

static void interpreter_is_entered_first(void **state)
{
	uint64_t rsp, base;

	(void)state;
	add_interpreter();
	rsp = start();
	base = aux(rsp + 64, AT_BASE);
	assert_true(base != 0 && base % 4096 == 0);
	assert_int_equal(alone.linux->current->vcpu.regs.rip, base + interpreter.elf.header.e_entry);
	assert_int_equal(aux(rsp + 64, AT_ENTRY), alone.linux->program->code_start + program.elf.header.e_entry);
}

static void missing_interpreter_is_named_with_its_grant(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	add_interpreter();
	interpreter.backing.references = 0;
	assert_int_equal(nub_linux_start(alone.linux, &program.backing, &err), -1);
	assert_int_equal(err.kind, NUB_E_ELF_INTERPRETER);
	assert_non_null(strstr(err.message, "needs the interpreter /lib64/ld.so"));
	assert_true(err.hint[0] != '\0');
}

static void too_many_arguments_are_refused(void **state)
{
	static char large[3 << 20];
	const char *const many[] = { large, NULL };
	struct nub_error err = { 0 };

	(void)state;
	memset(large, 'a', sizeof(large) - 1);
	alone.linux->config.argv = many;
	assert_int_equal(nub_linux_start(alone.linux, &program.backing, &err), -1);
	assert_int_equal(err.kind, NUB_E_USAGE);
}

static void each_broken_header_is_refused_by_name(void **state)
{
	struct {
		enum nub_error_kind kind;
		size_t offset;
		uint64_t value;
		size_t size;
	} const cases[] = {
#define HEADER(member) offsetof(struct elf_sample, header.member), sizeof(((Elf64_Ehdr *)0)->member)
#define TEXT(member) offsetof(struct elf_sample, segments[SAMPLE_TEXT].member), 8
#define DATA(member) offsetof(struct elf_sample, segments[SAMPLE_RW].member), 8
#define CASE(kind, where, value) CASE_(kind, where, value)
#define CASE_(kind, offset, size, value) { kind, offset, value, size }
		CASE(NUB_E_ELF_MAGIC, HEADER(e_ident[0]), 0),
		CASE(NUB_E_ELF_CLASS, HEADER(e_ident[EI_CLASS]), ELFCLASS32),
		CASE(NUB_E_ELF_MACHINE, HEADER(e_machine), EM_ARM),
		CASE(NUB_E_ELF_TYPE, HEADER(e_type), ET_REL),
		CASE(NUB_E_ELF_HEADER, HEADER(e_phentsize), 32),
		CASE(NUB_E_ELF_HEADER, HEADER(e_phnum), 0),
		CASE(NUB_E_ELF_HEADER, HEADER(e_phnum), 129),
		CASE(NUB_E_ELF_TRUNCATED, HEADER(e_phoff), 1 << 20),
		CASE(NUB_E_ELF_ENTRY, HEADER(e_entry), SAMPLE_DATA),
		CASE(NUB_E_ELF_SEGMENT, TEXT(p_filesz), UINT64_C(1) << 40),
		CASE(NUB_E_ELF_SEGMENT, TEXT(p_offset), 8),
		CASE(NUB_E_ELF_SEGMENT, DATA(p_offset), UINT64_MAX - 0xfff),
		CASE(NUB_E_ELF_ADDRESS, DATA(p_memsz), UINT64_C(1) << 47),
		CASE(NUB_E_ELF_ADDRESS, DATA(p_memsz), UINT64_MAX),
		CASE(NUB_E_ELF_OVERLAP, TEXT(p_memsz), SAMPLE_DATA + 0x1000),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nub_elf_program decoded;
		struct nub_error err = { 0 };
		make_program(&program, true);
		memcpy((uint8_t *)&program.elf + cases[i].offset, &cases[i].value, cases[i].size);
		assert_int_equal(nub_elf_program_read(&decoded, read_sample, &program, "sample", &err), -1);
		assert_string_equal(nub_error_name(err.kind), nub_error_name(cases[i].kind));
		assert_true(strncmp(err.message, "sample: ", 8) == 0);
	}
}

static void writable_code_is_refused_unless_allowed(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	program.elf.segments[SAMPLE_RW].p_flags = PF_R | PF_W | PF_X;
	assert_int_equal(nub_linux_start(alone.linux, &program.backing, &err), -1);
	assert_int_equal(err.kind, NUB_E_ELF_WX);
}

static void vdso_is_there_and_its_clock_follows_the_host(void **state)
{
	struct nub_vdso_data page;
	uint64_t vdso, before;

	(void)state;
	alone.fake.tsc_khz = 2000000;
	alone.fake.tsc = 1000;
	vdso = aux(start() + 64, AT_SYSINFO_EHDR);
	assert_int_equal(word_at(vdso) & 0xffffffff, 0x464c457f);
	assert_int_equal(nub_linux_touch(alone.linux, vdso, NUB_LINUX_EXECUTE), NUB_LINUX_TOUCH_OK);
	assert_int_equal(nub_linux_touch(alone.linux, vdso - 4096, NUB_LINUX_WRITE), NUB_LINUX_TOUCH_FORBIDDEN);
	nub_linux_vdso_refresh(alone.linux);
	assert_int_equal(nub_linux_read(alone.linux, vdso - 4096, &page, sizeof(page)), 0);
	assert_int_equal(page.usable, 1);
	before = nub_linux_vdso_clock(&page, NUB_VDSO_MONOTONIC, 1000);
	assert_in_range(alone.fake.monotonic_ns - before, 0, 10);
	/* Half a nanosecond a tick. */
	assert_in_range(nub_linux_vdso_clock(&page, NUB_VDSO_MONOTONIC, 1000 + 4000000000) - before, 1999999990,
	                2000000000);
	/* Ten hours at a rate that is a little wrong: it never goes back, and is not far from the host's. */
	for (unsigned i = 0; i < 360000; i++) {
		alone.fake.tsc += 200000 * 1000;
		alone.fake.monotonic_ns += 99990 * 1000;
		nub_linux_vdso_refresh(alone.linux);
		const uint64_t now =
		    nub_linux_vdso_clock(&alone.linux->memory->vdso, NUB_VDSO_MONOTONIC, alone.fake.tsc);
		assert_true(now >= before);
		before = now;
	}
	assert_in_range(before + 1000000 - alone.fake.monotonic_ns, 0, 2000000);
}

static void vdso_page_that_was_replaced_is_left_alone(void **state)
{
	uint64_t vdso, word = 7;

	(void)state;
	alone.fake.tsc_khz = 2000000;
	vdso = aux(start() + 64, AT_SYSINFO_EHDR);
	assert_int_equal(fake_call(alone.linux, __NR_mmap, vdso - 4096, 4096, PROT_READ | PROT_WRITE,
	                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1, 0),
	                 vdso - 4096);
	assert_int_equal(nub_linux_write(alone.linux, vdso - 4096, &word, sizeof(word)), 0);
	nub_linux_vdso_refresh(alone.linux);
	assert_int_equal(word_at(vdso - 4096), 7);
}

static void system_and_identity_are_told(void **state)
{
	struct utsname name;
	struct rlimit limit;
	uint64_t rsp = start() - 4096;
	uint32_t header[2] = { 0x20080522, 0 };
	uint8_t random[32] = { 0 };

	(void)state;
	assert_int_equal(fake_call(alone.linux, __NR_uname, rsp, 0, 0, 0, 0, 0), 0);
	assert_int_equal(nub_linux_read(alone.linux, rsp, &name, sizeof(name)), 0);
	assert_string_equal(name.sysname, "Linux");
	assert_string_equal(name.machine, "x86_64");
	assert_int_equal(fake_call(alone.linux, __NR_uname, 0, 0, 0, 0, 0, 0), -EFAULT);
	assert_int_equal(fake_call(alone.linux, __NR_getpid, 0, 0, 0, 0, 0, 0), NUB_LINUX_PID);
	assert_int_equal(fake_call(alone.linux, __NR_prlimit64, 0, RLIMIT_NOFILE, 0, rsp, 0, 0), 0);
	assert_int_equal(nub_linux_read(alone.linux, rsp, &limit, sizeof(limit)), 0);
	assert_int_equal(limit.rlim_cur, 1024);
	limit.rlim_max = 2000;
	assert_int_equal(nub_linux_write(alone.linux, rsp, &limit, sizeof(limit)), 0);
	assert_int_equal(fake_call(alone.linux, __NR_setrlimit, RLIMIT_NOFILE, rsp, 0, 0, 0, 0), -EPERM);
	assert_int_equal(fake_call(alone.linux, __NR_prlimit64, 0, RLIM_NLIMITS, 0, rsp, 0, 0), -EINVAL);
	assert_int_equal(fake_call(alone.linux, __NR_prlimit64, 77, RLIMIT_NOFILE, 0, rsp, 0, 0), -ESRCH);
	assert_int_equal(nub_linux_write(alone.linux, rsp, header, sizeof(header)), 0);
	assert_int_equal(fake_call(alone.linux, __NR_capget, rsp, rsp + 8, 0, 0, 0, 0), 0);
	assert_int_equal(fake_call(alone.linux, __NR_getrandom, rsp, sizeof(random), 0, 0, 0, 0), sizeof(random));
	assert_int_equal(nub_linux_read(alone.linux, rsp, random, sizeof(random)), 0);
	assert_true(random[0] != random[1] || random[1] != random[2]);
	assert_int_equal(fake_call(alone.linux, __NR_getrandom, rsp, 1, 64, 0, 0, 0), -EINVAL);
	assert_int_equal(fake_call(alone.linux, __NR_getrandom, 16, 1, 0, 0, 0, 0), -EFAULT);
	assert_int_equal(fake_call(alone.linux, __NR_sched_getaffinity, 0, 4, rsp, 0, 0, 0), -EINVAL);
	assert_int_equal(fake_call(alone.linux, __NR_sched_getaffinity, 0, 128, rsp, 0, 0, 0), 8);
	assert_int_equal(fake_call(alone.linux, __NR_sched_getaffinity, NUB_LINUX_PID, 128, rsp, 0, 0, 0), 8);
	assert_int_equal(fake_call(alone.linux, __NR_sched_getaffinity, UINT32_MAX, 128, rsp, 0, 0, 0), -ESRCH);
	assert_int_equal(fake_call(alone.linux, __NR_sched_setaffinity, 77, 8, rsp, 0, 0, 0), -ESRCH);
	assert_int_equal(fake_call(alone.linux, __NR_sched_getscheduler, 0, 0, 0, 0, 0, 0), 0);
	assert_int_equal(fake_call(alone.linux, __NR_sched_getscheduler, UINT32_MAX, 0, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(fake_call(alone.linux, __NR_sched_getscheduler, 77, 0, 0, 0, 0, 0), -ESRCH);
	assert_int_equal(fake_call(alone.linux, __NR_sched_rr_get_interval, 0, rsp, 0, 0, 0, 0), 0);
	assert_int_equal(fake_call(alone.linux, __NR_sched_rr_get_interval, 0, 8, 0, 0, 0, 0), -EFAULT);
}

static void segment_bases_and_names_belong_to_the_thread(void **state)
{
	const uint64_t rsp = start() - 4096;

	(void)state;
	assert_int_equal(fake_call(alone.linux, __NR_arch_prctl, 0x1002, 0x12345000, 0, 0, 0, 0), 0);
	assert_true(alone.fake.vcpu.fs_base == 0x12345000);
	assert_int_equal(fake_call(alone.linux, __NR_arch_prctl, 0x1003, rsp, 0, 0, 0, 0), 0);
	assert_int_equal(word_at(rsp), 0x12345000);
	assert_int_equal(fake_call(alone.linux, __NR_arch_prctl, 0x1002, UINT64_C(1) << 63, 0, 0, 0, 0), -EPERM);
	assert_int_equal(fake_call(alone.linux, __NR_arch_prctl, 0x1002, UINT64_C(1) << 47, 0, 0, 0, 0), -EPERM);
	assert_int_equal(fake_call(alone.linux, __NR_arch_prctl, 0x3001, rsp, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(nub_linux_write(alone.linux, rsp, "a-rather-long-name", 19), 0);
	assert_int_equal(fake_call(alone.linux, __NR_prctl, 15, rsp, 0, 0, 0, 0), 0);
	assert_string_equal(alone.linux->current->name, "a-rather-long-n");
	assert_int_equal(fake_call(alone.linux, __NR_prctl, 15, 0, 0, 0, 0, 0), -EFAULT);
}

static void calls_that_are_not_served_are_counted(void **state)
{
	(void)state;
	start();
	assert_int_equal(fake_call(alone.linux, __NR_ptrace, 0, 0, 0, 0, 0, 0), -ENOSYS);
	assert_int_equal(fake_call(alone.linux, 100000, 0, 0, 0, 0, 0, 0), -ENOSYS);
	assert_int_equal(alone.linux->unsupported[__NR_ptrace], 1);
	assert_int_equal(alone.linux->unsupported[511], 1);
	alone.linux->config.strict = true;
	fake_call(alone.linux, __NR_ptrace, 1, 0x20, 0, 0, 0, 0);
	assert_int_equal(alone.linux->end.kind, NUB_LINUX_STRICT);
	assert_non_null(strstr(alone.linux->end.message, "ptrace(0x1, 0x20, 0, 0, 0, 0)"));
}

static void calls_are_formatted_as_strace_does(void **state)
{
	const uint64_t rsp = start() - 4096;
	const struct {
		unsigned number;
		uint64_t args[6];
		int64_t result;
		const char *text;
	} cases[] = {
		{ __NR_getrandom, { rsp, 4, 0 }, 4, "getrandom(\"a\\n\\2\\\"\", 4, 0) = 4" },
		{ __NR_getrandom, { 8, 4, 1 }, -EFAULT, "getrandom(0x8, 4, 0x1) = -1 EFAULT (Bad address)" },
		{ __NR_mprotect, { 0x1000, 4096, 5 }, 0, "mprotect(0x1000, 4096, PROT_READ|PROT_EXEC) = 0" },
		{ __NR_mmap,
		  { 0, 4096, 0, 0x22, UINT64_MAX, 0 },
		  0x7f0000001000,
		  "mmap(0, 4096, PROT_NONE, 0x22, -1, 0) = 0x7f0000001000" },
		{ __NR_uname, { 0 }, NUB_LINUX_WAIT, "uname(NULL) = ?" },
		{ 4000,
		  { 1, 2, 3, 4, 5, 6 },
		  -ENOSYS,
		  "syscall_4000(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)" },
	};
	char text[256];

	(void)state;
	assert_int_equal(nub_linux_write(alone.linux, rsp, "a\n\002\"", 4), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		nub_linux_format_call(alone.linux, cases[i].number, cases[i].args, cases[i].result, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
		nub_linux_format_call(alone.linux, cases[i].number, cases[i].args, cases[i].result, text, 8);
		assert_int_equal(strlen(text), 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stack_is_as_linux_makes_it, setup, teardown),
		cmocka_unit_test_setup_teardown(registers_are_those_of_a_new_program, setup, teardown),
		cmocka_unit_test_setup_teardown(data_is_followed_by_zeros, setup, teardown),
		cmocka_unit_test_setup_teardown(static_program_is_where_it_says, setup, teardown),
		cmocka_unit_test_setup_teardown(interpreter_is_entered_first, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_interpreter_is_named_with_its_grant, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_arguments_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(each_broken_header_is_refused_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(writable_code_is_refused_unless_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(vdso_is_there_and_its_clock_follows_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(vdso_page_that_was_replaced_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(system_and_identity_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(segment_bases_and_names_belong_to_the_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(calls_that_are_not_served_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(calls_are_formatted_as_strace_does, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
