/* Out of the confinement, from inside: each test confines a child of its own, which then tries what it must not. */
#include "unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/confine_calls.h"
#include "confine/landlock.h"
#include "nub.h"

/* Of these some kernels ask no filter: they are for their own trampolines alone, and refuse all others. */
enum { CALL_URETPROBE = 335, CALL_UPROBE = 336 };

static pid_t tester;
static char folder[64], inside[80], outside[80];

/* What a run may be; the last one needs the most. */
static const struct nub_confine_config modes[] = {
	{ .engine = NUB_ENGINE_KVM },
	{ .engine = NUB_ENGINE_PROCESS },
	{ .engine = NUB_ENGINE_KVM, .resets = true, .looks_back = true },
	{ .engine = NUB_ENGINE_PROCESS, .resets = true, .looks_back = true },
	{ .engine = NUB_ENGINE_KVM, .program = true },
	{ .engine = NUB_ENGINE_PROCESS,
	  .resets = true,
	  .looks_back = true,
	  .debugger = true,
	  .program = true,
	  .sends_files = true },
};
enum { MODES = sizeof(modes) / sizeof(modes[0]) };

/* ---- Children ---- */

static volatile sig_atomic_t trapped, trapped_arch;

static void on_trap(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	trapped = info->si_syscall;
	trapped_arch = (sig_atomic_t)info->si_arch;
}

/* Says where a child gave up, which has no test's means. */
#define MUST(condition)                                                                                                \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			static const char failed[] = "failed: " #condition "\n";                                       \
			_exit(write(STDERR_FILENO, failed, sizeof(failed) - 1) > 0 ? 1 : 2);                           \
		}                                                                                                      \
	} while (0)

/* Is it a system call that the filter does not let through? */
#define TRAPS(...) (trapped = -1, syscall(__VA_ARGS__), trapped >= 0)

static void confine(const struct nub_confine_config *config)
{
	const struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	struct nub_error err = { 0 };
	unsigned held = 0;

	sigaction(SIGSYS, &action, NULL);
	MUST(nub_confine(config, &held, &err) == 0);
	MUST(held == NUB_CONFINED_ALL);
}

/* Run `attack` in a child under this confinement: how the child ended. */
static int attacked(void (*attack)(const struct nub_confine_config *config), const struct nub_confine_config *config)
{
	int status;
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		confine(config);
		attack(config);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void attack_in_all_modes(void (*attack)(const struct nub_confine_config *config))
{
	for (unsigned i = 0; i < MODES; i++)
		assert_int_equal(attacked(attack, &modes[i]), 0);
}

/* ---- System calls ---- */

static void call_what_is_forbidden(const struct nub_confine_config *config)
{
	uint8_t verdicts[NUB_CONFINE_NUMBERS];

	nub_confine_verdicts(config, verdicts);
	for (int number = 0; number < NUB_CONFINE_NUMBERS; number++) {
		if (number == CALL_URETPROBE || number == CALL_UPROBE)
			continue;
		if (verdicts[number] == NUB_CONFINE_FORBIDDEN) {
			MUST(TRAPS(number, 0, 0, 0, 0, 0, 0));
			MUST(trapped == number);
		} else if (verdicts[number] == NUB_CONFINE_REFUSED) {
			MUST(syscall(number, 0, 0, 0, 0, 0, 0) < 0 && errno == EACCES);
		}
	}
	MUST(TRAPS(NUB_CONFINE_NUMBERS));
	MUST(TRAPS(INT32_MAX));
	MUST(!TRAPS(-1) && errno == ENOSYS);
}

static void every_forbidden_number_is_a_trap(void **state)
{
	(void)state;
	attack_in_all_modes(call_what_is_forbidden);
}

/* The list is apart from the policy, so that whoever lets one of these through has to say so here. */
static void no_mode_lets_these_through(void **state)
{
	static const uint16_t never[] = {
		SYS_execve,
		SYS_execveat,
		SYS_fork,
		SYS_vfork,
		SYS_clone3,
		SYS_ptrace,
		SYS_socket,
		SYS_socketpair,
		SYS_connect,
		SYS_bind,
		SYS_listen,
		SYS_accept,
		SYS_accept4,
		SYS_mount,
		SYS_umount2,
		SYS_pivot_root,
		SYS_chroot,
		SYS_unshare,
		SYS_setns,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_userfaultfd,
		SYS_io_uring_setup,
		SYS_keyctl,
		SYS_add_key,
		SYS_request_key,
		SYS_init_module,
		SYS_kexec_load,
		SYS_pidfd_getfd,
		SYS_setuid,
		SYS_setgid,
		SYS_capset,
		SYS_chmod,
		SYS_chown,
		SYS_mknod,
		SYS_mknodat,
		SYS_symlink,
		SYS_link,
		SYS_reboot,
		SYS_swapon,
		SYS_personality,
		SYS_modify_ldt,
		SYS_arch_prctl,
		SYS_memfd_secret,
		SYS_pkey_mprotect,
		SYS_remap_file_pages,
		SYS_shmat,
		SYS_msgsnd,
		SYS_semop,
		SYS_open_by_handle_at,
		SYS_name_to_handle_at,
		SYS_quotactl,
		SYS_acct,
		SYS_settimeofday,
		SYS_clock_settime,
		SYS_adjtimex,
		SYS_sethostname,
		SYS_iopl,
		SYS_ioperm,
		SYS_rt_sigqueueinfo,
		SYS_rt_tgsigqueueinfo,
		SYS_tkill,
		SYS_pidfd_send_signal,
		SYS_vmsplice,
		SYS_tee,
	};
	uint8_t verdicts[NUB_CONFINE_NUMBERS];

	(void)state;
	for (unsigned mode = 0; mode < MODES; mode++) {
		nub_confine_verdicts(&modes[mode], verdicts);
		for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++)
			if (verdicts[never[i]] != NUB_CONFINE_FORBIDDEN)
				fail_msg("mode %u lets call %u through", mode, never[i]);
	}
}

static void the_filter_has_room(void **state)
{
	struct sock_filter filter[NUB_CONFINE_FILTER_MAX];

	(void)state;
	for (unsigned mode = 0; mode < MODES; mode++)
		assert_in_range(nub_confine_filter(&modes[mode], 1, filter), 1, NUB_CONFINE_FILTER_MAX);
}

static long call_32(long number)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "memory", "r8", "r9", "r10", "r11");
	return result;
}

/* execve is 59, 11 in the 32-bit table, 520 among the x32 ones. */
static void call_by_other_tables(const struct nub_confine_config *config)
{
	(void)config;
	trapped = -1;
	call_32(11);
	MUST(trapped == 11);
	/* What is getpid there is write here, and the other way round. */
	trapped = -1;
	call_32(20);
	MUST(trapped == 20);
	MUST(TRAPS(0x40000000 | 520));
	MUST(TRAPS(0x40000000 | SYS_getpid));
}

static void other_tables_of_calls_are_closed(void **state)
{
	(void)state;
	attack_in_all_modes(call_by_other_tables);
}

static bool boxes_anew(const struct nub_confine_config *config)
{
	return config->engine == NUB_ENGINE_PROCESS && config->resets;
}

static void make_code(const struct nub_confine_config *config)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(page != MAP_FAILED);
	/* A new box is given the guest's code by itself. */
	if (boxes_anew(config))
		return;
	MUST(TRAPS(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC));
	MUST(TRAPS(SYS_mprotect, page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
	MUST(TRAPS(SYS_mmap, NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void no_new_code(void **state)
{
	(void)state;
	attack_in_all_modes(make_code);
}

static void reach_for_others(const struct nub_confine_config *config)
{
	const pid_t other = tester;
	char byte;
	const struct iovec here = { &byte, 1 };

	MUST(TRAPS(SYS_tgkill, other, other, 0));
	MUST(TRAPS(SYS_process_vm_readv, other, &here, 1, &here, 1, 0));
	MUST(TRAPS(SYS_process_vm_writev, other, &here, 1, &here, 1, 0));
	MUST(!TRAPS(SYS_process_vm_readv, getpid(), &here, 1, &here, 1, 0));
	MUST(!TRAPS(SYS_process_vm_writev, getpid(), &here, 1, &here, 1, 0));
	MUST(TRAPS(SYS_kill, -1, 0));
	MUST(TRAPS(SYS_kill, 0, 0));
	MUST(TRAPS(SYS_kill, -other, 0));
	if (config->engine == NUB_ENGINE_KVM)
		MUST(TRAPS(SYS_kill, other, 0));
	if (boxes_anew(config)) {
		MUST(TRAPS(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0));
		MUST(TRAPS(SYS_prlimit64, other, 0, NULL, NULL));
		MUST(TRAPS(SYS_prctl, PR_SET_PTRACER, -1, 0, 0, 0));
	}
}

static void no_other_process(void **state)
{
	(void)state;
	attack_in_all_modes(reach_for_others);
}

static void ask_devices(const struct nub_confine_config *config)
{
	const bool kvm = config->engine == NUB_ENGINE_KVM;

	MUST(TRAPS(SYS_ioctl, STDIN_FILENO, TIOCSTI, "x"));
	MUST(TRAPS(SYS_ioctl, STDIN_FILENO, FIONBIO, NULL));
	MUST(TRAPS(SYS_ioctl, -1, KVM_RUN, 0) != kvm);
	MUST(!TRAPS(SYS_ioctl, -1, TCGETS, NULL) && errno == EBADF);
	MUST(TRAPS(SYS_ioctl, -1, TCSETS, NULL) != config->program);
	MUST(TRAPS(SYS_ioctl, -1, TCSETSF, NULL) != config->program);
	MUST(TRAPS(SYS_ioctl, -1, FIONREAD, NULL) != config->program);
}

static void few_requests_to_devices(void **state)
{
	(void)state;
	attack_in_all_modes(ask_devices);
}

/* ---- Files and ports ---- */

/* Of Landlock, the kernel has this version at least: 1 has files, 3 their truncation (Linux 6.2), 4 ports (Linux 6.7). */
static void needs_landlock(long version)
{
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < version) {
		print_message("this kernel's Landlock is older than version %ld\n", version);
		skip();
	}
}

static void open_files(const struct nub_confine_config *config)
{
	char name[128];

	(void)config;
	MUST(open(outside, O_RDONLY) < 0 && errno == EACCES);
	MUST(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	MUST(open("/proc/self/root/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	MUST(open("/dev/kvm", O_RDWR) < 0);
	snprintf(name, sizeof(name), "%s/../%s", inside, strrchr(outside, '/') + 1);
	MUST(open(name, O_RDONLY) < 0 && errno == EACCES);
	snprintf(name, sizeof(name), "%s/link", inside);
	MUST(open(name, O_RDONLY) < 0 && errno == EACCES);
	/* What is granted works. */
	snprintf(name, sizeof(name), "%s/new", inside);
	const int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	MUST(fd >= 0 && ftruncate(fd, 1) == 0);
	MUST(rename(name, outside) < 0);
	MUST(unlink(outside) < 0 && errno == EACCES);
	MUST(unlink(name) == 0);
}

static void only_what_is_named_can_be_opened(void **state)
{
	const struct nub_confine_path path = { inside, NUB_CONFINE_WRITE };

	(void)state;
	needs_landlock(1);
	assert_int_equal(attacked(open_files, &(struct nub_confine_config){ .paths = &path, .path_count = 1 }), 0);
}

static void write_what_is_to_be_read(const struct nub_confine_config *config)
{
	(void)config;
	MUST(open(outside, O_RDONLY) >= 0);
	MUST(open(outside, O_WRONLY) < 0 && errno == EACCES);
	MUST(open(outside, O_RDONLY | O_TRUNC) < 0 && errno == EACCES);
	MUST(unlink(outside) < 0 && errno == EACCES);
}

static void reading_is_not_writing(void **state)
{
	const struct nub_confine_path path = { outside, NUB_CONFINE_READ };

	(void)state;
	needs_landlock(3);
	assert_int_equal(
	    attacked(write_what_is_to_be_read, &(struct nub_confine_config){ .paths = &path, .path_count = 1 }), 0);
}

/* Below the filter, which forbids sockets, Landlock does it again. */
static void no_port_is_bound(void **state)
{
	const struct nub_confine_config config = { 0 };
	struct nub_error err = { 0 };
	int status;
	bool foreign;

	(void)state;
	needs_landlock(4);
	const pid_t pid = fork();
	if (pid == 0) {
		const struct sockaddr_in any = { .sin_family = AF_INET };
		const int fd = socket(AF_INET, SOCK_STREAM, 0);
		MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
		MUST(nub_landlock_apply(&config, &foreign, &err) == 1);
		MUST(bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 && errno == EACCES);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- Rights, and what is left behind ---- */

static void look_at_status(const struct nub_confine_config *config)
{
	char text[8192] = "";
	const int fd = open("/proc/self/status", O_RDONLY);

	(void)config;
	MUST(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	MUST(strstr(text, "\nNoNewPrivs:\t1\n"));
	MUST(strstr(text, "\nSeccomp:\t2\n"));
	MUST(strstr(text, "\nCapInh:\t0000000000000000\n"));
	MUST(strstr(text, "\nCapPrm:\t0000000000000000\n"));
	MUST(strstr(text, "\nCapEff:\t0000000000000000\n"));
	MUST(strstr(text, "\nCapAmb:\t0000000000000000\n"));
}

static void no_rights_are_left(void **state)
{
	const struct nub_confine_path path = { "/proc", NUB_CONFINE_READ };

	(void)state;
	assert_int_equal(attacked(look_at_status, &(struct nub_confine_config){ .paths = &path, .path_count = 1 }), 0);
}

static void crash(const struct nub_confine_config *config)
{
	(void)config;
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void no_core_is_left(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MODES; i++) {
		const int status = attacked(crash, &modes[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		assert_false(WCOREDUMP(status));
	}
}

/* A core pattern that is a pipe does not mind the limit. So either the process is one of which there is no core, as whose /proc
 * is root's tells, or its core has no memory. */
static void ask_for_a_core(const struct nub_confine_config *config)
{
	char filter[16] = "";
	struct stat st;

	(void)config;
	MUST(stat("/proc/self/status", &st) == 0);
	if (st.st_uid != geteuid())
		return;
	const int fd = open("/proc/self/coredump_filter", O_RDONLY);
	MUST(fd >= 0 && read(fd, filter, sizeof(filter) - 1) > 0);
	MUST(strtoul(filter, NULL, 16) == 0);
}

static void no_pipe_gets_a_core(void **state)
{
	enum { NOBODY = 65534 };
	const struct nub_confine_path path = { "/proc", NUB_CONFINE_READ };
	struct nub_confine_config config = { .paths = &path, .path_count = 1 };
	int status;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		config.looks_back = i;
		const pid_t pid = fork();
		if (pid == 0) {
			/* Of root's processes it does not show; a container may have nobody else. */
			if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
				_exit(0);
			MUST(prctl(PR_SET_DUMPABLE, 1) == 0);
			confine(&config);
			ask_for_a_core(&config);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* ---- The folder ---- */

static int make_folder(void **state)
{
	char link[128];

	(void)state;
	tester = getpid();
	strcpy(folder, "/tmp/confine.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(inside, sizeof(inside), "%s/inside", folder);
	snprintf(outside, sizeof(outside), "%s/outside", folder);
	snprintf(link, sizeof(link), "%s/link", inside);
	assert_int_equal(mkdir(inside, 0700), 0);
	assert_true(close(open(outside, O_WRONLY | O_CREAT, 0600)) == 0);
	return symlink(outside, link);
}

static int remove_folder(void **state)
{
	char link[128];

	(void)state;
	snprintf(link, sizeof(link), "%s/link", inside);
	unlink(link);
	unlink(outside);
	rmdir(inside);
	return rmdir(folder);
}

#if defined(__SANITIZE_ADDRESS__)
static void no_filter_under_sanitizers(void **state)
{
	(void)state;
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_forbidden_number_is_a_trap),
		cmocka_unit_test(no_mode_lets_these_through),
		cmocka_unit_test(the_filter_has_room),
		cmocka_unit_test(other_tables_of_calls_are_closed),
		cmocka_unit_test(no_new_code),
		cmocka_unit_test(no_other_process),
		cmocka_unit_test(few_requests_to_devices),
		cmocka_unit_test(only_what_is_named_can_be_opened),
		cmocka_unit_test(reading_is_not_writing),
		cmocka_unit_test(no_port_is_bound),
		cmocka_unit_test(no_rights_are_left),
		cmocka_unit_test(no_core_is_left),
		cmocka_unit_test(no_pipe_gets_a_core),
	};

#if defined(__SANITIZE_ADDRESS__)
	const struct CMUnitTest none[] = { cmocka_unit_test(no_filter_under_sanitizers) };

	(void)tests;
	return cmocka_run_group_tests_name("confinement", none, make_folder, remove_folder);
#endif
	return cmocka_run_group_tests_name("confinement", tests, make_folder, remove_folder);
}
