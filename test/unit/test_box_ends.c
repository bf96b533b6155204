/* The box of the process engine: when it ends, and what it has until then. */
#include "box_guest.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static void test_killed(void **state)
{
	struct box_guest *guest = *state;
	const pid_t killer = fork();

	if (killer == 0) {
		const struct timespec wait = { .tv_nsec = 30000000 };
		nanosleep(&wait, NULL);
		kill(guest->box.pid, SIGKILL);
		_exit(0);
	}
	assert_int_equal(guest_run(guest, "\xeb\xfe", 2, clock_now() + UINT64_C(5000000000)), NUB_BOX_GONE);
	assert_int_equal(nub_box_killed_by(&guest->box), SIGKILL);
	assert_false(guest->box.kill_sent);
	assert_int_equal(waitpid(killer, NULL, 0), killer);
}

/* Not a child of this process: it is over when its number is nobody's, or a zombie's of init's. */
static bool is_over(pid_t pid)
{
	char path[64], text[512] = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	const ssize_t size = read(fd, text, sizeof(text) - 1);
	close(fd);
	const char *end = strrchr(text, ')');
	return size <= 0 || (end && end[2] == 'Z');
}

/* nubrun is killed while its guest computes. */
static void test_parent_killed(void **state)
{
	int pipe_fds[2];
	pid_t box = 0;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	const pid_t parent = fork();
	if (parent == 0) {
		struct box_guest guest;
		guest_open(&guest);
		if (write(pipe_fds[1], &guest.box.pid, sizeof(pid_t)) == sizeof(pid_t))
			guest_run(&guest, "\xeb\xfe", 2, 0);
		_exit(0);
	}
	assert_int_equal(read(pipe_fds[0], &box, sizeof(box)), sizeof(box));
	assert_false(is_over(box));
	kill(parent, SIGKILL);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	const uint64_t until = clock_now() + UINT64_C(5000000000);
	while (!is_over(box) && clock_now() < until)
		;
	assert_true(is_over(box));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_leaves_nothing(void **state)
{
	const int before = open_descriptors();
	struct box_guest guest;

	(void)state;
	guest_open(&guest);
	const pid_t pid = guest.box.pid;
	/* No wait of an embedder's finds it. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	guest_close(&guest);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(open_descriptors(), before);
}

/* ---- What it is left with ---- */

static void read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	const ssize_t got = read(fd, text, size - 1);
	close(fd);
	text[got < 0 ? 0 : got] = '\0';
}

static void test_seen_from_outside(void **state)
{
	const struct box_guest *guest = *state;
	const pid_t pid = guest->box.pid;
	char text[8192], path[64];
	unsigned lines = 0;

	read_proc(pid, "status", text, sizeof(text));
	assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(text, "Seccomp:\t2\n"));
	assert_non_null(strstr(text, "Seccomp_filters:\t1\n"));
	/* Code, data, stub, and what it shares; the kernel's vsyscall page belongs to no process. */
	read_proc(pid, "maps", text, sizeof(text));
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		if (!strstr(line, "[vsyscall]") || strchr(line, '\n') < strstr(line, "[vsyscall]"))
			lines++;
	assert_int_equal(lines, 4);
	assert_null(strstr(text, "[stack]"));
	assert_null(strstr(text, "[vdso]"));
	read_proc(pid, "environ", text, sizeof(text));
	assert_string_equal(text, "");
	read_proc(pid, "cmdline", text, sizeof(text));
	assert_string_equal(text, "");
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *folder = opendir(path);
	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			assert_int_equal(strtol(entry->d_name, NULL, 10), guest->fd);
	closedir(folder);
}

int main(void)
{
#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_BOX(test_killed),
		cmocka_unit_test(test_parent_killed),
		cmocka_unit_test(test_leaves_nothing),
		WITH_BOX(test_seen_from_outside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
