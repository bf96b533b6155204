#!/usr/bin/env bats
# `nubrun inspect` of snapshots: what they hold and need, and where two differ.

# shellcheck disable=SC2034 # json is what field reads

load helper
load snapshot_helper

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
}

@test "inspect: a snapshot's regions, sizes, generation, hash, next action, functions, CPU features (R10 R27 R28)" {
	local cow
	for cow in $(policies); do
		save a.snap --cow "$cow" --heap 4M "$GUESTS/calc.elf"
		nub inspect a.snap
		[ "$status" -eq 0 ]
		[ "$stderr" = "" ]
		[[ $output == *"snapshot      format 1, generation 1"* ]]
		[[ $output == *"hash          "[0-9a-f]*"next          call"*"copies pages  the $cow"* ]]
		[[ $output == *"guest         $GUESTS/calc.elf"*"static guest"* ]]
		[[ $output == *"4 MiB           0  RW-   heap"* ]]
		[[ $output == *"  add(i64, i64) -> i64"* ]]
		[[ $output == *"host functions: none"*"CPU features"*SSE2*AVX2* ]]
	done
}

@test "inspect: --json of a snapshot says the same as the guest's own" {
	save a.snap "$GUESTS/calc.pie.elf"
	nub inspect --json --verify a.snap
	[ "$status" -eq 0 ]
	json=$output
	[ "$(field '[.schema, .kind, .verified, .spaces] | join(" ")')" = "1 snapshot true 1" ]
	[ "$(field '.snapshot | [.generation, .next, .cow, .format_version, .layers] | join(" ")')" = "1 call host 1 1" ]
	[ "$(field '.snapshot.hash | test("^[0-9a-f]{32}$")')" = true ]
	[ "$(field .snapshot.stored_size)" -eq "$(stored a.snap)" ]
	[ "$(field .functions)" = "$("$NUBRUN" inspect --json "$GUESTS/calc.pie.elf" | jq -r .functions)" ]
	[ "$(field .guest.build_id)" = "$(readelf -n "$GUESTS/calc.pie.elf" | sed -n 's/.*Build ID: //p')" ]
	[ "$(field '[.memory[] | .stored <= .size] | all')" = true ]
	[ "$(field '[.memory[] | select(.gpa != null)] | length')" -eq 0 ]
	# The file stores regions, tables and its own pages.
	[ "$(field '([.memory[].stored] | add) <= .snapshot.stored_size')" = true ]
	[ "$(field '[.memory[].stored] | add')" -ge 40960 ]
}

@test "inspect: what was written is stored, what was not is not" {
	save a.snap --heap 16M "$GUESTS/heap.elf"
	[ "$(about a.snap '.memory[] | select(.type == "Heap").stored')" -le 8192 ]
	save b.snap --call make_bytes --output 256K "$GUESTS/echo.elf" 100000 >/dev/null
	local heap
	heap=$(about b.snap '.memory[] | select(.type == "Heap").stored')
	[ "$heap" -ge 98304 ] && [ "$heap" -le 131072 ]
}

@test "inspect: --map draws a snapshot's regions, highest address first, aligned" {
	save a.snap "$GUESTS/hello.elf"
	nub inspect --map a.snap
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == guest-virtual*mapped*stored*flags* ]]
	[ "$(grep -c '^0x' <<<"$output")" -eq "$(about a.snap '.memory | length')" ]
	[ "$(grep '^0x' <<<"$output" | sort -r)" = "$(grep '^0x' <<<"$output")" ]
	[ "$(sed 1d <<<"$output" | awk '{ print length }' | sort -u | wc -l)" -eq 1 ]
}

@test "inspect: --diff says which pages differ, by region and symbol" {
	local cow
	for cow in $(policies); do
		save a.snap --cow "$cow" "$GUESTS/echo.elf"
		save b.snap --call echo_void a.snap >/dev/null
		nub inspect --diff a.snap b.snap
		[ "$status" -eq 0 ]
		[[ ${lines[0]} == *" pages differ, in "*" bytes" ]]
		[[ $output == *"code RW-: "*" calls: 1 byte"$'\n'* ]]
		nub inspect --json --diff a.snap b.snap
		json=$output
		[ "$(field .kind)" = diff ]
		[ "$(field '.parts[] | select(.region.type == "Code").symbols[] | select(.name == "calls").bytes')" -eq 1 ]
		[ "$(field '.pages == ([.parts[].pages] | add)')" = true ]
		[ "$(field '.bytes == ([.parts[].bytes] | add)')" = true ]
		[ "$(field '.parts | all(.pages == ([.ranges[].pages] | add) and .bytes == ([.ranges[].bytes] | add))')" = true ]
		[ "$(field '[.parts[].region.type] | contains(["Heap"])')" = false ]
		nub inspect --diff a.snap a.snap
		[ "$output" = "no page differs" ]
	done
}

@test "inspect: --diff of one byte says page and byte, not pages and bytes" {
	save a.snap "$GUESTS/echo.elf"
	cp a.snap b.snap
	# In the page with the ELF file's headers.
	poke b.snap $((0x1000 + 9)) '\7'
	nub inspect --diff a.snap b.snap
	[ "${lines[0]}" = "1 page differs, in 1 byte" ]
	[ "${lines[2]}" = "code R--: 1 page, 1 byte" ]
	grep -qE '^  0x0000000000400000 +1 page +1 byte$' <<<"$output"
}

@test "inspect: --verify shows how far it is on a terminal, once it takes a second, and a clean line after it" {
	save a.snap --heap 1G "$GUESTS/calc.elf"
	TERM=xterm script -qec "'$NUBRUN' inspect --verify a.snap" /dev/null </dev/null >out &
	local script=$! pid=
	# On any machine: it stands still in the middle.
	until pid=$(pgrep -P "$script" -x nubrun || pgrep -P "$(pgrep -P "$script")" -x nubrun); do
		kill -0 "$script"
	done
	sleep 0.05
	kill -STOP "$pid"
	sleep 1.2
	# script(1) stops with its child.
	kill -CONT "$pid" "$script"
	wait "$script"
	cat -v out
	[[ $(<out) == *$'\rverifying: '[0-9]*' of '[0-9]*' MiB, '[0-9]*' % '*$'\r\e[K'*'its memory matches its hash'* ]]
	# Not into a file.
	"$NUBRUN" restore --verify --call add a.snap 1 2 2>err >/dev/null
	run ! grep -q verifying err
}

@test "inspect: --diff finds a page wherever it is stored, and pages that one of them lacks" {
	save a.snap --call make_bytes --output 256K "$GUESTS/echo.elf" 1000 >/dev/null
	save b.snap --call make_bytes a.snap 100000 >/dev/null
	nub inspect --json --diff a.snap b.snap
	json=$output
	[ "$(field '.parts[] | select(.region.type == "Heap").pages')" -ge 24 ]
	[ "$(field '[.parts[] | select(.region.type == "Peb" or .region.flags == "R-X")] | length')" -eq 0 ]
	# A heap of another size: pages that are only in one of them.
	save c.snap --heap 2M "$GUESTS/echo.elf"
	save d.snap --heap 1M "$GUESTS/echo.elf"
	nub inspect --json --diff c.snap d.snap
	json=$output
	[ "$(field '[.parts[].only_first] | add')" -ge 256 ]
	nub inspect --diff d.snap c.snap
	[[ $output == *"pages only in the second"* ]]
}

@test "inspect: --diff does without symbols when the guest's file is another one" {
	cp "$GUESTS/echo.elf" guest.elf
	save a.snap guest.elf
	save b.snap --call echo_void a.snap >/dev/null
	nub inspect --diff a.snap b.snap
	[[ $output == *" calls: "* ]]
	cp "$GUESTS/hello.elf" guest.elf
	nub inspect --diff a.snap b.snap
	[ "$status" -eq 0 ]
	[[ $output != *" calls: "* ]]
	# A pipe of that name is not waited for.
	rm guest.elf
	mkfifo guest.elf
	nub inspect --diff a.snap b.snap
	[ "$status" -eq 0 ]
}

@test "inspect: options that say nothing about a snapshot, or a guest, are refused" {
	save a.snap "$GUESTS/hello.elf"
	nub inspect --heap 1M a.snap
	refused 125 usage '--heap: a.snap is a snapshot*'
	nub inspect --verify "$GUESTS/hello.elf"
	refused 125 usage '--verify: *is a guest*'
	nub inspect --base a.snap "$GUESTS/hello.elf"
	refused 125 usage '--base: *is a guest*'
	nub inspect --diff a.snap --map a.snap
	refused 125 usage '--diff*'
	nub inspect --diff a.snap
	refused 125 usage '*operand*'
	nub inspect --diff a.snap "$GUESTS/hello.elf"
	refused 126 snapshot-magic '*hello.elf*'
	nub inspect --diff missing a.snap
	refused 127 not-found '*missing*'
}

@test "inspect: a snapshot on stdin" {
	"$NUBRUN" snapshot -q -o - "$GUESTS/calc.elf" | "$NUBRUN" inspect --json --verify - >out
	[ "$(jq -r '[.kind, .snapshot.next] | join(" ")' out)" = "snapshot call" ]
}
