/* What a command is, as bytes: the WIRE_START that outside.c sends, of this process. */
#ifndef START_H
#define START_H

#include <stddef.h>

/* Time, user, folder, environment of this process and the command, in the order in which command.c reads them; `closed` has a
 * bit for each of descriptors 0 to 2 that it doesn't get. To be freed; NULL with errno.
 */
char *start_encode(char *const command[], long closed, size_t *size);

#endif
