#!/usr/bin/env bats
# `nubrun dump`: regions and memory of snapshots and cores, cores made of snapshots; `inspect` of cores; bad files.

load helper

setup_file() {
	has_kvm || [ "${NUBRUN_ENGINE-}" = process ] || return 0
	cd "$BATS_FILE_TMPDIR"
	for cow in host guest; do
		"$NUBRUN" snapshot -q --cow $cow --until-checkpoint -o $cow.snap \
			"$GUESTS/checkpoint.elf" >/dev/null
	done
	"$NUBRUN" run -q --core core "$GUESTS/crash.elf" ud2 >/dev/null || true
}

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	D=$BATS_FILE_TMPDIR
}

# The regions that dump tells of, as "TYPE FLAGS SIZE SPACE" lines.
regions() { # FILE
	"$NUBRUN" dump --json "$1" | jq -r '.regions[] | "\(.type) \(.flags) \(.size) \(.space)"'
}

@test "dump: lists crash regions with types and rights, the same for both policies (R32)" {
	local cow
	for cow in host guest; do
		nub dump "$D/$cow.snap"
		[ "$status" -eq 0 ]
		[[ $output == *R-X*code*RW-*heap*RW-*stack*scratch* ]]
		regions "$D/$cow.snap" | grep -v Scratch >$cow
		grep -qx 'Heap RW- 1048576 0' $cow
		grep -qx 'Stack RW- 262144 0' $cow
		grep -qx 'Peb R-- 4096 0' $cow
		# Code by segment: R--, R-X, R--, RW-.
		[ "$(awk '$1 == "Code" { print $2 }' $cow | paste -sd' ')" = "R-- R-X R-- RW-" ]
	done
	cmp host guest
}

@test "dump: of several spaces each one's own is told, what they share once (R32)" {
	only_kvm
	nub snapshot -o snap --until-checkpoint "$GUESTS/two-spaces.elf"
	ended 0 ok
	regions snap >told
	[ "$(awk '$4 == 1' told | wc -l)" -eq 1 ]
	grep -qx 'Snapshot RW- 4096 1' told
	grep -qx 'Snapshot RW- 4096 0' told
	nub dump snap
	[[ $output == *space*guest-virtual* ]]
}

@test "dump: --json says what it is" {
	nub dump --json "$D/host.snap"
	holds '.schema == 1 and .kind == "snapshot" and .reason == "snapshot" and .generation == 1 and (.registers | length) == 18
		and (.guest.path | endswith("checkpoint.elf")) and (.guest.build_id | length) == 40' "$output"
	holds '[.backtrace[].symbol] | index("main") != null' "$output"
	nub dump --json "$D/core"
	holds '.kind == "core" and .reason == "crash" and .crash.kind == "exception" and .crash.name == "#UD"
		and .crash.symbol == "ud2" and .backtrace[1].symbol == "crash"' "$output"
}

@test "dump: --map draws, highest address on top" {
	nub dump --map "$D/core"
	[ "$status" -eq 0 ]
	[[ $output == *scratch*stack*heap*code*"null guard"* ]]
}

@test "dump: --read is a hex dump, --raw the bytes; lengths have units (R33)" {
	local gva
	gva=$("$NUBRUN" dump --json "$D/core" | jq -r '.guest.image_base')
	nub dump --read "$gva:20" "$D/core"
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
	[ "${lines[0]}" = "0000000000400000  7f 45 4c 46 02 01 01 00  00 00 00 00 00 00 00 00  |.ELF............|" ]
	[ "${lines[1]}" = "0000000000400010  02 00 3e 00                                       |..>.|" ]
	"$NUBRUN" dump --raw --read "$gva:4K" "$D/core" | cmp - <(head -c 4096 "$GUESTS/crash.elf")
	"$NUBRUN" dump --raw --read "$gva:0x1000" "$D/core" | cmp - <(head -c 4096 "$GUESTS/crash.elf")
	# Over the border of two regions.
	"$NUBRUN" dump --raw --read "$((gva + 4088)):16" "$D/core" | cmp - <(tail -c +4089 "$GUESTS/crash.elf" | head -c 16)
	# The same bytes out of a snapshot, by both policies.
	cmp <("$NUBRUN" dump --raw --read "$gva:8K" "$D/host.snap") <("$NUBRUN" dump --raw --read "$gva:8K" "$D/guest.snap")
}

@test "dump: each read that can't be is an error of its own, in cores and snapshots (R33)" {
	local file heap end
	for file in "$D/core" "$D/host.snap" "$D/guest.snap"; do
		nub dump --read 0:16 "$file"
		refused 125 gva-unmapped '*nothing is mapped at gva 0x0'
		nub dump --read 0x7fffffffffff:1 "$file"
		refused 125 gva-unmapped '*0x7fffffffffff'
		heap=$("$NUBRUN" dump --json "$file" | jq -r '.regions[] | select(.type == "Heap").gva' | head -n 1)
		end=$((heap + (1 << 20)))
		nub dump --read "$((end - 8)):16" "$file"
		refused 125 gva-hole "*nothing is mapped at $(printf '0x%x' $end) in it"
		[ -z "$output" ]
		nub dump --read 0x800000000000:1 "$file"
		refused 125 page-argument '*not in the canonical address space'
		nub dump --read 0x7ffffffffff8:16 "$file"
		refused 125 page-argument '*not in the canonical*'
		nub dump --read 0xffffffffffffffff:1 "$file"
		refused 125 gva-unmapped '*0xffffffffffffffff'
		nub dump --read 0xfffffffffffff000:8K "$file"
		refused 125 page-argument '*not in the canonical*'
		nub dump --read 0x400000:0xffffffffffffffff "$file"
		refused 125 page-argument '*18446744073709551615 bytes*'
		# Scratch, where the engine has it.
		nub dump --read "$("$NUBRUN" dump --json "$file" | jq -r '[.regions[] | select(.type == "Scratch")][0].gva'):1" "$file"
		[ "$status" -eq 0 ]
	done
}

@test "dump: --core makes a core of a snapshot that gdb opens, and that tells the same" {
	local cow entry
	entry=$(readelf -h "$GUESTS/checkpoint.elf" | sed -n 's/.*Entry point address: *//p')
	[ -n "$entry" ]
	for cow in host guest; do
		nub dump --core core.$cow "$D/$cow.snap"
		[ "$status" -eq 0 ]
		[ -z "$output$stderr" ]
		gdb -nx -batch -ex bt "$GUESTS/checkpoint.elf" core.$cow >out 2>&1
		grep -qE '^#[0-9]+ .*main \(.*\) at guests/checkpoint.c' out
		cmp <(regions core.$cow) <(regions "$D/$cow.snap")
		LC_ALL=C eu-readelf -a core.$cow >out 2>err
		[ ! -s err ]
		# Without the entry point, gdb can't tell where a relocated guest is.
		grep -q "ENTRY: $entry\$" out
		holds ".guest.entry == \"$entry\"" "$("$NUBRUN" dump --json core.$cow)"
	done
	nub dump --core again core.host
	refused 125 state '*is a core already'
	nub dump --core missing/core "$D/host.snap"
	refused 125 io '*missing/core*'
}

@test "dump: a snapshot comes from stdin, too" {
	capture bash -c 'cat "$1" | "$2" dump --json -' - "$D/host.snap" "$NUBRUN"
	[ "$status" -eq 0 ]
	holds '.kind == "snapshot" and (.regions | length) > 8' "$output"
}

@test "dump: options that contradict each other, and lengths that are none, are refused" {
	nub dump --json --map "$D/core"
	refused 125 usage '*2 answers at once'
	nub dump --raw "$D/core"
	refused 125 usage '*--raw*'
	nub dump --read 0x400000 "$D/core"
	refused 125 usage '*no length'
	nub dump --read 0x400000:0 "$D/core"
	[ "$status" -eq 125 ]
	nub dump --read 0x400000:0x0 "$D/core"
	refused 125 usage '*length of 0*'
	nub dump --read zero:1 "$D/core"
	[ "$status" -eq 125 ]
	nub dump
	refused 125 usage '*operand is missing*'
}

@test "dump: other files are refused by what they are" {
	nub dump "$GUESTS/hello.elf"
	refused 126 core-magic '*type 2, cores have type 4'
	echo text >text
	nub dump text
	refused 126 snapshot-magic '*'
	nub dump missing
	refused 127 not-found '*missing*'
	nub dump .
	[ "$status" -eq 126 ]
	# A core, but of another program.
	python3 - "$D/core" other <<-'END'
		import sys
		data = open(sys.argv[1], "rb").read()
		open(sys.argv[2], "wb").write(data.replace(b"nub\0\1\0\0\0", b"bun\0\1\0\0\0"))
	END
	nub dump other
	refused 126 core-no-note '*not of a guest*'
	nub inspect other
	refused 126 core-no-note '*'
}

@test "dump: cores and snapshots that are cut short are refused, at any length" {
	local size length
	size=$(stat -c %s "$D/core")
	for length in 3 4 40 63 64 100 800 848 900 2000 3000 4096 8191 $((size - 4096)) $((size - 1)); do
		head -c $length "$D/core" >short
		nub dump short
		[ "$status" -eq 126 ]
		[[ $(field .error.code) == core-truncated || $length -lt 4 ]]
		nub dump --read 0x400000:1 short
		[ "$status" -eq 126 ]
	done
	size=$(stat -c %s "$D/host.snap")
	for length in 0 7 255 256 4096 $((size / 2)) $((size - 1)); do
		head -c $length "$D/host.snap" >short
		nub dump short
		[ "$status" -eq 126 ]
		nub dump --core out short
		[ "$status" -eq 126 ]
		[ ! -e out ]
	done
}

@test "dump: control characters in a core do not reach the terminal" {
	python3 - "$D/core" evil <<-'END'
		import sys
		data = open(sys.argv[1], "rb").read()
		open(sys.argv[2], "wb").write(data.replace(b"/crash.elf", b"/\x1b[31m\x07\x9b\xff\xfe"))
	END
	nub dump evil
	[ "$status" -eq 0 ]
	[[ $output != *$'\e'* && $output != *$'\a'* ]]
	nub dump --json evil
	[[ $output != *$'\e'* && $output != *$'\a'* ]]
	holds '.guest.path | length > 0' "$output"
}

@test "inspect: a core is told: why, of what, where, and how it came there" {
	nub inspect "$D/core"
	[ "$status" -eq 0 ]
	[[ $output == *'core of a guest that crashed'*'invalid instruction'*'crash.elf'*'build id'*'call stack'*ud2*main*memory:* ]]
	nub inspect --json "$D/core"
	holds '.kind == "core"' "$output"
	nub inspect --map "$D/core"
	[[ $output == *scratch*heap* ]]
	nub inspect --heap 1M "$D/core"
	refused 125 usage '*--heap*core*'
}
