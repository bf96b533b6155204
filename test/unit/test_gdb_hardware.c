/* Debug registers: which slots are taken, what they encode to, what DR6 says (SDM vol. 3B, 17.2). */
#include "unit.h"

#include "gdb/gdb_points.h"

static void slots_are_taken_and_freed(void **state)
{
	struct nub_gdb_hardware hardware = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		/* What is there already needs no other. */
		assert_true(nub_gdb_hardware_add(&hardware, NUB_GDB_WRITE, 0x1000 + 8 * i, 8));
		assert_true(nub_gdb_hardware_add(&hardware, NUB_GDB_WRITE, 0x1000 + 8 * i, 8));
	}
	assert_false(nub_gdb_hardware_add(&hardware, NUB_GDB_WRITE, 0x2000, 8));
	/* Only the very same is removed. */
	nub_gdb_hardware_remove(&hardware, NUB_GDB_ACCESS, 0x1008, 8);
	nub_gdb_hardware_remove(&hardware, NUB_GDB_WRITE, 0x1008, 4);
	nub_gdb_hardware_remove(&hardware, NUB_GDB_WRITE, 0, 0);
	assert_false(nub_gdb_hardware_add(&hardware, NUB_GDB_WRITE, 0x2000, 8));
	nub_gdb_hardware_remove(&hardware, NUB_GDB_WRITE, 0x1008, 8);
	assert_true(nub_gdb_hardware_add(&hardware, NUB_GDB_EXECUTE, 0x2001, 1));
	assert_int_equal(hardware.slots[1].gva, 0x2001);
}

static void sizes_are_those_of_the_cpu(void **state)
{
	struct nub_gdb_hardware hardware = { 0 };

	(void)state;
	for (uint64_t size = 0; size < 20; size++) {
		const bool data = size == 1 || size == 2 || size == 4 || size == 8;
		assert_int_equal(nub_gdb_hardware_add(&hardware, NUB_GDB_WRITE, 0x1000, size), data);
		nub_gdb_hardware_remove(&hardware, NUB_GDB_WRITE, 0x1000, size);
		assert_int_equal(nub_gdb_hardware_add(&hardware, NUB_GDB_EXECUTE, 0x1000, size), size == 1);
		nub_gdb_hardware_remove(&hardware, NUB_GDB_EXECUTE, 0x1000, size);
	}
	assert_false(nub_gdb_hardware_add(&hardware, NUB_GDB_WRITE, 0x1000, UINT64_C(0x100000001)));
	assert_false(nub_gdb_hardware_add(&hardware, NUB_GDB_WRITE, 0x1001, 2));
	assert_false(nub_gdb_hardware_add(&hardware, NUB_GDB_ACCESS, 0x1002, 4));
	assert_false(nub_gdb_hardware_add(&hardware, NUB_GDB_ACCESS, 0x1004, 8));
	assert_true(nub_gdb_hardware_add(&hardware, NUB_GDB_ACCESS, 0x1003, 1));
}

/* Each row: what is set, and its DR7 worked out by hand: bits 2n+1 (G), 16+4n (R/W), 18+4n (LEN), 9 and 10. */
static void registers_are_encoded(void **state)
{
	static const struct {
		enum nub_gdb_hardware_kind kind;
		uint64_t gva, size, dr7;
	} rows[] = {
		{ NUB_GDB_EXECUTE, 0x400123, 1, 0x00000602 },
		{ NUB_GDB_WRITE, 0x500140000008, 8, 0x0090060a },
		{ NUB_GDB_ACCESS, 0xffff800000000004, 4, 0x0f90062a },
		{ NUB_GDB_WRITE, 0x2002, 2, 0x5f9006aa },
	};
	struct nub_gdb_hardware hardware = { 0 };
	uint64_t registers[NUB_GDB_DEBUG_REGISTERS];

	(void)state;
	assert_false(nub_gdb_hardware_encode(&hardware, registers));
	for (unsigned i = 0; i < 4; i++) {
		assert_true(nub_gdb_hardware_add(&hardware, rows[i].kind, rows[i].gva, rows[i].size));
		assert_true(nub_gdb_hardware_encode(&hardware, registers));
		assert_true(registers[7] == rows[i].dr7);
		for (unsigned j = 0; j < 4; j++)
			assert_true(registers[j] == (j <= i ? rows[j].gva : 0));
		assert_true(registers[4] == 0 && registers[5] == 0 && registers[6] == 0);
	}
	nub_gdb_hardware_remove(&hardware, NUB_GDB_EXECUTE, 0x400123, 1);
	assert_true(nub_gdb_hardware_encode(&hardware, registers));
	assert_true(registers[7] == 0x5f9006a8 && registers[0] == 0);
}

static void a_hit_is_found(void **state)
{
	struct nub_gdb_hardware hardware = { 0 };

	(void)state;
	assert_null(nub_gdb_hardware_hit(&hardware, 0xffff0fff));
	assert_true(nub_gdb_hardware_add(&hardware, NUB_GDB_EXECUTE, 0x1000, 1));
	assert_true(nub_gdb_hardware_add(&hardware, NUB_GDB_WRITE, 0x2000, 4));
	assert_true(nub_gdb_hardware_add(&hardware, NUB_GDB_ACCESS, 0x3000, 4));
	nub_gdb_hardware_remove(&hardware, NUB_GDB_EXECUTE, 0x1000, 1);
	assert_ptr_equal(nub_gdb_hardware_hit(&hardware, 0xffff0ff4), &hardware.slots[2]);
	assert_ptr_equal(nub_gdb_hardware_hit(&hardware, 0xffff4ff7), &hardware.slots[1]);
	assert_null(nub_gdb_hardware_hit(&hardware, 0xffff4ff1)); /* a step, and a slot that is off */
	assert_null(nub_gdb_hardware_hit(&hardware, 0xffff0ff8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_taken_and_freed),
		cmocka_unit_test(sizes_are_those_of_the_cpu),
		cmocka_unit_test(registers_are_encoded),
		cmocka_unit_test(a_hit_is_found),
	};

	return cmocka_run_group_tests_name("gdb_hardware", tests, NULL, NULL);
}
