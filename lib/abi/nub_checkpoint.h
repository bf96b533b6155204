/* What an ordinary program for Linux can ask of nubrun: to be saved at a place in its code, whether it is a copy, and what that copy
 * was given. Header only, C or C++; in a program that nubrun doesn't run it does nothing, at the price of a system call.
 *
 *     load_everything();
 *     if (NUB_CHECKPOINT())                       // `nubrun snapshot --until-checkpoint` stops here
 *             seed_generators();                  // each `nubrun restore` goes on here
 *
 * It asks by prctl(2) with an option of nubrun's own. Linux has no such option and fails it with EINVAL, without any effect; so do
 * tracers and filters that let prctl pass. A call that no kernel has would be reported by valgrind and ends programs under seccomp
 * filters, and a function of the vdso would have to be looked for. Other languages make the same call: nub-linux(7).
 *
 * errno is as it was, but for the functions that fail with -1.
 */
#ifndef NUB_CHECKPOINT_H
#define NUB_CHECKPOINT_H

#include <errno.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define NUB_PR 0x4e756272 /* the option: "Nubr" */

/* The second argument: what is asked. */
enum {
	NUB_PR_CHECKPOINT = 1,  /* NUB_PR_WANTS_ARGUMENTS or 0: 1 in a copy, 0 otherwise */
	NUB_PR_GENERATION = 2,  /* how often it was thawed: 0 in a program that was started */
	NUB_PR_ARGUMENTS = 3,   /* buffer, size: see nub_arguments */
	NUB_PR_ENVIRONMENT = 4, /* the same */
};

/* A copy may be given arguments and variables: it will ask for them. Without it, `nubrun restore` refuses to lose them. */
enum { NUB_PR_WANTS_ARGUMENTS = 1 };

/* -1 and errno EINVAL when nubrun does not run the program. */
static inline int nub_prctl(int what, unsigned long first, unsigned long second)
{
#ifdef __linux__
	return prctl(NUB_PR, (unsigned long)what, first, second, 0UL);
#else
	(void)what;
	(void)first;
	(void)second;
	errno = EINVAL;
	return -1;
#endif
}

static inline int nub_prctl_or_zero(int what, unsigned long first)
{
	const int before = errno, result = nub_prctl(what, first, 0);

	errno = before;
	return result < 0 ? 0 : result;
}

/* The program can be saved here, with all of its threads. 1 in a copy that was saved here, 0 otherwise: then nobody saves it, or it
 * goes on after it was. */
#define NUB_CHECKPOINT() nub_prctl_or_zero(NUB_PR_CHECKPOINT, 0)

/* The same, and a copy takes the arguments and variables that it is given: they are to be had by the functions below, and in
 * /proc/self/cmdline and /proc/self/environ. Its standard input is its own in any case. */
#define NUB_CHECKPOINT_WITH_ARGUMENTS() nub_prctl_or_zero(NUB_PR_CHECKPOINT, NUB_PR_WANTS_ARGUMENTS)

/* How often the program and what it is a copy of were thawed; 0 outside nubrun. For memory that is to be new in each copy there is
 * MADV_WIPEONFORK, which costs no call. */
#define NUB_GENERATION() nub_prctl_or_zero(NUB_PR_GENERATION, 0)

/* The arguments, the program's name first, each with its NUL, into buffer[0..size): how many bytes. With size 0, how many it would
 * take. -1 and errno: ERANGE, they don't fit; EFAULT; EINVAL outside nubrun, where main's are the only ones. */
static inline int nub_arguments(char *buffer, size_t size)
{
	return nub_prctl(NUB_PR_ARGUMENTS, (unsigned long)buffer, size);
}

/* Likewise the variables, as NAME=VALUE. */
static inline int nub_environment(char *buffer, size_t size)
{
	return nub_prctl(NUB_PR_ENVIRONMENT, (unsigned long)buffer, size);
}

/* What one of them put into the buffer, as an array that ends with NULL: argv or environ. `capacity` counts the NULL; what has no
 * room is left out. Gives the number of strings. */
static inline int nub_split(char *buffer, int bytes, char **strings, int capacity)
{
	int count = 0;

	for (int at = 0; at < bytes && count + 1 < capacity; at += (int)strlen(buffer + at) + 1)
		strings[count++] = buffer + at;
	if (capacity > 0)
		strings[count] = NULL;
	return count;
}

#endif
