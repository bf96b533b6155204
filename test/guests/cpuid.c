/* Prints what CPUID shows that a guest should not see. */
#include "nub_guest.h"

#include "cpuid_bits.h"

int main(void)
{
	print_shown();
	return 0;
}
