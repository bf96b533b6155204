/* The contract between host and guest: addresses, ports, PEB, calls, scratch metadata. C and assembler include it.
 *
 * Reference: man/nub-guest.7. Everything here crosses the boundary, so every struct and offset is asserted at the
 * end of the file. Change a value and NUB_ABI_VERSION goes up; adding a port or a halt reason does not need that.
 * Integers are little-endian. Sizes are bytes. gpa = guest-physical address, gva = guest-virtual address.
 */
#ifndef NUB_ABI_H
#define NUB_ABI_H

#define NUB_ABI_VERSION 1

#ifdef __ASSEMBLER__
#define NUB_U64(x) x
#else
#include <stddef.h>
#include <stdint.h>
#define NUB_U64(x) x##ULL
#endif

/* ---- Memory map (R1, R2, R6) ---- */

#define NUB_PAGE_SIZE NUB_U64(0x1000)
#define NUB_LARGE_PAGE_SIZE NUB_U64(0x200000)

/* The null guard ends here and the snapshot region begins. */
#define NUB_BASE_ADDRESS NUB_U64(0x1000)

/* Upper bound of the snapshot region, and of scratch: 16 GiB less the null guard. */
#define NUB_MAX_MEMORY_SIZE NUB_U64(0x3fffff000)

/* Where an ET_DYN guest is put (Hyperlight's KERNEL_HIGH_BASE). Code and PEB: gva = image_base + (gpa - 0x1000). */
#define NUB_IMAGE_BASE_DYN NUB_U64(0x500140000000)

/* Heap, init data and stack: gva = NUB_DATA_GVA_BASE + gpa, so congruent modulo 2 MiB and more. */
#define NUB_DATA_GVA_BASE NUB_U64(0x600000000000)

/* Mapped files get their guest-physical addresses from this window; their gva is the caller's choice. */
#define NUB_MAP_GPA_BASE NUB_U64(0x400000000)
#define NUB_MAP_GPA_END NUB_U64(0xc00000000)

/* Last byte of scratch. It grows downwards from here: base = top - size + 1. */
#define NUB_SCRATCH_TOP_GPA NUB_U64(0xfffffffff)
#define NUB_SCRATCH_TOP_GVA NUB_U64(0xffffffffffffefff)

/* Guests at CPL 0 see the page tables that the host made at this gva and up (Hyperlight's SNAPSHOT_PT_GVA), in the order of
 * their gpa; the first one's gpa is in scratch's metadata. Up to the end, nothing else can be mapped. */
#define NUB_PAGE_TABLES_GVA NUB_U64(0xffff800000000000)
#define NUB_PAGE_TABLES_GVA_END NUB_U64(0xffff810000000000)

/* The lower half ends here: nothing that a guest maps for itself or names to the host lies above. */
#define NUB_USER_GVA_END NUB_U64(0x800000000000)

/* ---- Scratch metadata: u64 each, at (end of scratch - offset) (R8) ---- */

#define NUB_SCRATCH_OFF_SIZE 0x08            /* size of scratch */
#define NUB_SCRATCH_OFF_ALLOCATOR 0x10       /* gpa of the first free page */
#define NUB_SCRATCH_OFF_PAGE_TABLES 0x18     /* gpa of the page tables in use */
#define NUB_SCRATCH_OFF_GENERATION 0x20      /* snapshots between the ELF file and this sandbox */
#define NUB_SCRATCH_OFF_SEED 0x28            /* random seed, the same as rsi at entry */
#define NUB_SCRATCH_OFF_EXCEPTION_STACK 0x30 /* top of the exception stack; it grows down from this offset */

/* ---- Ports: the guest's only way out ----
 *
 * Always `out %al, $port`, one byte: the I/O bitmap opens single ports, and a wider access needs its neighbours too. What
 * there is to say is in eax and rdi, which the host reads.
 */

#define NUB_PORT_LOG 99        /* a log record is on the output ring */
#define NUB_PORT_CALL 101      /* a host call is on the output ring; its reply will be on the input ring */
#define NUB_PORT_ABORT 102     /* eax: byte 0 = number n of text bytes (0 to 3) that follow in it; or NUB_ABORT_END */
#define NUB_PORT_PRINT 103     /* eax: 1 stdout, 2 stderr; the bytes are on the output ring */
#define NUB_PORT_TRACE 104     /* a batch of trace records is on the output ring */
#define NUB_PORT_HALT 108      /* eax: NUB_HALT_* */
#define NUB_PORT_EXCEPTION 109 /* the monitor's; never open to CPL 3 */
/* Snapshot me here. eax afterwards: bit 0 is 0 when the same run goes on, 1 when a restored one does; NUB_ENTRY_TRACE. */
#define NUB_PORT_CHECKPOINT 110
#define NUB_PORT_MAX 110

#define NUB_HALT_EXIT 0  /* the program is over; edi = exit code */
#define NUB_HALT_READY 1 /* initialised; rdi = gva of the dispatch entry */
#define NUB_HALT_DONE 2  /* the request is served; the reply of a call is on the output ring */

/* Abort: the first byte sent is the code, then the text; NUB_ABORT_END in byte 0 of eax ends it (R34). */
#define NUB_ABORT_END 0xff
#define NUB_ABORT_BUFFER_SIZE 1024
#define NUB_ABORT_CODE_ABORT 1
#define NUB_ABORT_CODE_ASSERT 2
#define NUB_ABORT_CODE_RUNTIME 3 /* the guest runtime found a broken ring or request */

/* In rcx at entry, above the log level, and in eax after a checkpoint: the host wants trace records. */
#define NUB_LOG_LEVEL_MASK 0xff
#define NUB_ENTRY_TRACE 0x100

/* ---- ELF note: name "nub" ---- */

#define NUB_NOTE_TYPE_ABI 1 /* desc: u32 ABI version, u32 privilege level (0 or 3) */
#define NUB_EXPORT_SECTION ".nub_exports"

/* ---- Rings: LIFO stacks of items (R9) ---- */

/* A buffer starts with a u64, the offset of its first free byte, 8 when it is empty. Each item is its bytes and then
 * a u64, the offset at which the item starts. */
#define NUB_RING_START 8

/* ---- PEB ---- */

#define NUB_MAX_FILE_MAPPINGS 32
#define NUB_FILE_MAPPING_LABEL_MAX 63

#define NUB_LOG_ERROR 1
#define NUB_LOG_WARN 2
#define NUB_LOG_INFO 3
#define NUB_LOG_DEBUG 4
#define NUB_LOG_TRACE 5

#ifndef __ASSEMBLER__

struct nub_note {
	uint32_t abi_version;
	uint32_t privilege_level;
};

struct nub_peb_range {
	uint64_t size; /* bytes in use; file_mappings: number of entries */
	uint64_t gva;  /* 0 when there is nothing */
};

struct nub_peb {
	struct nub_peb_range input;
	struct nub_peb_range output;
	struct nub_peb_range init_data;
	struct nub_peb_range heap;
	struct nub_peb_range file_mappings;
};

struct nub_file_mapping {
	uint64_t gva;
	uint64_t size;
	char label[NUB_FILE_MAPPING_LABEL_MAX + 1];
};

/* ---- Typed values ----
 *
 * On the wire: u8 type, then nothing (VOID), 1 byte (BOOL: 0 or 1), 4 bytes (I32, U32, F32), 8 bytes (I64, U64, F64),
 * or u32 length and that many bytes (STRING: UTF-8 without NUL; BYTES: anything). Nothing is aligned.
 */
enum nub_type {
	NUB_TYPE_VOID = 0,
	NUB_TYPE_I32 = 1,
	NUB_TYPE_U32 = 2,
	NUB_TYPE_I64 = 3,
	NUB_TYPE_U64 = 4,
	NUB_TYPE_F32 = 5,
	NUB_TYPE_F64 = 6,
	NUB_TYPE_BOOL = 7,
	NUB_TYPE_STRING = 8,
	NUB_TYPE_BYTES = 9,
};
#define NUB_TYPE_COUNT 10

/* Requests, host to guest, one item on the input ring:
 *   u8 NUB_REQUEST_MAIN; u32 argc; argc times STRING without its type byte (u32 length, bytes)
 *   u8 NUB_REQUEST_CALL; u8 result type; u8 number of arguments; u32 name length, name; the arguments
 * Host calls, guest to host, one item on the output ring: as NUB_REQUEST_CALL.
 * Replies, either way, one item:
 *   u8 NUB_REPLY_OK; the result
 *   u8 NUB_REPLY_ERROR; u32 code; u32 length, message
 */
#define NUB_REQUEST_MAIN 0
#define NUB_REQUEST_CALL 1
#define NUB_REPLY_OK 0
#define NUB_REPLY_ERROR 1

#define NUB_MAX_PARAMS 10
#define NUB_NAME_MAX 59

/* Log record, one item on the output ring: u8 level; u32 line; u32 length, source file; u32 length, message. */

/* Batch of trace records, one item on the output ring: u64 time-stamp counter when it was sent; then records without
 * anything between them, in the order of their times:
 *   u8 NUB_TRACE_BEGIN; u64 time-stamp counter; u32 length, name of the span
 *   u8 NUB_TRACE_END; u64 time-stamp counter: the innermost span ends
 *   u8 NUB_TRACE_ALLOC; u64 time-stamp counter; u64 address, 0 when it failed; u64 size asked for; u64 size taken
 *   u8 NUB_TRACE_FREE; u64 time-stamp counter; u64 address; u64 size given back */
#define NUB_TRACE_BEGIN 1
#define NUB_TRACE_END 2
#define NUB_TRACE_ALLOC 3
#define NUB_TRACE_FREE 4
#define NUB_TRACE_NAME_MAX 63

/* Host calls that are always offered, because they reveal nothing and touch nothing:
 *   nub_time_ns() -> U64, nanoseconds since 1970; nub_random(U32 n) -> BYTES, n random bytes, n at most 4096 */
#define NUB_CALL_TIME "nub_time_ns"
#define NUB_CALL_RANDOM "nub_random"
#define NUB_RANDOM_MAX 4096

/* One entry of the section NUB_EXPORT_SECTION. */
struct nub_export {
	uint64_t function; /* gva of the guest's own wrapper; the host never calls it */
	uint8_t result;    /* enum nub_type */
	uint8_t param_count;
	uint8_t params[NUB_MAX_PARAMS];
	char name[NUB_NAME_MAX + 1]; /* NUL-terminated */
};

#ifdef __cplusplus
#define NUB_ABI_ASSERT(what) static_assert(what, "the guest ABI changed: see nub-guest(7)")
#else
#define NUB_ABI_ASSERT(what) _Static_assert(what, "the guest ABI changed: see nub-guest(7)")
#endif
NUB_ABI_ASSERT(sizeof(struct nub_note) == 8);
NUB_ABI_ASSERT(sizeof(struct nub_peb) == 80);
NUB_ABI_ASSERT(offsetof(struct nub_peb, output) == 16);
NUB_ABI_ASSERT(offsetof(struct nub_peb, init_data) == 32);
NUB_ABI_ASSERT(offsetof(struct nub_peb, heap) == 48);
NUB_ABI_ASSERT(offsetof(struct nub_peb, file_mappings) == 64);
NUB_ABI_ASSERT(sizeof(struct nub_file_mapping) == 80);
NUB_ABI_ASSERT(sizeof(struct nub_export) == 80);
NUB_ABI_ASSERT(offsetof(struct nub_export, name) == 20);
NUB_ABI_ASSERT(NUB_BASE_ADDRESS + NUB_MAX_MEMORY_SIZE == NUB_U64(16) << 30);
NUB_ABI_ASSERT(NUB_MAP_GPA_END <= NUB_SCRATCH_TOP_GPA + 1 - NUB_MAX_MEMORY_SIZE);

#endif /* !__ASSEMBLER__ */
#endif
