#!/usr/bin/env bats
# Pictures of the address space: --map in colour, --svg as valid XML that says the same.

load helper

setup() {
	SVG=$BATS_TEST_TMPDIR/picture.svg
}

# The picture is XML, of this many elements of a kind.
elements() { # NAME
	python3 -c 'import sys, xml.dom.minidom as dom
print(len(dom.parse(sys.argv[1]).getElementsByTagName(sys.argv[2])))' "$SVG" "$1"
}

# What stands in the picture, a text a line.
texts() {
	elements svg >"$BATS_TEST_TMPDIR/count"
	sed -n 's/^<text[^>]*>\(.*\)<\/text>$/\1/p' "$SVG"
}

# nubrun on a terminal: its output in $output.
on_terminal() { # ENV... -- ARG...
	local -a vars=()
	while [ "$1" != -- ]; do
		vars+=("$1")
		shift
	done
	shift
	output=$(env -u NO_COLOR TERM=xterm "${vars[@]}" script -qec "$(printf '%q ' "$NUBRUN" "$@")" /dev/null </dev/null)
}

@test "picture: --map is coloured by permission on a terminal, and only there" {
	local plain
	plain=$("$NUBRUN" inspect --map "$GUESTS/hello.elf")
	[[ $plain != *$'\e'* ]]
	on_terminal -- inspect --map "$GUESTS/hello.elf"
	[[ $output == *$'\e[33mR-X '* && $output == *$'\e[32mRW- '* && $output == *$'\e[34mR-- '* && $output == *$'\e[2m--- '* ]]
	[[ $output == *$'\e[32mheap'* ]]
	# Without the colours it is the same drawing.
	[ "$(sed 's/\x1b\[[0-9;]*m//g; s/\r$//' <<<"$output")" = "$plain" ]
	on_terminal -- inspect --map --executable-heap "$GUESTS/hello.elf"
	[[ $output == *$'\e[1;31mRWX '* ]]
	on_terminal NO_COLOR=1 -- inspect --map "$GUESTS/hello.elf"
	[[ $output != *$'\e'* ]]
	on_terminal NO_COLOR= -- inspect --map "$GUESTS/hello.elf"
	[[ $output == *$'\e'* ]]
	on_terminal TERM=dumb -- inspect --map "$GUESTS/hello.elf"
	[[ $output != *$'\e'* ]]
}

@test "picture: --svg has every region that --json has, with its addresses, size and permissions" {
	nub inspect --svg "$SVG" --json --init-data "$NUBRUN" --executable-heap "$GUESTS/hello.pie.elf"
	[ "$status" -eq 0 ]
	local all start size flags
	all=$(texts)
	while read -r start size flags; do
		grep -qxF "$(printf '0x%016x – 0x%016x' "$start" $((start + size - 1)))" <<<"$all"
		[ "$(grep -cxF -- "$flags" <<<"$all")" -ge 2 ]
	done < <(jq -r '.memory[] | "\(.gva // .gpa) \(.size) \(.flags)"' <<<"$output")
	local name
	for name in "Memory of $GUESTS/hello.pie.elf" "program code" constants variables PEB heap "init data" "guard page" \
		stack rings "messages to and from the host" "monitor, CPU tables" "page tables" "null guard" Scratch Data Program "Null page" "The guest may" \
		"RWX all three"; do
		grep -qxF "$name" <<<"$all"
	done
	# No page was touched, since nothing ran.
	run ! grep -q Pages <<<"$all"
}

@test "picture: --svg alone prints nothing; with --map it prints the map" {
	nub inspect --svg "$SVG" "$GUESTS/hello.elf"
	[ "$status" -eq 0 ]
	[ "$output$stderr" = "" ]
	nub inspect --svg "$SVG" --map "$GUESTS/hello.elf"
	[[ $output == guest-physical* ]]
	nub inspect --svg - "$GUESTS/hello.elf"
	[[ $output == '<?xml'*'</svg>' ]]
}

@test "picture: it refers to nothing outside, and needs no script" {
	nub inspect --svg "$SVG" "$GUESTS/hello.elf"
	run ! grep -qE 'href|<script|@import|<image|url\([^#]' "$SVG"
	[ "$(elements svg)" -eq 1 ]
	[ "$(elements title)" -eq 1 ]
}

@test "picture: boxes of a part lie one on another, to scale but for the small ones" {
	nub inspect --svg "$SVG" --heap 8M --stack 4M "$GUESTS/hello.elf"
	local -a y=() height=() fill=()
	local i end
	# The boxes of the column, from the top down: Scratch (2), stack, guard page, heap ...
	while read -r top tall colour; do
		y+=("${top/./}") height+=("${tall/./}") fill+=("$colour")
	done < <(sed -nE 's/^<rect x="300.0" y="([0-9.]+)" width="110.0" height="([0-9.]+)" fill="([^"]+)".*/\1 \2 \3/p' "$SVG")
	[ "${#y[@]}" -eq 12 ]
	for i in 2 3; do
		end=$((y[i] + height[i] - y[i + 1]))
		[ "${end#-}" -le 1 ]
	done
	[ "${height[3]}" -eq 160 ]
	[ "${fill[3]}" = 'url(#none)' ]
	end=$((height[4] - 2 * height[2]))
	[ "${end#-}" -le 2 ]
}

@test "picture: a run shows the pages that it touched" {
	needs_kvm
	nub run --svg "$SVG" "$GUESTS/heap.elf"
	ended 0 ok
	texts | grep -qx '256 of 256 pages touched'
	nub run --svg "$SVG" "$GUESTS/hello.elf"
	ended 0 ok
	texts | grep -qx '0 of 256 pages touched'
	texts | grep -qx Pages
	run ! grep -q 'stack pointer' "$SVG"
}

@test "picture: a crash is told, and marked in its place" {
	needs_kvm
	local all sentence
	nub run --svg "$SVG" "$GUESTS/crash.elf" null
	ended 134 guest-crash
	sentence=$(field .crash.message)
	all=$(texts)
	grep -qxF "$sentence" <<<"$all"
	grep -qx 'at null+0x.*' <<<"$all"
	grep -qx 'write 0x0' <<<"$all"
	grep -qx 'stack pointer' <<<"$all"
	nub run --svg "$SVG" --heap 64M "$GUESTS/crash.pie.elf" recursion
	all=$(texts)
	grep -qxF "write $(field .crash.address)" <<<"$all"
	grep -qx '64 of 64 pages touched' <<<"$all"
	# Its line crosses the guard page's box.
	local guard mark
	guard=$(sed -nE 's/^<rect x="300.0" y="([0-9]+).*" height="16.0" fill="url\(#none\)".*/\1/p' "$SVG" | head -n 1)
	mark=$(sed -nE 's/^<path d="M272.0 [0-9.]+L286.0 ([0-9]+)[0-9.]*H410.0" fill="none" stroke="#be123c".*/\1/p' "$SVG" | sort -n | head -n 1)
	[ "$mark" -ge "$guard" ]
	[ "$mark" -le $((guard + 16)) ]
	nub run --svg "$SVG" "$GUESTS/crash.elf" bad-port
	texts | grep -q '^at bad_port'
}

@test "picture: text from outside can't break the file" {
	needs_kvm
	local odd=$BATS_TEST_TMPDIR/$'<a&b>"\x01\xff'.elf
	cp "$GUESTS/hello.elf" "$odd"
	nub inspect --svg "$SVG" "$odd"
	[ "$status" -eq 0 ]
	texts | grep -qF '/&lt;a&amp;b&gt;"\x01�.elf'
	nub run --svg "$SVG" "$TEST_GUESTS/abort-parts.elf"
	[ "$(elements svg)" -eq 1 ]
}

@test "picture: where it can't be written, nothing runs" {
	nub inspect --svg "$BATS_TEST_TMPDIR/no/picture" "$GUESTS/hello.elf"
	refused 125 io '--svg: *: No such file or directory'
	needs_kvm
	nub run --svg "$BATS_TEST_TMPDIR/no/picture" "$GUESTS/hello.elf"
	refused 125 io '--svg: *: No such file or directory'
	[ "$output" = "" ]
	nub run --svg /dev/full "$GUESTS/hello.elf"
	refused 125 io '--svg: /dev/full: No space left on device'
}

@test "picture: a restored guest's shows what has changed since the snapshot; an inspected one what it holds" {
	only_kvm
	local snap=$BATS_TEST_TMPDIR/echo.snap restored=$BATS_TEST_TMPDIR/restored
	local cow
	# Whoever copies a page: it is shown where the guest sees it.
	for cow in guest host; do
		nub snapshot -o "$snap" --cow "$cow" "$GUESTS/echo.elf"
		[ "$status" -eq 0 ]
		nub restore --svg "$SVG" --call make_bytes "$snap" 8192
		ended 0 ok
		texts | grep -qx 'changed since the snapshot'
		texts | grep -qE '^[0-9]+ of 256 pages touched, [2-9] changed$'
		# What a run's has, by the same names and at the same addresses.
		texts | grep -E '^(Scratch|rings|monitor, CPU tables|page tables|0xf.*)$' >"$restored"
		nub run --svg "$SVG" --cow "$cow" --call make_bytes "$GUESTS/echo.elf" 8192
		texts | grep -E '^(Scratch|rings|monitor, CPU tables|page tables|0xf.*)$' | diff - "$restored"
		[ "$(wc -l <"$restored")" -ge 5 ]
	done
	nub inspect --svg "$SVG" "$snap"
	[ "$status" -eq 0 ]
	[ "$output" = "" ]
	texts | grep -qx heap
	texts | grep -qx rings
	run ! grep -q Pages "$SVG"
	on_terminal -- inspect --map "$snap"
	[[ $output == *$'\e[32mheap'* ]]
	[ "$(sed 's/\x1b\[[0-9;]*m//g; s/\r$//' <<<"$output")" = "$("$NUBRUN" inspect --map "$snap")" ]
	nub inspect --diff "$snap" --svg "$SVG" "$snap"
	refused 125 usage '--diff: goes with no other option but --json'
}

@test "picture: a Linux program's shows what it has mapped, by the names of files and the kernel's" {
	needs_kvm
	local programs=${GUESTS%/guests}/test/linux all
	nub run --rootfs / --svg "$SVG" "$programs/debugged.dynamic"
	ended 5 guest-exit
	all=$(texts)
	grep -qx 'debugged.dynamic: code' <<<"$all"
	grep -qx 'debugged.dynamic: variables' <<<"$all"
	grep -qx 'libc.so.6: code' <<<"$all"
	grep -qx 'ld-linux-x86-64.so.2: constants' <<<"$all"
	for name in Program Files Stack stack heap 'vdso: clocks without a call' 'what the vdso reads'; do
		grep -qxF "$name" <<<"$all"
	done
	# The stack's limit is 8 MiB, of which it used little.
	grep -qE '^[1-9][0-9]? of 2048 pages touched$' <<<"$all"
	run ! grep -qE '^(Scratch|rings|page tables)$' <<<"$all"
	nub run --svg "$SVG" "$programs/debugged" crash
	ended 134 guest-crash
	all=$(texts)
	grep -qx 'crashed by SIGSEGV, at crash+0x.*' <<<"$all"
	grep -qx 'at crash+0x.*' <<<"$all"
	grep -qx 'write 0x8' <<<"$all"
	grep -qx 'no access: reserved, or a guard' <<<"$all"
}

@test "picture: a thawed Linux program's shows what has changed; an inspected one what it has" {
	needs_kvm
	local snap=$BATS_TEST_TMPDIR/program.snap changed command
	nub snapshot -o "$snap" --until-output ready "${GUESTS%/guests}/test/linux/frozen"
	ended 0 ok
	nub restore --svg "$SVG" "$snap"
	ended 7 guest-exit
	texts | grep -qx 'changed since the snapshot'
	# Its stacks, and little of the rest: its code and constants are as they were.
	texts | grep -qx 'code'
	changed=$(texts | sed -nE 's/^[0-9]+ of [0-9]+ pages touched, ([0-9]+) changed$/\1/p' | awk '{ sum += $1 } END { print sum }')
	[ "$changed" -ge 4 ]
	[ "$changed" -le 60 ]
	texts | grep -B 8 -A 4 -x code | grep -qE '^[0-9]+ of [0-9]+ pages touched$'
	for command in inspect dump; do
		nub "$command" --svg "$SVG" "$snap"
		[ "$status" -eq 0 ]
		texts | grep -qx Program
		texts | grep -qx stack
		run ! grep -q -e '>rings' -e '>Scratch<' -e '>monitor' "$SVG"
	done
}

@test "picture: stdout is for one thing" {
	nub run --svg - --status - "$GUESTS/hello.elf"
	json=$output refused 125 usage '--svg: stdout is where the status goes'
	needs_kvm
	nub run --svg - "$GUESTS/hello.elf"
	ended 0 ok
	[[ $output == '<?xml'*'</svg>' ]]
	[[ ${stderr_lines[0]} == Hello* ]]
}

@test "picture: dump and inspect draw a core, with its crash, and a snapshot (R32)" {
	only_kvm
	local core=$BATS_TEST_TMPDIR/core snap=$BATS_TEST_TMPDIR/one.snap all command
	nub run --core "$core" "$GUESTS/crash.elf" null
	ended 134 guest-crash
	for command in dump inspect; do
		nub "$command" --svg "$SVG" "$core"
		[ "$status" -eq 0 ]
		[ "$output" = "" ]
		all=$(texts)
		grep -qx 'write to 0x0 (the null page) at null+0x.*: page fault' <<<"$all"
		grep -qx 'write 0x0' <<<"$all"
		grep -qx 'at null+0x.*' <<<"$all"
		# Page tables know of no such page; who looks for a stack overflow does. The host has three stacks.
		[ "$(grep -cx 'guard page' <<<"$all")" -eq 4 ]
		grep -qx metadata <<<"$all"
		grep -qx 'CPU tables' <<<"$all"
		# Its constants' first page is its ELF header's; the heap is empty.
		grep -qx '0 of 256 pages with contents' <<<"$all"
		[ "$(grep -cx '1 of 1 pages with contents' <<<"$all")" -ge 3 ]
		grep -q 'what was touched or changed is not known of a core' <<<"$all"
	done
	nub snapshot -o "$snap" "$GUESTS/echo.elf"
	nub dump --svg "$SVG" "$snap"
	[ "$status" -eq 0 ]
	texts | grep -qx stack
	texts | grep -q 'what changed is not known without a base'
	nub dump --svg "$SVG" --json "$snap"
	refused 125 usage 'dump: --read, --core, --map, --svg and --json are 2 answers at once'
	on_terminal -- dump --map "$core"
	[[ $output == *$'\e[33mR-X '* ]]
}

@test "picture: dump shows which pages a layer changed, and which have contents" {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	nub snapshot -o one.snap "$GUESTS/echo.elf"
	nub snapshot -o two.snap --base one.snap --call make_bytes one.snap 60000
	ended 0 ok
	nub inspect --json --diff one.snap two.snap
	local pages
	pages=$(jq .pages <<<"$output")
	[ "$pages" -ge 14 ]
	nub dump --svg "$SVG" two.snap
	[ "$status" -eq 0 ]
	texts | grep -qx 'changed since the base'
	run ! grep -q 'is not known' "$SVG"
	texts | sed -nE 's/^[0-9]+ of [0-9]+ pages with contents, ([0-9]+) changed$/\1/p' >changed
	[ "$(awk '{ sum += $1 } END { print sum }' changed)" -eq "$pages" ]
	# From a pipe, and as one file, which has no base any more.
	"$NUBRUN" snapshot -q --flatten -o - two.snap | "$NUBRUN" dump --svg "$SVG" -
	run ! grep -qE '[0-9] changed' "$SVG"
	texts | grep -qE '^1[0-9] of 256 pages with contents$'
}
