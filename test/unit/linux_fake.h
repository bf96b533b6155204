/* A machine for the Linux personality that executes nothing: memory, a list of mapped pages, one vCPU's registers, clocks that a
 * test sets, and what was printed. It holds the personality to its side of machine.h: a broken promise ends the process.
 */
#ifndef LINUX_FAKE_H
#define LINUX_FAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "abi/nub_abi.h"
#include "personality/linux/call.h"
#include "personality/linux/linux.h"

#define FAKE_BASE UINT64_C(0x200000)
#define FAKE_PAGES_MAX 65536
#define FAKE_CHECK(condition)                                                                                          \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			__builtin_trap();                                                                              \
	} while (0)

struct fake_page {
	uint64_t gva, gpa;
	unsigned rights;
};

struct fake {
	uint8_t *memory;
	uint64_t size, from_file;
	struct fake_page *pages; /* by gva */
	size_t page_count;
	struct nub_linux_vcpu vcpu;
	uint64_t monotonic_ns, realtime_ns;
	uint64_t tsc, tsc_khz;
	uint64_t random;
	char printed[65536];
	size_t printed_size;
	bool output_fails, file_is_cut;
	unsigned maps, protects, unmaps; /* how often each was called */
};

/* Where the page at gva is in the list, or would be. */
static inline size_t fake_find(const struct fake *fake, uint64_t gva)
{
	size_t low = 0, high = fake->page_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (fake->pages[middle].gva < gva)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The page at gva as the guest would see it: NULL when it is not mapped. */
static inline const struct fake_page *fake_page_at(const struct fake *fake, uint64_t gva)
{
	const size_t at = fake_find(fake, gva & ~(NUB_PAGE_SIZE - 1));

	return at < fake->page_count && fake->pages[at].gva == (gva & ~(NUB_PAGE_SIZE - 1)) ? &fake->pages[at] : NULL;
}

static inline uint8_t *fake_memory(void *context, uint64_t *base, uint64_t *size, uint64_t *from_file)
{
	struct fake *fake = context;

	*base = FAKE_BASE;
	*size = fake->size;
	*from_file = fake->from_file;
	return fake->memory;
}

static inline uint8_t *fake_bytes(const struct fake *fake, uint64_t gpa, size_t size)
{
	FAKE_CHECK(gpa >= FAKE_BASE && gpa - FAKE_BASE < fake->size && size <= NUB_PAGE_SIZE - gpa % NUB_PAGE_SIZE);
	return fake->memory + (gpa - FAKE_BASE);
}

static inline int fake_copy(void *context, uint64_t gpa, void *bytes, size_t size, struct nub_error *err)
{
	struct fake *fake = context;

	if (fake->file_is_cut) {
		err->kind = NUB_E_IO;
		return -1;
	}
	memcpy(bytes, fake_bytes(fake, gpa, size), size);
	return 0;
}

static inline int fake_store(void *context, uint64_t gpa, const void *bytes, size_t size, struct nub_error *err)
{
	struct fake *fake = context;

	if (fake->file_is_cut) {
		err->kind = NUB_E_IO;
		return -1;
	}
	memcpy(fake_bytes(fake, gpa, size), bytes, size);
	return 0;
}

static inline void fake_expect(void *context, uint64_t gpa, uint64_t size, bool by_program)
{
	const struct fake *fake = context;

	(void)by_program;
	FAKE_CHECK(gpa >= FAKE_BASE && gpa + size <= FAKE_BASE + fake->size && (gpa | size) % NUB_PAGE_SIZE == 0);
}

static inline void fake_expect_large(void *context, uint64_t gpa, uint64_t size)
{
	fake_expect(context, gpa, size, true);
	FAKE_CHECK((gpa | size) % NUB_LARGE_PAGE_SIZE == 0);
}

static inline uint64_t fake_shown(void *context, uint64_t offset, uint64_t size)
{
	(void)context;
	(void)offset;
	(void)size;
	return 0;
}

static inline int fake_discard(void *context, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	struct fake *fake = context;

	(void)err;
	FAKE_CHECK(gpa >= FAKE_BASE && gpa + size <= FAKE_BASE + fake->size && (gpa | size) % NUB_PAGE_SIZE == 0);
	FAKE_CHECK(madvise(fake->memory + (gpa - FAKE_BASE), size, MADV_DONTNEED) == 0);
	return 0;
}

static inline void fake_check_range(const struct fake *fake, uint64_t gva, uint64_t size, unsigned rights)
{
	(void)fake;
	FAKE_CHECK((gva | size) % NUB_PAGE_SIZE == 0 && size != 0 && gva != 0);
	FAKE_CHECK(gva + size > gva && gva + size <= NUB_USER_GVA_END);
	FAKE_CHECK((rights & ~7u) == 0 && (!(rights & NUB_LINUX_WRITE) || (rights & NUB_LINUX_READ)));
}

static inline int fake_map(void *context, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights,
                           struct nub_error *err)
{
	struct fake *fake = context;
	const size_t at = fake_find(fake, gva), count = size / NUB_PAGE_SIZE;

	(void)err;
	fake->maps++;
	fake_check_range(fake, gva, size, rights);
	FAKE_CHECK(gpa % NUB_PAGE_SIZE == 0 && gpa >= FAKE_BASE && gpa + size <= FAKE_BASE + fake->size);
	FAKE_CHECK(fake->page_count + count <= FAKE_PAGES_MAX);
	FAKE_CHECK(at == fake->page_count || fake->pages[at].gva >= gva + size);
	memmove(fake->pages + at + count, fake->pages + at, (fake->page_count - at) * sizeof(*fake->pages));
	fake->page_count += count;
	for (size_t i = 0; i < count; i++)
		fake->pages[at + i] = (struct fake_page){ gva + i * NUB_PAGE_SIZE, gpa + i * NUB_PAGE_SIZE, rights };
	return 0;
}

static inline int fake_protect(void *context, uint64_t gva, uint64_t size, unsigned rights, struct nub_error *err)
{
	struct fake *fake = context;
	const size_t at = fake_find(fake, gva);

	(void)err;
	fake->protects++;
	fake_check_range(fake, gva, size, rights);
	for (size_t i = 0; i < size / NUB_PAGE_SIZE; i++) {
		FAKE_CHECK(at + i < fake->page_count && fake->pages[at + i].gva == gva + i * NUB_PAGE_SIZE);
		fake->pages[at + i].rights = rights;
	}
	return 0;
}

static inline int fake_unmap(void *context, uint64_t gva, uint64_t size, struct nub_error *err)
{
	struct fake *fake = context;
	const size_t at = fake_find(fake, gva), end = fake_find(fake, gva + size);

	(void)err;
	fake->unmaps++;
	fake_check_range(fake, gva, size, 0);
	memmove(fake->pages + at, fake->pages + end, (fake->page_count - end) * sizeof(*fake->pages));
	fake->page_count -= end - at;
	return 0;
}

static inline void fake_get_regs(void *context, struct nub_registers *regs)
{
	*regs = ((struct fake *)context)->vcpu.regs;
}

static inline void fake_set_regs(void *context, const struct nub_registers *regs)
{
	((struct fake *)context)->vcpu.regs = *regs;
}

static inline int fake_get_vcpu(void *context, struct nub_linux_vcpu *vcpu, struct nub_error *err)
{
	(void)err;
	*vcpu = ((struct fake *)context)->vcpu;
	return 0;
}

static inline int fake_set_vcpu(void *context, const struct nub_linux_vcpu *vcpu, struct nub_error *err)
{
	(void)err;
	((struct fake *)context)->vcpu = *vcpu;
	return 0;
}

/* Each reading of a clock takes a nanosecond. */
static inline uint64_t fake_now_ns(void *context, int clock)
{
	struct fake *fake = context;

	fake->monotonic_ns++;
	fake->realtime_ns++;
	return clock == CLOCK_REALTIME ? fake->realtime_ns : fake->monotonic_ns;
}

static inline uint64_t fake_tsc(void *context)
{
	return ((struct fake *)context)->tsc;
}

static inline uint64_t fake_tsc_khz(void *context)
{
	return ((struct fake *)context)->tsc_khz;
}

static inline int fake_random(void *context, void *bytes, size_t size, struct nub_error *err)
{
	struct fake *fake = context;

	(void)err;
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = (uint8_t)((fake->random = fake->random * 6364136223846793005u + 1) >> 56);
	return 0;
}

static inline int fake_output(void *context, enum nub_stream stream, const void *bytes, size_t size,
                              struct nub_error *err)
{
	struct fake *fake = context;

	(void)stream;
	if (fake->output_fails) {
		err->kind = NUB_E_IO;
		return -1;
	}
	if (size > sizeof(fake->printed) - fake->printed_size)
		size = sizeof(fake->printed) - fake->printed_size;
	memcpy(fake->printed + fake->printed_size, bytes, size);
	fake->printed_size += size;
	return 0;
}

static const struct nub_linux_machine_ops fake_ops = {
	.memory = fake_memory,
	.copy = fake_copy,
	.store = fake_store,
	.expect = fake_expect,
	.expect_large = fake_expect_large,
	.shown = fake_shown,
	.discard = fake_discard,
	.map = fake_map,
	.protect = fake_protect,
	.unmap = fake_unmap,
	.get_regs = fake_get_regs,
	.set_regs = fake_set_regs,
	.get_vcpu = fake_get_vcpu,
	.set_vcpu = fake_set_vcpu,
	.now_ns = fake_now_ns,
	.tsc = fake_tsc,
	.tsc_khz = fake_tsc_khz,
	.random = fake_random,
	.output = fake_output,
};

/* `size` bytes of guest memory, a multiple of 2 MiB. */
static inline struct nub_linux_machine fake_init(struct fake *fake, uint64_t size)
{
	memset(fake, 0, sizeof(*fake));
	fake->size = size;
	fake->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	FAKE_CHECK(fake->memory != MAP_FAILED);
	fake->pages = calloc(FAKE_PAGES_MAX, sizeof(*fake->pages));
	FAKE_CHECK(fake->pages);
	fake->monotonic_ns = UINT64_C(1000) * 1000000000;
	fake->realtime_ns = UINT64_C(1700000000) * 1000000000;
	return (struct nub_linux_machine){ .ops = &fake_ops, .context = fake, .xcr0 = 7 };
}

static inline void fake_release(struct fake *fake)
{
	munmap(fake->memory, fake->size);
	free(fake->pages);
}

/* A configuration that nub_linux_make accepts. */
static inline struct nub_linux_config fake_config(void)
{
	static const char *const argv[] = { "program", NULL }, *const envp[] = { NULL };

	return (struct nub_linux_config){
		.argv = argv,
		.envp = envp,
		.path = "/bin/program",
		.stdin_fd = -1,
		.stack_size = UINT64_C(8) << 20,
		.max_fds = 1024,
		.max_threads = 64,
		.tmpfs_size = UINT64_C(1) << 20,
	};
}

/* Call a handler as the current thread would, by the table; NUB_LINUX_WAIT when it waits. */
static inline int64_t fake_call(struct nub_linux *linux, unsigned number, uint64_t a, uint64_t b, uint64_t c,
                                uint64_t d, uint64_t e, uint64_t f)
{
	struct nub_registers *regs = &((struct fake *)linux->machine.context)->vcpu.regs;

	*regs = (struct nub_registers){ .rax = number, .rdi = a, .rsi = b, .rdx = c, .r10 = d, .r8 = e, .r9 = f };
	regs->rip = 0x401000;
	nub_linux_syscall(linux);
	return linux->current->wait.waiting ? NUB_LINUX_WAIT : (int64_t)linux->current->vcpu.regs.rax;
}

#endif
