/* The probe guest's ELF file and code, and trying debug registers with it. */
#include "host/probe_guest.h"

#include <elf.h>
#include <string.h>

#include "gdb/gdb_hardware.h"
#include "sandbox/sandbox.h"

struct probe_code {
	uint8_t mov_spins; /* mov $spins, %ecx */
	uint32_t spins;
	uint8_t spin[4];         /* 1: dec %ecx; jg 1b */
	uint8_t mov_round_trips; /* mov $round_trips, %ecx */
	uint32_t round_trips;
	uint8_t trip[8]; /* jmp 3f; 2: out %al, $CHECKPOINT; 3: dec %ecx; jns 2b */
	uint8_t push;    /* push %rax */
	uint8_t exit[6]; /* xor %eax, %eax; xor %edi, %edi; out %al, $HALT */
} __attribute__((packed));

enum { PUSH_OFFSET = offsetof(struct probe_code, push), PUSHED_OFFSET = offsetof(struct probe_code, exit) };

/* A whole guest: one page with its ELF headers, note and code. */
struct probe_guest {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	struct {
		Elf64_Nhdr header;
		char name[4];
		struct nub_note desc;
	} note;
	struct probe_code code;
};

_Static_assert(sizeof(struct probe_guest) <= NUB_PROBE_GUEST_SIZE, "see probe_guest.h");

static void fill_probe(struct probe_guest *guest, unsigned privilege_level, uint32_t spins, uint32_t round_trips)
{
	const uint64_t base = 0x400000;
	const Elf64_Phdr load = { .p_type = PT_LOAD,
		                  .p_flags = PF_R | PF_X,
		                  .p_vaddr = base,
		                  .p_filesz = sizeof(*guest),
		                  .p_memsz = sizeof(*guest),
		                  .p_align = NUB_PAGE_SIZE };
	const Elf64_Phdr note = { .p_type = PT_NOTE,
		                  .p_flags = PF_R,
		                  .p_offset = offsetof(struct probe_guest, note),
		                  .p_vaddr = base + offsetof(struct probe_guest, note),
		                  .p_filesz = sizeof(guest->note),
		                  .p_memsz = sizeof(guest->note),
		                  .p_align = 4 };

	*guest = (struct probe_guest){
		.header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		            .e_type = ET_EXEC,
		            .e_machine = EM_X86_64,
		            .e_version = EV_CURRENT,
		            .e_entry = base + offsetof(struct probe_guest, code),
		            .e_phoff = offsetof(struct probe_guest, segments),
		            .e_ehsize = sizeof(Elf64_Ehdr),
		            .e_phentsize = sizeof(Elf64_Phdr),
		            .e_phnum = 2 },
		.segments = { load, note },
		.note = { .header = { .n_namesz = 4, .n_descsz = sizeof(struct nub_note), .n_type = NUB_NOTE_TYPE_ABI },
		          .name = "nub",
		          .desc = { NUB_ABI_VERSION, privilege_level } },
		.code = { .mov_spins = 0xb9,
		          .spins = spins,
		          .spin = { 0xff, 0xc9, 0x7f, 0xfc },
		          .mov_round_trips = 0xb9,
		          .round_trips = round_trips,
		          .trip = { 0xeb, 2, 0xe6, NUB_PORT_CHECKPOINT, 0xff, 0xc9, 0x79, 0xfa },
		          .push = 0x50,
		          .exit = { 0x31, 0xc0, 0x31, 0xff, 0xe6, NUB_PORT_HALT } },
	};
}

struct nub_image *nub_probe_guest(uint8_t file[NUB_PROBE_GUEST_SIZE], unsigned privilege_level, uint32_t spins,
                                  uint32_t round_trips, struct nub_error *err)
{
	struct probe_guest guest;

	fill_probe(&guest, privilege_level, spins, round_trips);
	memcpy(file, &guest, sizeof(guest));
	return nub_image_parse(file, sizeof(guest), "probe", err);
}

/* Nobody debugs this run, so a stop ends it as an exit that is not known; then kvm_run has what it was. */
static bool stops(const struct nub_image *image, enum nub_gdb_hardware_kind kind, unsigned pc_offset)
{
	const struct nub_config config = nub_config_default();
	const uint64_t entry = nub_image_info(image)->entry;
	struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, NULL);
	uint64_t registers[NUB_GDB_DEBUG_REGISTERS];
	struct nub_gdb_hardware hardware = { 0 };
	struct nub_outcome outcome;
	bool stopped = false;

	if (!sandbox)
		return false;
	const bool executed = kind == NUB_GDB_EXECUTE;
	nub_gdb_hardware_add(&hardware, kind, executed ? entry + PUSH_OFFSET : sandbox->stack_top_gva - 8,
	                     executed ? 1 : 8);
	nub_gdb_hardware_encode(&hardware, registers);
	const struct kvm_run *run = sandbox->vm.run;
	if (nub_vcpu_set_guest_debug(&sandbox->vm, registers, false, NULL) == 0 &&
	    nub_sandbox_run_main(sandbox, 0, NULL, &outcome, NULL) < 0)
		stopped = run->exit_reason == KVM_EXIT_DEBUG && run->debug.arch.pc == entry + pc_offset &&
		          nub_gdb_hardware_hit(&hardware, run->debug.arch.dr6);
	nub_sandbox_free(sandbox);
	return stopped;
}

bool nub_probe_debug_registers(unsigned privilege_level, bool data)
{
	uint8_t file[NUB_PROBE_GUEST_SIZE];
	struct nub_image *image = nub_probe_guest(file, privilege_level, 0, 0, NULL);

	if (!image)
		return false;
	const bool work =
	    data ? stops(image, NUB_GDB_WRITE, PUSHED_OFFSET) : stops(image, NUB_GDB_EXECUTE, PUSH_OFFSET);
	nub_image_free(image);
	return work;
}
