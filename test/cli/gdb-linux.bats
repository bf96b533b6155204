#!/usr/bin/env bats
# `--gdb` of Linux programs, by each engine that this host has: what the real gdb says of their threads, calls and signals.

load helper
load gdb_helper

PROGRAMS=${GUESTS%/guests}/test/linux

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	PROGRAM=$PROGRAMS/debugged
}

teardown() {
	[ -z "${nubrun_pid-}" ] || kill "$nubrun_pid" 2>/dev/null || true
}

# Run the rest of the line once by each engine.
by_each_engine() { # COMMAND...
	local engine
	for engine in $(engines); do
		echo "by $engine"
		NUBRUN_ENGINE=$engine "$@"
	done
}

# The text stands in gdb's output, on lines of its own where it has several.
says() { # TEXT
	[[ $output == *"$1"* ]] || {
		echo "gdb does not say: $1"
		return 1
	}
}

# gdb commands that interrupt what the next one, `continue`, lets run.
interrupt_soon() {
	cat <<-END
		python import threading, os, signal
		python timer = threading.Timer($(slow 1) * 0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
		python timer.start()
		continue
		python timer.join()
	END
}

# ---- Functions, lines, variables ----

functions_and_lines() { # PROGRAM [OPTION...]
	local program=$1
	shift
	start run "$@" "$program"
	debug "$program" <<-'END'
		break main
		continue
		break square
		ignore 2 1
		continue
		backtrace
		print number
		next
		finish
		info breakpoints
		handle SIGUSR1 nostop noprint pass
		delete
		continue
	END
	finish
	ended 5 guest-exit
	[ "$(<out)" = "sum 14, calls 5, signal 10, late '', own 7, pid 1000" ]
	says "Breakpoint 1, main (argc=1, argv=0x"
	says "Breakpoint 2, square (number=2) at test/linux/debugged.c:"
	grep -q '^#1  0x[0-9a-f]* in sum_of_squares (last=3) at test/linux/debugged.c:' <<<"$output"
	grep -q '^#2  0x[0-9a-f]* in main (argc=1, argv=0x' <<<"$output"
	says "calls++;"
	grep -qE '^Value returned is \$[0-9]+ = 4$' <<<"$output"
	says "breakpoint already hit 2 times"
	says "exited with code 05]"
}

@test "gdb linux: breakpoints, call stack, step, finish, variables, to the end; static, relocated and with libraries" {
	by_each_engine functions_and_lines "$PROGRAM"
	by_each_engine functions_and_lines "$PROGRAM.pie"
	by_each_engine functions_and_lines "$PROGRAM.dynamic" --rootfs /
}

libraries() {
	start run --rootfs / "$PROGRAM.dynamic"
	debug "$PROGRAM.dynamic" <<-'END'
		info symbol $pc
		break pthread_join
		handle SIGUSR1 nostop noprint pass
		continue
		backtrace
		info sharedlibrary
		kill
	END
	finish
	ended 125 error
	[ "$(field .error.code)" = debugger ]
	says "_start in section .text of /lib64/ld-linux-x86-64.so.2"
	grep -qE '^#0 .*pthread_join' <<<"$output"
	says " in run_threads (mode="
	grep -qE '^0x0000[0-9a-f]+ +0x0000[0-9a-f]+ +Yes.*/libc\.so\.6$' <<<"$output"
}

@test "gdb linux: libraries are found where they were loaded, and stopped in" {
	by_each_engine libraries
}

no_file_named() {
	local -a commands=(-ex 'target remote sock' -ex 'break sum_of_squares' -ex continue -ex 'print last' -ex kill)
	start run "$PROGRAM.pie"
	run timeout "$(slow 60)" gdb -nx -batch -iex 'set debuginfod enabled off' "${commands[@]}"
	finish
	ended 125 error
	says "Breakpoint 1, sum_of_squares (last=3)"
	says '$1 = 3'
}

@test "gdb linux: gdb opens the program's file by itself" {
	by_each_engine no_file_named
}

registers_and_memory() {
	start run "$PROGRAM"
	debug "$PROGRAM" <<-'END'
		break square
		continue
		print $orig_rax
		set var $ymm3.v8_float[7] = 2.5
		set var $xmm12.v2_double[1] = -1.25
		set var $st0 = 1.5
		set var $r15 = 0x1122334455667788
		set var number = 10
		stepi
		print $ymm3.v8_float[7]
		print $xmm12.v2_double[1]
		print $st0
		print/x $r15
		print $cs
		print late[40000]
		set var late[40000] = 'y'
		delete
		print square(6)
		x/s 0
		handle SIGUSR1 nostop noprint pass
		continue
	END
	finish
	ended 5 guest-exit
	# 100, 4 and 9; a call more.
	[ "$(<out)" = "sum 113, calls 6, signal 10, late 'y', own 7, pid 1000" ]
	says '$1 = -1'
	says '$2 = 2.5'
	says '$3 = -1.25'
	says '$4 = 1.5'
	says '$5 = 0x1122334455667788'
	says '$6 = 51'
	says "\$7 = 0 '\\000'"
	says '$8 = 36'
	says "Cannot access memory at address 0x0"
}

@test "gdb linux: registers and memory are read and written, pages that nobody touched too; functions are called" {
	by_each_engine registers_and_memory
}

watchpoints() {
	start run "$PROGRAM"
	debug "$PROGRAM" <<-'END'
		handle SIGUSR1 nostop noprint pass
		break main
		continue
		watch watched
		continue
		continue
		delete
		watch handled
		continue
		backtrace 1
		delete
		continue
	END
	finish
	ended 5 guest-exit
	says $'Old value = 0\nNew value = 1\nmain '
	says $'Old value = 1\nNew value = 2\nmain '
	says $'Old value = 0\nNew value = 10\non_signal '
}

@test "gdb linux: watchpoints stop behind each write, in a signal's handler too" {
	by_each_engine watchpoints
}

# ---- Calls ----

steps_over_calls() {
	start run "$PROGRAM"
	debug "$PROGRAM" <<-'END'
		break call_here
		continue
		print $rax
		stepi
		print $rax
		print $pc - (char *)&call_here
		print $eflags
		print $r11 & 0x100
		step
		step
		step
		handle SIGUSR1 nostop noprint pass
		continue
	END
	finish
	ended 5 guest-exit
	says '$1 = 39'
	says '$2 = 1000'
	says '$3 = 2'
	[[ $output == *'$4 = ['* && $output != *'$4 = ['*' TF '* ]]
	says '$5 = 0'
	says "main (argc=1, argv=0x"
}

@test "gdb linux: a step over a system call ends behind it, with its result, and leaves no trap flag" {
	by_each_engine steps_over_calls
}

interrupted_calls() {
	start run "$PROGRAM" sleep
	debug "$PROGRAM" <<-END
		handle SIGUSR1 nostop noprint pass
		$(interrupt_soon)
		backtrace
		print \$orig_rax
		print square(5)
		print (int)getpid()
		print \$orig_rax
		info threads
		signal SIGUSR2
	END
	finish
	ended 5 guest-exit
	[[ $(<out) == $'much was left: 1\nsum 14, calls 6, signal 12,'* ]]
	says "Program received signal SIGINT"
	says " in sleep ()"
	says '$1 = 230'
	says '$2 = 25'
	says '$3 = 1000'
	says '$4 = 230'
}

@test "gdb linux: Ctrl-C while all threads wait; a function is called in the middle of a call, which a signal then ends" {
	by_each_engine interrupted_calls
}

interrupted_loop() {
	start run "$PROGRAM" spin
	debug "$PROGRAM" <<-END
		handle SIGUSR1 nostop noprint pass
		$(interrupt_soon)
		backtrace
		stepi
		set var handled = 12
		continue
	END
	finish
	ended 5 guest-exit
	says "Program received signal SIGINT"
	says " wait_or_spin (mode=0x"
	# Killed, it ends as an error.
	start run "$PROGRAM" spin
	debug "$PROGRAM" <<-END
		handle SIGUSR1 nostop noprint pass
		$(interrupt_soon)
		kill
	END
	finish
	ended 125 error
	[ "$(field .error.code)" = debugger ]
}

@test "gdb linux: Ctrl-C while it computes; a kill ends it" {
	by_each_engine interrupted_loop
}

# ---- Threads ----

threads_and_their_own() { # PROGRAM [OPTION...]
	local program=$1
	shift
	start run "$@" "$program"
	debug "$program" <<-'END'
		handle SIGUSR1 nostop noprint pass
		break all_there
		continue
		info threads
		thread apply all -s print own >= 49
		thread 3
		backtrace
		print own = 60
		thread 1
		print own
		break debugged.c:64 if own >= 60
		continue
		print own >= 60
		print $_thread
		delete
		continue
	END
	finish
	ended 5 guest-exit
	says "[New Thread 1001]"
	says "all_there () at test/linux/debugged.c:"
	grep -qE '^\* 1 +Thread 1000 "debugged.*" +all_there \(\) at' <<<"$output"
	grep -qE '^  2 +Thread 1001 "debugged.*" ' <<<"$output"
	grep -qE '^  3 +Thread 1002 "debugged.*" ' <<<"$output"
	grep -qE '^#[0-9]+ .* in work \(argument=0x' <<<"$output"
	[ "$(grep -oE '^\$[0-9]+ = [0-9]+$' <<<"$output" | sed 's/.* //' | paste -sd ' ')" = "1 1 0 60 7 1 3" ]
}

@test "gdb linux: threads by number and name, with their call stacks and their own variables" {
	by_each_engine threads_and_their_own "$PROGRAM"
	by_each_engine threads_and_their_own "$PROGRAM.pie"
	by_each_engine threads_and_their_own "$PROGRAM.dynamic" --rootfs /
}

library_variables() {
	start run --rootfs / "$PROGRAM.dynamic"
	debug "$PROGRAM.dynamic" <<-'END'
		handle SIGUSR1 nostop noprint pass
		break all_there
		continue
		print (long)&errno - ((long (*)(void))__errno_location)()
		set var $first = (long)&errno
		thread 3
		print (long)&errno - ((long (*)(void))__errno_location)()
		print $first != (long)&errno
		kill
	END
	finish
	ended 125 error
	[ "$(grep -oE '^\$[0-9]+ = -?[0-9]+$' <<<"$output" | sed 's/.* //' | paste -sd ' ')" = "0 0 1" ]
}

@test "gdb linux: a library's own variables of each thread" {
	by_each_engine library_variables
}

one_thread_alone() {
	start run "$PROGRAM"
	debug "$PROGRAM" <<-'END'
		handle SIGUSR1 nostop noprint pass
		break work
		continue
		set scheduler-locking on
		delete
		print calls
		next
		next
		print calls
		print $_thread
		set scheduler-locking off
		break all_there
		continue
		print calls
		delete
		continue
	END
	finish
	ended 5 guest-exit
	[ "$(grep -oE '^\$[0-9]+ = [0-9]+$' <<<"$output" | sed 's/.* //' | paste -sd ' ')" = "3 4 2 5" ]
}

@test "gdb linux: one thread steps while the others are held" {
	by_each_engine one_thread_alone
}

# ---- Signals, and the end ----

signals_are_shown() {
	start run "$PROGRAM"
	debug "$PROGRAM" <<-'END'
		continue
		print $_siginfo.si_signo
		signal 0
	END
	finish
	ended 5 guest-exit
	says "Program received signal SIGUSR1"
	says '$1 = 10'
	# It was not delivered.
	[[ $(<out) == *" signal 0,"* ]]
	start run "$PROGRAM"
	debug "$PROGRAM" <<-'END'
		break on_signal
		continue
		signal SIGUSR2
		print signal
		backtrace
		continue
	END
	finish
	ended 5 guest-exit
	says 'Breakpoint 1, on_signal (signal=12)'
	says '<signal handler called>'
	[[ $(<out) == *" signal 12,"* ]]
}

@test "gdb linux: a signal stops before it is delivered, and is delivered, dropped or another as gdb says" {
	by_each_engine signals_are_shown
}

crash_in_a_thread() {
	local plain
	nub run "$PROGRAM" crash
	plain=$(field '[.status, .crash.kind, .crash.message, .crash.address, .crash.symbol] | tojson')
	start run "$PROGRAM" crash
	debug "$PROGRAM" <<-'END'
		handle SIGUSR1 nostop noprint pass
		continue
		backtrace
		print $_siginfo._sifields._sigfault.si_addr
		print own
		print $_thread > 1
		continue
	END
	finish
	ended 134 guest-crash
	says "received signal SIGSEGV"
	grep -qE '^#0 .*crash \(where=0x8\) at test/linux/debugged.c:' <<<"$output"
	grep -qE '^#1 .* in work \(argument=0x' <<<"$output"
	says '$1 = (void *) 0x8'
	says '$2 = 50'
	says '$3 = 1'
	says "Program terminated with signal SIGSEGV"
	[ "$(jq -r '[.status, .crash.kind, .crash.message, .crash.address, .crash.symbol] | tojson' <<<"$json")" = "$plain" ]
}

@test "gdb linux: a crash stops in its thread, and ends with the status that it has without gdb" {
	by_each_engine crash_in_a_thread
}

a_deadlock() {
	start run "$PROGRAM" deadlock
	debug "$PROGRAM" <<-'END'
		handle SIGUSR1 nostop noprint pass
		continue
		backtrace
		set var watched = 3
		continue
	END
	finish
	ended 134 guest-crash
	[ "$(field .crash.kind)" = deadlock ]
	says "all 1 threads wait, and nothing can wake one; thread 1000 'debugged' in futex(0x"
	says " in wait_or_spin (mode=0x"
	says "Cannot access memory at address"
}

@test "gdb linux: what ends a program without a signal is shown, and why" {
	by_each_engine a_deadlock
}

detached() {
	start run "$PROGRAM"
	debug "$PROGRAM" <<-'END'
		break square
		continue
		watch calls
		detach
	END
	finish
	ended 5 guest-exit
	[ "$(<out)" = "sum 14, calls 5, signal 10, late '', own 7, pid 1000" ]
}

@test "gdb linux: detached, it goes on to its own end" {
	by_each_engine detached
}

# ---- Files and snapshots ----

mapped_code() {
	mkdir -p data
	start run --dir data:/data:rw "$PROGRAM" map /data/code
	debug "$PROGRAM" <<-'END'
		handle SIGUSR1 nostop noprint pass
		break debugged.c:101
		continue
		break *mapped
		continue
		x/i $pc
		continue
	END
	finish
	ended 5 guest-exit
	[[ $(<out) == "sum 42,"* ]]
	says "mov    \$0x2a,%eax"
	# As it was written: no breakpoint is in it.
	[ "$(od -An -tx1 -N6 data/code)" = " b8 2a 00 00 00 c3" ]
	[ "$(tail -c +2049 data/code | head -c 16)" = xxxxxxxxxxxxxxxx ]
}

@test "gdb linux: a breakpoint in a file that is mapped does not get into the file" {
	by_each_engine mapped_code
}

frozen_and_thawed() {
	start run "$PROGRAM.pie"
	debug "$PROGRAM.pie" <<-'END'
		monitor regions
		handle SIGUSR1 nostop noprint pass
		break all_there
		continue
		monitor snapshot there.nub
		monitor exits
		kill
	END
	finish
	ended 125 error
	says "saved; it goes on from here when it is restored"
	grep -qE '^ *0x[0-9a-f]+ \.\. +0x[0-9a-f]+  Stack +READ \| WRITE$' <<<"$output"
	grep -qE '^call +[1-9]' <<<"$output"
	nub restore there.nub
	ended 5 guest-exit
	start restore there.nub
	debug "$PROGRAM.pie" <<-'END'
		info threads
		backtrace
		thread 2
		print own >= 49
		break work
		tbreak printf
		continue
		finish
		continue
	END
	finish
	ended 5 guest-exit
	says "all_there () at test/linux/debugged.c:"
	grep -qE '^  3 +Thread [0-9]+ "debugged.pie" ' <<<"$output"
	says '$1 = 1'
	says 'printf ()'
	rm there.nub
}

@test "gdb linux: monitor saves a snapshot, threads and all; restore goes on from it, debugged again" {
	by_each_engine frozen_and_thawed
}

time_stands_still() {
	start run --timeout "$(slow 500)ms" "$PROGRAM"
	debug "$PROGRAM" <<-END
		handle SIGUSR1 nostop noprint pass
		break main
		continue
		shell sleep $(slow 1)
		continue
	END
	finish
	ended 5 guest-exit
	start run --timeout 300ms "$PROGRAM" sleep
	debug "$PROGRAM" <<-'END'
		handle SIGUSR1 nostop noprint pass
		continue
	END
	finish
	ended 124 timeout
}

@test "gdb linux: time that gdb takes is not the program's; time-outs still end it" {
	by_each_engine time_stands_still
}
