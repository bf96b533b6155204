/* Looks for a file called `secret` beside the directory that it is granted, at /granted, by every way that leads out of one: parents,
 * links of its own making, magic links of /proc, directories that somebody renames meanwhile, descriptors of them. Prints what it
 * found; writes `seen` where it could write.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void look(int folder, const char *path)
{
	char bytes[64] = { 0 };
	const int flags[] = { O_RDONLY, O_RDWR, O_PATH };

	for (unsigned i = 0; i < 3; i++) {
		const int fd = openat(folder, path, flags[i]);
		if (fd < 0)
			continue;
		if (pread(fd, bytes, sizeof(bytes) - 1, 0) > 0 && strstr(bytes, "not for guests"))
			printf("read through %s\n", path);
		if (pwrite(fd, "seen", 4, 0) == 4)
			printf("wrote through %s\n", path);
		close(fd);
	}
}

static void look_everywhere(int folder)
{
	static const char *const paths[] = {
		"../secret",
		"../../secret",
		"inner/../../secret",
		"up/secret",
		"chain/secret",
		"root/secret",
		"/proc/self/root/../secret",
		"/proc/self/root/proc/1/root/secret",
		"/proc/self/cwd/../secret",
		"/proc/self/fd/3/../secret",
		"/proc/self/exe/../secret",
		"/proc/thread-self/root/secret",
		"magic/secret",
		"swapped/secret",
		"swapped/../secret",
		"swapped/../../secret",
		"/granted/../secret",
		"/granted/./inner/../../secret",
		"/dev/fd/3/../secret",
		"//secret",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		look(folder, paths[i]);
}

int main(void)
{
	if (chdir("/granted") < 0) {
		perror("/granted");
		return 1;
	}
	const int folder = open(".", O_RDONLY | O_DIRECTORY);

	symlink("..", "up");
	symlink("up/../up", "chain");
	symlink("/proc/self/root/..", "root");
	symlink("/proc/self/fd/3/..", "magic");
	mkdir("inner", 0755);
	link("../secret", "inner/linked");
	rename("../secret", "inner/renamed");
	for (unsigned i = 0; i < 50; i++) {
		const int swapped = openat(folder, "swapped", O_RDONLY | O_DIRECTORY);
		look_everywhere(folder);
		if (swapped >= 0) {
			look(swapped, "../secret");
			look(swapped, "../../secret");
			close(swapped);
		}
	}
	look(folder, "inner/linked");
	look(folder, "inner/renamed");
	printf("looked\n");
	return 0;
}
