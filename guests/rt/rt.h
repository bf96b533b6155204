/* What the parts of the guest runtime share. Guests never see this.
 *
 * start.S -> init.c -> request.c -> main or an exported function -> exit.c
 *                                    printing, logs, host calls -> ring.c -> the host, by one `out`
 */
#ifndef RT_H
#define RT_H

#include "nub_guest.h"

/* The freestanding compiler doesn't know these; small copies of known size are moves. */
#define rt_copy(to, from, size) __builtin_memcpy((to), (from), (size))

struct rt_state {
	const struct nub_peb *peb; /* read anew for each use: a restored guest may find its rings elsewhere */
	uint64_t seed;
	unsigned log_level;
	bool tracing; /* the host wants trace records */
};
extern struct rt_state rt_state;

static inline void rt_out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port) : "memory");
}

/* ---- start.S, init.c ---- */

extern const char rt_dispatch[]; /* the dispatch entry */
NUB_NORETURN void rt_start(const struct nub_peb *peb, uint64_t seed, uint64_t page_size, uint64_t flags);
NUB_NORETURN void rt_resume(const struct nub_peb *peb, uint64_t seed, uint64_t page_size, uint64_t flags);

/* Leave for good, or until the host enters at the dispatch address. */
NUB_NORETURN void rt_halt(uint32_t reason, uint64_t value);

/* ---- request.c ---- */

/* Serve the request on the input ring; without one, say that the guest is ready. */
NUB_NORETURN void rt_serve(void);

/* ---- exports.c ---- */

/* Serve a NUB_REQUEST_CALL, its first byte taken off, and put the reply on the output ring. One byte after the end of
 * the request is writable. */
void rt_serve_call(uint8_t *request, size_t size);
void rt_free_temporaries(void);

/* ---- ring.c: a corrupt ring aborts ---- */

/* Room for an item of this size on the output ring, which it is on from now; NULL when it does not fit. */
uint8_t *rt_push(uint64_t size);
/* The largest item that rt_push would take. */
uint64_t rt_room(void);
/* The last item on the input ring, and its size; NULL when there is none. */
const uint8_t *rt_peek(uint64_t *size);
/* Take that item off, copying it. */
void rt_pop(uint8_t *to, uint64_t size);

/* ---- value.c ---- */

struct rt_cursor {
	uint8_t *next;
	uint8_t *end;
};
bool rt_take(struct rt_cursor *cursor, size_t size, uint8_t **bytes);
bool rt_take_u8(struct rt_cursor *cursor, uint8_t *value);
bool rt_take_u32(struct rt_cursor *cursor, uint32_t *value);
/* Values borrow from the cursor's bytes. Strings have no NUL yet: the next value may begin where it belongs. */
bool rt_take_value(struct rt_cursor *cursor, struct nub_value *value);
void rt_terminate(const struct nub_value *values, unsigned count);

uint8_t *rt_put_u8(uint8_t *at, uint8_t value);
uint8_t *rt_put_bytes(uint8_t *at, const void *bytes, uint32_t size); /* u32 length first */
uint64_t rt_value_size(const struct nub_value *value);
uint8_t *rt_put_value(uint8_t *at, const struct nub_value *value);

/* ---- trace.c: only to be called while rt_state.tracing ---- */

void rt_trace_alloc(const void *block, uint64_t asked, uint64_t size); /* block NULL: there was no memory */
void rt_trace_free(const void *block, uint64_t size);
void rt_trace_flush(void);

/* ---- abort.c ---- */

/* Abort with NUB_ABORT_CODE_RUNTIME, without a last flush: the rings are not to be trusted. */
NUB_NORETURN void rt_broken(const char *format, ...) NUB_PRINTF(1, 2);

#endif
