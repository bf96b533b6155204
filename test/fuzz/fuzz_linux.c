/* Fuzz target: streams of system calls, faults and pokes at memory, as a hostile Linux program makes them, over a machine that
 * executes nothing. No call may touch what is not the program's, block, or break what its machine is promised; and what is
 * saved in between is what can be loaded again.
 *
 * The input is a row of records: a byte for what, then its operands. Addresses are made of a few bytes, near the ends of the areas
 * that there are, so that calls meet memory that is mapped, read-only, or cut off.
 */
#include <asm/unistd_64.h>
#include <sys/mman.h>

#include "../unit/elf_sample.h"
#include "../unit/linux_fake.h"
#include "abi/nub_checkpoint.h"
#include "base/buffer.h"
#include "fuzz.h"
#include "personality/linux/mm.h"
#include "personality/linux/start.h"
#include "personality/linux/state.h"
#include "personality/linux/state_survey.h"
#include "personality/linux/threads.h"

enum { MEMORY = 4 << 20, MOST_RECORDS = 400, AREA_PAGES = 8 };
#define AREA UINT64_C(0x10000000)

/* What is read of the input: zeros after its end. */
struct input {
	const uint8_t *bytes;
	size_t size, at;
};

static uint8_t take(struct input *input)
{
	return input->at < input->size ? input->bytes[input->at++] : 0;
}

static uint64_t take_number(struct input *input, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)take(input) << 8 * i;
	return value;
}

/* An operand: small, large, an address in or around the area, or any. */
static uint64_t take_operand(struct input *input)
{
	static const uint64_t edges[] = { 0,         1,         2,          3,          4096,       8192,  UINT64_MAX,
		                          INT64_MAX, INT64_MIN, 0x7fffffff, 0x80000000, 0xffffffff, NUB_PR };
	const uint8_t kind = take(input);

	switch (kind % 6) {
	case 0:
		return take(input);
	case 1:
		return edges[take(input) % (sizeof(edges) / sizeof(*edges))];
	case 2:
		return AREA + take_number(input, 2);
	case 3:
		return AREA + AREA_PAGES * NUB_PAGE_SIZE - take(input);
	case 4:
		return take_number(input, 4);
	default:
		return take_number(input, 8);
	}
}

static void call(struct nub_linux *linux, struct input *input)
{
	struct nub_registers *regs = &((struct fake *)linux->machine.context)->vcpu.regs;
	const unsigned number = (unsigned)take_number(input, 2) % (NUB_LINUX_MAX_CALL + 8);

	regs->rax = number;
	regs->rdi = take_operand(input);
	regs->rsi = take_operand(input);
	regs->rdx = take_operand(input);
	regs->r10 = take_operand(input);
	regs->r8 = take_operand(input);
	regs->r9 = take_operand(input);
	nub_linux_syscall(linux);
}

/* The program writes into its own memory. */
static void poke(struct nub_linux *linux, struct input *input)
{
	const uint64_t gva = take_operand(input);
	uint8_t bytes[64];
	const size_t size = take(input) % sizeof(bytes);

	for (size_t i = 0; i < size; i++)
		bytes[i] = take(input);
	(void)nub_linux_write(linux, gva, bytes, size);
}

/* What is told of it without a machine: all of its threads, or an error. */
static void check_survey(const struct nub_buffer *state, size_t threads)
{
	struct nub_survey survey = { 0 };
	struct nub_error err = { 0 };

	if (nub_linux_survey(state->bytes, state->size, &survey, &err) < 0)
		FUZZ_CHECK(threads == 0 && err.message[0] != '\0');
	else
		FUZZ_CHECK(threads == 0 || survey.thread_count == threads);
	nub_survey_release(&survey);
}

/* Saved, it can be loaded into a new one; and so can what a few bytes of it were changed to, or it is refused by name. */
static void check_state(struct nub_linux *linux, const struct nub_linux_config *config, struct input *input)
{
	struct nub_error err = { 0 };
	struct nub_buffer state = { 0 };
	struct nub_writer writer = { .buffer = &state, .err = &err };
	static const char *const strings[] = { "program", "new", NULL };
	struct nub_linux_config thaw = *config;
	struct fake fake;

	/* Every other copy is given arguments. */
	if (input->size & 1)
		thaw.copy_argv = thaw.copy_envp = strings;
	nub_linux_save(linux, &writer);
	FUZZ_CHECK(!writer.failed);
	if (nub_linux_ended(linux)) {
		nub_buffer_release(&state);
		return;
	}
	check_survey(&state, linux->threads->count);
	for (unsigned mangled = take(input) % 4; mangled > 0; mangled--)
		state.bytes[take_number(input, 3) % state.size] ^= take(input);
	check_survey(&state, 0);
	const struct nub_linux_machine machine = fake_init(&fake, MEMORY);
	struct nub_linux *copy = nub_linux_make(&thaw, &machine, &err);
	struct nub_cursor cursor = { .bytes = state.bytes,
		                     .size = state.size,
		                     .whole = "state",
		                     .kind = NUB_E_SNAPSHOT_TRUNCATED,
		                     .err = &err };
	FUZZ_CHECK(copy);
	/* What its own grants don't give it any more is refused by name; nothing else is. */
	if (nub_linux_restore(copy, &cursor) < 0)
		FUZZ_CHECK(err.message[0] != '\0');
	nub_linux_release(copy);
	fake_release(&fake);
	nub_buffer_release(&state);
}

/* ---- A program of one segment ---- */

static int64_t read_elf(struct nub_linux_backing *backing, uint64_t offset, void *bytes, size_t size)
{
	static struct elf_sample elf;

	(void)backing;
	elf_sample_init(&elf, false);
	elf.segments[SAMPLE_RW].p_type = PT_NULL;
	if (offset >= sizeof(elf))
		return 0;
	if (size > sizeof(elf) - offset)
		size = sizeof(elf) - offset;
	memcpy(bytes, (const uint8_t *)&elf + offset, size);
	return (int64_t)size;
}

static void release_elf(struct nub_linux_backing *backing)
{
	(void)backing;
}

static const struct nub_linux_backing_ops elf_ops = { .read = read_elf, .release = release_elf };

static void make_program(struct nub_linux *linux)
{
	static struct nub_linux_backing backing;
	const struct nub_linux_mapping area = {
		.gva = AREA, .size = AREA_PAGES * NUB_PAGE_SIZE, .prot = PROT_READ | PROT_WRITE, .fixed = true
	};
	struct nub_error err = { 0 };

	backing = (struct nub_linux_backing){ .ops = &elf_ops, .references = 1 };
	FUZZ_CHECK(nub_linux_start(linux, &backing, &err) == 0);
	FUZZ_CHECK(nub_linux_map(linux, &area) == (int64_t)AREA);
	FUZZ_CHECK(nub_linux_protect(linux, AREA + 6 * NUB_PAGE_SIZE, NUB_PAGE_SIZE, PROT_READ) == 0);
}

static void run(struct nub_linux *linux, struct input *input)
{
	struct nub_linux_idle idle;

	for (unsigned i = 0; i < MOST_RECORDS && input->at < input->size; i++) {
		if (nub_linux_next(linux, &idle) != NUB_LINUX_RUN)
			return;
		switch (take(input) % 8) {
		case 0:
			poke(linux, input);
			break;
		case 1:
			nub_linux_fault(linux, take(input) % 32, take(input), take_operand(input));
			break;
		case 2:
			nub_linux_preempt(linux);
			break;
		default:
			call(linux, input);
			break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { .bytes = data, .size = size };
	struct nub_linux_config config = fake_config();
	struct nub_error err = { 0 };
	struct fake fake;

	config.max_threads = 8;
	config.max_fds = 32;
	config.stop_at_checkpoint = true;
	const struct nub_linux_machine machine = fake_init(&fake, MEMORY);
	struct nub_linux *linux = nub_linux_make(&config, &machine, &err);
	FUZZ_CHECK(linux);
	make_program(linux);
	run(linux, &input);
	FUZZ_CHECK(linux->end.kind != NUB_LINUX_FAILED);
	if (!nub_linux_ended(linux))
		check_state(linux, &config, &input);
	nub_linux_release(linux);
	fake_release(&fake);
	return 0;
}

/* Every call that is served, with operands of each kind, after some others. */
size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	const unsigned first = index * 8;
	size_t size = 0;

	if (first >= NUB_LINUX_MAX_CALL || capacity < 8 * 32)
		return 0;
	for (unsigned number = first; number < first + 8; number++) {
		out[size++] = 3;
		out[size++] = (uint8_t)number;
		out[size++] = (uint8_t)(number >> 8);
		for (unsigned i = 0; i < 6; i++) {
			out[size++] = (uint8_t)((i + number) % 4);
			out[size++] = (uint8_t)(number * 5 + i);
			if ((i + number) % 4 == 2)
				out[size++] = (uint8_t)(i * 16);
		}
	}
	return size;
}
