/* Fuzz target: any bytes as a program's calls on files. Each call is two bytes of its number, and a byte for each argument: small
 * numbers, descriptors, flags, and addresses of a guest's memory that holds paths, lists and structs. Then the files are frozen, and
 * thawed in another program. Nothing of the host is granted.
 */
#include <asm/unistd_64.h>
#include <sys/mman.h>

#include "../unit/linux_alone.h"
#include "fuzz.h"
#include "personality/linux/files.h"
#include "personality/linux/threads.h"

enum { DATA = 0x10000000, DATA_SIZE = 65536, CALLS_MAX = 400, CALL_SIZE = 7 };

/* What programs would pass: mistakes are likelier among good ones. */
static const uint64_t values[] = { 0,           1,
	                           2,           3,
	                           4,           5,
	                           6,           7,
	                           8,           16,
	                           24,          32,
	                           63,          64,
	                           100,         255,
	                           512,         0644,
	                           0777,        1024,
	                           2048,        4095,
	                           4096,        65536,
	                           0x10000,     0x80000,
	                           0x200000,    02000000,
	                           020200000,   1 << 20,
	                           1 << 30,     INT32_MAX,
	                           UINT32_MAX,  UINT64_C(1) << 40,
	                           INT64_MAX,   UINT64_C(1) << 63,
	                           UINT64_MAX,  (uint64_t)-100,
	                           (uint64_t)-2 };
static const char *const paths[] = { "/tmp/a",
	                             "/tmp/b",
	                             "/tmp/d",
	                             "/tmp/d/e",
	                             "/tmp/d/../a",
	                             "/tmp",
	                             "a",
	                             "d/e",
	                             "..",
	                             ".",
	                             "/proc/self/fd/3",
	                             "/proc/self/fd",
	                             "/dev/null",
	                             "/dev/zero",
	                             "/proc/self/maps",
	                             "/dev/fd/4/x",
	                             "",
	                             "/",
	                             "/tmp/a/",
	                             "/proc/self/cwd/a",
	                             "/dev/shm/s",
	                             "/etc/passwd",
	                             "/proc/self/fdinfo/3",
	                             "/dev/stdout",
	                             "x//y/./z" };
enum { VALUES = sizeof(values) / sizeof(*values), PATHS = sizeof(paths) / sizeof(*paths), PATH_SLOT = 64 };

static uint64_t argument(uint8_t byte)
{
	if (byte < VALUES)
		return values[byte];
	if (byte < VALUES + PATHS)
		return DATA + (uint64_t)(byte - VALUES) * PATH_SLOT;
	if (byte < 128)
		return byte - 64;
	return DATA + 4096 +
	       (uint64_t)(byte - 128) * 64; /* to the middle of the memory, and from there on what calls left */
}

/* Threads' own calls and those that end a program are not about files. */
static bool is_about_files(const struct nub_linux *linux, unsigned number)
{
	static const unsigned others[] = { __NR_exit,         __NR_exit_group, __NR_clone,  __NR_rt_sigreturn,
		                           __NR_kill,         __NR_tkill,      __NR_tgkill, __NR_munmap,
		                           __NR_mprotect,     __NR_mremap,     __NR_mmap,   __NR_brk,
		                           __NR_rt_sigaction, __NR_prctl };

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (number == others[i])
			return false;
	}
	return number < NUB_LINUX_MAX_CALL && linux->calls[number];
}

static void prepare(struct alone *alone, const struct nub_linux_config *config)
{
	struct nub_linux_idle idle;

	alone_init(alone, UINT64_C(4) << 20, config);
	FUZZ_CHECK(nub_linux_next(alone->linux, &idle) == NUB_LINUX_RUN);
	FUZZ_CHECK(fake_call(alone->linux, __NR_mmap, DATA, DATA_SIZE, PROT_READ | PROT_WRITE,
	                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX, 0) == DATA);
	for (size_t i = 0; i < PATHS; i++)
		FUZZ_CHECK(nub_linux_write(alone->linux, DATA + i * PATH_SLOT, paths[i], strlen(paths[i]) + 1) == 0);
}

static void call_all(struct alone *alone, const uint8_t *data, size_t size)
{
	struct nub_linux_idle idle;

	for (size_t i = 0; i < CALLS_MAX && (i + 1) * CALL_SIZE <= size && !nub_linux_ended(alone->linux); i++) {
		const uint8_t *bytes = data + i * CALL_SIZE;
		const unsigned number = bytes[0] | (bytes[6] & 1u) << 8;

		if (!is_about_files(alone->linux, number))
			continue;
		const int64_t result =
		    fake_call(alone->linux, number, argument(bytes[1]), argument(bytes[2]), argument(bytes[3]),
		              argument(bytes[4]), argument(bytes[5]), argument(bytes[6]));

		FUZZ_CHECK(result == NUB_LINUX_WAIT || result > -4096);
		if (nub_linux_next(alone->linux, &idle) != NUB_LINUX_RUN)
			break; /* it waits, alone: for good */
	}
}

static void freeze_and_thaw(struct alone *alone, const struct nub_linux_config *config)
{
	struct nub_buffer buffer = { 0 };
	struct nub_writer writer = { .buffer = &buffer };
	struct nub_error err = { 0 };
	struct alone other;

	nub_linux_files_save(alone->linux, &writer);
	FUZZ_CHECK(!writer.failed);
	struct nub_cursor cursor = { .bytes = buffer.bytes,
		                     .size = buffer.size,
		                     .whole = "the files",
		                     .kind = NUB_E_SNAPSHOT_FIELD,
		                     .err = &err };

	prepare(&other, config);
	if (nub_linux_files_load(other.linux, &cursor) == 0) {
		FUZZ_CHECK(cursor.offset == cursor.size);
		nub_linux_files_loaded(other.linux, &cursor);
	} else {
		FUZZ_CHECK(err.message[0] != '\0');
	}
	alone_release(&other);
	nub_buffer_release(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nub_linux_config config = fake_config();
	struct alone alone;

	config.max_fds = 64;
	config.tmpfs_size = 1 << 20;
	prepare(&alone, &config);
	call_all(&alone, data, size);
	freeze_and_thaw(&alone, &config);
	alone_release(&alone);
	return 0;
}

static size_t put_call(uint8_t *out, unsigned number, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t bytes[CALL_SIZE] = { (uint8_t)number, a, b, c, d, 0, (uint8_t)(number >> 8) };

	memcpy(out, bytes, sizeof(bytes));
	return sizeof(bytes);
}

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	const uint8_t memory = 128, first_path = VALUES;
	size_t at = 0;

	if (index > 3 || capacity < 256)
		return 0;
	if (index == 3) {
		/* A pipe by its name, at neither end; and then at none. */
		at += put_call(out + at, __NR_pipe2, memory, 0, 0, 0);
		at += put_call(out + at, __NR_open, first_path + 10, O_ACCMODE, 0, 0);
		at += put_call(out + at, __NR_close, 3, 0, 0, 0);
		at += put_call(out + at, __NR_close, 4, 0, 0, 0);
		at += put_call(out + at, __NR_fstat, 5, memory, 0, 0);
		at += put_call(out + at, __NR_close, 5, 0, 0, 0);
		return at;
	}
	at += put_call(out + at, __NR_creat, first_path, 17, 0, 0);
	at += put_call(out + at, __NR_write, 3, memory, 22, 0);
	at += put_call(out + at, __NR_mkdir, first_path + 2, 18, 0, 0);
	if (index == 0)
		return at;
	at += put_call(out + at, __NR_pipe2, memory, 20, 0, 0);
	at += put_call(out + at, __NR_epoll_create1, 0, 0, 0, 0);
	at += put_call(out + at, __NR_socketpair, 1, 1, 0, memory);
	at += put_call(out + at, __NR_eventfd2, 5, 20, 0, 0);
	if (index == 1)
		return at;
	at += put_call(out + at, __NR_rename, first_path, first_path + 1, 0, 0);
	at += put_call(out + at, __NR_open, first_path + 5, 0, 0, 0);
	at += put_call(out + at, __NR_getdents64, 11, memory, 22, 0);
	at += put_call(out + at, __NR_poll, memory, 3, 0, 0);
	at += put_call(out + at, __NR_memfd_create, first_path + 6, 2, 0, 0);
	return at;
}
