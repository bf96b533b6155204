/* Prints what CPUID shows that a program in a virtual machine should not see. */
#include <stdio.h>

#include "../guests/cpuid_bits.h"

int main(void)
{
	print_shown();
	return 0;
}
