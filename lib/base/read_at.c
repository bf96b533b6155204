/* Reading a file at an offset, and writing to it, until all is there that is asked for. */
#include "base/read_at.h"

#include <errno.h>
#include <unistd.h>

ssize_t nub_read_at(int fd, void *bytes, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		const ssize_t got = pread(fd, (uint8_t *)bytes + done, size - done, (off_t)(offset + done));
		if (got < 0 && errno != EINTR)
			return -1;
		if (got == 0)
			break;
		done += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)done;
}

int nub_write_at(int fd, const void *bytes, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		const ssize_t put = pwrite(fd, (const uint8_t *)bytes + done, size - done, (off_t)(offset + done));
		if (put == 0)
			errno = ENOSPC;
		if (put == 0 || (put < 0 && errno != EINTR))
			return -1;
		done += put > 0 ? (size_t)put : 0;
	}
	return 0;
}
