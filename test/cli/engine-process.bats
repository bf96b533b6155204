#!/usr/bin/env bats
# The process engine against its guests: what they try, what they are left with, and that nothing outlives nubrun.

load helper

setup() {
	export NUBRUN_ENGINE=process
	ESCAPE=$TEST_GUESTS/escape.elf
	cd "$BATS_TEST_TMPDIR"
}

# The guest tries a way out, and crashes: with this message, by jq's filter, and without having come back.
crashes() { # WAY MESSAGE-PATTERN FILTER
	nub run --timeout 20s "$ESCAPE" "$1"
	ended 134 guest-crash
	# shellcheck disable=SC2053 # a pattern
	[[ $(field .crash.message) == $2 ]]
	holds "$3" "$json"
	[ "$output" = "escape: $1" ]
}

@test "process: system calls, from everywhere, are faults of the guest's" {
	crashes syscall 'invalid instruction (#UD*at by_syscall*' '.crash.vector == 6'
	crashes int80 'general protection fault*at by_int80*' '.crash.vector == 13 and .crash.error_code == "0x402"'
	crashes vsyscall 'execution of 0xffffffffff600000*' \
		'.crash.vector == 14 and .crash.error_code == "0x14" and .crash.rip == "0xffffffffff600000"'
	crashes stub 'invalid instruction (#UD*at 0x6ff0000*' '.crash.vector == 6'
}

@test "process: CPUID is the host's" {
	local guest expected
	expected=$("$TEST_TOOLS/linux/cpuid")
	[[ $expected == "SSE2 1 "*$'\n'*MCE* ]]
	for guest in "$TEST_GUESTS/cpuid.elf" "$TEST_TOOLS/linux/cpuid"; do
		nub run "$guest"
		[ "$status" -eq 0 ]
		[ "$output" = "$expected" ]
	done
}

@test "process: what a guest does to its own stub, stack and signals ends it alone" {
	crashes write-stub 'write to 0x6ff000000000*' '.crash.vector == 14'
	crashes unmap-stack '*' '.crash.vector == 14'
	local way
	for way in unmap-all unmap-shared scribble; do
		crashes "$way" 'triple fault*' '.crash.kind == "triple-fault" and .crash.registers == null'
	done
	# It comes back to where it had called the host last.
	nub run --timeout 20s "$ESCAPE" enter-handler
	[ "$status" -eq 134 ] || [ "$status" -eq 0 ]
}

@test "process: a guest that blocks every signal is still ended by its time-out, and by a signal" {
	nub run --timeout 100ms "$ESCAPE" block-signals
	ended 124 timeout
	start block-signals
	kill -TERM "$PID"
	status=0
	wait "$PID" || status=$?
	[ "$status" -eq 143 ]
}

# nubrun, whose guest does this for ever: PID, and BOX, its process. It is a job, which SIGTSTP stops, and whoever runs this may
# have SIGHUP ignored.
start() { # WAY
	: >out
	set -m
	env --default-signal=HUP "$NUBRUN" run "$ESCAPE" "$1" >out 2>err 3>&- &
	PID=$!
	set +m
	until grep -q escape out; do pause 0.1; done
	BOX=$(pgrep -P "$PID")
}

end() {
	kill -TERM "$PID"
	wait "$PID" || true
	is_over "$BOX"
}

@test "process: it has nothing of nubrun's, and a filter that the kernel tells of" {
	start spin
	grep -qx $'Seccomp:\t2' "/proc/$BOX/status"
	grep -qx $'NoNewPrivs:\t1' "/proc/$BOX/status"
	[ "$(grep -c $'^Cap\(Inh\|Prm\|Eff\):\t0*$' "/proc/$BOX/status")" -eq 3 ]
	grep -q '^Max core file size  *0  *0 ' "/proc/$BOX/limits"
	grep -q '^Max address space  *[0-9]* ' "/proc/$BOX/limits"
	[ "$(cat "/proc/$BOX/environ" "/proc/$BOX/cmdline" | wc -c)" -eq 0 ]
	# The memory, and nothing else; nothing of nubrun's own file.
	[ "$(find "/proc/$BOX/fd" -type l | wc -l)" -eq 1 ]
	[[ $(readlink "/proc/$BOX/fd/"*) == "/memfd:nub-guest"* ]]
	[ "$(grep -cv 'memfd:nub-guest\|/dev/zero\|vsyscall' "/proc/$BOX/maps")" -eq 0 ]
	end
}

@test "process: the guest's process dies with nubrun, however that ends" {
	local signal
	for signal in KILL TERM HUP SEGV; do
		start spin
		kill -"$signal" "$PID"
		wait "$PID" || true
		is_over "$BOX"
	done
}

@test "process: killed by somebody else, the guest's process is an error of the host's" {
	start spin
	kill -KILL "$BOX"
	status=0
	wait "$PID" || status=$?
	[ "$status" -eq 125 ]
	json=$(tail -n 1 err)
	[ "$(field .error.code)" = process ]
	[[ $(field .error.message) == *"signal 9"* ]]
	is_over "$BOX"
}

@test "process: a job that is stopped takes its guest with it" {
	start spin
	kill -TSTP "$BOX"
	until grep -q '^State:.*stopped' "/proc/$BOX/status"; do pause 0.1; done
	kill -CONT "$BOX"
	until grep -q '^State:.*running' "/proc/$BOX/status"; do pause 0.1; done
	end
}

@test "process: a Linux program's calls leave the stub alone, as if that were beyond the end of its addresses" {
	local expected program=$TEST_TOOLS/linux/escape
	expected=$(printf '%s\n' 'map over: 12' 'map across: 12' 'map beside: 12' 'a hint: elsewhere' 'move over: 22' 'protect: 12' \
		'unmap: 0' 'below all: 0' 'its bytes: -1' 'still here')
	nub run "$program" calls
	ended 0 ok
	[ "$output" = "$expected" ]
	nub run "$program" unmap-all
	ended 134 guest-crash
	[[ $(field .crash.message) == 'crashed by SIGSEGV'* ]]
}

@test "process: a Linux program that calls by the stub reaches its own memory, no page table, and what the page tables say comes back" {
	local program=$TEST_TOOLS/linux/escape
	nub run --timeout 60s "$program" map-tables
	ended 0 ok
	[ "${lines[0]}" = 'page tables: out of reach' ]
	nub run --timeout 20s "$program" map-memory
	ended 0 ok
	[ "${lines[0]}" = 'its own memory: mapped' ]
	[ "${lines[2]}" = 'still here' ]
	nub run --timeout 20s "$program" unmap-own
	ended 0 ok
	[ "$output" = $'what it unmapped is there: 7\nwhat it protected is there: 7\nwritten: 0\nstill here' ]
	nub run --timeout 20s "$program" call-others
	ended 0 ok
	[ "$output" = $'made them all\nstill here' ]
	for way in scribble unmap-stub; do
		nub run --timeout 20s "$program" "$way"
		ended 134 guest-crash
		[ "$(field .crash.kind)" = triple-fault ]
	done
}

@test "process: the time of a Linux program's process is the program's" {
	# shellcheck disable=SC2016 # the program's
	nub run "$(command -v busybox)" sh -c 'i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done; times'
	ended 0 ok
	# Of its user time, something is to be seen.
	[[ ${lines[0]} =~ ^0m0\.[0-9]*[1-9][0-9]*s ]] || [[ ${lines[0]} =~ ^0m[1-9] ]]
}

@test "process: a snapshot says whose CPU its guest was shown" {
	local vendor
	vendor=$(sed -n 's/^vendor_id[^:]*: //p' /proc/cpuinfo | head -n 1)
	# In EBX, ECX and EDX: its last third comes second.
	nub snapshot -o vendor.snap "$GUESTS/hello.elf"
	ended 0 ok
	grep -qaF "${vendor:0:4}${vendor:8:4}${vendor:4:4}" vendor.snap
}
