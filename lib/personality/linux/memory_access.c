/* The guest's memory by guest address: each page is looked up, and comes if it is due, before its bytes are copied. */
#include <errno.h>
#include <string.h>

#include "abi/nub_abi.h"
#include "base/util.h"
#include "personality/linux/mm_parts.h"

/* The gpa of the guest's byte at gva, good for the rest of its page; 0 when it may not be accessed so. */
static uint64_t byte_at(struct nub_linux *linux, uint64_t gva, unsigned rights)
{
	const enum nub_linux_touch touch = nub_linux_touch(linux, gva, rights);

	if (touch == NUB_LINUX_TOUCH_NO_MEMORY)
		nub_linux_out_of_memory(linux, gva);
	if (touch != NUB_LINUX_TOUCH_OK)
		return 0;
	return nub_linux_page_map_get(&linux->memory->pages, nub_page_down(gva)) + gva % NUB_PAGE_SIZE;
}

static size_t in_page(uint64_t gva, size_t size)
{
	const size_t left = (size_t)(NUB_PAGE_SIZE - gva % NUB_PAGE_SIZE);

	return size < left ? size : left;
}

int64_t nub_linux_read_some(struct nub_linux *linux, uint64_t gva, void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		const size_t step = in_page(gva + done, size - done);
		const uint64_t from = byte_at(linux, gva + done, NUB_LINUX_READ);
		if (from == 0 || !nub_linux_page_copy(linux, from, (uint8_t *)bytes + done, step))
			break;
		done += step;
	}
	return done > 0 || size == 0 ? (int64_t)done : -EFAULT;
}

int64_t nub_linux_write_some(struct nub_linux *linux, uint64_t gva, const void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		const size_t step = in_page(gva + done, size - done);
		const uint64_t to = byte_at(linux, gva + done, NUB_LINUX_WRITE);
		if (to == 0 || !nub_linux_page_store(linux, to, (const uint8_t *)bytes + done, step))
			break;
		done += step;
	}
	return done > 0 || size == 0 ? (int64_t)done : -EFAULT;
}

int64_t nub_linux_read(struct nub_linux *linux, uint64_t gva, void *bytes, size_t size)
{
	return nub_linux_read_some(linux, gva, bytes, size) == (int64_t)size ? 0 : -EFAULT;
}

int64_t nub_linux_write(struct nub_linux *linux, uint64_t gva, const void *bytes, size_t size)
{
	return nub_linux_write_some(linux, gva, bytes, size) == (int64_t)size ? 0 : -EFAULT;
}

int64_t nub_linux_read_string(struct nub_linux *linux, uint64_t gva, char *text, size_t capacity)
{
	size_t done = 0;

	while (done < capacity) {
		const size_t step = in_page(gva + done, capacity - done);
		const uint64_t from = byte_at(linux, gva + done, NUB_LINUX_READ);
		if (from == 0 || !nub_linux_page_copy(linux, from, text + done, step))
			return -EFAULT;
		const char *end = memchr(text + done, '\0', step);
		if (end)
			return end - text;
		done += step;
	}
	return -ENAMETOOLONG;
}

int64_t nub_linux_read_iovec(struct nub_linux *linux, uint64_t gva, uint64_t count, struct iovec *iov)
{
	uint64_t sum = 0;

	if (count > NUB_LINUX_IOV_MAX)
		return -EINVAL;
	if (nub_linux_read(linux, gva, iov, count * sizeof(*iov)) < 0)
		return -EFAULT;
	for (uint64_t i = 0; i < count; i++) {
		if ((int64_t)iov[i].iov_len < 0)
			return -EINVAL;
		if (iov[i].iov_len > NUB_LINUX_MAX_RW - sum)
			iov[i].iov_len = NUB_LINUX_MAX_RW - sum;
		sum += iov[i].iov_len;
	}
	return (int64_t)sum;
}

int64_t nub_linux_exchange32(struct nub_linux *linux, uint64_t gva, uint32_t expected, uint32_t desired, uint32_t *seen)
{
	const uint64_t at = gva % sizeof(*seen) == 0 ? byte_at(linux, gva, NUB_LINUX_READ | NUB_LINUX_WRITE) : 0;

	/* No thread runs meanwhile. */
	if (at == 0 || !nub_linux_page_copy(linux, at, seen, sizeof(*seen)) ||
	    (*seen == expected && !nub_linux_page_store(linux, at, &desired, sizeof(desired))))
		return -EFAULT;
	return 0;
}
