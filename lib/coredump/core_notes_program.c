/* What a core tells of a Linux program in the notes that gdb reads: threads and mapped files. The file is hostile; what makes no sense
 * is left out. */
#include <elf.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include "base/cursor.h"
#include "base/util.h"
#include "coredump/core_notes.h"

/* More are not told. */
enum { MOST_THREADS = 4096 };

static struct nub_registers registers_of(const struct user_regs_struct *from)
{
	return (struct nub_registers){
		.rax = from->rax,
		.rbx = from->rbx,
		.rcx = from->rcx,
		.rdx = from->rdx,
		.rsi = from->rsi,
		.rdi = from->rdi,
		.rsp = from->rsp,
		.rbp = from->rbp,
		.r8 = from->r8,
		.r9 = from->r9,
		.r10 = from->r10,
		.r11 = from->r11,
		.r12 = from->r12,
		.r13 = from->r13,
		.r14 = from->r14,
		.r15 = from->r15,
		.rip = from->rip,
		.rflags = from->eflags,
	};
}

/* The first one is the current one's. */
static int take_thread(const uint8_t *note, size_t size, struct nub_survey *survey, struct nub_error *err)
{
	struct elf_prstatus status;
	struct user_regs_struct regs;

	if (size != sizeof(status) || survey->thread_count == MOST_THREADS)
		return 0;
	memcpy(&status, note, sizeof(status));
	memcpy(&regs, &status.pr_reg, sizeof(regs));
	const struct nub_guest_thread thread = { .tid = (uint32_t)status.pr_pid,
		                                 .current = survey->thread_count == 0,
		                                 .call = -1,
		                                 .regs = registers_of(&regs),
		                                 .fs_base = regs.fs_base,
		                                 .gs_base = regs.gs_base };
	return nub_survey_add_thread(survey, &thread, err);
}

/* The paths stand behind all ranges, in their order. */
static int take_files(const uint8_t *note, size_t size, struct nub_survey *survey, struct nub_error *err)
{
	struct nub_cursor ranges = {
		.bytes = note, .size = size, .whole = "the files", .kind = NUB_E_CORE_TRUNCATED, .err = NULL
	};
	const uint64_t count = nub_cursor_u64(&ranges, "the number of files");

	if (nub_cursor_u64(&ranges, "the page size") != NUB_PAGE_SIZE || ranges.failed ||
	    count > (size - ranges.offset) / 24)
		return 0;
	size_t path = ranges.offset + (size_t)count * 24;
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t start = nub_cursor_u64(&ranges, "a file"), end = nub_cursor_u64(&ranges, "a file");
		const uint64_t page = nub_cursor_u64(&ranges, "a file");
		const size_t length = strnlen((const char *)note + path, size - path);
		if (length == size - path || end <= start || !nub_page_aligned(start | end) ||
		    page > INT64_MAX / NUB_PAGE_SIZE)
			return 0;
		if (nub_survey_add_file(survey, start, end - start, page * NUB_PAGE_SIZE, (const char *)note + path,
		                        length, err) < 0)
			return -1;
		path += length + 1;
	}
	return 0;
}

int nub_core_decode_program(const uint8_t *bytes, size_t size, struct nub_survey *survey, struct nub_error *err)
{
	struct nub_cursor cursor = {
		.bytes = bytes, .size = size, .whole = "the notes", .kind = NUB_E_CORE_TRUNCATED, .err = NULL
	};

	while (cursor.offset < size && !cursor.failed) {
		struct nub_core_note note;
		if (!nub_core_take_note(&cursor, &note) || !nub_core_note_is(&note, "CORE"))
			continue;
		if ((note.type == NT_PRSTATUS && take_thread(note.bytes, note.size, survey, err) < 0) ||
		    (note.type == NT_FILE && take_files(note.bytes, note.size, survey, err) < 0))
			return -1;
	}
	return 0;
}
