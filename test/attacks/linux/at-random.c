/* Prints the bytes of AT_RANDOM, and others that the kernel gives, once more behind the line that it is frozen at: two thaws that
 * print the same could guess each other's secrets.
 */
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

static void print(void)
{
	const unsigned char *fixed = (const unsigned char *)getauxval(AT_RANDOM);
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return;
	for (int i = 0; i < 16; i++)
		printf("%02x", fixed[i]);
	printf(" ");
	for (int i = 0; i < 16; i++)
		printf("%02x", bytes[i]);
	printf("\n");
	fflush(stdout);
}

int main(void)
{
	print();
	printf("ready\n");
	fflush(stdout);
	print();
	return 0;
}
