/* Damage to a file where it has structure: ELF files, snapshots, and any other where most of its numbers are. */
#ifndef MUTATE_H
#define MUTATE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "nub/snapshot.h"
#include "snapshot/format/snapfile.h"

struct file {
	uint8_t *bytes;
	size_t size;
	bool is_linux; /* a Linux program, or a snapshot of one */
	bool is_elf, is_snapshot;
};

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* limit is not 0. */
static uint64_t below(uint64_t *random, uint64_t limit)
{
	return next_random(random) % limit;
}

/* Another value for a number of so many bytes. */
static void change(uint8_t *at, size_t width, uint64_t *random)
{
	uint64_t value = 0;

	memcpy(&value, at, width);
	switch (below(random, 6)) {
	case 0:
		value = (UINT64_C(1) << below(random, 64)) + below(random, 3) - 1;
		break;
	case 1:
		value = -below(random, 0x2001);
		break;
	case 2:
		value = below(random, 64);
		break;
	case 3:
		value += below(random, 33) - 16;
		break;
	case 4:
		value += (below(random, 5) - 2) * NUB_PAGE_SIZE;
		break;
	default:
		value ^= UINT64_C(1) << below(random, 8 * width);
		break;
	}
	memcpy(at, &value, width);
}

/* One number of [start, start + size), on a boundary of its size. */
static void change_in(struct file *file, uint64_t start, uint64_t size, uint64_t *random)
{
	const size_t width = (size_t)1 << below(random, 4);

	if (start < file->size && size <= file->size - start && size >= width)
		change(file->bytes + start + below(random, size / width) * width, width, random);
}

/* The header, an entry of one of its tables, or what a section or a segment has in the file. */
static void mutate_elf(struct file *file, uint64_t *random)
{
	Elf64_Ehdr header;
	Elf64_Shdr section;

	if (file->size < sizeof(header))
		return;
	memcpy(&header, file->bytes, sizeof(header));
	const uint64_t kind = below(random, 8);
	if (kind == 0) {
		change_in(file, EI_NIDENT, sizeof(header) - EI_NIDENT, random);
	} else if (kind < 4) {
		change_in(file, header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr), random);
	} else if (kind == 4) {
		change_in(file, header.e_shoff, (uint64_t)header.e_shnum * sizeof(section), random);
	} else if (header.e_shnum > 0) {
		const uint64_t at = header.e_shoff + below(random, header.e_shnum) * sizeof(section);
		if (at < file->size && sizeof(section) <= file->size - at) {
			memcpy(&section, file->bytes + at, sizeof(section));
			change_in(file, section.sh_offset, section.sh_size, random);
		}
	}
}

/* The hash of the metadata covers its regions: without this, a change there would be all that is seen. */
static void mend_hash(struct file *file, const struct nub_snapshot_header *header)
{
	uint8_t *metadata = file->bytes + header->metadata_offset, sealed[NUB_SNAPSHOT_HEADER_SIZE];
	struct nub_snapshot_header resealed;
	struct nub_snapshot_meta meta;
	struct nub_error err = { 0 };

	nub_snapshot_encode_header(metadata, header->metadata_size, header->metadata_offset, header->file_size, sealed);
	if (nub_snapshot_decode_header(sealed, sizeof(sealed), &resealed, NULL) == 0 &&
	    nub_snapshot_decode_meta(&resealed, metadata, header->metadata_size, &meta, &err) < 0 &&
	    strncmp(err.message, "hash begins", 11) == 0) {
		const struct nub_hash hash = nub_snapshot_hash(&meta);
		memcpy(metadata + 16 + 8, hash.bytes, sizeof(hash.bytes));
	}
	nub_snapshot_meta_release(&meta);
}

/* Its metadata, its memory, in which the page tables come last, or what the header says; sealed again but for the latter. */
static void mutate_snapshot(struct file *file, uint64_t *random)
{
	struct nub_snapshot_header header;
	const uint64_t kind = below(random, 16);

	if (nub_snapshot_decode_header(file->bytes, file->size, &header, NULL) < 0)
		return;
	const uint64_t end = header.metadata_offset;
	const uint64_t tables =
	    end - NUB_BASE_ADDRESS < 10 * NUB_PAGE_SIZE ? NUB_BASE_ADDRESS : end - 10 * NUB_PAGE_SIZE;
	if (kind == 0) {
		change_in(file, 0, NUB_SNAPSHOT_HEADER_SIZE, random);
		return;
	}
	if (kind < 4)
		change_in(file, NUB_BASE_ADDRESS, end - NUB_BASE_ADDRESS, random);
	else if (kind < 8)
		change_in(file, tables, end - tables, random);
	else
		change_in(file, end, header.metadata_size & ~UINT64_C(7), random);
	if (end + header.metadata_size > file->size)
		return;
	mend_hash(file, &header);
	nub_snapshot_encode_header(file->bytes + end, header.metadata_size, end, header.file_size, file->bytes);
}

/* In its first pages, or anywhere. */
static void mutate_any(struct file *file, uint64_t *random)
{
	const uint64_t beginning = 4 * NUB_PAGE_SIZE;

	change_in(file, 0, below(random, 2) && file->size > beginning ? beginning : file->size, random);
}

/* Up to three changes, one time in sixteen cut short as well. */
static void mutate(struct file *file, uint64_t *random)
{
	struct nub_snapshot_header header;
	const bool is_known =
	    file->is_snapshot && nub_snapshot_decode_header(file->bytes, file->size, &header, NULL) == 0;

	for (uint64_t i = below(random, 3) + 1; i > 0; i--)
		if (file->is_elf)
			mutate_elf(file, random);
		else if (is_known)
			mutate_snapshot(file, random);
		else
			mutate_any(file, random);
	if (below(random, 16) == 0)
		file->size = below(random, file->size) + 1;
}

#endif
