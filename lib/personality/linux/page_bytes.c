/* The bytes of pages that are there. A file that is behind some of them may be cut while the program runs from it: then touching
 * them would end nubrun, so the machine copies, and says if it can't.
 */
#include <string.h>

#include "abi/nub_abi.h"
#include "base/error.h"
#include "personality/linux/mm_parts.h"

bool nub_linux_page_copy(struct nub_linux *linux, uint64_t gpa, void *bytes, size_t size)
{
	const struct nub_linux_page_pool *pool = &linux->memory->pool;
	struct nub_error err = { 0 };

	if (!nub_linux_page_pool_filed(pool, gpa, 1)) {
		memcpy(bytes, nub_linux_page_pool_at(pool, gpa), size);
		return true;
	}
	if (linux->machine.ops->copy(linux->machine.context, gpa, bytes, size, &err) == 0)
		return true;
	nub_linux_fail(linux, &err);
	return false;
}

bool nub_linux_page_store(struct nub_linux *linux, uint64_t gpa, const void *bytes, size_t size)
{
	const struct nub_linux_page_pool *pool = &linux->memory->pool;
	struct nub_error err = { 0 };

	if (!nub_linux_page_pool_filed(pool, gpa, 1)) {
		memcpy(nub_linux_page_pool_at(pool, gpa), bytes, size);
		return true;
	}
	if (linux->machine.ops->store(linux->machine.context, gpa, bytes, size, &err) == 0)
		return true;
	nub_linux_fail(linux, &err);
	return false;
}

bool nub_linux_pages_renew(struct nub_linux *linux, uint64_t gpa, uint64_t count)
{
	struct nub_linux_page_pool *pool = &linux->memory->pool;
	struct nub_error err = { 0 };

	if (!nub_linux_page_pool_filed(pool, gpa, count))
		return true;
	if (linux->machine.ops->discard(linux->machine.context, gpa, count * NUB_PAGE_SIZE, &err) < 0) {
		nub_linux_fail(linux, &err);
		return false;
	}
	nub_linux_page_pool_renewed(pool, gpa, count);
	return true;
}

const uint8_t *nub_linux_page_bytes(struct nub_linux *linux, uint64_t gpa, uint8_t *buffer)
{
	if (!nub_linux_page_pool_filed(&linux->memory->pool, gpa, 1))
		return nub_linux_page_pool_at(&linux->memory->pool, gpa);
	return nub_linux_page_copy(linux, gpa, buffer, NUB_PAGE_SIZE) ? buffer : NULL;
}
