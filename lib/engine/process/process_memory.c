/* What the box shows: the guest's page tables as mappings, and pages of files that become the guest's own. */
#include <inttypes.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/process/process.h"

/* Pages that become the guest's own together: CHUNK_MIN at first, twice as many for each CHUNKS_AT_ONCE that it took, so that
 * the number of mappings, which Linux bounds, stays in the thousands; and a quarter of those that it took right before them. */
#define CHUNK_MIN (UINT64_C(8) * NUB_PAGE_SIZE)
#define CHUNK_MAX NUB_LARGE_PAGE_SIZE
enum { CHUNKS_AT_ONCE = 512 };

static int protection(const struct nub_mapping *leaf)
{
	return PROT_READ | (leaf->writable ? PROT_WRITE : 0) | (leaf->executable ? PROT_EXEC : 0);
}

bool nub_process_leaf(struct nub_process *process, uint64_t gva, struct nub_mapping *leaf)
{
	const struct nub_pt_reader reader = nub_memory_reader(process->guest.memory);

	return nub_canonical(gva) && nub_pt_translate(&reader, process->guest.root_gpa, gva, leaf);
}

/* Runs of leaves that continue each other in both address spaces, with the same rights. */
struct run_walk {
	struct nub_process *process;
	int (*visit)(struct nub_process *process, const struct nub_mapping *run, void *context, struct nub_error *err);
	void *context;
	struct nub_mapping run; /* size 0: none yet */
};

static int end_run(struct run_walk *walk, struct nub_error *err)
{
	const struct nub_mapping run = walk->run;

	walk->run.size = 0;
	return run.size == 0 ? 0 : walk->visit(walk->process, &run, walk->context, err);
}

static int add_leaf(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	struct run_walk *walk = context;
	const struct nub_mapping *leaf = &item->leaf;
	struct nub_mapping *run = &walk->run;

	if (!leaf->user)
		return 0;
	if (run->size > 0 && run->gva + run->size == leaf->gva && run->gpa + run->size == leaf->gpa &&
	    protection(run) == protection(leaf)) {
		run->size += leaf->size;
		return 0;
	}
	if (end_run(walk, err) < 0)
		return -1;
	*run = *leaf;
	return 0;
}

/* All runs in [start, end], of the lower half: a process has no other. */
static int walk_runs(struct run_walk *walk, uint64_t start, uint64_t end, struct nub_error *err)
{
	struct nub_memory *memory = walk->process->guest.memory;
	const struct nub_pt_reader reader = nub_memory_reader(memory);
	const uint64_t limit = nub_memory_leaf_limit(memory);

	if (nub_pt_walk(&reader, walk->process->guest.root_gpa, start, end, limit, add_leaf, walk, err) < 0)
		return -1;
	return end_run(walk, err);
}

/* ---- All of it ---- */

/* Pages that are files': each part over those before it. Only a box that isn't sealed can map them. */
static int map_pieces(struct nub_process *process, const struct nub_mapping *part, struct nub_error *err)
{
	const struct nub_shared *shared = &process->guest.memory->shared;
	const uint64_t end = part->gpa + part->size;

	for (size_t i = 0; i < shared->piece_count; i++) {
		const struct nub_memory_piece *piece = &shared->pieces[i];
		const uint64_t from = piece->gpa > part->gpa ? piece->gpa : part->gpa;
		const uint64_t to = piece->gpa + piece->size < end ? piece->gpa + piece->size : end;
		if (from < to && nub_box_map(&process->box, part->gva + (from - part->gpa), to - from,
		                             protection(part) & ~PROT_WRITE, piece->fd,
		                             piece->offset + (from - piece->gpa), NUB_BOX_PRIVATE, err) < 0)
			return -1;
	}
	return 0;
}

/* Is it code, in a file from which none may be mapped? */
static bool is_kept_code(const struct nub_shared *shared, const struct nub_mapping *part)
{
	for (size_t i = 0; part->executable && i < shared->piece_count; i++)
		if (shared->pieces[i].no_code &&
		    nub_ranges_overlap(part->gpa, part->size, shared->pieces[i].gpa, shared->pieces[i].size))
			return true;
	return false;
}

/* A part of the memfd, or of the pages that aren't yet; *done is how much of `part` that was. */
int nub_process_map_shared(struct nub_process *process, const struct nub_mapping *part, enum nub_box_pages pages,
                           uint64_t *done, struct nub_error *err)
{
	struct nub_memory *memory = process->guest.memory;
	const bool in_snapshot = part->gpa < memory->snapshot.gpa + memory->snapshot.size;
	uint64_t offset, size = nub_memory_shared_at(memory, part->gpa, &offset);

	size = part->size < size ? part->size : size;
	if (in_snapshot)
		size = nub_memory_same_owner(memory, part->gpa, size);
	*done = size;
	if (in_snapshot && !nub_memory_is_owned(memory, part->gpa)) {
		struct nub_mapping files = *part;
		files.size = size;
		if (!is_kept_code(&memory->shared, &files))
			return map_pieces(process, &files, err);
		if (nub_memory_own(memory, part->gpa, size, err) < 0)
			return -1;
	}
	return nub_box_map(&process->box, part->gva, size, protection(part), memory->shared.fd, offset, pages, err);
}

static const struct nub_memory_map *find_file(const struct nub_memory *memory, uint64_t gpa)
{
	for (size_t i = 0; i < memory->file_count; i++)
		if (gpa >= memory->files[i].gpa && gpa - memory->files[i].gpa < memory->files[i].size)
			return &memory->files[i];
	return NULL;
}

/* What has no memory stays unmapped: its touch is a fault. */
static int map_part(struct nub_process *process, const struct nub_mapping *part, uint64_t *done, struct nub_error *err)
{
	const struct nub_memory *memory = process->guest.memory;
	const struct nub_memory_map *file = find_file(memory, part->gpa);
	uint64_t offset;

	if (nub_memory_shared_at(memory, part->gpa, &offset) > 0)
		return nub_process_map_shared(process, part, NUB_BOX_SHARED, done, err);
	*done = NUB_PAGE_SIZE;
	if (!file)
		return 0;
	const uint64_t left = file->gpa + file->size - part->gpa;
	*done = left < part->size ? left : part->size;
	return nub_box_map(&process->box, part->gva, *done, protection(part) & ~PROT_WRITE, file->fd,
	                   part->gpa - file->gpa, NUB_BOX_PRIVATE, err);
}

int nub_process_check_place(uint64_t gva, uint64_t size, struct nub_error *err)
{
	if (!nub_ranges_overlap(gva, size, NUB_BOX_GVA, NUB_BOX_SIZE))
		return 0;
	nub_fail(err, NUB_E_ENGINE, 0,
	         "the process engine keeps 0x%" PRIx64 " to 0x%" PRIx64
	         " for itself, and the guest has memory at 0x%" PRIx64 " to 0x%" PRIx64,
	         (uint64_t)NUB_BOX_GVA, (uint64_t)NUB_BOX_GVA + NUB_BOX_SIZE, gva, gva + size);
	return nub_hint(err, "choose another address for it, or the kvm engine");
}

int nub_process_fill_copies(struct nub_process *process, const struct nub_mapping *run, struct nub_error *err)
{
	const struct nub_memory *memory = process->guest.memory;
	const uint64_t gpa = run->gpa, in_snapshot = memory->snapshot.gpa + memory->snapshot.size - gpa;

	if (!run->writable || gpa - memory->snapshot.gpa >= memory->snapshot.size)
		return 0;
	const uint64_t end = gpa + (run->size < in_snapshot ? run->size : in_snapshot);
	for (uint64_t at = gpa, size; at < end; at += size) {
		size = end - at;
		at = nub_memory_next_copies(memory, at, &size);
		if (size > 0 && nub_box_fill(&process->box, run->gva + (at - gpa), size, err) < 0)
			return -1;
	}
	return 0;
}

static int map_run(struct nub_process *process, const struct nub_mapping *run, void *context, struct nub_error *err)
{
	struct nub_mapping part = *run;
	uint64_t *total = context;

	if (nub_process_check_place(run->gva, run->size, err) < 0)
		return -1;
	for (uint64_t done = 0; part.size > 0; part.gva += done, part.gpa += done, part.size -= done)
		if (map_part(process, &part, &done, err) < 0)
			return -1;
	if (nub_process_fill_copies(process, run, err) < 0)
		return -1;
	*total += run->size;
	return 0;
}

int nub_process_map_all(struct nub_process *process, uint64_t *size, struct nub_error *err)
{
	struct run_walk walk = { .process = process, .visit = map_run, .context = size };

	*size = 0;
	process->guest.memory->shared.news_count = 0;
	return walk_runs(&walk, 0, NUB_USER_GVA_END - 1, err);
}

/* ---- What becomes the guest's own ---- */

/* Map those of the news that lie in this run: they are in memory. */
static int map_news_of(struct nub_process *process, const struct nub_mapping *run, void *context, struct nub_error *err)
{
	const struct nub_shared *shared = &process->guest.memory->shared;
	const uint64_t end = run->gpa + run->size;

	(void)context;
	for (size_t i = 0; i < shared->news_count; i++) {
		const struct nub_memory_run *news = &shared->news[i];
		struct nub_mapping part = *run;
		uint64_t done;

		part.gpa = news->gpa > run->gpa ? news->gpa : run->gpa;
		part.gva = run->gva + (part.gpa - run->gpa);
		part.size = news->gpa + news->size < end ? news->gpa + news->size - part.gpa : end - part.gpa;
		if (news->gpa < end && news->gpa + news->size > run->gpa &&
		    nub_process_map_shared(process, &part, NUB_BOX_FILLED, &done, err) < 0)
			return -1;
	}
	return 0;
}

/* A guest with syscalls is shown the others when it touches them. */
static int map_news_of_views(struct nub_process *process, struct nub_error *err)
{
	const struct nub_shared *shared = &process->guest.memory->shared;
	struct run_walk walk = { .process = process, .visit = map_news_of };

	for (size_t i = 0; i < process->view_count; i++) {
		const struct nub_process_view view = process->views[i];
		for (size_t k = 0; k < shared->news_count; k++) {
			const struct nub_memory_run *news = &shared->news[k];
			const uint64_t start = news->gpa > view.gpa ? news->gpa - view.gpa : 0;
			const uint64_t end = news->gpa + news->size - view.gpa;
			if (nub_ranges_overlap(news->gpa, news->size, view.gpa, view.size) &&
			    walk_runs(&walk, view.gva + start, view.gva + (end < view.size ? end : view.size) - 1,
			              err) < 0)
				return -1;
		}
	}
	return 0;
}

int nub_process_map_news(struct nub_process *process, struct nub_error *err)
{
	struct nub_shared *shared = &process->guest.memory->shared;
	struct run_walk walk = { .process = process, .visit = map_news_of };

	if (shared->news_count == 0)
		return 0;
	if (process->guest.syscalls ? map_news_of_views(process, err) < 0
	                            : walk_runs(&walk, 0, NUB_USER_GVA_END - 1, err) < 0)
		return -1;
	shared->news_count = 0;
	return 0;
}

/* Are pages told apart? Of so many no working set is made use of, and each is a mapping. */
static bool is_learning(const struct nub_process *process)
{
	enum { MOST_LEARNED = 8192 };

	return process->guest.learns && process->owned_chunks < MOST_LEARNED;
}

static uint64_t chunk_size(const struct nub_process *process, uint64_t gva)
{
	const uint64_t doublings = process->owned_chunks / CHUNKS_AT_ONCE;
	const uint64_t size = doublings < 6 ? CHUNK_MIN << doublings : CHUNK_MAX;
	if (is_learning(process))
		return NUB_PAGE_SIZE;
	const uint64_t quarter = nub_page_down(gva) == process->row_end ? process->row_size / 4 : 0;

	if (quarter <= size)
		return size;
	return quarter < CHUNK_MAX ? UINT64_C(1) << (63 - __builtin_clzll(quarter)) : CHUNK_MAX;
}

/* The page at gva was touched: this chunk is shown. */
static void note_chunk(struct nub_process *process, uint64_t gva, const struct nub_mapping *run)
{
	process->owned_chunks++;
	process->row_size = nub_page_down(gva) == process->row_end ? process->row_size + run->size : run->size;
	process->row_end = run->gva + run->size;
}

/* Of the chunk that gva lies in, the part around it that one run of leaves maps. */
struct chunk {
	uint64_t gva;
	struct nub_mapping run;
};

static int find_chunk(struct nub_process *process, const struct nub_mapping *run, void *context, struct nub_error *err)
{
	struct chunk *chunk = context;

	(void)process;
	(void)err;
	if (chunk->gva >= run->gva && chunk->gva - run->gva < run->size)
		chunk->run = *run;
	return 0;
}

/* The run of leaves that gva lies in, as far as it lies in the `size` bytes around, a power of two. size 0: there is none. */
static int find_run(struct nub_process *process, uint64_t gva, uint64_t size, struct nub_mapping *run,
                    struct nub_error *err)
{
	struct chunk chunk = { .gva = gva };
	struct run_walk walk = { .process = process, .visit = find_chunk, .context = &chunk };
	const uint64_t start = gva & ~(size - 1);

	if (walk_runs(&walk, start, start + size - 1, err) < 0)
		return -1;
	/* Leaves are reported whole: a large one may reach over the chunk. */
	*run = chunk.run;
	if (run->gva < start) {
		run->gpa += start - run->gva;
		run->size -= start - run->gva;
		run->gva = start;
	}
	if (run->gva + run->size > start + size)
		run->size = start + size - run->gva;
	return 0;
}

enum nub_mending nub_process_write_fault(struct nub_process *process, uint64_t gva, const struct nub_mapping *leaf,
                                         struct nub_error *err)
{
	struct nub_memory *memory = process->guest.memory;
	const uint64_t gpa = leaf->gpa + nub_page_down(gva - leaf->gva);
	struct nub_mapping run;

	if (gpa - memory->snapshot.gpa >= memory->snapshot.size || nub_memory_is_owned(memory, gpa))
		return NUB_MENDING_NOT;
	const uint64_t size = chunk_size(process, gva);
	if (find_run(process, gva, size, &run, err) < 0)
		return NUB_MENDING_FAILED;
	note_chunk(process, gva, &run);
	if (nub_memory_own(memory, run.gpa, run.size, err) < 0 || map_news_of(process, &run, NULL, err) < 0)
		return NUB_MENDING_FAILED;
	memory->shared.news_count = 0;
	return NUB_MENDING_DONE;
}

/* Of a guest from which its working set is learned: a page that it reads is shown for reading alone, so that its first write is told,
 * too. */
static int learn(struct nub_process *process, struct nub_mapping *run, bool write, struct nub_error *err)
{
	struct nub_memory *memory = process->guest.memory;

	if (!is_learning(process) || run->gpa - memory->snapshot.gpa >= memory->snapshot.size)
		return 0;
	run->writable = run->writable && write;
	return nub_memory_note_read(memory, run->gpa, !write, err);
}

int nub_process_show(struct nub_process *process, uint64_t gva, bool write, bool *shown, struct nub_error *err)
{
	struct nub_memory *memory = process->guest.memory;
	const uint64_t size = memory->shared.owned ? chunk_size(process, gva) : CHUNK_MAX;
	struct nub_mapping run;
	uint64_t done;

	if (find_run(process, gva, size, &run, err) < 0)
		return -1;
	*shown = run.size > 0 && nub_memory_at(memory, run.gpa, run.size);
	if (!*shown)
		return 0;
	const uint64_t copies = memory->shared.copy_count;
	note_chunk(process, gva, &run);
	if (run.gpa - memory->snapshot.gpa < memory->snapshot.size &&
	    nub_memory_own(memory, run.gpa, run.size, err) < 0)
		return -1;
	if (learn(process, &run, write, err) < 0)
		return -1;
	/* A view of it gives way before the guest goes on, as do others of the same pages. */
	if (memory->shared.news_count > 0 && nub_process_has_view(process, gva))
		return 0;
	return nub_process_map_shared(process, &run,
	                              memory->shared.copy_count > copies ? NUB_BOX_FILLED : NUB_BOX_SHARED, &done, err);
}
