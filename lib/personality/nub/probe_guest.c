/* The probe guest's ELF file and code. */
#include "personality/nub/probe_guest.h"

#include <elf.h>
#include <string.h>

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

_Static_assert(offsetof(struct probe_code, push) == NUB_PROBE_GUEST_PUSH, "see probe_guest.h");
_Static_assert(offsetof(struct probe_code, exit) == NUB_PROBE_GUEST_PUSHED, "see probe_guest.h");

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
