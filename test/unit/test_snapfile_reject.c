/* Snapshot files that are wrong: one field each, sealed again, and the one error that it must give (R23 to R31). */
#include "unit.h"

#include "snapfile_sample.h"
#include "snapshot/format/snapfile_parts.h"

struct mangle {
	const char *title;
	enum sample_kind kind;
	enum nub_section_type section; /* 0: the header */
	size_t offset, size;           /* of the field in the section's payload, or in the header */
	uint64_t value;
	const char *says;
	enum nub_error_kind error; /* 0: SNAPSHOT_FIELD */
};

/* Offsets are those of nub-snapshot(5). */
enum { HEAD_TYPE = -16, HEAD_FLAGS = -12, HEAD_SIZE = -8 };
enum { FUNCTION = 8, FUNCTION_2 = 8 + 72, HOST_2 = 8 + 60, REGION = 8, REGION_2 = 8 + 32, REGION_5 = 8 + 4 * 32 };
enum { CS = 144, DS = 168, FS = 216, SS = 264, TR = 288, LDT = 312, GDT = 336, IDT = 352, CR0 = 368, CR4 = 384 };
enum { LAYOUT_PEB_GVA = 8 + 17 * 8 };
enum { XSAVE = 472, MSR = 1304, CPUID = 8, CPUID_2 = 8 + 32, RUN = 32, WORKING = 8, BASE_NAME = 32 + 3 * 16 };

/* The arguments after the value: what the message says, and the error if it is another than SNAPSHOT_FIELD. */
#define FIELD_OF(sample, part, name, at, width, number, ...)                                                           \
	{                                                                                                              \
		.title = name, .kind = sample, .section = part, .offset = (size_t)(at), .size = width,                 \
		.value = number, .says = __VA_ARGS__                                                                   \
	}
#define IN_HEADER(title, ...) FIELD_OF(SAMPLE_LAYER, 0, title, __VA_ARGS__)
#define IN(part, title, ...) FIELD_OF(SAMPLE_LAYER, NUB_SECTION_##part, title, __VA_ARGS__)
#define OF(sample, part, title, ...) FIELD_OF(SAMPLE_##sample, NUB_SECTION_##part, title, __VA_ARGS__)
#define NOT_CANONICAL UINT64_C(0x800000000000)

static const struct mangle mangles[] = {
	IN_HEADER("magic", 0, 1, 'N', "no snapshot", NUB_E_SNAPSHOT_MAGIC),
	IN_HEADER("newer version", 8, 8, UINT64_C(0x200000003),
	          "version 3, which needs a reader of version 2, this libnub reads 1", NUB_E_SNAPSHOT_VERSION),
	IN_HEADER("compatible 0", 12, 4, 0, "header.compatible is 0x0"),
	IN_HEADER("version 0", 8, 4, 0, "header.version is 0x0, it must be at least header.compatible, 0x1"),
	IN_HEADER("header size", 16, 4, 128, "header.header_size is 0x80, it must be 0x100"),
	IN_HEADER("AArch64", 20, 4, 183, "header.architecture is 0xb7, it must be 0x3e (x86-64)"),
	IN_HEADER("page size", 24, 4, 16384, "header.page_size is 0x4000, it must be 0x1000"),
	IN_HEADER("reserved", 28, 4, 1, "header has a reserved byte of 0x1 at offset 28"),
	IN_HEADER("metadata unaligned", 32, 8, 0x11a001, "header.metadata_offset is 0x11a001"),
	IN_HEADER("metadata in page 0", 32, 8, 0, "header.metadata_offset is 0x0"),
	IN_HEADER("metadata too far", 32, 8, UINT64_C(1) << 40, "header.metadata_offset is 0x10000000000"),
	IN_HEADER("metadata elsewhere", 32, 8, 0x119000, "header.file_size"),
	IN_HEADER("metadata size 0", 40, 8, 0, "header.metadata_size is 0x0"),
	IN_HEADER("metadata size odd", 40, 8, 0x101, "header.metadata_size is 0x101"),
	IN_HEADER("metadata size huge", 40, 8, 0x40000008, "header.metadata_size is 0x40000008"),
	IN_HEADER("file size", 48, 8, 0x11a000, "header.file_size is 0x11a000"),
	IN_HEADER("reserved end", 239, 1, 7, "header has a reserved byte of 0x7 at offset 239"),

	IN(IDENTITY, "section type 0", HEAD_TYPE, 4, 0, "type 0"),
	IN(GUEST, "section twice", HEAD_TYPE, 4, 1, "a section of type 1 follows one of type 1"),
	IN(LAYER, "unknown and critical", HEAD_TYPE, 4, 99, "a section of type 99 is critical"),
	OF(KERNEL, LAYER, "unknown, not critical, so LAYER is missing", HEAD_TYPE, 8, 99, "section LAYER is missing"),
	IN(LAYER, "unknown flag", HEAD_TYPE, 8, 99 | UINT64_C(2) << 32, "a section of type 99 has flags 0x2"),
	IN(ROOTS, "not critical", HEAD_FLAGS, 4, 0, "section ROOTS has flags 0x0, they must be 0x1"),
	IN(ROOTS, "too short", HEAD_SIZE, 8, 8, "roots.count is 0x1", NUB_E_SNAPSHOT_TRUNCATED),
	IN(NEXT, "cut in a field", HEAD_SIZE, 8, 15, "next.dispatch_gva needs 8 bytes", NUB_E_SNAPSHOT_TRUNCATED),
	IN(LAYER, "longer than the file", HEAD_SIZE, 8, UINT64_MAX, "a section's payload needs",
	   NUB_E_SNAPSHOT_TRUNCATED),
	IN(IDENTITY, "longer than its fields", HEAD_SIZE, 8, 56,
	   "section IDENTITY has a size of 0x38, it must be 0x28"),

	IN(IDENTITY, "R28 hash", 8, 1, 0, "hash begins with 0x00"),
	IN(IDENTITY, "R28 memory hash", 24, 1, 0, "hash begins with"),

	IN(GUEST, "relocatable", 0, 4, 2, "guest.relocatable is 0x2, it must be 0 or 1"),
	IN(GUEST, "ABI", 4, 4, 9, "guest.abi_version is 0x9, it must be 1"),
	IN(GUEST, "a Linux program without a state", 4, 4, 0,
	   "section LINUX is missing, with guest.abi_version 0x0 it must be there"),
	OF(PROGRAM, GUEST, "a state, and no Linux program", 4, 4, 1,
	   "section LINUX is there, with guest.abi_version 0x1 it must not be"),
	OF(PROGRAM, GUEST, "program at CPL 0", 8, 4, 0, "guest.privilege_level is 0x0, it must be 3"),
	OF(PROGRAM, LAYOUT, "program that copies", 0, 4, 1,
	   "layout.cow is 0x1, it must be 0 (host), of a Linux program"),
	OF(PROGRAM, LAYOUT, "program with a PEB", LAYOUT_PEB_GVA, 8, 0x1000, "layout.peb_gva is 0x1000, it must be 0"),
	OF(PROGRAM, LAYOUT, "program with a stack", LAYOUT_PEB_GVA + 8, 8, 16,
	   "layout.stack_top_gva is 0x10, it must be 0"),
	OF(PROGRAM, NEXT, "program to be called", 0, 4, 1, "next.action is 0x1, it must be 0 (initialise) or 2"),
	OF(PROGRAM, LINUX, "state of another version", 0, 4, 3, "linux.version is 3, this libnub reads 2",
	   NUB_E_SNAPSHOT_VERSION),
	OF(PROGRAM, LINUX, "longer state", 8, 4, 4096,
	   "linux.size is 0x1000, of 1 bytes each, section LINUX has 56 bytes left", NUB_E_SNAPSHOT_TRUNCATED),
	OF(PROGRAM, LINUX, "more items", 4, 4, 3, "linux.items[].kind needs 4 bytes", NUB_E_SNAPSHOT_TRUNCATED),
	OF(PROGRAM, LINUX, "fewer items", 4, 4, 1, "section LINUX has a size of 0x44, it must be 0x2b"),
	OF(PROGRAM, LINUX, "reserved", 12, 4, 1, "section LINUX has a reserved byte of 0x1"),
	OF(PROGRAM, LINUX, "kind of an item", 16 + 11, 4, 4, "linux.items[0].kind is 0x4, it must be 0 to 3"),
	OF(PROGRAM, LINUX, "long item", 16 + 11 + 8, 4, 256, "linux.items[].size is 0x100, it must be at most 0xff"),
	IN(GUEST, "privilege level", 8, 4, 1, "guest.privilege_level is 0x1, it must be 0 or 3"),
	IN(GUEST, "build id size", 12, 4, 65, "guest.build_id_size is 0x41"),
	IN(GUEST, "build id end", 40 + 20, 1, 5, "guest.build_id is 0x5, it must be 0 after its 20 bytes"),
	IN(GUEST, "base unaligned", 16, 8, 0x400001, "guest.image_base is 0x400001"),
	IN(GUEST, "R1 base in page 0", 16, 8, 0, "guest.image_base is 0x0"),
	IN(GUEST, "base in the upper half", 16, 8, 0x7ffffffff000, "guest.image_base is 0x7ffffffff000"),
	IN(GUEST, "base wraps", 16, 8, UINT64_C(0xfffffffffffff000), "guest.image_base is 0xfffffffffffff000"),
	IN(GUEST, "size 0", 24, 8, 0, "guest.image_size is 0x0"),
	IN(GUEST, "size unaligned", 24, 8, 0x5001, "guest.image_size is 0x5001"),
	IN(GUEST, "R2 size", 24, 8, NUB_MAX_MEMORY_SIZE + 0x1000, "guest.image_size is 0x400000000"),
	IN(GUEST, "entry below", 32, 8, 0x1000, "guest.entry is 0x1000, it must be in the image, 0x500140000000 to"),
	IN(GUEST, "entry above", 32, 8, NUB_IMAGE_BASE_DYN + 0x5000, "guest.entry is 0x500140005000"),
	IN(GUEST, "path size", 104, 4, 4097, "guest.path_size is 0x1001"),
	IN(GUEST, "path over the end", 104, 4, 4096, "guest.path_size is 0x1000", NUB_E_SNAPSHOT_TRUNCATED),
	IN(GUEST, "reserved", 108, 4, 1, "section GUEST has a reserved byte"),
	IN(GUEST, "NUL in the path", 114, 1, 0, "guest.path has a NUL at byte 2"),

	IN(FUNCTIONS, "count", 0, 4, 65537, "functions.count is 0x10001, it must be at most 0x10000"),
	IN(FUNCTIONS, "count over the end", 0, 4, 65536, "functions.count is 0x10000, of 72 bytes each",
	   NUB_E_SNAPSHOT_TRUNCATED),
	IN(FUNCTIONS, "count too small", 0, 4, 1, "section FUNCTIONS has a size of"),
	IN(FUNCTIONS, "reserved", 4, 4, 1, "section FUNCTIONS has a reserved byte"),
	IN(FUNCTIONS, "result", FUNCTION, 1, 10, "functions[0].result is 0xa, it must be a type, 0 to 9"),
	IN(FUNCTIONS, "param count", FUNCTION + 1, 1, 11, "functions[].param_count is 11, it must be at most 10"),
	IN(FUNCTIONS, "void param", FUNCTION + 2, 1, 0, "functions[0].params is 0x0"),
	IN(FUNCTIONS, "param type", FUNCTION + 2, 1, 10, "functions[0].params is 0xa"),
	IN(FUNCTIONS, "unused param", FUNCTION + 4, 1, 1, "functions[].params has a reserved byte"),
	IN(FUNCTIONS, "empty name", FUNCTION + 12, 4, 0, "functions[0].name has 0 bytes"),
	IN(FUNCTIONS, "bad name", FUNCTION + 12, 1, ' ', "functions[0].name has 3 bytes, it must be 1 to 59 letters"),
	IN(FUNCTIONS, "after the name", FUNCTION + 12 + 59, 1, 'x', "functions[].name has a reserved byte"),
	IN(FUNCTIONS, "not sorted", FUNCTION_2 + 12, 1, 'A',
	   "functions[1].name is 'Aello-2.b', it must come after 'add'"),
	IN(HOST_FUNCTIONS, "count", 0, 4, 1025, "host_functions.count is 0x401"),
	IN(HOST_FUNCTIONS, "reserved", 4, 4, 1, "section HOST-FUNCTIONS has a reserved byte"),
	IN(HOST_FUNCTIONS, "bad name", HOST_2, 1, '/', "host_functions[1].name has 10 bytes"),
	IN(HOST_FUNCTIONS, "not sorted", HOST_2, 1, 'a', "host_functions[1].name is 'aub_random'"),

	IN(LAYOUT, "cow", 0, 4, 2, "layout.cow is 0x2, it must be 0 (host) or 1 (guest)"),
	IN(LAYOUT, "scratch automatic", 4, 4, 2, "layout.scratch_automatic is 0x2"),
	IN(LAYOUT, "R3 code unaligned", 8, 8, 0x1001, "layout.code_gpa is 0x1001"),
	IN(LAYOUT, "R3 code in the tail", 8, 8, 0x114000, "layout.code_gpa is 0x114000"),
	IN(LAYOUT, "R3 code size", 16, 8, 0x5001, "layout.code_size is 0x5001"),
	IN(LAYOUT, "R3 PEB on the code", 24, 8, 0x5000, "layout.peb_gpa is 0x5000, it must be off layout.code_gpa"),
	IN(LAYOUT, "R3 PEB size", 32, 8, 1, "layout.peb_size is 0x1"),
	IN(LAYOUT, "R3 heap out of the image", 40, 8, 0x100000, "layout.heap_gpa is 0x100000"),
	IN(LAYOUT, "R2 heap size", 48, 8, UINT64_C(1) << 34, "layout.heap_size is 0x400000000"),
	IN(LAYOUT, "R3 init data on the guard", 56, 8, 0x108000,
	   "layout.guard_gpa is 0x10f000, it must be off layout.init"),
	IN(LAYOUT, "R4 init data size", 64, 8, 0x8008, "layout.init_data_size is 0x8008"),
	IN(LAYOUT, "R3 stack wraps", 72, 8, UINT64_C(0xfffffffffffff000), "layout.stack_gpa is 0xfffffffffffff000"),
	IN(LAYOUT, "R3 stack size", 80, 8, 0x4008, "layout.stack_size is 0x4008"),
	IN(LAYOUT, "R3 guard on the stack", 88, 8, 0x111000, "layout.guard_gpa is 0x111000"),
	IN(LAYOUT, "R4 init data bytes, more", 96, 8, 0x8001, "layout.init_data_bytes is 0x8001"),
	IN(LAYOUT, "R4 init data bytes, fewer", 96, 8, 0x7000, "layout.init_data_bytes is 0x7000"),
	IN(LAYOUT, "data end unaligned", 104, 8, 0x114800, "layout.data_end_gpa is 0x114800"),
	IN(LAYOUT, "no data", 104, 8, 0x1000, "layout.data_end_gpa is 0x1000"),
	IN(LAYOUT, "R2 tail over the limit", 104, 8, UINT64_C(0x400000000), "layout.data_end_gpa is 0x400000000"),
	IN(LAYOUT, "R26 data end further", 104, 8, 0x118000, "roots[0] is 0x114000"),
	IN(LAYOUT, "R26 no tables", 112, 8, 0, "layout.page_table_size is 0x0"),
	IN(LAYOUT, "R26 tables unaligned", 112, 8, 0x6001, "layout.page_table_size is 0x6001"),
	IN(LAYOUT, "R9 input small", 120, 8, 0xff8, "layout.input_size is 0xff8"),
	IN(LAYOUT, "R9 input odd", 120, 8, 0x1009, "layout.input_size is 0x1009"),
	IN(LAYOUT, "R9 output huge", 128, 8, UINT64_C(1) << 60, "layout.output_size is 0x1000000000000000"),
	IN(LAYOUT, "R5 scratch small", 136, 8, 0xf000,
	   "layout.scratch_size is 0xf000, it must be a multiple of 0x1000, "
	   "from 0x10000 to 0x3fffff000"),
	OF(KERNEL, LAYOUT, "R5 scratch small for tables", 136, 8, 0x15000, "from 0x16000 to"),
	IN(LAYOUT, "R2 scratch huge", 136, 8, UINT64_C(1) << 34, "layout.scratch_size is 0x400000000"),
	IN(LAYOUT, "PEB unaligned", 144, 8, 0x500140005008, "layout.peb_gva is 0x500140005008"),
	IN(LAYOUT, "PEB in the upper half", 144, 8, NOT_CANONICAL, "layout.peb_gva is 0x800000000000"),
	IN(LAYOUT, "stack top odd", 152, 8, 0x8, "layout.stack_top_gva is 0x8"),
	IN(LAYOUT, "stack top above", 152, 8, NOT_CANONICAL + 16, "layout.stack_top_gva is 0x800000000010"),

	IN(REGIONS, "count", 0, 4, 4097, "regions.count is 0x1001"),
	IN(REGIONS, "reserved", 4, 4, 1, "section REGIONS has a reserved byte"),
	IN(REGIONS, "R10 type", REGION, 4, 10, "regions[0].type is 0xa, it must be 0 to 9"),
	IN(REGIONS, "R10 flags", REGION + 4, 4, 8, "regions[0].flags is 0x8, it must be 0 to 7"),
	IN(REGIONS, "gpa unaligned", REGION + 8, 8, 0x1008, "regions[0].gpa is 0x1008"),
	IN(REGIONS, "gpa past the image", REGION + 8, 8, 0x116000, "regions[0].gpa is 0x116000"),
	IN(REGIONS, "gpa past scratch", REGION_5 + 8, 8, SAMPLE_SCRATCH_GPA + 0x1000, "regions[4].gpa is 0xffff81000"),
	IN(REGIONS, "gva unaligned", REGION + 16, 8, NUB_IMAGE_BASE_DYN - 8, "regions[0].gva is 0x50013ffffff8"),
	IN(REGIONS, "not sorted", REGION_2 + 16, 8, 0x400000,
	   "regions[1].gva is 0x400000, it must be after the region"),
	IN(REGIONS, "overlap", REGION + 24, 8, 0x6000, "regions[1].gva is 0x500140005000, it must be after the region"),
	IN(REGIONS, "not canonical", REGION_5 + 16, 8, NOT_CANONICAL, "regions[4].gva is 0x800000000000"),
	IN(REGIONS, "over the hole", REGION_5 + 16, 8, 0x7ffffffff000, "regions[4].gva is 0x7ffffffff000"),
	IN(REGIONS, "wraps", REGION_5 + 16, 8, UINT64_C(0xfffffffffffff000), "regions[4].gva is 0xfffffffffffff000"),
	IN(REGIONS, "size 0", REGION + 24, 8, 0, "regions[0].size is 0x0"),
	IN(REGIONS, "size unaligned", REGION + 24, 8, 0x10, "regions[0].size is 0x10"),

	IN(ROOTS, "none", 0, 4, 0, "section ROOTS has a size of"),
	IN(ROOTS, "count", 0, 4, 17, "roots.count is 0x11, it must be at most 0x10"),
	IN(ROOTS, "reserved", 4, 4, 1, "section ROOTS has a reserved byte"),
	IN(ROOTS, "R26 root unaligned", 8, 8, 0x114008,
	   "roots[0] is 0x114008, it must be page-aligned, in the page tables"),
	IN(ROOTS, "R26 root before the tables", 8, 8, 0x113000, "roots[0] is 0x113000"),
	IN(ROOTS, "R26 root after them", 8, 8, 0x11a000, "roots[0] is 0x11a000"),
	OF(KERNEL, ROOTS, "R26 root in the image, not in the copy", 8, 8, 0x114000, "roots[0] is 0x114000"),
	OF(KERNEL, ROOTS, "root twice", 16, 8, SAMPLE_SCRATCH_GPA + 0x4000,
	   "roots[1] is 0xffff84000, it must be another"),

	IN(NEXT, "R23 action", 0, 4, 3, "next.action is 0x3, it must be 0 (initialise), 1 (call) or 2 (resume)"),
	IN(NEXT, "R23 initialise with a CPU", 0, 4, 0, "section CPU is there"),
	OF(INITIALISE, NEXT, "R23 resume without a CPU", 0, 4, 2, "section CPU is missing"),
	IN(NEXT, "reserved", 4, 4, 1, "section NEXT has a reserved byte"),
	OF(INITIALISE, NEXT, "R23 dispatch before it has run", 8, 8, 0x1000,
	   "next.dispatch_gva is 0x1000, it must be 0"),
	OF(KERNEL, NEXT, "R23 no dispatch", 8, 8, 0, "next.dispatch_gva is 0x0, it must be 0x1 to"),
	OF(KERNEL, NEXT, "R23 dispatch in the upper half", 8, 8, NOT_CANONICAL, "next.dispatch_gva is 0x800000000000"),
	IN(NEXT, "R23 dispatch of a resumed one", 8, 8, UINT64_MAX, "next.dispatch_gva is 0xffffffffffffffff"),

	OF(KERNEL, CPU, "R31 registers where none are kept", 0, 8, 1, "cpu.regs are not all 0"),
	IN(CPU, "R31 rip 0", 128, 8, 0, "cpu.rip is 0x0, it must be in the lower half"),
	IN(CPU, "R31 rip in the monitor", 128, 8, UINT64_C(0xffffffffffff7000), "cpu.rip is 0xffffffffffff7000"),
	IN(CPU, "R31 IOPL 3", 136, 8, 0x3202, "cpu.rflags is 0x3202"),
	IN(CPU, "R31 VM", 136, 8, 0x20202, "cpu.rflags is 0x20202"),
	IN(CPU, "R31 NT", 136, 8, 0x4202, "cpu.rflags is 0x4202"),
	IN(CPU, "R31 rflags bit 1", 136, 8, 0x200, "cpu.rflags is 0x200"),
	IN(CPU, "R31 rflags high", 136, 8, UINT64_C(0x100000002), "cpu.rflags is 0x100000002"),
	IN(CPU, "R31 cs at DPL 0", CS + 16, 1, 0, "cpu.cs.dpl is 0x0 (selector 0x33), it must be 3"),
	IN(CPU, "R31 kernel cs", CS + 12, 2, NUB_SELECTOR_KERNEL_CODE, "cpu.cs.dpl is 0x3 (selector 0x8)"),
	IN(CPU, "R31 cs base", CS, 8, 0x1000, "cpu.cs.dpl"),
	IN(CPU, "R31 cs limit", CS + 8, 4, 1, "cpu.cs.dpl"),
	IN(CPU, "R31 ss at DPL 0", SS + 16, 1, 0, "cpu.ss.dpl is 0x0"),
	IN(CPU, "R31 segment type", DS + 14, 1, 16, "cpu.ds.type is 0x10 (selector 0x2b), it must be at most 15"),
	IN(CPU, "R31 segment present", DS + 15, 1, 2, "cpu.ds.present is 0x2"),
	IN(CPU, "R31 segment dpl", DS + 16, 1, 4, "cpu.ds.dpl is 0x4 (selector 0x2b), it must be at most 3"),
	IN(CPU, "R31 segment unusable", DS + 22, 1, 2, "cpu.ds.unusable is 0x2"),
	IN(CPU, "R31 segment reserved", DS + 23, 1, 1, "cpu.ds has a reserved byte"),
	IN(CPU, "R31 ds base", DS, 8, 0x1000, "cpu.ds.base is 0x1000"),
	IN(CPU, "R31 ds selector", DS + 12, 2, 0x10, "cpu.ds.dpl"),
	IN(CPU, "R31 fs base", FS, 8, NOT_CANONICAL, "cpu.fs.base is 0x800000000000"),
	IN(CPU, "R31 fs limit", FS + 8, 4, 0, "cpu.fs.dpl"),
	IN(CPU, "R31 tr", TR, 8, 0x1000, "cpu.tr or cpu.ldt"),
	IN(CPU, "R31 ldt", LDT + 12, 2, 8, "cpu.tr or cpu.ldt"),
	IN(CPU, "R31 gdt", GDT, 8, 0x1000, "cpu.gdt or cpu.idt"),
	IN(CPU, "R31 idt", IDT + 8, 2, 1, "cpu.gdt or cpu.idt"),
	IN(CPU, "R31 gdt reserved", GDT + 12, 1, 1, "cpu.gdt has a reserved byte"),
	IN(CPU, "R31 cr0 without WP", CR0, 8, 0x80040033, "cpu.cr0 is 0x80040033, it must be 0x80050033"),
	IN(CPU, "R31 cr4", CR4, 8, 0x50620 | 0x100, "cpu.cr4 is 0x50720"),
	IN(CPU, "R31 cr8", CR4 + 8, 8, 1, "cpu.cr8 is 0x1"),
	IN(CPU, "R31 efer with SCE", CR4 + 16, 8, 0xd01, "cpu.efer is 0xd01, it must be 0xd00"),
	IN(CPU, "R31 dr6", 440, 8, UINT64_C(1) << 32, "cpu.dr6 is 0x100000000"),
	IN(CPU, "R31 dr7 with a breakpoint", 448, 8, 0x401, "cpu.dr7 is 0x401"),
	OF(KERNEL, CPU, "R31 dr7 high", 448, 8, UINT64_C(1) << 32, "cpu.dr7 is 0x100000000"),
	IN(CPU, "R31 xcr0", 456, 8, 0xe7, "cpu.xcr0 is 0xe7, it must be 0x7"),
	IN(CPU, "R31 xsave size", 464, 4, 833, "cpu.xsave_size is 0x341, it must be 0x340"),
	IN(CPU, "R31 MSR count", 468, 4, 33, "cpu.msr_count is 0x21"),
	IN(CPU, "R31 MSRs over the end", 468, 4, 6, "cpu.msrs[].index needs", NUB_E_SNAPSHOT_TRUNCATED),
	IN(CPU, "R31 MXCSR", XSAVE + 24, 4, 0x11f80, "cpu.xsave MXCSR is 0x11f80"),
	IN(CPU, "R31 XSAVE software", XSAVE + 511, 1, 1, "cpu.xsave is 0x1, it must be 0 in reserved byte 511"),
	IN(CPU, "R31 XSTATE_BV", XSAVE + 512, 8, 8, "cpu.xsave XSTATE_BV is 0x8"),
	IN(CPU, "R31 XCOMP_BV", XSAVE + 527, 1, 0x80, "cpu.xsave is 0x80, it must be 0 in reserved byte 527"),
	IN(CPU, "R31 XSAVE header", XSAVE + 575, 1, 1, "in reserved byte 575"),
	IN(CPU, "R31 MSR index", MSR, 4, 0xc0000080, "cpu.msrs[0].index is 0xc0000080"),
	IN(CPU, "R31 MSR twice", MSR + 16, 4, 0x277, "cpu.msrs[1].index is 0x277, it must be another"),
	IN(CPU, "R31 MSR reserved", MSR + 4, 4, 1, "cpu.msrs[] has a reserved byte"),
	IN(CPU, "R31 PAT", MSR + 8, 8, 2, "cpu.msrs[0].value is 0x2, it must be 8 memory types"),
	IN(CPU, "R31 KERNEL_GS_BASE", MSR + 16 + 8, 8, NOT_CANONICAL, "cpu.msrs[1].value is 0x800000000000"),
	IN(CPU, "R31 TSC_AUX", MSR + 32 + 8, 8, UINT64_C(1) << 32, "cpu.msrs[2].value is 0x100000000"),
	IN(CPU, "R31 SYSENTER_CS", MSR + 48 + 8, 8, 8, "cpu.msrs[3].value is 0x8, it must be 0 for a guest at CPL 3"),
	IN(CPU, "R31 LSTAR", MSR + 64 + 8, 8, 0x1000, "cpu.msrs[4].value is 0x1000, it must be 0 for a guest at CPL 3"),

	OF(KERNEL, CPU, "R31 CPL 0: cs is no code", CS + 14, 1, 3, "cpu.cs.type is 0x3"),
	OF(KERNEL, CPU, "R31 CPL 0: cs not present", CS + 15, 1, 0, "cpu.cs.type"),
	OF(KERNEL, CPU, "R31 CPL 0: tr base", TR, 8, NOT_CANONICAL, "cpu.tr.base"),
	OF(KERNEL, CPU, "R31 CPL 0: gdt base", GDT, 8, NOT_CANONICAL, "cpu.gdt.base is 0x800000000000"),
	OF(KERNEL, CPU, "R31 CPL 0: idt base", IDT, 8, NOT_CANONICAL, "cpu.idt.base is 0x800000000000"),
	OF(KERNEL, CPU, "R31 CPL 0: cr0 without paging", CR0, 8, 0x50033, "cpu.cr0 is 0x50033"),
	OF(KERNEL, CPU, "R31 CPL 0: cr0 reserved", CR0, 8, UINT64_C(0x180050033), "cpu.cr0 is 0x180050033"),
	OF(KERNEL, CPU, "R31 CPL 0: cr4 without PAE", CR4, 8, 0x50600, "cpu.cr4 is 0x50600"),
	OF(KERNEL, CPU, "R31 CPL 0: cr4 with VMXE", CR4, 8, 0x52620, "cpu.cr4 is 0x52620"),
	OF(KERNEL, CPU, "R31 CPL 0: cr4 with LA57", CR4, 8, 0x51620, "cpu.cr4 is 0x51620"),
	OF(KERNEL, CPU, "R31 CPL 0: cr8", CR4 + 8, 8, 16, "cpu.cr8 is 0x10"),
	OF(KERNEL, CPU, "R31 CPL 0: efer without LMA", CR4 + 16, 8, 0x900, "cpu.efer is 0x900"),
	OF(KERNEL, CPU, "R31 CPL 0: efer with SVME", CR4 + 16, 8, 0x1d00, "cpu.efer is 0x1d00"),
	OF(KERNEL, CPU, "R31 CPL 0: LSTAR", MSR + 64 + 8, 8, NOT_CANONICAL, "cpu.msrs[4].value is 0x800000000000"),
	OF(KERNEL, GUEST, "R31 CPL 0 called CPL 3", 8, 4, 3, "cpu.cs.dpl is 0x0 (selector 0x8), it must be 3"),

	IN(CPUID, "count", 0, 4, 17, "cpuid.count is 0x11, it must be at most 0x10"),
	IN(CPUID, "reserved", 4, 4, 1, "section CPUID has a reserved byte"),
	IN(CPUID, "flags", CPUID + 8, 4, 2, "cpuid[0].flags is 0x2, it must be 0 or 1"),
	IN(CPUID, "index without a flag", CPUID + 4, 4, 1, "cpuid[0].index is 0x1"),
	IN(CPUID, "leaf twice", CPUID_2, 4, 0, "cpuid[1].function is 0x0, it must be another"),
	IN(CPUID, "leaf reserved", CPUID + 28, 4, 1, "cpuid[] has a reserved byte"),

	IN(LAYER, "depth", 0, 4, 17, "layer.depth is 0x11, it must be at most 0x10", NUB_E_SNAPSHOT_LAYERS),
	IN(LAYER, "runs without a base", 0, 4, 0, "layer.run_count is 0x3, it must be 0 without a base"),
	IN(LAYER, "name size", 4, 4, 256, "layer.name_size is 0x100"),
	IN(LAYER, "run count", 8, 4, (1 << 20) + 1, "layer.run_count is 0x100001"),
	IN(LAYER, "run count over the end", 8, 4, 1 << 20, "layer.run_count is 0x100000, of 16 bytes each",
	   NUB_E_SNAPSHOT_TRUNCATED),
	IN(LAYER, "reserved", 12, 4, 1, "section LAYER has a reserved byte"),
	OF(KERNEL, LAYER, "base hash without a base", 16, 1, 1, "layer.base_hash is 0x1, it must be all zeros"),
	OF(KERNEL, LAYER, "layer without a name", 0, 4, 1, "layer.name_size is 0x0"),
	IN(LAYER, "run unaligned", RUN, 8, 0x2008, "layer.runs[0].gpa is 0x2008"),
	IN(LAYER, "run in page 0", RUN, 8, 0, "layer.runs[0].gpa is 0x0"),
	IN(LAYER, "run past the image", RUN + 32, 8, 0x11a000, "layer.runs[2].gpa is 0x11a000"),
	IN(LAYER, "runs not sorted", RUN + 16, 8, 0x2000, "layer.runs[1].gpa is 0x2000"),
	IN(LAYER, "run of no pages", RUN + 8, 8, 0, "layer.runs[0].pages is 0x0"),
	IN(LAYER, "run over the end", RUN + 40, 8, 7, "layer.runs[2].pages is 0x7"),
	IN(LAYER, "run wraps", RUN + 40, 8, UINT64_MAX, "layer.runs[2].pages is 0xffffffffffffffff"),
	IN(LAYER, "base in a folder", BASE_NAME + 1, 1, '/', "layer.base_name is 'w/rm.snap'"),
	IN(WORKING_SET, "critical", HEAD_FLAGS, 4, 1, "section WORKING-SET has flags 0x1, they must be 0x0"),
	IN(WORKING_SET, "run count", 0, 4, 65537, "working_set.count is 0x10001, it must be at most 0x10000"),
	IN(WORKING_SET, "run count over the end", 0, 4, 65536, "working_set.count is 0x10000, of 16 bytes each",
	   NUB_E_SNAPSHOT_TRUNCATED),
	IN(WORKING_SET, "fewer than there are", 0, 4, 2, "section WORKING-SET has a size of 0x38, it must be 0x28"),
	IN(WORKING_SET, "reads", 4, 4, 2, "working_set.reads is 0x2"),
	IN(WORKING_SET, "unaligned", WORKING, 8, 0x2008, "working_set.runs[0].gpa is 0x2008"),
	IN(WORKING_SET, "in page 0", WORKING, 8, 0, "working_set.runs[0].gpa is 0x0"),
	IN(WORKING_SET, "in the run before it", WORKING + 16, 8, 0x3000, "working_set.runs[1].gpa is 0x3000"),
	IN(WORKING_SET, "in the tables", WORKING + 32, 8, 0x114000, "working_set.runs[2].gpa is 0x114000"),
	IN(WORKING_SET, "no pages", WORKING + 8, 4, 0, "working_set.runs[0].pages is 0x0"),
	IN(WORKING_SET, "into the tables", WORKING + 40, 4, 2, "working_set.runs[2].pages is 0x2"),
	IN(WORKING_SET, "wraps", WORKING + 40, 4, UINT32_MAX, "working_set.runs[2].pages is 0xffffffff"),
	IN(WORKING_SET, "written", WORKING + 12, 4, 2, "working_set.runs[].written is 0x2"),
	IN(LAYER, "NUL in the base name", BASE_NAME + 1, 1, 0, "layer.base_name has a NUL at byte 1"),
};

static size_t section_start(const struct sample_file *file, enum nub_section_type section)
{
	size_t offset = 0;

	while (offset < file->metadata.size) {
		uint32_t type;
		uint64_t size;
		memcpy(&type, file->metadata.bytes + offset, sizeof(type));
		memcpy(&size, file->metadata.bytes + offset + 8, sizeof(size));
		offset += NUB_SECTION_HEADER_SIZE;
		if (type == section)
			return offset;
		offset += (size + 7) & ~UINT64_C(7);
	}
	fail_msg("the sample has no section %u", (unsigned)section);
	return 0;
}

static void seal_header(uint8_t header[NUB_SNAPSHOT_HEADER_SIZE])
{
	const struct nub_hash seal = nub_hash_bytes(header, 240);

	memcpy(header + 240, seal.bytes, sizeof(seal.bytes));
}

/* 1 and a message when the file is not refused as it must be: a table says all that is wrong with it at once. */
static unsigned expect(const struct mangle *mangle, const struct sample_file *file)
{
	const enum nub_error_kind kind = mangle->error ? mangle->error : NUB_E_SNAPSHOT_FIELD;
	struct nub_snapshot_meta meta;
	struct nub_error err = { 0 };
	const bool accepted = sample_decode(file, &meta, &err) == 0;

	nub_snapshot_meta_release(&meta);
	if (accepted)
		print_error("%s: accepted\n", mangle->title);
	else if (err.kind != kind || !strstr(err.message, mangle->says))
		print_error("%s: %s '%s', expected %s '%s'\n", mangle->title, nub_error_name(err.kind), err.message,
		            nub_error_name(kind), mangle->says);
	else if (err.hint[0] == '\0' && !err.parameter && kind != NUB_E_SNAPSHOT_MAGIC)
		print_error("%s: neither hint nor parameter\n", mangle->title);
	else
		return 0;
	return 1;
}

static void test_mangled(void **state)
{
	(void)state;
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(mangles) / sizeof(mangles[0]); i++) {
		const struct mangle *mangle = &mangles[i];
		struct sample_file file;

		sample_encode(&file, mangle->kind);
		if (mangle->section == 0) {
			memcpy(file.header + mangle->offset, &mangle->value, mangle->size);
			seal_header(file.header);
		} else {
			const size_t at = section_start(&file, mangle->section) + mangle->offset;
			assert_true(at + mangle->size <= file.metadata.size);
			memcpy(file.metadata.bytes + at, &mangle->value, mangle->size);
			sample_seal(&file);
		}
		wrong += expect(mangle, &file);
		nub_buffer_release(&file.metadata);
	}
	assert_int_equal(wrong, 0);
}

/* Bytes that pad a section must be zeros too. */
static void test_padding(void **state)
{
	(void)state;
	static const struct mangle mangle = { .title = "padding",
		                              .section = NUB_SECTION_LAYER,
		                              .says = "a section's end has a reserved byte of 0x1" };
	struct sample_file file;

	sample_encode(&file, SAMPLE_LAYER);
	file.metadata.bytes[section_start(&file, NUB_SECTION_WORKING_SET) - NUB_SECTION_HEADER_SIZE - 1] = 1;
	sample_seal(&file);
	assert_int_equal(expect(&mangle, &file), 0);
	nub_buffer_release(&file.metadata);
}

/* The end of the memory and the start of the metadata are one place. */
static void test_places(void **state)
{
	(void)state;
	static const struct mangle mangle = {
		.title = "metadata further",
		.says = "header.metadata_offset is 0x11b000, it must be 0x11a000, the end of the memory"
	};
	struct sample_file file;

	sample_encode(&file, SAMPLE_LAYER);
	nub_snapshot_encode_header(file.metadata.bytes, file.metadata.size, 0x11b000, 0x11b000 + file.metadata.size,
	                           file.header);
	assert_int_equal(expect(&mangle, &file), 0);
	nub_buffer_release(&file.metadata);
}

/* What a guest at CPL 3 can have in DS to GS: nothing, its data or its code segment, whatever the RPL. */
static void test_user_segments(void **state)
{
	(void)state;
	static const struct {
		struct nub_segment segment;
		bool accepted;
	} cases[] = {
		{ { .selector = 0, .unusable = 1 }, true },
		{ { .selector = 3, .unusable = 1, .type = 1, .dpl = 2 }, true },
		{ { .selector = 0x28, .limit = ~0u, .type = 3, .present = 1, .dpl = 3, .db = 1, .s = 1, .g = 1 },
		  true },
		{ { .selector = 0x31, .limit = ~0u, .type = 11, .present = 1, .dpl = 3, .s = 1, .l = 1, .g = 1 },
		  true },
		{ { .selector = 0x10, .limit = ~0u, .type = 3, .present = 1, .dpl = 3, .db = 1, .s = 1, .g = 1 },
		  false },
		{ { .selector = 0x10, .unusable = 1 }, false },
		{ { .selector = 0x2b, .limit = ~0u, .type = 3, .present = 1, .dpl = 0, .db = 1, .s = 1, .g = 1 },
		  false },
		{ { .selector = 0 }, false },
	};
	struct nub_snapshot_meta meta;

	sample_meta(&meta, SAMPLE_LAYER);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nub_error err = { 0 };
		struct nub_buffer out = { 0 };
		meta.cpu.sregs.es = cases[i].segment;
		if ((nub_snapshot_encode_meta(&meta, &out, &err) == 0) != cases[i].accepted)
			fail_msg("segment %zu: %s", i, cases[i].accepted ? err.message : "accepted");
		nub_buffer_release(&out);
	}
	nub_snapshot_meta_release(&meta);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mangled),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_user_segments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
