/* Lists the mapped files: label, size, address, FNV-1a checksum. "write" writes to the first. */
#include "nub_guest.h"

static uint64_t checksum(const uint8_t *bytes, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

int main(int argc, char **argv)
{
	const struct nub_file_mapping *file;

	printf("files: %u\n", nub_mapped_file_count());
	for (unsigned i = 0; (file = nub_mapped_file_at(i)); i++) {
		const uint8_t *bytes = (const uint8_t *)(uintptr_t)file->gva;
		printf("%s: size %llu at 0x%llx, fnv1a %016llx\n", file->label, (unsigned long long)file->size,
		       (unsigned long long)file->gva, (unsigned long long)checksum(bytes, file->size));
	}
	fflush(stdout);
	if (argc > 1 && strcmp(argv[1], "write") == 0 && nub_mapped_file_count() > 0) {
		*(volatile uint8_t *)(uintptr_t)nub_mapped_file_at(0)->gva = 'W';
		printf("wrote\n");
	}
	return 0;
}
