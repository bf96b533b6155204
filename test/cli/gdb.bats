#!/usr/bin/env bats
# `--gdb`: the real gdb, in batch mode, and clients that are none.

load helper
load gdb_helper

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	DEBUG=$GUESTS/debug.elf
}

teardown() {
	[ -z "${nubrun_pid-}" ] || kill "$nubrun_pid" 2>/dev/null || true
}

@test "gdb: breakpoints, call stack, step, finish, variables, to the end; both kinds of guest, both policies" {
	local guest cow
	for guest in debug.elf debug.pie.elf; do
		for cow in host guest; do
			start run --cow "$cow" "$GUESTS/$guest"
			debug "$GUESTS/$guest" <<-'END'
				info symbol $pc
				break main
				continue
				next
				print point
				step
				step
				step
				step
				backtrace
				print number
				finish
				info breakpoints
				continue
			END
			finish
			ended 7 guest-exit
			[ "$(<out)" = "sum 55, calls 5, secret 42, vector 8" ]
			[[ $output == *"_start in section .text"* ]]
			[[ $output == *"Breakpoint 1, main (argc=1, argv=0x"*") at guests/debug.c:"* ]]
			[[ $output == *"{x = 3, y = 4}"* ]]
			grep -q '^#0  square (number=1) at guests/debug.c:' <<<"$output"
			grep -q '^#1  0x[0-9a-f]* in sum_of_squares (last=5) at guests/debug.c:' <<<"$output"
			grep -q '^#2  0x[0-9a-f]* in main (argc=1, argv=0x' <<<"$output"
			[[ $output == *"Value returned is "*" = 1"* ]]
			[[ $output == *"breakpoint already hit 1 time"* ]]
			[[ $output == *"exited with code 07]"* ]]
		done
	done
}

@test "gdb: registers, general, segment, FS base, x87, SSE and AVX, are read and written" {
	start run "$DEBUG"
	debug "$DEBUG" <<-'END'
		break vector_filled
		continue
		print $ymm7.v8_float
		print $xmm7.v4_float
		print/x $mxcsr
		print $fctrl
		print $cs
		print $eflags
		set var $fs_base = 0x1234567000
		print/x $fs_base
		set var $ymm7.v8_float[7] = 80
		set var $st0 = 1.5
		print $st0
		set var $r15 = 0x1122334455667788
		stepi
		print/x $r15
		print $ymm7.v8_float[7]
		print/x $fs_base
		set var $cs = 8
		detach
	END
	finish
	ended 7 guest-exit
	[[ $output == *"{1, 2, 3, 4, 5, 6, 7, 8}"*"{1, 2, 3, 4}"*"0x1f80"*"895"* ]]
	[[ $output == *" = 51"*"0x1234567000"*"1.5"*"0x1122334455667788"*" = 80"*"0x1234567000"* ]]
	[[ $output == *'Could not write register "cs"'* ]]
}

@test "gdb: memory is written, functions of the guest are called, a watchpoint stops where the value changes" {
	start run "$DEBUG"
	debug "$DEBUG" <<-'END'
		break main
		continue
		set var secret = 7
		print square(9)
		print sum_of_squares(3)
		set can-use-hw-watchpoints 0
		watch watched
		continue
		continue
		delete
		x/s 0
		continue
	END
	finish
	ended 7 guest-exit
	[ "$(<out)" = "sum 55, calls 9, secret 7, vector 8" ]
	[[ $output == *" = 81"*" = 14"* ]]
	[[ $output == *"Old value = 0"*"New value = 1"*"Old value = 1"*"New value = 2"* ]]
	[[ $output == *"Cannot access memory at address 0x0"* ]]
}

@test "gdb: watchpoints stop behind each write with the old and the new value, on the stack until their function ends" {
	local guest cow
	for guest in debug.elf debug.pie.elf; do
		for cow in host guest; do
			start run --cow "$cow" "$GUESTS/$guest"
			debug "$GUESTS/$guest" <<-'END'
				watch calls
				watch watched
				continue
				delete 1
				break square if number == 4
				continue
				watch result
				continue
				continue
				continue
				continue
				info watchpoints
				delete
				continue
			END
			finish
			ended 7 guest-exit
			[ "$(<out)" = "sum 55, calls 5, secret 42, vector 8" ]
			output=$(grep -v '^$' <<<"$output")
			[[ $output == *"Hardware watchpoint 1: calls"$'\n'"Old value = 0"$'\n'"New value = 1"$'\n'"square (number=1) at "*"return result;"* ]]
			[[ $output == *"Breakpoint 3, square (number=4)"* ]]
			[[ $output == *"New value = 16"$'\n'"square (number=4) at "*"calls++;"* ]]
			[[ $output == *"Watchpoint 4 deleted because"*"in sum_of_squares (last=5)"* ]]
			[[ $output == *"Old value = 0"$'\n'"New value = 1"$'\n'"main "*"watched = 2;"* ]]
			[[ $output == *"Old value = 1"$'\n'"New value = 2"$'\n'"main "*"printf("* ]]
			[[ $output == *"watched"$'\n\t'"breakpoint already hit 2 times"* ]]
		done
	done
}

@test "gdb: watchpoints in a kernel's guest, in whichever of its address spaces it writes" {
	only_kvm
	local cow guest=$GUESTS/two-spaces.elf
	for cow in host guest; do
		start run --cow "$cow" "$guest"
		debug "$guest" <<-'END'
			break two_spaces
			continue
			set $heap = peb->heap.gva
			watch -l *(unsigned long *)$heap
			continue
			continue
			continue
			continue
		END
		finish
		ended 0 ok
		[ "$(grep -E '^(Old|New) value' <<<"$output" | grep -oE '[0-9]+' | paste -sd ' ')" = "0 43690 43690 48059 48059 52428" ]
	done
}

@test "gdb: watchpoints for reading, where the host has none, are refused before the guest goes on" {
	start run "$DEBUG"
	debug "$DEBUG" <<-'END'
		rwatch secret
		continue
		delete
		continue
	END
	finish
	ended 7 guest-exit
	# Where the host has data breakpoints, gdb takes one for any access.
	[[ $output == *"Could not insert hardware watchpoint 1."*"exited with code 07]"* || $output == *"Value = 42"* ]]
}

@test "gdb: Ctrl-C stops a guest that runs; a kill ends it with an error that says so" {
	start run "$GUESTS/spin.elf"
	debug "$GUESTS/spin.elf" <<-'END'
		python import threading, os, signal
		python timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
		python timer.start()
		continue
		python timer.join()
		backtrace
		kill
	END
	finish
	ended 125 error
	[ "$(field .error.code)" = debugger ]
	[ -n "$(field .error.hint)" ]
	[[ $output == *"Program received signal SIGINT"*"#0  main () at guests/spin.c:"* ]]
}

@test "gdb: a crash stops with memory to look at, and ends with the status that it has without gdb" {
	local way signal plain
	for way in null:SIGSEGV div0:SIGFPE ud2:SIGILL int3:SIGTRAP abort-message:SIGABRT bad-port:SIGILL; do
		signal=${way#*:} way=${way%:*}
		nub run "$GUESTS/crash.elf" "$way"
		plain=$(field '[.status, .crash] | tojson')
		start run "$GUESTS/crash.elf" "$way"
		debug "$GUESTS/crash.elf" <<-'END'
			continue
			backtrace
			print hidden
			set var hidden = 1
			continue
		END
		finish
		ended 134 guest-crash
		[[ $output == *"Program received signal $signal"*" in main ("* ]]
		[[ $output == *'$1 = '*"Cannot access memory at address"* ]]
		[[ $output == *"Program terminated with signal $signal"* ]]
		# Random numbers and what they leave in registers differ from run to run.
		[ "$(jq -c '[.[0], (.[1] | del(.registers))]' <<<"$plain")" = "$(jq -c '[.status, (.crash | del(.registers))]' <<<"$json")" ]
	done
}

@test "gdb: detached, the guest goes on to its own end; its breakpoints are gone" {
	start run "$DEBUG"
	debug "$DEBUG" <<-'END'
		break square
		continue
		detach
	END
	finish
	ended 7 guest-exit
	[ "$(<out)" = "sum 55, calls 5, secret 42, vector 8" ]
	[[ $output == *"detached]"* ]]
}

@test "gdb: time that gdb takes is not the guest's; time-outs still end it" {
	start run --timeout "$(slow 300)ms" "$DEBUG"
	debug "$DEBUG" <<-END
		break main
		continue
		shell sleep $(slow 1)
		continue
	END
	finish
	ended 7 guest-exit
	start run --timeout 300ms "$GUESTS/spin.elf"
	debug "$GUESTS/spin.elf" <<<continue
	finish
	ended 124 timeout
	[[ $output == *"exited with code 0174]"* ]]
}

@test "gdb: functions are debugged when they are called; the run ends with the last call" {
	start run --call div "$GUESTS/calc.elf" 7 2
	debug "$GUESTS/calc.elf" <<-'END'
		break nub_wrapper_div
		continue
		continue
	END
	finish
	ended 0 ok
	[ "$(field .result)" = 3 ]
	[ "$(<out)" = 3 ]
	[[ $output == *"Breakpoint 1, "*"nub_wrapper_div"*"exited normally]"* ]]
}

@test "gdb: monitor shows regions and exits, and saves a snapshot that restore goes on from, debugged again" {
	start run "$GUESTS/debug.pie.elf"
	debug "$GUESTS/debug.pie.elf" <<-'END'
		monitor regions
		monitor help
		monitor nonsense
		monitor snapshot early.nub
		break square
		ignore 1 2
		continue
		monitor exits
		monitor snapshot square.nub
		monitor snapshot /nowhere/square.nub
		detach
	END
	finish
	ended 7 guest-exit
	[[ $output == *"0x500140000000 .. "*" Code "*"READ | EXECUTE"*" Stack "*" Scratch "* ]]
	[[ $output == *"monitor snapshot FILE"*"no such command"* ]]
	[[ $output == *"go on to its main first"* ]]
	[[ $output == *"exception    "[1-9]*"saved; "*"/nowhere/square.nub: "* ]]
	[ ! -e early.nub ]
	nub restore square.nub
	ended 7 guest-exit
	[ "$output" = "sum 55, calls 5, secret 42, vector 8" ]
	start restore square.nub
	debug "$GUESTS/debug.pie.elf" <<-'END'
		backtrace
		print number
		break square
		continue
		print number
		delete
		continue
	END
	finish
	ended 7 guest-exit
	[ "$(<out)" = "sum 55, calls 5, secret 42, vector 8" ]
	[[ $output == *"#2  0x"*" in main (argc=1"*" = 3"*"square (number=4)"*" = 4"* ]]
}

@test "gdb: at a port, on the loopback address alone; 0 chooses one and says which" {
	local port i
	"$NUBRUN" run --gdb :0 --status status "$DEBUG" >out 2>err &
	nubrun_pid=$!
	for ((i = 0; i < $(slow 200); i++)); do
		port=$(sed -n 's/^nubrun: waits for gdb: target remote 127\.0\.0\.1:\([0-9]*\)$/\1/p' err 2>/dev/null) || true
		[ -z "$port" ] || break
		sleep 0.02
	done
	# 0100007F is 127.0.0.1 in /proc/net/tcp.
	grep -q " 0100007F:$(printf %04X "$port") 00000000:0000 0A " /proc/net/tcp
	# Others can come there than who may write this user's files.
	run timeout "$(slow 60)" gdb -nx -batch -ex "target remote 127.0.0.1:$port" -ex 'break square' -ex continue -ex delete \
		-ex 'monitor snapshot forbidden.nub' -ex continue "$DEBUG"
	finish
	ended 7 guest-exit
	[[ $output == *"may not write files"*"exited with code 07]"* ]]
	[ ! -e forbidden.nub ]
}

@test "gdb: a socket is its owner's, is gone when gdb has come, and a stale one is no obstacle" {
	start run "$DEBUG"
	[ "$(stat -c %A sock)" = srw------- ]
	debug "$DEBUG" <<<detach
	finish
	ended 7 guest-exit
	[ ! -e sock ]
	# One that was left by a nubrun that was killed.
	start run "$DEBUG"
	kill -9 "$nubrun_pid"
	wait "$nubrun_pid" || true
	[ -S sock ]
	"$NUBRUN" run --gdb unix:sock --status status "$DEBUG" >out 2>err &
	nubrun_pid=$!
	pause 0.5
	# In use, it is not taken away.
	nub run --gdb unix:sock "$DEBUG"
	refused 125 io '*--gdb: unix:sock*'
	debug "$DEBUG" <<<detach
	finish
	ended 7 guest-exit
	# Nor is a file.
	echo precious >file
	nub run --gdb unix:file "$DEBUG"
	refused 125 io '*--gdb: unix:file*'
	[ "$(<file)" = precious ]
}

# A client by hand: what to send is on stdin.
client() { # PORT
	exec 9<>"/dev/tcp/127.0.0.1/$1"
	cat >&9
	exec 9>&-
}

@test "gdb: whoever talks nonsense, too much, or breaks off within a packet, is left; the guest runs" {
	local words port
	for words in '' '$m1000' 'GET / HTTP/1.1\r\n\r\n' 'POST / HTTP/1.1\r\n\r\n$k#6b' '\3\3\3' '$c#63' '$qSupported#37+$vCont;s#b8+$g#6' '-----------------' flood; do
		"$NUBRUN" run --gdb :0 --status status "$DEBUG" >out 2>err &
		nubrun_pid=$!
		port=
		while [ -z "$port" ]; do
			sleep 0.02
			port=$(sed -n 's/^.*127\.0\.0\.1:\([0-9]*\)$/\1/p' err)
		done
		if [ "$words" = flood ]; then
			head -c 1000000 /dev/zero | client "$port" 2>/dev/null || true
		else
			printf '%b' "$words" | client "$port"
		fi
		finish
		ended 7 guest-exit
		[ "$(<out)" = "sum 55, calls 5, secret 42, vector 8" ]
	done
}

@test "gdb: addresses that are none are refused before anything runs" {
	local address
	for address in 1234 :70000 :x : :12x unix: tcp:1 "unix:$(printf 'x%.0s' {1..108})"; do
		nub run --gdb "$address" "$DEBUG"
		refused 125 usage '--gdb: *'
		[ "$output" = "" ]
	done
	nub run --gdb unix:/nowhere/sock "$DEBUG"
	refused 125 io '*--gdb: unix:/nowhere/sock*'
}

@test "gdb: where the snapshot's file was cut there is no memory, and the run ends with an error" {
	local cow
	for cow in host guest; do
		"$NUBRUN" snapshot -q --cow "$cow" -o a.snap "$DEBUG"
		start restore a.snap
		truncate -s 0 a.snap
		debug "$DEBUG" <<-'END'
			x/4xg $sp
			set var *(char *)$sp = 1
			break main
			continue
		END
		[ "$(grep -c 'Cannot access memory' <<<"$output")" -ge 2 ]
		finish
		refused 125 io '*a.snap*'
		rm -f sock status
	done
}

@test "gdb: a file that is cut while breakpoints are in the guest's code ends the run with an error" {
	local cow gdb
	for cow in host guest; do
		"$NUBRUN" snapshot -q --cow "$cow" -o a.snap "$GUESTS/spin.elf"
		start restore --timeout "$(slow 20)s" a.snap
		timeout "$(slow 30)" gdb -nx -batch -ex 'target remote sock' -ex 'break rt_dispatch' -ex continue "$GUESTS/spin.elf" \
			>gdb.out 2>&1 3>&- &
		gdb=$!
		pause 1.2
		truncate -s 0 a.snap
		finish
		refused 125 io '*a.snap*'
		wait "$gdb" || true
		rm -f sock status
	done
}
