/* Something to look at in a debugger: calls, variables, loops, vectors, faults; built without optimisation. */
#include "nub_guest.h"

typedef float vector __attribute__((vector_size(32)));

struct point {
	int x, y;
};

static int calls;
static volatile int watched;
static int secret = 42;

static int square(int number)
{
	int result = number * number;

	calls++;
	return result;
}

static int sum_of_squares(int last)
{
	int sum = 0;

	for (int i = 1; i <= last; i++)
		sum += square(i);
	return sum;
}

/* An int3 of the guest's own. */
static void trap(void)
{
	__asm__ volatile("int3");
}

__attribute__((target("avx"))) static float fill_vector(float start)
{
	vector v = { start, start + 1, start + 2, start + 3, start + 4, start + 5, start + 6, start + 7 };

	__asm__ volatile("vmovups %0, %%ymm7\nvector_filled: nop" : : "m"(v) : "xmm7");
	return v[7];
}

int main(int argc, char **argv)
{
	struct point point = { 3, 4 };
	int sum = sum_of_squares(5);

	watched = 1;
	watched = 2;
	printf("sum %d, calls %d, secret %d, vector %d\n", sum, calls, secret, (int)fill_vector(1));
	if (argc > 1 && strcmp(argv[1], "crash") == 0)
		*(volatile int *)(uintptr_t)16 = point.x;
	if (argc > 1 && strcmp(argv[1], "trap") == 0)
		trap();
	return point.x + point.y;
}
