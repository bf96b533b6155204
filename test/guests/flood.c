/* Prints as many MiB as its argument says, in lines of 64 bytes; with a second argument in pieces of that many bytes. */
#include "nub_guest.h"

#define BLOCK 65536

int main(int argc, char **argv)
{
	static char block[BLOCK];
	unsigned long total = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
	unsigned long piece = argc > 2 ? strtoul(argv[2], NULL, 10) : BLOCK;

	if (piece == 0 || piece > BLOCK)
		return 2;
	memset(block, '.', sizeof(block));
	for (size_t i = 63; i < sizeof(block); i += 64)
		block[i] = '\n';
	for (unsigned long done = 0; done < total; done += piece)
		fwrite(block, 1, total - done < piece ? total - done : piece, stdout);
	return 0;
}
