/* Threads, auxiliary vector and mapped files of a saved program: its state is read as by a thaw, up to where that needs a machine. */
#include "personality/linux/state_survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "cpu/cpu.h"
#include "personality/linux/call.h"
#include "personality/linux/mm_parts.h"
#include "personality/linux/start.h"
#include "personality/linux/state.h"
#include "personality/linux/threads.h"

/* ---- Threads ---- */

void nub_linux_copy_xsave(uint8_t to[NUB_XSAVE_SIZE], const uint8_t *from)
{
	uint64_t in_use;

	memcpy(to, from, NUB_XSAVE_SIZE);
	memcpy(&in_use, to + NUB_XSAVE_STATE_BV, sizeof(in_use));
	in_use &= NUB_XCR0;
	memcpy(to + NUB_XSAVE_STATE_BV, &in_use, sizeof(in_use));
}

void nub_linux_tell_thread(const struct nub_linux *linux, const struct nub_linux_thread *thread,
                           const struct nub_linux_vcpu *vcpu, struct nub_guest_thread *out)
{
	*out =
	    (struct nub_guest_thread){ .tid = (uint32_t)thread->tid,
		                       .current = thread == (linux->current ? linux->current : linux->threads->list[0]),
		                       .call = nub_linux_thread_in_call(thread) ? (int64_t)thread->call : -1,
		                       .regs = vcpu->regs,
		                       .fs_base = vcpu->fs_base,
		                       .gs_base = vcpu->gs_base };
	memcpy(out->name, thread->name, sizeof(out->name));
	nub_linux_copy_xsave(out->xsave, vcpu->xsave);
}

static int survey_threads(struct nub_linux *linux, struct nub_cursor *cursor, struct nub_survey *survey)
{
	struct nub_guest_thread told;

	if (nub_linux_threads_load(linux, cursor) < 0)
		return -1;
	for (size_t i = 0; i < linux->threads->count; i++) {
		const struct nub_linux_thread *thread = linux->threads->list[i];
		nub_linux_tell_thread(linux, thread, &thread->vcpu, &told);
		if (nub_survey_add_thread(survey, &told, cursor->err) < 0)
			return -1;
	}
	return 0;
}

/* ---- Files ---- */

static int survey_memory(struct nub_cursor *cursor, struct nub_survey *survey)
{
	struct nub_linux_area_record record = { 0 };
	struct nub_linux_memory memory = { 0 };
	uint32_t count;

	if (nub_linux_memory_read_head(&memory, &count, cursor) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		if (nub_linux_area_read(cursor, record.area.end, &record) < 0)
			return -1;
		if (!record.has_file)
			continue;
		nub_cursor_u64(cursor, "the file that is mapped");
		if (cursor->failed ||
		    nub_survey_add_file(survey, record.area.start, record.area.end - record.area.start,
		                        record.area.offset, record.path, record.path_size, cursor->err) < 0)
			return -1;
	}
	return 0;
}

/* ---- All ---- */

static bool is_named(const struct nub_linux_state_part *part, const char *name)
{
	return part->name_size == strlen(name) && memcmp(part->name, name, part->name_size) == 0;
}

static int survey_parts(struct nub_linux *linux, struct nub_cursor *cursor, struct nub_survey *survey)
{
	struct nub_linux_state_part part;

	while (cursor->offset < cursor->size) {
		if (nub_linux_state_part(cursor, &part) < 0 ||
		    (is_named(&part, nub_linux_thread_family.name) &&
		     survey_threads(linux, &part.cursor, survey) < 0) ||
		    (is_named(&part, nub_linux_memory_family.name) && survey_memory(&part.cursor, survey) < 0))
			return -1;
	}
	return survey->thread_count > 0
	           ? 0
	           : nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "the program's state tells of no threads");
}

int nub_linux_survey(const uint8_t *state, size_t size, struct nub_survey *survey, struct nub_error *err)
{
	struct nub_linux *linux = calloc(1, sizeof(*linux));
	struct nub_cursor cursor = { .bytes = state,
		                     .size = size,
		                     .whole = "the program's state",
		                     .kind = NUB_E_SNAPSHOT_TRUNCATED,
		                     .err = err };
	int result = -1;

	if (!linux)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the state of a Linux program");
	linux->config.max_threads = NUB_LINUX_MAX_THREADS;
	linux->machine.xcr0 = NUB_XCR0 | NUB_XCR0_AVX512;
	linux->pid = NUB_LINUX_PID;
	if (nub_linux_program_load(linux, &cursor) == 0 &&
	    nub_survey_set_auxv(survey, linux->program->auxv, linux->program->auxv_size, err) == 0 &&
	    nub_linux_thread_family.make(linux, err) == 0)
		result = survey_parts(linux, &cursor, survey);
	nub_linux_thread_family.release(linux);
	nub_linux_program_release(linux);
	free(linux);
	return result;
}
