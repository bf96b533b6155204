/* What /dev/kvm offers here: the module behind it, its capabilities, and what the CPU has. */
#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/util.h"
#include "engine/engines.h"
#include "engine/kvm/kvm.h"
#include "engine/kvm/quirks.h"

static bool first_line(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	const bool got = fgets(text, (int)size, file);
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

int nub_kvm_probe(struct nub_host_info *info, struct nub_error *err)
{
	find_module(info);
	find_emulator(info);
	NUB_AUTO_CLOSE int kvm = nub_kvm_open(err);
	if (kvm < 0)
		return -1;
	find_features(info, kvm);
	return 0;
}
