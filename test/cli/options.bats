#!/usr/bin/env bats
# Options: sizes, times, order, repetition; what is said about the wrong ones. Nothing here enters a virtual machine but where
# it says so.

load helper

setup() {
	HELLO=$GUESTS/hello.elf
}

@test "options: a size is a number of bytes, decimal or hexadecimal, or of K, M, G, T" {
	local size
	for size in 1048576 0x100000 1024K 1024k 1024KiB 1M 1m 1MiB; do
		echo "$size"
		nub inspect --json --heap "$size" "$HELLO"
		[ "$status" -eq 0 ]
		[ "$(jq '.memory[] | select(.type == "Heap").size' <<<"$output")" -eq 1048576 ]
	done
	nub inspect --json --heap=1G --stack=2M --input 8K --output 16K "$HELLO"
	[ "$(jq '.memory[] | select(.type == "Heap").size' <<<"$output")" -eq $((1 << 30)) ]
	[ "$(jq '.memory[] | select(.type == "Stack").size' <<<"$output")" -eq $((2 << 20)) ]
}

@test "options: a size that is none is refused, with what would do" {
	local option
	for option in heap stack scratch input output; do
		nub run "--$option" 0 "$HELLO"
		refused 125 size "--$option: '0' is zero"
		nub run "--$option" -4096 "$HELLO"
		refused 125 size "--$option: '-4096' is negative"
		nub run "--$option" '' "$HELLO"
		refused 125 size "--$option: its value is empty"
		nub run "--$option" big "$HELLO"
		refused 125 size "--$option: 'big' is not a number"
		nub run "--$option" 64Mx "$HELLO"
		refused 125 size "--$option: '64Mx' has 'Mx' after the number*"
		nub run "--$option" 64KB "$HELLO"
		refused 125 size "--$option: '64KB' has 'KB' after the number*"
		nub run "--$option" 1.5M "$HELLO"
		refused 125 size "--$option: '1.5M' has '.5M' after the number*"
		nub run "--$option" 18446744073709551616 "$HELLO"
		refused 125 size "--$option: '18446744073709551616' does not fit 64 bits"
		nub run "--$option" 17179869184G "$HELLO"
		refused 125 size "--$option: '17179869184G' does not fit 64 bits"
		nub run "--$option" 0x "$HELLO"
		refused 125 size "--$option: '0x' is not a number"
	done
}

@test "options: a region over the limit is refused with both numbers (R2)" {
	local option
	for option in heap stack scratch input output; do
		nub inspect "--$option" 17G "$HELLO"
		[ "$status" -eq 125 ]
		[ "$(field .error.code)" = memory-too-big ]
		# Asked and limit, each with all of its digits or in hexadecimal.
		[[ $(field .error.message) == *[0-9]*[!0-9]*[0-9]* ]]
		nub inspect "--$option" 0xfffffffffffffff8 "$HELLO"
		[ "$status" -eq 125 ]
		[ "$(field .status)" = error ]
	done
}

@test "options: a scratch region that is too small is refused with both numbers (R5)" {
	nub inspect --scratch 8K "$HELLO"
	refused 125 memory-too-small '*8192*'
}

@test "options: a time that is none is refused" {
	local time
	for time in '' abc -1 5x 1e3 1.2.3 ms 99999999999999999999h; do
		echo "$time"
		nub run --timeout "$time" "$HELLO"
		refused 125 usage '--timeout: *'
	done
}

@test "options: times have units, fractions, and 0 for none" {
	needs_kvm
	local time
	for time in 20 20s 20000ms 20000000us 0.5m .3m 1h 0 0.0s; do
		echo "$time"
		nub run --timeout "$time" "$HELLO"
		ended 0 ok
	done
	for time in 1us 0.0000001 0.001ms; do
		echo "$time"
		nub run --timeout "$time" "$GUESTS/spin.elf"
		ended 124 timeout
	done
}

@test "options: an unknown one is named, with the nearest" {
	nub run --haep 1M "$HELLO"
	refused 125 usage "unknown option '--haep'"
	[[ $(field .error.hint) == *"--heap"* ]]
	nub run --xyzzyxyzzy "$HELLO"
	refused 125 usage "unknown option '--xyzzyxyzzy'"
	nub run -x "$HELLO"
	refused 125 usage "unknown option '-x'"
	nub inspect --timeout 5 "$HELLO"
	refused 125 usage "unknown option '--timeout'"
}

@test "options: names are not abbreviated" {
	nub run --hea 1M "$HELLO"
	refused 125 usage "unknown option '--hea'"
}

@test "options: a value that is missing, or too much" {
	nub run --heap
	refused 125 usage "option '--heap' needs a value"
	nub run --quiet=yes "$HELLO"
	refused 125 usage "option '--quiet' takes no value, but got 'yes'"
	nub run --call= "$HELLO"
	refused 125 usage '--call: its value is empty'
	nub run --log-level loud "$HELLO"
	refused 125 usage "--log-level: 'loud' is not one of: off error warn info debug trace"
	nub run --log-format xml "$HELLO"
	refused 125 usage "--log-format: 'xml' is not one of: text json"
}

@test "options: short ones can be joined" {
	needs_kvm
	nub run -vvq "$HELLO"
	[ "$status" -eq 0 ]
	[ "$output" = "Hello from the guest!" ]
	[ "$stderr" = "" ]
}

@test "options: of one that is given twice, the last counts" {
	nub inspect --json --heap 2M --heap 4M "$HELLO"
	[ "$(jq '.memory[] | select(.type == "Heap").size' <<<"$output")" -eq $((4 << 20)) ]
}

@test "options: after the guest they are the guest's" {
	needs_kvm
	nub run "$GUESTS/args.elf" --quiet --no-such-option
	ended 2 guest-exit
}

@test "options: --repeat needs --call and a number that can be" {
	nub run --repeat 5 "$HELLO"
	refused 125 usage '--repeat: there is no function to call'
	local count
	for count in 0 -1 1000001 5x ''; do
		nub run --call add --repeat "$count" "$GUESTS/calc.elf" 1 2
		refused 125 usage '--repeat: *'
	done
}

@test "options: --seed takes 64 bits" {
	local seed
	for seed in -1 18446744073709551616 x 1x ''; do
		nub run --seed "$seed" "$HELLO"
		refused 125 usage '--seed: *'
	done
}

@test "options: --map wants a file, a page and a short label; 32 at most (R14)" {
	local file="$BATS_TEST_TMPDIR/f" i
	local -a maps=()
	echo x >"$file"
	nub run --map "$file" "$HELLO"
	refused 125 usage '*has no guest address*'
	nub run --map "$file@somewhere" "$HELLO"
	refused 125 usage '*has no guest address*'
	nub run --map @0x10000000 "$HELLO"
	refused 125 usage '*has no file*'
	nub run --map "$file@0x10000000000000000" "$HELLO"
	refused 125 file-mapping-address '*64 bits*'
	nub run --map "$file@0x10000000:$(printf 'l%.0s' {1..64})" "$HELLO"
	refused 125 file-mapping-label '*64 bytes, the limit is 63'
	for i in {1..33}; do
		maps+=(--map "$file@$((i << 28))")
	done
	nub run "${maps[@]}" "$HELLO"
	refused 125 file-mapping-limit '*limit reached \(32 of 32\)'
	nub run --map "$BATS_TEST_TMPDIR@0x10000000" "$HELLO"
	refused 125 usage '*is not a regular file'
	: >"$file"
	nub run --map "$file@0x10000000" "$HELLO"
	refused 125 usage '*is empty'
	nub run --map "$file.missing@0x10000000" "$HELLO"
	refused 127 not-found '*missing*'
}

@test "options: --map refuses an address that is odd, taken or not the guest's (R14)" {
	needs_kvm
	local file="$BATS_TEST_TMPDIR/f" address
	echo x >"$file"
	for address in 0x10000001 0 0x800000000000 0xffffffffffffe000 0x400000; do
		echo "$address"
		nub run --map "$file@$address" "$HELLO"
		refused 125 file-mapping-address '*'
	done
	nub run --map "$file@0x10000000" --map "$file@0x10000000" "$HELLO"
	refused 125 file-mapping-address '*'
}

@test "options: 32 files can be mapped (R14)" {
	needs_kvm
	local file="$BATS_TEST_TMPDIR/f" i
	local -a maps=()
	echo x >"$file"
	for i in {1..32}; do
		maps+=(--map "$file@$((i << 28)):label$i")
	done
	nub run "${maps[@]}" "$GUESTS/mapfile.elf"
	ended 0 ok
	[ "${lines[0]}" = "files: 32" ]
	[[ ${lines[32]} == "label32: "* ]]
}

@test "options: --init-data wants a file, and memory that can be" {
	nub run --init-data :rw "$HELLO"
	refused 125 usage '*has no file'
	echo x >"$BATS_TEST_TMPDIR/data"
	nub run --init-data "$BATS_TEST_TMPDIR/data:w" "$HELLO"
	refused 125 usage '*without being readable'
	nub run --init-data "$BATS_TEST_TMPDIR/data:rwx" "$HELLO"
	refused 125 usage '*would be writable and executable'
	nub run --init-data "$BATS_TEST_TMPDIR/missing" "$HELLO"
	refused 127 not-found '*missing*'
	nub run --init-data "$BATS_TEST_TMPDIR" "$HELLO"
	refused 125 io '*directory*'
}

@test "options: --init-data of a file whose name ends in flags" {
	cp "$HELLO" "$BATS_TEST_TMPDIR/data:rw"
	nub inspect --json --init-data "$BATS_TEST_TMPDIR/data:rw:r" "$HELLO"
	[ "$status" -eq 0 ]
	[ "$(jq -r '.memory[] | select(.type == "InitData").flags' <<<"$output")" = R-- ]
	nub inspect --json --allow-wx --init-data "$BATS_TEST_TMPDIR/data:rw:rwx" "$HELLO"
	[ "$(jq -r '.memory[] | select(.type == "InitData").flags' <<<"$output")" = RWX ]
}

@test "options: --host-fn wants a name and a command, each name once" {
	local spec
	for spec in greet =x greet= nub_random=x "$(printf 'n%.0s' {1..60})=x"; do
		nub run --host-fn "$spec" "$HELLO"
		refused 125 usage '--host-fn: *'
	done
	nub run --host-fn a=x --host-fn a=y "$HELLO"
	refused 125 usage "--host-fn: 'a' is given twice"
}

@test "options: --help of a command lists its options, whatever else is there" {
	nub run --help
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "usage: nubrun run "* ]]
	[[ $output == *--host-fn* && $output != *"--json"* ]]
	local text=$output
	nub run --heap 1M -h --bogus
	[ "$status" -eq 0 ]
	[ "$output" = "$text" ]
	nub help run
	[ "$output" = "$text" ]
	[ "$stderr" = "" ]
}

@test "options: nubrun alone, its help, its version, words that it does not know" {
	nub
	refused 125 usage 'a command is missing'
	[ "$(field .command)" = null ]
	nub help
	[ "$status" -eq 0 ]
	[[ $output == *"inspect"* && $output != *completion* ]]
	local text=$output
	nub --help
	[ "$output" = "$text" ]
	nub --version
	[[ $output =~ ^nubrun\ [0-9]+\.[0-9]+\.[0-9]+ ]]
	nub rnu hello.elf
	refused 125 usage "unknown command 'rnu'"
	[[ $(field .error.hint) == *"nubrun run"* ]]
	nub --heap 1M run hello.elf
	refused 125 usage "unknown option '--heap' before a command"
	nub help nothing
	refused 125 usage "unknown command 'nothing'"
}

@test "options: operands that are missing or too many" {
	nub run
	refused 125 usage 'run: an operand is missing'
	nub inspect
	refused 125 usage 'inspect: an operand is missing'
	nub inspect a b
	refused 125 usage "inspect: 'b' is one operand too many"
	nub check a
	refused 125 usage "check: 'a' is one operand too many"
}

@test "options: what is for Linux programs is refused where there is none" {
	local option
	for option in --memory=64M --max-fds=9 --slice=1ms --strict --strace=- --env=A=b --dir=/tmp --rootfs=/ --tmpfs=/tmp --file=/etc/passwd:/x; do
		nub run "$option" "$HELLO"
		refused 125 usage "${option%%=*}: is for Linux programs, *hello.elf is none"
		[ "$output" = "" ]
	done
	"$NUBRUN" snapshot -q -o "$BATS_TEST_TMPDIR/a.snap" "$HELLO"
	for option in --memory=64M --allow-wx --accept-changed; do
		nub restore "$option" "$BATS_TEST_TMPDIR/a.snap"
		refused 125 usage "${option%%=*}: is for Linux programs, *a.snap is none"
	done
}
