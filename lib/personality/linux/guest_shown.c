/* What a program only reads of its own file, in its memory before it is loaded: mapped, not copied, and without a touch for each
 * page of it. Where touches are dear, they are so for pages that are not the guest's own: there they are copied, all at once. */
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/read_at.h"
#include "base/util.h"
#include "elf/elf_image.h"
#include "elf/elf_program.h"
#include "personality/linux/guest.h"

/* More than this is left to touches; and of little memory, what is more than a part of it. */
#define MOST_SIZE (UINT64_C(16) << 20)
enum { MEMORY_PER_SHOWN = 8 };
/* All of a smaller file comes with a touch or two. */
#define LEAST_FILE (UINT64_C(64) << 10)

static int64_t read_file(void *context, uint64_t offset, void *bytes, size_t size)
{
	const ssize_t got = nub_read_at(*(const int *)context, bytes, size, offset);

	return got < 0 ? -errno : got;
}

/* The pages of the file that hold a segment which is not written. False: it has none, or not all of them. */
static bool find_pages(const struct nub_elf_program_segment *segment, uint64_t file_size, uint64_t *offset,
                       uint64_t *size)
{
	uint64_t end, file_end;

	*offset = nub_page_down(segment->offset);
	if (segment->flags & PF_W || segment->filesz == 0 || !nub_page_up(segment->offset + segment->filesz, &end) ||
	    !nub_page_up(file_size, &file_end))
		return false;
	*size = end - *offset;
	return end <= file_end;
}

static int show(struct nub_linux_guest *guest, const struct nub_elf_program *program, int fd, uint64_t file_size,
                struct nub_error *err)
{
	struct nub_machine *machine = guest->personality.machine;
	const struct nub_layout *layout = &machine->plan.layout;
	const uint64_t most =
	    layout->heap_size / MEMORY_PER_SHOWN < MOST_SIZE ? layout->heap_size / MEMORY_PER_SHOWN : MOST_SIZE;
	struct nub_memory_piece piece = { .gpa = layout->heap_gpa, .fd = fd, .no_code = nub_shared_is_noexec(fd) };

	for (size_t i = 0; i < program->segment_count && guest->shown_count < NUB_LINUX_MOST_SHOWN; i++) {
		if (!find_pages(&program->segments[i], file_size, &piece.offset, &piece.size) ||
		    piece.gpa + piece.size > layout->heap_gpa + most)
			continue;
		if (nub_memory_show(&machine->memory, &piece, err) < 0)
			return -1;
		guest->shown[guest->shown_count++] = (struct nub_linux_shown){ piece.offset, piece.size, piece.gpa };
		piece.gpa += piece.size;
	}
	machine->image_end = piece.gpa;
	machine->memory.snapshot.from_file = guest->shown_count > 0;
	machine->memory.snapshot.file_end = piece.gpa;
	return 0;
}

/* Some file systems have files that can only be read. */
static bool can_be_mapped(int fd)
{
	void *page = mmap(NULL, NUB_PAGE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);

	if (page != MAP_FAILED)
		munmap(page, NUB_PAGE_SIZE);
	return page != MAP_FAILED;
}

int nub_linux_guest_show(struct nub_linux_guest *guest, const struct nub_image *image, struct nub_error *err)
{
	struct nub_machine *machine = guest->personality.machine;
	int fd = nub_image_program_fd(image);
	struct nub_elf_program program;
	struct nub_error unread = { 0 };
	struct stat status;

	guest->shown_count = 0;
	/* What is wrong with the file is told when it is loaded. */
	if (fstat(fd, &status) < 0 || (uint64_t)status.st_size < LEAST_FILE || !can_be_mapped(fd) ||
	    nub_elf_program_read(&program, read_file, &fd, "", &unread) < 0)
		return 0;
	if (show(guest, &program, fd, (uint64_t)status.st_size, err) < 0)
		return -1;
	if (guest->shown_count > 0 && nub_engine_touch_is_dear(machine->engine))
		nub_memory_populate(&machine->memory, machine->plan.layout.heap_gpa,
		                    machine->image_end - machine->plan.layout.heap_gpa);
	return 0;
}

uint64_t nub_linux_guest_shown(const struct nub_linux_guest *guest, uint64_t offset, uint64_t size)
{
	for (size_t i = 0; i < guest->shown_count; i++)
		if (guest->shown[i].offset == offset && guest->shown[i].size == size)
			return guest->shown[i].gpa;
	return 0;
}
