/* /proc/PID: what it says of the program. proc(5) has the formats. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "personality/linux/files.h"
#include "personality/linux/linux.h"
#include "personality/linux/mm.h"
#include "personality/linux/proc.h"
#include "personality/linux/start.h"

static int put_area(struct nub_buffer *text, const struct nub_linux_area *area)
{
	const struct nub_linux_backing *backing = area->backing;
	const char *name = backing && backing->path ? backing->path : area->name;
	char line[256];
	int length = snprintf(
	    line, sizeof(line), "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " %02x:%02x %" PRIu64 " ",
	    area->start, area->end, area->prot & PROT_READ ? 'r' : '-', area->prot & PROT_WRITE ? 'w' : '-',
	    area->prot & PROT_EXEC ? 'x' : '-', area->shared ? 's' : 'p', backing ? area->offset : 0,
	    backing ? major(backing->device) : 0, backing ? minor(backing->device) : 0, backing ? backing->inode : 0);
	int error = nub_linux_proc_put(text, "%s%*s", line, name && length < 73 ? 73 - length : 0, "");

	if (error == 0 && name)
		error = nub_buffer_append(text, name, strlen(name), NULL) < 0 ? -ENOMEM : 0;
	return error == 0 ? nub_linux_proc_put(text, "\n") : error;
}

static int put_maps(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	size_t count;
	const struct nub_linux_area *areas = nub_linux_areas(linux, &count);
	int error = 0;

	(void)inode;
	for (size_t i = 0; error == 0 && i < count; i++)
		error = put_area(text, &areas[i]);
	return error;
}

static const char *name_of(const struct nub_linux *linux)
{
	return linux->current && linux->current->name[0] ? linux->current->name : "program";
}

static int put_status(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	const struct nub_linux_memory_use use = nub_linux_memory_use(linux);
	const uint32_t uid = linux->files->uid, gid = linux->files->gid;

	(void)inode;
	return nub_linux_proc_put(text,
	                          "Name:\t%s\nUmask:\t%04" PRIo32 "\nState:\tR (running)\nTgid:\t%" PRId32
	                          "\nNgid:\t0\nPid:\t%" PRId32 "\nPPid:\t0\nTracerPid:\t0\nUid:\t%" PRIu32 "\t%" PRIu32
	                          "\t%" PRIu32 "\t%" PRIu32 "\nGid:\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32
	                          "\nFDSize:\t%u\nGroups:\t%" PRIu32 " \nVmPeak:\t%8" PRIu64 " kB\nVmSize:\t%8" PRIu64
	                          " kB\nVmHWM:\t%8" PRIu64 " kB\nVmRSS:\t%8" PRIu64
	                          " kB\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n",
	                          name_of(linux), linux->files->umask, linux->pid, linux->pid, uid, uid, uid, uid, gid,
	                          gid, gid, gid, linux->files->descriptor_count, gid, use.mapped / 1024,
	                          use.mapped / 1024, use.resident / 1024, use.resident / 1024);
}

/* proc(5) numbers the fields: 20 threads, 23 and 24 sizes, 28 the stack's start. */
static int put_stat(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	const struct nub_linux_memory_use use = nub_linux_memory_use(linux);

	(void)inode;
	return nub_linux_proc_put(
	    text,
	    "%" PRId32 " (%s) R 0 %" PRId32 " %" PRId32 " 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 0 %" PRIu64 " %" PRIu64
	    " 18446744073709551615 0 0 %" PRIu64 " 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 %" PRIu64 " 0 0 0 0 0\n",
	    linux->pid, name_of(linux), linux->pid, linux->pid, use.mapped, (uint64_t)(use.resident / NUB_PAGE_SIZE),
	    use.stack_top, use.brk_start);
}

static int put_statm(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	const struct nub_linux_memory_use use = nub_linux_memory_use(linux);
	const uint64_t mapped = use.mapped / NUB_PAGE_SIZE, resident = use.resident / NUB_PAGE_SIZE;

	(void)inode;
	return nub_linux_proc_put(text, "%" PRIu64 " %" PRIu64 " 0 0 0 %" PRIu64 " 0\n", mapped, resident, resident);
}

static int put_bytes(struct nub_buffer *text, const uint8_t *bytes, size_t size)
{
	return bytes && nub_buffer_append(text, bytes, size, NULL) < 0 ? -ENOMEM : 0;
}

static int put_cmdline(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)inode;
	return linux->program ? put_bytes(text, linux->program->arguments, linux->program->arguments_size) : 0;
}

static int put_environ(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)inode;
	return linux->program ? put_bytes(text, linux->program->environment, linux->program->environment_size) : 0;
}

static int put_auxv(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)inode;
	return linux->program ? put_bytes(text, linux->program->auxv, linux->program->auxv_size) : 0;
}

static int put_comm(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)inode;
	return nub_linux_proc_put(text, "%s\n", name_of(linux));
}

static int put_cgroup(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)linux;
	(void)inode;
	return nub_linux_proc_put(text, "0::/\n");
}

int nub_linux_proc_mounts(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	const struct nub_linux_files *files = linux->files;
	int error = 0;

	(void)inode;
	if (!nub_linux_mount_at(files, "", 0))
		error = nub_linux_proc_put(text, "tmpfs / tmpfs ro 0 0\n");
	for (size_t i = 0; error == 0 && i < files->mount_count; i++) {
		const struct nub_linux_mount *mount = files->mounts[i];
		const bool memory = mount->kind == NUB_LINUX_MOUNT_MEMORY;

		error = nub_linux_proc_put(text, "%s %.900s %s %s 0 0\n", memory ? "tmpfs" : "grant",
		                           *mount->path ? mount->path : "/", memory ? "tmpfs" : "none",
		                           mount->writable ? "rw" : "ro");
	}
	return error;
}

static int link_exe(struct nub_linux *linux, const struct nub_linux_inode *inode, char *text, size_t capacity)
{
	const int length = snprintf(text, capacity, "%s", linux->config.path);

	(void)inode;
	return (size_t)length < capacity ? length : (int)capacity;
}

static int link_cwd(struct nub_linux *linux, const struct nub_linux_inode *inode, char *text, size_t capacity)
{
	(void)inode;
	return nub_linux_file_describe(linux, linux->files->cwd, text, capacity);
}

static struct nub_linux_file *follow_cwd(struct nub_linux *linux, const struct nub_linux_inode *inode)
{
	(void)inode;
	return linux->files->cwd;
}

static const struct {
	const char *name;
	uint32_t mode;
	struct nub_linux_generator generator;
} entries[] = {
	{ "maps", S_IFREG | 0444, { .text = put_maps } },
	{ "status", S_IFREG | 0444, { .text = put_status } },
	{ "stat", S_IFREG | 0444, { .text = put_stat } },
	{ "statm", S_IFREG | 0444, { .text = put_statm } },
	{ "cmdline", S_IFREG | 0444, { .text = put_cmdline } },
	{ "environ", S_IFREG | 0400, { .text = put_environ } },
	{ "auxv", S_IFREG | 0400, { .text = put_auxv } },
	{ "comm", S_IFREG | 0444, { .text = put_comm } },
	{ "cgroup", S_IFREG | 0444, { .text = put_cgroup } },
	{ "mounts", S_IFREG | 0444, { .text = nub_linux_proc_mounts } },
	{ "exe", S_IFLNK | 0777, { .link = link_exe } },
	{ "cwd", S_IFLNK | 0777, { .link = link_cwd, .follow = follow_cwd } },
};

int nub_linux_proc_self_fill(struct nub_linux_inode *directory)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < sizeof(entries) / sizeof(*entries); i++)
		error = nub_linux_proc_add(directory, entries[i].name, entries[i].mode, &entries[i].generator, NULL);
	if (error == 0)
		error = nub_linux_inode_add_symlink(directory, "root", "/");
	if (error == 0)
		error = nub_linux_proc_add(directory, "fd", S_IFDIR | 0500, &nub_linux_proc_fd_generator, NULL);
	if (error == 0)
		error = nub_linux_proc_add(directory, "fdinfo", S_IFDIR | 0555, &nub_linux_proc_fdinfo_generator, NULL);
	return error;
}
