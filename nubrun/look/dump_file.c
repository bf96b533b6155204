/* Opening what `dump` and `inspect` look into. */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/read_at.h"
#include "base/util.h"
#include "cli/fail.h"
#include "look/dump.h"

bool cmd_is_core(const char *path)
{
	unsigned char head[EI_NIDENT + sizeof(Elf64_Half)];
	struct stat st;
	Elf64_Half type;

	/* Opening a pipe would take what is in it. */
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	NUB_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || nub_read_at(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head, ELFMAG, SELFMAG) != 0)
		return false;
	memcpy(&type, head + EI_NIDENT, sizeof(type));
	return type == ET_CORE;
}

static void advise(struct nub_error *err)
{
	if (err->hint[0] != '\0')
		return;
	if (err->kind == NUB_E_CORE_MAGIC || err->kind == NUB_E_SNAPSHOT_MAGIC)
		nub_hint(err, "name a snapshot ('nubrun snapshot -o') or a core ('nubrun run --core')");
	else if (err->kind == NUB_E_CORE_TRUNCATED || err->kind == NUB_E_CORE_FIELD)
		nub_hint(err, "the file is damaged: copy it again, or have the guest fail again with --core");
}

int cmd_dump_file_open(struct cmd_dump_file *file, const char *path, const char *base, struct nub_error *err)
{
	const bool from_stdin = strcmp(path, "-") == 0;
	NUB_AUTO_CLOSE int opened = from_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*file = (struct cmd_dump_file){ .path = path };
	if (!from_stdin && opened < 0) {
		cmd_fail_errno(err, "%s", path);
		return nub_hint(err, "name a snapshot or a core that is there and can be read");
	}
	file->dump = nub_dump_open(from_stdin ? STDIN_FILENO : opened, from_stdin ? "stdin" : path, base, err);
	if (!file->dump) {
		advise(err);
		return -1;
	}
	const struct nub_dump_info *info = nub_dump_info(file->dump);
	const struct cmd_symbols_key key = { .path = info->guest_path,
		                             .beside = from_stdin ? NULL : path,
		                             .build_id = info->build_id,
		                             .build_id_size = info->build_id_size };
	cmd_symbols_open(&file->symbols, &key);
	file->image = file->symbols.image;
	if (!file->image)
		file->image = file->modules = nub_dump_modules(file->dump);
	return 0;
}

void cmd_dump_file_release(struct cmd_dump_file *file)
{
	cmd_symbols_release(&file->symbols);
	nub_image_free(file->modules);
	nub_dump_free(file->dump);
}

static int read_dump(void *context, uint64_t gva, void *bytes, size_t size)
{
	return nub_dump_read(context, gva, bytes, size, NULL);
}

size_t cmd_dump_backtrace(const struct cmd_dump_file *file, const struct nub_registers *regs, struct nub_frame *frames,
                          size_t max)
{
	return nub_backtrace(file->image, regs, read_dump, file->dump, frames, max);
}
