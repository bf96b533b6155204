/* futex(2): wait, wake, requeue, wake_op. The rules, and the order of the checks, are those of Linux's kernel/futex. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <time.h>

#include "personality/linux/clocks.h"
#include "personality/linux/threads.h"

/* The futex word: aligned, and not of the half of the addresses that is Linux's. */
static int64_t make_key(uint64_t gva, uint64_t op, struct nub_linux_futex_key *key)
{
	*key = (struct nub_linux_futex_key){ .gva = gva, .shared = !(op & FUTEX_PRIVATE_FLAG) };
	if (gva % sizeof(uint32_t) != 0)
		return -EINVAL;
	if (gva >> 63)
		return -EFAULT;
	return 0;
}

/* A word that may be shared is looked up by its page, which must be there. */
static int64_t make_reachable_key(struct nub_linux *linux, uint64_t gva, uint64_t op, struct nub_linux_futex_key *key)
{
	const int64_t bad = make_key(gva, op, key);
	uint32_t word;

	if (bad < 0 || !key->shared)
		return bad;
	return nub_linux_read(linux, gva, &word, sizeof(word));
}

/* FUTEX_WAIT has how long, FUTEX_WAIT_BITSET until when. state[0] keeps until when in CLOCK_REALTIME, which may be set
 * meanwhile. */
static void set_deadline(struct nub_linux *linux, struct nub_linux_wait *wait, uint64_t op, uint64_t ns)
{
	if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
		ns = nub_linux_add_ns(nub_linux_monotonic(linux), ns);
	if (op & FUTEX_CLOCK_REALTIME) {
		wait->state[0] = ns;
		ns = nub_linux_monotonic_at(linux, CLOCK_REALTIME, ns);
	}
	nub_linux_wait_until(wait, ns);
}

static bool is_over(struct nub_linux *linux, struct nub_linux_wait *wait)
{
	if (!nub_linux_wait_is_over(linux, wait))
		return false;
	if (wait->state[0] != 0)
		nub_linux_wait_until(wait, nub_linux_monotonic_at(linux, CLOCK_REALTIME, wait->state[0]));
	return nub_linux_wait_is_over(linux, wait);
}

static int64_t begin_wait(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6],
                          uint32_t bitset)
{
	struct nub_linux_futex_key key = { 0 };
	uint64_t ns = 0;
	uint32_t word = 0;
	int64_t bad = 0;

	if (args[3] != 0)
		bad = nub_linux_read_time(linux, args[3], &ns);
	if (bad == 0 && bitset == 0)
		bad = -EINVAL;
	if (bad == 0)
		bad = make_key(args[0], args[1], &key);
	if (bad == 0)
		bad = nub_linux_read(linux, args[0], &word, sizeof(word));
	if (bad < 0)
		return bad;
	if (word != (uint32_t)args[2])
		return -EAGAIN;
	if (args[3] != 0)
		set_deadline(linux, &thread->wait, args[1], ns);
	nub_linux_futex_enqueue(linux, thread, key, bitset);
	return 0;
}

static int64_t serve_wait(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6],
                          uint32_t bitset)
{
	struct nub_linux_futex_wait *futex = &thread->thread_data->futex;
	const bool timed = args[3] != 0;

	if (!thread->wait.restarted) {
		const int64_t bad = begin_wait(linux, thread, args, bitset);
		if (bad < 0)
			return bad;
	} else if (!futex->queued) {
		return 0;
	}
	if (is_over(linux, &thread->wait)) {
		futex->queued = false;
		return -ETIMEDOUT;
	}
	return nub_linux_wait(&thread->wait, timed ? NUB_LINUX_ERESTART_RESTARTBLOCK : NUB_LINUX_ERESTARTSYS);
}

static int64_t serve_wake(struct nub_linux *linux, const uint64_t args[6], uint32_t bitset)
{
	struct nub_linux_futex_key key;
	int64_t bad;

	if (bitset == 0)
		return -EINVAL;
	bad = make_reachable_key(linux, args[0], args[1], &key);
	if (bad < 0)
		return bad;
	return nub_linux_futex_wake(linux, key, (int32_t)args[2], bitset);
}

static int64_t serve_requeue(struct nub_linux *linux, const uint64_t args[6], bool compares)
{
	const int32_t wakes = (int32_t)args[2], requeues = (int32_t)args[3];
	struct nub_linux_futex_key from, to = { 0 };
	uint32_t word = 0;
	int64_t bad;

	if (wakes < 0 || requeues < 0)
		return -EINVAL;
	bad = make_reachable_key(linux, args[0], args[1], &from);
	if (bad == 0)
		bad = make_reachable_key(linux, args[4], args[1], &to);
	if (bad == 0 && compares)
		bad = nub_linux_read(linux, args[0], &word, sizeof(word));
	if (bad < 0)
		return bad;
	if (compares && word != (uint32_t)args[5])
		return -EAGAIN;
	return nub_linux_futex_requeue(linux, from, to, wakes, requeues);
}

static int32_t sign_extend_12(uint64_t value)
{
	return (int32_t)((uint32_t)value << 20) >> 20;
}

/* The new value of FUTEX_WAKE_OP's word. False: no such operation. */
static bool operate(uint32_t op, uint32_t old, uint32_t arg, uint32_t *result)
{
	switch (op) {
	case FUTEX_OP_SET:
		*result = arg;
		return true;
	case FUTEX_OP_ADD:
		*result = old + arg;
		return true;
	case FUTEX_OP_OR:
		*result = old | arg;
		return true;
	case FUTEX_OP_ANDN:
		*result = old & ~arg;
		return true;
	case FUTEX_OP_XOR:
		*result = old ^ arg;
		return true;
	default:
		return false;
	}
}

/* 1 or 0, or -ENOSYS. */
static int64_t compare(uint32_t cmp, int32_t old, int32_t arg)
{
	switch (cmp) {
	case FUTEX_OP_CMP_EQ:
		return old == arg;
	case FUTEX_OP_CMP_NE:
		return old != arg;
	case FUTEX_OP_CMP_LT:
		return old < arg;
	case FUTEX_OP_CMP_GE:
		return old >= arg;
	case FUTEX_OP_CMP_LE:
		return old <= arg;
	case FUTEX_OP_CMP_GT:
		return old > arg;
	default:
		return -ENOSYS;
	}
}

/* Change the word at gva as `encoded` says, and compare what it was: 1, 0 or -errno. */
static int64_t change_word(struct nub_linux *linux, uint64_t gva, uint32_t encoded)
{
	const uint32_t op = (encoded >> 28) & 7;
	int32_t arg = sign_extend_12(encoded >> 12);
	uint32_t old, changed, seen;

	if (encoded & ((uint32_t)FUTEX_OP_OPARG_SHIFT << 28))
		arg = (int32_t)(UINT32_C(1) << (arg & 31));
	if (nub_linux_read(linux, gva, &old, sizeof(old)) < 0)
		return -EFAULT;
	for (;;) {
		if (!operate(op, old, (uint32_t)arg, &changed))
			return -ENOSYS;
		if (nub_linux_exchange32(linux, gva, old, changed, &seen) < 0)
			return -EFAULT;
		if (seen == old)
			break;
		old = seen;
	}
	return compare((encoded >> 24) & 15, (int32_t)old, sign_extend_12(encoded));
}

static int64_t serve_wake_op(struct nub_linux *linux, const uint64_t args[6])
{
	struct nub_linux_futex_key first, second = { 0 };
	int64_t matches, woken;
	int64_t bad = make_reachable_key(linux, args[0], args[1], &first);

	if (bad == 0)
		bad = make_reachable_key(linux, args[4], args[1], &second);
	if (bad < 0)
		return bad;
	matches = change_word(linux, args[4], (uint32_t)args[5]);
	if (matches < 0)
		return matches;
	woken = nub_linux_futex_wake(linux, first, (int32_t)args[2], FUTEX_BITSET_MATCH_ANY);
	if (matches)
		woken += nub_linux_futex_wake(linux, second, (int32_t)args[3], FUTEX_BITSET_MATCH_ANY);
	return woken;
}

int64_t nub_linux_serve_futex(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t command = args[1] & (uint64_t)FUTEX_CMD_MASK & UINT32_MAX;

	if ((args[1] & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		return serve_wait(linux, thread, args, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return serve_wait(linux, thread, args, (uint32_t)args[5]);
	case FUTEX_WAKE:
		return serve_wake(linux, args, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return serve_wake(linux, args, (uint32_t)args[5]);
	case FUTEX_REQUEUE:
		return serve_requeue(linux, args, false);
	case FUTEX_CMP_REQUEUE:
		return serve_requeue(linux, args, true);
	case FUTEX_WAKE_OP:
		return serve_wake_op(linux, args);
	default: /* inheritance of priority: FUTEX_LOCK_PI, ... */
		return nub_linux_unsupported(linux, thread, -ENOSYS);
	}
}
