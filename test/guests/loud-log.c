/* Sends a log record of every level, whatever level the host asked for (R35). */
#include "nub_guest.h"

int main(void)
{
	for (unsigned level = NUB_LOG_ERROR; level <= NUB_LOG_TRACE; level++)
		nub_log_write(level, "loud-log.c", level, "level %u", level);
	return 0;
}
