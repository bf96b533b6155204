/* System calls that a test makes to see what the kernel says of bad pointers, which valgrind's memcheck is not to report. */
#ifndef QUIET_CALL_H
#define QUIET_CALL_H

#include <unistd.h>
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING ((void)0)
#endif

/* syscall(2) with six arguments. */
static inline long quiet_call(long number, const uint64_t args[6])
{
	VALGRIND_DISABLE_ERROR_REPORTING;
	const long result = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	VALGRIND_ENABLE_ERROR_REPORTING;
	return result;
}

#endif
