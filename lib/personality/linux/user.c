/* Moving bytes between the host's buffers and the pieces of guest memory that a call names. */
#include "personality/linux/user.h"

#include <errno.h>
#include <string.h>

#include "personality/linux/linux.h"

void nub_linux_user_buffer(struct nub_linux_user *user, struct nub_linux *linux, uint64_t gva, uint64_t size)
{
	user->linux = linux;
	user->left = size > NUB_LINUX_MAX_RW ? NUB_LINUX_MAX_RW : size;
	user->pieces[0] = (struct iovec){ .iov_base = (void *)(uintptr_t)gva, .iov_len = user->left };
	user->count = 1;
	user->at = 0;
	user->within = 0;
	user->fault = false;
	user->host = NULL;
}

int64_t nub_linux_user_vector(struct nub_linux_user *user, struct nub_linux *linux, uint64_t gva, uint64_t count)
{
	_Static_assert(sizeof(user->pieces) / sizeof(*user->pieces) == NUB_LINUX_IOV_MAX, "room for the longest list");
	const int64_t sum = nub_linux_read_iovec(linux, gva, count, user->pieces);

	if (sum < 0)
		return sum;
	user->linux = linux;
	user->left = (uint64_t)sum;
	user->count = count;
	user->at = 0;
	user->within = 0;
	user->fault = false;
	user->host = NULL;
	return 0;
}

void nub_linux_user_host(struct nub_linux_user *user, void *bytes, size_t size)
{
	nub_linux_user_buffer(user, NULL, 0, size);
	user->host = bytes;
}

/* Move one piece's worth; `in` takes from the guest. How many bytes moved. */
static size_t move_piece(struct nub_linux_user *user, void *bytes, size_t size, bool in)
{
	const struct iovec *piece = &user->pieces[user->at];
	const uint64_t gva = nub_linux_iov_gva(piece) + user->within;
	int64_t moved;

	if (size > piece->iov_len - user->within)
		size = piece->iov_len - user->within;
	if (size == 0) {
		moved = 0;
	} else if (user->host) {
		uint8_t *host = user->host + user->within;

		if (in)
			memcpy(bytes, host, size);
		else
			memcpy(host, bytes, size);
		moved = (int64_t)size;
	} else {
		moved = in ? nub_linux_read_some(user->linux, gva, bytes, size)
		           : nub_linux_write_some(user->linux, gva, bytes, size);
	}
	if (moved < 0)
		moved = 0;
	user->fault = (size_t)moved < size;
	user->within += (size_t)moved;
	user->left -= (size_t)moved;
	return (size_t)moved;
}

static size_t move(struct nub_linux_user *user, uint8_t *bytes, size_t size, bool in)
{
	size_t done = 0;

	while (done < size && user->left > 0 && !user->fault) {
		if (user->within == user->pieces[user->at].iov_len) {
			if (++user->at == user->count)
				break;
			user->within = 0;
			continue;
		}
		done += move_piece(user, bytes + done, size - done, in);
	}
	return done;
}

size_t nub_linux_user_put(struct nub_linux_user *user, const void *bytes, size_t size)
{
	return move(user, (uint8_t *)(uintptr_t)bytes, size, false);
}

size_t nub_linux_user_take(struct nub_linux_user *user, void *bytes, size_t size)
{
	return move(user, bytes, size, true);
}

void nub_linux_user_skip(struct nub_linux_user *user, uint64_t size)
{
	while (size > 0 && user->at < user->count) {
		const uint64_t here = user->pieces[user->at].iov_len - user->within;
		const uint64_t step = size < here ? size : here;

		user->within += step;
		user->left -= step;
		size -= step;
		if (user->within == user->pieces[user->at].iov_len && user->at + 1 < user->count) {
			user->at++;
			user->within = 0;
		} else if (step == 0) {
			break;
		}
	}
}

int64_t nub_linux_user_result(const struct nub_linux_user *user, uint64_t done)
{
	return done == 0 && user->fault ? -EFAULT : (int64_t)done;
}
