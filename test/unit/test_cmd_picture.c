/* Where things go in a picture: parts, scales, and the height of an address. */
#include "unit.h"

#include "../../nubrun/picture/picture_layout.c"

#define RW (NUB_REGION_READ | NUB_REGION_WRITE)
#define TOP 100.0

static const struct nub_region regions[] = {
	{ .type = NUB_REGION_CODE, .flags = 5, .gpa = 0x1000, .gva = 0x400000, .size = 0x4000 },
	/* A hole in the image, and what comes after it. */
	{ .type = NUB_REGION_CODE, .flags = 0, .gpa = 0x5000, .gva = 0, .size = 0x1000 },
	{ .type = NUB_REGION_CODE, .flags = 1, .gpa = 0x6000, .gva = 0x405000, .size = 0x1000 },
	{ .type = NUB_REGION_HEAP, .flags = RW, .gpa = 0x7000, .gva = 0x600000007000, .size = 0x800000 },
	{ .type = NUB_REGION_GUARD, .flags = 0, .gpa = 0x807000, .gva = 0x600000807000, .size = 0x1000 },
	{ .type = NUB_REGION_STACK, .flags = RW, .gpa = 0x808000, .gva = 0x600000808000, .size = 0x400000 },
	{ .type = NUB_REGION_SCRATCH, .flags = RW, .gpa = 0xfffffe000, .gva = 0xffffffffffffd000, .size = 0x2000 },
};

static const struct cmd_picture picture = { .title = "test", .regions = regions, .region_count = 7 };

static struct cmd_picture_layout lay_out(const struct cmd_picture *what)
{
	struct cmd_picture_layout layout;
	assert_int_equal(cmd_picture_lay_out(&layout, what, TOP), 0);
	return layout;
}

static void test_parts(void **state)
{
	(void)state;
	static const size_t counts[] = { 1, 3, 3, 1, 1 };
	struct cmd_picture_layout layout = lay_out(&picture);
	/* Scratch, data, the image with its hole, the null guard; then what has no address: highest first. */
	assert_int_equal(layout.part_count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(layout.parts[i].count, counts[i]);
		assert_int_equal(layout.parts[i].is_gpa, i == 4);
		if (i > 0)
			assert_true(layout.parts[i].top ==
			            layout.parts[i - 1].top + layout.parts[i - 1].height + CMD_PICTURE_GAP);
	}
	assert_true(layout.parts[0].top == TOP);
	assert_true(layout.parts[1].low == 0x600000007000 && layout.parts[1].size == 0xc01000);
	const struct cmd_block *hole = &layout.blocks[layout.parts[2].first + 1];
	assert_true(hole->hole && hole->start == 0x404000 && hole->size == 0x1000);
	assert_null(layout.blocks[layout.parts[3].first].region);
	cmd_picture_layout_release(&layout);
}

static void test_scale(void **state)
{
	(void)state;
	struct cmd_picture_layout layout = lay_out(&picture);
	const struct cmd_part *part = &layout.parts[1];
	const struct cmd_block *stack = &layout.blocks[part->first], *guard = stack + 1, *heap = stack + 2;
	assert_true(guard->height == 16);
	assert_float_equal(heap->height, 2 * stack->height, 0.01);
	assert_float_equal(stack->height + guard->height + heap->height, part->height, 0.01);
	assert_float_equal(stack->top + stack->height, guard->top, 0.01);
	assert_float_equal(guard->top + guard->height, heap->top, 0.01);
	/* Texts have a line each, inside the part. */
	assert_true(guard->label - stack->label >= CMD_PICTURE_ROW - 0.01);
	assert_true(heap->label - guard->label >= CMD_PICTURE_ROW - 0.01);
	assert_true(heap->label <= part->top + part->height);
	cmd_picture_layout_release(&layout);
}

/* Many small blocks beside one that is huge: none vanishes, and none leaves the part. */
static void test_scale_of_extremes(void **state)
{
	(void)state;
	struct nub_region many[20];
	uint64_t gva = 0x600000000000;
	for (size_t i = 0; i < 20; i++) {
		many[i] = (struct nub_region){ .type = NUB_REGION_MAPPED_FILE,
			                       .flags = 1,
			                       .gpa = gva,
			                       .gva = gva,
			                       .size = i == 7 ? UINT64_C(1) << 34 : UINT64_C(4096) << i % 3 };
		gva += many[i].size;
	}
	const struct cmd_picture what = { .title = "test", .regions = many, .region_count = 20 };
	struct cmd_picture_layout layout = lay_out(&what);
	double sum = 0;
	for (size_t i = 0; i < 20; i++) {
		assert_true(layout.blocks[i].height >= 16);
		sum += layout.blocks[i].height;
	}
	assert_float_equal(sum, layout.parts[0].height, 0.01);
	cmd_picture_layout_release(&layout);
}

static void expect_in(const struct cmd_picture_layout *layout, const struct cmd_block *block, uint64_t address,
                      bool is_gpa, double share_from_below)
{
	assert_float_equal(cmd_picture_y(layout, address, is_gpa), block->top + (1 - share_from_below) * block->height,
	                   0.05);
}

static void test_addresses(void **state)
{
	(void)state;
	struct cmd_picture_layout layout = lay_out(&picture);
	const struct cmd_part *parts = layout.parts;
	const struct cmd_block *heap = &layout.blocks[parts[1].first + 2], *null = &layout.blocks[parts[3].first];
	const struct cmd_block *hole = &layout.blocks[parts[2].first + 1], *unused = &layout.blocks[parts[4].first];
	expect_in(&layout, heap, 0x600000007000, false, 0);
	expect_in(&layout, heap, 0x600000407000, false, 0.5);
	expect_in(&layout, heap, 0x407000, true, 0.5);
	expect_in(&layout, null, 0, false, 0);
	expect_in(&layout, null, 0x800, false, 0.5);
	expect_in(&layout, unused, 0x5800, true, 0.5);
	expect_in(&layout, hole, 0x404800, false, 0.5);
	/* In the void: between the parts, above all, and where no memory is. */
	assert_true(cmd_picture_y(&layout, 0x500000000000, false) == parts[2].top - CMD_PICTURE_GAP / 2);
	assert_true(cmd_picture_y(&layout, 0x3fffff, false) == parts[3].top - CMD_PICTURE_GAP / 2);
	assert_true(cmd_picture_y(&layout, UINT64_MAX, false) == parts[0].top - CMD_PICTURE_GAP / 2);
	assert_true(cmd_picture_y(&layout, UINT64_MAX - 1, true) == parts[4].top - CMD_PICTURE_GAP / 2);
	/* The null guard is at the bottom of either space. */
	expect_in(&layout, null, 0x800, true, 0.5);
	cmd_picture_layout_release(&layout);
}

static void test_pages(void **state)
{
	(void)state;
	/* Where a page is in the picture is what the guest sees, wherever it is in its memory. */
	static const struct nub_page_use pages[] = {
		{ .gpa = 0x1000, .gva = 0x400000 },
		{ .gpa = 0xfffff1000, .gva = 0x600000807000, .changed = true },
		{ .gpa = 0x2000, .gva = 0x401000, .changed = true },
		{ .gpa = 0x5000 },
		{ .gpa = 0x808000, .gva = 0x600000c07000 },
		{ .gpa = 0x400000000, .gva = 0x10000000 },
		{ .gpa = 0xfffffe000, .gva = 0xffffffffffffe000 },
	};
	struct cmd_picture what = picture;
	what.pages = pages;
	what.page_count = 7;
	struct cmd_picture_layout layout = lay_out(&what);
	const struct cmd_block *blocks = layout.blocks;
	static const unsigned touched[] = { 1, 1, 1, 0, 0, 0, 2, 0, 1 };
	static const unsigned changed[] = { 0, 0, 1, 0, 0, 0, 1, 0, 0 };
	for (size_t i = 0; i < 9; i++) {
		assert_int_equal(blocks[i].touched, touched[i]);
		assert_int_equal(blocks[i].changed, changed[i]);
	}
	cmd_picture_layout_release(&layout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_scale_of_extremes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_pages),
	};
	return cmocka_run_group_tests_name("picture", tests, NULL, NULL);
}
