#!/usr/bin/env bats
# Both engines: one list of commands with the same outcome by each, and how one is chosen.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR"
}

@test "engines: the commands of test/engines/commands have the same outcome by every engine of this host" {
	capture "$ROOT/test/engines/compare" "${GUESTS%/guests}"
	grep '^not ok' -A 20 <<<"$output" | cut -c 1-2000 || true
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -gt 60 ]
}

@test "engines: chosen by --engine, else by NUBRUN_ENGINE, else kvm; the status says which" {
	NUBRUN_ENGINE=process nub run "$GUESTS/hello.elf"
	ended 0 ok
	[ "$(field .engine)" = process ]
	NUBRUN_ENGINE=nonsense nub run --engine process "$GUESTS/hello.elf"
	ended 0 ok
	[ "$(field .engine)" = process ]
	NUBRUN_ENGINE=nonsense nub run "$GUESTS/hello.elf"
	refused 125 usage "NUBRUN_ENGINE*'nonsense'*"
	nub run --engine xen "$GUESTS/hello.elf"
	refused 125 usage "--engine*'xen'*"
	only_kvm
	NUBRUN_ENGINE='' nub run "$GUESTS/hello.elf"
	ended 0 ok
	[ "$(field .engine)" = kvm ]
	NUBRUN_ENGINE=process nub run --engine kvm "$GUESTS/hello.elf"
	ended 0 ok
	[ "$(field .engine)" = kvm ]
}

@test "engines: what the process engine can't do is refused by name" {
	nub run --engine process "$GUESTS/two-spaces.elf"
	refused 126 engine '*CPL 3 alone*CPL 0*'
	seq 1 2000 >table
	nub run --engine process --map table@0x6ff000001000 "$GUESTS/mapfile.elf"
	refused 126 engine '*keeps 0x6ff000000000*0x6ff000001000*'
	nub run --engine process --map table@0x6ffffff90000 "$GUESTS/mapfile.elf"
	refused 125 file-mapping-address '*is taken: Scratch lies at 0x6ffffff7f000*'
	only_kvm
	nub snapshot --until-checkpoint -o two.snap "$GUESTS/two-spaces.elf"
	ended 0 ok
	nub restore --engine process two.snap
	refused 126 engine '*CPL 0*'
	nub snapshot -o mapped.snap --map "$ROOT/README.md@0x6fa000000000" "$GUESTS/hello.elf"
	ended 0 ok
	nub restore --engine process mapped.snap
	refused 126 engine '*0x6ffffffff000*'
}

@test "engines: a snapshot of either engine is restored by the other, layers and resets included" {
	local by on cow
	only_kvm
	cd "$BATS_TEST_TMPDIR"
	for cow in host guest; do
		for by in kvm process; do
			nub snapshot --engine "$by" --cow "$cow" --seed 1 -o "$by.snap" "$GUESTS/calc.elf"
			ended 0 ok
			nub snapshot --engine "$by" --cow "$cow" --seed 1 --until-checkpoint -o "$by.one" "$GUESTS/checkpoint.elf"
			nub snapshot --engine "$by" --until-checkpoint --base "$by.one" -o "$by.two" "$by.one"
			ended 0 ok
			for on in kvm process; do
				nub restore --engine "$on" --call add "$by.snap" 2 40
				[ "$output" = 42 ]
				nub restore --engine "$on" --call add --repeat 10 --reset "$by.snap" 2 40
				[ "$output" = 42 ]
				nub restore --engine "$on" "$by.two"
				ended 0 ok
				[ "${lines[0]}" = "step 1: restored" ]
			done
		done
		# What is in memory is the same, whoever saved it.
		for on in snap one two; do
			[ "$("$NUBRUN" inspect --json kvm.$on | jq -r .snapshot.hash)" = "$("$NUBRUN" inspect --json process.$on | jq -r .snapshot.hash)" ]
		done
	done
}

@test "engines: a Linux program frozen by either engine is thawed by the other, and frozen again" {
	local by on program=${GUESTS%/guests}/test/linux/frozen.dynamic
	only_kvm
	for by in kvm process; do
		nub snapshot --engine "$by" -o "$by.snap" --rootfs / --until-output ready "$program"
		ended 0 ok
		[ "$(field .engine)" = "$by" ]
		for on in kvm process; do
			nub snapshot --engine "$on" -o "$by.$on" --rootfs / --until-syscall exit_group "$by.snap"
			ended 0 ok
			nub restore --engine "$on" --rootfs / "$by.snap"
			ended 7 guest-exit
			[ "${lines[1]}" = 'kept, wiped' ]
			[ "${lines[3]}" = '6 answers' ]
		done
	done
	# Twice over: what one engine saved of what the other had saved.
	nub restore --engine kvm --rootfs / kvm.process
	ended 7 guest-exit
	nub restore --engine process --rootfs / process.kvm
	ended 7 guest-exit
}

# Whether this CPU has it.
cpu_has() { # FLAG
	grep -qw "$1" /proc/cpuinfo
}

@test "engines: a Linux program that binds functions when they are called has room for the registers of where it is thawed" {
	local by on program=${GUESTS%/guests}/test/linux/lazy.dynamic words wide='no AVX-512'
	only_kvm
	cpu_has xsavec || skip "no XSAVEC, without which the C library goes by the size that KVM shows"
	# Header, SSE and AVX take 832 bytes, AVX-512 1600, and what the C library itself keeps below them 64.
	nub run --rootfs / "$(readelf -p .interp "$program" | grep -o '/[^ ]*')" --list-diagnostics
	ended 0 ok
	words=$(grep -o 'xsave_state_size=.*' <<<"$output")
	((${words#*=} >= 832 + 1600 + 64))
	# Leaf 0xd, index 1, as the C library goes by it: XSAVEC.
	words=$(grep -o 'features\[0x3\]\.cpuid\[0x0\]=.*' <<<"$output")
	((${words#*=} & 2))
	! cpu_has avx512bw || wide='AVX-512 in use'
	for by in kvm process; do
		nub snapshot --engine "$by" -o "$by.snap" --rootfs / --until-output ready "$program"
		ended 0 ok
		capture "$NUBRUN" inspect --json "$by.snap"
		holds '.cpu_features | index("XSAVEC") != null' "$output"
		for on in kvm process; do
			nub restore --engine "$on" --rootfs / "$by.snap"
			ended 0 ok
			[ "${lines[0]}" = '42 0.5' ]
			[ "$on" = kvm ] || [ "${lines[1]}" = "$wide" ]
		done
	done
}

@test "engines: the C library finds caches, and copies what fits them through them" {
	local name
	only_kvm
	nub run --rootfs / "$(readelf -p .interp "${GUESTS%/guests}/test/linux/lazy.dynamic" | grep -o '/[^ ]*')" --list-diagnostics
	ended 0 ok
	for name in level1_dcache level2_cache level3_cache; do
		[[ $output == *"cpu_features.${name}_size=0x"[1-9]* ]]
	done
	# Memory beyond that is copied past the caches: from half of them on at the least.
	name=$(grep -o 'non_temporal_threshold=.*' <<<"$output")
	((${name#*=} >= 4 << 20))
}

@test "engines: what the unit tests say of lives, layers and written pages holds by the process engine, too (R30 R31)" {
	local name
	for name in test_restore_leaks test_layers test_dirty test_sandbox_stop test_working_set; do
		capture env NUBRUN_ENGINE=process "$TEST_TOOLS/$name"
		[ "$status" -eq 0 ]
		[[ $output$stderr == *"[       OK ]"* ]]
	done
}
