/* R23, R27 to R31: what a guest finds after a restore and a reset: memory, registers, randomness; and what states a
 * sandbox can be put back from. Real KVM, both policies.
 */
#include "pages_guest.h"

#include <sys/resource.h>

#include "kvm_inside.h"
#include "snapshot/file/snapshot.h"

#define MIB (UINT64_C(1) << 20)

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

/* ---- Registers (R31) ---- */

/* All registers that a program has, at a checkpoint: in another sandbox, in this one, and twice. */
static void registers_survive(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot, *other = pages_snapshot(policies[i], MIB, 8, 1);
		struct guest guest;

		guest_open_stopping(&guest, "registers.elf", policies[i]);
		guest_main(&guest, NULL, NUB_OUTCOME_CHECKPOINT);
		snapshot = guest_snapshot(&guest);
		assert_string_equal(nub_snapshot_info(snapshot)->next, "resume");
		/* Taking it changes nothing. */
		guest_resume(&guest, NUB_OUTCOME_EXITED);
		assert_int_equal(guest.outcome.exit_code, 0);
		assert_string_equal(guest.text, "goes on\n");
		guest_reset(&guest, snapshot);
		guest_resume(&guest, NUB_OUTCOME_EXITED);
		assert_int_equal(guest.outcome.exit_code, 0);
		assert_string_equal(guest.text, "restored\n");
		guest_close(&guest);

		guest_restore(&guest, snapshot);
		for (unsigned round = 0; round < 3; round++) {
			/* An abort message that was begun in another life (R34). */
			native_of(guest.sandbox)->abort_size = 4;
			guest_resume(&guest, NUB_OUTCOME_EXITED);
			assert_int_equal(guest.outcome.exit_code, 0);
			assert_string_equal(guest.text, "restored\n");
			assert_int_equal(native_of(guest.sandbox)->abort_size, 0);
			guest_reset(&guest, other);
			assert_int_equal(pages_damaged(&guest, 1), 0);
			guest_reset(&guest, snapshot);
		}
		guest_close(&guest);
		nub_snapshot_free(snapshot);
		nub_snapshot_free(other);
	}
}

/* A file may say that a guest at CPL 3 takes interrupts: no such guest can have come to that, and there are none. */
static void interrupts_stay_off(void **state)
{
	enum { INTERRUPTS = 1 << 9 };
	struct nub_snapshot *snapshot;
	struct guest guest;

	(void)state;
	guest_open_stopping(&guest, "checkpoint.elf", NUB_COW_HOST);
	guest_main(&guest, NULL, NUB_OUTCOME_CHECKPOINT);
	struct nub_registers regs = guest.sandbox->machine.engine->regs;
	assert_int_equal(regs.rflags & INTERRUPTS, 0);
	regs.rflags |= INTERRUPTS;
	assert_int_equal(nub_engine_set_regs(guest.sandbox->machine.engine, &regs, &guest.err), 0);
	snapshot = guest_snapshot(&guest);
	assert_true(snapshot->meta.cpu.regs.rflags & INTERRUPTS);
	guest_close(&guest);

	guest_restore(&guest, snapshot);
	guest_resume(&guest, NUB_OUTCOME_EXITED);
	assert_int_equal(guest.sandbox->machine.engine->regs.rflags & INTERRUPTS, 0);
	guest_close(&guest);
	nub_snapshot_free(snapshot);
}

/* Who has not run yet begins with the x87 and vector state of a new vCPU, whoever was there before. */
static void a_fresh_guest_has_fresh_vectors(void **state)
{
	uint8_t fresh[NUB_XSAVE_SIZE], found[NUB_XSAVE_SIZE];
	struct nub_snapshot *snapshot;
	struct guest guest;

	(void)state;
	guest_open(&guest, "registers.elf");
	assert_int_equal(nub_vcpu_get_xsave(&kvm_of(guest.sandbox)->vm, fresh, NUB_XSAVE_SIZE, &guest.err), 0);
	assert_int_equal(fresh[0] | fresh[1] << 8, 0x37f);
	assert_int_equal(fresh[24] | fresh[25] << 8, 0x1f80);
	snapshot = guest_snapshot(&guest);
	guest_main(&guest, NULL, NUB_OUTCOME_EXITED);
	assert_int_equal(nub_vcpu_get_xsave(&kvm_of(guest.sandbox)->vm, found, NUB_XSAVE_SIZE, &guest.err), 0);
	assert_int_not_equal(found[24] | found[25] << 8, 0x1f80);
	guest_reset(&guest, snapshot);
	assert_int_equal(nub_vcpu_get_xsave(&kvm_of(guest.sandbox)->vm, found, NUB_XSAVE_SIZE, &guest.err), 0);
	assert_int_equal(found[0] | found[1] << 8, 0x37f);
	assert_int_equal(found[24] | found[25] << 8, 0x1f80);
	/* XMM, and the upper halves of YMM. */
	assert_memory_equal(found + 160, fresh + 160, 256);
	assert_memory_equal(found + 576, fresh + 576, 256);
	guest_close(&guest);
	nub_snapshot_free(snapshot);
}

/* R31: a guest sees the CPU features that its snapshot's saw, and no more. They can't change once a vCPU has run: a reset to
 * other ones is to a new vCPU. (Not asked of KVM: some hosts answer with their own.) */
static void features_are_the_snapshots(void **state)
{
	struct nub_snapshot *all = pages_snapshot(NUB_COW_HOST, MIB, 8, 1);
	struct nub_snapshot *fewer = pages_snapshot(NUB_COW_HOST, MIB, 8, 2);
	struct nub_cpuid *cpuid = &fewer->meta.cpu.cpuid;
	struct guest guest;

	(void)state;
	for (unsigned i = 0; i < cpuid->count; i++)
		if (cpuid->entries[i].function == 7)
			cpuid->entries[i].ebx = 1; /* FSGSBASE */
	assert_memory_not_equal(cpuid, &all->meta.cpu.cpuid, sizeof(*cpuid));
	guest_restore(&guest, fewer);
	assert_memory_equal(&guest.sandbox->machine.cpuid, cpuid, sizeof(*cpuid));
	for (unsigned round = 0; round < 4; round++) {
		struct nub_snapshot *next = round % 2 ? fewer : all;
		assert_int_equal(pages_damaged(&guest, round % 2 ? 1 : 2), 0);
		assert_true(kvm_of(guest.sandbox)->vm.has_run);
		guest_reset(&guest, next);
		assert_false(kvm_of(guest.sandbox)->vm.has_run);
		assert_memory_equal(&guest.sandbox->machine.cpuid, &next->meta.cpu.cpuid, sizeof(*cpuid));
	}
	guest_close(&guest);
	nub_snapshot_free(all);
	nub_snapshot_free(fewer);
}

/* A dozen checkpoints, each left by way of a file; what it prints is as if nothing had happened. */
static void every_stage(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = NULL;
		struct guest guest;
		char line[64];

		guest_open_stopping(&guest, "checkpoint.elf", policies[i]);
		guest_main(&guest, NULL, NUB_OUTCOME_CHECKPOINT);
		for (unsigned step = 0; step < 12; step++) {
			struct nub_snapshot *stage = guest_snapshot(&guest);
			assert_int_equal(nub_snapshot_info(stage)->generation, step + 1);
			guest_close(&guest);
			guest_begin(&guest);
			guest.config.stop_at_checkpoint = true;
			guest_thaw(&guest, stage);
			guest_resume(&guest, step < 11 ? NUB_OUTCOME_CHECKPOINT : NUB_OUTCOME_EXITED);
			snprintf(line, sizeof(line), "step %u: restored\n%s", step, step < 11 ? "" : "done\n");
			assert_string_equal(guest.text, line);
			nub_snapshot_free(snapshot);
			snapshot = stage;
		}
		assert_int_equal(guest.outcome.exit_code, 0);
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

/* ---- Identity (R27, R28) ---- */

static struct nub_snapshot *seeded_snapshot(enum nub_cow cow, uint64_t salt, uint64_t seed, const char *path)
{
	const struct nub_snapshot_options options = { .guest_path = path };
	const int fd = temporary_file();
	struct nub_snapshot *snapshot;
	struct guest guest;

	assert_true(fd >= 0);
	guest_load(&guest, "pages.elf");
	guest.config.cow = cow;
	guest.config.has_seed = true;
	guest.config.seed = seed;
	guest_create(&guest);
	pages_prepare(&guest, 8, salt);
	assert_int_equal(nub_snapshot_write(guest.sandbox, &options, fd, &guest.err), 0);
	snapshot = nub_snapshot_open(fd, "test.snap", NULL, &guest.err);
	assert_non_null(snapshot);
	close(fd);
	guest_close(&guest);
	return snapshot;
}

/* The same memory and regions, wherever the host had them; not the path, which is load info. */
static void hash_is_of_contents(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *elsewhere;
		struct nub_snapshot *first = seeded_snapshot(policies[i], 1, 7, "here"), *same, *other;

		/* Later mappings land at other addresses. */
		elsewhere = mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(elsewhere, MAP_FAILED);
		same = seeded_snapshot(policies[i], 1, 7, "somewhere else");
		other = seeded_snapshot(policies[i], 2, 7, "here");
		assert_memory_equal(nub_snapshot_info(first)->hash, nub_snapshot_info(same)->hash, 16);
		assert_memory_not_equal(nub_snapshot_info(first)->hash, nub_snapshot_info(other)->hash, 16);
		assert_int_equal(nub_snapshot_verify(first, NULL), 0);
		munmap(elsewhere, 64 * MIB);
		nub_snapshot_free(first);
		nub_snapshot_free(same);
		nub_snapshot_free(other);
	}
}

/* A u64 of the metadata at the top of scratch. */
static uint64_t shown(struct guest *guest, uint64_t offset)
{
	uint64_t value;

	assert_int_equal(
	    nub_sandbox_read(guest->sandbox, NUB_SCRATCH_TOP_GVA + 1 - offset, &value, sizeof(value), &guest->err), 0);
	return value;
}

/* R27, and a chain that stays the size of its contents: what is restored and saved again is the same image. */
static void a_chain_of_snapshots(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], 3 * MIB, 100, 0x8000);
		const uint64_t mapped = nub_snapshot_info(snapshot)->mapped_size;
		uint8_t hash[16];

		memcpy(hash, nub_snapshot_info(snapshot)->hash, sizeof(hash));
		for (unsigned step = 2; step < 8; step++) {
			struct nub_snapshot *next;
			struct guest guest;
			guest_restore(&guest, snapshot);
			assert_int_equal(shown(&guest, NUB_SCRATCH_OFF_GENERATION), step - 1);
			next = guest_snapshot(&guest);
			assert_int_equal(nub_snapshot_info(next)->generation, step);
			assert_int_equal(nub_snapshot_info(next)->mapped_size, mapped);
			assert_memory_equal(nub_snapshot_info(next)->hash, hash, sizeof(hash));
			guest_close(&guest);
			nub_snapshot_free(snapshot);
			snapshot = next;
		}
		/* And with what it wrote meanwhile. */
		for (unsigned step = 0; step < 6; step++) {
			struct nub_snapshot *next;
			struct guest guest;
			guest_restore(&guest, snapshot);
			pages_scribble(&guest, 30, 50);
			assert_int_equal(pages_damaged(&guest, 0x8000), 50);
			next = guest_snapshot(&guest);
			guest_close(&guest);
			guest_restore(&guest, next);
			assert_int_equal(pages_damaged(&guest, 0x8000), 50);
			guest_close(&guest);
			/* With cow=guest the large leaves that were written are small ones since. */
			assert_in_range(nub_snapshot_info(next)->mapped_size, MIB, mapped + 4 * MIB);
			nub_snapshot_free(snapshot);
			snapshot = next;
		}
		nub_snapshot_free(snapshot);
	}
}

/* What is zero takes no room, in the file's small pages and in its large ones. */
static void zero_pages_are_holes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], 32 * MIB, 200, 1);

		assert_true(nub_snapshot_info(snapshot)->mapped_size > 32 * MIB);
		/* Half of the pages that were prepared are zero. */
		assert_in_range(nub_snapshot_info(snapshot)->stored_size, 100 * NUB_PAGE_SIZE, 190 * NUB_PAGE_SIZE);
		nub_snapshot_free(snapshot);
	}
}

/* ---- Randomness (R31) ---- */

static void randomness(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], MIB, 8, 1);
		uint64_t seeds[4], words[4], first[4]; /* first: what it has before it runs */
		struct guest guest;

		guest_restore(&guest, snapshot);
		for (unsigned life = 0; life < 4; life++) {
			first[life] = shown(&guest, NUB_SCRATCH_OFF_SEED);
			seeds[life] = pages_u64(&guest, "seed");
			words[life] = pages_u64(&guest, "random_word");
			for (unsigned j = 0; j < life; j++) {
				assert_int_not_equal(first[j], first[life]);
				assert_int_not_equal(seeds[j], seeds[life]);
				assert_int_not_equal(words[j], words[life]);
			}
			guest_reset(&guest, snapshot);
		}
		guest_close(&guest);

		guest_begin(&guest);
		guest.config.has_seed = true;
		guest.config.seed = 42;
		guest_thaw(&guest, snapshot);
		for (unsigned life = 0; life < 4; life++) {
			seeds[life] = pages_u64(&guest, "seed");
			words[life] = pages_u64(&guest, "random_word");
			assert_int_equal(seeds[0], seeds[life]);
			assert_int_equal(words[0], words[life]);
			assert_int_not_equal(words[life], pages_u64(&guest, "random_word"));
			guest_reset(&guest, snapshot);
		}
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

/* ---- States ---- */

/* R23, R36: fresh, ready, ended, crashed, timed out: each can be put back to each. */
static void from_any_state(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *ready = pages_snapshot(policies[i], MIB, 8, 1), *fresh;
		struct guest guest;

		guest_load(&guest, "crash.elf");
		guest.config.cow = policies[i];
		guest_create(&guest);
		fresh = guest_snapshot(&guest);
		assert_string_equal(nub_snapshot_info(fresh)->next, "initialise");
		assert_string_equal(nub_snapshot_info(ready)->next, "call");
		for (unsigned round = 0; round < 3; round++) {
			guest_main(&guest, "null", NUB_OUTCOME_CRASHED);
			assert_int_equal(nub_sandbox_run_main(guest.sandbox, 0, NULL, &guest.outcome, &guest.err), -1);
			assert_int_equal(guest.err.kind, NUB_E_POISONED);
			guest_reset(&guest, fresh);
			guest_main(&guest, "abort", NUB_OUTCOME_CRASHED);
			guest_reset(&guest, ready);
			assert_int_equal(pages_damaged(&guest, 1), 0);
			guest_call(&guest, "crash", NULL, 0, NUB_OUTCOME_CRASHED);
			guest_reset(&guest, ready);
			assert_int_equal(pages_damaged(&guest, 1), 0);
			guest_reset(&guest, fresh);
		}
		guest_close(&guest);
		nub_snapshot_free(ready);
		nub_snapshot_free(fresh);
	}
}

#ifndef __SANITIZE_ADDRESS__ /* which ends where it can't map memory of its own */
/* R29: what has half become another guest runs no more, until a reset puts it all right. */
static void a_reset_that_fails(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *first = pages_snapshot(policies[i], MIB, 8, 1);
		struct nub_snapshot *second = pages_snapshot(policies[i], 3 * MIB, 8, 2);
		const struct nub_value salt = u64_value(2);
		struct rlimit limit, none;
		struct guest guest;

		guest_restore(&guest, first);
		assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
		none = (struct rlimit){ .rlim_cur = 4096, .rlim_max = limit.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
		const int result = nub_sandbox_reset(guest.sandbox, second, &guest.err);
		assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
		assert_int_equal(result, -1);
		assert_string_equal(nub_error_name(guest.err.kind), "no-memory");
		guest_refuses(&guest, "damaged", &salt, 1, NUB_E_POISONED);
		guest_reset(&guest, second);
		assert_int_equal(pages_damaged(&guest, 2), 0);
		guest_close(&guest);
		nub_snapshot_free(first);
		nub_snapshot_free(second);
	}
}

#endif

/* R12, R29: where a guest at CPL 3 has its local APIC, there is no memory. One that has memory there gets a VM without. */
static void memory_in_the_apics_place(void **state)
{
	struct nub_snapshot *small = pages_snapshot(NUB_COW_HOST, MIB, 8, 1);
	struct nub_snapshot *large = pages_snapshot(NUB_COW_HOST, UINT64_C(4) << 30, 8, 2);
	struct guest guest;

	(void)state;
	guest_restore(&guest, small);
	for (unsigned round = 0; round < 4; round++) {
		guest_reset(&guest, round % 2 ? small : large);
		assert_true(round % 2 || !kvm_of(guest.sandbox)->vm.local_apic);
		assert_int_equal(pages_damaged(&guest, round % 2 ? 1 : 2), 0);
	}
	guest_close(&guest);
	nub_snapshot_free(small);
	nub_snapshot_free(large);
}

/* R29: rings are of the snapshot's size, also where the host keeps what it takes off them. */
static void rings_of_another_size(void **state)
{
	const uint32_t size = 3 * MIB;
	uint8_t *bytes = malloc(size);
	const struct nub_value arg = { .type = NUB_TYPE_BYTES, .bytes = { bytes, size } };
	const struct nub_value word = { .type = NUB_TYPE_BYTES, .bytes = { bytes, 8 } };
	struct nub_snapshot *snapshots[2];
	struct guest guest;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 0xc3, size);
	for (unsigned i = 0; i < 2; i++) {
		guest_load(&guest, "echo.elf");
		guest.config.heap_size = 16 * MIB;
		guest.config.input_size = guest.config.output_size = i == 0 ? NUB_PAGE_SIZE : 4 * MIB;
		guest_create(&guest);
		assert_int_equal(nub_sandbox_initialise(guest.sandbox, &guest.outcome, &guest.err), 0);
		snapshots[i] = guest_snapshot(&guest);
		guest_close(&guest);
	}
	guest_restore(&guest, snapshots[0]);
	for (unsigned round = 0; round < 4; round++) {
		guest_call(&guest, "echo_bytes", round % 2 ? &arg : &word, 1, NUB_OUTCOME_RETURNED);
		assert_int_equal(guest.outcome.result.bytes.size, round % 2 ? size : 8);
		assert_memory_equal(guest.outcome.result.bytes.data, bytes, round % 2 ? size : 8);
		guest_reset(&guest, snapshots[1 - round % 2]);
	}
	guest_close(&guest);
	nub_snapshot_free(snapshots[0]);
	nub_snapshot_free(snapshots[1]);
	free(bytes);
}

/* What has ended can't be frozen, and the sandbox is none the worse for trying. */
static void refusals(void **state)
{
	const struct nub_snapshot_options options = { 0 };
	const int fd = temporary_file();
	struct guest guest;

	(void)state;
	guest_open(&guest, "crash.elf");
	guest_main(&guest, "ud2", NUB_OUTCOME_CRASHED);
	assert_int_equal(nub_snapshot_write(guest.sandbox, &options, fd, &guest.err), -1);
	assert_string_equal(nub_error_name(guest.err.kind), "state");
	assert_int_equal(nub_sandbox_resume(guest.sandbox, &guest.outcome, &guest.err), -1);
	assert_string_equal(nub_error_name(guest.err.kind), "state");
	guest_close(&guest);
	close(fd);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(registers_survive),
		KVM_TEST(interrupts_stay_off),
		KVM_TEST(a_fresh_guest_has_fresh_vectors),
		KVM_TEST(features_are_the_snapshots),
		KVM_TEST(every_stage),
		KVM_TEST(hash_is_of_contents),
		KVM_TEST(a_chain_of_snapshots),
		KVM_TEST(zero_pages_are_holes),
		KVM_TEST(randomness),
		KVM_TEST(from_any_state),
#ifndef __SANITIZE_ADDRESS__
		KVM_TEST(a_reset_that_fails),
#endif
		KVM_TEST(memory_in_the_apics_place),
		KVM_TEST(rings_of_another_size),
		KVM_TEST(refusals),
	};

	return run_kvm_tests("restore", tests);
}
