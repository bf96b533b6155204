/* Fuzz target: signal frames that the process engine's box forges. Whatever they say, the stop is an exit with a meaning, what
 * the box is asked to map is its guest's memory with the rights that the page tables give, and the frame through which it
 * returns has nothing of it but registers.
 *
 * Input: a byte for the policy, 32 bytes of code, then records of 10: a word of the frame, how its value is made, the value;
 * or a stop. A second stop finds what the first one left.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../lib/engine/process/process_exits.c"
#include "engine/process/box_turns.h"
#include "fuzz.h"

enum { CODE_SIZE = 32, HEADER = 1 + CODE_SIZE, RECORD = 10, MAX_STOPS = 16 };
enum { WORD_STOP = 0xff, VALUE_ADDRESS = 1, VALUE_SMALL = 2 };
enum { PORT_ALLOWED = 0x65 };
enum { POLICY_COPIES = 1, POLICY_SYSCALLS = 2 };

#define IMAGE_BASE UINT64_C(0x400000)
#define FILE_SIZE (UINT64_C(64) * NUB_PAGE_SIZE)
#define NOWHERE_GPA (UINT64_C(1) << 32)
#define NOWHERE_GVA UINT64_C(0x500000000000)
#define SUPERVISOR_GVA UINT64_C(0x500000200000)

struct world {
	struct nub_plan plan;
	struct nub_pt_builder tables;
	struct nub_memory memory;
	struct nub_process process;
	struct nub_box_stops stops;
	int file;
};

static void map(struct world *world, uint64_t gva, uint64_t gpa, uint64_t size, unsigned flags, bool user)
{
	const bool writable = flags & NUB_REGION_WRITE;
	const struct nub_mapping mapping = {
		.gva = gva,
		.gpa = gpa,
		.size = size,
		.kind = writable ? NUB_MAPPING_COW : NUB_MAPPING_BASIC,
		.readable = true,
		.writable = writable && world->plan.layout.cow == NUB_COW_HOST,
		.executable = flags & NUB_REGION_EXECUTE,
		.user = user,
	};

	FUZZ_CHECK(nub_pt_map(&world->tables, &mapping, NULL) == 0);
}

static void map_guest(struct world *world)
{
	const struct nub_layout *layout = &world->plan.layout;
	const unsigned data = NUB_REGION_READ | NUB_REGION_WRITE;

	FUZZ_CHECK(nub_pt_init(&world->tables, layout->page_table_gpa, NULL) == 0);
	map(world, IMAGE_BASE, layout->code_gpa, layout->code_size, NUB_REGION_READ | NUB_REGION_EXECUTE, true);
	map(world, nub_layout_data_gva(layout->heap_gpa), layout->heap_gpa, layout->heap_size, data, true);
	map(world, nub_layout_data_gva(layout->stack_gpa), layout->stack_gpa, layout->stack_size, data, true);
	map(world, nub_layout_scratch_gva(layout), nub_layout_scratch_gpa(layout), nub_layout_rings_size(layout), data,
	    true);
	map(world, NOWHERE_GVA, NOWHERE_GPA, 2 * NUB_PAGE_SIZE, data, true);
	map(world, SUPERVISOR_GVA, layout->stack_gpa, NUB_PAGE_SIZE, data, false);
	/* Its code at another place, where it can be written. */
	map(world, IMAGE_BASE + NUB_LARGE_PAGE_SIZE, layout->code_gpa, NUB_PAGE_SIZE, data | NUB_REGION_EXECUTE, true);
}

/* Pages of the heap are a file's: one part in another's place, the last one behind the file's end. */
static void show_files(struct world *world)
{
	const uint64_t gpa = world->plan.layout.heap_gpa;
	const struct nub_memory_piece pieces[] = {
		{ .gpa = gpa, .size = 40 * NUB_PAGE_SIZE, .fd = world->file },
		{ .gpa = gpa + 8 * NUB_PAGE_SIZE,
		  .size = 3 * NUB_PAGE_SIZE,
		  .fd = world->file,
		  .offset = 50 * NUB_PAGE_SIZE },
		{ .gpa = gpa + 600 * NUB_PAGE_SIZE, .size = 9 * NUB_PAGE_SIZE, .fd = world->file, .offset = FILE_SIZE },
	};

	/* As a restore does. */
	world->memory.snapshot.from_file = true;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		FUZZ_CHECK(nub_memory_show_file(&world->memory, &pieces[i], NULL) == 0);
}

/* As nub_box_init leaves it, and a first frame; but no process. */
static void open_box(struct world *world)
{
	struct nub_box *box = &world->process.box;

	box->stops = &world->stops;
	box->pages = calloc(1, NUB_BOX_SIZE);
	FUZZ_CHECK(box->pages);
	box->shared = (struct nub_box_shared *)(void *)(box->pages + NUB_BOX_SHARED_OFFSET);
	box->frame_offset = NUB_BOX_SIZE - 4096;
	box->settled = true;
	box->first =
	    (struct nub_signal_frame){ .restorer = 1, .flags = 7, .stack_base = 2, .stack_size = 3, .signal_mask = 4 };
	box->first.xsave = NUB_BOX_GVA + NUB_BOX_SIZE - 2048;
}

static void open_world(struct world *world, bool guest_copies, const uint8_t *code)
{
	const struct nub_config config = { .engine = NUB_ENGINE_PROCESS };
	const struct nub_layout_sizes sizes = {
		.image_base = IMAGE_BASE,
		.image_size = 16 * NUB_PAGE_SIZE,
		.heap_size = 4 << 20,
		.stack_size = 1 << 16,
		.input_size = 1 << 13,
		.output_size = 1 << 13,
		.scratch_size = 1 << 18,
		.cow = guest_copies ? NUB_COW_GUEST : NUB_COW_HOST,
		.engine = NUB_ENGINE_PROCESS,
	};
	struct nub_layout *layout = &world->plan.layout;

	FUZZ_CHECK(nub_layout_init(layout, &sizes, NULL) == 0);
	map_guest(world);
	FUZZ_CHECK(nub_layout_set_page_tables(layout, world->tables.size, NULL) == 0);
	FUZZ_CHECK(nub_memory_init(&world->memory, &world->plan, &config, NULL) == 0);
	FUZZ_CHECK(nub_memory_store(&world->memory, layout->page_table_gpa, world->tables.tables, world->tables.size,
	                            NULL) == 0);
	/* Where code may lie over two pages. */
	FUZZ_CHECK(nub_memory_store(&world->memory, layout->code_gpa + NUB_PAGE_SIZE - CODE_SIZE / 2, code, CODE_SIZE,
	                            NULL) == 0);
	show_files(world);
	world->process.guest.memory = &world->memory;
	world->process.guest.plan = &world->plan;
	world->process.guest.root_gpa = world->tables.root_gpa;
	world->process.ports[PORT_ALLOWED] = true;
	nub_copies_init(&world->process.copies, &world->memory, layout);
	open_box(world);
}

static void close_world(struct world *world)
{
	free(world->process.box.pages);
	nub_memory_release(&world->memory);
	nub_pt_release(&world->tables);
}

/* ---- What came of a stop ---- */

static void check_mapping(struct world *world, const struct nub_box_call *call)
{
	const uint64_t gva = call->args[0], size = call->args[1];
	struct nub_mapping leaf;

	FUZZ_CHECK(call->number == SYS_mmap && call->check == NUB_BOX_CHECK_OK);
	FUZZ_CHECK((int)call->args[4] == world->memory.shared.fd);
	FUZZ_CHECK((call->args[3] & ~(uint64_t)MAP_POPULATE) == (MAP_FIXED | MAP_SHARED));
	FUZZ_CHECK(size > 0 && nub_page_aligned(gva) && nub_page_aligned(size) && gva + size <= NUB_USER_GVA_END);
	FUZZ_CHECK(!nub_ranges_overlap(gva, size, NUB_BOX_GVA, NUB_BOX_SIZE));
	for (uint64_t at = 0; at < size; at += NUB_PAGE_SIZE) {
		uint64_t offset;
		FUZZ_CHECK(nub_process_leaf(&world->process, gva + at, &leaf) && leaf.user);
		FUZZ_CHECK(nub_memory_shared_at(&world->memory, leaf.gpa + (gva + at - leaf.gva), &offset) > 0);
		FUZZ_CHECK(offset == call->args[5] + at);
		FUZZ_CHECK(leaf.writable || !(call->args[2] & PROT_WRITE));
		FUZZ_CHECK(leaf.executable || !(call->args[2] & PROT_EXEC));
	}
}

static void check_exit(const struct world *world, const struct nub_exit *exit)
{
	switch (exit->kind) {
	case NUB_EXIT_PORT:
		FUZZ_CHECK(exit->port.number == PORT_ALLOWED);
		break;
	case NUB_EXIT_SYSCALL:
		FUZZ_CHECK(world->process.guest.syscalls);
		break;
	case NUB_EXIT_NO_MEMORY:
		FUZZ_CHECK(exit->no_memory.gpa - NOWHERE_GPA < 2 * NUB_PAGE_SIZE);
		break;
	default:
		FUZZ_CHECK(exit->kind == NUB_EXIT_FAULT || exit->kind == NUB_EXIT_MENDED ||
		           exit->kind == NUB_EXIT_SCRATCH);
		FUZZ_CHECK(exit->fault.vector < NUB_VECTORS && exit->fault.privilege_level == 3);
		FUZZ_CHECK(exit->fault.error_code <= UINT32_MAX);
		break;
	}
}

static void check_frame(const struct nub_box *box, const uint8_t *before)
{
	const size_t end = box->frame_offset + sizeof(struct nub_signal_frame);
	struct nub_signal_frame frame;

	memcpy(&frame, box->pages + box->frame_offset, sizeof(frame));
	FUZZ_CHECK(frame.cs == 0x33 && frame.ss == 0x2b && frame.fs == 0 && frame.gs == 0);
	FUZZ_CHECK((frame.rflags & ~UINT64_C(0x50fd7)) == 0 && (frame.rflags & 0x202) == 0x202);
	FUZZ_CHECK(frame.restorer == 1 && frame.flags == 7 && frame.link == 0 && frame.stack_base == 2);
	FUZZ_CHECK(frame.stack_flags == 0 && frame.stack_size == 3 && frame.signal_mask == 4);
	FUZZ_CHECK(frame.xsave == box->first.xsave);
	FUZZ_CHECK(box->shared->frame == NUB_BOX_GVA + box->frame_offset);
	/* The signal stack around it is the guest's. */
	FUZZ_CHECK(memcmp(box->pages + NUB_BOX_STACK_OFFSET, before + NUB_BOX_STACK_OFFSET,
	                  box->frame_offset - NUB_BOX_STACK_OFFSET) == 0);
	FUZZ_CHECK(memcmp(box->pages + end, before + end, NUB_BOX_SIZE - end) == 0);
}

static void stop(struct world *world, const struct nub_signal_frame *forged)
{
	struct nub_box *box = &world->process.box;
	struct nub_exit exit = { .kind = NUB_EXIT_FAILED };
	struct nub_error err = { 0 };
	static uint8_t before[NUB_BOX_SIZE];

	memcpy(box->pages + box->frame_offset, forged, sizeof(*forged));
	nub_box_take_frame(box);
	nub_process_take_regs(&world->process);
	if (explain(&world->process, &exit, &err) == 0)
		check_exit(world, &exit);
	else
		FUZZ_CHECK(err.kind == NUB_E_IO && err.message[0] != '\0' && err.hint[0] != '\0');
	/* With more than it takes at a time, a process would have been made. */
	FUZZ_CHECK(box->call_count < NUB_BOX_MAX_CALLS);
	for (unsigned i = 0; i < box->call_count; i++)
		check_mapping(world, &box->shared->calls[i]);
	box->call_count = 0;
	memcpy(before, box->pages, sizeof(before));
	nub_box_put_frame(box);
	check_frame(box, before);
}

static uint64_t value_of(const struct world *world, uint8_t kind, uint64_t value)
{
	const struct nub_layout *layout = &world->plan.layout;
	const uint64_t addresses[] = {
		IMAGE_BASE,
		IMAGE_BASE + NUB_PAGE_SIZE - CODE_SIZE / 2,
		IMAGE_BASE + NUB_LARGE_PAGE_SIZE,
		nub_layout_data_gva(layout->heap_gpa),
		nub_layout_data_gva(layout->heap_gpa) + 600 * NUB_PAGE_SIZE,
		nub_layout_data_gva(layout->heap_gpa + layout->heap_size) - NUB_PAGE_SIZE,
		nub_layout_data_gva(layout->stack_gpa),
		nub_layout_scratch_gva(layout),
		NOWHERE_GVA,
		SUPERVISOR_GVA,
		VSYSCALL_GVA,
		NUB_BOX_GVA,
		UINT64_C(0x7ffffffff000),
		UINT64_C(0xffff800000000000),
	};

	if (kind == VALUE_ADDRESS)
		return addresses[value % 256 % (sizeof(addresses) / sizeof(addresses[0]))] + (value >> 8 & 0xffffff);
	return kind == VALUE_SMALL ? value & 0x1f : value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int file;
	struct world *world;
	struct nub_signal_frame frame = { .signal = SIGSEGV, .vector = NUB_VECTOR_PF };
	unsigned stops = 0;
	if (size < HEADER)
		return 0;
	if (file == 0) {
		file = memfd_create("file", MFD_CLOEXEC);
		FUZZ_CHECK(file > 0 && ftruncate(file, (off_t)FILE_SIZE) == 0);
	}
	world = calloc(1, sizeof(*world));
	FUZZ_CHECK(world);
	world->file = file;
	open_world(world, data[0] & POLICY_COPIES, data + 1);
	world->process.guest.syscalls = data[0] & POLICY_SYSCALLS;
	for (size_t at = HEADER; size - at >= RECORD && stops < MAX_STOPS; at += RECORD) {
		uint64_t value;
		memcpy(&value, data + at + 2, sizeof(value));
		value = value_of(world, data[at + 1], value);
		if (data[at] == WORD_STOP && ++stops)
			stop(world, &frame);
		else
			memcpy((uint8_t *)&frame + data[at] % (sizeof(frame) / 8) * 8, &value, sizeof(value));
	}
	close_world(world);
	free(world);
	return 0;
}

/* ---- Seeds ---- */

#define WORD(member) (offsetof(struct nub_signal_frame, member) / 8)

/* An address is the index of one in value_of, and what is added to it. */
#define ADDRESS(index, more) ((index) | (uint64_t)(more) << 8)

struct record {
	uint8_t word, kind;
	uint64_t value;
};

enum { SEED_RECORDS = 8 };
static const struct seed {
	uint8_t policy;
	uint8_t code[2];
	struct record records[SEED_RECORDS];
} seeds[] = {
	/* out to a port, by number, then by dx */
	{ 0,
	  { 0xe6, PORT_ALLOWED },
	  { { WORD(vector), 0, 13 }, { WORD(rip), 1, ADDRESS(1, 0) }, { WORD_STOP, 0, 0 }, { WORD_STOP, 0, 0 } } },
	{ 0,
	  { 0xee, 0 },
	  { { WORD(vector), 0, 13 },
	    { WORD(rip), 1, ADDRESS(1, 0) },
	    { WORD(rdx), 0, PORT_ALLOWED },
	    { WORD_STOP, 0, 0 } } },
	/* writes: a page of a file, a page behind its end, a copy by the guest */
	{ 0, { 0 }, { { WORD(error_code), 0, 6 }, { WORD(cr2), 1, ADDRESS(3, 0x8123) }, { WORD_STOP, 0, 0 } } },
	{ 0, { 0 }, { { WORD(error_code), 0, 6 }, { WORD(cr2), 1, ADDRESS(4, 0) }, { WORD_STOP, 0, 0 } } },
	{ 1,
	  { 0 },
	  { { WORD(error_code), 0, 7 },
	    { WORD(cr2), 1, ADDRESS(3, 0x8123) },
	    { WORD_STOP, 0, 0 },
	    { WORD(cr2), 1, ADDRESS(3, 0x200000) },
	    { WORD_STOP, 0, 0 } } },
	/* by a guest with system calls: what its process lacks, pages of a file, and calls */
	{ 2, { 0 }, { { WORD(error_code), 0, 4 }, { WORD(cr2), 1, ADDRESS(3, 0x8123) }, { WORD_STOP, 0, 0 } } },
	{ 2, { 0 }, { { WORD(error_code), 0, 6 }, { WORD(cr2), 1, ADDRESS(7, 0x123) }, { WORD_STOP, 0, 0 } } },
	{ 2, { 0 }, { { WORD(error_code), 0, 4 }, { WORD(cr2), 1, ADDRESS(4, 0) }, { WORD_STOP, 0, 0 } } },
	{ 2, { 0 }, { { WORD(error_code), 0, 20 }, { WORD(cr2), 1, ADDRESS(0, 0) }, { WORD_STOP, 0, 0 } } },
	{ 2, { 0 }, { { WORD(signal), 0, SIGSYS }, { WORD_STOP, 0, 0 } } },
	/* no memory; a bus error; a system call, an old one, and one of the vsyscall page */
	{ 0, { 0 }, { { WORD(error_code), 0, 4 }, { WORD(cr2), 1, ADDRESS(8, 0) }, { WORD_STOP, 0, 0 } } },
	{ 0, { 0 }, { { WORD(signal), 0, SIGBUS }, { WORD(cr2), 1, ADDRESS(4, 0) }, { WORD_STOP, 0, 0 } } },
	{ 0,
	  { 0 },
	  { { WORD(signal), 0, SIGSYS },
	    { WORD_STOP, 0, 0 },
	    { WORD(call), 0, (uint64_t)AUDIT_ARCH_I386 << 32 },
	    { WORD_STOP, 0, 0 },
	    { WORD(address), 1, ADDRESS(10, 0x400) },
	    { WORD_STOP, 0, 0 } } },
};

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	if (index >= sizeof(seeds) / sizeof(seeds[0]) || capacity < HEADER + SEED_RECORDS * RECORD)
		return 0;
	const struct seed *seed = &seeds[index];
	memset(out, 0, HEADER);
	out[0] = seed->policy;
	memcpy(out + 1, seed->code, sizeof(seed->code));
	for (unsigned i = 0; i < SEED_RECORDS; i++) {
		uint8_t *record = out + HEADER + (size_t)i * RECORD;
		record[0] = seed->records[i].word;
		record[1] = seed->records[i].kind;
		memcpy(record + 2, &seed->records[i].value, sizeof(uint64_t));
	}
	return HEADER + SEED_RECORDS * RECORD;
}
