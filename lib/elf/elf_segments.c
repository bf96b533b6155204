/* The loadable segments of a guest: checked, sorted, placed, and turned into pages with permissions (R11, R16). */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "elf/elf_image.h"
#include "elf/elf_parts.h"

/* One past the last page of a load. Its end was checked not to wrap. */
static uint64_t load_end(const struct nub_elf_load *load)
{
	return nub_page_down(load->vaddr + load->memsz + NUB_PAGE_SIZE - 1);
}

static unsigned region_flags(uint32_t p_flags)
{
	return NUB_REGION_READ | (p_flags & PF_W ? NUB_REGION_WRITE : 0) | (p_flags & PF_X ? NUB_REGION_EXECUTE : 0);
}

static int check_segment(const struct nub_elf_file *file, const GElf_Phdr *segment, struct nub_error *err)
{
	uint64_t end;
	if (segment->p_filesz > segment->p_memsz)
		return nub_fail(err, NUB_E_ELF_SEGMENT, 0,
		                "%s: has a segment at %#" PRIx64 " with %" PRIu64 " bytes in the file but %" PRIu64
		                " in memory",
		                file->name, segment->p_vaddr, segment->p_filesz, segment->p_memsz);
	if ((segment->p_align & (segment->p_align - 1)) != 0)
		return nub_fail(err, NUB_E_ELF_SEGMENT, 0,
		                "%s: has a segment at %#" PRIx64 " with an alignment of %" PRIu64
		                ", which is not a power of 2",
		                file->name, segment->p_vaddr, segment->p_align);
	if (__builtin_add_overflow(segment->p_vaddr, segment->p_memsz, &end) || !nub_page_up(end, &end))
		return nub_fail(err, NUB_E_ELF_SEGMENT, 0,
		                "%s: has a segment of %" PRIu64 " bytes at %#" PRIx64
		                " that wraps around the address space",
		                file->name, segment->p_memsz, segment->p_vaddr);
	if (end > NUB_USER_GVA_END)
		return nub_fail(err, NUB_E_ELF_ADDRESS, 0,
		                "%s: has a segment that ends at %#" PRIx64 ", guests end below %#llx", file->name, end,
		                NUB_USER_GVA_END);
	return nub_elf_in_file(file, "a segment", segment->p_offset, segment->p_filesz, err);
}

static int collect_loads(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err)
{
	image->loads = calloc(file->header.e_phnum, sizeof(*image->loads));
	if (!image->loads)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: no memory for %u segments", file->name,
		                file->header.e_phnum);
	for (size_t i = 0; i < file->header.e_phnum; i++) {
		GElf_Phdr segment;
		if (nub_elf_program_header(file, i, &segment, err) < 0)
			return -1;
		if (segment.p_type != PT_LOAD)
			continue;
		if (check_segment(file, &segment, err) < 0)
			return -1;
		if (segment.p_memsz == 0)
			continue;
		image->loads[image->load_count++] = (struct nub_elf_load){
			.vaddr = segment.p_vaddr,
			.memsz = segment.p_memsz,
			.offset = segment.p_offset,
			.filesz = segment.p_filesz,
			.flags = region_flags(segment.p_flags),
		};
	}
	if (image->load_count == 0)
		return nub_fail(err, NUB_E_ELF_NO_LOAD, 0,
		                "%s: has %u program headers but nothing to load (no PT_LOAD with a size)", file->name,
		                file->header.e_phnum);
	return 0;
}

static int compare_loads(const void *a, const void *b)
{
	uint64_t left = ((const struct nub_elf_load *)a)->vaddr, right = ((const struct nub_elf_load *)b)->vaddr;
	return (left > right) - (left < right);
}

static int check_overlap(const struct nub_image *image, struct nub_error *err)
{
	for (size_t i = 1; i < image->load_count; i++) {
		const struct nub_elf_load *low = &image->loads[i - 1], *high = &image->loads[i];
		if (load_end(low) <= nub_page_down(high->vaddr))
			continue;
		nub_fail(err, NUB_E_ELF_OVERLAP, 0,
		         "%s: has segments that share a page: one ends at %#" PRIx64 ", the next starts at %#" PRIx64,
		         image->name, low->vaddr + low->memsz, high->vaddr);
		return nub_hint(err, "link it with the guest runtime's nub.ld, which puts each on pages of its own");
	}
	return 0;
}

/* Where the image goes, and whether it may be there. */
static int place(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err)
{
	struct nub_image_info *info = &image->info;
	uint64_t low = nub_page_down(image->loads[0].vaddr);
	uint64_t size = load_end(&image->loads[image->load_count - 1]) - low;
	if (size > NUB_MAX_MEMORY_SIZE)
		return nub_fail(err, NUB_E_ELF_SIZE, 0,
		                "%s: needs %" PRIu64 " bytes from its first segment to its last, the limit is %llu",
		                image->name, size, NUB_MAX_MEMORY_SIZE);
	info->relocatable = file->header.e_type == ET_DYN;
	info->image_base = info->relocatable ? NUB_IMAGE_BASE_DYN : low;
	info->image_size = size;
	info->entry = file->header.e_entry + info->image_base - low;
	image->bias = info->image_base - low;
	if (info->image_base < NUB_BASE_ADDRESS) {
		nub_fail(err, NUB_E_ELF_ADDRESS, 0,
		         "%s: starts at address %#" PRIx64 ", the first page (up to %#llx) is the null guard",
		         image->name, info->image_base, NUB_BASE_ADDRESS);
		return nub_hint(err, "link it at a higher address (-Wl,-Ttext-segment=0x400000), or with -static-pie");
	}
	uint64_t window_size = NUB_BASE_ADDRESS + NUB_MAX_MEMORY_SIZE;
	if (nub_ranges_overlap(info->image_base, size, NUB_DATA_GVA_BASE, window_size)) {
		nub_fail(err, NUB_E_ELF_ADDRESS, 0,
		         "%s: lies at %#" PRIx64 " to %#" PRIx64 ", heap and stack are at %#llx to %#llx", image->name,
		         info->image_base, info->image_base + size, NUB_DATA_GVA_BASE, NUB_DATA_GVA_BASE + window_size);
		return nub_hint(err, "link it at another address, or with -static-pie");
	}
	return 0;
}

static int check_entry(const struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err)
{
	const struct nub_elf_load *load = nub_elf_find_memory(image, file->header.e_entry, 1);
	if (load && (load->flags & NUB_REGION_EXECUTE))
		return 0;
	if (load)
		return nub_fail(err, NUB_E_ELF_ENTRY, 0,
		                "%s: has its entry at %#" PRIx64 ", in a segment that is not executable (%s)",
		                image->name, file->header.e_entry, nub_region_flags_name(load->flags));
	return nub_fail(err, NUB_E_ELF_ENTRY, 0,
	                "%s: has its entry at %#" PRIx64 ", outside every segment (%#" PRIx64 " to %#" PRIx64 ")",
	                image->name, file->header.e_entry, image->loads[0].vaddr,
	                load_end(&image->loads[image->load_count - 1]));
}

/* The whole pages of PT_GNU_RELRO: written by relocation only. A page that it shares with data stays writable, unless
 * nothing of the segment lies in it before the range. lld's range reaches to the end of the segment's last page. Empty
 * when there is none. */
static int find_relro(const struct nub_image *image, const struct nub_elf_file *file, uint64_t *start, uint64_t *end,
                      struct nub_error *err)
{
	*start = *end = 0;
	for (size_t i = 0; i < file->header.e_phnum; i++) {
		GElf_Phdr relro;
		if (nub_elf_program_header(file, i, &relro, err) < 0)
			return -1;
		if (relro.p_type != PT_GNU_RELRO)
			continue;
		const struct nub_elf_load *load = nub_elf_find_memory(image, relro.p_vaddr, 1);
		if (!load || relro.p_memsz > load_end(load) - relro.p_vaddr)
			return 0;
		*end = nub_page_down(relro.p_vaddr + relro.p_memsz);
		*start = nub_page_down(relro.p_vaddr);
		if (relro.p_vaddr != load->vaddr && *start != relro.p_vaddr)
			*start += NUB_PAGE_SIZE;
		return 0;
	}
	return 0;
}

static void add_pages(struct nub_image *image, uint64_t start, uint64_t end, unsigned flags)
{
	if (start >= end)
		return;
	image->segments[image->info.segment_count++] = (struct nub_image_segment){
		.gva = start + image->bias,
		.size = end - start,
		.flags = flags,
	};
}

static int make_segments(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err)
{
	uint64_t relro_start, relro_end;
	if (find_relro(image, file, &relro_start, &relro_end, err) < 0)
		return -1;
	image->segments = calloc(image->load_count + 2, sizeof(*image->segments)); /* relro splits one into three */
	if (!image->segments)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: no memory for %zu segments", file->name,
		                image->load_count);
	for (size_t i = 0; i < image->load_count; i++) {
		const struct nub_elf_load *load = &image->loads[i];
		uint64_t start = nub_page_down(load->vaddr), end = load_end(load);
		if (relro_start < relro_end && start <= relro_start && relro_end <= end) {
			add_pages(image, start, relro_start, load->flags);
			add_pages(image, relro_start, relro_end, load->flags & ~(unsigned)NUB_REGION_WRITE);
			add_pages(image, relro_end, end, load->flags);
		} else {
			add_pages(image, start, end, load->flags);
		}
	}
	image->info.segments = image->segments;
	return 0;
}

int nub_elf_read_segments(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err)
{
	if (collect_loads(image, file, err) < 0)
		return -1;
	qsort(image->loads, image->load_count, sizeof(*image->loads), compare_loads);
	if (check_overlap(image, err) < 0 || place(image, file, err) < 0 || check_entry(image, file, err) < 0)
		return -1;
	return make_segments(image, file, err);
}

const struct nub_elf_load *nub_elf_find_memory(const struct nub_image *image, uint64_t vaddr, uint64_t size)
{
	for (size_t i = 0; i < image->load_count; i++) {
		const struct nub_elf_load *load = &image->loads[i];
		if (vaddr >= load->vaddr && nub_range_in(vaddr - load->vaddr, size, load->memsz))
			return load;
	}
	return NULL;
}

const struct nub_elf_load *nub_elf_find_bytes(const struct nub_image *image, uint64_t vaddr, uint64_t size)
{
	for (size_t i = 0; i < image->load_count; i++) {
		const struct nub_elf_load *load = &image->loads[i];
		if (vaddr >= load->vaddr && nub_range_in(vaddr - load->vaddr, size, load->filesz))
			return load;
	}
	return NULL;
}

int nub_image_check_wx(const struct nub_image *image, struct nub_error *err)
{
	const unsigned both = NUB_REGION_WRITE | NUB_REGION_EXECUTE;
	for (size_t i = 0; i < image->load_count; i++) {
		const struct nub_elf_load *load = &image->loads[i];
		if ((load->flags & both) != both)
			continue;
		nub_fail(err, NUB_E_ELF_WX, 0,
		         "%s: has a segment at %#" PRIx64 " (%" PRIu64 " bytes) that is writable and executable",
		         image->name, load->vaddr + image->bias, load->memsz);
		return nub_parameter(err, "allow_wx", 1);
	}
	return 0;
}
