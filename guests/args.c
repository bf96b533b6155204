/* Prints its arguments; the exit code says how many there are after the first. */
#include "nub_guest.h"

int main(int argc, char **argv)
{
	printf("argc = %d\n", argc);
	for (int i = 0; i < argc; i++)
		printf("argv[%d] = \"%s\"\n", i, argv[i]);
	return !argv[argc] ? argc - 1 : 255;
}
