/* The stack of a new program (System V ABI for x86-64, 3.4.1; Linux, create_elf_tables), rising:
 *
 *     rsp: argc, argv[], NULL, envp[], NULL, auxv
 *     alignment, 16 random bytes, "x86_64"
 *     the strings of argv, of envp, the program's path
 *     8 zero bytes
 *     stack_top
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/util.h"
#include "cpu/cpu.h"
#include "personality/linux/mm_parts.h"
#include "personality/linux/signal_frame.h"
#include "personality/linux/start_parts.h"

/* Newer than some elf.h (Linux, include/uapi/linux/auxvec.h, arch/x86/include/uapi/asm/auxvec.h). */
enum { AUX_MINSIGSTKSZ = 51 };
/* AT_HWCAP2 (Linux, arch/x86/include/uapi/asm/hwcap2.h): rdfsbase and its like are allowed. */
enum { HWCAP2_FSGSBASE = 2 };

static const char platform[] = "x86_64";

struct making {
	struct nub_buffer strings; /* argv, envp, path */
	struct nub_buffer words;   /* argc to auxv */
	uint64_t strings_gva;
	size_t argc, envc;
	struct nub_error *err;
	bool failed;
};

static void add_string(struct making *making, const char *string)
{
	if (nub_buffer_append(&making->strings, string, strlen(string) + 1, making->err) < 0)
		making->failed = true;
}

static void add_word(struct making *making, uint64_t word)
{
	if (nub_buffer_append(&making->words, &word, sizeof(word), making->err) < 0)
		making->failed = true;
}

static void add_aux(struct making *making, uint64_t type, uint64_t value)
{
	add_word(making, type);
	add_word(making, value);
}

static size_t add_strings(struct making *making, const char *const *strings)
{
	size_t count = 0;

	while (strings[count] && !making->failed)
		add_string(making, strings[count++]);
	return count;
}

/* Pointers to `count` strings that begin at *offset of the strings, and a NULL. */
static void add_pointers(struct making *making, size_t count, size_t *offset)
{
	for (size_t i = 0; i < count; i++) {
		add_word(making, making->strings_gva + *offset);
		*offset += strlen((const char *)making->strings.bytes + *offset) + 1;
	}
	add_word(making, 0);
}

static void add_auxv(struct making *making, const struct nub_linux *linux, const struct nub_linux_loaded *program,
                     uint64_t interpreter_base, uint64_t platform_gva, uint64_t path_gva)
{
	if (linux->program->vdso_gva)
		add_aux(making, AT_SYSINFO_EHDR, linux->program->vdso_gva);
	add_aux(making, AUX_MINSIGSTKSZ, nub_linux_frame_room(nub_linux_xsave_size(&linux->machine)));
	add_aux(making, AT_HWCAP, nub_cpu_host_leaf(1, 0).edx);
	add_aux(making, AT_PAGESZ, NUB_PAGE_SIZE);
	add_aux(making, AT_CLKTCK, 100);
	if (program->elf.headers)
		add_aux(making, AT_PHDR, program->bias + program->elf.headers);
	add_aux(making, AT_PHENT, sizeof(Elf64_Phdr));
	add_aux(making, AT_PHNUM, program->elf.header_count);
	add_aux(making, AT_BASE, interpreter_base);
	add_aux(making, AT_FLAGS, 0);
	add_aux(making, AT_ENTRY, program->bias + program->elf.entry);
	add_aux(making, AT_UID, 0);
	add_aux(making, AT_EUID, 0);
	add_aux(making, AT_GID, 0);
	add_aux(making, AT_EGID, 0);
	add_aux(making, AT_SECURE, 0);
	add_aux(making, AT_RANDOM, linux->program->random_gva);
	add_aux(making, AT_HWCAP2, HWCAP2_FSGSBASE);
	add_aux(making, AT_EXECFN, path_gva);
	add_aux(making, AT_PLATFORM, platform_gva);
	add_aux(making, AT_NULL, 0);
}

/* Keep a copy of bytes, for /proc/self. */
static uint8_t *keep(struct making *making, const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		making->failed = nub_fail_errno(making->err, NUB_E_NO_MEMORY, "a program's arguments") < 0;
	else if (size > 0)
		memcpy(copy, bytes, size);
	return copy;
}

static void keep_strings(struct making *making, struct nub_linux_program *program, size_t arguments_size,
                         size_t environment_size)
{
	program->arguments = keep(making, making->strings.bytes, arguments_size);
	program->arguments_size = arguments_size;
	program->environment = keep(making, making->strings.bytes + arguments_size, environment_size);
	program->environment_size = environment_size;
}

static int map_stack(struct nub_linux *linux, size_t needed, struct nub_error *err)
{
	struct nub_linux_memory *memory = linux->memory;
	uint64_t size = linux->config.stack_size;

	if (!nub_page_up(size, &size) || size < 32 * NUB_PAGE_SIZE || size > NUB_LINUX_GVA_END / 16)
		return nub_fail(err, NUB_E_SIZE, 0, "a stack of %" PRIu64 " bytes: 128 KiB to 8 TiB are possible",
		                linux->config.stack_size);
	if (needed > size / 4)
		return nub_fail(err, NUB_E_USAGE, E2BIG,
		                "arguments and environment take %zu bytes, a quarter of the stack has %" PRIu64, needed,
		                size / 4);
	const struct nub_linux_mapping stack = { .gva = memory->stack_top - size,
		                                 .size = size,
		                                 .prot = PROT_READ | PROT_WRITE,
		                                 .no_replace = true,
		                                 .no_reserve = true,
		                                 .name = nub_linux_name_stack };
	const int64_t result = nub_linux_map(linux, &stack);
	if (result < 0)
		return nub_fail(err, NUB_E_MEMORY_TOO_SMALL, (int)-result, "the stack can't be mapped: %s",
		                strerror((int)-result));
	return 0;
}

/* All of it but the strings: below `end`, and 16-aligned at its own start. */
static int write_words(struct nub_linux *linux, struct making *making, const struct nub_linux_loaded *program,
                       uint64_t interpreter_base, uint64_t path_gva, uint64_t *rsp)
{
	uint8_t random[16];
	const uint64_t platform_gva = making->strings_gva - sizeof(platform);
	size_t offset = 0;

	linux->program->random_gva = (platform_gva - sizeof(random)) & ~UINT64_C(15);
	add_word(making, making->argc);
	add_pointers(making, making->argc, &offset);
	add_pointers(making, making->envc, &offset);
	const size_t aux = making->words.size;
	add_auxv(making, linux, program, interpreter_base, platform_gva, path_gva);
	if (making->failed)
		return -1;
	linux->program->auxv = keep(making, making->words.bytes + aux, making->words.size - aux);
	linux->program->auxv_size = making->words.size - aux;
	*rsp = (linux->program->random_gva - making->words.size) & ~UINT64_C(15);
	if (making->failed ||
	    linux->machine.ops->random(linux->machine.context, random, sizeof(random), making->err) < 0)
		return -1;
	if (nub_linux_write(linux, *rsp, making->words.bytes, making->words.size) < 0 ||
	    nub_linux_write(linux, linux->program->random_gva, random, sizeof(random)) < 0 ||
	    nub_linux_write(linux, platform_gva, platform, sizeof(platform)) < 0 ||
	    nub_linux_write(linux, making->strings_gva, making->strings.bytes, making->strings.size) < 0)
		return nub_fail(making->err, NUB_E_MEMORY_TOO_SMALL, 0,
		                "no memory is left for the stack's first pages");
	return 0;
}

int nub_linux_make_stack(struct nub_linux *linux, const struct nub_linux_loaded *program, uint64_t interpreter_base,
                         uint64_t *rsp, struct nub_error *err)
{
	struct making making = { .err = err };
	size_t arguments_size, environment_size;
	int result = -1;

	making.argc = add_strings(&making, linux->config.argv);
	arguments_size = making.strings.size;
	making.envc = add_strings(&making, linux->config.envp);
	environment_size = making.strings.size - arguments_size;
	add_string(&making, linux->config.path);
	if (making.failed)
		goto out;
	keep_strings(&making, linux->program, arguments_size, environment_size);
	making.strings_gva = linux->memory->stack_top - sizeof(uint64_t) - making.strings.size;
	linux->program->arguments_gva = making.strings_gva;
	if (making.failed ||
	    map_stack(linux, making.strings.size + (making.argc + making.envc) * sizeof(uint64_t), err) < 0)
		goto out;
	result = write_words(linux, &making, program, interpreter_base,
	                     making.strings_gva + arguments_size + environment_size, rsp);
out:
	nub_buffer_release(&making.strings);
	nub_buffer_release(&making.words);
	return result;
}
