/* /proc: what it says of the machine. */
#include "personality/linux/proc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "personality/linux/files.h"
#include "personality/linux/linux.h"
#include "personality/linux/mm.h"
#include "personality/linux/skeleton.h"

int nub_linux_proc_put(struct nub_buffer *text, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	const int length = vsnprintf(line, sizeof(line), format, args);

	va_end(args);
	const size_t size = length < 0 ? 0 : (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1;

	return nub_buffer_append(text, line, size, NULL) < 0 ? -ENOMEM : 0;
}

int nub_linux_proc_add(struct nub_linux_inode *directory, const char *name, uint32_t mode,
                       const struct nub_linux_generator *generator, struct nub_linux_inode **inode)
{
	struct nub_linux_inode *made;
	const int error = nub_linux_inode_add(directory, name, mode, &made);

	if (error < 0)
		return error;
	made->generator = generator;
	if (inode)
		*inode = made;
	return 0;
}

/* The one CPU, with what every x86-64 has: programs ask the CPU itself for more. */
static int put_cpuinfo(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	const uint64_t khz = linux->machine.ops->tsc_khz(linux->machine.context);

	(void)inode;
	return nub_linux_proc_put(text,
	                          "processor\t: 0\nvendor_id\t: nubrun\ncpu family\t: 6\nmodel\t\t: 0\n"
	                          "model name\t: nubrun virtual CPU\nstepping\t: 0\ncpu MHz\t\t: %" PRIu64 ".%03" PRIu64
	                          "\nphysical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\n"
	                          "fpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\n"
	                          "flags\t\t: fpu tsc msr pae cx8 cmov mmx fxsr sse sse2 syscall nx lm\n"
	                          "clflush size\t: 64\ncache_alignment\t: 64\n"
	                          "address sizes\t: 36 bits physical, 48 bits virtual\n\n",
	                          khz / 1000, khz % 1000);
}

static int put_meminfo(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	const struct nub_linux_memory_use use = nub_linux_memory_use(linux);
	const uint64_t total = use.limit / 1024, available = (use.limit - use.resident) / 1024;

	(void)inode;
	return nub_linux_proc_put(text,
	                          "MemTotal:       %8" PRIu64 " kB\nMemFree:        %8" PRIu64
	                          " kB\nMemAvailable:   %8" PRIu64 " kB\nBuffers:               0 kB\n"
	                          "Cached:                0 kB\nSwapCached:            0 kB\n"
	                          "SwapTotal:             0 kB\nSwapFree:              0 kB\n"
	                          "AnonPages:      %8" PRIu64 " kB\nShmem:                 0 kB\n"
	                          "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n",
	                          total, available, available, use.resident / 1024);
}

static uint64_t seconds(struct nub_linux *linux, int clock)
{
	return linux->machine.ops->now_ns(linux->machine.context, clock) / 1000000000;
}

static int put_stat(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	const uint64_t up = seconds(linux, CLOCK_MONOTONIC);

	(void)inode;
	return nub_linux_proc_put(text,
	                          "cpu  %" PRIu64 " 0 0 0 0 0 0 0 0 0\ncpu0 %" PRIu64
	                          " 0 0 0 0 0 0 0 0 0\nintr 0\nctxt 0\nbtime %" PRIu64
	                          "\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
	                          up * 100, up * 100, seconds(linux, CLOCK_REALTIME) - up);
}

static int put_loadavg(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)inode;
	return nub_linux_proc_put(text, "0.00 0.00 0.00 1/1 %" PRId32 "\n", linux->pid);
}

static int put_uptime(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)inode;
	return nub_linux_proc_put(text, "%" PRIu64 ".00 0.00\n", seconds(linux, CLOCK_MONOTONIC));
}

static int put_version(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)linux;
	(void)inode;
	return nub_linux_proc_put(text, "Linux version 6.1.0 (nubrun)\n");
}

static int put_filesystems(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)linux;
	(void)inode;
	return nub_linux_proc_put(text, "nodev\tproc\nnodev\ttmpfs\n");
}

static int put_one(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)linux;
	(void)inode;
	return nub_linux_proc_put(text, "1\n");
}

static int put_pid_max(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)linux;
	(void)inode;
	return nub_linux_proc_put(text, "4194304\n");
}

static int put_map_count(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	(void)linux;
	(void)inode;
	return nub_linux_proc_put(text, "65530\n");
}

/* /proc/self: the process's number, which a thaw changes. */
static int put_self(struct nub_linux *linux, const struct nub_linux_inode *inode, char *text, size_t capacity)
{
	(void)inode;
	return snprintf(text, capacity, "%" PRId32, linux->pid);
}

static const struct nub_linux_generator self = { .link = put_self };

/* The process's own folder is called by its number; it is kept in the tree under a name that no path has. */
#define OWN "/"

static int find_process(struct nub_linux *linux, const struct nub_linux_inode *inode, const char *name, size_t length,
                        struct nub_linux_inode **found)
{
	char number[16];

	snprintf(number, sizeof(number), "%" PRId32, linux->pid);
	if (strlen(number) != length || memcmp(number, name, length) != 0)
		return -ENOENT;
	*found = nub_linux_inode_ref(nub_linux_inode_find(inode, OWN, 1));
	return 0;
}

static int list_process(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_linux_listing *listing)
{
	char number[16];

	snprintf(number, sizeof(number), "%" PRId32, linux->pid);
	return nub_linux_listing_add(listing, nub_linux_inode_find(inode, OWN, 1)->number, 4, number);
}

static const struct nub_linux_generator root_generator = { .find = find_process, .list = list_process };

static const struct {
	const char *folder, *name;
	struct nub_linux_generator generator;
} texts[] = {
	{ "", "cpuinfo", { .text = put_cpuinfo } },
	{ "", "meminfo", { .text = put_meminfo } },
	{ "", "stat", { .text = put_stat } },
	{ "", "loadavg", { .text = put_loadavg } },
	{ "", "uptime", { .text = put_uptime } },
	{ "", "version", { .text = put_version } },
	{ "", "filesystems", { .text = put_filesystems } },
	{ "/sys/vm", "overcommit_memory", { .text = put_one } }, /* address space is free */
	{ "/sys/vm", "max_map_count", { .text = put_map_count } },
	{ "/sys/kernel", "pid_max", { .text = put_pid_max } },
};

static struct nub_linux_inode *folder_at(struct nub_linux_inode *root, const char *path)
{
	struct nub_linux_inode *at = root;

	while (at && *path == '/') {
		const size_t length = strcspn(path + 1, "/");

		at = nub_linux_inode_find(at, path + 1, length);
		path += 1 + length;
	}
	return at;
}

int nub_linux_proc_fill(struct nub_linux_files *files, struct nub_linux_inode *root)
{
	struct nub_linux_inode *process;
	int error = 0;

	(void)files;
	for (size_t i = 0; error == 0 && i < sizeof(texts) / sizeof(*texts); i++) {
		error = *texts[i].folder ? nub_linux_skeleton_name(root, texts[i].folder, S_IFDIR) : 0;
		if (error == 0)
			error = nub_linux_proc_add(folder_at(root, texts[i].folder), texts[i].name, S_IFREG | 0444,
			                           &texts[i].generator, NULL);
	}
	if (error == 0)
		error = nub_linux_inode_add_symlink(root, "mounts", "self/mounts");
	if (error == 0)
		error = nub_linux_proc_add(root, "self", S_IFLNK | 0777, &self, NULL);
	if (error == 0)
		error = nub_linux_proc_add(root, OWN, S_IFDIR | 0555, NULL, &process);
	root->generator = &root_generator;
	return error == 0 ? nub_linux_proc_self_fill(process) : error;
}
