/* What a debugger asks of a Linux program, and does to it. */
#include <elf.h>
#include <string.h>

#include "base/util.h"
#include "personality/linux/guest.h"
#include "personality/linux/mm.h"
#include "personality/linux/signals.h"
#include "personality/linux/start.h"
#include "personality/linux/threads.h"

static struct nub_linux *linux_of(const struct nub_personality *personality)
{
	return ((const struct nub_linux_guest *)personality)->linux;
}

/* ---- Signals, and who runs ---- */

static void show_signals(struct nub_personality *personality, bool on, uint64_t passed)
{
	struct nub_linux_debug *debug = &linux_of(personality)->debug;

	debug->shows_signals = on;
	debug->passed = passed;
}

static int shown_signal(const struct nub_personality *personality)
{
	return linux_of(personality)->debug.signal;
}

static bool siginfo(const struct nub_personality *personality, siginfo_t *info)
{
	return nub_linux_signal_shown(linux_of(personality), info);
}

static void answer(struct nub_personality *personality, uint32_t tid, int signal)
{
	struct nub_linux *linux = linux_of(personality);
	struct nub_linux_thread *thread = nub_linux_thread_find(linux, (int32_t)tid);

	if (thread && signal >= 0 && signal <= NUB_LINUX_SIGNALS)
		nub_linux_signal_answer(linux, thread, signal);
}

static uint32_t current(const struct nub_personality *personality)
{
	const struct nub_linux *linux = linux_of(personality);

	return (uint32_t)(linux->current ? linux->current : linux->threads->list[0])->tid;
}

static bool has_thread(const struct nub_personality *personality, uint32_t tid)
{
	return nub_linux_thread_find(linux_of(personality), (int32_t)tid);
}

static void lock(struct nub_personality *personality, uint32_t tid)
{
	linux_of(personality)->debug.only = (int32_t)tid;
}

/* ---- Registers ---- */

static int rest(struct nub_personality *personality, struct nub_error *err)
{
	struct nub_linux_guest *guest = nub_linux_guest_of(personality);
	struct nub_linux *linux = guest->linux;

	/* Then the engine's are newer. */
	if (guest->entered)
		nub_linux_stopped(linux);
	guest->entered = false;
	nub_linux_rest(linux);
	if (linux->end.kind != NUB_LINUX_FAILED)
		return 0;
	*err = linux->error;
	return -1;
}

/* x87, SSE and AVX; what else there is stays. */
static void set_xsave(uint8_t *to, const uint8_t from[NUB_XSAVE_SIZE])
{
	uint64_t was, now;

	memcpy(&was, to + NUB_XSAVE_STATE_BV, sizeof(was));
	memcpy(&now, from + NUB_XSAVE_STATE_BV, sizeof(now));
	memcpy(to, from, NUB_XSAVE_SIZE);
	now = (was & ~NUB_XCR0) | (now & NUB_XCR0);
	memcpy(to + NUB_XSAVE_STATE_BV, &now, sizeof(now));
}

/* Out of the call that it waits in, which is kept. False: it has moved something already. */
static bool leave_call(struct nub_linux_thread *thread)
{
	struct nub_linux_left_call *left = &thread->thread_data->left;

	if (thread->wait.partial > 0)
		return false;
	*left = (struct nub_linux_left_call){ .there = true, .call = thread->call, .wait = thread->wait };
	memcpy(left->args, thread->call_args, sizeof(left->args));
	left->wait.items = NULL;
	left->wait.count = left->wait.capacity = 0;
	thread->wait.waiting = false;
	thread->wait.count = 0;
	thread->thread_data->interrupted = 0;
	thread->thread_data->futex.queued = false;
	thread->signal_data->awaited = 0;
	nub_linux_signal_unmask_after_call(thread);
	return true;
}

static bool is_behind_call(struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	static const uint8_t instruction[NUB_LINUX_SYSCALL_SIZE] = { 0x0f, 0x05 };
	uint8_t code[NUB_LINUX_SYSCALL_SIZE];

	return nub_linux_peek(linux, thread->vcpu.regs.rip - sizeof(code), code, sizeof(code)) == sizeof(code) &&
	       memcmp(code, instruction, sizeof(code)) == 0;
}

/* Back into it: it is served again, as after a thaw. To one that waited for a futex that is as if it had been woken. */
static void return_to_call(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	struct nub_linux_left_call *left = &thread->thread_data->left;

	nub_linux_wait_release(&thread->wait);
	thread->wait = left->wait;
	thread->wait.waiting = true;
	thread->call = left->call;
	memcpy(thread->call_args, left->args, sizeof(thread->call_args));
	left->there = false;
	nub_linux_thread_ready(linux, thread);
}

static bool set_thread(struct nub_personality *personality, const struct nub_guest_thread *from)
{
	struct nub_linux *linux = linux_of(personality);
	struct nub_linux_thread *thread = nub_linux_thread_find(linux, (int32_t)from->tid);

	if (!thread || thread == linux->threads->on_vcpu)
		return false;
	const struct nub_linux_left_call *left = &thread->thread_data->left;
	const bool in_call = nub_linux_thread_in_call(thread);
	if (in_call && from->call < 0 && !leave_call(thread))
		return false;
	thread->vcpu.regs = from->regs;
	thread->vcpu.fs_base = from->fs_base;
	thread->vcpu.gs_base = from->gs_base;
	set_xsave(thread->vcpu.xsave, from->xsave);
	if (!in_call && left->there && (int64_t)left->call == from->call && is_behind_call(linux, thread))
		return_to_call(linux, thread);
	return true;
}

/* ---- Memory ---- */

static size_t read_memory(struct nub_personality *personality, uint64_t gva, void *bytes, size_t size)
{
	return nub_linux_peek(linux_of(personality), gva, bytes, size);
}

static bool reach(struct nub_personality *personality, uint64_t gva, bool bring, uint64_t *gpa)
{
	return nub_linux_reach(linux_of(personality), gva, bring, gpa);
}

static uint64_t auxv_value(const struct nub_linux *linux, uint64_t type)
{
	const struct nub_linux_program *program = linux->program;
	Elf64_auxv_t entry;

	for (size_t at = 0; at + sizeof(entry) <= program->auxv_size; at += sizeof(entry)) {
		memcpy(&entry, program->auxv + at, sizeof(entry));
		if (entry.a_type == type)
			return entry.a_un.a_val;
	}
	return 0;
}

/* The next of the program's own headers of this type, as it has them in memory; *index counts them, from 0. */
static bool next_header(struct nub_linux *linux, uint32_t type, uint64_t *index, Elf64_Phdr *header)
{
	const uint64_t gva = auxv_value(linux, AT_PHDR), count = auxv_value(linux, AT_PHNUM);

	while (*index < count && *index < PN_XNUM) {
		if (nub_linux_peek(linux, gva + *index * sizeof(*header), header, sizeof(*header)) < sizeof(*header))
			return false;
		++*index;
		if (header->p_type == type)
			return true;
	}
	return false;
}

/* Is it that of the program's own file? A link map has the address of its module's dynamic section third (link.h). */
static bool is_own(struct nub_linux *linux, uint64_t image_base, uint64_t link_map)
{
	uint64_t first = UINT64_MAX, index = 0, at;
	Elf64_Phdr header;

	if (link_map == 0)
		return true;
	while (next_header(linux, PT_LOAD, &index, &header))
		first = header.p_vaddr < first ? header.p_vaddr : first;
	index = 0;
	return nub_linux_peek(linux, link_map + 2 * sizeof(at), &at, sizeof(at)) == sizeof(at) &&
	       next_header(linux, PT_DYNAMIC, &index, &header) &&
	       at == image_base - nub_page_down(first) + header.p_vaddr;
}

/* It ends at the thread pointer (ELF Handling For Thread-Local Storage, 4.3.5: variant II). */
static bool own_tls(struct nub_linux *linux, const struct nub_linux_thread *thread, uint64_t offset, uint64_t *gva)
{
	uint64_t index = 0;
	Elf64_Phdr header;

	if (!next_header(linux, PT_TLS, &index, &header) || offset >= header.p_memsz)
		return false;
	const uint64_t align = header.p_align > 1 ? header.p_align : 1;
	*gva = thread->vcpu.fs_base - (header.p_memsz + align - 1) / align * align + offset;
	return true;
}

static bool peek64(struct nub_linux *linux, uint64_t gva, uint64_t *value)
{
	return nub_linux_peek(linux, gva, value, sizeof(*value)) == sizeof(*value);
}

/* By the module's number, in the thread's vector (the same, 3.4.2; glibc, nptl_db/structs.def and sysdeps/x86_64/nptl/tls.h): the
 * vector's address is the thread control block's second word, each of its entries is two, and -1 is one that is not made yet. */
static bool module_tls(struct nub_linux *linux, const struct nub_linux_thread *thread, uint64_t link_map,
                       uint64_t numbers, uint64_t *start)
{
	uint32_t field[3]; /* its bits, how many there are, where it begins */
	uint64_t number, vector;

	return numbers != 0 && nub_linux_peek(linux, numbers, field, sizeof(field)) == sizeof(field) &&
	       field[0] == 8 * sizeof(number) && peek64(linux, link_map + field[2], &number) && number != 0 &&
	       peek64(linux, thread->vcpu.fs_base + sizeof(vector), &vector) &&
	       peek64(linux, vector + number * 2 * sizeof(vector), start) && *start != UINT64_MAX;
}

static bool tls(struct nub_personality *personality, uint32_t tid, uint64_t offset, uint64_t link_map, uint64_t numbers,
                uint64_t *gva)
{
	struct nub_linux *linux = linux_of(personality);
	const struct nub_linux_thread *thread = nub_linux_thread_find(linux, (int32_t)tid);
	uint64_t start;

	if (!thread || !linux->program || thread->vcpu.fs_base == 0)
		return false;
	if (is_own(linux, personality->machine->guest->image_base, link_map))
		return own_tls(linux, thread, offset, gva);
	if (!module_tls(linux, thread, link_map, numbers, &start))
		return false;
	*gva = start + offset;
	return true;
}

const struct nub_personality_debug_ops nub_linux_guest_debug_ops = {
	.show_signals = show_signals,
	.signal = shown_signal,
	.siginfo = siginfo,
	.answer = answer,
	.current = current,
	.has_thread = has_thread,
	.lock = lock,
	.rest = rest,
	.set_thread = set_thread,
	.read = read_memory,
	.reach = reach,
	.tls = tls,
};
