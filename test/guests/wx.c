/* Has a segment that is writable and executable, and uses it: refused without --allow-wx (R11). */
#include "nub_guest.h"

__asm__(".pushsection .wx, \"awx\", @progbits\n\t"
        ".balign 4096\n"
        "code:\n\t"
        "movl $42, %eax\n\t" /* its operand starts at byte 1 */
        "ret\n\t"
        ".balign 4096\n\t"
        ".popsection");
extern volatile uint8_t code[];

int main(void)
{
	code[1] = 41;
	printf("%d\n", ((int (*)(void))(uintptr_t)code)());
	return 0;
}
