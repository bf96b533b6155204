#!/usr/bin/env bats
# Cores of Linux programs, of those that crash and of snapshots: gdb finds all threads in them with their registers, their
# thread-local variables, and the files that they have mapped.

load helper

PROGRAMS=${GUESTS%/guests}/test/linux

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
}

# gdb's answers about a program and a core, in gdb.out; none of them is a warning.
ask_gdb() { # PROGRAM CORE COMMAND...
	local -a commands=()
	local program=$1 core=$2 command
	shift 2
	for command; do commands+=(-ex "$command"); done
	gdb -nx -batch -iex 'set debuginfod enabled off' "${commands[@]}" "$program" "$core" >gdb.out 2>gdb.err
	cat gdb.out gdb.err
	! grep -qi warning gdb.out gdb.err
}

# The core of cores: three threads wait in wait_with, and the main thread is in this function.
tells_of_threads() { # PROGRAM CORE FUNCTION
	local i
	ask_gdb "$1" "$2" 'info threads' 'thread apply all -q bt' 'thread apply all -q print own' \
		'thread apply all -q p/x $xmm8.v2_int64[0]'
	[ "$(grep -cE '^[* ] +[1-4] +Thread 0x[0-9a-f]+ \(LWP 100[0-3]\)' gdb.out)" -eq 4 ]
	[ "$(grep -cE '^#0 .*\bwait_with \(' gdb.out)" -ge 3 ]
	[ "$(grep -cE '^#1 .* in wait_for_ever \(.*\) at test/linux/cores.c' gdb.out)" -eq 3 ]
	grep -qE "^#[0-9]+ .*\b$3 \(" gdb.out
	for i in 0 1 2 3; do
		grep -qE "^.[0-9]+ = 4$i\$" gdb.out
		[ "$i" -eq 0 ] || grep -qE "= 0x12345678000000$(printf %x $((40 + i)))\$" gdb.out
	done
}

@test "linux core: of a crash, gdb finds every thread with its registers and variables" {
	local program
	for program in "$PROGRAMS/cores" "$PROGRAMS/cores.dynamic"; do
		nub run --core core --rootfs / "$program"
		ended 134 guest-crash
		tells_of_threads "$program" core fail
		ask_gdb "$program" core 'p $_siginfo.si_signo' 'x/i $rip'
		grep -q 'terminated with signal SIGSEGV' gdb.out
	done
}

@test "linux core: of a snapshot, gdb finds the same" {
	local program engine
	for program in "$PROGRAMS/cores" "$PROGRAMS/cores.dynamic"; do
		nub snapshot -o snap --rootfs / --until-checkpoint "$program"
		ended 0 ok
		nub dump --core core snap
		[ "$status" -eq 0 ]
		tells_of_threads "$program" core main
		# A copy that crashes, in the other one's core or in a layer's.
		for engine in $(engines); do
			nub restore --engine "$engine" --rootfs / --core core snap
			ended 134 guest-crash
			tells_of_threads "$program" core fail
		done
	done
	nub snapshot -o layer --base snap --rootfs / --until-syscall prctl snap
	nub dump --core core layer
	tells_of_threads "$program" core main
}

@test "linux core: it has the program's own auxiliary vector, and all files that it has mapped" {
	local library
	library=$(realpath "$(ldd "$PROGRAMS/cores.dynamic" | grep -o '/[^ ]*libc.so.6')")
	nub snapshot -o snap --rootfs / --until-checkpoint "$PROGRAMS/cores.dynamic"
	nub dump --core snap.core snap
	nub run --core crash.core --rootfs / "$PROGRAMS/cores.dynamic"
	for core in snap.core crash.core; do
		ask_gdb "$PROGRAMS/cores.dynamic" "$core" 'info auxv' 'info proc mappings' 'info sharedlibrary'
		grep -qE "AT_EXECFN .*\"$PROGRAMS/cores.dynamic\"" gdb.out
		grep -qE '^33 +AT_SYSINFO_EHDR ' gdb.out
		grep -qE '^25 +AT_RANDOM ' gdb.out
		# Code, read-only and written data, each at its place in the file.
		[ "$(grep -cE "0x[0-9a-f]+ +0x[0-9a-f]+ +0x[0-9a-f]+ +0x[0-9a-f]+ $library\$" gdb.out)" -ge 4 ]
		[ "$(grep -cE " +0x0 $PROGRAMS/cores.dynamic\$" gdb.out)" -eq 1 ]
		[ "$(grep -cE " $PROGRAMS/cores.dynamic\$" gdb.out)" -ge 4 ]
		grep -qE 'Yes +.*libc.so.6' gdb.out
		[ "$(eu-readelf -n "$core" | grep -c ' PRSTATUS$')" -eq 4 ]
	done
}

@test "linux core: dump tells each thread's stack, of a snapshot and of a core" {
	local what threads
	nub snapshot -o snap --rootfs / --until-checkpoint "$PROGRAMS/cores.dynamic"
	nub run --core core --rootfs / "$PROGRAMS/cores.dynamic"
	for what in snap core; do
		capture "$NUBRUN" dump "$what"
		[ "$status" -eq 0 ]
		[ "$(grep -cE '^  #0 .* wait_with\+0x' <<<"$output")" -eq 3 ]
		[ "$(grep -cE '^  #1 .* wait_for_ever\+0x' <<<"$output")" -eq 3 ]
		grep -qE '^  #[0-9]+ .* __libc_start_main\+0x' <<<"$output"
		grep -qE '^call stack of thread 1002' <<<"$output"
		capture "$NUBRUN" dump --json "$what"
		threads='[.threads[] | select(.current | not)]'
		holds "$threads | length == 3 and all(.backtrace[1].symbol == \"wait_for_ever\" and .registers.rip == .backtrace[0].rip)" "$output"
		holds '[.threads[] | select(.current)] | length == 1 and .[0].tid == 1000' "$output"
	done
	capture "$NUBRUN" dump --json snap
	holds "$threads | all(.call == \"futex\" and .name == \"cores.dynamic\")" "$output"
	holds '.threads[0].backtrace == .backtrace and .threads[0].registers == .registers' "$output"
}

@test "linux core: a file that is another one by now gives no names" {
	cp "$PROGRAMS/cores" program
	nub snapshot -o snap --until-checkpoint ./program
	capture "$NUBRUN" dump snap
	[[ $output == *' wait_with+0x'* ]]
	rm program
	cp "$PROGRAMS/threads" program
	capture "$NUBRUN" dump snap
	[ "$status" -eq 0 ]
	[[ $output == *'without its ELF file'* && $output != *+0x* ]]
	rm program
	mkfifo program
	capture timeout 20 "$NUBRUN" dump snap
	[ "$status" -eq 0 ]
	[[ $output == *'without its ELF file'* ]]
}
