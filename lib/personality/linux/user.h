/* Where a read's bytes go in the guest, or a write's come from: a list of pieces, used up from its start. */
#ifndef NUB_LINUX_USER_H
#define NUB_LINUX_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct nub_linux;

struct nub_linux_user {
	struct nub_linux *linux;
	struct iovec pieces[1024]; /* bases are guest addresses */
	size_t count, at;
	uint64_t within; /* of pieces[at], used up already */
	uint64_t left;   /* bytes to move yet */
	bool fault;      /* a page can't be accessed: what was moved before it counts */
	uint8_t *host;   /* instead of the guest: bytes of ours, for sendfile(2) and its like */
};

/* One buffer; sizes over Linux's limit are cut. Or what readv(2) was given: -errno. */
void nub_linux_user_buffer(struct nub_linux_user *user, struct nub_linux *linux, uint64_t gva, uint64_t size);
int64_t nub_linux_user_vector(struct nub_linux_user *user, struct nub_linux *linux, uint64_t gva, uint64_t count);
void nub_linux_user_host(struct nub_linux_user *user, void *bytes, size_t size);

/* Move up to `size` bytes, and give how many: fewer when the list ends or a page can't be accessed (`fault`). */
size_t nub_linux_user_put(struct nub_linux_user *user, const void *bytes, size_t size);
size_t nub_linux_user_take(struct nub_linux_user *user, void *bytes, size_t size);

/* Go on without moving. */
void nub_linux_user_skip(struct nub_linux_user *user, uint64_t size);

/* After moving `done` bytes: done, or -EFAULT when that was none, because of a fault. */
int64_t nub_linux_user_result(const struct nub_linux_user *user, uint64_t done);

#endif
