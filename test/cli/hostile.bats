#!/usr/bin/env bats
# Guests that misbehave: each ends as a crash that names what was wrong, in bounded time, and nubrun goes on to say so.

load helper

setup() {
	needs_kvm
}

# Run a guest of test/guests: it ends as a crash of this kind, with a message that matches.
broken() { # KIND MESSAGE-PATTERN RUN-ARG...
	local kind=$1 pattern=$2
	shift 2
	capture timeout "$(slow 60)" "$NUBRUN" run "$@"
	ended 134 guest-crash
	[ "$(field .crash.kind)" = "$kind" ]
	# shellcheck disable=SC2053 # a pattern
	[[ $(field .crash.message) == $pattern ]]
	# It is the guest's fault: no error of nubrun's beside it, and no result.
	[ "$(field 'has("error") or has("result")')" = false ]
}

@test "hostile: every guest in test/guests is run by a test" {
	local guest name
	for guest in "$ROOT"/test/guests/*.c; do
		name=$(basename "$guest" .c)
		echo "$name"
		grep -q "TEST_GUESTS/$name.elf" "$ROOT"/test/cli/* || grep -q "\"$name.elf\"" "$ROOT"/test/unit/*
		[ -f "$TEST_GUESTS/$name.elf" ]
	done
}

@test "hostile: a corrupt ring is named with the value found and the bounds (R9)" {
	local ring=$TEST_GUESTS/corrupt-ring.elf
	broken abi "*output ring: *stack pointer is 65544*8 to 65536" "$ring" sp-beyond
	broken abi "*output ring: *stack pointer is 18446744073709551615*8 to 65536" "$ring" sp-huge
	broken abi "*output ring: *stack pointer is 0*8 to 65536" "$ring" sp-zero
	broken abi "*output ring: *stack pointer is 15*16*" "$ring" sp-short
	broken abi "*output ring: *starts at 65536*8 to 16" "$ring" back-beyond
	broken abi "*output ring: *starts at 18446744073709551608*8 to 16" "$ring" back-huge
	broken abi "*output ring: *starts at 0*8 to 16" "$ring" back-zero
	broken abi "*output ring: *starts at 17*8 to 16" "$ring" back-inside
	broken abi "*output ring: *starts at 24*8 to 16" "$ring" back-sp
	# The bounds are those of this ring.
	broken abi "*stack pointer is 8200*8 to 8192" --output 8K "$ring" sp-beyond
	broken abi "*stack pointer is 0*" --call corrupt_call "$ring" '"sp-zero"'
}

@test "hostile: a sound ring, and an item without bytes, are served (R9)" {
	nub run "$TEST_GUESTS/corrupt-ring.elf" sound
	ended 0 ok
	[ "$output" = 'averted!' ]
	nub run "$TEST_GUESTS/corrupt-ring.elf" empty-item
	ended 0 ok
	[ "$output" = "" ]
}

@test "hostile: what is asked of an empty ring is not there" {
	local guest=$TEST_GUESTS/print-nothing.elf what
	for what in print log call; do
		broken abi '*output ring: the ring is empty*' "$guest" "$what"
	done
	broken abi '*stream 99 *' "$guest" stream
	broken abi '*output ring: the ring is empty*' --call silent "$guest"
}

@test "hostile: calls, log records and replies that can't be decoded name what is wrong, and where" {
	local guest=$TEST_GUESTS/bad-value.elf
	local -A wrong=(
		[call-kind]='*at offset 0 is 7,*'
		[call-short]='*number of arguments needs 1 bytes at offset 2*'
		[call-result-type]='*result at offset 1 has type 10*'
		[call-count]='*number of arguments at offset 2 is 11, the limit is 10'
		[call-name-length]='*name needs 4294967295 bytes at offset 7*'
		[call-name-empty]='*name at offset 3 (0 bytes)*'
		[call-arg-type]='*argument 1 at offset 8 has type 99*'
		[call-arg-short]='*argument 1 needs 8 bytes at offset 9*'
		[call-arg-length]='*argument 1 needs 2147483647 bytes at offset 13*'
		[call-bool]='*argument 1 at offset 9 is a bool of 2*'
		[call-nul]='*argument 1 is not UTF-8 without NUL at offset 14*'
		[call-trailing]='*end of the message is expected at offset 8*'
		[log-short]='*line needs 4 bytes at offset 1*'
		[log-level]='*log level at offset 0 is 255*'
		[log-source-length]='*source file needs 4294967295 bytes at offset 9*'
		[log-message-length]='*message needs 4294967295 bytes at offset 14*'
		[reply-kind]='*reply at offset 0 is 5*'
		[reply-type]='*result at offset 1 has type 99*'
		[reply-other-type]='*send returned i32, it is declared to return void'
		[reply-length]='*result needs 4294967295 bytes at offset 6*'
		[reply-trailing]='*end of the message is expected at offset 2*'
		[reply-error-length]='*message needs 4294967295 bytes at offset 9*'
		[reply-empty]='*reply needs 1 bytes at offset 0*'
	)
	local -a names
	mapfile -t names < <("$NUBRUN" run -q "$guest")
	[ "${#names[@]}" -eq "${#wrong[@]}" ]
	local name
	for name in "${names[@]}"; do
		echo "$name"
		broken abi "${wrong[$name]}" --call send "$guest" "\"$name\""
	done
	# In a program a reply is out of place by itself; the others are as wrong as in a call.
	broken abi '*halt: reason 2 makes no sense here' "$guest" reply-kind
	broken abi "${wrong[call-bool]}" "$guest" call-bool
	broken abi "${wrong[log-level]}" "$guest" log-level
}

@test "hostile: log records are checked although nobody reads them" {
	broken abi '*log level at offset 0 is 255*' --log-level off "$TEST_GUESTS/bad-value.elf" log-level
}

@test "hostile: log records above the level are dropped, though the guest sends them (R35)" {
	nub run "$TEST_GUESTS/loud-log.elf"
	ended 0 ok
	[ "${#stderr_lines[@]}" -eq 3 ]
	[ "${stderr_lines[0]}" = 'error: loud-log.c:1: level 1' ]
	[ "${stderr_lines[1]}" = 'warn: loud-log.c:2: level 2' ]
	[ "$(field .exits.log)" -eq 5 ]
	nub run --log-level off "$TEST_GUESTS/loud-log.elf"
	[ "${#stderr_lines[@]}" -eq 1 ]
}

@test "hostile: a halt that makes no sense is named" {
	local guest=$TEST_GUESTS/bad-halt.elf reason
	for reason in 1 2 3 77 4294967295; do
		broken abi "*halt: reason $reason makes no sense here" "$guest" "$reason"
	done
	for reason in 1 3 77 4294967295; do
		broken abi "*halt: reason $reason makes no sense here" --call halt "$guest" "$reason"
	done
	broken abi '*dispatch address 0x0 *' --call halt "$guest" 2
}

@test "hostile: a dispatch address outside the guest's half is refused, at once or with a reply" {
	broken abi '*dispatch address 0x900000000000 *' --call reply "$TEST_GUESTS/bad-dispatch.elf"
	broken abi '*dispatch address 0x900000000000 *' --call reply --repeat 3 "$TEST_GUESTS/bad-dispatch.elf"
}

@test "hostile: an abort message is cut to the host's buffer (R34)" {
	broken abort '*abcabc*' "$TEST_GUESTS/abort-flood.elf"
	[ "$(field '.crash.abort.code')" -eq 1 ]
	[ "$(field '.crash.abort.message | length')" -eq 1023 ]
	[ "$(field '.crash.abort.message | gsub("abc"; "")')" = "" ]
}

@test "hostile: an abort that never ends is ended by --timeout (R34)" {
	capture timeout "$(slow 60)" "$NUBRUN" run --timeout "$(slow 1)s" "$TEST_GUESTS/abort-flood.elf" endless
	ended 124 timeout
	[ "$(field '.exits.abort > 2000')" = true ]
}

@test "hostile: an abort message that was begun and not ended stays away (R34)" {
	nub run --call begin "$TEST_GUESTS/abort-parts.elf"
	ended 0 ok
	broken abort '*OK*' --call whole "$TEST_GUESTS/abort-parts.elf"
	[ "$(field .crash.abort.message)" = OK ]
	broken abort '*' --call nothing "$TEST_GUESTS/abort-parts.elf"
	[ "$(field '.crash.abort.message // ""')" = "" ]
}

@test "hostile: a guest that prints 100 MB is heard to the last byte, quickly" {
	local before=$SECONDS sums
	"$NUBRUN" run -q --timeout "$(slow 60)" "$TEST_GUESTS/flood.elf" 100 >"$BATS_TEST_TMPDIR/flood"
	[ $((SECONDS - before)) -le "$(slow 20)" ]
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/flood")" -eq 104857600 ]
	sums=$({
		sha256sum <"$BATS_TEST_TMPDIR/flood"
		yes "$(printf '%063d' 0 | tr 0 .)" | head -c 104857600 | sha256sum
	} | sort -u | wc -l)
	[ "$sums" -eq 1 ]
	rm "$BATS_TEST_TMPDIR/flood"
}

@test "hostile: pieces of any size arrive in order, through a small ring too" {
	local piece expected
	expected=$(yes "$(printf '%063d' 0 | tr 0 .)" | head -c 1048576 | sha256sum)
	for piece in 64 4096 65536; do
		[ "$("$NUBRUN" run -q "$TEST_GUESTS/flood.elf" 1 "$piece" | sha256sum)" = "$expected" ]
		[ "$("$NUBRUN" run -q --output 4K "$TEST_GUESTS/flood.elf" 1 "$piece" | sha256sum)" = "$expected" ]
	done
}

@test "hostile: a reader that goes away ends a flood, not with a signal and not after all of it" {
	bash -c 'code=0; "$@" || code=$?; echo "$code" >&2' - "$NUBRUN" run --status "$BATS_TEST_TMPDIR/status" \
		--timeout "$(slow 60)" "$TEST_GUESTS/flood.elf" 10000 2>"$BATS_TEST_TMPDIR/code" | head -n 1 >/dev/null
	[ "$(cat "$BATS_TEST_TMPDIR/code")" -eq 125 ]
	[ "$(jq -r .status "$BATS_TEST_TMPDIR/status")" = error ]
	[ "$(jq -r .error.code "$BATS_TEST_TMPDIR/status")" = io ]
}

@test "hostile: the runtime's strings and numbers hold from inside" {
	nub run "$TEST_GUESTS/strings.elf"
	ended 0 ok
	[ "$output" = 'written
at exit: 0 wrong' ]
	[ "${stderr_lines[0]}" = 'to stderr: 1' ]
}

@test "hostile: a segment that is writable and executable is refused, unless --allow-wx (R11)" {
	nub run "$TEST_GUESTS/wx.elf"
	refused 126 elf-wx '*wx.elf: has a segment at 0x*writable and executable'
	[ "$output" = "" ]
	[ "$(field .exits.total)" -eq 0 ]
	[[ $(field .error.hint) == *--allow-wx* ]]
	nub run --allow-wx "$TEST_GUESTS/wx.elf"
	ended 0 ok
	[ "$output" = 41 ]
}

@test "hostile: two guests that misbehave at once don't disturb a third" {
	"$NUBRUN" run -q --timeout "$(slow 20)" "$TEST_GUESTS/flood.elf" 50 >"$BATS_TEST_TMPDIR/flood" 3>&- &
	local flood=$!
	"$NUBRUN" run -q --timeout 1s "$TEST_GUESTS/abort-flood.elf" endless 3>&- &
	local endless=$!
	nub run --call add --repeat 200 "$GUESTS/calc.elf" 40 2
	ended 0 ok
	[ "$output" = 42 ]
	wait "$flood" "$endless" || true
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/flood")" -eq 52428800 ]
}
