/* What a regular file in memory holds: a sorted list of pages, the rest of it holes. */
#include "personality/linux/inode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* The first slot at or after the index. */
static size_t slot_at(const struct nub_linux_inode *inode, uint64_t index)
{
	size_t low = 0, high = inode->page_count;

	if (high > 0 && inode->pages[high - 1].index < index)
		return high; /* appending, the most common */
	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (inode->pages[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t find(const struct nub_linux_inode *inode, uint64_t index)
{
	const size_t at = slot_at(inode, index);

	return at < inode->page_count && inode->pages[at].index == index ? inode->pages[at].handle : NUB_LINUX_NO_PAGE;
}

uint64_t nub_linux_inode_page(struct nub_linux_inode *inode, uint64_t index, bool make)
{
	struct nub_linux_volume *volume = inode->volume;
	const size_t at = slot_at(inode, index);

	if (at < inode->page_count && inode->pages[at].index == index)
		return inode->pages[at].handle;
	if (!make || volume->pages >= volume->page_limit)
		return NUB_LINUX_NO_PAGE;
	if (inode->page_count == inode->page_capacity) {
		const size_t capacity = inode->page_capacity ? 2 * inode->page_capacity : 4;
		void *grown = reallocarray(inode->pages, capacity, sizeof(*inode->pages));

		if (!grown)
			return NUB_LINUX_NO_PAGE;
		inode->pages = grown;
		inode->page_capacity = capacity;
	}
	const uint64_t handle = volume->store->allocate(volume->store->context);

	if (handle == NUB_LINUX_NO_PAGE)
		return NUB_LINUX_NO_PAGE;
	memmove(inode->pages + at + 1, inode->pages + at, (inode->page_count - at) * sizeof(*inode->pages));
	inode->pages[at] = (struct nub_linux_page_slot){ .index = index, .handle = handle };
	inode->page_count++;
	volume->pages++;
	return handle;
}

static uint8_t *bytes_of(const struct nub_linux_inode *inode, uint64_t handle)
{
	return inode->volume->store->bytes(inode->volume->store->context, handle);
}

/* How much of a page from `offset` on, up to `size`. */
static size_t in_page(uint64_t offset, uint64_t size)
{
	const uint64_t left = NUB_PAGE_SIZE - offset % NUB_PAGE_SIZE;

	return (size_t)(size < left ? size : left);
}

int64_t nub_linux_inode_read(const struct nub_linux_inode *inode, uint64_t offset, void *bytes, size_t size)
{
	size_t done = 0;

	if (offset >= inode->size)
		return 0;
	if (size > inode->size - offset)
		size = (size_t)(inode->size - offset);
	while (done < size) {
		const size_t part = in_page(offset + done, size - done);
		const uint64_t handle = find(inode, (offset + done) / NUB_PAGE_SIZE);

		if (handle == NUB_LINUX_NO_PAGE)
			memset((uint8_t *)bytes + done, 0, part);
		else
			memcpy((uint8_t *)bytes + done, bytes_of(inode, handle) + (offset + done) % NUB_PAGE_SIZE,
			       part);
		done += part;
	}
	return (int64_t)done;
}

int64_t nub_linux_inode_write(struct nub_linux_inode *inode, uint64_t offset, const void *bytes, size_t size)
{
	size_t done = 0;

	if (size == 0)
		return 0;
	if (offset >= NUB_LINUX_FILE_MAX)
		return -EFBIG;
	if (size > NUB_LINUX_FILE_MAX - offset)
		size = (size_t)(NUB_LINUX_FILE_MAX - offset);
	while (done < size) {
		const size_t part = in_page(offset + done, size - done);
		const uint64_t handle = nub_linux_inode_page(inode, (offset + done) / NUB_PAGE_SIZE, true);

		if (handle == NUB_LINUX_NO_PAGE)
			break;
		memcpy(bytes_of(inode, handle) + (offset + done) % NUB_PAGE_SIZE, (const uint8_t *)bytes + done, part);
		done += part;
	}
	if (done == 0)
		return -ENOSPC;
	if (offset + done > inode->size)
		inode->size = offset + done;
	return (int64_t)done;
}

/* Give back the pages [from, to). */
static void drop_pages(struct nub_linux_inode *inode, uint64_t from, uint64_t to)
{
	struct nub_linux_volume *volume = inode->volume;
	const size_t first = slot_at(inode, from);
	size_t end = first;

	while (end < inode->page_count && inode->pages[end].index < to)
		volume->store->free(volume->store->context, inode->pages[end++].handle);
	memmove(inode->pages + first, inode->pages + end, (inode->page_count - end) * sizeof(*inode->pages));
	inode->page_count -= end - first;
	volume->pages -= end - first;
}

/* Zero what there is of [offset, offset + size), all in one page. */
static void zero_part(struct nub_linux_inode *inode, uint64_t offset, size_t size)
{
	const uint64_t handle = find(inode, offset / NUB_PAGE_SIZE);

	if (handle != NUB_LINUX_NO_PAGE && size > 0)
		memset(bytes_of(inode, handle) + offset % NUB_PAGE_SIZE, 0, size);
}

int nub_linux_inode_truncate(struct nub_linux_inode *inode, uint64_t size)
{
	if (size > NUB_LINUX_FILE_MAX)
		return -EFBIG;
	if (size < inode->size && inode->page_count > 0) {
		if (size % NUB_PAGE_SIZE != 0)
			zero_part(inode, size, (size_t)(NUB_PAGE_SIZE - size % NUB_PAGE_SIZE));
		drop_pages(inode, (size + NUB_PAGE_SIZE - 1) / NUB_PAGE_SIZE, UINT64_MAX);
	}
	inode->size = size;
	return 0;
}

int nub_linux_inode_reserve(struct nub_linux_inode *inode, uint64_t offset, uint64_t size)
{
	const uint64_t first = offset / NUB_PAGE_SIZE, last = (offset + size - 1) / NUB_PAGE_SIZE;

	if (last - first >= inode->volume->page_limit)
		return -ENOSPC;
	for (uint64_t index = first; index <= last; index++) {
		if (nub_linux_inode_page(inode, index, true) == NUB_LINUX_NO_PAGE)
			return -ENOSPC;
	}
	return 0;
}

void nub_linux_inode_punch(struct nub_linux_inode *inode, uint64_t offset, uint64_t size)
{
	const uint64_t end = offset + size;
	const uint64_t from = (offset + NUB_PAGE_SIZE - 1) / NUB_PAGE_SIZE, to = end / NUB_PAGE_SIZE;

	if (offset / NUB_PAGE_SIZE == end / NUB_PAGE_SIZE) {
		zero_part(inode, offset, (size_t)size);
		return;
	}
	if (offset % NUB_PAGE_SIZE != 0)
		zero_part(inode, offset, (size_t)(NUB_PAGE_SIZE - offset % NUB_PAGE_SIZE));
	if (end % NUB_PAGE_SIZE != 0)
		zero_part(inode, nub_page_down(end), (size_t)(end % NUB_PAGE_SIZE));
	if (from < to)
		drop_pages(inode, from, to);
}

int64_t nub_linux_inode_seek(const struct nub_linux_inode *inode, uint64_t offset, bool hole)
{
	uint64_t index = offset / NUB_PAGE_SIZE, found = offset;
	size_t at = slot_at(inode, index);

	if (offset >= inode->size)
		return -ENXIO;
	if (hole) {
		while (at < inode->page_count && inode->pages[at].index == index) {
			at++;
			index++;
			found = index * NUB_PAGE_SIZE;
		}
		return (int64_t)(found < inode->size ? found : inode->size);
	}
	if (at == inode->page_count)
		return -ENXIO;
	if (inode->pages[at].index > index)
		found = inode->pages[at].index * NUB_PAGE_SIZE;
	return found < inode->size ? (int64_t)found : -ENXIO;
}
