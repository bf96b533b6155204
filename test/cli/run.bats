#!/usr/bin/env bats
# `nubrun run` and its options: arguments, data and files for a guest, calls and their values, time-outs, output. What each
# sample guest does, and each way to crash, is in guests.bats.

load helper

setup() {
	needs_kvm
}

@test "run: hello prints one line and ends with 0 (R1 R3 R16 R24)" {
	local guest
	for guest in "$GUESTS"/hello{,.pie}.elf; do
		nub run "$guest"
		ended 0 ok
		[ "$output" = "Hello from the guest!" ]
		[ "$(field .exits.print)" -eq 1 ]
	done
}

@test "run: args gets its arguments, empty ones and options too; its exit code is ours" {
	local guest
	for guest in "$GUESTS"/args{,.pie}.elf; do
		nub run "$guest" 'a b' '' --heap -- ü
		ended 5 guest-exit
		[ "${lines[1]}" = "argv[0] = \"$guest\"" ]
		[ "${lines[2]}" = 'argv[1] = "a b"' ]
		[ "${lines[3]}" = 'argv[2] = ""' ]
		[ "${lines[4]}" = 'argv[3] = "--heap"' ]
		[ "${lines[5]}" = 'argv[4] = "--"' ]
		[ "${lines[6]}" = 'argv[5] = "ü"' ]
	done
}

@test "run: -- before the guest is accepted" {
	nub run -- "$GUESTS/args.elf" one
	ended 1 guest-exit
}

@test "run: heap fills, frees and fills again; a larger heap holds more (R13)" {
	local guest
	for guest in "$GUESTS"/heap{,.pie}.elf; do
		nub run "$guest"
		ended 0 ok
		local small=${lines[-1]//[!0-9]/}
		nub run --heap 8M "$guest"
		ended 0 ok
		[ "${lines[-1]//[!0-9]/}" -eq $((small + (7 << 20))) ]
	done
}

@test "run: --init-data is there, read-only, writable or executable as asked (R4 R11 R13)" {
	local guest
	printf '\xc3rest' >"$BATS_TEST_TMPDIR/data"
	for guest in "$GUESTS"/initdata{,.pie}.elf; do
		nub run --init-data "$BATS_TEST_TMPDIR/data" "$guest"
		ended 0 ok
		[ "${lines[0]}" = "size: 5" ]
		[ "${lines[2]}" = "starts: c3 72 65 73 74" ]

		nub run --init-data "$BATS_TEST_TMPDIR/data" "$guest" write
		ended 134 guest-crash
		[ "$(field .crash.access)" = write ]
		[ "$(field .crash.region.type)" = InitData ]
		nub run --init-data "$BATS_TEST_TMPDIR/data:rw" "$guest" write
		ended 0 ok
		[[ $output == *"wrote: starts: 57"* ]]

		nub run --init-data "$BATS_TEST_TMPDIR/data:rw" "$guest" exec
		ended 134 guest-crash
		[ "$(field .crash.access)" = execute ]
		nub run --init-data "$BATS_TEST_TMPDIR/data:rx" "$guest" exec
		ended 0 ok
		[[ $output == *executed* ]]
	done
	# What the guest wrote is its own.
	[ "$(od -An -tx1 -N1 "$BATS_TEST_TMPDIR/data" | tr -d ' ')" = c3 ]
}

@test "run: --map shows files at their addresses with their labels, read-only (R14)" {
	local guest
	printf 'first' >"$BATS_TEST_TMPDIR/a@b"
	head -c 5000 /dev/zero >"$BATS_TEST_TMPDIR/second"
	for guest in "$GUESTS"/mapfile{,.pie}.elf; do
		nub run --map "$BATS_TEST_TMPDIR/a@b@0x10000000" --map "$BATS_TEST_TMPDIR/second@0x20000000:zeros" "$guest"
		ended 0 ok
		[ "${lines[0]}" = "files: 2" ]
		[[ ${lines[1]} == "a@b: size 5 at 0x10000000, "* ]]
		[[ ${lines[2]} == "zeros: size 5000 at 0x20000000, "* ]]
		[ "$(field .memory.mapped)" -ge 5005 ]

		nub run --map "$BATS_TEST_TMPDIR/second@0x20000000" "$guest" write
		ended 134 guest-crash
		[ "$(field .crash.address)" = 0x20000000 ]
		[ "$(field .crash.region.type)" = MappedFile ]
	done
}

@test "run: log records pass up to the level, as text without control characters (R35)" {
	nub run "$GUESTS/log.elf"
	ended 0 ok
	[ "${#stderr_lines[@]}" -eq 3 ]
	[[ ${stderr_lines[0]} == 'error: '*'log.c:'*': error: a "quoted" word and a back\slash' ]]
	[[ ${stderr_lines[1]} == 'warn: '*'a tab\tand a line\nbreak' ]]

	nub run --log-level off "$GUESTS/log.elf"
	[ "${#stderr_lines[@]}" -eq 1 ]
	nub run --log-level trace "$GUESTS/log.elf"
	[ "${#stderr_lines[@]}" -eq 6 ]
	[[ ${stderr_lines[2]} == *'control \x01 and delete \x7f'*ä ]]
	nub run -v "$GUESTS/log.elf"
	[ "${#stderr_lines[@]}" -eq 4 ]
	nub run -vv "$GUESTS/log.elf"
	[ "$(grep -vc '^exit: ' <<<"$stderr")" -eq 5 ]
}

@test "run: --log-format json gives an object a line, with no control character in it (R35)" {
	nub run --log-level=trace --log-format=json "$GUESTS/log.elf"
	ended 0 ok
	[ "$(head -n 5 <<<"$stderr" | jq -r .level | tr '\n' ' ')" = "error warn info debug trace " ]
	[ "$(jq -r .message <<<"${stderr_lines[1]}")" = $'warn: a tab\tand a line\nbreak' ]
	[ "$(jq -r .message <<<"${stderr_lines[3]}")" = "debug: bytes that are not UTF-8: ��" ]
	run ! env LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' <<<"$stderr"
	[ "$(jq -c '[.source, .line] | map(type)' <<<"${stderr_lines[0]}")" = '["string","number"]' ]
	# Times are microseconds from nubrun's start, and go up.
	[ "$(head -n 5 <<<"$stderr" | jq -s '[.[].time_us] | . == sort and .[0] > 0')" = true ]
	[ "$(jq .time_us <<<"${stderr_lines[4]}")" -le "$(field .time_us.total)" ]
}

@test "run: --call gives the result as a line of JSON, exact to 64 bits" {
	local guest
	for guest in "$GUESTS"/calc{,.pie}.elf; do
		nub run --call add "$guest" 9223372036854775806 1
		ended 0 ok
		[ "$output" = 9223372036854775807 ]
		[[ $json == *'"result":9223372036854775807,'* ]]
		nub run --call sub "$guest" -9223372036854775807 1
		[ "$output" = -9223372036854775808 ]
		nub run --call mul_u64 "$guest" 18446744073709551615 1
		[ "$output" = 18446744073709551615 ]
		nub run --call nothing "$guest"
		ended 0 ok
		[ "$output" = null ]
		nub run --call sum_ten "$guest" -1 2 3 4 0.5 0.25 true '"abc"' '{"base64":"AAA="}' 10
		[ "$output" = 24.75 ]
	done
}

@test "run: every type of value comes back as it went" {
	local case
	for case in i32:-2147483648 i32:2147483647 u32:4294967295 i64:-9223372036854775808 u64:18446744073709551615 \
		f32:0.1 f32:3.4028235e+38 f32:-0.0 f32:1e-45 f64:0.1 f64:1.7976931348623157e+308 f64:5e-324 f64:-0.0 \
		'f32:"nan"' 'f64:"nan"' 'f64:"inf"' 'f64:"-inf"' bool:true bool:false \
		'string:""' 'string:"a \"b\" \u0001 ü"' 'bytes:{"base64":""}' 'bytes:{"base64":"AP8="}'; do
		echo "$case"
		nub run -q --call "echo_${case%%:*}" "$GUESTS/echo.elf" "${case#*:}"
		[ "$status" -eq 0 ]
		[ "$output" = "${case#*:}" ]
	done
}

@test "run: numbers are read in any spelling" {
	nub run -q --call echo_f64 "$GUESTS/echo.elf" 1e2
	[ "$output" = 100.0 ]
	nub run -q --call echo_f64 "$GUESTS/echo.elf" 7
	[ "$output" = 7.0 ]
	nub run -q --call echo_f32 "$GUESTS/echo.elf" 16777217
	[ "$output" = 16777216.0 ]
	nub run -q --call echo_i64 "$GUESTS/echo.elf" ' 5 '
	[ "$output" = 5 ]
}

@test "run: a value as large as the ring holds goes through; a larger one is refused (R9)" {
	local text
	text=$(head -c 60000 /dev/zero | tr '\0' x)
	nub run -q --heap 4M --call echo_string "$GUESTS/echo.elf" "\"$text\""
	[ "$status" -eq 0 ]
	[ "$output" = "\"$text\"" ]
	nub run --input 4K --call echo_string "$GUESTS/echo.elf" "\"$text\""
	[ "$status" -eq 125 ]
	[ "$(field .error.code)" = ring-full ]
}

@test "run: an error of the function's own is its exit code and its message" {
	nub run --call div "$GUESTS/calc.elf" 7 0
	ended 1 guest-exit
	[ "$output" = "" ]
	[ "$(field .error.code)" = guest ]
	[[ $(field .error.message) == *"division of 7 by zero"* ]]
	[ "$(field 'has("result")')" = false ]
}

@test "run: --repeat calls it again and again, in the same guest, and says how long a call takes" {
	nub run --call add --repeat 50 "$GUESTS/calc.elf" 1 2
	ended 0 ok
	[ "$output" = 3 ]
	[ "$(field .calls.count)" -eq 50 ]
	[ "$(field '.calls.min_us > 0 and .calls.median_us >= .calls.min_us')" = true ]
	[ "$(field .exits.halt)" -eq 51 ]
}

@test "run: --timeout ends a guest that does not, with 124" {
	local guest before
	for guest in "$GUESTS"/spin{,.pie}.elf; do
		before=$SECONDS
		nub run --timeout "$(slow 200)ms" "$guest"
		ended 124 timeout
		[ "$output" = spinning ]
		[ $((SECONDS - before)) -le "$(slow 2)" ]
	done
}

@test "run: --timeout does not end a guest that is in time" {
	nub run --timeout "$(slow 20)" "$GUESTS/hello.elf"
	ended 0 ok
}

@test "run: --seed gives the same random numbers every time" {
	nub run -q --seed 7 --call clock_and_dice "$GUESTS/callback.elf"
	local first=$((output >> 8))
	nub run -q --seed 0x7 --call clock_and_dice "$GUESTS/callback.elf"
	[ $((output >> 8)) -eq "$first" ]
	nub run -q --seed 8 --call clock_and_dice "$GUESTS/callback.elf"
	[ $((output >> 8)) -ne "$first" ]
}

@test "run: --executable-heap lets the heap be executed (R11)" {
	nub run --executable-heap "$GUESTS/crash.elf" exec-heap
	ended 0 ok
	[ "${lines[1]}" = "still here" ]
}

@test "run: a crash in a called function is the same, and there is no result" {
	nub run --call crash_call "$GUESTS/crash.elf" '"ud2"'
	ended 134 guest-crash
	[ "$output" = "crash: ud2" ]
	[ "$(field 'has("result")')" = false ]
}

@test "run: a guest that prints 100 MB streams, with every byte" {
	run bash -c '"$1" run -q "$2" 100 | wc -c' - "$NUBRUN" "$TEST_GUESTS/flood.elf"
	[ "$status" -eq 0 ]
	[ "$output" -ge 100000000 ]
	run bash -c '"$1" run -q "$2" 100 | sha256sum; "$1" run -q --timeout "$3" "$2" 100 | sha256sum' - "$NUBRUN" \
		"$TEST_GUESTS/flood.elf" "$(slow 60)"
	[ "${lines[0]}" = "${lines[1]}" ]
}

@test "run: what is printed is there before the guest ends" {
	run bash -c '"$1" run -q --timeout "$3" "$2" | { read -r line; echo "got $line"; kill "$(jobs -p)" 2>/dev/null; }' \
		- "$NUBRUN" "$GUESTS/hello.elf" "$(slow 10)"
	[ "$output" = "got Hello from the guest!" ]
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	"$NUBRUN" run -q --timeout "$(slow 20)" "$GUESTS/spin.elf" >"$BATS_TEST_TMPDIR/fifo" 3>&- &
	local pid=$! line
	read -r -t "$(slow 10)" line <"$BATS_TEST_TMPDIR/fifo"
	[ "$line" = spinning ]
	kill "$pid"
}

@test "run: two at once don't disturb each other" {
	local i
	local -a both=()
	for i in 1 2; do
		"$NUBRUN" run --call add --repeat 2000 --status "$BATS_TEST_TMPDIR/$i" "$GUESTS/calc.elf" "$i" 40 \
			>"$BATS_TEST_TMPDIR/out$i" 3>&- &
		both+=($!)
	done
	wait "${both[@]}"
	[ "$(cat "$BATS_TEST_TMPDIR"/out[12] | tr '\n' ' ')" = "41 42 " ]
	[ "$(jq -r .status "$BATS_TEST_TMPDIR"/[12] | tr '\n' ' ')" = "ok ok " ]
}

# As a user who owns nothing, with these options of setpriv's, run hello from a folder that everyone may enter.
as_other() { # SETPRIV-OPTION...
	local folder
	folder=$(mktemp -d /tmp/nubrun-test.XXXXXX)
	chmod 755 "$folder"
	install -m 755 "$NUBRUN" "$GUESTS/hello.elf" "$folder"
	capture setpriv --reuid 54321 --regid 54321 --clear-groups "$@" "$folder/nubrun" run "$folder/hello.elf"
	rm -rf "$folder"
}

@test "run: a user who is not root runs guests, given access to /dev/kvm; without it is told the cure" {
	only_kvm
	[ "$(id -u)" -eq 0 ] || skip "only root can become another user"
	as_other --inh-caps +dac_override --ambient-caps +dac_override
	ended 0 ok
	[ "$output" = "Hello from the guest!" ]
	case $(stat -c %a /dev/kvm) in
	*[67]) ;;
	*)
		as_other
		refused 125 kvm-denied '*/dev/kvm*'
		;;
	esac
}
