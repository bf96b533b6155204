/* Shows the init data: size, FNV-1a checksum, first bytes. "write" writes to it, "exec" jumps into it. */
#include "nub_guest.h"

static uint64_t checksum(const uint8_t *bytes, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

static void print_start(const uint8_t *bytes, size_t size)
{
	printf("starts:");
	for (size_t i = 0; i < size && i < 16; i++)
		printf(" %02x", bytes[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	size_t size;
	uint8_t *data = (uint8_t *)nub_init_data(&size);

	printf("size: %zu\nfnv1a: %016llx\n", size, (unsigned long long)checksum(data, size));
	print_start(data, size);
	fflush(stdout);
	if (argc > 1 && data && strcmp(argv[1], "write") == 0) {
		*(volatile uint8_t *)data = 'W';
		printf("wrote: ");
		print_start(data, size);
	} else if (argc > 1 && data && strcmp(argv[1], "exec") == 0) {
		((void (*)(void))(uintptr_t)data)();
		printf("executed\n");
	}
	return 0;
}
