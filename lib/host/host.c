/* What this host offers: /dev/kvm's capabilities, and two measurements made with a guest of a few instructions. */
#include <cpuid.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/error.h"
#include "base/util.h"
#include "host/probe_guest.h"
#include "machine/kvm.h"
#include "machine/quirks.h"
#include "nub.h"

/* Interpreted code takes some hundred times longer than native code: any bound between does. */
#define INTERPRETED_NS_PER_INSTRUCTION 50.0

/* A run's start takes some hundred microseconds, and now this, now that: what is measured must take many times as long in
 * the shortest of a few runs, and as long, by the piece, as it did when the guest did less of it; or longer than any noise. */
#define ENOUGH_NS 2e6
#define CERTAIN_NS 50e6
#define AGREE 1.5
enum { RUNS = 5, FIRST_COUNT = 64, LAST_COUNT = 1 << 28, GROWTH = 8 };

static bool agree(double a, double b)
{
	return a < AGREE * b && b < AGREE * a;
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int run_probe(const struct nub_image *image, double *ns, struct nub_error *err)
{
	struct nub_config config = nub_config_default();
	struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, err);
	struct nub_outcome outcome;

	if (!sandbox)
		return -1;
	const double start = now_ns();
	int result = nub_sandbox_run_main(sandbox, 0, NULL, &outcome, err);
	*ns = now_ns() - start;
	if (result == 0 && outcome.kind != NUB_OUTCOME_EXITED)
		result =
		    nub_fail(err, NUB_E_KVM, 0, "the probe guest did not end as it should (outcome %d)", outcome.kind);
	nub_sandbox_free(sandbox);
	return result;
}

static int run_once(unsigned privilege_level, uint32_t spins, uint32_t round_trips, double *shortest,
                    struct nub_error *err)
{
	uint8_t file[NUB_PROBE_GUEST_SIZE];
	struct nub_image *image = nub_probe_guest(file, privilege_level, spins, round_trips, err);
	double ns;

	if (!image)
		return -1;
	const int result = run_probe(image, &ns, err);
	nub_image_free(image);
	if (result == 0 && ns < *shortest)
		*shortest = ns;
	return result;
}

/* What one turn or one round trip takes: the time of a run less that of one that does nothing, the guest's start included
 * in both. They take turns, so that what slows one slows the other. */
static int measure_one(unsigned privilege_level, bool round_trips, double *ns, struct nub_error *err)
{
	double idle = INFINITY, with_less = 0;

	for (uint32_t count = FIRST_COUNT;; count *= GROWTH) {
		double busy = INFINITY;
		for (unsigned i = 0; i < RUNS; i++)
			if (run_once(privilege_level, 0, 0, &idle, err) < 0 ||
			    run_once(privilege_level, round_trips ? 0 : count, round_trips ? count : 0, &busy, err) < 0)
				return -1;
		*ns = busy > idle ? (busy - idle) / count : 0;
		if ((busy - idle > ENOUGH_NS && agree(*ns, with_less)) || busy - idle > CERTAIN_NS ||
		    count > LAST_COUNT / GROWTH)
			return 0;
		with_less = *ns;
	}
}

static int measure(struct nub_host_info *info, struct nub_error *err)
{
	double turn, round_trip;

	if (measure_one(0, false, &turn, err) < 0 || measure_one(3, true, &round_trip, err) < 0)
		return -1;
	info->cpl0_ns_per_instruction = turn / NUB_PROBE_GUEST_TURN;
	info->cpl0_emulated = info->cpl0_ns_per_instruction > INTERPRETED_NS_PER_INSTRUCTION;
	info->round_trip_us = round_trip / 1000;
	return 0;
}

static bool first_line(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	const bool got = fgets(text, (int)size, file) != NULL;
	fclose(file);
	if (got)
		text[strcspn(text, "\n")] = '\0';
	return got;
}

static void find_module(struct nub_host_info *info)
{
	static const char *const modules[] = { "kvm_intel", "kvm_amd", "kvm_pvm" };
	char path[64];
	struct stat status;

	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", modules[i]);
		if (stat(path, &status) == 0)
			snprintf(info->module, sizeof(info->module), "%s", modules[i]);
	}
}

/* TCG says it in CPUID; Bochs' CPU says that it is a real one, but its firmware who made it. */
static void find_emulator(struct nub_host_info *info)
{
	char vendor[32];

	if (nub_quirk_tcg())
		snprintf(info->emulator, sizeof(info->emulator), "QEMU TCG");
	else if (first_line("/sys/class/dmi/id/bios_vendor", vendor, sizeof(vendor)) &&
	         strcmp(vendor, "The Bochs Project") == 0)
		snprintf(info->emulator, sizeof(info->emulator), "Bochs");
}

static bool has_extension(int kvm, int number)
{
	return ioctl(kvm, KVM_CHECK_EXTENSION, number) > 0;
}

static void find_features(struct nub_host_info *info, int kvm)
{
	unsigned eax, ebx, ecx, edx;
	char text[64];

	info->api_version = ioctl(kvm, KVM_GET_API_VERSION, 0);
	info->sync_regs = has_extension(kvm, KVM_CAP_SYNC_REGS);
	info->readonly_memory = has_extension(kvm, KVM_CAP_READONLY_MEM);
	info->immediate_exit = has_extension(kvm, KVM_CAP_IMMEDIATE_EXIT);
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
		info->xsave = ecx & bit_XSAVE;
		info->avx = ecx & bit_AVX;
	}
	if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		info->fsgsbase = ebx & bit_FSGSBASE;
	info->large_pages =
	    first_line("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text)) && !strstr(text, "[never]");
}

int nub_host_probe(struct nub_host_info *info, struct nub_error *err)
{
	struct utsname name;

	memset(info, 0, sizeof(*info));
	if (uname(&name) == 0)
		snprintf(info->kernel, sizeof(info->kernel), "%.127s", name.release);
	find_module(info);
	find_emulator(info);
	NUB_AUTO_CLOSE int kvm = nub_kvm_open(err);
	if (kvm < 0)
		return -1;
	find_features(info, kvm);
	return measure(info, err);
}
