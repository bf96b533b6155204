/* Writes a log record at each level, with text that a JSON writer has to escape. */
#include "nub_guest.h"

static int evaluated;

int main(void)
{
	nub_log(NUB_LOG_ERROR, "error: a \"quoted\" word and a back\\slash");
	nub_log(NUB_LOG_WARN, "warn: a tab\tand a line\nbreak");
	nub_log(NUB_LOG_INFO, "info: control \x01 and delete \x7f, and nothing but text: \xc3\xa4");
	nub_log(NUB_LOG_DEBUG, "debug: bytes that are not UTF-8: \xff\xfe");
	nub_log(NUB_LOG_TRACE, "trace: number %d", ++evaluated);
	printf("level %u, trace %s\n", nub_log_level(), evaluated ? "evaluated" : "skipped");
	return 0;
}
