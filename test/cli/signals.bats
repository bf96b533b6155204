#!/usr/bin/env bats
# SIGHUP, SIGINT and SIGTERM to nubrun: the run ends with a status, the evidence that was asked for, and by that signal.

# shellcheck disable=SC2034 # json is what field reads

load helper

setup() {
	needs_kvm
	cd "$BATS_TEST_TMPDIR"
	SPIN=$GUESTS/spin.elf
}

teardown() {
	[ -z "${nubrun_pid-}" ] || kill -9 "$nubrun_pid" 2>/dev/null || true
}

# Start nubrun in the background. A shell has its background jobs ignore SIGINT.
start() { # ARG...
	# What an earlier one said is not what this one says.
	rm -f out err
	env --default-signal=INT,QUIT,HUP,TERM "$NUBRUN" "$@" >out 2>err 3>&- &
	nubrun_pid=$!
}

# Wait until this is true.
until_true() { # COMMAND...
	local i
	for ((i = 0; i < $(slow 400); i++)); do
		! "$@" || return 0
		kill -0 "$nubrun_pid" || return 1
		sleep 0.02
	done
	return 1
}

spins() {
	grep -q spinning out
}

# No process like this is left, soon.
gone() { # PATTERN
	local i
	for ((i = 0; i < $(slow 100); i++)); do
		pgrep -f "$1" >/dev/null || return 0
		sleep 0.05
	done
	return 1
}

# Signal it, and its end: $status and $json.
end_by() { # SIGNAL
	kill -s "$1" "$nubrun_pid"
	finish
}

finish() {
	status=0
	wait "$nubrun_pid" || status=$?
	nubrun_pid=
	json=$(tail -n 1 err)
	printf 'exit %s\n%s\n%s\n' "$status" "$(<out)" "$(<err)"
}

# It was interrupted by this signal.
interrupted() { # SIGNAL
	ended $((128 + $(kill -l "$1"))) error && [ "$(field .error.code)" = interrupted ] &&
		[[ $(field .error.message) == *"interrupted by SIG$1"* ]]
}

@test "signals: each ends a guest that runs, with a status that says where it was" {
	local signal
	for signal in TERM INT HUP; do
		start run "$SPIN"
		until_true spins
		end_by "$signal"
		interrupted "$signal"
		[ "$(field .error.message)" = "$SPIN: interrupted by SIG$signal" ]
		[ "$(field .crash.kind)" = interrupted ]
		# It may still be about to go on from what it printed.
		[ "$(field '[.crash.backtrace[].symbol] | index("main") != null')" = true ]
		[ "$(field .exits.interrupted)" -ge 1 ]
		# As a parent sees it: by the signal, not with an exit code.
		python3 - "$NUBRUN" "$SPIN" "SIG$signal" <<-'END'
			import signal, subprocess, sys
			which = getattr(signal, sys.argv[3])
			child = subprocess.Popen([sys.argv[1], "run", "-q", sys.argv[2]], stdout=subprocess.PIPE)
			child.stdout.readline()
			child.send_signal(which)
			assert child.wait() == -which, child.returncode
		END
	done
}

@test "signals: run, restore and snapshot leave the core that was asked for, as for a time-out" {
	"$NUBRUN" snapshot -q -o spin.snap "$SPIN"
	local -a command
	local name
	for name in run restore snapshot; do
		case $name in
		run) command=(run "$SPIN") ;;
		restore) command=(restore spin.snap) ;;
		snapshot) command=(snapshot -o new.snap --until-checkpoint "$SPIN") ;;
		esac
		start "${command[0]}" --core "$name.core" "${command[@]:1}"
		until_true spins
		end_by TERM
		interrupted TERM
		[ "$(field .crash.core)" = "$name.core" ]
		gdb -nx -batch -iex 'set debuginfod enabled off' -ex bt "$SPIN" "$name.core" >gdb.out 2>&1
		cat gdb.out
		grep -qF 'terminated with signal SIGINT,' gdb.out
		grep -qE '^#[0-9]+ .*main \(.*\) at guests/spin.c' gdb.out
		nub inspect "$name.core"
		[[ $output == *'core of a guest that a signal to nubrun ended'* ]]
		nub dump --json "$name.core"
		[ "$(jq -r .reason <<<"$output")" = interrupted ]
	done
	[ ! -e new.snap ]
	start run --core-dir . "$SPIN"
	local pid=$nubrun_pid
	until_true spins
	end_by TERM
	[ "$(field .crash.core)" = "./spin.elf.$pid.core" ]
	[ -s "spin.elf.$pid.core" ]
}

@test "signals: trace, picture and --status are written; the one line for people says it" {
	start run --trace trace.json --svg memory.svg --status status "$SPIN"
	until_true spins
	end_by TERM
	json=$(<status)
	interrupted TERM
	jq -e 'any(.[]; .name == "run") and .[-1].ph' trace.json
	python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("memory.svg")'
	rm -f out
	script -qec "'$NUBRUN' run '$SPIN'" /dev/null </dev/null >out 2>&1 &
	local script=$!
	nubrun_pid=$script
	until_true spins
	pkill -TERM -P "$script" -x nubrun || pkill -TERM -P "$(pgrep -P "$script")" -x nubrun
	wait "$script" || true
	nubrun_pid=
	cat out
	grep -q 'spin.elf: interrupted by SIGTERM' out
}

@test "signals: the old snapshot stays, and no file is left, wherever saving was" {
	"$NUBRUN" snapshot -q -o old "$SPIN"
	head -c 200M /dev/urandom >data
	mkdir folder
	local delay
	for delay in 0.02 0.1 0.3; do
		cp old folder/a.snap
		start snapshot -o folder/a.snap --map data@0x10000000 "$GUESTS/mapfile.elf"
		sleep "$delay"
		kill -TERM "$nubrun_pid" || true
		finish
		[ "$(ls -A folder)" = a.snap ]
		if [ "$status" -eq 0 ]; then
			# It was faster.
			"$NUBRUN" inspect --verify folder/a.snap >verified
		else
			cmp old folder/a.snap
			# Before it has begun, it ends without a status.
			[ "$status" -eq 143 ]
			[ -z "$json" ] || interrupted TERM
		fi
	done
}

@test "signals: a pipe that nobody reads is no reason to stay" {
	mkfifo pipe
	exec 8<>pipe
	start snapshot -o pipe --map "$NUBRUN@0x10000000" "$GUESTS/mapfile.elf"
	pause 0.5
	end_by TERM
	interrupted TERM
	exec 8>&-
	# What the guest prints, likewise.
	exec 8<>pipe
	env --default-signal=TERM "$NUBRUN" run "$TEST_GUESTS/flood.elf" >pipe 2>err 3>&- &
	nubrun_pid=$!
	pause 0.5
	end_by TERM
	interrupted TERM
	exec 8>&-
}

@test "signals: a host function's command ends with the run, which has its status" {
	local mark="7$$$RANDOM"
	start run --core core --host-fn "greet=sleep $mark & sleep $mark" "$GUESTS/callback.elf"
	until_true pgrep -f "^sleep $mark\$"
	end_by INT
	interrupted INT
	[ "$(field .crash.core)" = core ]
	[[ $(field '.crash.backtrace | map(.symbol) | join(" ")') == *main* ]]
	gone "^sleep $mark\$"
}

@test "signals: two at once count as one; a second one later ends nubrun at once" {
	start run "$SPIN"
	until_true spins
	# The first may have ended it already.
	kill -TERM "$nubrun_pid" && kill -TERM "$nubrun_pid" 2>/dev/null || true
	finish
	interrupted TERM
	# timeout(1) signals its child, and then the group that it is in.
	status=0
	timeout -s INT "$(slow 1)" "$NUBRUN" run --status status "$SPIN" >out || status=$?
	[ "$status" -eq 124 ]
	json=$(<status) status=130
	interrupted INT
	# A core into a pipe that nobody reads holds it up.
	mkfifo pipe
	exec 8<>pipe
	start run --core pipe "$SPIN"
	until_true spins
	kill -INT "$nubrun_pid"
	pause 0.5
	kill -0 "$nubrun_pid"
	end_by INT
	[ "$status" -eq 130 ]
	[ -z "$json" ] || [ "$json" = "$(head -n 1 err)" ]
	exec 8>&-
}

@test "signals: what a parent has it ignore is ignored" {
	env --ignore-signal=HUP "$NUBRUN" run --timeout "$(slow 1)s" "$SPIN" >out 2>err 3>&- &
	nubrun_pid=$!
	until_true spins
	end_by HUP
	ended 124 timeout
}

@test "signals: calls that are repeated end, too" {
	start run --call add --repeat 1000000 "$GUESTS/calc.elf" 1 2
	pause 0.5
	end_by TERM
	interrupted TERM
	[ "$(field .calls.count)" -gt 0 ]
}

@test "signals: with gdb, before it comes, while the guest runs and while it is stopped" {
	start run --gdb unix:sock "$SPIN"
	until_true test -S sock
	end_by INT
	interrupted INT
	[ "$(field .error.message)" = "interrupted by SIGINT: nobody had come to sock yet" ]
	[ ! -e sock ]
	local how
	for how in continue 'shell sleep 100'; do
		rm -f gdb.out
		start run --gdb unix:sock --core core "$SPIN"
		until_true test -S sock
		timeout "$(slow 60)" gdb -nx -batch -iex 'set debuginfod enabled off' -ex 'target remote sock' -ex 'break main' -ex continue \
			-ex "echo at main\n" -ex delete -ex "$how" "$SPIN" >gdb.out 2>&1 3>&- &
		local gdb=$!
		until_true grep -q 'at main' gdb.out
		[ "$how" != continue ] || until_true spins
		end_by INT
		interrupted INT
		[ "$(field .crash.core)" = core ]
		[ -s core ]
		if [ "$how" = continue ]; then
			wait "$gdb" || true
			grep -q 'Program terminated with signal SIGTERM' gdb.out
		else
			pkill -P "$gdb" sleep || true
			pkill -P "$(pgrep -P "$gdb" -d,)" sleep || true
			wait "$gdb" || true
		fi
		rm -f core
	done
}
