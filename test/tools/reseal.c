/* Seal a snapshot file again whose header or metadata a test has changed, so that what is behind the seals is looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/format/snapfile.h"

/* Offsets in the header: nub-snapshot(5). */
enum { METADATA_OFFSET = 32, METADATA_SIZE = 40, FILE_SIZE = 48 };

static uint64_t field(const uint8_t *header, size_t offset)
{
	uint64_t value;

	memcpy(&value, header + offset, sizeof(value));
	return value;
}

static int reseal(FILE *file)
{
	uint8_t header[NUB_SNAPSHOT_HEADER_SIZE];

	if (fread(header, sizeof(header), 1, file) != 1)
		return -1;
	const uint64_t offset = field(header, METADATA_OFFSET), size = field(header, METADATA_SIZE);
	if (size == 0 || size > NUB_SNAPSHOT_MAX_METADATA || fseeko(file, (off_t)offset, SEEK_SET) < 0)
		return -1;
	uint8_t *metadata = malloc(size);
	int result = metadata && fread(metadata, size, 1, file) == 1 && fseeko(file, 0, SEEK_SET) == 0 ? 0 : -1;
	if (result == 0) {
		nub_snapshot_encode_header(metadata, size, offset, field(header, FILE_SIZE), header);
		result = fwrite(header, sizeof(header), 1, file) == 1 ? 0 : -1;
	}
	free(metadata);
	return result;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "r+b") : NULL;

	if (!file) {
		fputs("usage: reseal SNAPSHOT\n", stderr);
		return 2;
	}
	int failed = reseal(file);
	failed |= fclose(file);
	if (failed != 0)
		fprintf(stderr, "reseal: %s: could not be read and written as a snapshot\n", argv[1]);
	return failed != 0;
}
