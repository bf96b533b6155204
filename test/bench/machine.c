/* What the kernel and nubrun say of themselves. */
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

static void copy_line(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%.*s", (int)strcspn(text, "\n"), text);
}

static void find_cpu(char *to, size_t size)
{
	static const char name[] = "model name";
	char line[256];
	FILE *file = fopen("/proc/cpuinfo", "r");

	copy_line(to, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		const char *value = strchr(line, ':');
		if (!value || strncmp(line, name, sizeof(name) - 1) != 0)
			continue;
		copy_line(to, size, value + 1 + strspn(value + 1, " "));
		break;
	}
	if (file)
		fclose(file);
}

static const char *find_kvm(void)
{
	static const char *const modules[] = { "kvm_intel", "kvm_amd", "kvm_pvm" };
	char path[64];

	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", modules[i]);
		if (access(path, F_OK) == 0)
			return modules[i];
	}
	return "unknown";
}

void machine_look(struct machine *machine)
{
	const char *const version[] = { "./nubrun", "--version", NULL };

	find_cpu(machine->cpu, sizeof(machine->cpu));
	machine->cores = sysconf(_SC_NPROCESSORS_ONLN);
	machine->memory_mib = sysconf(_SC_PHYS_PAGES) / (1024 * 1024 / sysconf(_SC_PAGESIZE));
	if (uname(&machine->kernel) < 0)
		fail("uname");
	machine->kvm = find_kvm();
	copy_line(machine->nubrun, sizeof(machine->nubrun), capture(version));
}
