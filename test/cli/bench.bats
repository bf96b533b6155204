#!/usr/bin/env bats
# `make bench`: that it measures. What it measures is not judged here, where other work runs beside it.

load helper

@test "bench: a single run gives a ratio for each measurement" {
	local kvm=0 engines
	engines=$(engines | wc -l)
	! has_kvm || kvm=1
	# What takes gigabytes, a hundred guests or the disk is left out.
	export BENCH_SHORT=1
	capture "${NUBRUN%/*}/bench/bench" "${NUBRUN%/*}" 1
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq $((1 + 38 * engines + kvm)) ]
	[ "$(grep -cE '^engine    (kvm|process)$' <<<"$output")" -eq "$engines" ]
	[ "$(grep -cE '^floor .* us .* us$' <<<"$output")" -eq "$kvm" ]
	[ "$(grep -cE '^(process|confine|call|compute|host|exchange|create|fault|fault-g|busy|save|save-mem) .* us .* us   ratio [0-9]+\.[0-9]{3} ' <<<"$output")" -eq $((12 * engines)) ]
	[ "$(grep -cE '^(reset|reset-1|reset-64|reset-1k|restore|heap-64M|heap-1G|warm-1|warm-10|warm-100) .* us .* us   ratio [0-9]+\.[0-9]{3} ' <<<"$output")" -eq $((10 * engines)) ]
	[ "$(grep -cE '^(heap-4G|cold-1|cold-10|cold-100|memory) +not measured: BENCH_SHORT$' <<<"$output")" -eq $((5 * engines)) ]
	[ "$(grep -cE '^(syscall|clock|walk|handover|busybox|python|criu|runsc|lua) +(.* us .* us   ratio [0-9]+\.[0-9]{3} |not measured: )' <<<"$output")" -eq $((9 * engines)) ]
	[ "$(grep -cE '^memory .* PSS of each [0-9]+ KiB, ' <<<"$output")" -eq "$engines" ]
}

@test "bench: a build folder that is not there, a number of runs that is none" {
	capture "${NUBRUN%/*}/bench/bench" "$BATS_TEST_TMPDIR/none" 1
	[ "$status" -eq 1 ]
	[[ $stderr == *"$BATS_TEST_TMPDIR/none: No such file"* ]]
	capture "${NUBRUN%/*}/bench/bench" . 0
	[ "$status" -eq 2 ]
	[[ $stderr == usage:* ]]
}
