#!/usr/bin/env bats
# `nubrun restore`: going on from a snapshot, and what is refused.

load helper
load snapshot_helper

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	CALC=$GUESTS/calc.elf
}

@test "restore: --call calls a function of the snapshot's guest, checked as by run (R23 R29)" {
	local cow
	for cow in $(policies); do
		save a.snap --cow "$cow" "$CALC"
		nub restore --call add a.snap 9223372036854775806 1
		ended 0 ok
		[ "$output" = 9223372036854775807 ]
		[ "$(field '.snapshot | [.path, .generation, .next, .cow] | join(" ")')" = "a.snap 1 call $cow" ]
		[ "$(field .guest.path)" = "$CALC" ]
		[ "$(field .command)" = restore ]
		nub restore --call ad a.snap 1 2
		refused 125 function-unknown "*'ad'*"
		nub restore --call add a.snap 1
		refused 125 arguments '*takes 2 arguments, 1 are given*'
	done
}

@test "restore: without --call, main runs with the arguments; its name is the guest's" {
	local cow
	for cow in $(policies); do
		save a.snap --cow "$cow" "$GUESTS/args.elf"
		nub restore a.snap 'a b' '' --heap
		ended 3 guest-exit
		[ "${lines[1]}" = "argv[0] = \"$GUESTS/args.elf\"" ]
		[ "${lines[2]}" = 'argv[1] = "a b"' ]
		[ "${lines[4]}" = 'argv[3] = "--heap"' ]
	done
}

@test "restore: a guest does not change its snapshot, and each starts anew (R29 R30)" {
	local cow
	for cow in $(policies); do
		save a.snap --cow "$cow" --call echo_void "$GUESTS/echo.elf" >/dev/null
		cp a.snap copy
		nub restore --call echo_void --repeat 10 a.snap
		ended 0 ok
		nub restore --call count a.snap
		[ "$output" -eq 1 ]
		cmp a.snap copy
	done
}

@test "restore: --repeat without --reset keeps what calls leave, with --reset none of it (R29)" {
	local cow
	for cow in $(policies); do
		save a.snap --cow "$cow" "$GUESTS/echo.elf"
		nub restore --call echo_void --repeat 7 --snapshot-on-exit b.snap a.snap
		ended 0 ok
		[ "$(field .calls.count)" -eq 7 ]
		nub restore --call count b.snap
		[ "$output" -eq 7 ]
		nub restore --call echo_void --repeat 7 --reset --snapshot-on-exit b.snap a.snap
		ended 0 ok
		[ "$(field .calls.count)" -eq 7 ]
		nub restore --call count b.snap
		[ "$output" -eq 1 ]
		save w.snap --cow "$cow" "$GUESTS/empty.elf"
		nub restore --call write4 --repeat 1000 --reset w.snap
		ended 0 ok
		[ "$(field '.calls.count')" -eq 1000 ]
	done
	nub restore --call count --reset a.snap
	refused 125 usage '--reset*'
	nub restore --repeat 3 a.snap
	refused 125 usage '--repeat*'
}

@test "restore: one that is stopped goes on; calls and arguments are refused" {
	save a.snap --until-checkpoint "$GUESTS/checkpoint.elf"
	nub restore --call main a.snap
	refused 125 state '*stopped at a checkpoint*'
	nub restore a.snap one
	refused 125 usage "*'one' is one*"
	nub restore a.snap
	ended 0 ok
	[ "${lines[0]}" = "step 0: restored" ] && [ "${lines[1]}" = "step 1: goes on" ]
}

@test "restore: host functions are asked for again, by name, before the guest starts" {
	local greet='greet=echo "\"hello again\""'
	save a.snap --host-fn "$greet" "$GUESTS/callback.elf"
	[ "$(about a.snap '.host_functions | join(" ")')" = greet ]
	nub restore a.snap
	refused 125 host-function-missing "*a.snap*'greet'"
	[ "$(field .exits.total)" -eq 0 ]
	nub snapshot -o b.snap a.snap
	refused 125 host-function-missing "*'greet'"
	nub restore --host-fn "$greet" a.snap
	ended 0 ok
	[[ $output == *"hello again"* ]]
	nub restore --host-fn 'host_upper=echo "\"X\""' --host-fn "$greet" --snapshot-on-exit b.snap --call ask a.snap '"x"'
	[ "$output" = '"X"' ]
	[ "$(about b.snap '.host_functions | join(" ")')" = "greet host_upper" ]
}

@test "restore: random numbers are fresh every time, and the same with --seed" {
	local cow
	for cow in $(policies); do
		save a.snap --cow "$cow" --seed 1 "$GUESTS/callback.elf"
		local first second
		first=$("$NUBRUN" restore -q --call clock_and_dice a.snap)
		second=$("$NUBRUN" restore -q --call clock_and_dice a.snap)
		[ "$first" != "$second" ]
	done
}

@test "restore: a crash has the symbols of the guest's file, if it is still the same" {
	cp "$GUESTS/crash.elf" guest.elf
	save a.snap guest.elf
	nub restore a.snap write-code
	ended 134 guest-crash
	[[ $(field .crash.symbol) == write_code* ]]
	[ "$(field .crash.region.type)" = Code ]
	cp "$CALC" guest.elf
	nub restore a.snap write-code
	ended 134 guest-crash
	[ "$(field .crash.symbol)" = null ]
	rm guest.elf
	nub restore a.snap write-code
	ended 134 guest-crash
}

@test "restore: 50 at once from one file (R30)" {
	local cow i
	local -a readers
	for cow in $(policies); do
		readers=()
		save a.snap --cow "$cow" "$CALC"
		for i in {1..50}; do
			"$NUBRUN" restore -q --call mul a.snap "$i" 1000 >"out.$i" &
			readers+=($!)
		done
		wait "${readers[@]}"
		for i in {1..50}; do
			[ "$(cat "out.$i")" -eq $((i * 1000)) ]
		done
	done
}

# Start a guest that runs for a while from a.snap, change the file, and see how the run ends.
changed_meanwhile() { # COMMAND...
	"$NUBRUN" restore --timeout "$(slow 20)s" --call ask --host-fn 'host_upper=touch started; sleep 1; echo "\"x\""' \
		a.snap '"x"' >out 2>err &
	local pid=$! i
	for ((i = 0; i < $(slow 200); i++)); do
		[ -e started ] && break
		sleep 0.02
	done
	[ -e started ]
	"$@"
	status=0
	wait "$pid" || status=$?
	json=$(tail -n 1 err)
	echo "exit $status: $json"
}

@test "restore: a file that is cut or overwritten while a guest runs ends the run with an error" {
	local cow
	for cow in $(policies); do
		save a.snap --cow "$cow" --host-fn 'host_upper=true' "$GUESTS/callback.elf"
		rm -f started
		changed_meanwhile truncate -s 8192 a.snap
		refused 125 io '*a.snap*'
		save a.snap --cow "$cow" --host-fn 'host_upper=true' "$GUESTS/callback.elf"
		rm -f started
		changed_meanwhile dd if=/dev/urandom of=a.snap bs=4096 seek=1 count=300 conv=notrunc status=none
		refused 125 io '*a.snap*'
		# Replaced by a rename it is another file, and the run goes on.
		save a.snap --cow "$cow" --host-fn 'host_upper=true' "$GUESTS/callback.elf"
		cp a.snap b.snap
		rm -f started
		changed_meanwhile mv b.snap a.snap
		ended 0 ok
	done
}

@test "restore: a file that is cut while a guest is put back from it again and again ends the run with an error (R29)" {
	local cow size pid
	for cow in $(policies); do
		for size in 0 8192 100000 100000 100000 100000; do
			save a.snap --cow "$cow" "$GUESTS/empty.elf"
			"$NUBRUN" restore --timeout "$(slow 60)s" --call write4 --repeat 1000000 --reset a.snap >out 2>err &
			pid=$!
			pause 0.2
			truncate -s "$size" a.snap
			status=0
			wait "$pid" || status=$?
			# shellcheck disable=SC2034 # field reads it
			json=$(tail -n 1 err)
			echo "exit $status: $json"
			# Cut short enough, it can't be told from one that always was.
			[ "$status" -eq 125 ] || [ "$status" -eq 126 ]
			[ "$(field .status)" = error ]
			[[ $(field .error.message) == *a.snap* && -n $(field .error.hint) ]]
		done
	done
}

@test "restore: each field of the header that is wrong is named, with exit code 126" {
	save good "$CALC"
	local field offset bytes code
	while read -r field offset bytes code; do
		cp good bad
		poke bad "$offset" "$bytes"
		# A byte of a hash can be that already.
		! cmp -s good bad || poke bad "$offset" '\252'
		echo "$field"
		nub restore --call add bad 1 2
		refused 126 "$code" '*bad*'
		nub inspect bad
		# Without the magic it may be anything.
		refused 126 "${code/snapshot-magic/elf-magic}" '*bad*'
	done <<-'END'
		magic 0 N snapshot-magic
		version 8 \377 snapshot-corrupt
		compatible 12 \002 snapshot-version
		header_size 16 \001 snapshot-corrupt
		architecture 20 \267 snapshot-corrupt
		page_size 25 \100 snapshot-corrupt
		reserved 28 \001 snapshot-corrupt
		metadata_offset 33 \001 snapshot-corrupt
		metadata_size 40 \001 snapshot-corrupt
		file_size 48 \001 snapshot-corrupt
		metadata_hash 56 \125\252 snapshot-corrupt
		reserved 239 \001 snapshot-corrupt
		header_hash 255 \125\252 snapshot-corrupt
	END
	# A later version that says it can't be read by this one.
	cp good bad
	poke bad 8 '\002\0\0\0\002'
	nub restore bad
	refused 126 snapshot-version '*2*1*'
	# The metadata has a seal, too: its first, a middle and its last byte.
	offset=$(metadata_offset good)
	for offset in "$offset" $((offset + 1000)) $(($(stat -c %s good) - 1)); do
		cp good bad
		poke bad "$offset" '\125'
		nub restore bad
		refused 126 snapshot-corrupt '*bad*'
	done
}

@test "restore: a file that is cut anywhere is refused, with both sizes" {
	save good "$CALC"
	local size
	for size in 0 1 7 8 100 255 256 4096 100000 $(($(stat -c %s good) - 1)); do
		cp good bad
		truncate -s "$size" bad
		nub restore --call add bad 1 2
		[ "$status" -eq 126 ]
		case $(field .error.code) in
		snapshot-truncated) [[ $(field .error.message) == *"$size"* ]] ;;
		snapshot-magic) [ "$size" -lt 8 ] ;;
		*) false ;;
		esac
		"$NUBRUN" restore --call add - 1 2 <bad 2>err >/dev/null && false
		[ "$(tail -n 1 err | jq -r .exit_code)" -eq 126 ]
	done
	# What is behind its end does not count.
	cp good long
	echo more >>long
	nub restore --call add long 1 2
	ended 0 ok
}

@test "restore: a CPU that lacks a feature which the guest was shown is refused with its name, before the guest starts" {
	local cow leaf_7
	for cow in $(policies); do
		save good --cow "$cow" "$CALC"
		# A count, then leaves of 8 u32: function, index, flags, eax, ebx...
		leaf_7=$(($(section_offset good 10) + 8))
		while [ "$(od -An -tu4 -j$leaf_7 -N4 good)" -ne 7 ]; do
			leaf_7=$((leaf_7 + 32))
		done
		# EBX, bits 16 to 23: the first is AVX512F, which no guest is shown so far.
		cp good bad
		poke bad $((leaf_7 + 18)) '\377'
		nub restore --call add bad 1 2
		refused 126 snapshot-corrupt '*'
		reseal bad
		nub restore --call add bad 1 2
		refused 126 snapshot-cpu 'bad: this CPU has no AVX512F (CPUID leaf 0x7 EBX bit 16)*'
		[ "$(field .exits.total)" -eq 0 ]
		nub snapshot -o other bad
		refused 126 snapshot-cpu '*AVX512F*'
		[ ! -e other ]
		# To look at it, no such CPU is needed.
		[[ $(about bad '.cpu_features | join(" ")') == *AVX512F* ]]
		# One that needs less than this CPU has, but FSGSBASE (bit 0), which is on for every guest.
		cp good less
		poke less $((leaf_7 + 16)) '\1\0\0\0'
		reseal less
		nub restore --call add less 1 2
		ended 0 ok
		[[ $(about less '.cpu_features | join(" ")') != *AVX2* ]]
	done
}

@test "restore: damaged memory is found by --verify, here and with inspect" {
	save good "$CALC"
	cp good bad
	poke bad 4200 '\125\252'
	nub restore --verify --call add bad 1 2
	refused 126 snapshot-corrupt '*memory*hash*'
	[ "$(field .exits.total)" -eq 0 ]
	nub inspect --verify bad
	refused 126 snapshot-corrupt '*'
	nub restore --verify --call add good 1 2
	ended 0 ok
	nub inspect bad
	[ "$status" -eq 0 ]
}

@test "restore: what is no snapshot is told apart: a guest, a folder, nothing" {
	nub restore "$CALC"
	refused 126 snapshot-magic '*calc.elf*'
	[[ $(field .error.hint) == *"nubrun run"* ]]
	nub restore .
	refused 126 snapshot-magic '*directory*'
	nub restore none.snap
	refused 127 not-found '*none.snap*'
	nub restore - </dev/null
	[ "$status" -eq 126 ]
	save a.snap "$CALC"
	nub run a.snap
	refused 126 elf-magic '*a.snap*'
	[[ $(field .error.hint) == *"nubrun restore"* ]]
	nub restore
	refused 125 usage '*operand*'
}

@test "restore: the time-out holds, and a guest that is stopped by it can be restored again" {
	save a.snap "$GUESTS/spin.elf"
	nub restore --timeout "$(slow 100)ms" a.snap
	ended 124 timeout
	nub restore --timeout "$(slow 100)ms" a.snap
	ended 124 timeout
}

@test "restore: a guest that copies pages itself and runs out of scratch is told how much to give" {
	[[ $(policies) == *guest* ]] || skip "only --cow host is asked for"
	save a.snap --cow guest --heap 4M --scratch 512K "$GUESTS/heap.elf"
	nub restore a.snap
	ended 134 guest-crash
	[[ $(field .crash.message) == *scratch* ]]
}
