/* Futexes on memory that is not there, that is not the caller's, or that is no memory at all, and lists of locks that lead nowhere.
 * Prints what each call says, which is what it says without nubrun.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct timespec soon = { .tv_nsec = 1000000 };

static void tell(const char *what, uint64_t address, long result)
{
	printf("%s at %#llx: %ld %s\n", what, (unsigned long long)address, result,
	       result < 0 ? strerrorname_np(errno) : "");
}

static void try_all(uint64_t address, uint32_t *sound)
{
	tell("wait", address, syscall(SYS_futex, address, FUTEX_WAIT, 1, &soon, NULL, 0));
	tell("private wait", address, syscall(SYS_futex, address, FUTEX_WAIT_PRIVATE, 1, &soon, NULL, 0));
	tell("wait for bits", address, syscall(SYS_futex, address, FUTEX_WAIT_BITSET_PRIVATE, 1, &soon, NULL, 0));
	tell("private wake", address, syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0));
	tell("requeue to", address, syscall(SYS_futex, sound, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, address, 0));
	tell("requeue from", address, syscall(SYS_futex, address, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, sound, 1));
	tell("wake and change", address,
	     syscall(SYS_futex, sound, FUTEX_WAKE_OP_PRIVATE, 1, 1, address, FUTEX_OP(FUTEX_OP_ADD, 1, 0, 0)));
	/* Without one it would wait. */
	if (address != 0)
		tell("time-out", address, syscall(SYS_futex, sound, FUTEX_WAIT_PRIVATE, 0, address, NULL, 0));
}

static void *leave(void *list)
{
	syscall(SYS_set_robust_list, list, sizeof(struct robust_list_head));
	return NULL;
}

/* A thread ends, and its list of locks is walked. */
static void end_with(const char *what, struct robust_list_head *head)
{
	pthread_t thread;

	pthread_create(&thread, NULL, leave, head);
	pthread_join(thread, NULL);
	printf("ended with a list %s\n", what);
}

int main(void)
{
	uint32_t *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint32_t *nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static struct robust_list_head head;
	static struct robust_list one, other;
	/* By these, not by where the pages happen to lie, it is the same in each run. */
	static const uint64_t addresses[] = { 0, 4, 0x1001, 0xffffffff81000000, UINT64_MAX - 3, 0xdead0000dead0000 };

	munmap(pages + 1024, 4096);
	for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		try_all(addresses[i], pages);
	tell("unmapped", 0, syscall(SYS_futex, pages + 1024, FUTEX_WAIT_PRIVATE, 0, &soon, NULL, 0));
	tell("no rights", 0, syscall(SYS_futex, nothing, FUTEX_WAIT_PRIVATE, 0, &soon, NULL, 0));
	tell("odd", 0, syscall(SYS_futex, (char *)pages + 1, FUTEX_WAIT_PRIVATE, 0, &soon, NULL, 0));
	tell("across a page", 0, syscall(SYS_futex, (char *)pages + 4094, FUTEX_WAIT_PRIVATE, 0, &soon, NULL, 0));
	end_with("that is nowhere", (struct robust_list_head *)(uintptr_t)0x1000);
	end_with("in the upper half", (struct robust_list_head *)(uintptr_t)0xffffffff81000000);
	head.list.next = &one;
	one.next = &other;
	other.next = &one;
	end_with("that loops", &head);
	one.next = (struct robust_list *)(uintptr_t)0x800000000000;
	end_with("whose second is nowhere", &head);
	one.next = &head.list;
	head.futex_offset = INT64_MIN;
	end_with("of locks that are nowhere", &head);
	head.list_op_pending = (struct robust_list *)(uintptr_t)1;
	end_with("with one that is taken nowhere", &head);
	return 0;
}
