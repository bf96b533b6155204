/* The files of a program: made before it runs, released after it. */
#include "personality/linux/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/host_file.h"
#include "personality/linux/mapped.h"
#include "personality/linux/memory_file.h"
#include "personality/linux/path.h"
#include "personality/linux/stdio.h"

static uint64_t allocate_page(void *context)
{
	void *page = calloc(1, NUB_PAGE_SIZE);

	(void)context;
	return page ? (uint64_t)(uintptr_t)page : NUB_LINUX_NO_PAGE;
}

static uint8_t *page_bytes(void *context, uint64_t handle)
{
	(void)context;
	return (uint8_t *)(uintptr_t)handle;
}

static void free_page(void *context, uint64_t handle)
{
	free(page_bytes(context, handle));
}

static struct timespec now(void *context)
{
	return nub_linux_files_now(context);
}

struct timespec nub_linux_files_now(const struct nub_linux_files *files)
{
	const struct nub_linux_machine *machine = &files->linux->machine;
	const uint64_t ns = machine->ops->now_ns(machine->context, CLOCK_REALTIME);

	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
}

/* What umask(2) would say, without setting it for the whole process meanwhile. */
static uint32_t host_umask(const struct nub_linux_config *config)
{
	char line[256];
	unsigned mask = 022;

	if (config->has_umask)
		return config->umask & 0777;
	FILE *status = fopen("/proc/self/status", "re");
	while (status && fgets(line, sizeof(line), status)) {
		if (strncmp(line, "Umask:", 6) == 0) {
			mask = (unsigned)strtoul(line + 6, NULL, 8);
			break;
		}
	}
	if (status)
		fclose(status);
	return mask & 0777;
}

int nub_linux_cwd_open(struct nub_linux_files *files, const struct nub_linux_place *place, struct nub_linux_file **file)
{
	int error = place->inode ? nub_linux_inode_access(place->inode, files->uid, X_OK) : 0;

	if (error == 0 && !place->inode && faccessat(place->fd, ".", X_OK, AT_EACCESS) < 0)
		error = -errno;
	if (error < 0)
		return error;
	*file =
	    nub_linux_file_new(files, place->inode ? &nub_linux_memory_directory_ops : &nub_linux_host_directory_ops,
	                       O_PATH | O_DIRECTORY);
	if (!*file)
		return -ENOMEM;
	(*file)->mount = place->mount;
	(*file)->path = strdup(place->path);
	if (place->inode)
		(*file)->inode = nub_linux_inode_ref(place->inode);
	else
		(*file)->fd = fcntl(place->fd, F_DUPFD_CLOEXEC, 0);
	if ((*file)->path && (place->inode || (*file)->fd >= 0))
		return 0;
	nub_linux_file_unref(files, *file);
	return -ENOMEM;
}

static int open_root(struct nub_linux_files *files, struct nub_error *err)
{
	struct nub_linux_place place;
	struct nub_linux_file root = { .path = (char[]){ "" }, .fd = -1 };
	int error = nub_linux_walk(files, &root, "/", 0, &place);

	if (error == 0) {
		error = nub_linux_cwd_open(files, &place, &files->cwd);
		nub_linux_place_release(&place);
	}
	return error < 0 ? nub_fail(err, NUB_E_IO, -error, "the guest's root directory: %s", strerrordesc_np(-error))
	                 : 0;
}

static int open_stdio(struct nub_linux_files *files, struct nub_error *err)
{
	static const uint32_t modes[] = { O_RDONLY, O_WRONLY, O_WRONLY };

	for (uint32_t which = 0; which < 3; which++) {
		struct nub_linux_file *file = nub_linux_stdio_open(files, which, modes[which]);

		if (!file || nub_linux_fd_install(files, file, 0, false) < 0)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "standard input and output");
	}
	return 0;
}

static int make(struct nub_linux *linux, struct nub_error *err)
{
	struct nub_linux_files *files = calloc(1, sizeof(*files));

	linux->files = files;
	if (files)
		files->bounce = malloc(NUB_LINUX_BOUNCE_SIZE);
	if (!files || !files->bounce)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the program's files");
	files->linux = linux;
	files->uid = geteuid();
	files->gid = getegid();
	files->host_umask = files->umask = host_umask(&linux->config);
	files->next_device = 0x40;
	files->next_object = 1;
	files->store = (struct nub_linux_store){
		.context = files, .allocate = allocate_page, .free = free_page, .bytes = page_bytes, .now = now
	};
	nub_linux_volume_init(files, &files->anonymous, linux->config.tmpfs_size);
	linux->open_backing = nub_linux_open_backing;
	linux->open_program = nub_linux_open_program;
	if (nub_linux_mount_grants(files, linux->config.grants, linux->config.grant_count, err) < 0)
		return -1;
	return open_root(files, err) < 0 ? -1 : open_stdio(files, err);
}

static void release(struct nub_linux *linux)
{
	struct nub_linux_files *files = linux->files;

	if (!files)
		return;
	nub_linux_fd_close_all(files);
	nub_linux_files_loaded(linux, NULL);
	nub_linux_file_unref(files, files->cwd);
	nub_linux_mounts_release(files);
	free(files->bounce);
	free(files);
	linux->files = NULL;
}

const struct nub_linux_family nub_linux_files_family = {
	.name = "files",
	.make = make,
	.release = release,
	.save = nub_linux_files_save,
	.load = nub_linux_files_load,
};

/* Last in the row: by then every family that holds files has found them. */
const struct nub_linux_family nub_linux_files_end_family = {
	.name = "files-end",
	.load = nub_linux_files_loaded,
};
