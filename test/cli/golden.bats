#!/usr/bin/env bats
# Snapshots of earlier versions are restored and run (test/golden/README.md).
# shellcheck disable=SC2034 # helper.bash reads json

load helper

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR" || return
}

# Run a golden snapshot; skips where this CPU has less than the one that it was made on.
golden() { # ARG... FILE ARG...
	nub restore "$@"
	[ "$(field '.error.code // ""')" != snapshot-cpu ] || skip "$(field .error.message)"
	[ "$status" -eq 0 ]
}

@test "golden: there is one of each format version, policy and action" {
	local cow next
	for cow in host guest; do
		for next in call resume; do
			nub inspect --json --verify "$ROOT/test/golden/v1-$next-$cow.snap"
			[ "$status" -eq 0 ]
			json=$output
			[ "$(field '.snapshot | [.format_version, .next, .cow] | join(" ")')" = "1 $next $cow" ]
			[ "$(field .verified)" = true ]
		done
	done
}

@test "golden: functions of a snapshot of format 1 can be called" {
	local cow
	for cow in host guest; do
		golden --call add "$ROOT/test/golden/v1-call-$cow.snap" 2 40
		[ "$output" = 42 ]
		golden --call concat --repeat 20 --reset "$ROOT/test/golden/v1-call-$cow.snap" '"fro"' '"zen"'
		[ "$output" = '"frozen"' ]
	done
}

@test "golden: a guest of format 1 that stopped in its code goes on" {
	local cow
	for cow in host guest; do
		golden "$ROOT/test/golden/v1-resume-$cow.snap"
		[ "${lines[0]}" = "step 0: restored" ]
		[ "${lines[1]}" = "step 1: goes on" ]
		[ "${lines[${#lines[@]} - 1]}" = "done" ]
	done
}
