/* Memory as a debugger reaches it: rights don't matter, and looking leaves no trace. */
#include <string.h>

#include "abi/nub_abi.h"
#include "base/util.h"
#include "personality/linux/mm_parts.h"

/* Bytes of one page. False: there are none. */
static bool peek_page(struct nub_linux *linux, uint64_t gva, uint8_t *bytes, size_t size)
{
	const struct nub_linux_area *area = nub_linux_area_at(linux, gva);
	const uint64_t page = nub_page_down(gva);
	uint64_t gpa = nub_linux_page_map_get(&linux->memory->pages, page);

	if (!area)
		return false;
	if (gpa == 0 && nub_linux_area_is_shared(area))
		gpa = nub_linux_shared_page(linux->memory, area, page);
	if (gpa != 0)
		return nub_linux_page_copy(linux, gpa + (gva - page), bytes, size);
	memset(bytes, 0, size);
	if (!area->backing)
		return true;
	/* Behind the file's end, its last page is zero. */
	uint8_t first;
	const uint64_t offset = area->offset + (gva - area->start);
	return area->backing->ops->read(area->backing, offset - (gva - page), &first, 1) == 1 &&
	       area->backing->ops->read(area->backing, offset, bytes, size) >= 0;
}

size_t nub_linux_peek(struct nub_linux *linux, uint64_t gva, void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		const uint64_t left = NUB_PAGE_SIZE - ((gva + done) & (NUB_PAGE_SIZE - 1));
		const size_t part = size - done < left ? size - done : left;
		if (!peek_page(linux, gva + done, (uint8_t *)bytes + done, part))
			break;
		done += part;
	}
	return done;
}

bool nub_linux_reach(struct nub_linux *linux, uint64_t gva, bool bring, uint64_t *gpa)
{
	const uint64_t page = nub_page_down(gva);

	if (bring && nub_linux_touch(linux, page, 0) != NUB_LINUX_TOUCH_OK)
		return false;
	*gpa = nub_linux_page_map_get(&linux->memory->pages, page);
	if (*gpa == 0)
		return false;
	*gpa += gva - page;
	return true;
}
