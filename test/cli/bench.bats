#!/usr/bin/env bats
# `make bench`: that it measures, and what becomes of what it measured. What that is is not judged here, where other work runs beside it.

load helper

BENCH=${NUBRUN%/*}/bench

@test "bench: a single run gives a ratio for each measurement, as tables and as JSON" {
	local kvm=0 all measured
	! has_kvm || kvm=1
	cd "$BATS_TEST_TMPDIR"
	capture "$BENCH/bench" --json bench.json "${NUBRUN%/*}" 1
	[ "$status" -eq 0 ]
	measured=$(<bench.json)
	[ "$(grep -cE '^engine (kvm|process): medians of 1 runs' <<<"$output")" -eq 2 ]

	# Each row is in both.
	all=$(jq '.rows | length' <<<"$measured")
	[ "$(grep -cE ' +(.* us .* us .*|.* KiB .* KiB .*) +[0-9]+\.[0-9]{3}( +[0-9]+\.[0-9]{2}(  not reached)?)?$|  not measured: ' <<<"$output")" -eq "$all" ]
	[ "${#lines[@]}" -eq $((all + 5)) ]
	# Ratios end where their heading does.
	awk '/^row / { end = index($0, "ratio") + 4 }
		/ (us|KiB) .* (us|KiB) / && substr($0, end - 4, 6) !~ /[0-9.]\.[0-9][0-9][0-9] ?$/ { wrong = 1; print "not below: " $0 }
		END { exit wrong }' <<<"$output"
	holds '[.rows[] | select(.engine == "process")] | length >= 17' "$measured"
	holds "[.rows[] | select(.engine == \"kvm\" and .median > 0)] | length >= 14 * $kvm" "$measured"
	holds '(.machine | .cores > 0 and .memory_mib > 0 and all(.cpu, .kernel; length > 0)) and .runs == 1 and
		(.nubrun | startswith("nubrun ")) and all(.compiler, .libc; length > 0)' "$measured"
	holds '.rows | all((.not_measured // "" | length > 0) or (.base_median > 0 and .median > 0 and .q1 <= .median and
		.median <= .q3 and all(.base, .measured, .unit; length > 0) and (.ratio - .median / .base_median | fabs < 0.01) and
		has("to_reach")))' "$measured"
	((kvm)) || holds '.machine.kvm == null and any(.rows[]; .engine == "kvm" and .not_measured != null)' "$measured"
}

@test "bench: a build folder that is not there, a number of runs that is none" {
	capture "$BENCH/bench" "$BATS_TEST_TMPDIR/none" 1
	[ "$status" -eq 1 ]
	[[ $stderr == *"$BATS_TEST_TMPDIR/none: No such file"* ]]
	capture "$BENCH/bench" . 0
	[ "$status" -eq 2 ]
	[[ $stderr == usage:* ]]
	capture "$BENCH/bench" --json
	[ "$status" -eq 2 ]
}
