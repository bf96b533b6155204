/* Memory of a snapshot or a core on stdout. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/fail.h"
#include "look/dump.h"
#include "report/print.h"

enum { PART = 1 << 16, ROW = 16 };

typedef void (*part_visitor)(uint64_t gva, const uint8_t *bytes, size_t size);

/* Read all of it, part by part. */
static int for_each_part(struct nub_dump *dump, uint64_t gva, uint64_t size, part_visitor visit, struct nub_error *err)
{
	NUB_AUTO_FREE uint8_t *part = malloc(PART);

	if (!part)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "out of memory for what is read");
	for (uint64_t at = 0; at < size; at += PART) {
		const size_t count = size - at < PART ? (size_t)(size - at) : PART;
		if (nub_dump_read(dump, gva + at, part, count, err) < 0)
			return -1;
		if (visit)
			visit(gva + at, part, count);
	}
	return 0;
}

static void put_raw(uint64_t gva, const uint8_t *bytes, size_t size)
{
	(void)gva;
	fwrite(bytes, 1, size, stdout);
}

/* As hexdump -C: address, bytes, characters. */
static void put_rows(uint64_t gva, const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at < size; at += ROW) {
		const size_t count = size - at < ROW ? size - at : ROW;
		char text[ROW + 1] = "";
		printf("%016" PRIx64 " ", gva + at);
		for (size_t i = 0; i < ROW; i++) {
			printf("%s", i % 8 == 0 ? " " : "");
			if (i < count)
				printf("%02x ", bytes[at + i]);
			else
				printf("   ");
		}
		for (size_t i = 0; i < count; i++)
			text[i] = bytes[at + i] >= 0x20 && bytes[at + i] < 0x7f ? (char)bytes[at + i] : '.';
		printf(" |%s|\n", text);
	}
}

int cmd_dump_print_memory(struct nub_dump *dump, uint64_t gva, uint64_t size, bool raw, struct nub_error *err)
{
	/* Parts would hide that their sum wraps. */
	if (gva + (size - 1) < gva)
		return nub_fail(err, NUB_E_PAGE_ARGUMENT, 0,
		                "gva 0x%" PRIx64 ", %" PRIu64 " bytes: not in the canonical address space", gva, size);
	if (for_each_part(dump, gva, size, NULL, err) < 0 ||
	    for_each_part(dump, gva, size, raw ? put_raw : put_rows, err) < 0)
		return -1;
	return cmd_print_end(err);
}
