#!/usr/bin/env bats
# The status: its members, where it goes, and that it comes on every path, whole.

load helper

setup() {
	HELLO=$GUESTS/hello.elf
	mkdir "$BATS_TEST_TMPDIR/folder"
	FILE="$BATS_TEST_TMPDIR/folder/status.json"
}

# $json has the members that are always there.
complete() {
	[ "$(field '.schema == 1 and (.version | test("^[0-9]+[.]")) and has("command") and (.exit_code | type) == "number" and
		(.time_us | (.load, .create, .run, .total) | type) == "number" and (.exits.total | type) == "number" and
		(.memory | type) == "object"' | sort -u)" = true ]
	[ "$(wc -l <<<"$json")" -eq 1 ]
}

@test "status: the last line of stderr, with the members that are always there" {
	needs_kvm
	nub run "$HELLO"
	ended 0 ok
	complete
	[ "$(field .command)" = run ]
	[ "$(field .guest.path)" = "$HELLO" ]
	[ "$(field '.time_us | .total >= .load + .create + .run - 3')" = true ]
	[ "$(field '.memory.scratch >= 49152 and .memory.snapshot > 1048576 and .memory.page_tables >= 16384')" = true ]
	[ "$(field '.guest.build_id | test("^[0-9a-f]{8,}$")')" = true ]
	[[ $json != *'"error"'* && $json != *'"crash"'* && $json != *'"result"'* ]]
}

@test "status: exits are counted by kind, and the kinds add up" {
	needs_kvm
	nub run --host-fn 'greet=echo "\"x\""' "$GUESTS/callback.elf"
	ended 0 ok
	[ "$(field '.exits | .total == ([to_entries[] | select(.key != "total").value] | add)')" = true ]
	[ "$(field '.exits.call == 1 and .exits.halt == 1')" = true ]
}

@test "status: comes on wrong usage, on no file, on no guest" {
	nub run --bogus
	refused 125 usage '*'
	complete
	nub run "$BATS_TEST_TMPDIR/missing.elf"
	refused 127 not-found '*missing.elf*'
	complete
	nub run /etc/passwd
	refused 126 elf-magic '*/etc/passwd*'
	complete
	[ "$(field .guest.path)" = /etc/passwd ]
	nub frobnicate
	refused 125 usage '*'
	complete
}

@test "status: a crash has registers, addresses as hexadecimal strings, and a sentence" {
	needs_kvm
	nub run "$GUESTS/crash.elf" write-code
	ended 134 guest-crash
	complete
	[ "$(field '.crash.registers | length')" -eq 18 ]
	[ "$(field '[.crash.registers[], .crash.rip, .crash.address, .crash.error_code, .crash.region.start,
		.crash.region.end] | all(test("^0x[0-9a-f]+$"))')" = true ]
	[[ $(field .crash.message) =~ ^write\ to\ 0x[0-9a-f]+\ \(code,\ R-X\)\ at\ write_code.*:\ page\ fault$ ]]
}

@test "status: --status FILE gets it, and stderr nothing" {
	needs_kvm
	nub run --status "$FILE" "$HELLO"
	[ "$status" -eq 0 ]
	[ "$stderr" = "" ]
	json=$(cat "$FILE")
	ended 0 ok
	complete
	nub run --status="$FILE" -q "$GUESTS/args.elf" x y
	[ "$status" -eq 2 ]
	json=$(cat "$FILE")
	ended 2 guest-exit
	[ "$(ls -A "${FILE%/*}")" = status.json ]
}

@test "status: --status FILE holds on wrong usage too, wherever it stands" {
	nub run --bogus --status "$FILE" "$HELLO"
	[ "$status" -eq 125 ]
	json=$(cat "$FILE")
	refused 125 usage "unknown option '--bogus'"
	nub run --status "$FILE"
	json=$(cat "$FILE")
	refused 125 usage 'run: an operand is missing'
}

@test "status: --status - is stdout, and what the guest prints goes to stderr" {
	needs_kvm
	nub run --status - "$HELLO"
	json=$output
	ended 0 ok
	complete
	[ "$stderr" = "Hello from the guest!" ]
	nub run --status - --call add "$GUESTS/calc.elf" 1 2
	json=$output
	ended 0 ok
	[ "$(field .result)" -eq 3 ]
}

@test "status: a file that can't be written is an error before the guest runs" {
	local path
	for path in "$BATS_TEST_TMPDIR/none/status" "$BATS_TEST_TMPDIR" /proc/version/x /dev/fd/99; do
		echo "$path"
		nub run --status "$path" "$HELLO"
		refused 125 io "*$path*"
		[ "$output" = "" ]
	done
	[ "$(id -u)" -eq 0 ] && return
	chmod 500 "${FILE%/*}"
	nub run --status "$FILE" "$HELLO"
	chmod 700 "${FILE%/*}"
	refused 125 io '*'
}

@test "status: an old file is replaced whole, keeps its mode, and a link stays a link" {
	needs_kvm
	echo old >"$FILE"
	chmod 640 "$FILE"
	ln -s status.json "${FILE%/*}/link"
	exec 4<"$FILE"
	nub run --status "${FILE%/*}/link" "$HELLO"
	[ "$status" -eq 0 ]
	[ "$(cat <&4)" = old ]
	exec 4<&-
	[ "$(stat -c %a "$FILE")" = 640 ]
	[ -L "${FILE%/*}/link" ]
	json=$(cat "$FILE")
	ended 0 ok
	rm "$FILE"
	(umask 027 && "$NUBRUN" run -q --status "$FILE" "$HELLO")
	[ "$(stat -c %a "$FILE")" = 640 ]
}

@test "status: a nubrun that is killed leaves the old file, and nothing beside it" {
	needs_kvm
	echo old >"$FILE"
	: >"$BATS_TEST_TMPDIR/out"
	"$NUBRUN" run --status "$FILE" "$GUESTS/spin.elf" >"$BATS_TEST_TMPDIR/out" 3>&- &
	local pid=$!
	timeout "$(slow 10)" tail -f --pid "$pid" "$BATS_TEST_TMPDIR/out" | read -r
	kill -9 "$pid"
	wait "$pid" || true
	[ "$(cat "$FILE")" = old ]
	[ "$(ls -A "${FILE%/*}")" = status.json ]
}

@test "status: a disk without room leaves the old file, and the status on stderr" {
	needs_kvm
	echo old >"$FILE"
	run bash -c 'trap "" XFSZ; ulimit -f 0; "$1" run --status "$2" "$3" 2>&1 >/dev/null | cat' - "$NUBRUN" "$FILE" "$HELLO"
	json=$output
	[ "$(field .error.code) $(field .exit_code)" = "io 125" ]
	[ "$(field .error.message)" = "--status: $FILE: File too large" ]
	[ "$(cat "$FILE")" = old ]
	[ "$(ls -A "${FILE%/*}")" = status.json ]
}

@test "status: descriptors, pipes and /dev/null are written to as they are" {
	needs_kvm
	echo first >"$FILE"
	"$NUBRUN" run --status /dev/fd/4 "$HELLO" 4>>"$FILE" 3>&-
	[ "$(head -n 1 "$FILE")" = first ]
	json=$(tail -n 1 "$FILE")
	[ "$(field .status)" = ok ]
	[ "$(wc -l <"$FILE")" -eq 2 ]
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	"$NUBRUN" run --status "$BATS_TEST_TMPDIR/fifo" "$HELLO" >/dev/null 3>&- &
	json=$(timeout "$(slow 10)" cat "$BATS_TEST_TMPDIR/fifo")
	[ "$(field .status)" = ok ]
	[ -p "$BATS_TEST_TMPDIR/fifo" ]
	nub run --status /dev/null "$HELLO"
	[ "$status" -eq 0 ]
	[ "$stderr" = "" ]
	[ -c /dev/null ]
}

@test "status: -q leaves only what the guest prints" {
	needs_kvm
	nub run -q "$GUESTS/log.elf"
	[ "$status" -eq 0 ]
	[ "$stderr" = "" ]
	nub run -q "$GUESTS/crash.elf" ud2
	[ "$status" -eq 134 ]
	[ "$output" = "crash: ud2" ]
	[ "$stderr" = "" ]
	nub run -q "$BATS_TEST_TMPDIR/missing"
	[ "$status" -eq 127 ]
	[ "$stderr" = "" ]
}

@test "status: stays a line of its own behind what does not end in one" {
	needs_kvm
	nub run --call echo_string --status - "$GUESTS/echo.elf" '"a"'
	json=$output
	ended 0 ok
	run bash -c '"$1" run --status - "$2" "no line feed" 2>/dev/null' - "$NUBRUN" "$GUESTS/echo.elf"
	json=$output
	[ "$(field .status)" = ok ]
}

@test "status: closed stdout is an error when the guest prints" {
	needs_kvm
	run bash -c '"$1" run "$2" 2>&1 >&- | tail -n 1' - "$NUBRUN" "$HELLO"
	json=$output
	[ "$(field .status)" = error ]
	[ "$(field .error.code)" = io ]
	[[ $(field .error.message) == *stdout* ]]
	[ "$(field .exit_code)" -eq 125 ]
}

@test "status: no file gets the number of a closed descriptor" {
	needs_kvm
	cp "$HELLO" "$BATS_TEST_TMPDIR/hello.elf"
	echo data >"$BATS_TEST_TMPDIR/data"
	local before
	before=$(cat "$BATS_TEST_TMPDIR/hello.elf" "$BATS_TEST_TMPDIR/data" | sha256sum)
	"$NUBRUN" run --map "$BATS_TEST_TMPDIR/data@0x10000000" "$BATS_TEST_TMPDIR/hello.elf" <&- >&- 2>&- || [ $? -eq 125 ]
	"$NUBRUN" run --status "$FILE" "$BATS_TEST_TMPDIR/hello.elf" <&- >&- 2>&- || [ $? -eq 125 ]
	json=$(cat "$FILE")
	[ "$(wc -l <"$FILE")" -eq 1 ]
	[ "$(field .error.code)" = io ]
	[ "$(cat "$BATS_TEST_TMPDIR/hello.elf" "$BATS_TEST_TMPDIR/data" | sha256sum)" = "$before" ]
}

@test "status: a full disk and a reader that went away are errors that name stdout" {
	needs_kvm
	run bash -c '"$1" run "$2" 2>&1 >/dev/full' - "$NUBRUN" "$HELLO"
	json=$output
	refused 125 io '*stdout*'
	"$NUBRUN" run --status "$FILE" "$TEST_GUESTS/flood.elf" 50 2>/dev/null | head -c 10 >/dev/null
	json=$(cat "$FILE")
	[ "$(field .error.code)" = io ]
	[[ $(field .error.message) == *stdout* ]]
	run bash -c '"$1" help >/dev/full' - "$NUBRUN"
	[ "$status" -eq 125 ]
}

@test "status: a pipe that nobody reads does not outlive the time-out" {
	needs_kvm
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	exec 5<>"$BATS_TEST_TMPDIR/fifo"
	local before=$SECONDS
	capture bash -c '"$1" run --timeout 300ms "$2" 10 >"$3" 5>&-' - "$NUBRUN" "$TEST_GUESTS/flood.elf" \
		"$BATS_TEST_TMPDIR/fifo"
	exec 5>&-
	ended 124 timeout
	[ $((SECONDS - before)) -le "$(slow 3)" ]
}

@test "status: on a terminal it is a sentence, in colour unless NO_COLOR" {
	needs_kvm
	command -v script >/dev/null || skip "no script(1) here"
	run env -u NO_COLOR TERM=xterm script -qec "'$NUBRUN' run '$GUESTS/crash.elf' ud2" /dev/null
	echo "$output"
	[[ $output == *$'\e[31m'*"invalid instruction"* ]]
	[[ $output != *'{"schema"'* ]]
	run env NO_COLOR=1 TERM=xterm script -qec "'$NUBRUN' run '$HELLO'" /dev/null
	[[ $output != *$'\e'* && $output != *'{"schema"'* ]]
	capture env NO_COLOR=1 script -qec "'$NUBRUN' run $'/no\e[31m\nsuch'" /dev/null
	[[ $output != *$'\e'* && $output == *'\x1b[31m\nsuch'* ]]
	run env NO_COLOR=1 script -qec "'$NUBRUN' run -v '$HELLO'" /dev/null
	[[ $output == *"exits"*"scratch"* ]]
}

@test "status: text from outside is valid JSON without control characters" {
	local name=$'no\x01such\x7f\xff\xc2\x9b"file\n'
	nub run "$name"
	ended 127 error
	[ "$(field .guest.path)" = $'no\x01such\x7f\xef\xbf\xbd\xc2\x9b"file' ]
	[[ $json == *'\u0001'*'\u007f'*'\u009b\"file\n'* ]]
}
