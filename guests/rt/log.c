/* Log records: one item on the output ring and one exit each (R35). */
#include "rt.h"

#define MESSAGE_SIZE 1024
#define SOURCE_MAX 255

unsigned nub_log_level(void)
{
	return rt_state.log_level;
}

void nub_log_write(unsigned level, const char *file, unsigned line, const char *format, ...)
{
	char message[MESSAGE_SIZE];
	uint32_t number = line;
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);

	uint32_t source_size = (uint32_t)strnlen(file, SOURCE_MAX);
	uint32_t size = (uint32_t)strlen(message);
	uint8_t *at = rt_push(1 + 3 * sizeof(uint32_t) + (uint64_t)source_size + size);
	if (!at)
		rt_broken("the output ring has no room for a log record of %u bytes", size);
	at = rt_put_u8(at, (uint8_t)level);
	rt_copy(at, &number, sizeof(number));
	at = rt_put_bytes(at + sizeof(number), file, source_size);
	rt_put_bytes(at, message, size);
	rt_out(NUB_PORT_LOG, 0);
}
