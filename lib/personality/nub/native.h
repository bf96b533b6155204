/* The inside of the personality that is nubrun's own guest ABI: requests and replies through two rings, ports for all else
 * (nub-guest(7)).
 */
#ifndef NUB_NATIVE_H
#define NUB_NATIVE_H

#include "base/buffer.h"
#include "base/random.h"
#include "personality/personality.h"

struct nub_native {
	struct nub_personality personality; /* first */
	struct nub_personality_state state;
	enum nub_goal goal;                /* of the current run */
	const struct nub_function *called; /* CALL: what is called */
	bool restored_answer;              /* the checkpoint that it stands at is to return 1 */
	struct nub_random random;
	struct nub_buffer request; /* what goes on the input ring */
	uint8_t *item;             /* one item of the output ring; allocated when first used */
	uint64_t item_capacity;
	uint8_t abort_bytes[NUB_ABORT_BUFFER_SIZE];
	size_t abort_size;
	uint64_t tsc_khz;       /* of the guest; 0 until it is needed, or unknown */
	uint64_t last_trace_ns; /* time of the last trace record */
};

static inline struct nub_native *nub_native_of(struct nub_personality *personality)
{
	return (struct nub_native *)personality;
}

/* ---- items.c: what goes through the rings ---- */

/* Take the last item of the output ring into native->item. Errors: RING_*, NO_MEMORY. */
int nub_native_pop(struct nub_native *native, uint64_t *size, struct nub_error *err);

/* Put native->request on the input ring. Errors: RING_FULL, RING_CORRUPT. */
int nub_native_push(struct nub_native *native, struct nub_error *err);

/* ---- entry.c: how a guest is entered ---- */

enum nub_verdict nub_native_enter(struct nub_personality *personality, const struct nub_request *request,
                                  struct nub_error *err);

/* ---- ports.c ---- */

/* Those that code at CPL 3 may use. */
extern const uint8_t nub_native_ports[];
extern const size_t nub_native_port_count;

enum nub_verdict nub_native_serve(struct nub_personality *personality, const struct nub_exit *exit,
                                  struct nub_error *err);
const char *nub_native_exit_name(const struct nub_personality *personality, const struct nub_exit *exit);

/* ---- checkpoint.c: where a guest may be frozen ---- */

/* With these registers, does the guest stand right behind the `out` of a checkpoint, so that rax is to be its answer? A
 * debugger may have saved it anywhere else, where all registers are its own. */
bool nub_checkpoint_stands_at(struct nub_native *native, const struct nub_registers *regs);

/* A guest at CPL 0 that is at a checkpoint, with these registers, names its page-table roots. No others have any. */
int nub_checkpoint_take_roots(struct nub_native *native, const struct nub_registers *regs, struct nub_error *err);

enum nub_verdict nub_checkpoint_serve(struct nub_native *native, struct nub_error *err);

/* ---- calls.c: calls from the guest to the host ---- */

enum nub_verdict nub_host_call_serve(struct nub_native *native, struct nub_error *err);

/* ---- records.c: what a traced guest tells ---- */

/* Hand on the batch of trace records in native->item. */
enum nub_verdict nub_records_serve(struct nub_native *native, uint64_t size, struct nub_error *err);

#endif
