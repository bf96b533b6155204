#!/usr/bin/env bats
# What nubrun takes away from itself before a guest runs, looked at from outside.

load helper

setup() {
	needs_kvm
	nub run "$GUESTS/hello.elf"
	[[ $(field '.confinement | join(" ")') == *seccomp ]] || skip "no filter: nubrun is built with a sanitizer, or the kernel has none"
}

# Start a guest that spins, and wait until it runs: $pid.
spin() { # OPTION...
	local i
	"$NUBRUN" run -q --timeout "$(slow 20)s" "$@" "$GUESTS/spin.elf" 3>&- &
	pid=$!
	for ((i = 0; i < $(slow 200); i++)); do
		grep -q '^Seccomp:[[:space:]]*2' "/proc/$pid/status" && return 0
		sleep 0.05
	done
	return 1
}

# The same for one that is not to be confined.
spin_free() {
	"$NUBRUN" run -q --timeout "$(slow 20)s" --no-confine "$GUESTS/spin.elf" 3>&- &
	pid=$!
	sleep "$(slow 1)"
}

stop() {
	kill "$pid"
	wait "$pid" || true
}

in_status() { # NAME
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"
}

@test "confine: a running guest's nubrun has a filter, no rights and no core" {
	local engine
	for engine in $(engines); do
		spin --engine "$engine"
		[ "$(in_status Seccomp)" = 2 ]
		[ "$(in_status NoNewPrivs)" = 1 ]
		[ "$(in_status CapEff)" = 0000000000000000 ]
		[ "$(in_status CapPrm)" = 0000000000000000 ]
		[ "$(in_status CapInh)" = 0000000000000000 ]
		grep -q '^Max core file size  *0  *0 ' "/proc/$pid/limits"
		stop
	done
}

@test "confine: a Linux program's nubrun is confined, too" {
	capture "$NUBRUN" run --require-confinement --abi linux "$TEST_TOOLS/linux/clock"
	ended 0 ok
	[ "$(field '.confinement | length')" = 6 ]
}

@test "confine: the status lists what holds, and what was left" {
	local engine
	for engine in $(engines); do
		nub run --engine "$engine" --require-confinement "$GUESTS/hello.elf"
		ended 0 ok
		[ "$(field '.confinement | join(" ")')" = \
			'descriptors no-new-privileges no-core landlock capabilities seccomp' ]
		nub run --engine "$engine" --no-confine "$GUESTS/hello.elf"
		ended 0 ok
		[ "$(field '.confinement | length')" = 0 ]
	done
	nub run --no-confine --require-confinement "$GUESTS/hello.elf"
	refused 125 usage '--no-confine: *'
}

@test "confine: --no-confine takes nothing away" {
	exec 9</dev/null
	spin_free
	exec 9<&-
	[ "$(in_status Seccomp)" = "$(sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status)" ]
	[ "$(in_status CapEff)" = "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)" ]
	[ -e "/proc/$pid/fd/9" ]
	stop
}

@test "confine: what is inherited is closed, but for what an argument names" {
	exec 9<"$GUESTS/hello.elf" 200</dev/null
	spin
	exec 200<&-
	run ! test -e "/proc/$pid/fd/9"
	run ! test -e "/proc/$pid/fd/200"
	stop
	nub run /dev/fd/9
	ended 0 ok
	exec 9<&-
}

@test "confine: a host function's command has none of it, and what nubrun inherited" {
	exec 9<<<'from outside'
	nub run --host-fn 'greet=read -r line <&9; sed -n "s/^Seccomp:.*\([0-9]\)$/\"\1 $line\"/p" /proc/self/status' \
		"$GUESTS/callback.elf" x
	exec 9<&-
	ended 0 ok
	[ "$output" = "$(sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status) from outside" ]
}

@test "confine: cores, pictures, snapshots and the status reach their files" {
	local engine dir=$BATS_TEST_TMPDIR
	for engine in $(engines); do
		mkdir "$dir/$engine"
		(
			cd "$dir/$engine"
			nub run --engine "$engine" --core-dir . --svg x.svg --status s.json "$GUESTS/crash.elf" null
			[ "$status" -eq 134 ] && [ -s x.svg ] && [ -s s.json ] && compgen -G '*.core'
			nub snapshot --engine "$engine" -o calc.snap --status s.json "$GUESTS/calc.elf"
			[ "$status" -eq 0 ] && [ -s calc.snap ]
			nub restore --engine "$engine" --call add --repeat 5 --reset calc.snap 2 40
			ended 0 ok
			ln -s "$dir/$engine.else" link
			nub run --engine "$engine" --status link "$GUESTS/hello.elf"
			[ "$status" -eq 0 ] && [ -s "$dir/$engine.else" ]
		)
	done
}

@test "confine: a call that is not let through ends nubrun with a sentence, and the guest with it" {
	local engine box
	for engine in $(engines); do
		spin --engine "$engine" 2>"$BATS_TEST_TMPDIR/err"
		box=$(pgrep -P "$pid") || true
		# As the filter does it.
		kill -SYS "$pid"
		status=0
		wait "$pid" || status=$?
		[ "$status" -eq 125 ]
		[[ $(<"$BATS_TEST_TMPDIR/err") == *"is not among those that a run may make"* ]]
		[ -z "$box" ] || is_over "$box"
	done
}

# It prints so many bytes on standard output, standard error and in its log: all of them may be, and no fewer.
prints() { # BYTES NUBRUN-ARG...
	local bytes=$1
	shift
	capture "$NUBRUN" run --output-limit "$bytes" "$@"
	ended 0 ok
	capture "$NUBRUN" run --output-limit $((bytes - 1)) "$@"
	ended 124 output-limit
	[ "$(field .crash.kind)" = output-limit ]
}

@test "confine: --output-limit ends a guest as a time-out does" {
	local engine
	for engine in $(engines); do
		export NUBRUN_ENGINE=$engine
		nub run --output-limit 10 "$GUESTS/hello.elf"
		ended 124 output-limit
		[ "$output" = 'Hello from' ]
		[[ $(field .crash.message) == *"10 bytes"* ]]
		prints 22 "$GUESTS/hello.elf"
		# "written", "at exit: 0 wrong", and "to stderr: 1".
		prints $((8 + 17 + 13)) "$TEST_GUESTS/strings.elf"
		# "error: loud-log.c:1: level 1", and "warn: loud-log.c:2: level 2".
		prints $((29 + 28)) "$TEST_GUESTS/loud-log.elf"
	done
}

@test "confine: --cpu-limit ends a guest as a time-out does" {
	local engine
	for engine in $(engines); do
		export NUBRUN_ENGINE=$engine
		nub run --cpu-limit 100ms --timeout "$(slow 20)s" "$GUESTS/spin.elf"
		ended 124 cpu-limit
		[ "$(field .crash.kind)" = cpu-limit ]
		[[ $(field .crash.message) == *"100 ms"* ]]
		# What it costs nubrun to serve it counts as well.
		nub run --cpu-limit 100ms --timeout "$(slow 20)s" "$TEST_GUESTS/abort-flood.elf" endless
		ended 124 cpu-limit
		# Sleep is not CPU time.
		nub run --cpu-limit 1s --host-fn 'greet=sleep 1.2; echo 1' "$GUESTS/callback.elf" x
		[ "$(field .status)" != cpu-limit ]
	done
}

@test "confine: limits hold for Linux programs" {
	local engine busybox
	busybox=$(command -v busybox)
	for engine in $(engines); do
		export NUBRUN_ENGINE=$engine
		nub run --output-limit 10 "$busybox" echo 0123456789abcdef
		ended 124 output-limit
		[ "$output" = 0123456789 ]
		prints 14 "$busybox" sh -c 'echo 12345; echo 12345 >&2; echo x'
		nub run --cpu-limit 100ms --timeout "$(slow 20)s" "$busybox" sh -c 'while :; do :; done'
		ended 124 cpu-limit
	done
}

@test "confine: a Linux program's standard input stays as it is" {
	local file=$BATS_TEST_TMPDIR/input before
	echo text >"$file"
	before=$(stat -c '%a %u %g %s %Y' "$file")
	capture "$NUBRUN" run --abi linux "$TEST_TOOLS/linux/stdin" <>"$file"
	ended 0 ok
	[ "$output" = "" ]
	[ "$(stat -c '%a %u %g %s %Y' "$file")" = "$before" ]
	[ "$(cat "$file")" = text ]
}
