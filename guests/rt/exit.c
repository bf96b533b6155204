/* The end of a program: atexit functions and destructors, the last flush, the halt. */
#include "rt.h"

struct exit_function {
	struct exit_function *next;
	void (*function)(void *argument);
	void (*plain)(void); /* instead, from atexit */
	void *argument;
};
static struct exit_function *exit_functions;

int __cxa_atexit(void (*function)(void *argument), void *argument, void *object);
void *__dso_handle;

/* Set by the linker script. */
typedef void rt_destructor(void);
extern rt_destructor *const rt_fini_array_start[], *const rt_fini_array_end[];

static int add(void (*function)(void *), void (*plain)(void), void *argument)
{
	struct exit_function *made = (struct exit_function *)malloc(sizeof(*made));

	if (!made)
		return -1;
	*made = (struct exit_function){ exit_functions, function, plain, argument };
	exit_functions = made;
	return 0;
}

int atexit(void (*function)(void))
{
	return add(NULL, function, NULL);
}

/* The compiler registers destructors of C++ statics here. */
int __cxa_atexit(void (*function)(void *argument), void *argument, void *object)
{
	(void)object;
	return add(function, NULL, argument);
}

/* Each is taken off the list before it runs: it may call exit, or register another. */
static void run_exit_functions(void)
{
	while (exit_functions) {
		struct exit_function *last = exit_functions;
		exit_functions = last->next;
		if (last->plain)
			last->plain();
		else
			last->function(last->argument);
	}
	static rt_destructor *const *end;
	if (!end)
		end = rt_fini_array_end;
	while (end > rt_fini_array_start)
		(*--end)();
}

void exit(int code)
{
	run_exit_functions();
	fflush(NULL);
	_Exit(code);
}

void _Exit(int code)
{
	rt_halt(NUB_HALT_EXIT, (uint32_t)code);
}
