#!/usr/bin/env bats
# --host-fn: the functions that a guest may call, and nothing else.

load helper

setup() {
	needs_kvm
	CALLBACK=$GUESTS/callback.elf
}

@test "host-fn: the command gets a JSON array and answers with a JSON value" {
	local guest
	for guest in "$GUESTS"/callback{,.pie}.elf; do
		nub run --host-fn 'greet=jq -c "\"hello \" + .[0]"' "$guest" 'Ann "B" ü'
		ended 0 ok
		[ "$output" = 'hello Ann "B" ü' ]
	done
	nub run --host-fn "greet=cat >$BATS_TEST_TMPDIR/in; echo '\"x\"'" "$CALLBACK" 'a"b'
	[ "$(cat "$BATS_TEST_TMPDIR/in")" = '["a\"b"]' ]
}

@test "host-fn: exact 64-bit integers, both ways" {
	nub run --host-fn "host_add=bash -c 'IFS=[,] read -r _ a b _; echo \$((a + b))'" --call sum_host "$CALLBACK" \
		9223372036854775806 1
	ended 0 ok
	[ "$output" = 9223372036854775807 ]
}

@test "host-fn: what is not offered is an error for the guest, which names it" {
	nub run "$CALLBACK"
	ended 3 guest-exit
	[[ $stderr == *"'greet' is not offered"* ]]
	nub run --host-fn 'other=true' "$CALLBACK"
	ended 3 guest-exit
	nub run --call ask "$CALLBACK" '"x"'
	ended 1 guest-exit
	[[ $(field .error.message) == *"'host_upper' is not offered"* ]]
}

@test "host-fn: failed commands and wrong answers are errors for the guest" {
	local command
	for command in 'exit 3' 'kill -9 $$' 'no-such-command' 'echo' 'echo 5' 'echo null' 'echo "\"a\" \"b\""' 'echo "\"a"' \
		'echo "[\"a\"]"' 'true' 'printf "\"a\\000b\""' 'echo "\"\\u0000\""' 'printf "\"\\377\""'; do
		echo "$command"
		nub run --host-fn "greet=$command" "$CALLBACK"
		ended 3 guest-exit
		[[ $stderr == *"greet: host function 'greet'"* ]]
	done
	nub run --host-fn 'host_add=echo 9223372036854775808' --call sum_host "$CALLBACK" 1 2
	ended 1 guest-exit
	[[ $(field .error.message) == *"9223372036854775808 is out of range for i64"* ]]
}

@test "host-fn: a command need not read its input, and may answer late" {
	nub run --host-fn 'greet=exec <&-; sleep 0.2; echo "\"x\""' "$CALLBACK" "$(head -c 40000 /dev/zero | tr '\0' a)"
	ended 0 ok
	[ "$output" = x ]
}

@test "host-fn: input and answer larger than a pipe go through" {
	local text
	text=$(head -c 100000 /dev/zero | tr '\0' b)
	nub run --input 1M --output 1M --heap 8M --host-fn 'host_upper=jq -c ".[0] | ascii_upcase"' --call ask "$CALLBACK" \
		"\"$text\""
	ended 0 ok
	[ "$output" = "\"${text^^}\"" ]
}

@test "host-fn: output without an end is cut off, as an error for the guest" {
	nub run --timeout "$(slow 60)" --host-fn 'greet=yes' "$CALLBACK"
	ended 3 guest-exit
	[[ $stderr == *"more than 16777216 bytes"* ]]
}

@test "host-fn: an answer that the ring can't take is a clear end" {
	nub run --input 4K --host-fn 'greet=head -c 8000 /dev/zero | tr "\0" x | sed "s/.*/\"&\"/"' "$CALLBACK"
	[ "$status" -ne 0 ]
	[ "$status" -ne 134 ]
	[[ $stderr == *greet* || $(field .error.code) == ring-full ]]
}

@test "host-fn: --timeout ends the command and what it started" {
	local before=$SECONDS mark="7$$$RANDOM"
	nub run --timeout 300ms --host-fn "greet=sleep $mark & sleep $mark" "$CALLBACK"
	ended 124 timeout
	[ $((SECONDS - before)) -le "$(slow 3)" ]
	run ! pgrep -f "^sleep $mark\$"
}

@test "host-fn: a command that ignores SIGTERM, or closes its output, is ended too" {
	nub run --timeout 300ms --host-fn "greet=trap '' TERM; exec >&-; sleep 100" "$CALLBACK"
	ended 124 timeout
}

# Start nubrun with a command that runs for long, wait until it does, and end nubrun by a signal: $ended is how wait saw it.
end_by() { # SIGNAL COMMAND
	local pid i
	env --default-signal=HUP "$NUBRUN" run -q --host-fn "greet=$2" "$CALLBACK" 3>&- &
	pid=$!
	for ((i = 0; i < $(slow 100); i++)); do
		pgrep -f "^sleep $MARK\$" >/dev/null && break
		sleep 0.05
	done
	pgrep -f "^sleep $MARK\$" >/dev/null
	kill -s "$1" "$pid"
	ended=0
	wait "$pid" || ended=$?
	# The kernel tells the command; it may take its time.
	for ((i = 0; i < $(slow 100); i++)); do
		pgrep -f "^sleep $MARK\$" >/dev/null || return 0
		sleep 0.05
	done
	return 1
}

@test "host-fn: a command does not outlive a nubrun that is killed" {
	MARK="8$$$RANDOM"
	end_by KILL "exec sleep $MARK"
	[ "$ended" -eq 137 ]
	MARK="7$$$RANDOM"
	end_by KILL "sleep $MARK & sleep $MARK"
	[ "$ended" -eq 137 ]
}

@test "host-fn: a signal that ends nubrun ends the command and what it started" {
	local signal
	for signal in TERM HUP; do
		MARK="9$$$RANDOM"
		end_by "$signal" "sleep $MARK & sleep $MARK"
		[ "$ended" -eq $((128 + $(kill -l "$signal"))) ]
	done
}

@test "host-fn: the command's stderr is ours, its environment too, and no descriptor of ours" {
	export NUBRUN_TEST_VARIABLE=seen
	nub run --host-fn "greet=echo \$NUBRUN_TEST_VARIABLE >&2; ls -l /proc/\$\$/fd >$BATS_TEST_TMPDIR/fds; echo '\"x\"'" \
		--map "$CALLBACK@0x10000000" "$CALLBACK" 3>&- 4>&-
	ended 0 ok
	[[ $stderr == seen$'\n'* ]]
	[ "$(grep -c pipe: "$BATS_TEST_TMPDIR/fds")" -ge 2 ]
	run ! grep -E '/dev/kvm|callback\.elf|anon_inode' "$BATS_TEST_TMPDIR/fds"
}

@test "host-fn: who runs the command has nothing of the guest's" {
	local engine
	cd "$BATS_TEST_TMPDIR"
	for engine in $(engines); do
		nub run --engine "$engine" --host-fn "greet=ls -l /proc/\$PPID/fd >fds; cat /proc/\$PPID/maps >maps; echo '\"x\"'" "$CALLBACK" 3>&- 4>&-
		ended 0 ok
		grep -qF '[stack]' maps
		run ! grep -E 'memfd:|/dev/kvm|callback\.elf|eventfd' fds maps
	done
}

@test "host-fn: time and random numbers are there without being offered" {
	nub run --call clock_and_dice "$CALLBACK"
	ended 0 ok
	[ $((output & 0xff)) -eq $(($(date +%s) / 3600 % 24)) ]
	local first=$output
	nub run --call clock_and_dice "$CALLBACK"
	[ "$output" != "$first" ]
}
