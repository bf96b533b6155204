/* The processes of an emulated machine: the emulator and, for its files, virtiofsd. Both die with the process that made them.
 *
 * machine_start first; machine_fail and machine_stop at any time after. Not for several machines in one process.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stddef.h>
#include <sys/types.h>

struct machine {
	pid_t emulator, share;
	/* Our ends: the byte stream of wire.h; what emulator and virtiofsd print, -1 at its end. */
	int port, console;
	/* The end of what they printed. */
	char shown[4096];
	size_t shown_size;
};

/* Start them. The emulator finds the byte stream at descriptor 3 and virtiofsd at 4, both connected sockets. Without
 * virtiofsd (NULL), descriptor 3 is a raw terminal. Doesn't come back when that fails.
 */
void machine_start(struct machine *machine, char *const emulator[], const char *virtiofsd);

/* The console has something to read: keep its end. */
void machine_keep_shown(struct machine *machine);

/* Kill both and wait for their end. */
void machine_stop(struct machine *machine);

/* Stop, say why and what the machine said last, and exit with 125. */
_Noreturn void machine_fail(struct machine *machine, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
