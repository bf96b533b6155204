/* The guest's side of nubrun: everything that a guest program needs, in one header. Reference: nub-guest(7).
 *
 *     #include "nub_guest.h"
 *
 *     int main(int argc, char **argv)
 *     {
 *             printf("Hello, %s!\n", argc > 1 ? argv[1] : "world");
 *             return 0;
 *     }
 *
 *     int64_t add(int64_t a, int64_t b)
 *     {
 *             return a + b;
 *     }
 *     NUB_EXPORT(add, I64, I64, I64)
 *
 * A guest has a main, exported functions, or both. What looks like the C library is a small part of it with the usual
 * meaning; what begins with nub_ is ours. There are no threads, no files and no signals. Nothing here needs a lock, and
 * nothing sets errno. C++ works without exceptions and RTTI; its main must return a value, too.
 */
#ifndef NUB_GUEST_H
#define NUB_GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/nub_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NUB_NORETURN __attribute__((__noreturn__))
#define NUB_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))

/* ---- Memory and strings ---- */

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void *memchr(const void *bytes, int byte, size_t size);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strcpy(char *to, const char *from);
char *strncpy(char *to, const char *from, size_t size);
char *strcat(char *to, const char *from);
char *strncat(char *to, const char *from, size_t limit);
char *strchr(const char *text, int byte);
char *strrchr(const char *text, int byte);
char *strstr(const char *text, const char *part);
char *strdup(const char *text);
int atoi(const char *text);
long strtol(const char *text, char **end, int base);
unsigned long strtoul(const char *text, char **end, int base);
long long strtoll(const char *text, char **end, int base);
unsigned long long strtoull(const char *text, char **end, int base);

/* ---- Heap: all of the heap that the host gave, 16-byte aligned ----
 *
 * NULL when it is full. Freeing twice, freeing what was not allocated and a header that was written over abort. */

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void *aligned_alloc(size_t alignment, size_t size); /* alignment: a power of two */
void free(void *block);

/* ---- Printing ----
 *
 * stdout is fully buffered: it leaves when the buffer is full, with fflush(stdout), before a host call and a checkpoint,
 * and when the program, the call or the initialisation ends. stderr leaves at the end of each function. */

typedef struct nub_file FILE;
extern FILE nub_stdout, nub_stderr;
#define stdout (&nub_stdout)
#define stderr (&nub_stderr)
#define EOF (-1)

int printf(const char *format, ...) NUB_PRINTF(1, 2);
int fprintf(FILE *file, const char *format, ...) NUB_PRINTF(2, 3);
int vprintf(const char *format, va_list args) NUB_PRINTF(1, 0);
int vfprintf(FILE *file, const char *format, va_list args) NUB_PRINTF(2, 0);
int snprintf(char *to, size_t size, const char *format, ...) NUB_PRINTF(3, 4);
int vsnprintf(char *to, size_t size, const char *format, va_list args) NUB_PRINTF(3, 0);
int puts(const char *text);
int putchar(int byte);
int fputs(const char *text, FILE *file);
int fputc(int byte, FILE *file);
size_t fwrite(const void *bytes, size_t size, size_t count, FILE *file);
int fflush(FILE *file); /* NULL: both */

/* Write past the buffer, after what is in it: 1 is stdout, 2 stderr. Gives size, or -1 for another stream. */
ptrdiff_t nub_write(int stream, const void *bytes, size_t size);

/* ---- Ending ---- */

NUB_NORETURN void exit(int code); /* runs atexit functions and destructors, and flushes */
NUB_NORETURN void _Exit(int code);
int atexit(void (*function)(void)); /* 0, or -1 when the heap is full */

/* A crash that carries a message to the host. They use neither heap nor rings, so they work when those are broken. */
NUB_NORETURN void abort(void);
NUB_NORETURN void nub_abort(const char *format, ...) NUB_PRINTF(1, 2);
NUB_NORETURN void nub_assert_failed(const char *expression, const char *file, int line, const char *function);

#ifdef NDEBUG
#define assert(expression) ((void)0)
#else
#define assert(expression) ((expression) ? (void)0 : nub_assert_failed(#expression, __FILE__, __LINE__, __func__))
#endif

/* ---- Logging: nub_log(NUB_LOG_INFO, "%d items", n) ----
 *
 * A record above the host's level costs a comparison; its arguments are not evaluated. Messages are cut at 1023 bytes. */

#define nub_log(level, ...)                                                                                            \
	((unsigned)(level) <= nub_log_level() ? nub_log_write((level), __FILE__, __LINE__, __VA_ARGS__) : (void)0)

unsigned nub_log_level(void); /* NUB_LOG_*, 0: none */
void nub_log_write(unsigned level, const char *file, unsigned line, const char *format, ...) NUB_PRINTF(4, 5);

/* ---- Tracing: nub_span_begin("parse"); ...; nub_span_end(); ----
 *
 * Spans nest, and the host shows them on a time line, when it was started to do so: otherwise they cost a call and a
 * comparison. Allocations are traced without being asked for. A name has at most 63 bytes, the rest is cut. What was
 * gathered leaves with stdout, and when 2 KiB are full. */

bool nub_tracing(void);
void nub_span_begin(const char *name);
void nub_span_end(void);

/* ---- Typed values ---- */

struct nub_bytes {
	const void *data;
	uint32_t size;
};

struct nub_value {
	enum nub_type type;
	union {
		int32_t i32;
		uint32_t u32;
		int64_t i64;
		uint64_t u64;
		float f32;
		double f64;
		bool boolean;
		const char *string; /* the same memory as bytes.data; a NUL follows, bytes.size does not count it */
		struct nub_bytes bytes;
	};
};

#define NUB_VALUE(name, ctype, TYPE, member)                                                                           \
	static inline struct nub_value name(ctype value)                                                               \
	{                                                                                                              \
		struct nub_value made;                                                                                 \
		made.type = NUB_TYPE_##TYPE;                                                                           \
		made.member = value;                                                                                   \
		return made;                                                                                           \
	}
NUB_VALUE(nub_i32, int32_t, I32, i32)
NUB_VALUE(nub_u32, uint32_t, U32, u32)
NUB_VALUE(nub_i64, int64_t, I64, i64)
NUB_VALUE(nub_u64, uint64_t, U64, u64)
NUB_VALUE(nub_f32, float, F32, f32)
NUB_VALUE(nub_f64, double, F64, f64)
NUB_VALUE(nub_bool, bool, BOOL, boolean)
NUB_VALUE(nub_bytes, struct nub_bytes, BYTES, bytes)
#undef NUB_VALUE

/* NULL counts as "". The text is borrowed, as the data of nub_bytes is. */
static inline struct nub_value nub_string(const char *text)
{
	struct nub_value made;
	made.type = NUB_TYPE_STRING;
	made.bytes.data = text ? text : "";
	made.bytes.size = (uint32_t)strlen((const char *)made.bytes.data);
	return made;
}

/* ---- Calling the host ----
 *
 *     struct nub_value sum;
 *     if (nub_host("host_add", &sum, NUB_TYPE_I64, nub_i64(1), nub_i64(2)) < 0)
 *             fprintf(stderr, "host_add: %s\n", nub_host_error());
 *
 * 0, or -1 when the host has no such function, refuses, fails, or the call does not fit the rings. The text or bytes of
 * a result stay valid until the next host call. */

int nub_call_host(const char *name, struct nub_value *result, enum nub_type result_type, unsigned count,
                  const struct nub_value *args);
const char *nub_host_error(void);         /* why the last one failed */
uint32_t nub_host_error_code(void);       /* the host's number for it; 0 when the call never left */
uint64_t nub_time_ns(void);               /* nanoseconds since 1970 */
int nub_random(void *bytes, size_t size); /* random bytes of the host; 0 or -1 */

#define nub_host(name, result, result_type, ...)                                                                       \
	__extension__({                                                                                                \
		const struct nub_value nub_args_[] = { nub_bool(false), ##__VA_ARGS__ };                               \
		nub_call_host(name, result, result_type, sizeof(nub_args_) / sizeof(nub_args_[0]) - 1, nub_args_ + 1); \
	})

/* ---- What the host prepared ---- */

uint64_t nub_seed(void);           /* random, new at each entry */
void *nub_init_data(size_t *size); /* NULL and 0 when there is none; read-only unless the host was asked */
const struct nub_peb *nub_peb(void);
unsigned nub_mapped_file_count(void);
const struct nub_file_mapping *nub_mapped_file_at(unsigned index); /* NULL from the count upwards */
const void *nub_mapped_file(const char *label, size_t *size);      /* NULL when no file has this label */

/* The host may take a snapshot here. 0 when this run goes on, 1 when it goes on from a snapshot. */
int nub_checkpoint(void);

/* ---- Exported functions: NUB_EXPORT(function, RESULT, PARAMETER...) after the function ----
 *
 * Types and what they are in C: VOID (a result only), I32 int32_t, U32 uint32_t, I64 int64_t, U64 uint64_t, F32 float,
 * F64 double, BOOL bool, STRING const char *, BYTES struct nub_bytes. At most 10 parameters. A prototype that differs
 * does not compile. Arguments live until the function returns; a STRING or BYTES result is copied after that, so it must
 * not be in the function's own frame: use nub_temp for it. */

/* The caller gets this error instead of a result. Returns: the function goes on and its result is dropped. */
void nub_fail(uint32_t code, const char *format, ...) NUB_PRINTF(2, 3);

/* Memory that is freed when the current call has been answered. NULL when the heap is full. */
void *nub_temp(size_t size);

typedef void nub_wrapper(const struct nub_value *args, struct nub_value *result);

/* struct nub_export, with the wrapper as a pointer so that it can be initialised statically. */
struct nub_export_entry {
	nub_wrapper *function;
	uint8_t result;
	uint8_t param_count;
	uint8_t params[NUB_MAX_PARAMS];
	char name[NUB_NAME_MAX + 1];
};
NUB_ABI_ASSERT(sizeof(struct nub_export_entry) == sizeof(struct nub_export));
NUB_ABI_ASSERT(offsetof(struct nub_export_entry, name) == offsetof(struct nub_export, name));

#define NUB_C_VOID void
#define NUB_C_I32 int32_t
#define NUB_C_U32 uint32_t
#define NUB_C_I64 int64_t
#define NUB_C_U64 uint64_t
#define NUB_C_F32 float
#define NUB_C_F64 double
#define NUB_C_BOOL bool
#define NUB_C_STRING const char *
#define NUB_C_BYTES struct nub_bytes

/* Parameter i as the function takes it, and the result as the reply takes it. */
#define NUB_ARG_I32(i) nub_args[i].i32
#define NUB_ARG_U32(i) nub_args[i].u32
#define NUB_ARG_I64(i) nub_args[i].i64
#define NUB_ARG_U64(i) nub_args[i].u64
#define NUB_ARG_F32(i) nub_args[i].f32
#define NUB_ARG_F64(i) nub_args[i].f64
#define NUB_ARG_BOOL(i) nub_args[i].boolean
#define NUB_ARG_STRING(i) nub_args[i].string
#define NUB_ARG_BYTES(i) nub_args[i].bytes
#define NUB_RESULT_VOID(call) call
#define NUB_RESULT_I32(call) *nub_result = nub_i32(call)
#define NUB_RESULT_U32(call) *nub_result = nub_u32(call)
#define NUB_RESULT_I64(call) *nub_result = nub_i64(call)
#define NUB_RESULT_U64(call) *nub_result = nub_u64(call)
#define NUB_RESULT_F32(call) *nub_result = nub_f32(call)
#define NUB_RESULT_F64(call) *nub_result = nub_f64(call)
#define NUB_RESULT_BOOL(call) *nub_result = nub_bool(call)
#define NUB_RESULT_STRING(call) *nub_result = nub_string(call)
#define NUB_RESULT_BYTES(call) *nub_result = nub_bytes(call)

#define NUB_PARAM_TYPE(i, T) NUB_C_##T
#define NUB_PARAM_ARG(i, T) NUB_ARG_##T(i)
#define NUB_PARAM_CODE(i, T) NUB_TYPE_##T

/* f(index, type) for each type, with commas; `none` when there is no type. */
#define NUB_EACH_0(f, none) none
#define NUB_EACH_1(f, none, a) f(0, a)
#define NUB_EACH_2(f, none, a, b) f(0, a), f(1, b)
#define NUB_EACH_3(f, none, a, b, c) f(0, a), f(1, b), f(2, c)
#define NUB_EACH_4(f, none, a, b, c, d) f(0, a), f(1, b), f(2, c), f(3, d)
#define NUB_EACH_5(f, none, a, b, c, d, e) f(0, a), f(1, b), f(2, c), f(3, d), f(4, e)
#define NUB_EACH_6(f, none, a, b, c, d, e, g) f(0, a), f(1, b), f(2, c), f(3, d), f(4, e), f(5, g)
#define NUB_EACH_7(f, none, a, b, c, d, e, g, h) NUB_EACH_6(f, none, a, b, c, d, e, g), f(6, h)
#define NUB_EACH_8(f, none, a, b, c, d, e, g, h, i) NUB_EACH_7(f, none, a, b, c, d, e, g, h), f(7, i)
#define NUB_EACH_9(f, none, a, b, c, d, e, g, h, i, j) NUB_EACH_8(f, none, a, b, c, d, e, g, h, i), f(8, j)
#define NUB_EACH_10(f, none, a, b, c, d, e, g, h, i, j, k) NUB_EACH_9(f, none, a, b, c, d, e, g, h, i, j), f(9, k)

/* How many parameters follow the result type. */
#define NUB_PARAM_COUNT(...) NUB_PARAM_COUNT_(__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, )
#define NUB_PARAM_COUNT_(r, a, b, c, d, e, f, g, h, i, j, n, ...) n
#define NUB_JOIN(a, b) NUB_JOIN_(a, b)
#define NUB_JOIN_(a, b) a##b

#ifdef __cplusplus
#define NUB_CHECK_PROTOTYPE(function, R, ...)                                                                          \
	__attribute__((unused)) static R (*const nub_prototype_##function)(__VA_ARGS__) = function
#else
#define NUB_CHECK_PROTOTYPE(function, R, ...)                                                                          \
	_Static_assert(__builtin_types_compatible_p(__typeof__(&function), R (*)(__VA_ARGS__)),                        \
	               #function ": its prototype is not what NUB_EXPORT says")
#endif

/* aligned(8): compilers give larger objects a larger alignment, which would leave gaps in the table. */
#define NUB_EXPORT(function, ...)                                                                                      \
	NUB_EXPORT_(function, NUB_PARAM_COUNT(__VA_ARGS__), NUB_JOIN(NUB_EACH_, NUB_PARAM_COUNT(__VA_ARGS__)),         \
	            __VA_ARGS__)
#define NUB_EXPORT_(function, count, each, R, ...)                                                                     \
	NUB_CHECK_PROTOTYPE(function, NUB_C_##R, each(NUB_PARAM_TYPE, void, ##__VA_ARGS__));                           \
	static void nub_wrapper_##function(const struct nub_value *nub_args, struct nub_value *nub_result)             \
	{                                                                                                              \
		(void)nub_args;                                                                                        \
		(void)nub_result;                                                                                      \
		NUB_RESULT_##R(function(each(NUB_PARAM_ARG, , ##__VA_ARGS__)));                                        \
	}                                                                                                              \
	NUB_ABI_ASSERT(sizeof(#function) <= NUB_NAME_MAX + 1);                                                         \
	__attribute__((section(NUB_EXPORT_SECTION), used,                                                              \
	               aligned(8))) static struct nub_export_entry nub_export_##function = {                           \
		nub_wrapper_##function, NUB_TYPE_##R, count, { each(NUB_PARAM_CODE, 0, ##__VA_ARGS__) }, #function     \
	};

#ifdef __cplusplus
}
#endif

#endif
