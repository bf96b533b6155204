#!/usr/bin/env bats
# `nubrun inspect`: what is said of a guest from its file alone. No KVM is needed.

load helper

@test "inspect: says type, base, entry, ABI, level, segments and functions" {
	nub inspect "$GUESTS/calc.elf"
	[ "$status" -eq 0 ]
	[ "$stderr" = "" ]
	[[ $output == *"type          static guest"* ]]
	[[ $output == *"guest ABI     1"* ]]
	[[ $output == *"privilege     level 3"* ]]
	[[ $output == *"build id      "[0-9a-f]* ]]
	[[ $output == *"R-X"*"functions"* ]]
	[[ $output == *"  add(i64, i64) -> i64"* ]]
	[[ $output == *"  nothing() -> void"* ]]
	[[ $output == *"  sum_ten(i32, u32, i64, u64, f32, f64, bool, string, bytes, i32) -> f64"* ]]
	nub inspect "$GUESTS/hello.pie.elf"
	[[ $output == *"static-pie guest"*"0x500140000000"*"functions: none"* ]]
}

@test "inspect: --json says the same, and readelf agrees" {
	local file="$GUESTS/calc.elf" entry
	nub inspect --json "$file"
	[ "$status" -eq 0 ]
	[ "$(jq -r .guest.type <<<"$output")" = static ]
	entry=$(readelf -hW "$file" | sed -n 's/ *Entry point address: *//p')
	[ "$(jq -r .guest.entry <<<"$output")" = "$entry" ]
	[ "$(jq '.segments | length' <<<"$output")" -eq "$(readelf -lW "$file" | grep -c '^ *LOAD')" ]
	[ "$(jq -r '.functions[] | select(.name == "add") | .prototype' <<<"$output")" = "add(i64, i64) -> i64" ]
	[ "$(jq -c '.functions[] | select(.name == "add") | [.params, .result]' <<<"$output")" = '[["i64","i64"],"i64"]' ]
	[ "$(jq -r .guest.build_id <<<"$output")" = "$(readelf -n "$file" | sed -n 's/.*Build ID: //p')" ]
}

@test "inspect: the memory of the plan is contiguous and in the order of R3 (R1 R3 R4 R6 R10)" {
	echo data >"$BATS_TEST_TMPDIR/data"
	nub inspect --json --init-data "$BATS_TEST_TMPDIR/data" "$GUESTS/hello.elf"
	[ "$(jq -c '[.memory[].type] | [foreach .[] as $t (null; if . == $t then $t else $t end)] |
		reduce .[] as $t ([]; if .[-1] == $t then . else . + [$t] end)' <<<"$output")" = \
		'["Code","Peb","Heap","InitData","Guard","Stack","PageTables","Scratch"]' ]
	# Numbers of 36 bits: printf reads what jq can't.
	local gpa size end=$((0x1000)) type
	while read -r type gpa size; do
		[ "$type" = Scratch ] || [ $((gpa)) -eq "$end" ]
		[ $((gpa % 4096)) -eq 0 ]
		[ $((size % 4096)) -eq 0 ]
		end=$((gpa + size))
	done < <(jq -r '.memory[] | "\(.type) \(.gpa) \(.size)"' <<<"$output")
	[ "$end" -eq $((0xfffffffff + 1)) ]
}

@test "inspect: flags of the memory are the segments' (R11)" {
	nub inspect --json "$GUESTS/hello.elf"
	[ "$(jq -c '[.memory[] | select(.type == "Code") | .flags]' <<<"$output")" = \
		"$(jq -c '[.segments[].flags]' <<<"$output")" ]
	[ "$(jq '[.memory[] | select(.flags | test("WX"))] | length' <<<"$output")" -eq 0 ]
	[ "$(jq -r '.memory[] | select(.type == "Heap") | .flags' <<<"$output")" = RW- ]
	nub inspect --json --executable-heap "$GUESTS/hello.elf"
	[ "$(jq -r '.memory[] | select(.type == "Heap") | .flags' <<<"$output")" = RWX ]
}

@test "inspect: --map draws what --json says, highest address first, aligned" {
	nub inspect --json --heap 3M "$GUESTS/hello.elf"
	local json_rows
	json_rows=$(jq '.memory | length' <<<"$output")
	local heap
	heap=$(jq -r '.memory[] | select(.type == "Heap").gpa' <<<"$output")
	nub inspect --map --heap 3M "$GUESTS/hello.elf"
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == guest-physical*guest-virtual*size*flags* ]]
	# A row each, and one for the null guard.
	[ "$(grep -c '^0x' <<<"$output")" -eq $((json_rows + 1)) ]
	[ "$(grep '^0x' <<<"$output" | sort -r)" = "$(grep '^0x' <<<"$output")" ]
	[[ ${lines[-2]} == 0x0000000000000000*---*"null guard: no memory"* ]]
	[[ $output == *"$(printf '0x%016x' "$heap")"*"3 MiB  RW-"*"heap"* ]]
	[ "$(sed 1d <<<"$output" | awk '{ print length }' | sort -u | wc -l)" -eq 1 ]
}

@test "inspect: what can't be a guest is refused as run refuses it" {
	nub inspect "$BATS_TEST_TMPDIR/missing"
	refused 127 not-found '*missing*'
	[ "$(field .command)" = inspect ]
	nub inspect --json /etc/passwd
	refused 126 elf-magic '*'
	[ "$output" = "" ]
}
