/* What outside (on the host) and inside (in the emulated machine) say to each other, over one byte stream.
 *
 * Frames: a head, then `size` bytes. Both sides are this project's and of one build, so numbers are in host order; a stream
 * that breaks off or breaks the rules ends the run.
 */
#ifndef WIRE_H
#define WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum wire_type {
	/* From inside: the machine is up. */
	WIRE_READY = 1,
	/* From outside: run this. Strings, each with its NUL: see the order in start.c and command.c. */
	WIRE_START,
	/* From inside: send up to WIRE_ROOM bytes of stdin. */
	WIRE_WANT,
	/* From outside: some of stdin; none at its end. */
	WIRE_STDIN,
	/* From inside: what the command wrote to stdout, to stderr. */
	WIRE_STDOUT,
	WIRE_STDERR,
	/* From outside: nobody reads stdout (or stderr) any more; a byte, the descriptor. */
	WIRE_CLOSED,
	/* From outside: a byte, a signal for the command. */
	WIRE_SIGNAL,
	/* From inside: the command's wait status, an int. The last frame. */
	WIRE_EXIT,
	/* From inside: the machine can't be used, a sentence. The last frame. */
	WIRE_FAILED,
};

/* Most bytes of one frame, but for WIRE_START, which may have WIRE_START_MAX (arguments and environment). */
enum { WIRE_ROOM = 64 << 10, WIRE_START_MAX = 8 << 20 };

struct wire_head {
	uint32_t type;
	uint32_t size;
};

static inline bool wire_read(int fd, void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		const ssize_t part = read(fd, (char *)bytes + done, size - done);

		if (part == 0 || (part < 0 && errno != EINTR))
			return false;
		done += part > 0 ? (size_t)part : 0;
	}
	return true;
}

static inline bool wire_write(int fd, const void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		const ssize_t part = write(fd, (const char *)bytes + done, size - done);

		if (part < 0 && errno != EINTR)
			return false;
		done += part > 0 ? (size_t)part : 0;
	}
	return true;
}

static inline bool wire_send(int fd, enum wire_type type, const void *bytes, size_t size)
{
	const struct wire_head head = { .type = type, .size = (uint32_t)size };

	return wire_write(fd, &head, sizeof(head)) && wire_write(fd, bytes, size);
}

#endif
