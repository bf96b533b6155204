#!/usr/bin/env bats
# `make bench`: that it measures, and what becomes of what it measured. What that is is not judged here, where other work runs beside it.

load helper

BENCH=${NUBRUN%/*}/bench

@test "bench: a single run gives a ratio for each measurement, as tables and as JSON" {
	local kvm=0 all measured
	! has_kvm || kvm=1
	# What takes gigabytes, a hundred guests or the disk is left out.
	export BENCH_SHORT=1
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
	holds '[.rows[] | select(.engine == "process")] | length >= 38' "$measured"
	holds "[.rows[] | select(.engine == \"kvm\" and .median > 0)] | length >= 30 * $kvm" "$measured"
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

# As bench-json would have written it: rows that do and don't reach what they are to, one without a target, one not measured.
some_json() { # RATIO
	jq -n --argjson ratio "$1" '
		def row($row; $more): {engine: "kvm", row: $row, base: "floor", base_median: 10, base_q1: 9, base_q3: 11,
			measured: "nubrun <run> & \"go\"", median: (10 * $ratio), q1: (9 * $ratio), q3: (11 * $ratio), unit: "us",
			ratio: $ratio, to_reach: 1.3} + $more;
		{machine: {cpu: "A <fast> CPU", cores: 2, memory_mib: 4096, kernel: "6.1", kernel_version: "#1", kvm: "kvm_amd"},
			nubrun: "nubrun 0.1.0", compiler: "gcc 12", libc: "2.36", runs: 5,
			rows: [row("call"; {}), row("quick"; {ratio: 0.5, engine: "process"}), row("plain"; {to_reach: null}),
				{engine: "process", row: "criu", not_measured: "no <criu>"}]}'
}

@test "bench: the chart is one picture of all rows, with the machine beneath" {
	local file=$BATS_TEST_TMPDIR/bench.json ratio
	for ratio in 1.25 2 40 1000; do
		some_json "$ratio" >"$file"
		capture "$ROOT/scripts/bench-chart" "$file"
		[ "$status" -eq 0 ]
		[ -z "$stderr" ]
		python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.stdin.buffer)' <<<"$output"
		[[ $output == *'<title id="title">'* && $output == *'A &lt;fast&gt; CPU, 2 cores, 4 GiB, Linux 6.1, kvm_amd'* ]]
		[[ $output == *'nubrun &lt;run&gt; &amp; "go" / floor'* && $output == *'not measured: no &lt;criu&gt;'* ]]
		[ "$(grep -c '<rect .*class="\(reached\|missed\|plain\)"' <<<"$output")" -eq 3 ]
		[ "$(grep -c 'class="target"' <<<"$output")" -eq 2 ]
		[ "$(grep -c 'class="missed"' <<<"$output")" -eq "$([ "$ratio" = 1.25 ] && echo 0 || echo 1)" ]
		[ "$(grep -ciE '<script|href|[" ]-?(nan|inf)[" ]' <<<"$output")" -eq 0 ]
	done
}

@test "bench: the chart of what is no measurement is an error" {
	echo '{}' >"$BATS_TEST_TMPDIR/empty.json"
	capture "$ROOT/scripts/bench-chart" "$BATS_TEST_TMPDIR/empty.json"
	[ "$status" -ne 0 ]
	capture "$ROOT/scripts/bench-chart" "$BATS_TEST_TMPDIR/none.json"
	[ "$status" -ne 0 ]
}

# test/bench/counts.txt with one row's instructions in percent of what they are: $changed; the row is $row.
change_counts() { # PERCENT
	local held=$ROOT/test/bench/counts.txt
	changed=$BATS_TEST_TMPDIR/counts.txt
	row=$(awk -F '\t' '$4 ~ /^[0-9]+$/ { print $1 " " $2 ", " $3; exit }' "$held")
	[ -n "$row" ]
	awk -F '\t' -v OFS='\t' -v percent="$1" '!done && $4 ~ /^[0-9]+$/ { $4 = int($4 * percent / 100); done = 1 } { print }' "$held" >"$changed"
}

check_counts() { # HELD NEW
	capture "$ROOT/test/bench/check-counts" "$@"
}

@test "bench: counts that are the same hold, one for each row that doesn't jump" {
	local counted
	change_counts 100
	counted=$(awk -F '\t' '$4 ~ /^[0-9]+$/' "$changed" | wc -l)
	check_counts "$ROOT/test/bench/counts.txt" "$changed"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "1..$counted" ]
	[ "$(grep -c '^ok ' <<<"$output")" -eq "$counted" ]
	[[ $output != *'not ok'* && $output != *'# note'* ]]
	# It is said of those that jump.
	[ "$(grep -c ': jumps$' <<<"$output")" -eq "$(grep -c $'\tjumps$' "$changed")" ]
}

@test "bench: a row that grew by more than 5 % fails and names itself, one that shrank asks for counts to be written anew" {
	change_counts 90
	check_counts "$changed" "$ROOT/test/bench/counts.txt"
	[ "$status" -eq 1 ]
	[ "$(grep -c '^not ok ' <<<"$output")" -eq 1 ]
	[[ $output == *"not ok "*" $row: "*" % more than "* ]]

	change_counts 96
	check_counts "$changed" "$ROOT/test/bench/counts.txt"
	[ "$status" -eq 0 ]
	[[ $output != *'# note'* ]]

	change_counts 110
	check_counts "$changed" "$ROOT/test/bench/counts.txt"
	[ "$status" -eq 0 ]
	[[ $output == *"# note: $row: "*" % less than "*"make bench-counts-update"* ]]
}

@test "bench: a row that is gone fails, one that can't be measured is skipped, a new one is told" {
	local other
	change_counts 100
	other=$BATS_TEST_TMPDIR/other.txt
	awk -F '\t' '!done && $4 ~ /^[0-9]+$/ { done = 1; next } { print }' "$changed" >"$other"
	check_counts "$changed" "$other"
	[ "$status" -eq 1 ]
	[[ $output == *"not ok "*" $row: it is gone"* ]]
	check_counts "$other" "$changed"
	[ "$status" -eq 0 ]
	[[ $output == *"# note: $row is new"* ]]
	printf '%s\t-\tnot measured: because\n' "$(awk -F '\t' -v OFS='\t' '$4 ~ /^[0-9]+$/ { print $1, $2; exit }' "$changed")" >>"$other"
	check_counts "$changed" "$other"
	[ "$status" -eq 0 ]
	[[ $output == *"ok "*" $row # skip not measured: because"* ]]
}

@test "bench: counts of another compiler are not held, and files without counts are refused" {
	change_counts 90
	sed -i 's/^# compiler: .*/# compiler: another one/' "$changed"
	check_counts "$ROOT/test/bench/counts.txt" "$changed"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 1..1 ]
	[[ ${lines[1]} == 'ok 1 '*' # skip '*'compiler '*'another one' ]]
	: >"$changed"
	check_counts "$ROOT/test/bench/counts.txt" "$changed"
	[ "$status" -eq 2 ]
	check_counts "$changed" "$ROOT/test/bench/counts.txt"
	[ "$status" -eq 2 ]
	echo 'not a row' >"$changed"
	check_counts "$ROOT/test/bench/counts.txt" "$changed"
	[ "$status" -eq 2 ]
}
